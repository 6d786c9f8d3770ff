"""The residual at a refill: what the pump expects against what was taken out.

A pump that does not sense its reservoir cannot know that it gives too much or too little; the
volume aspirated at a refill is the only way to see it.

    discrepancy = (fill - actual residual) / (fill - expected residual) - 1

More than the pump's accuracy on either side is flagged. Volumes count above the unextractable
residual.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from protocol.messages import DeviceInfo, Status

_PPM: Final = 10**6


@dataclass(frozen=True, slots=True)
class Residual:
    """What was filled, what should be left and what is left, nL."""

    fill_nl: int
    """At the last fill, as the pump was told."""
    expected_nl: int
    actual_nl: int
    accuracy_ppm: int

    @property
    def discrepancy(self) -> Fraction | None:
        """How much more the pump has given than it believes, as a part of that; None: unknown."""
        if self.expected_nl >= self.fill_nl:
            return None
        return Fraction(self.fill_nl - self.actual_nl, self.fill_nl - self.expected_nl) - 1

    @property
    def over(self) -> bool:
        """True when it has given more than its accuracy allows."""
        return self.discrepancy is not None and self.discrepancy * _PPM > self.accuracy_ppm

    @property
    def under(self) -> bool:
        """True when it has given less."""
        return self.discrepancy is not None and self.discrepancy * _PPM < -self.accuracy_ppm

    @property
    def implausible(self) -> bool:
        """True when no accuracy explains it.

        More is left than was filled, or, of a fill of which nothing has been given yet, less than
        that by more than the accuracy of the whole.
        """
        missing_nl = self.fill_nl - self.actual_nl
        gone = self.discrepancy is None and missing_nl * _PPM > self.fill_nl * self.accuracy_ppm
        return missing_nl < 0 or gone

    @property
    def low_nl(self) -> Fraction:
        """Least residual within the pump's accuracy."""
        return max(Fraction(0), self._at(self.accuracy_ppm))

    @property
    def high_nl(self) -> Fraction:
        """Largest residual within it."""
        return self._at(-self.accuracy_ppm)

    def _at(self, ppm: int) -> Fraction:
        given_nl = self.fill_nl - self.expected_nl
        return self.fill_nl - Fraction(given_nl * (_PPM + ppm), _PPM)


def judge(status: Status, device: DeviceInfo, actual_nl: int) -> Residual:
    """Return the judgement of an actual residual."""
    return Residual(status.fill_nl, status.computed_nl, actual_nl, device.accuracy_ppm)
