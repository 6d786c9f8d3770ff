"""COBS: bytes without zeros, so that 0x00 can mark where a frame ends.

Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999). The data is cut into blocks at its
zeros; each block is a code byte 1..255 and the code - 1 bytes that follow it. A block stands for
its bytes and one zero, except that neither the last block nor one of code 255 stands for a zero.
The cost is one byte for each started 254.

Both directions take one step per block, not per byte.
"""

from typing import Final

from protocol.errors import RemoteError

FULL: Final = 254
"""Data bytes of the longest block, the one of code 255."""
_CODES: Final = [bytes([code]) for code in range(1, FULL + 1)]
_EMPTY: Final = b"\x01"
_FULL_CODE: Final = b"\xff"


def encode(data: bytes) -> bytes:
    """Return the shortest encoding of any bytes, the empty ones too: 1..255 only."""
    runs = data.split(b"\0")
    try:
        return b"".join([_CODES[len(run)] + run if run else _EMPTY for run in runs])
    except IndexError:
        return b"".join(_blocks(runs))


def _blocks(runs: list[bytes]) -> list[bytes]:
    """Return the blocks of runs between zeros when some are too long for one block."""
    blocks = []
    rest = b""
    for run in runs:
        rest = run
        while len(rest) >= FULL:
            blocks.append(_FULL_CODE + rest[:FULL])
            rest = rest[FULL:]
        blocks.append(_CODES[len(rest)] + rest)
    if runs[-1] and not rest:
        blocks.pop()  # a full block that ends the data needs no empty one after it
    return blocks


def decode(encoded: bytes) -> bytes:
    """Return the data. Raises RemoteError for bytes that are no encoding of anything.

    An empty block after a full one at the end is taken too: some encoders write it.
    """
    if not encoded or 0 in encoded:
        raise RemoteError(f"COBS: {'a zero in' if encoded else 'only'} {len(encoded)} bytes")
    data = bytearray(encoded)
    end = len(data)
    at = 0
    after_full = []
    while at < end:
        code = data[at]
        data[at] = 0  # its place becomes the zero that the block before it stands for
        at += code
        if code > FULL:
            after_full.append(at)
    if at != end:
        raise RemoteError(f"COBS: block ends at {at} of {end}")
    for place in reversed(after_full):
        del data[place : place + 1]
    return bytes(data[1:])
