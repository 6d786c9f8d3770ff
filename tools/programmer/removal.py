"""`refill --empty`: a pump is put out of service, before it is removed or laid aside.

One guided act: stop, take the residual out, judge it, and tell the pump in one commit that it holds
0 mL and that its program is `stopped`. From then on it is out of service: it delivers nothing and,
since nobody is to be called to it, sounds nothing and misses no refill. What it stands for in its
log stays readable. `import` or `program` with a fill brings a pump back.

A stop comes first and by itself: a pump is not emptied while it delivers. Whoever leaves after it
leaves a stopped pump with its program kept, which `resume` starts again.
"""

import argparse
from dataclasses import replace
from typing import Final

from protocol.codes import Mode, ProgramKind, RateBasis, RatePer, TxnOp
from protocol.messages import (
    NO_PATIENT_BOLUS,
    NO_PERIODIC,
    Preview,
    ProgramParameters,
    Rate,
    RefillParameters,
    Status,
    Therapy,
)
from tools import quantity
from tools.programmer import format as text
from tools.programmer import program, readings, refill, residual, transact, warnings
from tools.programmer.client import Client
from tools.programmer.console import Console
from tools.programmer.errors import BadInput
from tools.programmer.transact import (
    EXIT_FAILED,
    EXIT_OK,
    WARNINGS,
    Job,
    Request,
    Values,
    therapy_of,
)
from tools.programmer.warnings import Caution, Warn

_NOTHING: Final = Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0)
_OUT_OF_SERVICE: Final = Caution(
    Warn.OUT_OF_SERVICE,
    "the pump delivers nothing any more, and sounds no alarm; its program is kept nowhere but in "
    "an `export` made before",
)


def meant(args: argparse.Namespace) -> bool:
    """Return whether a refill of nothing is asked for, in so many words."""
    return args.empty or (args.volume is not None and quantity.volume_nl(args.volume) == 0)


def remove(args: argparse.Namespace) -> Job:
    """Return the job. Raises BadInput where something is to be injected after all."""
    if args.new_drug or (args.volume is not None and quantity.volume_nl(args.volume)):
        raise BadInput("--empty: nothing is injected; refill without it tells of a volume")
    aspirated = None if args.residual is None else refill.measured(args.residual)

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status = client.interrogate()
        if status.mode is not Mode.STOPPED:
            console.say(f"now: {readings.headline(status, therapy_of(client))}")
            if not console.confirm("stop it now, to empty it? (`export` comes before)"):
                console.say("nothing was changed")
                return EXIT_FAILED, {"result": "DECLINED", WARNINGS: []}
            status = client.stop()
            console.say("stopped; `resume` starts it again")
        cautions, found = _residual(client, console, status, aspirated)
        code, values = _commit(client, console, [*cautions, _OUT_OF_SERVICE])
        values[refill.DISCREPANCY] = found
        if code == EXIT_OK:
            console.say("out of service: it may be removed; it holds nothing and sounds nothing")
        return code, values

    return job


def _residual(
    client: Client, console: Console, status: Status, taken_nl: int | None
) -> tuple[list[Caution], int | float | None]:
    """Have the residual taken out and judged; return (warnings, discrepancy in percent)."""
    device = client.device()
    console.say(refill.expected(status, device))
    if taken_nl is None and console.asks:
        taken_nl = refill.entered(console, "residual, all of it taken out", refill.measured)
    if taken_nl is None:
        return [], None
    judged = residual.judge(status, device, taken_nl)
    console.say(refill.judgement(judged))
    found = judged.discrepancy
    percent = None if found is None else text.number(found * 100)
    return warnings.of_residual(judged), percent


def _commit(client: Client, console: Console, also: list[Caution]) -> tuple[int, Values]:
    """Tell the pump: 0 mL and `stopped` at once, or 0 mL where it has no program."""
    therapy = therapy_of(client)
    if therapy is not None:
        return program.carry_out(
            client, console, ProgramParameters(_stopped(therapy), 0), override=False, also=also
        )

    def show(preview: Preview) -> str:
        return f"computed volume afterwards: {text.millilitres(preview.computed_nl)}"

    request = Request(TxnOp.REFILL, RefillParameters(0), show, "is that so?", also)
    return transact.carry_out(client, console, request, client.status())


def _stopped(therapy: Therapy) -> Therapy:
    """Return it without anything that is given, or held: no program, no bolus, no shelf life."""
    return replace(
        therapy,
        stability_days=0,
        program=ProgramKind.STOPPED,
        rate=_NOTHING,
        steps=(),
        periodic=NO_PERIODIC,
        patient=NO_PATIENT_BOLUS,
    )
