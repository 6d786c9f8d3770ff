"""`refill`: the commonest job, in four prompts.

The expected residual is shown, the actual one entered and judged, the volume injected entered, and
whether the drugs are the same. Then the pump's own values are confirmed. With another drug or
concentration a program and a bridge follow, each by its own command.
"""

import argparse
from collections.abc import Callable
from typing import Final, TypeVar

from protocol.codes import Mode, TxnOp
from protocol.errors import ErrorCode
from protocol.messages import (
    DeviceInfo,
    Preview,
    RefillParameters,
    Refusal,
    Status,
    Therapy,
)
from tools import quantity
from tools.programmer import format as text
from tools.programmer import plausible, residual, sensed, transact, warnings
from tools.programmer.client import Client
from tools.programmer.console import Console
from tools.programmer.errors import BadInput, OutsideLimits
from tools.programmer.residual import Residual
from tools.programmer.transact import EXIT_OK, Job, Request, Values, therapy_of
from tools.quantity import QuantityError

TRIES: Final = 3
"""Times a prompt is asked again after an entry that cannot be meant."""
SYRINGE_NL: Final = 100_000
"""Least volume that can be read from a syringe of this size."""
_DOSING: Final = (Mode.BOLUS, Mode.PRIME, Mode.BRIDGE)
"""No refill meanwhile. A bridge that was stopped is owed, not given: it waits for the refill."""
DISCREPANCY: Final = "programmer.refill_discrepancy_percent"

T = TypeVar("T")


def refill(args: argparse.Namespace) -> Job:
    """Return the job."""
    typed = None if args.volume is None else measured(args.volume)
    aspirated = None if args.residual is None else measured(args.residual)
    if args.yes and typed is None:
        raise BadInput("nobody is asked with --yes: give the volume injected, e.g. 40mL")

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status, device, therapy = client.interrogate(), client.device(), therapy_of(client)
        cautions = warnings.of_visit(status, therapy)
        if status.mode in _DOSING:  # nothing is typed in vain
            raise OutsideLimits(
                ErrorCode.BUSY_DELIVERING,
                Refusal(0, 0, 0),
                "a dose is being given, and the pump takes no refill before its end: wait, or stop",
            )
        console.say(expected(status, device))
        taken_nl = aspirated
        if taken_nl is None and console.asks:
            taken_nl = entered(console, "actual residual, taken out", measured)
        judged = None if taken_nl is None else residual.judge(status, device, taken_nl)
        if judged is not None:
            console.say(judgement(judged))
            cautions += warnings.of_residual(judged)
        injected_nl = typed
        if injected_nl is None:
            injected_nl = entered(console, "volume injected", fits(device))
        cautions += plausible.of_refill(status, therapy, injected_nl)
        same = not args.new_drug and _same(console, therapy, asked=args.same_drug)

        def show(preview: Preview) -> str:
            taken = (
                "all that was left (not measured, so not judged)"
                if taken_nl is None
                else text.millilitres(taken_nl)
            )
            return (
                f"refill: {taken} was taken out and {text.millilitres(preview.volume_nl)} "
                f"injected\ncomputed volume afterwards: {text.millilitres(preview.computed_nl)}"
            )

        parameters = RefillParameters(injected_nl)
        request = Request(TxnOp.REFILL, parameters, show, "is that so?", cautions)
        code, values = transact.carry_out(client, console, request, status)
        found = None if judged is None else judged.discrepancy
        values[DISCREPANCY] = None if found is None else text.number(found * 100)
        values["same_drug"] = same
        if code == EXIT_OK:
            due = text.date_text(client.status().refill_due_wall_s)
            console.say(f"next refill due {due}")
        if code == EXIT_OK and not same:
            console.say("another drug or concentration: now `program` it, then `bridge`")
        return code, values

    return job


def expected(status: Status, device: DeviceInfo) -> str:
    """Return what should be left, between what bounds, and what a level sensor says of it."""
    said = (_counted(status, device), sensed.volume(status), sensed.contradiction(status))
    return "\n".join(filter(None, said))


def _counted(status: Status, device: DeviceInfo) -> str:
    residual_text = f"expected residual: {text.millilitres(status.computed_nl)}"
    if status.computed_nl >= status.fill_nl:
        return residual_text
    gate = residual.judge(status, device, status.computed_nl)
    low, high = (f"{text.decimal(nl / text.NL_PER_ML, 3)} mL" for nl in (gate.low_nl, gate.high_nl))
    filled = f"{text.millilitres(status.fill_nl)} on {text.date_text(status.fill_wall_s)}"
    return f"{residual_text} of {filled}; within the pump's accuracy: {low} to {high}"


def judgement(judged: Residual) -> str:
    """Return what was left against what should be, in words."""
    found = judged.discrepancy
    if found is None:
        return "discrepancy: none can be told, nothing has been given since the fill"
    accuracy = text.decimal(judged.accuracy_ppm * text.PERCENT_PER_PPM, 1)
    sign = "+" if found > 0 else ""
    percent = text.decimal(found * 100, 2).removeprefix("~")
    verdict = "OUTSIDE" if judged.over or judged.under else "within"
    return f"discrepancy: {sign}{percent} %, {verdict} the pump's accuracy of ±{accuracy} %"


def entered(console: Console, what: str, read: Callable[[str], T], nothing: T | None = None) -> T:
    """Ask until the entry can be meant; Enter alone is `nothing`. Raises BadInput."""
    for _ in range(TRIES):
        entry = console.ask(f"{what}, in mL, such as 18.5mL:")
        if not entry and nothing is not None:
            return nothing
        if not entry:
            break
        try:
            return read(entry)
        except QuantityError as error:
            console.say(str(error))
    raise BadInput(f"{what}: nothing usable was entered; nothing was changed")


def measured(entry: str) -> int:
    """Return a volume that was read from a syringe. Raises QuantityError."""
    volume_nl = quantity.volume_nl(entry)
    if 0 < volume_nl < SYRINGE_NL:
        least = text.millilitres(SYRINGE_NL)
        raise QuantityError(
            f"{quantity.shown(entry)}: no syringe shows less than {least}; was mL meant?"
        )
    return volume_nl


def fits(device: DeviceInfo) -> Callable[[str], int]:
    """Return the reader of a volume that this pump can hold."""

    def read(entry: str) -> int:
        volume_nl = measured(entry)
        if volume_nl > device.capacity_nl:
            held = text.millilitres(device.capacity_nl)
            raise QuantityError(f"{quantity.shown(entry)}: {device.model} holds {held}")
        return volume_nl

    return read


def _same(console: Console, therapy: Therapy | None, asked: bool) -> bool:
    """Return whether the same drugs went in; only a person who says no changes that."""
    if therapy is None or asked or not console.asks:
        return True
    drugs = " + ".join(
        f"{drug.name} {text.concentration(drug.concentration_pg_ml)}" for drug in therapy.drugs
    )
    return console.confirm(f"the same drugs, {drugs}?")
