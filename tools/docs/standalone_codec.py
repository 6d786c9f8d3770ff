"""One frame to bytes and back, with nothing but the standard library."""

import struct


def crc32c(data: bytes) -> int:
    """CRC-32C, one bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def check_bytes(body: bytes) -> bytes:
    """K: the CRC in groups of 7 bits, low first, bit 7 set."""
    crc = crc32c(body)
    return bytes(0x80 | crc >> shift & 0x7F for shift in (0, 7, 14, 21, 28))


def stuff(data: bytes) -> bytes:
    """COBS."""
    runs = data.split(b"\0")
    out = b""
    for number, run in enumerate(runs, 1):
        while len(run) > 254:
            out += b"\xff" + run[:254]
            run = run[254:]
        out += bytes([len(run) + 1]) + run
        if len(run) == 254 and number < len(runs):
            out += b"\x01"
    return out


def unstuff(data: bytes) -> bytes:
    """COBS, back."""
    out = b""
    while data:
        code = data[0]
        block, data = data[1:code], data[code:]
        if len(block) != code - 1:
            raise ValueError("block over the end")
        out += block + (b"\0" if code < 255 and data else b"")
    return out


def encode(kind: int, flags: int, channel: int, seq: int, ack: int, payload: bytes) -> bytes:
    """A frame on the wire."""
    header = struct.pack("<BBHBBH", 1 << 5 | kind, flags, channel, seq, ack, len(payload))
    body = stuff(header + payload)
    return b"\0" + body + check_bytes(body) + b"\0"


def decode(piece: bytes) -> tuple[int, int, int, int, int, bytes]:
    """What stood between two delimiters: (kind, flags, channel, seq, ack, payload)."""
    body, check = piece[:-5], piece[-5:]
    if not 14 <= len(piece) <= 495 or check != check_bytes(body):
        raise ValueError("damaged")
    data = unstuff(body)
    first, flags, channel, seq, ack, length = struct.unpack_from("<BBHBBH", data)
    if first >> 5 != 1 or flags > 0x1F or length != len(data) - 8:
        raise ValueError("not a frame of version 1")
    return first & 0x1F, flags, channel, seq, ack, data[8:]
