"""The world: virtual time, the event queue, and the seeded streams.

Theory of operation. Time is an integer of microseconds and moves only inside `run_until` and
`run_some`. What happens is timers: a device makes its timers once and sets them again and again.
Due timers run in the order of (time, order of setting), so two runs of one scenario are the same
run. The queue holds `(at_us, order, timer)` tuples; setting or cancelling a timer leaves its old
entry in the queue, to be dropped when it comes up or when too many have gathered.

A quiet world costs nothing: there is no tick, only events.
"""

import hashlib
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import repeat
from typing import Final

from emulator.trace import Trace

_STALE_MAX: Final = 64
"""Stale entries that may gather before the queue is swept; small beside a live queue's cost."""


class WorldError(Exception):
    """Time was asked to go backwards, or a world to run inside itself: a bug in the caller."""


class Timer:
    """One thing that may happen at one instant. Made by `World.timer`."""

    __slots__ = ("_callback", "_order", "_queue", "_world", "at_us")

    def __init__(self, world: "World", callback: Callable[[], None]) -> None:
        self._world = world
        self._queue = world._queue
        self._callback = callback
        self._order = 0
        self.at_us: int | None = None
        """When it is due, world time; None while idle."""

    def set(self, at_us: int) -> None:
        """Be due at `at_us`, in place of any time set before. Raises WorldError for the past."""
        world = self._world
        if at_us < world.now_us:
            raise WorldError(f"timer set for {at_us} us, but it is {world.now_us} us")
        if self.at_us is not None:
            world._drop_one()
        world._order = self._order = order = world._order + 1
        self.at_us = at_us
        heappush(self._queue, (at_us, order, self))

    def cancel(self) -> None:
        """Not be due at all. Idempotent."""
        if self.at_us is not None:
            self.at_us = None
            self._order = 0
            self._world._drop_one()


class Stream:
    """Random bits that depend on nothing but the world's seed and the stream's name.

    A counter hashed with SHA-256, so that the whole state is one number that can be saved.
    """

    __slots__ = ("_bits", "_block", "_key", "_pool")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.position_bits = 0

    @property
    def position_bits(self) -> int:
        """Bits taken so far; setting it goes to that place of the stream."""
        return self._block * 256 - self._bits

    @position_bits.setter
    def position_bits(self, position: int) -> None:
        self._block, used = divmod(position, 256)
        self._pool = 0
        self._bits = 0
        if used:
            self._refill()
            self._pool >>= used
            self._bits -= used

    def getrandbits(self, bits: int) -> int:
        """Return an integer of `bits` (>= 0) random bits."""
        while self._bits < bits:
            self._refill()
        value = self._pool & ((1 << bits) - 1)
        self._pool >>= bits
        self._bits -= bits
        return value

    def _refill(self) -> None:
        block = hashlib.sha256(self._key + self._block.to_bytes(8, "little")).digest()
        self._pool |= int.from_bytes(block, "little") << self._bits
        self._bits += 256
        self._block += 1


class World:
    """Virtual time, everything that is due in it, and where its randomness comes from."""

    __slots__ = ("_order", "_queue", "_running", "_stale", "now_us", "seed", "trace", "watch")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now_us = 0
        """Microseconds since the world began; only the run methods move it."""
        self.trace: Trace | None = None
        """Where what happens is written down; None is off, and faster."""
        self.watch: Callable[[], object] | None = None
        """Called after every event and changing nothing, as books are kept; None is faster."""
        self._queue: list[tuple[int, int, Timer]] = []
        self._order = 0
        self._stale = 0
        self._running = False

    def timer(self, callback: Callable[[], None]) -> Timer:
        """Return a new idle timer that will run `callback` when due."""
        return Timer(self, callback)

    def stream(self, name: str) -> Stream:
        """Return the random stream of this name, at its beginning."""
        return Stream(hashlib.sha256(f"{self.seed}/{name}".encode()).digest())

    def run_until(self, to_us: int) -> None:
        """Run every event due up to and at `to_us`, then be there. Raises WorldError."""
        self._run(to_us, repeat(None))

    def run_some(self, to_us: int, limit: int) -> bool:
        """Like `run_until`, but return after `limit` events; True when `to_us` was reached."""
        return self._run(to_us, repeat(None, limit))

    def next_event_us(self) -> int | None:
        """Return when the next event is due; None when there is none."""
        queue = self._queue
        while queue and queue[0][2]._order != queue[0][1]:
            heappop(queue)
            self._stale -= 1
        return queue[0][0] if queue else None

    def resume_at(self, now_us: int) -> None:
        """Be at `now_us` without anything happening; for a world restored from a saved state.

        Raises WorldError when time has begun or something is due already.
        """
        if self.now_us or self.next_event_us() is not None:
            raise WorldError("only a world that has not begun can be restored")
        self.now_us = now_us

    def record(self, source: str, code: str, **detail: int | str) -> None:
        """Write down what happens now, when a trace is kept."""
        if self.trace is not None:
            self.trace.record(self.now_us, source, code, detail)

    def _run(self, to_us: int, turns: Iterator[None]) -> bool:
        if to_us < self.now_us:
            raise WorldError(f"asked to run to {to_us} us, but it is {self.now_us} us")
        if self._running:
            raise WorldError("a callback asked the world to run")
        self._running = True
        try:
            return self._turn(to_us, turns)
        finally:
            self._running = False

    def _turn(self, to_us: int, turns: Iterator[None]) -> bool:
        queue = self._queue
        for _ in turns:
            if not queue or queue[0][0] > to_us:
                self.now_us = to_us
                return True
            at_us, order, timer = heappop(queue)
            if timer._order == order:
                self.now_us = at_us
                timer.at_us = None
                timer._callback()
                if self.watch is not None:
                    self.watch()
            else:
                self._stale -= 1
        return False

    def _drop_one(self) -> None:
        self._stale += 1
        queue = self._queue
        if self._stale > _STALE_MAX and self._stale * 2 > len(queue):
            queue[:] = [entry for entry in queue if entry[2]._order == entry[1]]
            heapify(queue)
            self._stale = 0
