"""A leak: fluid that the reservoir's pressure drives out past the strokes.

Theory of operation. From an instant on so much an hour flows, perhaps up to a most; until the next
change the volume is a pure function of time. Changes of the past hour are remembered, so that a
look into it is the same arithmetic. A pump that never leaks costs one comparison.
"""

from collections import deque
from typing import Any, Final, NamedTuple

from emulator.world import World

_HOUR_US: Final = 3_600_000_000
_SPANS_MAX: Final = 64
"""Changes remembered for looks into the past hour; nobody makes more."""


class _Span(NamedTuple):
    """How it leaks from an instant on."""

    from_us: int
    before_pl: int
    """Volume until then."""
    rate_pl_h: int
    most_pl: int | None
    """What this span leaks at most."""

    def volume_pl(self, t_us: int) -> int:
        leaked_pl = self.rate_pl_h * (t_us - self.from_us) // _HOUR_US
        if self.most_pl is not None and leaked_pl > self.most_pl:
            leaked_pl = self.most_pl
        return self.before_pl + leaked_pl


class Leak:
    """Volume that has been driven past the strokes since the world began."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._spans = deque([_Span(0, 0, 0, None)], _SPANS_MAX)

    @property
    def volume_pl(self) -> int:
        """Volume until now, were there always fluid."""
        span = self._spans[-1]
        return span.volume_pl(self._world.now_us) if span.rate_pl_h else span.before_pl

    def volume_at(self, t_us: int) -> int:
        """Volume until an instant of the past hour, as far back as is remembered, pL."""
        for span in reversed(self._spans):
            if span.from_us <= t_us:
                return span.volume_pl(t_us)
        return self._spans[0].before_pl

    def begin(self, rate_pl_h: int, most_pl: int | None = None) -> int:
        """Leak at this rate from now on, in place of any before, `most_pl` at most.

        Return how long it takes until `most_pl` has leaked, µs; 0 without one.
        """
        self._spans.append(_Span(self._world.now_us, self.volume_pl, rate_pl_h, most_pl))
        return 0 if most_pl is None else -(-most_pl * _HOUR_US // rate_pl_h)

    def end(self) -> None:
        """Leak no more."""
        self._spans.append(_Span(self._world.now_us, self.volume_pl, 0, None))

    def save(self) -> list[Any]:
        """Return how it leaks now, fit for JSON."""
        return list(self._spans[-1])

    def restore(self, state: list[Any]) -> None:
        """Leak as `save` found it; world time must have been restored before."""
        self._spans = deque([_Span(*state)], _SPANS_MAX)
