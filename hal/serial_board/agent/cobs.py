"""COBS: bytes without zeros. One step per block, not per byte."""

_FULL = 254


def encode(data):
    """Return the shortest encoding."""
    out = bytearray()
    start, end = 0, len(data)
    while True:
        zero = data.find(b"\0", start)
        stop = zero if zero >= 0 else end
        while stop - start >= _FULL:
            out.append(_FULL + 1)
            out += data[start : start + _FULL]
            start += _FULL
            if start == end:
                return out  # a full block that ends the data needs no empty one after it
        out.append(stop - start + 1)
        out += data[start:stop]
        if zero < 0:
            return out
        start = zero + 1


def decode(data):
    """Return the bytes; None: this is no encoding of anything."""
    out = bytearray()
    at, end = 0, len(data)
    zero = False
    while at < end:
        code = data[at]
        if code == 0 or at + code > end:
            return None
        if zero:
            out.append(0)
        out += data[at + 1 : at + code]
        zero = code <= _FULL
        at += code
    return out
