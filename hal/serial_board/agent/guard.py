"""The rate guard: strokes that the board accepts in any hour and in any 24 h.

It knows nothing of therapy and can only be lowered. It is kept for as long as the board has power.
"""

import array

_HOUR_BUCKET_US = 60_000_000
_HOUR_BUCKETS = 60
_DAY_BUCKET_US = 900_000_000
_DAY_BUCKETS = 96


class _Window:
    """Counts in buckets: the one under way and all that reach into the window before it."""

    def __init__(self, bucket_us, buckets, limit):
        self._bucket_us = bucket_us
        self._counts = array.array("I", [0] * (buckets + 1))
        self._bucket = 0
        self.limit = limit

    def count(self, now_us):
        """Return how many there were in the window that ends now, or a bucket more."""
        bucket = now_us // self._bucket_us
        size = len(self._counts)
        for empty in range(max(self._bucket + 1, bucket - size + 1), bucket + 1):
            self._counts[empty % size] = 0
        self._bucket = bucket
        return sum(self._counts)

    def add(self, strokes):
        """Count strokes in the bucket under way."""
        self._counts[self._bucket % len(self._counts)] += strokes


class Guard:
    """Accepts batches."""

    def __init__(self, hour, day):
        self.hour = _Window(_HOUR_BUCKET_US, _HOUR_BUCKETS, hour)
        self.day = _Window(_DAY_BUCKET_US, _DAY_BUCKETS, day)

    def accept(self, strokes, now_us):
        """Count a batch and return True; False: it is more than a limit allows."""
        for window in (self.hour, self.day):
            if window.count(now_us) + strokes > window.limit:
                return False
        self.hour.add(strokes)
        self.day.add(strokes)
        return True

    def lower(self, hour, day):
        """Lower the limits; a higher one changes nothing."""
        self.hour.limit = min(self.hour.limit, hour)
        self.day.limit = min(self.day.limit, day)
