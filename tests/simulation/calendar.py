"""The wall clock and what was wished for by it: flex steps, a scheduled change.

Where the wall clock stands is read from the board, not from the pump.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from firmware.device import DeviceConfig
from protocol.codes import ProgramKind
from protocol.messages import Therapy

from .wishes import ZERO, basal
from .world import Bench

_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _SECOND_US
_WEEK_MIN: Final = 7 * 1440
_MONDAY_MIN: Final = 5 * 1440
"""The clock's minute 0 is so far into a week: 2000-01-01 was a Saturday."""
LOOKING_US: Final = 20_000_000
"""So long after a boot or a program the pump may not know yet where its clock's second begins;"""
LOOKING_LATE_US: Final = 1_000_000
"""it is late by no more than this meanwhile."""


class Calendar:
    """What is prescribed now, and what at an instant to come."""

    def __init__(self, bench: Bench, config: DeviceConfig) -> None:
        self._bench = bench
        self._config = config
        self.therapy: Therapy | None = None
        self.pending: tuple[Therapy, int] | None = None
        """A scheduled change, and its wall-clock second."""
        self.offset_us = 0
        self.refresh()

    def refresh(self) -> None:
        """The clock may have been set."""
        self.offset_us = self._bench.board.rtc.save()

    def flow(self, at_us: int) -> Fraction:
        """The program's flow at a world time, pL/us."""
        return self._flow(self.therapy, at_us)

    def edges(self, from_us: int, to_us: int) -> Iterator[int]:
        """Instants (world time) at which a step begins, or the scheduled change takes over."""
        change_us = self.change_us()
        if change_us is not None and from_us <= change_us <= to_us:
            yield change_us
        therapies = [self.therapy, self.pending[0] if self.pending else None]
        minutes = {
            day * 1440 + step.from_min
            for therapy in therapies
            for step in (therapy.steps if therapy is not None else ())
            for day in range(7)
            if step.days >> day & 1
        }
        if not minutes:
            return
        first = (from_us + self.offset_us) // _MINUTE_US
        for minute in range(first, (to_us + self.offset_us) // _MINUTE_US + 1):
            at_us = minute * _MINUTE_US - self.offset_us
            if (minute + _MONDAY_MIN) % _WEEK_MIN in minutes and from_us <= at_us <= to_us:
                yield at_us

    def change_us(self) -> int | None:
        """When the scheduled change takes over, world time."""
        return self.pending[1] * _SECOND_US - self.offset_us if self.pending else None

    def highest(self, from_us: int, for_us: int) -> Fraction:
        """The highest flow of a time to come."""
        to_us = from_us + for_us
        found = max(self.flow(at_us) for at_us in (from_us, *self.edges(from_us, to_us - 1)))
        change_us = self.change_us()
        if change_us is not None and change_us < to_us:
            assert self.pending is not None
            after = Calendar(self._bench, self._config)
            after.therapy, after.offset_us = self.pending[0], self.offset_us
            found = max(found, after.highest(change_us, to_us - change_us))
        return found

    def _flow(self, therapy: Therapy | None, at_us: int) -> Fraction:
        if therapy is None:
            return ZERO
        if therapy.program is not ProgramKind.FLEX:
            return basal(therapy, self._config)
        here = ((at_us + self.offset_us) // _MINUTE_US + _MONDAY_MIN) % _WEEK_MIN
        begun = [
            ((here - day * 1440 - step.from_min) % _WEEK_MIN, step.amount)
            for step in therapy.steps
            for day in range(7)
            if step.days >> day & 1
        ]
        return basal(therapy, self._config, min(begun)[1])
