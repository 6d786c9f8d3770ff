"""The level sensor of a reservoir that has one: the true volume, as the sensor shows it.

It shows whole steps, plus a bias, and can be stuck; the truth is the plant's.
"""

from typing import Any, Final

from emulator.devices.clock import Clock
from emulator.devices.plant import Plant
from hal.interfaces import Sample

LEVEL_MAX_NL: Final = 0xFFFF_FFFE


class LevelSensor:
    """`hal.ReservoirSensor`. `step_nl` is the finest difference that it shows."""

    def __init__(self, clock: Clock, plant: Plant, step_nl: int) -> None:
        self._clock = clock
        self._plant = plant
        self._step_nl = step_nl
        self.bias_nl = 0
        """Shown in excess of the truth."""
        self._stuck_nl: int | None = None

    def level_nl(self) -> Sample:
        """Volume above the unextractable residual, nL, as the sensor shows it."""
        shown_nl = self._shown_nl() if self._stuck_nl is None else self._stuck_nl
        return Sample(shown_nl, self._clock.now_us())

    def set_stuck(self, stuck: bool) -> None:
        """Show what is shown now for ever, or the truth again."""
        self._stuck_nl = self._shown_nl() if stuck else None

    def save(self) -> dict[str, Any]:
        """Return what does not follow from the plant, fit for JSON."""
        return {"bias_nl": self.bias_nl, "stuck_nl": self._stuck_nl}

    def restore(self, state: dict[str, Any]) -> None:
        """Show what `save` found."""
        self.bias_nl = state["bias_nl"]
        self._stuck_nl = state["stuck_nl"]

    def _shown_nl(self) -> int:
        level_nl = self._plant.reservoir_pl // 1000 + self.bias_nl
        return min(LEVEL_MAX_NL, max(0, level_nl // self._step_nl * self._step_nl))
