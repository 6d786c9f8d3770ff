"""The tool's end of the link: one request at a time, until its answer or `LinkFailed`.

The first repetition comes after twice the time that request and answer take on the wire plus
24 ms, at least 60 ms; each further one after 1.5 times the wait before. A NAK, LRST or XERR may be
forged: all of them together repeat the request, or put its repetition off, once in each run of
the timer, and none ends it.
"""

from typing import Final

from protocol.errors import LocalError
from protocol.framing import MIN_IMAGE, Frame, FrameType
from protocol.link.end import (
    ACK_VALID,
    ANSWER_TYPE,
    SEQ_MASK,
    XERR_BODY,
    End,
    LinkFailed,
    TransportError,
    message_image,
)

MAX_SENDS: Final = 24
"""Sends of one request, the first included: some 10 s at 115,200 baud."""
RTO_MIN_US: Final = 60_000
RTO_MARGIN_US: Final = 24_000
"""What the other end may take, beyond the time on the wire."""
RTO_MAX_US: Final = 480_000
RTO_MAX_SLOW_US: Final = 2_000_000
SLOW_BAUD: Final = 57_600
"""Below this speed the wait may grow to `RTO_MAX_SLOW_US`."""
USUAL_ANSWER_BYTES: Final = 64
"""Length of an answer, for the timer, until a longer one has come."""
BUSY_MAX_MS: Final = 500
"""Longest wait that an XERR BUSY can ask for."""
_BITS_PER_BYTE: Final = 10  # 8N1


class Initiator(End):
    """Sends requests and finds their answers."""

    def __init__(self, baud: int = 115_200, seq: int = 0) -> None:
        """Begin with `seq` (0..255); `baud` (8N1) sets the repetition timer."""
        super().__init__()
        self._baud = baud
        self._seq = seq
        self._expected: int | None = None
        self._answer_bytes = USUAL_ANSWER_BYTES
        self._request: Frame | None = None
        self._image = b""
        self._sends = 0
        self._rto_us = 0
        self._deadline_us: int | None = None
        self._disturbed = False
        """A NAK, LRST or BUSY has had its effect in this run of the timer."""
        self._complaint = ""

    @property
    def deadline_us(self) -> int | None:
        """When `service` repeats the request; None while none is in flight."""
        return self._deadline_us

    def request(self, kind: FrameType, channel: int, payload: bytes, now_us: int) -> None:
        """Send a PING, HELLO or REQ. Raises LocalError while another is in flight."""
        if self._request is not None:
            raise LocalError("the answer to the last request has not come yet")
        if kind not in ANSWER_TYPE:
            raise LocalError(f"{kind.name} is not a request")
        self._image = message_image(kind, channel, self._seq, self._expected, payload)
        self._request = Frame(kind, 0, channel, self._seq, 0, payload)
        self._seq = (self._seq + 1) & SEQ_MASK
        self._now_us = now_us
        self._sends = 0
        self._complaint = ""
        self._rto_us = self._first_rto_us()
        self._send()

    def cancel(self) -> None:
        """Wait no longer for the answer. Whether the pump acted is not known."""
        self._request = None
        self._deadline_us = None

    def receive(self, data: bytes, now_us: int) -> Frame | None:
        """Take received bytes, any cut; return the answer to the request in flight, once."""
        answer = None
        for frame in self._take(data, now_us):
            if self._is_answer(frame):
                self._answer_bytes = max(self._answer_bytes, MIN_IMAGE + len(frame.payload))
                self._expected = (frame.seq + 1) & SEQ_MASK
                self.cancel()
                answer = frame
            else:
                self._aside(frame)
        if self._nak_is_due() and self._request is not None:
            self._nak(self._request.channel, self._request.seq, self._expected)
        return answer

    def service(self, now_us: int) -> None:
        """Repeat the request when it is time. Raises LinkFailed after the last send."""
        if self._request is None or self._deadline_us is None or now_us < self._deadline_us:
            return
        self._now_us = now_us
        if self._sends == MAX_SENDS:
            name = self._request.type.name
            self.cancel()
            raise LinkFailed(f"no answer to {name} after {MAX_SENDS} sends{self._complaint}")
        longest_us = RTO_MAX_US if self._baud >= SLOW_BAUD else RTO_MAX_SLOW_US
        self._rto_us = max(min(self._rto_us * 3 // 2, longest_us), self._first_rto_us())
        self.statistics.repeated += 1
        self._send()

    def _send(self) -> None:
        self._sends += 1
        self._disturbed = False
        self._deadline_us = self._now_us + self._rto_us
        self._put(self._image)

    def _first_rto_us(self) -> int:
        wire_bytes = len(self._image) + self._answer_bytes
        wire_us = wire_bytes * _BITS_PER_BYTE * 1_000_000 // self._baud
        return max(RTO_MIN_US, 2 * wire_us + RTO_MARGIN_US)

    def _is_answer(self, frame: Frame) -> bool:
        request = self._request
        return (
            request is not None
            and frame.type is ANSWER_TYPE[request.type]
            and frame.channel == request.channel
            and bool(frame.flags & ACK_VALID)
            and frame.ack == (request.seq + 1) & SEQ_MASK
        )

    def _aside(self, frame: Frame) -> None:
        """Take a frame that is no answer."""
        if frame.type is FrameType.NAK:
            self.statistics.nak_received += 1
            self._repeat_early()
        elif frame.type is FrameType.LRST:
            self.statistics.resets += 1
            self._repeat_early()
        elif frame.type is FrameType.XERR and len(frame.payload) == XERR_BODY.size:
            self.statistics.transport_errors += 1
            self._transport_error(*XERR_BODY.unpack(frame.payload))
        else:
            self.statistics.unexpected += 1

    def _repeat_early(self) -> None:
        """Repeat the request now: it, or its answer, was damaged."""
        if self._request is None or self._disturbed:
            return
        self._disturbed = True
        self.statistics.repeated += 1
        self._put(self._image)

    def _transport_error(self, code: int, detail: int) -> None:
        try:
            name = TransportError(code).name
        except ValueError:
            name = str(code)
        self._complaint = f"; the pump complained: {name} {detail}"
        if code == TransportError.BUSY and self._request is not None and not self._disturbed:
            self._disturbed = True
            self._deadline_us = self._now_us + min(detail, BUSY_MAX_MS) * 1000
