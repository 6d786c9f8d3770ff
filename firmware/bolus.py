"""A bolus: whole strokes, given over a time, on top of the basal or in its place."""

from dataclasses import dataclass
from typing import Final

from firmware.flow import Flow, flow
from protocol.codes import BolusKind, Code

REPEAT_GUARD_US: Final = 600_000_000
"""A second like bolus within 10 min must be said to be meant (protocol rule against re-entry)."""


@dataclass(slots=True)
class Bolus:
    """The bolus that runs, or ran last."""

    kind: BolusKind
    txn: int
    total_strokes: int
    stroke_pl: int
    flow: Flow
    start_us: int
    end_us: int
    """When its whole volume is owed."""
    accounted: int
    """Strokes accounted for when it began."""
    given_strokes: int = 0
    missed_strokes: int = 0
    """Commanded while it ran, but not seen to move the rotor."""
    running: bool = True
    cut_short: Code | None = None
    """Why it ends early; it is settled when the stroke under way has ended."""

    def settle(self, accounted: int, now_us: int) -> None:
        """Count what it has been given: confirmed strokes, but no more than it has owed."""
        if self.running:
            elapsed_us = min(now_us, self.end_us) - self.start_us
            per_stroke = self.flow.denominator * self.stroke_pl
            owed = self.flow.numerator * elapsed_us // per_stroke
            self.given_strokes = min(self.total_strokes, owed, accounted - self.accounted)

    @property
    def given_pl(self) -> int:
        """Confirmed volume."""
        return self.given_strokes * self.stroke_pl

    @property
    def total_pl(self) -> int:
        """Whole volume."""
        return self.total_strokes * self.stroke_pl


def bolus_flow(strokes: int, stroke_pl: int, duration_us: int) -> Flow:
    """Return the flow that gives so many strokes over a time > 0."""
    return flow(strokes * stroke_pl, duration_us)
