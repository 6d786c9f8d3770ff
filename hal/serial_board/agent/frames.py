"""Frames on the line, and the numbered link over it: the board's end of protocol/board_link.py.

Each image begins with a delimiter: what is left of a frame that was cut off ends there, so nothing
needs a timer to be dropped.
"""

import struct

import cobs
import crc32c

ACK = 2
HELLO = 5
HELLO_RSP = 6
HAL_CMD = 24
HAL_RSP = 25
HAL_TIME = 26
_TYPES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 24, 25, 26)

_VERSION = 1 << 5
_ACK_VALID = 8
_FLAGS = 0x1F
_HEADER = "<BBHBBH"
_HEADER_BYTES = 8
_CHECK_BYTES = 5
_MIN_BODY = _HEADER_BYTES + 1 + _CHECK_BYTES
_MAX_BODY = 495

WINDOW = 4
"""Numbered frames under way."""
REPEAT_US = 60_000
"""Without acknowledgement for this long, and twice the time on the wire, all are sent again."""
SENDS_MAX = 24
"""Sends of one frame, then the session is over."""


def image(kind, flags, seq, ack, payload):
    """Return the wire image of a frame on channel 0."""
    header = struct.pack(_HEADER, _VERSION | kind, flags, 0, seq & 0xFF, ack & 0xFF, len(payload))
    body = cobs.encode(header + payload)
    return b"\0" + body + crc32c.spread(body) + b"\0"


def parse(piece):
    """Return (type, flags, channel, seq, ack, payload) of a piece between delimiters, or None."""
    if not _MIN_BODY <= len(piece) <= _MAX_BODY:
        return None
    body = piece[:-_CHECK_BYTES]
    if crc32c.spread(body) != piece[-_CHECK_BYTES:]:
        return None
    data = cobs.decode(body)
    if data is None or len(data) < _HEADER_BYTES:
        return None
    kind, flags, channel, seq, ack, length = struct.unpack_from(_HEADER, data)
    kind ^= _VERSION
    if kind not in _TYPES or flags > _FLAGS or length != len(data) - _HEADER_BYTES:
        return None
    return kind, flags, channel, seq, ack, bytes(data[_HEADER_BYTES:])


class Deframer:
    """Bytes in, frames out; keeps one unfinished frame."""

    def __init__(self):
        self._partial = bytearray()
        self._too_long = False

    def feed(self, data):
        """Take bytes, any cut; return the frames that they complete."""
        frames = []
        start = 0
        while True:
            end = data.find(b"\0", start)
            self._keep(data[start:] if end < 0 else data[start:end])
            if end < 0:
                return frames
            if self._partial and not self._too_long:
                frame = parse(bytes(self._partial))
                if frame:
                    frames.append(frame)
            self._partial = bytearray()
            self._too_long = False
            start = end + 1

    def _keep(self, data):
        if self._too_long or len(self._partial) + len(data) > _MAX_BODY:
            self._too_long = True
            self._partial = bytearray()
        else:
            self._partial += data


class Link:
    """Numbered frames out and in. A session that is shut takes and sends none."""

    def __init__(self, baud):
        self._baud = baud
        self._deframer = Deframer()
        self._frames = []
        self._unnumbered = b""
        self.shut()

    def shut(self):
        """Forget all that is under way until `restart`."""
        self.started = False
        self._flight = []
        self._first = 0
        self._fresh = 0
        self._sends_of_first = 0
        self._expected = 0
        self._ack_due = False
        self.deadline_us = None

    def restart(self):
        """Number from 0 in both directions."""
        self.shut()
        self.started = True

    def room(self):
        """Return how many payloads `send` takes now."""
        return WINDOW - len(self._flight) if self.started else 0

    def say(self, kind, payload):
        """Send a frame once, outside the numbers."""
        self._unnumbered += image(kind, 0, 0, 0, payload)

    def send(self, payload):
        """Send a payload until it is acknowledged; needs `room`."""
        self._flight.append(payload)

    def feed(self, data):
        """Take received bytes."""
        self._frames += self._deframer.feed(data)

    def take(self):
        """Return (type, payload) of the next frame to act on; None: no more for now."""
        while self._frames:
            kind, flags, channel, seq, ack, payload = self._frames.pop(0)
            if channel:
                continue
            if kind == HELLO:
                return kind, payload
            if not self.started:
                continue
            if kind == HAL_TIME:
                return kind, payload
            if flags == _ACK_VALID:
                self._acknowledged((ack - self._first) & 0xFF)
                if kind == HAL_CMD and self._is_next(seq):
                    return kind, payload
        return None

    def outgoing(self, now_us):
        """Take the bytes to write now; None: the last repetition has failed."""
        if self.deadline_us is not None and now_us >= self.deadline_us:
            self._fresh = 0
            self.deadline_us = None
        if self._fresh == 0 and self._flight:
            self._sends_of_first += 1
            if self._sends_of_first > SENDS_MAX:
                return None
        out, self._unnumbered = self._unnumbered, b""
        numbered = b""
        while self._fresh < len(self._flight):
            payload = self._flight[self._fresh]
            numbered += self._image(HAL_RSP, self._first + self._fresh, payload)
            self._fresh += 1
        if numbered:
            wire_us = len(numbered) * 10_000_000 // self._baud
            self.deadline_us = now_us + REPEAT_US + 2 * wire_us
        if self._ack_due:
            numbered += self._image(ACK, self._first, b"")
        return out + numbered

    def _image(self, kind, seq, payload):
        self._ack_due = False
        return image(kind, _ACK_VALID, seq, self._expected, payload)

    def _is_next(self, seq):
        self._ack_due = True
        if seq != self._expected & 0xFF:
            return False
        self._expected += 1
        return True

    def _acknowledged(self, count):
        """Let go of the `count` oldest frames, if that many were sent."""
        if 0 < count <= self._fresh:
            del self._flight[:count]
            self._first += count
            self._fresh -= count
            self._sends_of_first = 1 if self._fresh else 0
            if not self._fresh:
                self.deadline_us = None
