"""When each stroke is due: exact integers, with the part-stroke remainder carried.

From an anchor on, the volume owed is `carry + flow × (t - anchor)`; stroke k is due at the first
microsecond at which k whole strokes are owed. A change of flow settles what is owed so far and
starts a new anchor with the remainder, so years of basal, boluses on top of it and every change of
rate are exact to one stroke. Quantities are kept over the flow's own denominator times 10^6: a
change of flow carries its remainder to within 10^-6 pL.
"""

from dataclasses import dataclass
from typing import Final

from firmware.flow import ZERO, Flow

_FINE: Final = 10**6
_ALIGNED_US: Final = 1000
"""A batch starts at the end of the last one, which is late by less than 1 µs per stroke."""
_LATE_STROKES: Final = 3
"""A controller that comes late owes no more than this: what was missed is not caught up."""
_CATCH_UP_SHIFT: Final = 4
"""Late strokes may follow each other 1/16 faster than the fastest interval. A board at the end of a
line begins each batch a round trip late; at the highest rate it could never make up for that."""


@dataclass(slots=True)
class Batch:
    """Strokes for the motor: `strokes`, one each `interval_us`."""

    strokes: int
    interval_us: int


class Pacer:
    """Stroke times of one flow at a time."""

    __slots__ = (
        "_anchor_us",
        "_carry",
        "_den",
        "_num",
        "_period_us",
        "_stroke",
        "_stroke_pl",
        "flow",
        "issued",
    )

    def __init__(self, stroke_pl: int) -> None:
        """`stroke_pl` is the effective volume of a stroke."""
        self._stroke_pl = stroke_pl
        self.flow = ZERO
        self.issued = 0
        """Strokes given to the motor since the anchor."""
        self._anchor_us = 0
        self._carry = 0
        self._num, self._den = 0, _FINE
        self._stroke = stroke_pl * _FINE
        self._period_us = 0

    def change(self, flow: Flow, now_us: int) -> None:
        """Go on with another flow (ZERO to pause); what is owed of a part-stroke is carried."""
        owed = self._carry + self._num * (now_us - self._anchor_us) - self.issued * self._stroke
        self.flow = flow
        old_den = self._den
        self._num, self._den = flow.numerator * _FINE, flow.denominator * _FINE
        self._stroke = self._stroke_pl * self._den
        self._carry = owed * self._den // old_den
        self._anchor_us = now_us
        self.issued = 0
        if self._num:
            self._period_us = self._stroke // self._num

    def due_us(self, ahead: int) -> int:
        """Return when the `ahead`-th stroke from now on (1 = the next) is due. Needs a flow."""
        owed = (self.issued + ahead) * self._stroke - self._carry
        return self._anchor_us - (-owed // self._num)

    def until_pl(self, ahead: int, now_us: int) -> tuple[int, int]:
        """Return what has yet to be owed, from now on, until the `ahead`-th stroke is due.

        An exact ratio, numerator and denominator in pL; also without a flow.
        """
        owed = self._carry + self._num * (now_us - self._anchor_us)
        return (self.issued + ahead) * self._stroke - owed, self._den

    def plan(
        self, now_us: int, most: int, edge_us: int, lookahead_us: int, fastest_us: int
    ) -> Batch | None:
        """Return the next batch, to begin now; None when no stroke is due up to the edge.

        Args:
            now_us: the instant the batch will begin.
            most: at most so many strokes, >= 1.
            edge_us: no stroke that is due later than this.
            lookahead_us: longest batch of more than one stroke.
            fastest_us: shortest interval; of strokes that are late, a little less.
        """
        first_us = self.due_us(1)
        if first_us < now_us:
            self._forgive(now_us)
            first_us = self.due_us(1)
        if first_us > edge_us:
            return None
        late_us = now_us - self.due_us(0) if self.issued else 0
        if late_us > _ALIGNED_US:
            fastest_us -= fastest_us >> _CATCH_UP_SHIFT
        # Comparisons, not min and max: this runs for every batch, and they cost a sixth.
        offset_us = first_us - now_us
        if offset_us < fastest_us:
            offset_us = fastest_us
        period_us = self._period_us
        strokes = lookahead_us // period_us if period_us else 1
        if strokes > most:
            strokes = most
        if strokes < 2 or offset_us > period_us + _ALIGNED_US:
            return Batch(1, offset_us)
        if late_us <= _ALIGNED_US and offset_us < period_us - _ALIGNED_US:
            return Batch(1, offset_us)
        last_us = self.due_us(strokes)
        while strokes > 1 and (last_us > edge_us or last_us - now_us + strokes > lookahead_us):
            over_us = max(last_us - edge_us, last_us - now_us + strokes - lookahead_us)
            strokes = max(1, strokes - max(1, over_us // (period_us + 1)))
            last_us = self.due_us(strokes)
        interval_us = -((now_us - last_us) // strokes)
        return Batch(strokes, interval_us if interval_us > fastest_us else fastest_us)

    def _forgive(self, now_us: int) -> None:
        """Drop strokes overdue by more than a few."""
        owed = self._carry + self._num * (now_us - self._anchor_us)
        late = owed // self._stroke - self.issued - _LATE_STROKES
        if late > 0:
            self.issued += late
