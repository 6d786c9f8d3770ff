"""The board's own rate guard: how many strokes it takes on in any hour and in any 24 hours.

It knows nothing of therapy and trusts no controller. Strokes are counted when a batch is taken on,
in buckets of a minute and of a quarter of an hour. The bucket that a window begins in is counted
whole, so the guard may be early by one bucket's strokes, never late. Its size does not grow.
"""

from collections import deque
from typing import Final

from protocol.board_messages import NO_GUARD

_MINUTE_US: Final = 60_000_000
_HOUR_BUCKETS: Final = 60
_QUARTER_US: Final = 15 * _MINUTE_US
_DAY_BUCKETS: Final = 96


class _Window:
    """Strokes of the last `buckets` buckets, and of the one that time is in."""

    def __init__(self, bucket_us: int, buckets: int) -> None:
        self._bucket_us = bucket_us
        self._counts = deque([0], maxlen=buckets + 1)
        self._bucket = 0
        self.limit = NO_GUARD

    def strokes(self, now_us: int) -> int:
        """Return how many were counted in the window that ends now."""
        ahead = now_us // self._bucket_us - self._bucket
        self._bucket += ahead
        self._counts.extend([0] * min(ahead, self._counts.maxlen or 0))
        return sum(self._counts)

    def allows(self, strokes: int, now_us: int) -> bool:
        return self.limit == NO_GUARD or self.strokes(now_us) + strokes <= self.limit

    def count(self, strokes: int, now_us: int) -> None:
        self.strokes(now_us)
        self._counts[-1] += strokes


class RateGuard:
    """Not set at first. `now_us` is any clock of the board that no attach resets."""

    def __init__(self) -> None:
        self._hour = _Window(_MINUTE_US, _HOUR_BUCKETS)
        self._day = _Window(_QUARTER_US, _DAY_BUCKETS)

    @property
    def hour(self) -> int:
        """Strokes allowed in any hour; NO_GUARD when not set."""
        return self._hour.limit

    @property
    def day(self) -> int:
        """Strokes allowed in any 24 h; NO_GUARD when not set."""
        return self._day.limit

    def lower(self, hour: int, day: int) -> None:
        """Lower the limits; one above the present limit changes nothing."""
        self._hour.limit = min(self._hour.limit, hour)
        self._day.limit = min(self._day.limit, day)

    def allows(self, strokes: int, now_us: int) -> bool:
        """Say whether a batch of so many strokes stays within both limits."""
        return self._hour.allows(strokes, now_us) and self._day.allows(strokes, now_us)

    def count(self, strokes: int, now_us: int) -> None:
        """Count a batch that was taken on, whether there is a limit yet or not."""
        self._hour.count(strokes, now_us)
        self._day.count(strokes, now_us)
