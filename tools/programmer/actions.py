"""The programmer's sub-commands: each checks its arguments, then works on an open session.

`ACTIONS[name](args)` checks what was typed and returns the job; `job(client, console)` does it and
returns (exit code, the object for `--json`).
"""

import argparse
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from protocol import codec
from protocol.codec import Message
from protocol.codes import BolusKind, TxnOp, TxnState
from protocol.messages import (
    BolusParameters,
    ClearAlarmParameters,
    Empty,
    Preview,
    ProgramParameters,
    RefillParameters,
    Status,
    Therapy,
    TxnResult,
)
from tools import pump_measures, quantity, therapy_file
from tools.programmer import doses, log_view, readings, review
from tools.programmer import format as text
from tools.programmer.client import Client
from tools.programmer.console import Console, Progress
from tools.programmer.errors import NoLink, PreviewChanged, ProgrammerError, Uncertain

Values = dict[str, Any]
Job = Callable[[Client, Console], tuple[int, Values]]
Show = Callable[[Preview], str]

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
REVIEWS_MAX: Final = 5
"""Times a preview may change under the person's eyes before the command gives up."""


class _Declined(Exception):
    """The person said no; the pump has forgotten the draft."""


def settle(client: Client, console: Console) -> list[Values]:
    """Show and close the transactions that an earlier run left open on this pump."""
    shown = []
    for entry, result in client.settle():
        outcome = "not done" if result.state in _NOT_DONE else _outcome(result)
        console.say(f"an earlier run was cut off: {entry.op} {entry.txn:016x}: {outcome}")
        shown.append({"txn": f"{entry.txn:016x}", "op": entry.op, "outcome": outcome})
    return shown


# --- reads and stop -----------------------------------------------------------------------------


def _status(args: argparse.Namespace) -> Job:
    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.interrogate()
        device, therapy = client.device(), _therapy(client)
        if not console.as_json:
            console.say(readings.report(status, device, therapy))
        return EXIT_OK, _reading(client, status, therapy)

    return job


def _stop(args: argparse.Namespace) -> Job:
    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.stop()
        therapy = _therapy(client)
        console.say(f"now: {readings.headline(status, therapy)}")
        return EXIT_OK, _reading(client, status, therapy)

    return job


def _log(args: argparse.Namespace) -> Job:
    first: int = args.first

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.status()
        start = max(first, status.log_first)
        progress = Progress("log", status.log_next - start)
        records = []
        try:
            for record in client.log(start):
                records.append(record)
                progress.at(len(records))
        finally:
            progress.end()
        if not console.as_json:
            console.say("\n".join([log_view.HEAD, *map(log_view.line, records)]))
        return EXIT_OK, {
            "first_kept": status.log_first,
            "records": [log_view.values(record) for record in records],
        }

    return job


# --- transactions -------------------------------------------------------------------------------


def _program(args: argparse.Namespace) -> Job:
    table = therapy_file.load_table(args.file)

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status, device, current = client.interrogate(), client.device(), _therapy(client)
        parameters = table.parameters(current, device)

        def show(preview: Preview) -> str:
            pending = codec.decode(ProgramParameters, preview.parameters)
            rows = review.lines(current, status.computed_nl, pending, preview, device)
            return f"{device.serial} ({device.model})\n{review.table(rows)}"

        return _carry_out(client, console, TxnOp.PROGRAM, parameters, status, show, "program this?")

    return job


def _bolus(args: argparse.Namespace) -> Job:
    basis, amount = quantity.dose(args.amount)
    duration_us = quantity.duration_us(args.over) if args.over else 0
    parameters = BolusParameters(BolusKind.SINGLE, basis, amount, duration_us, int(args.again))

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status, device, therapy = client.interrogate(), client.device(), _therapy(client)

        def show(preview: Preview) -> str:
            volume_pl = preview.strokes * device.stroke_pl
            dose = _dose_text(volume_pl, therapy)
            left = text.millilitres(preview.computed_nl)
            return (
                f"bolus: {dose} in {preview.strokes} strokes, "
                f"over {text.duration(preview.duration_us)} (asked for: {args.amount})\n"
                f"reservoir afterwards: {left}, less what the basal takes"
            )

        return _carry_out(client, console, TxnOp.BOLUS, parameters, status, show, "give it?")

    return job


def _resume(args: argparse.Namespace) -> Job:
    def job(client: Client, console: Console) -> tuple[int, Values]:
        status, therapy = client.interrogate(), _therapy(client)

        def show(preview: Preview) -> str:
            volume_pl = preview.strokes * client.device().stroke_pl
            return f"resume: {_dose_text(volume_pl, therapy)} per day, {preview.strokes} strokes"

        return _carry_out(client, console, TxnOp.RESUME, Empty(), status, show, "resume?")

    return job


def _refill(args: argparse.Namespace) -> Job:
    parameters = RefillParameters(quantity.volume_nl(args.volume))

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.interrogate()

        def show(preview: Preview) -> str:
            return (
                f"refill: the pump expects {text.millilitres(status.computed_nl)} in the reservoir;"
                f" all of it was taken out and {text.millilitres(preview.volume_nl)} injected\n"
                f"computed volume afterwards: {text.millilitres(preview.computed_nl)}"
            )

        return _carry_out(client, console, TxnOp.REFILL, parameters, status, show, "is that so?")

    return job


def _clear_alarm(args: argparse.Namespace) -> Job:
    parameters = ClearAlarmParameters(args.alarm)

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.interrogate()

        def show(preview: Preview) -> str:
            return f"clear alarm {parameters.code.name}"

        return _carry_out(client, console, TxnOp.CLEAR_ALARM, parameters, status, show, "clear it?")

    return job


ACTIONS: Final[dict[str, Callable[[argparse.Namespace], Job]]] = {
    "status": _status,
    "program": _program,
    "bolus": _bolus,
    "stop": _stop,
    "resume": _resume,
    "refill": _refill,
    "clear-alarm": _clear_alarm,
    "log": _log,
}

_NOT_DONE: Final = (TxnState.UNKNOWN, TxnState.PREPARED)


def _carry_out(
    client: Client,
    console: Console,
    op: TxnOp,
    parameters: Message,
    status: Status,
    show: Show,
    question: str,
) -> tuple[int, Values]:
    """Prepare, review, confirm, commit, read back, compare, say what runs now."""
    preview = client.prepare(op, parameters, status.generation)
    try:
        preview, result = _confirmed(client, console, preview, show, question)
    except _Declined:
        console.say("nothing was changed")
        return EXIT_FAILED, {"result": "DECLINED", "txn": f"{preview.txn:016x}"}
    try:
        after, therapy = client.status(), _therapy(client)
    except (NoLink, KeyboardInterrupt):
        raise Uncertain(
            f"the pump has committed it ({_outcome(result)}), but could not be read back: "
            "run status when it is in reach"
        ) from None
    if op is TxnOp.PROGRAM:
        _compare(codec.decode(ProgramParameters, preview.parameters).therapy, therapy)
        console.say("programmed, read back and compared: equal")
    console.say(f"{op.name.lower().replace('_', ' ')}: {_outcome(result)}")
    console.say(f"now: {readings.headline(after, therapy)}")
    return EXIT_OK, {
        "result": result.state.name,
        "txn": f"{preview.txn:016x}",
        "preview": _preview_values(preview),
        **_reading(client, after, therapy),
    }


def _confirmed(
    client: Client, console: Console, preview: Preview, show: Show, question: str
) -> tuple[Preview, TxnResult]:
    """Show and ask until the pump commits what was confirmed. Raises _Declined."""
    for _ in range(REVIEWS_MAX):
        console.say(show(preview))
        try:
            agreed = console.confirm(question)
        except KeyboardInterrupt:
            client.abort(preview.txn)
            raise
        if not agreed:
            client.abort(preview.txn)
            raise _Declined
        try:
            if console.asks:
                preview = client.renew(preview)
            return preview, client.commit(preview)
        except PreviewChanged as changed:
            preview = changed.preview
            console.say("the pump's values have changed meanwhile; review them again")
    client.abort(preview.txn)
    raise ProgrammerError("the pump's values keep changing; nothing was done")


def _compare(sent: Therapy, read: Therapy | None) -> None:
    if read != sent:
        raise ProgrammerError(
            "the prescription read back is not the one that was sent: run status, program again"
        )


def _therapy(client: Client) -> Therapy | None:
    """Return the committed therapy; None while nothing is prescribed."""
    therapy = client.prescription().therapy
    return therapy if therapy.drugs else None


def _dose_text(volume_pl: int, therapy: Therapy | None) -> str:
    volume = text.volume(Fraction(volume_pl, 1000))
    if therapy is None:
        return volume
    drug = therapy.drugs[0]
    mass = text.mass(doses.mass_pg(volume_pl, drug.concentration_pg_ml))
    return f"{drug.name} {mass} = {volume}"


def _outcome(result: TxnResult) -> str:
    """Return how far a transaction is, in words."""
    words = result.state.name.lower().replace("_", " ")
    if result.total_nl:
        given, total = text.volume(result.given_nl), text.volume(result.total_nl)
        words += f", {given} of {total} given"
    return words


def _preview_values(preview: Preview) -> Values:
    return {
        "strokes": preview.strokes,
        "volume_nl": preview.volume_nl,
        "duration_us": preview.duration_us,
        "computed_nl": preview.computed_nl,
    }


def _reading(client: Client, status: Status, therapy: Therapy | None) -> Values:
    device = client.device()
    return {
        **pump_measures.said(status, device, therapy),
        "generation": status.generation,
        "wall": text.date(status.wall_s),
        "device": readings.device_values(device),
    }
