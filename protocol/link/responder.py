"""The pump's end of the link: a request is handed up once and answered once.

What it does with a valid HELLO or REQ, the first rule that fits:

1. A HELLO whose payload equals the last HELLO's is its repetition: the first reply is sent again,
   or nothing while it is being made. Once a request has followed it, it is refused: XERR BAD.
2. Any other HELLO begins a new sequence, at any seq, and displaces what was pending: whatever has
   gone wrong above, a tool can begin again.
3. A REQ equal to the last request (channel, seq, payload) is its repetition: as in rule 1.
4. While a reply is being made any other REQ is dropped; its sender repeats it.
5. A REQ on another channel than the session's is handed up outside the sequence, so that the
   layer above can say that this session is gone. It must not act on it. The reply is not kept.
6. A REQ 1..127 ahead of the last seq is new: a tool that gave up a request goes on with the next.
7. A REQ 1..128 behind is an old repetition: dropped.
8. A REQ with the last seq and another content is refused, XERR BAD: it is neither acted on, for
   the seq may be a repetition's, nor answered with the reply to something else.

LRST sets rules 7 and 8 aside for one request. It can be forged: then a repetition older than the
last request could pass as new, which is why whatever doses is a transaction.
"""

from typing import Final

from protocol import codec
from protocol.errors import ErrorCode, LocalError, RemoteError
from protocol.framing import FRAME_VERSION, Flag, Frame, FrameType
from protocol.hello import HelloResponse
from protocol.link.end import (
    ANSWER_TYPE,
    NAK_INTERVAL_US,
    SEQ_MASK,
    XERR_BODY,
    End,
    TransportError,
    message_image,
)

XERR_INTERVAL_US: Final = 1_000_000
"""At most one XERR in this time: the answer to a flood must not be one."""
AHEAD_MAX: Final = 127
"""Half of the sequence is ahead, half is behind."""
_NOT_IN_SUITE_0: Final = int(Flag.SECURED | Flag.MORE_FRAGMENTS)
"""A frame with one of these is not in clear, or not whole: it is never read as if it were."""


class Responder(End):
    """Hands requests up, answers repetitions, PING, NAK and LRST by itself."""

    def __init__(self) -> None:
        super().__init__()
        self._seq = 0
        self._hello: bytes | None = None
        self._channel: int | None = None
        self._last: Frame | None = None
        self._reply: bytes | None = None
        self._pending: Frame | None = None
        self._any_seq = False
        self._repeat_due_us = 0
        self._xerr_due_us = 0
        self._other_versions = 0
        self._accept = {
            FrameType.PING: self._ping,
            FrameType.NAK: self._nak_received,
            FrameType.LRST: self._reset,
            FrameType.HELLO: self._accept_hello,
            FrameType.REQ: self._accept_request,
        }

    @property
    def deadline_us(self) -> int | None:
        """When `service` drops an unfinished frame; None: there is none."""
        return self._deframer.deadline_us

    def service(self, now_us: int) -> None:
        """Drop an unfinished frame whose bytes stopped coming 2 s ago."""
        self._now_us = now_us
        self._deframer.expire(now_us)

    def receive(self, data: bytes, now_us: int) -> list[Frame]:
        """Take received bytes, any cut; return the new HELLO or REQ to answer: none, or one."""
        delivered: list[Frame] = []
        for frame in self._take(data, now_us):
            accept = self._accept.get(frame.type)
            if accept is None or frame.flags & _NOT_IN_SUITE_0:
                self.statistics.unexpected += 1
            elif accept(frame):
                self._pending = frame
                delivered = [frame]
        self._complain()
        return delivered

    def answer(self, kind: FrameType, channel: int, payload: bytes) -> None:
        """Reply to the request handed up last; no effect when a HELLO has displaced it.

        The reply to HELLO is a `HelloResponse`: the channel in it is the session's from now on.
        Raises LocalError for anything else, and for a payload of more than 480 bytes.
        """
        request = self._pending
        if request is None or (kind, channel) != (ANSWER_TYPE[request.type], request.channel):
            self.statistics.late_answers += 1
            return
        image = self._answer_image(kind, request, payload)
        if request is self._last:
            self._reply = image
            if kind is FrameType.HELLO_RSP:
                self._channel = _granted_channel(payload)
        self._seq = (self._seq + 1) & SEQ_MASK
        self._pending = None
        self._put(image)

    # --- HELLO and REQ: True when the frame is to be handed up ---

    def _accept_hello(self, frame: Frame) -> bool:
        if frame.payload == self._hello:
            hello_is_last = self._last is not None and self._last.type is FrameType.HELLO
            return self._repetition() if hello_is_last else self._conflict(frame)
        self._hello = frame.payload
        self._channel = None
        self._seq = 0
        return self._new(frame)

    def _accept_request(self, frame: Frame) -> bool:
        last = self._last
        if last is not None and _same(frame, last):
            return self._repetition()
        if self._pending is not None:
            self.statistics.busy += 1
            return False
        if last is None or frame.channel != self._channel:
            self.statistics.strays += 1
            return True
        ahead = (frame.seq - last.seq) & SEQ_MASK
        if self._any_seq or 1 <= ahead <= AHEAD_MAX:
            return self._new(frame)
        if ahead == 0:
            return self._conflict(frame)
        self.statistics.stale += 1
        return False

    def _new(self, frame: Frame) -> bool:
        self._last = frame
        self._reply = None
        self._any_seq = False
        return True

    def _repetition(self) -> bool:
        self.statistics.duplicates += 1
        self._repeat_reply()
        return False

    def _conflict(self, frame: Frame) -> bool:
        self.statistics.conflicts += 1
        self._transport_error(TransportError.BAD, 0, frame)
        return False

    # --- frames that end here ---

    def _ping(self, frame: Frame) -> bool:
        self._put(self._answer_image(FrameType.PONG, frame, frame.payload))
        return False

    def _nak_received(self, frame: Frame) -> bool:
        self.statistics.nak_received += 1
        asks_for_last = self._last is not None and frame.seq == self._last.seq
        if asks_for_last and self._now_us >= self._repeat_due_us:
            self._repeat_due_us = self._now_us + NAK_INTERVAL_US
            self._repeat_reply()
        return False

    def _reset(self, frame: Frame) -> bool:
        self.statistics.resets += 1
        self._any_seq = True
        self._put(self._answer_image(FrameType.ACK, frame, b""))
        return False

    def _repeat_reply(self) -> None:
        if self._reply is not None:
            self.statistics.repeated += 1
            self._put(self._reply)

    def _answer_image(self, kind: FrameType, frame: Frame, payload: bytes) -> bytes:
        return message_image(kind, frame.channel, self._seq, (frame.seq + 1) & SEQ_MASK, payload)

    # --- what the pump says by itself ---

    def _complain(self) -> None:
        """Say what was wrong with the bytes that came: another version, or damage."""
        if self.statistics.frames.version != self._other_versions:
            self._other_versions = self.statistics.frames.version
            self._transport_error(TransportError.VERSION, FRAME_VERSION | FRAME_VERSION << 8)
        if self._nak_is_due():
            expected = None if self._last is None else (self._last.seq + 1) & SEQ_MASK
            self._nak(self._channel or 0, self._seq, expected)

    def _transport_error(
        self, code: TransportError, detail: int, cause: Frame | None = None
    ) -> None:
        if self._now_us < self._xerr_due_us:
            return
        self._xerr_due_us = self._now_us + XERR_INTERVAL_US
        self.statistics.transport_errors += 1
        body = XERR_BODY.pack(code, detail)
        if cause is None:
            self._put(message_image(FrameType.XERR, 0, self._seq, None, body))
        else:
            self._put(self._answer_image(FrameType.XERR, cause, body))


def _same(frame: Frame, other: Frame) -> bool:
    return (
        frame.seq == other.seq
        and frame.type is other.type
        and frame.channel == other.channel
        and frame.payload == other.payload
    )


def _granted_channel(payload: bytes) -> int | None:
    """Return the channel of the session that a HELLO_RSP opens; None when it refuses."""
    try:
        response = codec.decode(HelloResponse, payload)
    except RemoteError as error:
        raise LocalError(f"the reply to HELLO is a HelloResponse: {error}") from None
    return response.channel if response.result is ErrorCode.OK else None
