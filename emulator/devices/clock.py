"""The clocks: a timer that counts from boot, and the wall clock that keeps running."""

from typing import Final

from emulator.world import World
from hal.errors import HalUsageError

_SECOND_US: Final = 1_000_000
_WALL_MAX_S: Final = 2**32 - 1


class Clock:
    """`hal.Clock`."""

    __slots__ = ("_world", "boot_us")

    def __init__(self, world: World) -> None:
        self._world = world
        self.boot_us = world.now_us
        """World time of the last boot."""

    def now_us(self) -> int:
        """Microseconds since boot."""
        return self._world.now_us - self.boot_us

    def boot(self) -> None:
        """Count from 0 again."""
        self.boot_us = self._world.now_us


class Rtc:
    """`hal.Rtc`: set at the factory, and never stopped by a reset or a power cut."""

    def __init__(self, world: World, wall_s: int) -> None:
        self._world = world
        self.set_s(wall_s)

    def now_s(self) -> int:
        """Pump wall clock, seconds since 2000-01-01T00:00:00."""
        return (self._world.now_us + self._offset_us) // _SECOND_US

    def set_s(self, wall_s: int) -> None:
        """Set the wall clock. Raises HalUsageError outside 0..2**32-1."""
        if not 0 <= wall_s <= _WALL_MAX_S:
            raise HalUsageError(f"wall clock {wall_s} s does not fit 32 bits")
        self._offset_us = wall_s * _SECOND_US - self._world.now_us

    def save(self) -> int:
        """Return wall clock less world time, us."""
        return self._offset_us

    def restore(self, offset_us: int) -> None:
        """Be as `save` found it; world time must have been restored before."""
        self._offset_us = offset_us
