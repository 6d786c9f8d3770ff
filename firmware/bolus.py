"""A bolus: whole strokes, given over a time, on top of the basal or in its place."""

from dataclasses import dataclass
from typing import Final

from firmware.flow import Flow, flow
from protocol.codes import BolusBasal, BolusKind, Code

REPEAT_GUARD_US: Final = 600_000_000
"""A second like bolus within 10 min must be said to be meant (protocol rule against re-entry)."""
SUSPENDED_US: Final = 1_800_000_000
"""A single bolus of 30 min or more gives way to a patient bolus."""
_ON_TOP: Final = (BolusKind.SINGLE, BolusKind.PATIENT, BolusKind.LOADING)
"""Kinds that follow the prescription's `bolus_basal`; the others take the basal's place."""


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
    """Strokes accounted for when it began; less those given while it was suspended."""
    pauses_basal: bool = False
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
    def gives_way(self) -> bool:
        """True if a patient bolus may suspend it."""
        long = self.end_us - self.start_us >= SUSPENDED_US
        return long and self.kind is BolusKind.SINGLE and self.cut_short is None

    def shift(self, by_us: int, strokes: int) -> None:
        """Go on after a suspension of `by_us` in which `strokes` were accounted for."""
        self.start_us += by_us
        self.end_us += by_us
        self.accounted += strokes

    @property
    def given_pl(self) -> int:
        """Confirmed volume."""
        return self.given_strokes * self.stroke_pl

    @property
    def left_pl(self) -> int:
        """Volume still to be given."""
        return self.total_pl - self.given_pl

    @property
    def total_pl(self) -> int:
        """Whole volume."""
        return self.total_strokes * self.stroke_pl


def bolus_flow(strokes: int, stroke_pl: int, duration_us: int) -> Flow:
    """Return the flow that gives so many strokes over a time > 0."""
    return flow(strokes * stroke_pl, duration_us)


def pauses_basal(kind: BolusKind, prescribed: BolusBasal) -> bool:
    """Return True when a bolus of this kind takes the basal's place."""
    return kind not in _ON_TOP or prescribed is BolusBasal.PAUSE
