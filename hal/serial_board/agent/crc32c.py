"""CRC-32C from a table, in two halves of 16 bits.

A 32-bit number is a heap object on the Pico, a 16-bit one is not: nothing is allocated per byte.
"""

import array

import micropython

_LOW = array.array("H", bytes(512))
_HIGH = array.array("H", bytes(512))


def _fill():
    for index in range(256):
        crc = index
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        _LOW[index] = crc & 0xFFFF
        _HIGH[index] = crc >> 16


_fill()


class Crc:
    """A CRC of parts: `add` them, then read `value`."""

    def __init__(self):
        self.low = self.high = 0xFFFF

    @micropython.native
    def add(self, data):
        """Take the next bytes."""
        low, high = self.low, self.high
        table_low, table_high = _LOW, _HIGH
        for byte in data:
            index = (low ^ byte) & 0xFF
            low = (low >> 8 | (high & 0xFF) << 8) ^ table_low[index]
            high = high >> 8 ^ table_high[index]
        self.low, self.high = low, high

    def value(self):
        """Return the CRC of all that was added."""
        return (self.high ^ 0xFFFF) << 16 | self.low ^ 0xFFFF


def spread(data):
    """Return the five bytes K that follow the body `data` of a frame."""
    crc = Crc()
    crc.add(data)
    low, high = crc.low ^ 0xFFFF, crc.high ^ 0xFFFF
    return bytes(
        (
            low & 0x7F | 0x80,
            low >> 7 & 0x7F | 0x80,
            (low >> 14 | high << 2) & 0x7F | 0x80,
            high >> 5 & 0x7F | 0x80,
            high >> 12 | 0x80,
        )
    )
