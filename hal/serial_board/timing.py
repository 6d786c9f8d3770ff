"""What the line is like: round trips and the board's clock, from Ticks and their Tocks.

A Tock says what the board's clock showed somewhere between the sending of its Tick and now. The
middle is wrong by half the round trip at most, so of the last samples the one with the shortest
round trip is believed. Only the last: two clocks drift apart.
"""

from collections import deque
from typing import Final, NamedTuple

from protocol.board_messages import TICK_INTERVAL_US, Tick, Tock
from protocol.errors import RemoteError

SAMPLES: Final = 8
_OUTSTANDING_MAX: Final = 16
"""Ticks remembered for their Tocks: one that is later than 1.6 s says nothing of the line now."""


class LineQuality(NamedTuple):
    """The line as measured since the board was attached."""

    rtt_min_us: int
    """Shortest round trip of the last 8."""
    rtt_median_us: int
    """The middle one of them."""
    rtt_last_us: int
    """The last one."""
    offset_us: int
    """Clock of this end (`ByteStream.now_us`) less the board's, by the shortest round trip."""
    repeated: int
    """Numbered frames that had to be sent again."""
    damaged: int
    """Pieces of frames that came and could not be used."""


class _Sample(NamedTuple):
    """One Tick and its Tock."""

    rtt_us: int
    offset_us: int


class LineTiming:
    """Ticks that are due, and what their Tocks tell. Times are those of the stream."""

    def __init__(self) -> None:
        self.reset(0)

    def reset(self, now_us: int) -> None:
        """Know nothing; the first Tick is due now."""
        self.due_us = now_us
        """When the next Tick is to be sent."""
        self.heard_us = now_us
        """When the board was last known to answer."""
        self._outstanding: deque[int] = deque(maxlen=_OUTSTANDING_MAX)
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._board_us = 0

    @property
    def measured(self) -> bool:
        """True once a Tick was answered."""
        return bool(self._samples)

    @property
    def offset_us(self) -> int:
        """Stream time less board time; 0 before the first Tock."""
        return min(self._samples).offset_us if self._samples else 0

    def tick(self, now_us: int) -> Tick:
        """Return the Tick to send now."""
        self.due_us = now_us + TICK_INTERVAL_US
        self._outstanding.append(now_us)
        return Tick(now_us)

    def tock(self, message: Tock, now_us: int) -> None:
        """Take the answer to a Tick, once; not one that a later answer has overtaken.

        Raises RemoteError when the board's clock went back.
        """
        if message.host_us not in self._outstanding:
            return
        while self._outstanding.popleft() != message.host_us:
            pass
        if message.board_us < self._board_us:
            raise RemoteError(f"the board's clock went from {self._board_us} to {message.board_us}")
        self._board_us = message.board_us
        self.heard_us = now_us
        middle_us = (message.host_us + now_us) // 2
        self._samples.append(_Sample(now_us - message.host_us, middle_us - message.board_us))

    def quality(self, repeated: int, damaged: int) -> LineQuality:
        """Return the figures, all 0 before the first Tock, with these two counts."""
        rtts_us = [sample.rtt_us for sample in self._samples] or [0]
        return LineQuality(
            rtt_min_us=min(rtts_us),
            rtt_median_us=sorted(rtts_us)[len(rtts_us) // 2],
            rtt_last_us=rtts_us[-1],
            offset_us=self.offset_us,
            repeated=repeated,
            damaged=damaged,
        )
