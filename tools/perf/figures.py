"""What a row of the performance table is, and how its figures are taken and judged.

A machine is shared and noisy, so no figure stands alone: a measurement and its reference are taken
in turns, the median of the repeats is what counts, and the ratio is the median of the ratios of
the turns. Noise that lasts longer than one turn falls on both.
"""

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final


class Unavailable(Exception):
    """This machine cannot measure the row; the text is for people."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure."""

    repeats: int
    events: int
    """Events of the bare kernel."""
    days: int
    """Simulated days of the whole pump."""
    requests: int
    """Requests over the PTY in one repeat."""
    pumps: int
    """Idle pumps whose memory is weighed."""
    life_days: int
    """Simulated days over which memory may not grow."""


FULL: Final = Effort(5, 200_000, 365, 1_000, 32, 2_555)
QUICK: Final = Effort(3, 20_000, 30, 100, 8, 300)


@dataclass(frozen=True, slots=True)
class Samples:
    """One figure, taken several times."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """What counts."""
        return median(self.values)

    @property
    def spread(self) -> float:
        """Half the range, as a part of the median; 0 where the median is 0."""
        middle = self.median
        return (max(self.values) - min(self.values)) / 2 / abs(middle) if middle else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What one row found."""

    value: Samples
    reference: Samples | None = None
    """In the same unit, turn by turn with `value`."""
    reference_name: str = ""

    @property
    def ratio(self) -> float | None:
        """Value over reference, the median of all turns; None without a reference."""
        if self.reference is None:
            return None
        pairs = zip(self.value.values, self.reference.values, strict=True)
        return median(value / reference for value, reference in pairs)


class Verdict(enum.StrEnum):
    """How a row stands."""

    AIM = "ok, aim met"
    OK = "ok"
    BELOW_MUST = "below must"
    NOT_BUILT = "not built"
    NOT_MEASURED = "no figure"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what is measured, and the budget it is held to."""

    name: str
    unit: str = ""
    measure: Callable[[Effort], Measured] | None = None
    """None: what the row is about is not built."""
    must: float | None = None
    aim: float | None = None
    by_ratio: bool = False
    """The budget is a ratio to the reference, not a value in `unit`."""
    more_is_better: bool = False

    def verdict(self, measured: Measured) -> Verdict:
        """Judge a measurement by the budget; without `must` it is never below it."""
        figure = measured.ratio if self.by_ratio else measured.value.median
        assert figure is not None, f"{self.name} is judged by ratio and has no reference"
        if self.must is not None and not self._keeps(figure, self.must):
            return Verdict.BELOW_MUST
        if self.aim is not None and self._keeps(figure, self.aim):
            return Verdict.AIM
        return Verdict.OK

    def _keeps(self, figure: float, limit: float) -> bool:
        return figure >= limit if self.more_is_better else figure <= limit


def in_turns(
    repeats: int, value: Callable[[], float], reference: Callable[[], float]
) -> tuple[Samples, Samples]:
    """Take both figures `repeats` times, one after the other."""
    turns = [(value(), reference()) for _ in range(repeats)]
    return Samples(tuple(v for v, _ in turns)), Samples(tuple(r for _, r in turns))


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes, wall time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
