"""The battery: one ADC behind a divider, read at rest and while the motor is driven."""

import pins
from machine import ADC

_SAMPLE_US = 100_000
_LOADED_US = 10_000
_SAMPLES = 8


class Battery:
    """`low` is set when the loaded voltage has reached the threshold; the caller clears it."""

    def __init__(self):
        self._adc = ADC(pins.BATTERY)
        self._due_us = 0
        self.rest_mv = self.loaded_mv = self._read_mv()
        self.disarm()

    def arm(self, threshold_mv):
        """Watch for a loaded voltage at or below the threshold; 0 never."""
        self._threshold_mv = threshold_mv
        self._compare()

    def disarm(self):
        """Watch nothing."""
        self._threshold_mv = 0
        self.low = False

    def present(self):
        """Return whether there is a battery."""
        return self.rest_mv >= pins.BATTERY_PRESENT_MV

    def poll(self, now_us, driving):
        """Read when it is time to."""
        if now_us < self._due_us:
            return
        mv = self._read_mv()
        if driving:
            self.loaded_mv = mv
            self._due_us = now_us + _LOADED_US
        else:
            self.rest_mv = mv
            self.loaded_mv = min(self.loaded_mv, mv)
            self._due_us = now_us + _SAMPLE_US
        self._compare()

    def _compare(self):
        if self._threshold_mv and self.loaded_mv <= self._threshold_mv:
            self._threshold_mv = 0
            self.low = True

    def _read_mv(self):
        total = 0
        for _ in range(_SAMPLES):
            total += self._adc.read_u16()
        return min(total * pins.ADC_FULL_MV * pins.DIVIDER // (_SAMPLES * 65_535), 65_535)
