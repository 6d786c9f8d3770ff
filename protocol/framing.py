"""One frame to wire bytes and back.

    00 | E | K | 00        E = COBS(header | payload)        K = CRC-32C of E, in five bytes

    header, little-endian
    0  u8   version (bits 7-5) and type (bits 4-0)
    1  u8   flags
    2  u16  channel
    4  u8   seq
    5  u8   ack
    6  u16  length of the payload, 0..480

The CRC covers the bytes as they are on the wire, not the decoded ones: one flipped bit on the wire
is then one flipped bit for the CRC, and its distance of 6 holds. K carries the CRC in groups of
7, 7, 7, 7 and 4 bits, low first, with bit 7 of each byte set: it holds no zero and shifts nothing.

A receiver checks in this order, cheapest first, and counts each refusal by its step: length of
E and K, form of K, CRC, COBS, version, type, flags, length field. No parser sees a byte that
failed the CRC. What stays to chance is an error that makes or removes a delimiter; the length
field is there for that.
"""

import enum
import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from protocol import cobs
from protocol.crc import crc32c
from protocol.errors import LocalError, RemoteError
from protocol.messages import MAX_PAYLOAD

FRAME_VERSION: Final = 1
"""Version in the first header byte. A frame of another one is counted, never looked into."""
DELIMITER: Final = b"\0"
HEADER: Final = struct.Struct("<BBHBBH")
CHECK_BYTES: Final = 5
"""Bytes of K."""
MIN_BODY: Final = HEADER.size + 1 + CHECK_BYTES
"""Shortest E and K: a header alone."""
MAX_BODY: Final = HEADER.size + MAX_PAYLOAD + 2 + CHECK_BYTES
"""Longest E and K: COBS adds 2 bytes to 488."""
MIN_IMAGE: Final = MIN_BODY + 2
MAX_IMAGE: Final = MAX_BODY + 2
"""Shortest and longest frame on the wire, both delimiters counted: 16 and 497 bytes."""
MIN_DAMAGED: Final = 4
"""A shorter piece between delimiters is taken for line noise: not worth a NAK."""
PARTIAL_US: Final = 2_000_000
"""A frame whose bytes stop coming for this long is dropped."""

SESSION_MAX_CHANNEL: Final = 0xFFEF
"""Channels 1..this name a session; 0 is no session."""
BROADCAST: Final = 0xFFFF
"""The channel of a frame for everybody."""


class FrameType(enum.IntEnum):
    """What a frame is for. Numbers that are not here are refused."""

    PING = 0
    PONG = 1
    ACK = 2
    NAK = 3
    LRST = 4
    HELLO = 5
    HELLO_RSP = 6
    HS1 = 7
    HS2 = 8
    XERR = 9
    PAIR = 10
    PAIR_RSP = 11
    REQ = 16
    RSP = 17
    EVT = 18
    BULK = 19
    BULK_ACK = 20
    HAL_CMD = 24
    HAL_RSP = 25
    HAL_TIME = 26


class Flag(enum.IntFlag):
    """Header flags. Bits 5-7 must be 0: a frame that sets one is refused, not half understood."""

    SECURED = 1
    MORE_FRAGMENTS = 2
    EMERGENCY = 4
    ACK_VALID = 8
    COMPAT_HINT = 16


class Frame(NamedTuple):
    """One frame, decoded."""

    type: FrameType
    flags: int
    channel: int
    seq: int
    ack: int
    payload: bytes


@dataclass(slots=True)
class FrameCounters:
    """What a receiver took and what it refused, by step."""

    accepted: int = 0
    expired: int = 0
    """Frames whose bytes stopped coming."""
    length: int = 0
    check_form: int = 0
    crc: int = 0
    cobs: int = 0
    version: int = 0
    type: int = 0
    flags: int = 0
    length_field: int = 0


_FLAGS: Final = 0x1F
_TYPE_BITS: Final = 0x1F
_VERSION_SHIFT: Final = 5
_VERSION_BITS: Final = FRAME_VERSION << _VERSION_SHIFT
_TYPES: Final = {_VERSION_BITS | kind: kind for kind in FrameType}
_CHECK_FORM_MASK: Final = 0xF0_80_80_80_80
_CHECK_FORM: Final = 0x80_80_80_80_80


def spread_crc(crc: int) -> int:
    """Return the five bytes of K as one little-endian number."""
    return (
        _CHECK_FORM
        | crc & 0x7F
        | (crc & 0x3F80) << 1
        | (crc & 0x1F_C000) << 2
        | (crc & 0xFE0_0000) << 3
        | (crc & 0xF000_0000) << 4
    )


def encode(frame: Frame) -> bytes:
    """Return the wire image, both delimiters included: 16..497 bytes.

    Raises LocalError for a payload of more than 480 bytes or a number that does not fit.
    """
    return wire_image(frame.type, frame.flags, frame.channel, frame.seq, frame.ack, frame.payload)


def wire_image(
    kind: FrameType, flags: int, channel: int, seq: int, ack: int, payload: bytes
) -> bytes:
    """Return the wire image of a frame that need not be made for it; else as `encode`."""
    if len(payload) > MAX_PAYLOAD or not 0 <= flags <= _FLAGS:
        raise LocalError(f"frame of {len(payload)} bytes, flags {flags:#x}")
    try:
        header = HEADER.pack(_VERSION_BITS | kind, flags, channel, seq, ack, len(payload))
    except struct.error as error:
        raise LocalError(f"frame header: {error}") from None
    body = cobs.encode(header + payload)
    check = spread_crc(crc32c(body)).to_bytes(CHECK_BYTES, "little")
    return b"".join((DELIMITER, body, check, DELIMITER))


class Deframer:
    """Wire bytes in, frames out.

    Keeps the bytes of one unfinished frame: at most 495, the longest that can still be valid;
    the rest of a longer one is dropped as it comes.
    """

    def __init__(self) -> None:
        self.counters = FrameCounters()
        self.damaged = 0
        """Pieces of `MIN_DAMAGED` bytes or more that failed up to COBS: worth asking for again.

        A frame that fails a later step was sent like that, and would fail again.
        """
        self._partial = bytearray()
        self._too_long = False
        self._deadline_us: int | None = None

    @property
    def mid_frame(self) -> bool:
        """True when a non-zero byte came after the last delimiter."""
        return self._deadline_us is not None

    @property
    def deadline_us(self) -> int | None:
        """When `expire` drops the unfinished frame; None: there is none."""
        return self._deadline_us

    def expire(self, now_us: int) -> None:
        """Drop the unfinished frame if its last byte came 2 s ago or earlier."""
        if self._deadline_us is not None and now_us >= self._deadline_us:
            self._forget_partial()
            self.counters.expired += 1

    def feed(self, data: bytes, now_us: int) -> list[Frame]:
        """Take received bytes, any cut; return the valid frames that they completed, in order."""
        self.expire(now_us)
        *pieces, tail = data.split(DELIMITER)
        if pieces:
            pieces[0] = self._close(pieces[0])
        frames = [frame for piece in pieces if piece and (frame := self._parse(piece))]
        if tail:
            self._keep(tail, now_us)
        return frames

    def _keep(self, data: bytes, now_us: int) -> None:
        self._deadline_us = now_us + PARTIAL_US
        if self._too_long or len(self._partial) + len(data) > MAX_BODY:
            self._too_long = True
            self._partial.clear()
        else:
            self._partial += data

    def _close(self, last: bytes) -> bytes:
        """Return the piece that a delimiter ended; b"" when it was too long (and count that)."""
        if self._deadline_us is None:
            return last
        too_long = self._too_long
        piece = bytes(self._partial) + last
        self._forget_partial()
        if too_long:
            self.counters.length += 1
            self.damaged += 1
            return b""
        return piece

    def _forget_partial(self) -> None:
        self._partial.clear()
        self._too_long = False
        self._deadline_us = None

    def _parse(self, piece: bytes) -> Frame | None:
        """Return the frame of one piece between delimiters, or count why there is none."""
        data = self._undamaged(piece)
        if data is None:
            self.damaged += len(piece) >= MIN_DAMAGED
            return None
        kind, flags, channel, seq, ack, length = HEADER.unpack_from(data)
        counters = self.counters
        frame_type = _TYPES.get(kind)
        if frame_type is None:
            if kind & ~_TYPE_BITS == _VERSION_BITS:
                counters.type += 1
            else:
                counters.version += 1
            return None
        if flags > _FLAGS:
            counters.flags += 1
            return None
        if length != len(data) - HEADER.size:
            counters.length_field += 1
            return None
        counters.accepted += 1
        return Frame(frame_type, flags, channel, seq, ack, data[HEADER.size :])

    def _undamaged(self, piece: bytes) -> bytes | None:
        """Return header and payload, or count the first check that failed."""
        counters = self.counters
        if not MIN_BODY <= len(piece) <= MAX_BODY:
            counters.length += 1
            return None
        body = piece[:-CHECK_BYTES]
        check = int.from_bytes(piece[-CHECK_BYTES:], "little")
        if check & _CHECK_FORM_MASK != _CHECK_FORM:
            counters.check_form += 1
            return None
        if check != spread_crc(crc32c(body)):
            counters.crc += 1
            return None
        try:
            data = cobs.decode(body)
        except RemoteError:
            data = b""
        if len(data) < HEADER.size:
            counters.cobs += 1
            return None
        return data
