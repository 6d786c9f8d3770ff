"""One end of the line between controller and board: messages in order, each once, both ways.

`protocol.link` is made for a tool that asks and a pump that answers. A board speaks without being
asked, and an interrupt must not wait for the next question; so both ends here are alike. Each
numbers its frames (`seq`) and repeats them until the other has acknowledged them; the receiver
takes only the next number and acknowledges it with every frame it sends, or with an ACK frame when
it has nothing to say. A repetition is thereby never acted on twice, and a frame that comes after a
lost one is taken when it is repeated (go back N, at most `WINDOW` under way).

HELLO, HELLO_RSP and HAL_TIME are outside the numbers, sent once and handed up as they come. After
a HELLO `restart` numbers from 0. An end that is not started takes nothing but greetings: anything
else may be from before.

No I/O: bytes and the time go in, `take` gives frames, `outgoing` gives bytes and `deadline_us`
says when it will have some to repeat.
"""

from collections import deque
from typing import Final

from protocol.board_messages import TELEMETRY_DATA_MAX, TELEMETRY_WINDOW, Telemetry
from protocol.errors import LocalError, RemoteError
from protocol.framing import Deframer, Flag, Frame, FrameType, encode
from protocol.link import LinkFailed

WINDOW: Final = 4
"""Numbered frames under way: four of the largest here take 100 ms at 115,200 baud."""
REPEAT_US: Final = 60_000
"""Without acknowledgement for this long, and twice the time on the wire, all are sent again."""
SENDS_MAX: Final = 24
"""Sends of one frame, as on the telemetry link."""
_SEQ_MASK: Final = 0xFF
_BITS_PER_BYTE: Final = 10  # 8N1
_GREETINGS: Final = frozenset({FrameType.HELLO, FrameType.HELLO_RSP})
_ONCE: Final = _GREETINGS | {FrameType.HAL_TIME}


class BoardLink:
    """Numbered frames out and in."""

    def __init__(self, sends: FrameType, takes: FrameType, baud: int = 115_200) -> None:
        """Send frames of one type and take those of the other; `baud` sets the repetition."""
        self._sends = sends
        self._takes = takes
        self._baud = baud
        self._deframer = Deframer()
        self.counters = self._deframer.counters
        self.repeated = 0
        """Numbered frames sent again."""
        self.duplicates = 0
        """Numbered frames not taken: repetitions, and those that came after a lost one."""
        self._frames: deque[Frame] = deque()
        self._once = bytearray()
        self.shut()

    def shut(self) -> None:
        """Forget all that is under way; take and send no numbered frame until `restart`."""
        self.started = False
        self._flight: deque[bytes] = deque(maxlen=WINDOW)
        self._first = 0
        self._fresh = 0
        self._sends_of_first = 0
        self._expected = 0
        self._ack_due = False
        self.deadline_us: int | None = None

    def restart(self) -> None:
        """Number from 0 in both directions."""
        self.shut()
        self.started = True

    @property
    def damaged(self) -> int:
        """Pieces of frames that came and could not be used."""
        return self._deframer.damaged

    @property
    def room(self) -> int:
        """Messages that `send` takes now, 0..WINDOW."""
        return WINDOW - len(self._flight) if self.started else 0

    def send_once(self, kind: FrameType, payload: bytes) -> None:
        """Send a HELLO, HELLO_RSP or HAL_TIME, outside the numbers."""
        self._once += encode(Frame(kind, 0, 0, 0, 0, payload))

    def send(self, payload: bytes) -> None:
        """Send a payload until it is acknowledged. Raises LocalError without `room`."""
        if not self.room:
            raise LocalError("no room on the board link")
        self._flight.append(payload)

    def feed(self, data: bytes, now_us: int) -> None:
        """Take received bytes, any cut."""
        self._frames.extend(self._deframer.feed(data, now_us))

    def take(self) -> Frame | None:
        """Return the next frame to act on; None: no more for now."""
        while self._frames:
            frame = self._frames.popleft()
            if frame.channel == 0 and self._is_for_now(frame):
                return frame
        return None

    def outgoing(self, now_us: int) -> bytes:
        """Take the bytes to write now. Raises LinkFailed when the last repetition has failed."""
        if self.deadline_us is not None and now_us >= self.deadline_us:
            self.repeated += len(self._flight)
            self._fresh = 0
            self.deadline_us = None
        out, self._once = self._once, bytearray()
        out += self._numbered(now_us)
        if self._ack_due:
            out += self._image(FrameType.ACK, self._first, b"")
        return bytes(out)

    def _numbered(self, now_us: int) -> bytes:
        """Return the images of what was not sent yet, or is to be sent again."""
        if self._fresh == len(self._flight):
            return b""
        if self._fresh == 0:
            self._sends_of_first += 1
            if self._sends_of_first > SENDS_MAX:
                self.shut()
                raise LinkFailed(f"not acknowledged after {SENDS_MAX} sends")
        first = self._first
        out = b"".join(
            self._image(self._sends, first + place, self._flight[place])
            for place in range(self._fresh, len(self._flight))
        )
        self._fresh = len(self._flight)
        wire_us = len(out) * _BITS_PER_BYTE * 1_000_000 // self._baud
        self.deadline_us = now_us + REPEAT_US + 2 * wire_us
        return out

    def _image(self, kind: FrameType, seq: int, payload: bytes) -> bytes:
        self._ack_due = False
        return encode(
            Frame(kind, Flag.ACK_VALID, 0, seq & _SEQ_MASK, self._expected & _SEQ_MASK, payload)
        )

    def _is_for_now(self, frame: Frame) -> bool:
        if frame.type in _ONCE:
            return self.started or frame.type in _GREETINGS
        return self._is_next(frame)

    def _is_next(self, frame: Frame) -> bool:
        """Take note of an acknowledgement; return whether this is the frame to take now."""
        if not self.started or frame.flags != Flag.ACK_VALID:
            return False
        self._acknowledged((frame.ack - self._first) & _SEQ_MASK)
        if frame.type is not self._takes:
            return False
        self._ack_due = True
        if frame.seq != self._expected & _SEQ_MASK:
            self.duplicates += 1
            return False
        self._expected += 1
        return True

    def _acknowledged(self, count: int) -> None:
        """Let go of the `count` oldest frames, if that many were sent."""
        if 0 < count <= self._fresh:
            for _ in range(count):
                self._flight.popleft()
            self._first += count
            self._fresh -= count
            self._sends_of_first = 0 if self._fresh == 0 else 1
            if self._fresh == 0:
                self.deadline_us = None


class TelemetryFlow:
    """One end's count of the telemetry bytes that go and come: who may send how many."""

    def __init__(self) -> None:
        self.taken = 0
        """Bytes of the other end that this one has handed on."""
        self._sent = 0
        self._received = 0
        self._sent_taken = 0
        self._told = 0

    @property
    def credit(self) -> int:
        """Bytes that may be sent now, at most what fits one message."""
        return min(TELEMETRY_DATA_MAX, TELEMETRY_WINDOW - (self._sent - self._sent_taken))

    @property
    def news(self) -> bool:
        """True when the other end should hear of `taken`, before it runs out of credit."""
        return self.taken - self._told >= TELEMETRY_WINDOW // 2

    def message(self, data: bytes) -> Telemetry:
        """Return the message that carries these bytes, at most `credit`."""
        self._sent += len(data)
        self._told = self.taken
        return Telemetry(self.taken, data)

    def receive(self, message: Telemetry) -> bytes:
        """Return the bytes of a message. Raises RemoteError when the other end cannot count."""
        self._received += len(message.data)
        if self._received - self.taken > TELEMETRY_WINDOW:
            raise RemoteError("more telemetry bytes than there was credit for")
        if not self._sent_taken <= message.taken <= self._sent:
            raise RemoteError(f"{message.taken} telemetry bytes taken of {self._sent}")
        self._sent_taken = message.taken
        return message.data
