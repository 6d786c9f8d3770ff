"""How late this machine was: the kit itself, and a board that is a process beside it.

The kit waits in short looks. What a look takes longer than it may is lateness, and so is what such
a board has stood in line for a processor meanwhile. The tolerances have a margin for both; where
the machine took more than that within `WINDOW_US`, what was seen may be the machine's doing.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hal.board import Board
from tools.hil.target import Target

LOOK_US: Final = 10_000
"""Longest look: the encoder is sampled this often."""
WINDOW_US: Final = 100_000
"""What is late adds up for this long: half the shortest stroke interval of the controller."""


class Lateness:
    """Of one machine, from now on."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._starved_us = target.starved_us()
        self._recent: deque[tuple[int, int]] = deque()
        self.worst_us = 0
        """Most that was late within any window."""

    @property
    def recent_us(self) -> int:
        """What was late within the window that ended with the last look."""
        return sum(late_us for _, late_us in self._recent)

    def look_at(self, board: Board, until_us: int) -> int:
        """Wait on a board for one look, at most until its clock shows this; return what it raised.

        Raises HalLost.
        """
        now_us = board.clock.now_us()
        look_us = max(0, min(until_us - now_us, LOOK_US))
        with self.look(self._target.now_us() + look_us):
            return board.wait_for_interrupt(now_us + look_us)

    @contextmanager
    def look(self, until_us: int) -> Iterator[None]:
        """Note how late it is when what is inside ends, though it may take until then only."""
        try:
            yield
        finally:
            self._note(until_us)

    def _note(self, until_us: int) -> None:
        now_us, starved_us = self._target.now_us(), self._target.starved_us()
        late_us = max(0, now_us - until_us) + max(0, starved_us - self._starved_us)
        self._starved_us = starved_us
        while self._recent and self._recent[0][0] <= now_us - WINDOW_US:
            self._recent.popleft()
        if late_us:
            self._recent.append((now_us, late_us))
            self.worst_us = max(self.worst_us, self.recent_us)
