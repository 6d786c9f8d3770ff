"""The controller's end of the line: commands out, messages in, and loss noticed.

The board counts as lost when it has not been heard for `LOST_US`, does not acknowledge, or says
what cannot be understood. Then everything raises HalLost until it is attached again.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NoReturn

from hal.errors import HalLost
from hal.serial_board.stream import ByteStream
from protocol import board_messages, codec
from protocol.board_link import BoardLink
from protocol.board_messages import Attach, Attached
from protocol.codec import Message
from protocol.errors import RemoteError
from protocol.framing import FrameType

LOST_US: Final = 2_000_000
"""Silence after which the board counts as lost: it reports every 50 ms, and by now it has ended
all that a batch of the longest look-ahead told it to do."""
ATTACH_REPEAT_US: Final = 100_000
ATTACH_SENDS_MAX: Final = 24
COMMANDS_MAX: Final = 64
"""Commands that wait for the line; a controller gives a handful between two waits."""
_READ_MAX: Final = 4096


class ControllerLink:
    """Messages to and from the board. Only `read`, `write` and `attach` touch the stream."""

    def __init__(self, stream: ByteStream, baud: int) -> None:
        self._stream = stream
        self._link = BoardLink(FrameType.HAL_CMD, FrameType.HAL_RSP, baud)
        self._commands: deque[Message] = deque()
        self._sent = 0
        self._unwritten = b""
        self._accepted = 0
        self._heard_us = 0

    def attach(self, session: int) -> Attached:
        """Take the board over; it is reset. Raises HalLost."""
        self._forget()
        for _ in range(ATTACH_SENDS_MAX):
            self._link.greet(FrameType.HELLO, codec.encode(Attach(session)))
            self.write()
            until_us = self._stream.now_us() + ATTACH_REPEAT_US
            while self._stream.now_us() < until_us:
                self._stream.wait(until_us)
                self._feed()
                attached = self._answer(session)
                if attached is not None:
                    self._link.restart()
                    self._heard_us = self._stream.now_us()
                    return attached
        raise HalLost(f"no board answered in {ATTACH_SENDS_MAX} tries")

    def send(self, command: Message) -> int:
        """Queue a command; return its number, counted from 1. Raises HalLost."""
        if not self._link.started:
            raise HalLost("no board is attached")
        if len(self._commands) >= COMMANDS_MAX:
            self.fail(f"{COMMANDS_MAX} commands wait for the line")
        self._commands.append(command)
        return self._sent + len(self._commands)

    @property
    def room(self) -> bool:
        """True when the line takes another message at the next `write`."""
        return self._link.room > len(self._commands)

    def fail(self, why: str) -> NoReturn:
        """Give the board up. Raises HalLost."""
        self._forget()
        raise HalLost(why)

    def wait(self, until_us: int) -> None:
        """Let stream time pass until bytes come, something is due, or `until_us`."""
        until_us = min(until_us, self._heard_us + LOST_US)
        if self._link.deadline_us is not None and not self._unwritten:
            until_us = min(until_us, self._link.deadline_us)
        self._stream.wait(until_us)

    def read(self) -> Iterator[Message]:
        """Return the messages that have come, in order, each once. Raises HalLost."""
        if not self._link.started:
            raise HalLost("no board is attached")
        self._feed()
        if self._stream.now_us() - self._heard_us >= LOST_US:
            self.fail(f"the board was not heard for {LOST_US} us")
        while frame := self._link.take():
            if frame.type is FrameType.HAL_RSP:
                yield self._decode(frame.payload)

    def write(self) -> None:
        """Write what is due. Raises HalLost."""
        while self._commands and self._link.room:
            self._sent += 1
            self._link.send(board_messages.encode(self._commands.popleft()))
        if not self._unwritten:
            try:
                self._unwritten = self._link.outgoing(self._stream.now_us())
            except RemoteError as error:
                self.fail(str(error))
        self._unwritten = self._unwritten[self._stream.write(self._unwritten) :]

    def _feed(self) -> None:
        while data := self._stream.read(_READ_MAX):
            self._link.feed(data, self._stream.now_us())
        if self._link.counters.accepted != self._accepted:
            self._accepted = self._link.counters.accepted
            self._heard_us = self._stream.now_us()

    def _answer(self, session: int) -> Attached | None:
        """Return the answer to this session's Attach, if it has come; leave what follows it."""
        while frame := self._link.take():
            if frame.type is FrameType.HELLO_RSP:
                try:
                    attached = codec.decode(Attached, frame.payload)
                except RemoteError:
                    continue
                if attached.session == session:
                    return attached
        return None

    def _decode(self, payload: bytes) -> Message:
        try:
            return board_messages.decode(payload)
        except RemoteError as error:
            self.fail(str(error))

    def _forget(self) -> None:
        self._link.shut()
        self._commands.clear()
        self._sent = 0
        self._unwritten = b""
