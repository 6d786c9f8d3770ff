"""The programmer's sub-commands: each checks its arguments, then works on an open session.

`ACTIONS[name](args)` checks what was typed and returns the job; `job(client, console)` does it and
returns (exit code, the object for `--json`). Here are the reads, the stop and the small ones.
"""

import argparse
from typing import Final

from protocol.codes import BolusKind, Code, TxnOp
from protocol.errors import ErrorCode
from protocol.messages import (
    ClearAlarmParameters,
    Empty,
    Preview,
    Refusal,
    SetClockParameters,
    Status,
)
from tools import pump_measures, wall_clock
from tools.programmer import (
    before,
    boluses,
    exporting,
    importing,
    log_view,
    program,
    readings,
    refill,
    removal,
    report,
    transact,
    trial,
    warnings,
)
from tools.programmer import format as text
from tools.programmer.client import Client
from tools.programmer.console import Console, watched
from tools.programmer.errors import NoLink, OutsideLimits, Refused
from tools.programmer.transact import (
    EXIT_OK,
    WARNINGS,
    Action,
    Job,
    Request,
    Values,
    dose_text,
    therapy_of,
)
from tools.programmer.warnings import Warn


def _status(args: argparse.Namespace) -> Job:
    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.interrogate()
        device, therapy = client.device(), therapy_of(client)
        cautions = warnings.of_status(status, therapy)
        if not console.as_json:
            console.say("\n".join([readings.report(status, device, therapy), *map(str, cautions)]))
        said = {WARNINGS: [caution.code.name for caution in cautions]}
        return EXIT_OK, {**transact.reading(client, status, therapy), **said}

    return job


def _stop(args: argparse.Namespace) -> Job:
    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.stop()
        try:
            therapy = therapy_of(client)
            values = transact.reading(client, status, therapy)
        except (NoLink, Refused) as error:  # the answer to STOP says enough
            console.say(f"now: {readings.headline(status, None)}")
            client.warn(f"the pump has stopped, but could not be read afterwards: {error}")
            return EXIT_OK, pump_measures.of_status(status)
        console.say(f"now: {readings.headline(status, therapy)}")
        return EXIT_OK, values

    return job


def _log(args: argparse.Namespace) -> Job:
    first: int = args.first

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.status()
        start = max(first, status.log_first)
        records = list(watched("log", status.log_next - start, client.log(start)))
        if not console.as_json:
            console.say("\n".join([log_view.HEAD, *map(log_view.line, records)]))
        return EXIT_OK, {
            "first_kept": status.log_first,
            "records": [log_view.values(record) for record in records],
        }

    return job


def _resume(args: argparse.Namespace) -> Job:
    def job(client: Client, console: Console) -> tuple[int, Values]:
        status, therapy = client.interrogate(), therapy_of(client)

        def show(preview: Preview) -> str:
            volume_pl = preview.strokes * client.device().stroke_pl
            daily = f"{dose_text(volume_pl, therapy)} per day, {preview.strokes} strokes"
            if status.bolus is not BolusKind.BRIDGE:
                return f"resume: {daily}"
            given, total = text.volume(status.bolus_given_nl), text.volume(status.bolus_total_nl)
            return f"resume: the bridge, {given} of {total} given, at its own rate; then {daily}"

        request = Request(TxnOp.RESUME, Empty(), show, "resume?")
        return transact.carry_out(client, console, request, status)

    return job


def _clear_alarm(args: argparse.Namespace) -> Job:
    parameters = ClearAlarmParameters(args.alarm)

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.interrogate()
        _check_over(status, parameters.code)

        def show(preview: Preview) -> str:
            return f"clear alarm {parameters.code.name}"

        request = Request(TxnOp.CLEAR_ALARM, parameters, show, "clear it?")
        return transact.carry_out(client, console, request, status)

    return job


def _check_over(status: Status, code: Code) -> None:
    """Refuse to clear an alarm that does not stand, or whose cause goes on. Raises Refused."""
    standing = {alarm.code: alarm for alarm in status.alarms}
    if code in standing and not standing[code].active:
        return
    names = ", ".join(one.name for one in standing) or "none"
    why = (
        "its cause is not over" if code in standing else f"it does not stand; what stands: {names}"
    )
    refusal = Refusal(status.mode, code, 0)
    raise OutsideLimits(ErrorCode.STATE, refusal, f"alarm {code.name}: {why}")


def _clock(args: argparse.Namespace) -> Job:
    to_s = wall_clock.typed_s(args.to) if args.to else None
    by_s = wall_clock.shift_s(args.by) if args.by else 0

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.interrogate()
        wall_s = status.wall_s + by_s if to_s is None else to_s
        cautions = warnings.of_clock(before.read(client, status), client.device(), wall_s)
        moves = any(caution.code is Warn.CLOCK_CHANGES_DOSE for caution in cautions)

        def show(preview: Preview) -> str:
            effect = "" if moves else "no dose is skipped or repeated; "
            return (
                f"pump clock: {text.date(status.wall_s)} becomes {text.date(wall_s)}\n"
                f"{effect}intervals and lockouts do not move"
            )

        parameters = SetClockParameters(wall_s)
        request = Request(TxnOp.SET_CLOCK, parameters, show, "set it?", cautions)
        return transact.carry_out(client, console, request, status)

    return job


def _refill(args: argparse.Namespace) -> Job:
    """Nothing injected is no refill: the pump is put out of service."""
    return removal.remove(args) if removal.meant(args) else refill.refill(args)


ACTIONS: Final[dict[str, Action]] = {
    "status": _status,
    "program": program.program,
    "bolus": boluses.single,
    "prime": boluses.prime,
    "bridge": boluses.bridge,
    "stop": _stop,
    "resume": _resume,
    "refill": _refill,
    "clock": _clock,
    "clear-alarm": _clear_alarm,
    "log": _log,
    "report": report.report,
    "export": exporting.export,
    "import": importing.import_,
    "trial": trial.trial,
}
