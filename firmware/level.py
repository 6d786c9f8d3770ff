"""The sensed reservoir: what a level sensor shows, beside the count of `reservoir`.

Theory of operation. A sensor only ever makes the pump more careful. It is read at boot, at each
fill and program, each hour and where a threshold may have been passed; between two readings its
volume is counted on by strokes. Each reading is compared with the count first, so that nothing is
decided by one that was not:

| | while both agree | while the sensor is disputed |
|---|---|---|
| `lower_pl`: alarms, dates, boluses asked for | the lower | the lower |
| `usable_pl`: stop, resume, bridge, the program's own boluses | the lower | the count alone |

They agree as long as they differ by no more than the profile's tolerance and accuracy allow for
what was given since the fill. A sensor that shows more than the count postpones nothing, one that
shows less raises its alarms but cannot end the therapy by its own word alone.

A pump that was never told of a fill has no count to compare with: its sensor is shown, and that is
all. On a board without a sensor both volumes are the count.
"""

from typing import Final

from firmware.device import DeviceConfig
from firmware.reservoir import Reservoir
from hal.interfaces import ReservoirSensor
from protocol.codes import Code
from protocol.messages import NOT_SENSED

_PPM: Final = 10**6
_SENSOR_ALARMS: Final = (Code.SENSOR_DISAGREE, Code.EMPTY_RESERVOIR)
"""What a disputed sensor alone may have raised."""


class Level:
    """The sensed volume of one reservoir, and the lower of both."""

    def __init__(
        self, sensor: ReservoirSensor | None, reservoir: Reservoir, config: DeviceConfig
    ) -> None:
        self._sensor = sensor
        self._reservoir = reservoir
        self._stroke_pl = config.stroke_pl
        self._tolerance_pl = config.level_tolerance_nl * 1000
        self._accuracy_ppm = config.accuracy_ppm
        self.hysteresis_pl = self._tolerance_pl // 2
        """A reading must come back by this much for what it raised to end: whole steps of noise
        near a threshold are no news."""
        self._read_pl: int | None = None
        self._read_accounted = 0
        self.disputed = False
        """True while the last reading contradicts the count."""

    @property
    def present(self) -> bool:
        """True on a board that has a sensor."""
        return self._sensor is not None

    @property
    def shown_nl(self) -> int:
        """What the sensor shows now, nL; NOT_SENSED where there is none."""
        return NOT_SENSED if self._sensor is None else self._sensor.level_nl().value

    @property
    def program_ignores(self) -> tuple[Code, ...]:
        """Alarms that do not keep the program from its own boluses: the sensor's word alone."""
        return _SENSOR_ALARMS if self.disputed else ()

    def read(self, accounted: int, anew: bool) -> None:
        """Take a reading and compare it; `anew`: what was found before was of another fill."""
        if self._sensor is None or not self._reservoir.fill_wall_s:
            self._read_pl, self.disputed = None, False
            return
        self._read_pl, self._read_accounted = self._sensor.level_nl().value * 1000, accounted
        gate_pl = self._tolerance_pl
        gate_pl += self._reservoir.given_pl(accounted) * self._accuracy_ppm // _PPM
        goes_on = self.disputed and not anew
        if goes_on:
            gate_pl -= self.hysteresis_pl
        differ = abs(self._read_pl - self._reservoir.computed_pl(accounted)) > gate_pl
        # The gate widens with each stroke: a sensor that showed nothing all along is no more right
        # when the count has come near to it.
        self.disputed = differ or (goes_on and not self._read_pl)

    def sensed_pl(self, accounted: int) -> int | None:
        """Return the last reading, counted on, never below 0; None where nothing was read."""
        if self._read_pl is None:
            return None
        return max(0, self._read_pl - (accounted - self._read_accounted) * self._stroke_pl)

    def lower_pl(self, accounted: int) -> int:
        """Return the lower of both volumes."""
        computed_pl, sensed_pl = self._reservoir.computed_pl(accounted), self.sensed_pl(accounted)
        return computed_pl if sensed_pl is None else min(computed_pl, sensed_pl)

    def usable_pl(self, accounted: int) -> int:
        """Return the volume that therapy may count on: the lower, but for a disputed sensor."""
        return self._reservoir.computed_pl(accounted) if self.disputed else self.lower_pl(accounted)

    def strokes_to(self, level_pl: int, accounted: int) -> int:
        """Return the strokes until the lower volume is at or below the level; 0 if it is."""
        strokes = self._reservoir.strokes_to(level_pl, accounted)
        sensed_pl = self.sensed_pl(accounted)
        return strokes if sensed_pl is None else min(strokes, self._strokes(sensed_pl - level_pl))

    def strokes_to_threshold(self, accounted: int) -> int:
        """Return the strokes until either volume comes to LOW or EMPTY."""
        strokes = self._reservoir.strokes_to_threshold(accounted)
        sensed_pl = self.sensed_pl(accounted)
        if sensed_pl is None:
            return strokes
        ahead = (self._strokes(sensed_pl - level_pl) for level_pl in (self._reservoir.low_pl, 0))
        return min(strokes, *(to_go or strokes for to_go in ahead))

    def _strokes(self, volume_pl: int) -> int:
        return max(0, -(-volume_pl // self._stroke_pl))
