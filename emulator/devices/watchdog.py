"""The watchdog: resets the controller 1 s after a deadline it missed.

It costs no event as long as the controller sleeps for less than its deadline: the board calls
`guard` whenever the core goes to sleep, and only then, if the bite would come first, it is set.
"""

from collections.abc import Callable
from typing import Final

from emulator.devices.clock import Clock
from emulator.devices.motor import NEVER
from emulator.world import World
from hal.interfaces import ResetCause

BITE_US: Final = 1_000_000
"""From the missed deadline to the reset."""


class Watchdog:
    """`hal.Watchdog`. Not armed until the controller arms it."""

    def __init__(self, world: World, clock: Clock, bite: Callable[[], None]) -> None:
        self._world = world
        self._clock = clock
        self._bite = world.timer(bite)
        self._bite_us = NEVER
        self.cause = ResetCause.POWER_ON
        """Why the last boot happened."""

    def arm(self, deadline_us: int) -> None:
        """Bite 1 s after `deadline_us` unless armed again before."""
        self._bite_us = deadline_us + BITE_US
        if self._bite.at_us is not None:
            self._bite.cancel()

    def reset_cause(self) -> ResetCause:
        """Why this boot happened."""
        return self.cause

    def guard(self, until_us: int) -> None:
        """The core sleeps until `until_us`, or for good: bite if that is too long."""
        if self._bite_us < until_us and self._bite.at_us is None:
            self._bite.set(max(self._world.now_us, self._clock.boot_us + self._bite_us))

    def reset(self) -> None:
        """Guard nothing until armed again."""
        self._bite_us = NEVER
        self._bite.cancel()
