"""The controller's end of the line: commands out, messages in, and loss noticed.

The board counts as lost when it has answered no Tick, or reported nothing new, for `LOST_US`, does
not acknowledge, or says what cannot be understood. Then everything raises HalLost until it is
attached again. What a board once said can be replayed, but not its answers to new Ticks.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NoReturn

from hal.errors import HalLost, HalMismatch
from hal.serial_board.stream import ByteStream
from hal.serial_board.timing import LineQuality, LineTiming
from protocol import board_messages, codec
from protocol.board_link import BoardLink
from protocol.board_messages import DICTIONARY_ID, Attach, Attached, Tock
from protocol.codec import Message
from protocol.errors import RemoteError
from protocol.framing import Frame, FrameType

LOST_US: Final = 900_000
"""Without an answer for this long the board counts as lost: by then its dead-man has acted, and
the alarm is in time."""
ATTACH_REPEAT_US: Final = 100_000
ATTACH_SENDS_MAX: Final = 24
ATTACH_MAX_US: Final = 120_000_000
"""Until all of the flash is read: twice what 576 KiB take at 115,200 baud."""
COMMANDS_MAX: Final = 64
"""Commands that wait for the line; a controller gives a handful between two waits."""
_READ_MAX: Final = 4096
_DICTIONARY: Final = slice(4, 8)
"""Where every version of Attached has its dictionary."""


class ControllerLink:
    """Messages to and from the board. Only `read`, `write` and `attach` touch the stream."""

    def __init__(self, stream: ByteStream, baud: int) -> None:
        self._stream = stream
        self._link = BoardLink(FrameType.HAL_CMD, FrameType.HAL_RSP, baud)
        self.timing = LineTiming()
        """Round trips and the board's clock."""
        self._commands: deque[Message] = deque()
        self.sent = 0
        """Commands handed to the line since the attach."""
        self._unwritten = b""
        self._told_us = 0
        """When the last numbered message came."""
        self.lost = False
        """True from giving the board up until the owner has attached it again."""

    def attach(self, session: int) -> Attached:
        """Take the board over; it is reset. Raises HalLost, HalMismatch."""
        self._shut()
        for _ in range(ATTACH_SENDS_MAX):
            self._link.send_once(FrameType.HELLO, codec.encode(Attach(session, DICTIONARY_ID)))
            self.write()
            until_us = self._stream.now_us() + ATTACH_REPEAT_US
            while self._stream.now_us() < until_us:
                self._stream.wait(until_us)
                self.write()  # what a full port did not take
                self._feed()
                attached = self._answer(session)
                if attached is not None:
                    self._link.restart()
                    self._told_us = self._stream.now_us()
                    self.timing.reset(self._told_us)
                    return attached
        raise HalLost(f"no board answered in {ATTACH_SENDS_MAX} tries")

    def send(self, command: Message) -> int:
        """Queue a command; return its number, counted from 1. Raises HalLost."""
        if not self._link.started:
            raise HalLost("no board is attached")
        if len(self._commands) >= COMMANDS_MAX:
            self.fail(f"{COMMANDS_MAX} commands wait for the line")
        self._commands.append(command)
        return self.sent + len(self._commands)

    @property
    def room(self) -> bool:
        """True when the line takes another message at the next `write`."""
        return self._link.room > len(self._commands)

    @property
    def quality(self) -> LineQuality:
        """What the line is like."""
        return self.timing.quality(self._link.repeated, self._link.damaged)

    def fail(self, why: str) -> NoReturn:
        """Give the board up. Raises HalLost."""
        self.give_up()
        raise HalLost(why)

    def give_up(self) -> None:
        """Take and send nothing any more, until `attach`."""
        self.lost = True
        self._shut()

    def _shut(self) -> None:
        self._link.shut()
        self._commands.clear()
        self.sent = 0
        self._unwritten = b""

    def wait(self, until_us: int) -> None:
        """Let stream time pass until bytes come, something is due, or `until_us`."""
        until_us = min(until_us, self._alive_us + LOST_US)
        if not self._unwritten:
            until_us = min(until_us, self.timing.due_us)
            if self._link.deadline_us is not None:
                until_us = min(until_us, self._link.deadline_us)
        self._stream.wait(until_us)

    def read(self) -> Iterator[Message]:
        """Return the messages that have come, in order, each once. Raises HalLost."""
        if not self._link.started:
            raise HalLost("no board is attached")
        self._feed()
        while frame := self._link.take():
            if frame.type is FrameType.HAL_RSP:
                self._told_us = self._stream.now_us()
                yield self._decode(frame.payload)
            elif frame.type is FrameType.HAL_TIME:
                self._tock(frame)
        if self._stream.now_us() - self._alive_us >= LOST_US:
            self.fail(f"the board was not heard for {LOST_US // 1000} ms")

    def write(self) -> None:
        """Write what is due. Raises HalLost."""
        while self._commands and self._link.room:
            self.sent += 1
            self._link.send(board_messages.encode(self._commands.popleft()))
        if not self._unwritten:
            self._unwritten = self._due()
        self._unwritten = self._unwritten[self._stream.write(self._unwritten) :]

    @property
    def _alive_us(self) -> int:
        """When the board was last known to answer and to report."""
        return min(self.timing.heard_us, self._told_us)

    def _due(self) -> bytes:
        now_us = self._stream.now_us()
        if self._link.started and now_us >= self.timing.due_us:
            tick = board_messages.encode(self.timing.tick(now_us))
            self._link.send_once(FrameType.HAL_TIME, tick)
        try:
            return self._link.outgoing(now_us)
        except RemoteError as error:
            self.fail(str(error))

    def _feed(self) -> None:
        while data := self._stream.read(_READ_MAX):
            self._link.feed(data, self._stream.now_us())

    def _tock(self, frame: Frame) -> None:
        message = self._decode(frame.payload)
        if isinstance(message, Tock):
            try:
                self.timing.tock(message, self._stream.now_us())
            except RemoteError as error:
                self.fail(str(error))

    def _answer(self, session: int) -> Attached | None:
        """Return the answer to this session's Attach, if it has come; leave what follows it."""
        while frame := self._link.take():
            if frame.type is FrameType.HELLO_RSP:
                _check_dictionary(frame.payload)
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


def _check_dictionary(attached: bytes) -> None:
    """Raise HalMismatch for an answer whose messages are not ours, and may be read wrongly."""
    theirs = int.from_bytes(attached[_DICTIONARY], "little")
    if theirs != DICTIONARY_ID:
        raise HalMismatch(f"the board speaks dictionary {theirs:08x}, not {DICTIONARY_ID:08x}")
