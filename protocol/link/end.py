"""What both ends of the link share: frames in, frames out, NAK, counters, limits."""

import enum
import struct
from dataclasses import dataclass, field
from typing import Final

from protocol.errors import RemoteError
from protocol.framing import (
    DELIMITER,
    MAX_IMAGE,
    Deframer,
    Flag,
    Frame,
    FrameCounters,
    FrameType,
    wire_image,
)

IDLE_US: Final = 10_000
"""After this long without sending, one more delimiter goes first, to flush noise."""
NAK_INTERVAL_US: Final = 20_000
"""At most one NAK, and one reply repeated for a NAK, in this time."""
OUT_MAX: Final = 4 * MAX_IMAGE
"""Bytes that wait to be written: an answer, a PONG, a NAK and an XERR. A frame that does not fit
counts as lost on the line, which both ends survive."""
SEQ_MASK: Final = 0xFF
ACK_VALID: Final = int(Flag.ACK_VALID)
"""A plain number: operators of enum flags cost more than decoding a frame's header."""
ANSWER_TYPE: Final = {
    FrameType.PING: FrameType.PONG,
    FrameType.HELLO: FrameType.HELLO_RSP,
    FrameType.REQ: FrameType.RSP,
}
"""Each request's answer."""


class TransportError(enum.IntEnum):
    """Why an XERR is sent. Its payload is this u8 and a u16 detail (`XERR_BODY`)."""

    BUSY = 1
    VERSION = 2
    BACK_OFF = 3
    BAD = 4


TRANSPORT_ERRORS: Final = {
    TransportError.BUSY: "no buffer: repeat after detail ms, at most 500",
    TransportError.VERSION: "frame version not spoken: detail = lowest + 256 × highest that is",
    TransportError.BACK_OFF: "too many attempts: try again after detail ms",
    TransportError.BAD: "sequence broken: open a session with a HELLO of a new nonce",
}
XERR_BODY: Final = struct.Struct("<BH")


class LinkFailed(RemoteError):
    """No answer after the last send. Whether the pump acted is not known."""


@dataclass(slots=True)
class LinkStatistics:
    """What one end has seen. Counters only rise."""

    frames: FrameCounters = field(default_factory=FrameCounters)
    sent: int = 0
    repeated: int = 0
    """Of `sent`: requests and replies that had been sent before."""
    unsent: int = 0
    """Frames for which the output buffer had no room."""
    nak_sent: int = 0
    nak_received: int = 0
    resets: int = 0
    transport_errors: int = 0
    """XERR sent by the responder, received by the initiator."""
    unexpected: int = 0
    """Valid frames that this end does not take, or does not wait for."""
    duplicates: int = 0
    busy: int = 0
    """Requests dropped while a reply was being made."""
    strays: int = 0
    """Requests on another channel than the session's."""
    stale: int = 0
    """Old requests, come again."""
    conflicts: int = 0
    """The last seq, or the last HELLO, come again but not as a repetition."""
    late_answers: int = 0
    """Replies to a request that a HELLO had displaced."""


class End:
    """Frames in and out of one end."""

    def __init__(self) -> None:
        self._deframer = Deframer()
        self.statistics = LinkStatistics(self._deframer.counters)
        self._now_us = 0
        self._out = bytearray()
        self._sent_us: int | None = None
        self._nak_due_us = 0
        self._damaged = 0

    def outgoing(self) -> bytes:
        """Take the bytes to write now."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def _put(self, image: bytes) -> None:
        if len(self._out) + len(image) > OUT_MAX:
            self.statistics.unsent += 1
            return
        if self._out:
            image = image[1:]  # shares the delimiter that ends the frame before it
        elif self._sent_us is None or self._now_us - self._sent_us >= IDLE_US:
            image = DELIMITER + image
        self._out += image
        self._sent_us = self._now_us
        self.statistics.sent += 1

    def _take(self, data: bytes, now_us: int) -> list[Frame]:
        self._now_us = now_us
        return self._deframer.feed(data, now_us)

    def _nak_is_due(self) -> bool:
        """Return whether damage came since the last call, and no NAK went out just now."""
        found = self._deframer.damaged != self._damaged
        self._damaged = self._deframer.damaged
        return found and self._now_us >= self._nak_due_us

    def _nak(self, channel: int, seq: int, expected: int | None) -> None:
        self._nak_due_us = self._now_us + NAK_INTERVAL_US
        self.statistics.nak_sent += 1
        self._put(message_image(FrameType.NAK, channel, seq, expected, b""))


def message_image(
    kind: FrameType, channel: int, seq: int, ack: int | None, payload: bytes
) -> bytes:
    """Return a frame on the wire; `ack` None: flag A is clear."""
    if ack is None:
        return wire_image(kind, 0, channel, seq, 0, payload)
    return wire_image(kind, ACK_VALID, channel, seq, ack, payload)
