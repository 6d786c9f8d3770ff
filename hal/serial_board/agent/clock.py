"""The board's clock: microseconds since boot that never wrap."""

import time


class Clock:
    """`time.ticks_us` wraps every 18 min; `now_us` must be called more often than every 9."""

    def __init__(self):
        self._ticks = time.ticks_us()
        self._us = 0

    def now_us(self):
        """Return microseconds since boot."""
        ticks = time.ticks_us()
        self._us += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._us
