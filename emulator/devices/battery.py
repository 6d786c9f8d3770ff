"""The battery: integer charge, a voltage table, and a comparator that is never polled.

Theory of operation. Used charge is a pure function of time: a rest current, and a charge for each
stroke that the coil was powered for. Its unit is the femtocoulomb, so that nA times us is exact.

The comparator's crossing is predicted. Far from the threshold it is enough to know a time and a
number of strokes before which it cannot be crossed: half of what is left for each. When either is
reached they are halved again, a dozen times in a battery's life. Within a day of rest current of
the threshold the crossing is computed anew at each batch, to the microsecond.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from emulator.devices.clock import Clock
from emulator.devices.motor import NEVER, STROKE, Motor
from emulator.world import World
from hal.errors import HalUsageError
from hal.interfaces import Sample
from hal.interrupts import LOW_VOLTAGE

_FC_PER_NAH: Final = 3_600_000_000
_DAY_US: Final = 86_400_000_000
_THRESHOLD_MAX_MV: Final = 65_535


@dataclass(frozen=True, slots=True)
class BatteryModel:
    """The battery of one pump model."""

    capacity_nah: int
    rest_na: int
    """Current of the sleeping pump, >= 1."""
    stroke_nah: int
    """Charge of one driven stroke, >= 1."""
    resistance_mohm: int
    drive_ua: int
    """Peak current of the coil: what the loaded voltage is loaded with."""
    curve: tuple[tuple[int, int], ...]
    """(used charge nAh, rest voltage mV), used rising from 0, voltage falling."""

    def rest_mv(self, used_fc: int) -> int:
        """Rest voltage at a used charge, straight lines between the points of the curve."""
        curve = self.curve
        for (used0, mv0), (used1, mv1) in pairwise(curve):
            if used_fc < used1 * _FC_PER_NAH:
                into_fc = used_fc - used0 * _FC_PER_NAH
                return mv0 - (mv0 - mv1) * into_fc // ((used1 - used0) * _FC_PER_NAH)
        return curve[-1][1]

    def used_when(self, rest_mv: int) -> int:
        """Smallest used charge, fC, whose rest voltage is `rest_mv` or less; NEVER if none."""
        curve = self.curve
        if rest_mv >= curve[0][1]:
            return 0
        for (used0, mv0), (used1, mv1) in pairwise(curve):
            if rest_mv >= mv1:
                span_fc = (used1 - used0) * _FC_PER_NAH
                into_fc = -(-(mv0 - rest_mv) * span_fc // (mv0 - mv1))
                return used0 * _FC_PER_NAH + into_fc
        return NEVER

    @property
    def sag_mv(self) -> int:
        """What the internal resistance takes while the motor is driven."""
        return self.resistance_mohm * self.drive_ua // 1_000_000


class Battery:
    """`hal.Battery`, at first `percent` full."""

    def __init__(
        self,
        world: World,
        clock: Clock,
        motor: Motor,
        raise_interrupt: Callable[[int], None],
        model: BatteryModel,
        percent: int,
    ) -> None:
        self._world = world
        self._clock = clock
        self._motor = motor
        self._raise = raise_interrupt
        self._model = model
        self._capacity_fc = model.capacity_nah * _FC_PER_NAH
        self._stroke_fc = model.stroke_nah * _FC_PER_NAH
        self._base_fc = self._capacity_fc * (100 - percent) // 100
        self._limit_fc = NEVER
        self._look = world.timer(self._predict)

    # hal.Battery

    def rest_mv(self) -> Sample:
        """Voltage with the motor idle."""
        used_fc = self._used_fc(self._world.now_us)
        return Sample(self._model.rest_mv(used_fc), self._clock.now_us())

    def loaded_mv(self) -> Sample:
        """Voltage while the motor is driven, 0 at the lowest."""
        rest = self.rest_mv()
        return rest._replace(value=max(0, rest.value - self._model.sag_mv))

    def present(self) -> bool:
        """An implanted battery is never taken out."""
        return True

    def arm_low_voltage(self, threshold_mv: int) -> None:
        """Raise LOW_VOLTAGE once when the loaded voltage is or falls below the threshold.

        Raises HalUsageError outside 0..65535.
        """
        if not 0 <= threshold_mv <= _THRESHOLD_MAX_MV:
            raise HalUsageError(f"comparator threshold {threshold_mv} mV does not fit 16 bits")
        self._limit_fc = self._model.used_when(threshold_mv + self._model.sag_mv)
        self._predict()

    # The outside

    @property
    def used_nah(self) -> int:
        """Charge used, nAh, at most the capacity."""
        return min(self._used_fc(self._world.now_us) // _FC_PER_NAH, self._model.capacity_nah)

    @property
    def left_nah(self) -> int:
        """Charge left, nAh."""
        return self._model.capacity_nah - self.used_nah

    def drain(self, part_ppm: int) -> None:
        """Use `part_ppm` of the whole capacity at once."""
        self._base_fc += self._capacity_fc * part_ppm // 1_000_000
        self._predict()

    def disarm(self) -> None:
        """Watch no threshold, as after every reset."""
        self._limit_fc = NEVER
        self._predict()

    def save(self) -> int:
        """Return the charge used apart from what time and motor account for, fC."""
        return self._base_fc

    def restore(self, base_fc: int) -> None:
        """Be as `save` found it; world time and motor must have been restored before."""
        self._base_fc = base_fc
        self._predict()

    # Inside

    def _used_fc(self, t_us: int) -> int:
        """Charge used until `t_us`, now or later, were nothing to perturb the motor."""
        strokes_fc = self._motor.motion.drawn_at(t_us) * self._stroke_fc // STROKE
        return self._base_fc + t_us * self._model.rest_na + strokes_fc

    def _predict(self) -> None:
        """Raise the interrupt when it is time, else look again when it may be."""
        if self._limit_fc == NEVER:
            self._look.cancel()
            self._motor.watch_drawn(NEVER, self._predict)
        elif self._used_fc(self._world.now_us) >= self._limit_fc:
            self.disarm()
            self._raise(LOW_VOLTAGE)
        else:
            self._look_later()

    def _look_later(self) -> None:
        rest_na = self._model.rest_na
        end_us = max(self._world.now_us, self._motor.motion.end_us)
        margin_fc = self._limit_fc - self._used_fc(end_us)
        if margin_fc > rest_na * _DAY_US:
            half_fc = margin_fc // 2
            drawn = self._motor.motion.drawn_at(end_us) + half_fc * STROKE // self._stroke_fc
            self._motor.watch_drawn(drawn, self._predict)
            self._look.set(end_us + half_fc // rest_na)
        else:
            self._motor.watch_drawn(-1, self._predict)
            self._look.set(self._crossing_us(end_us))

    def _crossing_us(self, end_us: int) -> int:
        """When the limit is reached by the batch under way, or by rest current after it."""
        left_fc = self._limit_fc - self._used_fc(end_us)
        if left_fc > 0:
            return end_us - (-left_fc // self._model.rest_na)
        before_us, after_us = self._world.now_us, end_us
        while after_us - before_us > 1:
            middle_us = (before_us + after_us) // 2
            if self._used_fc(middle_us) < self._limit_fc:
                before_us = middle_us
            else:
                after_us = middle_us
        return after_us
