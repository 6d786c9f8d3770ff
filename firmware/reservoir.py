"""The computed reservoir: what the pump was told, less every stroke it accounts for.

Most pumps know their volume only by counting; what a level sensor says stands in `level`. Volumes
count above the unextractable residual, so 0 means nothing to deliver.
"""

from typing import Final

from firmware.device import DeviceConfig
from firmware.prescription import Stored

_UNLIMITED: Final = 1 << 40
_DAY_S: Final = 86_400
_WALL_MAX_S: Final = 0xFFFFFFFF
"""The wall clock's last second: a date beyond it is said as this one."""


class Reservoir:
    """Computed volume, thresholds and dates."""

    def __init__(self, config: DeviceConfig) -> None:
        self._stroke_pl = config.stroke_pl
        self.fill_pl = config.capacity_nl * 1000
        """Told volume; a pump fresh from the factory takes itself to be full."""
        self.fill_accounted = 0
        self.fill_wall_s = 0
        self.low_pl = config.low_reservoir_nl * 1000
        self.stability_days = 0

    def load(self, stored: Stored) -> None:
        """Take over what the prescription says of the reservoir."""
        self.fill_pl = stored.fill_nl * 1000
        self.fill_accounted = stored.fill_accounted
        self.fill_wall_s = stored.fill_wall_s
        if stored.prescribed:
            self.low_pl = stored.therapy.low_reservoir_nl * 1000
            self.stability_days = stored.therapy.stability_days

    def forget(self, accounted: int) -> None:
        """No record says what was filled in: count from full, so as not to stop for want of one."""
        self.fill_accounted = accounted

    def given_pl(self, accounted: int) -> int:
        """Return what was given since the fill."""
        return (accounted - self.fill_accounted) * self._stroke_pl

    def computed_pl(self, accounted: int) -> int:
        """Return the computed volume, never below 0."""
        return max(0, self.fill_pl - self.given_pl(accounted))

    def strokes_to(self, level_pl: int, accounted: int) -> int:
        """Return the strokes until the computed volume is at or below the level; 0 if it is."""
        over_pl = self.fill_pl - self.given_pl(accounted) - level_pl
        return max(0, -(-over_pl // self._stroke_pl))

    def strokes_to_threshold(self, accounted: int) -> int:
        """Return the strokes until LOW, or when that has come until EMPTY; then no limit."""
        return (
            self.strokes_to(self.low_pl, accounted) or self.strokes_to(0, accounted) or _UNLIMITED
        )

    def stability_wall_s(self) -> int | None:
        """Return when the drug's stability ends; None where no limit was given."""
        if not self.stability_days or not self.fill_wall_s:
            return None
        return min(self.fill_wall_s + self.stability_days * _DAY_S, _WALL_MAX_S)
