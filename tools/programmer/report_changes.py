"""Whose act a record of the pump's log is, and what the pump held before the first of them.

The pump's log does not say who asked. This tool's journal does, of what this tool asked: for each
transaction who, and the reading it was based on. Between that reading and the commit the pump takes
nothing else, so a transaction's record is the first of its kind, with its own detail, after the
reading. What no entry of the journal claims was done by another tool, by the pump itself, or longer
ago than the journal reaches: nobody is named.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from protocol import codec
from protocol.codec import Message
from protocol.codes import BolusKind, Code, TxnOp, TxnState
from protocol.errors import RemoteError
from protocol.messages import LogRecord, ProgramParameters
from protocol.operations import PARAMETERS
from tools.programmer import before
from tools.programmer.before import Before
from tools.programmer.journal import Entry
from tools.programmer.warnings import path_changes

CHANGES: Final = (
    Code.PROGRAM_COMMITTED, Code.SCHEDULED_CHANGE, Code.REFILLED, Code.CLOCK_SET,
)  # fmt: skip
"""Records after which the pump's settings, its fill or its clock are others than before."""
_ASKED: Final = (
    Code.PROGRAM_COMMITTED, Code.REFILLED, Code.CLOCK_SET, Code.BOLUS_STARTED, Code.RESUMED,
    Code.ALARM_CLEARED,
)  # fmt: skip
"""Records of transactions: each was asked for by somebody."""
NOT_CLAIMED: Final = "not in the journal"
_DONE: Final = tuple(
    state.name
    for state in (TxnState.COMMITTED, TxnState.DELIVERING, TxnState.DONE, TxnState.ENDED_EARLY)
)

_Fits = Callable[[LogRecord, Before, Any], bool]
_RECORD_OF: Final[dict[TxnOp, tuple[Code, _Fits]]] = {
    TxnOp.PROGRAM: (
        Code.PROGRAM_COMMITTED,
        lambda record, held, parameters: record.a == held.status.generation + 1,
    ),
    TxnOp.REFILL: (
        Code.REFILLED, lambda record, held, parameters: record.a == parameters.injected_nl
    ),
    TxnOp.SET_CLOCK: (
        Code.CLOCK_SET, lambda record, held, parameters: record.a == parameters.wall_s
    ),
    TxnOp.BOLUS: (
        Code.BOLUS_STARTED, lambda record, held, parameters: record.b == parameters.kind
    ),
    TxnOp.CLEAR_ALARM: (
        Code.ALARM_CLEARED, lambda record, held, parameters: record.a == parameters.code
    ),
    TxnOp.RESUME: (Code.RESUMED, lambda record, held, parameters: True),
}  # fmt: skip
"""Operation -> the record that its commit leaves, and what that record holds of it."""
_OWN: Final = {BolusKind.PATIENT: "the patient", BolusKind.PERIODIC: "the program"}


class Act(NamedTuple):
    """A transaction of this tool's journal, with what the pump held before it."""

    entry: Entry
    held: Before
    parameters: Message
    """What was asked for."""


class Acts:
    """The acts of this tool among some records of the log."""

    def __init__(self, records: Sequence[LogRecord], entries: Iterable[Entry]) -> None:
        """`entries` are the journal's of this pump, oldest first."""
        self._records = records
        self._acts: dict[int, Act] = {}
        for entry in entries:
            act = _act(entry) if entry.state in _DONE else None
            if act is not None and act.held.status.log_next >= records[0].seq:
                self._claim(act)

    def of(self, record: LogRecord) -> Act | None:
        """Return the act that left a record; None: not known to be this tool's."""
        return self._acts.get(record.seq)

    def whose(self, record: LogRecord) -> str:
        """Return who did it; "" where nobody is known to have asked for it."""
        if (act := self.of(record)) is not None:
            return act.entry.by or "this tool"
        if record.code is Code.BOLUS_STARTED and record.b in _OWN:
            return _OWN[BolusKind(record.b)]
        if record.code is Code.SCHEDULED_CHANGE:
            return "the schedule"
        return NOT_CLAIMED if record.code in _ASKED else ""

    def warned(self, record: LogRecord) -> Sequence[str]:
        """Return the warnings that the person read who did it."""
        act = self.of(record)
        return () if act is None else act.entry.warned

    def unbridged(self) -> bool:
        """Return whether the old solution is given at a new rate, and no bridge has begun since."""
        open_ = False
        for record in self._records:
            if record.code is Code.BOLUS_STARTED and record.b == BolusKind.BRIDGE:
                open_ = False
            if record.code is Code.BOLUS_ENDED_EARLY and record.b == Code.PROGRAM_COMMITTED:
                open_ = True  # a bridge that was stopped, the one bolus that a program ends
            act = self.of(record)
            if act is not None and isinstance(act.parameters, ProgramParameters):
                at_once = not act.parameters.at_wall_s
                open_ = open_ or (
                    at_once and path_changes(act.held.therapy, act.parameters.therapy)
                )
        return open_

    def names(self) -> list[str]:
        """Return the people whose acts these are, in the order in which they first acted."""
        return list(dict.fromkeys(act.entry.by for act in self._acts.values() if act.entry.by))

    def changes(self) -> list[LogRecord]:
        """Return the records after which settings, fill or clock are others."""
        return [record for record in self._records if record.code in CHANGES]

    def read_after(self, seq: int) -> Before | None:
        """Return the earliest reading after a record that an act was based on, if any."""
        read = [act.held for act in self._acts.values() if act.held.status.log_next > seq]
        return min(read, key=lambda held: held.status.log_next, default=None)

    def first_read(self) -> Before | None:
        """Return the earliest reading that an act was based on, if any."""
        return self.read_after(-1)

    def at_first(self) -> Before | None:
        """Return what the pump held before the first change; None: this tool has not read it."""
        changes, read = self.changes(), self.first_read()
        if not changes or read is None or read.status.log_next > changes[0].seq:
            return None
        return read

    def _claim(self, act: Act) -> None:
        code, fits = _RECORD_OF[TxnOp[act.entry.op]]
        for record in self._records:
            free = record.seq >= act.held.status.log_next and record.seq not in self._acts
            if free and record.code is code and fits(record, act.held, act.parameters):
                self._acts[record.seq] = act
                return


def _act(entry: Entry) -> Act | None:
    """Return what an entry says; None where an older version wrote less, or in another way."""
    held = before.of(entry)
    if held is None:
        return None
    try:
        image = bytes.fromhex(entry.parameters)
        return Act(entry, held, codec.decode(PARAMETERS[TxnOp[entry.op]], image))
    except RemoteError:
        return None
