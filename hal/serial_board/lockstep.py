"""Lock-step: a board whose time moves only as far as this end grants it.

`LockstepStream` stands between a `SerialBoard` and the port of a board that was started in
lock-step. Its clock is the board's. A wait grants the board time and takes what it says until it
says how far it has come: it stops at `until_us`, or at the instant at which it has sent something.
However fast either process runs, and however the bytes are cut on their way, both see the same
bytes at the same instants: a run can be repeated exactly.
"""

from typing import Final

from hal.errors import HalLost
from hal.serial_board.stream import Line
from protocol import board_messages
from protocol.board_messages import Grant, Reached
from protocol.codec import Message
from protocol.errors import RemoteError
from protocol.framing import Deframer, Frame, FrameType, encode

ANSWER_US: Final = 10_000_000
"""Host time for an answer to a Grant: a board's process may be busy, and its time costs time."""
_READ_MAX: Final = 4096


class LockstepStream:
    """A `Line` in the board's time, over one in the host's."""

    def __init__(self, port: Line) -> None:
        """Ask the board what time it is. Raises HalLost."""
        self._port = port
        self._now_us = 0
        self._deframer = Deframer()
        self._received = bytearray()
        self._grant(0)

    def open(self) -> None:
        """Open the port again and ask what time it is. Raises HalLost."""
        self._deframer = Deframer()
        self._received.clear()
        self._port.open()
        self._grant(0)

    def now_us(self) -> int:
        """Return the board's time, since it began."""
        return self._now_us

    def write(self, data: bytes) -> int:
        """Send bytes, all of them: they arrive at this instant of the board. Raises HalLost."""
        left = data
        deadline_us = self._port.now_us() + ANSWER_US
        while left := left[self._port.write(left) :]:
            self._check(deadline_us)
            self._port.wait(deadline_us)
        return len(data)

    def read(self, max_bytes: int) -> bytes:
        """Return up to `max_bytes` of what the board has sent."""
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        return data

    def wait(self, until_us: int) -> None:
        """Let the board's time go on until it has sent something, or `until_us`. Raises HalLost."""
        if not self._received:
            self._grant(max(until_us, self._now_us))

    def _grant(self, until_us: int) -> None:
        self.write(time_frame(Grant(until_us)))
        deadline_us = self._port.now_us() + ANSWER_US
        while not self._take(self._port.read(_READ_MAX)):
            self._check(deadline_us)
            self._port.wait(deadline_us)

    def _take(self, data: bytes) -> bool:
        """Pass on all but the answer to the Grant; return whether that was among it."""
        reached = False
        for frame in self._deframer.feed(data, self._port.now_us()):
            message = time_message(frame)
            if isinstance(message, Reached):
                self._now_us = message.now_us
                reached = True
            else:
                self._received += encode(frame)
        return reached

    def _check(self, deadline_us: int) -> None:
        if self._port.now_us() >= deadline_us:
            raise HalLost(f"no board in lock-step answered for {ANSWER_US // 1_000_000} s")


def time_frame(message: Message) -> bytes:
    """Return the wire image of a message about time."""
    return encode(Frame(FrameType.HAL_TIME, 0, 0, 0, 0, board_messages.encode(message)))


def time_message(frame: Frame) -> Message | None:
    """Return the message about time that a frame carries; None: it carries something else."""
    if frame.type is not FrameType.HAL_TIME:
        return None
    try:
        return board_messages.decode(frame.payload)
    except RemoteError:
        return None
