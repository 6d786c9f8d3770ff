"""Where the wall clock stands against the boot clock, to the millisecond.

The RTC tells whole seconds; delivery runs on the boot clock's microseconds. Their difference,

    offset = wall clock - boot clock, µs

is known after one reading to a second, and each further reading may narrow it. An instant of the
wall clock is aimed at by the lowest offset that still fits, so it is never taken too early, and too
late by less than what is not known. `timer_us` asks to be read at the instant that halves the rest:
after a boot the difference is known to a millisecond by ten readings, one each second or so. A
clock that was set, or that booted with the second, is exact at once.

A reading that does not fit is a clock that was moved or that drifts: what was known is forgotten.
Between two readings a drift goes unseen, as long as it stays within the second.
"""

from typing import Final

from firmware.alarms import NEVER_US
from hal.interfaces import Clock, Rtc

_SECOND_US: Final = 1_000_000
_KNOWN_US: Final = 1000
"""Close enough: a thousandth of what the clock itself tells."""


class WallClock:
    """Reads and sets the RTC of one board."""

    def __init__(self, clock: Clock, rtc: Rtc) -> None:
        self._clock = clock
        self._rtc = rtc
        self._low_us = 0
        self._high_us = -1
        """The offset is one of low..high; nothing is known while high < low."""

    def look(self, now_us: int) -> bool:
        """Read the clock; return False when the reading does not fit those before.

        `now_us` is the boot clock before the reading.
        """
        begin_us = self._rtc.now_s() * _SECOND_US
        low_us, high_us = begin_us - self._clock.now_us(), begin_us + _SECOND_US - 1 - now_us
        fits = low_us <= self._high_us and self._low_us <= high_us
        if fits:
            low_us, high_us = max(low_us, self._low_us), min(high_us, self._high_us)
        self._low_us, self._high_us = low_us, high_us
        return fits

    def set_s(self, wall_s: int) -> None:
        """Set the clock: this second begins now. Raises HalUsageError outside 0..2**32-1."""
        self._rtc.set_s(wall_s)
        self._low_us = self._high_us = wall_s * _SECOND_US - self._clock.now_us()

    def boot_us(self, wall_s: int) -> int:
        """Return the boot time at which a second of the wall clock begins. Needs a `look`."""
        return wall_s * _SECOND_US - self._low_us

    def wall_us(self, now_us: int) -> int:
        """Return the wall clock, µs; without a `look`, of the second that runs its beginning."""
        if self._high_us < self._low_us:
            return self._rtc.now_s() * _SECOND_US
        return now_us + self._low_us

    def timer_us(self, now_us: int) -> int:
        """Return when to `look` next to know it better; NEVER_US when it is known."""
        if self._high_us - self._low_us < _KNOWN_US:
            return NEVER_US
        middle_us = (self._low_us + self._high_us + 1) // 2
        return now_us + _SECOND_US - (now_us + middle_us) % _SECOND_US
