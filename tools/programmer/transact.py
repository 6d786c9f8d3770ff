"""The way of every transaction: prepare, review, confirm, commit, read back, compare, say.

Nothing can be confirmed unread: the pump's own values are shown first, then what was typed ahead is
thrown away, and where there are warnings only a whole "yes" is one.
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from protocol import codec
from protocol.codec import Message
from protocol.codes import StopReason, TxnOp, TxnState
from protocol.errors import ErrorCode
from protocol.messages import (
    BolusParameters,
    Preview,
    ProgramParameters,
    Status,
    Therapy,
    TxnResult,
)
from tools import pump_measures
from tools.programmer import before, doses, limits, read_back, readings, warnings
from tools.programmer import format as text
from tools.programmer.before import Before
from tools.programmer.client import Client
from tools.programmer.console import Console
from tools.programmer.errors import NoLink, PreviewChanged, ProgrammerError, Refused, Uncertain
from tools.programmer.warnings import Caution, Warn

Values = dict[str, Any]
Job = Callable[[Client, Console], tuple[int, Values]]
Action = Callable[[argparse.Namespace], Job]

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
REVIEWS_MAX: Final = 5
"""Times a preview may change under the person's eyes before the command gives up."""
YES: Final = "yes"
WARNINGS: Final = "warnings"
"""Key of the codes of all warnings of a command, in the order in which they were shown."""
_NOT_DONE: Final = (TxnState.UNKNOWN, TxnState.PREPARED)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the pump, and how a person is asked for it."""

    op: TxnOp
    parameters: Message
    show: Callable[[Preview], str]
    """The preview in words."""
    question: str
    cautions: Sequence[Caution] = ()
    override: bool = False
    """The person asked to go beyond soft limits."""
    beyond: Sequence[str] = ()
    """The soft limits that it goes beyond, in words; the pump may name one more."""


class _Declined(Exception):
    """The person said no; the pump has forgotten the draft."""


def settle(client: Client, console: Console) -> list[Values]:
    """Show and close the transactions that an earlier run left open on this pump."""
    shown = []
    for entry, result in client.settle():
        outcome = "not done" if result.state in _NOT_DONE else outcome_text(result)
        said = f"an earlier run was cut off: {entry.op} {entry.txn:016x}: {outcome}"
        console.say(str(Caution(Warn.OPEN_TRANSACTION, said)))
        shown.append({"txn": f"{entry.txn:016x}", "op": entry.op, "outcome": outcome})
    return shown


def carry_out(
    client: Client, console: Console, request: Request, status: Status
) -> tuple[int, Values]:
    """Do it, once, if the person agrees. `status` is the view that the request is based on."""
    held = before.read(client, status)
    preview, request = _prepared(client, request, status)
    said: dict[str, list[str]] = {
        WARNINGS: [caution.code.name for caution in request.cautions],
        "overridden": list(request.beyond),
    }
    try:
        preview, result = _confirmed(client, console, preview, request, held)
    except _Declined:
        console.say("nothing more was changed" if done_text(client) else "nothing was changed")
        _left_stopped(client, console)
        return EXIT_FAILED, {"result": "DECLINED", "txn": f"{preview.txn:016x}", **said}
    try:
        after, therapy = client.status(), therapy_of(client)
        same = request.op is not TxnOp.PROGRAM or read_back.equal(
            client, codec.decode(ProgramParameters, preview.parameters)
        )
    except (NoLink, Refused):
        raise Uncertain(
            f"the pump has committed it ({outcome_text(result)}), but could not be read back: "
            "run status when it is in reach"
        ) from None
    if not same:
        raise ProgrammerError(
            "the prescription read back is not the one that was sent: run status, program again"
        )
    if request.op is TxnOp.PROGRAM:
        console.say("programmed, read back and compared: equal")
    console.say(f"{op_text(request.op)}: {outcome_text(result)}")
    console.say(f"now: {readings.headline(after, therapy)}")
    for caution in (found := warnings.of_sensor(after)):
        console.say(str(caution))
    said[WARNINGS] += [caution.code.name for caution in found]
    return EXIT_OK, {
        "result": result.state.name,
        "txn": f"{preview.txn:016x}",
        "preview": _preview_values(preview),
        **said,
        **reading(client, after, therapy),
    }


def _prepared(client: Client, request: Request, status: Status) -> tuple[Preview, Request]:
    """Prepare. The override is sent only for limits that are shown with the question."""
    if not request.beyond:
        try:
            return client.prepare(request.op, request.parameters, status.generation), request
        except Refused as refused:
            if refused.code is not ErrorCode.LIMIT_SOFT or not request.override:
                raise
            request = replace(request, beyond=[limits.beyond(refused.refusal)])
    assert isinstance(request.parameters, ProgramParameters | BolusParameters)  # no other has any
    meant = replace(request.parameters, override=1)
    return client.prepare(request.op, meant, status.generation), request


def _confirmed(
    client: Client, console: Console, preview: Preview, request: Request, held: Before
) -> tuple[Preview, TxnResult]:
    """Show and ask until the pump commits what was confirmed. Raises _Declined."""
    device = client.device()
    said = [*map(str, request.cautions), *request.beyond]
    for _ in range(REVIEWS_MAX):
        try:
            pump = f"{device.serial} ({device.model})"  # the wrong patient's is a slip, too
            console.review("\n".join([pump, request.show(preview), *said]))
            word = limits.WORD if request.beyond else YES if request.cautions else None
            agreed = console.confirm(request.question, word)
        except KeyboardInterrupt:
            client.abort(preview.txn)
            raise
        if not agreed:
            client.abort(preview.txn)
            raise _Declined
        try:
            if console.asks:
                preview = client.renew(preview)
            return preview, client.commit(preview, before.kept(held), said)
        except PreviewChanged as changed:
            preview = changed.preview
            console.say("the pump's values have changed meanwhile; review them again")
        except Refused:
            # The draft is still the pump's: it would wait for its commit, or stand for it.
            with suppress(NoLink, Refused):
                client.abort(preview.txn)
                _left_stopped(client, console)
            raise
    client.abort(preview.txn)
    raise ProgrammerError("the pump's values keep changing; nothing was done")


def _left_stopped(client: Client, console: Console) -> None:
    if client.status().stop_reason is StopReason.SESSION_INCOMPLETE:
        console.say("but the pump was left stopped, as by an update cut off: resume starts it")


def therapy_of(client: Client) -> Therapy | None:
    """Return the committed therapy; None while nothing is prescribed."""
    therapy = client.prescription().therapy
    return therapy if therapy.drugs else None


def dose_text(volume_pl: int, therapy: Therapy | None) -> str:
    """Return a volume and what it holds of the primary drug."""
    volume = text.volume(Fraction(volume_pl, 1000))
    if therapy is None:
        return volume
    drug = therapy.drugs[0]
    mass = text.mass(doses.mass_pg(volume_pl, drug.concentration_pg_ml))
    return f"{drug.name} {mass} = {volume}"


def outcome_text(result: TxnResult) -> str:
    """Return how far a transaction is, in words."""
    words = result.state.name.lower().replace("_", " ")
    if result.total_nl:
        given, total = text.volume(result.given_nl), text.volume(result.total_nl)
        words += f", {given} of {total} given"
    return words


def done_text(client: Client) -> str:
    """Return what the pump has done for this client, in words; "" for nothing."""
    done = [f"{op_text(op)}: {outcome_text(result)}" for op, result in client.committed]
    return ", ".join([*done, "the pump has stopped"] if client.stopped else done)


def op_text(op: TxnOp) -> str:
    """Return a transaction's operation in words."""
    return op.name.lower().replace("_", " ")


def reading(client: Client, status: Status, therapy: Therapy | None) -> Values:
    """Return what the pump says of itself, for `--json`."""
    device = client.device()
    return {
        **pump_measures.said(status, device, therapy),
        "generation": status.generation,
        "wall": text.date(status.wall_s),
        "device": readings.device_values(device),
    }


def _preview_values(preview: Preview) -> Values:
    return {
        "strokes": preview.strokes,
        "volume_nl": preview.volume_nl,
        "duration_us": preview.duration_us,
        "computed_nl": preview.computed_nl,
    }
