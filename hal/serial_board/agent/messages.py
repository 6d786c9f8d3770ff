"""The message table of the wire, as in protocol/board_messages.py; a test holds both together.

A layout is parts with blanks between: `struct` formats (little-endian), "text" or "blob" with the
most bytes that fit.
"""

import struct

DICTIONARY_ID = 0x9655E18A
"""Checksum of the whole table: ends whose tables differ do not move a motor together."""

LAYOUTS = (
    "II",
    "IIQ text32 IBIIIIHH",
    "IIQ",
    "",
    "Q",
    "B",
    "I",
    "I blob240 I",
    "I blob128",
    "I",
    "Q blob240",
    "BIQIIBBBBHHIII",
    "H",
    "B",
    "Q",
    "I",
    "II",
    "Q",
    "QQ",
    "Q",
    "Q",
)
"""By message number."""

ATTACH = 0
ATTACHED = 1
DISPENSE = 2
STOP_MOTOR = 3
ARM_ENCODER = 4
SWITCH_SUPPLY = 5
FLASH_READ = 6
FLASH_DATA = 7
FLASH_PROGRAM = 8
FLASH_ERASE = 9
TELEMETRY = 10
REPORT = 11
ARM_LOW_VOLTAGE = 12
SOUND = 13
ARM_WATCHDOG = 14
SET_WALL_CLOCK = 15
LOWER_GUARD = 16
TICK = 17
TOCK = 18

MOTOR_DONE = 1
ENCODER_LIMIT = 2
LOW_VOLTAGE = 4
FLASH_DONE = 8
FLASH_FAILED = 16

POWER_ON = 0
COMMANDED = 1
SILENCE = 2
WATCHDOG = 3
RATE_GUARD = 4
LINE = 5

RADIO = 1
MAGNET = 2
SOUNDER = 4
ENCODER_CUT = 8
COMPARATOR = 16
NO_LEVEL = 0xFFFFFFFF
"""In a report: the board has no level sensor."""

REPORT_INTERVAL_US = 50_000
SILENCE_US = 500_000
FLASH_DATA_MAX = 240
FLASH_PAGE_MAX = 128
TELEMETRY_DATA_MAX = 240
TELEMETRY_WINDOW = 1024

_BYTES = ("text", "blob")


def pack(number, *values):
    """Return the fields of a message, without its number."""
    out = b""
    at = 0
    for part in LAYOUTS[number].split():
        if part[:4] in _BYTES:
            out += bytes((len(values[at]),)) + values[at]
            at += 1
        else:
            out += struct.pack("<" + part, *values[at : at + len(part)])
            at += len(part)
    return out


def unpack(number, data):
    """Return the list of the fields; None: `data` is not exactly one such message."""
    values = []
    at = 0
    for part in LAYOUTS[number].split():
        is_bytes = part[:4] in _BYTES
        size = 1 if is_bytes else struct.calcsize("<" + part)
        if at + size > len(data):
            return None
        if is_bytes:
            size += data[at]
            if data[at] > int(part[4:]) or at + size > len(data):
                return None
            values.append(data[at + 1 : at + size])
        else:
            values += struct.unpack_from("<" + part, data, at)
        at += size
    return values if at == len(data) else None
