"""The piezo: what it sounds and how often it began to."""

from emulator.world import World
from hal.interfaces import TonePattern


class Sounder:
    """`hal.Sounder`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.active: TonePattern | None = None
        """The pattern last played and not silenced since."""
        self.starts = dict.fromkeys(TonePattern, 0)
        """How often each pattern was started since the pump was made."""

    def play(self, pattern: TonePattern) -> None:
        """Start the pattern, in place of one that is playing."""
        self.active = pattern
        self.starts[pattern] += 1
        self._world.record("sounder", "TONE", pattern=pattern.name)

    def silence(self) -> None:
        """Stop at once. Idempotent."""
        self.active = None
