"""The books: nothing is lost or made, checked after every event of a run.

Two conservation laws, both in whole numbers:

    fluid   filled = delivered + in path + left + lost        pL, and pg of each drug
    doses   programmed = delivered + undelivered + refused    nL of all boluses that were begun

The first is the plant's own ledger; on top of it, what has left the tip never becomes less. The
second is a fold over the controller's log records: every bolus that is begun ends once, with no
more than its volume; one runs at a time, but for a single bolus that gives way to the patient's;
what is refused delivers nothing.
"""

from dataclasses import dataclass, field
from typing import Final

from emulator.devices.plant import Plant, unbalanced
from emulator.world import World
from protocol.codes import BolusKind, Code
from protocol.messages import LogRecord

KEPT: Final = 100
"""Violations kept in words; all are counted."""


@dataclass(slots=True)
class _Dose:
    kind: int
    total_nl: int


@dataclass(slots=True)
class DoseBook:
    """All boluses of a pump's life, nL."""

    programmed_nl: int = 0
    """Of all boluses that were begun."""
    delivered_nl: int = 0
    """What the pump says it gave of those that are over."""
    undelivered_nl: int = 0
    """What it says it did not give of them."""
    refused: int = 0
    """Boluses that were refused."""
    _open: list[_Dose] = field(default_factory=list)
    _booting: bool = False
    """A boot closes what was open, of which a loss of power may have left no beginning."""

    @property
    def open_nl(self) -> int:
        """Volume of the boluses that are under way."""
        return sum(dose.total_nl for dose in self._open)

    def take(self, record: LogRecord) -> list[str]:
        """Take a record; return what it violates."""
        code = record.code
        if code is Code.BOLUS_STARTED:
            found = self._started(record)
        elif code in (Code.BOLUS_DONE, Code.BOLUS_ENDED_EARLY):
            found = self._ended(record)
        else:
            self._booting = code is Code.RESET
            self.refused += code is Code.BOLUS_REFUSED
            return []
        accounted_nl = self.delivered_nl + self.undelivered_nl + self.open_nl
        if accounted_nl != self.programmed_nl:
            found.append(f"{self.programmed_nl} nL programmed, {accounted_nl} nL accounted for")
        return found

    def _started(self, record: LogRecord) -> list[str]:
        found = []
        if self._open and (
            record.b != BolusKind.PATIENT
            or [dose.kind for dose in self._open] != [BolusKind.SINGLE]
        ):
            found.append(f"a bolus of kind {record.b} was begun beside {self._open}")
        self._open.append(_Dose(record.b, record.a))
        self.programmed_nl += record.a
        return found

    def _ended(self, record: LogRecord) -> list[str]:
        done = record.code is Code.BOLUS_DONE
        for dose in reversed(self._open):
            if record.a <= dose.total_nl:
                break
        else:
            self.programmed_nl += record.a
            self.delivered_nl += record.a
            if self._booting or not record.a:
                return []  # its beginning was lost with the power, or it could not begin any more
            return [f"{record.a} nL given of a bolus not begun"]
        self._open.remove(dose)
        self.delivered_nl += record.a
        self.undelivered_nl += dose.total_nl - record.a
        if done and dose.total_nl != record.a:
            return [f"{record.a} nL are said to be all of {dose.total_nl} nL"]
        return []


class Books:
    """Keeps the books of one pump. Reading them changes nothing in it."""

    def __init__(self, world: World, plant: Plant) -> None:
        self._world = world
        self._plant = plant
        self._tip: dict[str, int] = {}
        self._state = (-1, 0)
        self.doses = DoseBook()
        self.violations: list[str] = []
        """The first of what did not hold, in words."""
        self.count = 0
        """How often something did not hold."""

    def watch(self) -> None:
        """Check the fluid after every event from now on."""
        self._world.watch = self.check_moved

    def check_moved(self) -> bool:
        """Check the fluid if it has moved, or somebody filled; return whether it was so."""
        state = self._plant.state
        if state == self._state:
            return False
        self._state = state
        self.check()
        return True

    def check(self) -> None:
        """Check the fluid now."""
        ledger = self._plant.ledger()
        for found in unbalanced(ledger):
            self._violated(found)
        for name, account in ledger.items():
            if account.delivered < self._tip.get(name, 0):
                self._violated(f"{name}: {account.delivered} delivered, it was more")
            self._tip[name] = account.delivered

    def violated(self) -> int:
        """Return how often something did not hold, up to now."""
        return self.count or len(unbalanced(self._plant.ledger()))

    def take(self, record: LogRecord) -> None:
        """Take a record of the controller's log."""
        for found in self.doses.take(record):
            self._violated(found)

    def _violated(self, what: str) -> None:
        self.count += 1
        if len(self.violations) < KEPT:
            self.violations.append(f"{self._world.now_us} us: {what}")
