"""Everything that measures read, at one instant.

A `View` is made anew for each instant and reads each thing at most once. Reading is not an event:
it takes no time, is not logged, and the run goes on as if nobody had looked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Final, NamedTuple, TextIO

from emulator.board import EmulatedBoard
from emulator.ledger import Books
from emulator.trace import Trace
from protocol.messages import DeviceInfo, Status, Therapy
from tools.emulated import EmulatedPump
from tools.scenario.invariants import Invariants

EVENTS_KEPT: Final = 100_000
"""Events kept for the result: a busy year of them, about 30 MB."""
_LOG_MAX: Final = 1 << 20
"""More records than any pump's log holds."""
PUMP: Final = "pump"
"""Source of the trace lines that are log records."""


class Recorder(Trace):
    """The trace of a run, which also remembers when the pump first and last logged each code."""

    def __init__(self, sink: TextIO | None = None) -> None:
        super().__init__(sink, EVENTS_KEPT)
        self.first_us: dict[str, int] = {}
        self.last_us: dict[str, int] = {}

    def record(self, t_us: int, source: str, code: str, detail: Mapping[str, int | str]) -> None:
        """Add one line."""
        super().record(t_us, source, code, detail)
        if source == PUMP:
            self.first_us.setdefault(code, t_us)
            self.last_us[code] = t_us


class Refusal(NamedTuple):
    """An act that was refused or not answered."""

    code: str
    at_us: int
    """Since t = 0."""
    act: str
    """As the file names it, such as "bolus"."""


@dataclass(slots=True)
class Visits:
    """What the programmer met so far."""

    refusals: list[Refusal] = field(default_factory=list)
    """Oldest first."""
    warnings: list[str] = field(default_factory=list)
    """Code of each warning, oldest first."""
    discrepancy_percent: Fraction | None = None
    """At the last refill."""
    prime_ul: Fraction | None = None
    bridge_ul: Fraction | None = None
    bridge_s: Fraction | None = None
    """What the pump said of the last prime and bridge before they were confirmed."""


class View:
    """A pump and its programmer at one instant."""

    def __init__(
        self, pump: EmulatedPump, recorder: Recorder, visits: Visits, invariants: Invariants
    ) -> None:
        self._pump = pump
        self.invariants = invariants
        self.refusals = tuple(refusal.code for refusal in visits.refusals)
        self.warnings = tuple(visits.warnings)
        self.visits = replace(visits)
        self.first_us = recorder.first_us
        self.last_us = recorder.last_us

    @property
    def board(self) -> EmulatedBoard:
        """The physical truth."""
        return self._pump.board

    @property
    def books(self) -> Books:
        """Its ledgers, kept since t = 0."""
        return self._pump.books

    @cached_property
    def status(self) -> Status:
        """What a status reply would say."""
        return self._pump.firmware.status()

    @cached_property
    def device(self) -> DeviceInfo:
        """What the pump is."""
        return self._pump.firmware.device()

    @cached_property
    def therapy(self) -> Therapy | None:
        """The therapy the pump has, if any."""
        prescription = self._pump.firmware.prescription()
        return prescription.therapy if prescription.therapy.drugs else None

    @cached_property
    def log(self) -> tuple[str, ...]:
        """Codes of the pump's log, oldest first."""
        records = self._pump.firmware.log_records(0, _LOG_MAX)
        return tuple(record.code.name for record in records)
