"""What a controller and a pump board say to each other over a serial line.

A message is its number in `BOARD_MESSAGES`, one byte, then its fields (`protocol.codec`). `Attach`
and `Attached` are the bodies of a HELLO and a HELLO_RSP frame; all others travel numbered, in
HAL_CMD frames to the board and HAL_RSP frames from it, channel 0 (`protocol.board_link`).

The board says all it knows in one `Report`: when something has happened, and every
`REPORT_INTERVAL_US` in any case. A command is answered by nothing but the reports after it.
"""

from dataclasses import dataclass
from typing import Final

from protocol import codec
from protocol.codec import BLOB, Message, wire
from protocol.errors import LocalError, RemoteError

REPORT_INTERVAL_US: Final = 50_000
"""Longest time between two reports: 20 a second take a tenth of a line of 115,200 baud."""
FLASH_DATA_MAX: Final = 240
"""Flash content in one message: with its address and length below a BLOB's 255 bytes."""
FLASH_PAGE_MAX: Final = 128
"""Largest page a board may state: the largest power of two that fits one `FlashProgram`."""
TELEMETRY_DATA_MAX: Final = 240
"""Telemetry bytes in one message."""
TELEMETRY_WINDOW: Final = 1024
"""Telemetry bytes under way in each direction, at most: two of the largest telemetry frames, and
less than 100 ms of a line of 115,200 baud."""


@dataclass(frozen=True, slots=True)
class Attach(Message):
    """A controller takes the board: it is reset, and both ends count from 0 again.

    The same session again is a repetition of one message: it resets nothing.
    """

    session: int = wire("I", doc="chosen by the controller, another one at every attach")


@dataclass(frozen=True, slots=True)
class Attached(Message):
    """Answer to Attach: what the board is."""

    session: int = wire("I", doc="from Attach")
    lookahead_us: int = wire("I", unit="µs", doc="longest batch of more than one stroke")
    flash_bytes: int = wire("I", unit="byte", doc="size of the flash")
    sector_bytes: int = wire("H", unit="byte", doc="erased as one")
    page_bytes: int = wire("H", unit="byte", doc="a FlashProgram stays inside one; at most 128")


@dataclass(frozen=True, slots=True)
class Dispense(Message):
    """Begin a batch now. A batch number not above the last one is not acted on."""

    batch: int = wire("I", doc="rises with every batch, from 1")
    strokes: int = wire("I", doc="how many")
    interval_us: int = wire("Q", unit="µs", doc="from one stroke's end to the next one's")


@dataclass(frozen=True, slots=True)
class StopMotor(Message):
    """Begin no further stroke."""


@dataclass(frozen=True, slots=True)
class ArmEncoder(Message):
    """Report ENCODER_LIMIT when the strokes moved pass the limit, and cut the supply there."""

    limit: int = wire("Q", doc="strokes since power-on")


@dataclass(frozen=True, slots=True)
class SwitchSupply(Message):
    """Close or open the motor's power gate."""

    on: int = wire("B", doc="1: the motor has power; 0: cut")


@dataclass(frozen=True, slots=True)
class FlashRead(Message):
    """Ask for the content from an address on; answered by one FlashData."""

    address: int = wire("I", unit="byte", doc="first byte wanted")


@dataclass(frozen=True, slots=True)
class FlashData(Message):
    """Flash content: these bytes, then a run of erased ones. Together at least one byte."""

    address: int = wire("I", unit="byte", doc="from FlashRead")
    data: bytes = wire(BLOB, maximum=FLASH_DATA_MAX, doc="content from there on")
    erased: int = wire("I", unit="byte", doc="how many 0xFF follow it")


@dataclass(frozen=True, slots=True)
class FlashProgram(Message):
    """Clear bits within a page; ends with FLASH_DONE or FLASH_FAILED in a report."""

    address: int = wire("I", unit="byte", doc="first byte")
    data: bytes = wire(BLOB, maximum=FLASH_PAGE_MAX, doc="each byte ends as old AND new")


@dataclass(frozen=True, slots=True)
class FlashErase(Message):
    """Set the bits of one sector; ends with FLASH_DONE or FLASH_FAILED in a report."""

    address: int = wire("I", unit="byte", doc="start of the sector")


@dataclass(frozen=True, slots=True)
class Telemetry(Message):
    """Telemetry bytes, either way, and how many of the other end's bytes were taken on.

    An end sends no more than 1024 bytes that the other has not yet said to have taken on.
    """

    taken: int = wire("Q", unit="byte", doc="of the other's bytes, since Attach")
    data: bytes = wire(BLOB, maximum=TELEMETRY_DATA_MAX, doc="bytes; may be none")


@dataclass(frozen=True, slots=True)
class Report(Message):
    """What has happened on the board since the last report, and how things are now."""

    interrupts: int = wire("B", doc="MOTOR_DONE 1, ENCODER_LIMIT 2, FLASH_DONE 8, FLASH_FAILED 16")
    executed: int = wire("I", doc="numbered messages of the controller acted on, since Attach")
    board_us: int = wire("Q", unit="µs", doc="board's clock when all this was sampled")
    commanded: int = wire("I", doc="strokes driven to their end since Attach, moved or not")
    moved: int = wire("I", doc="whole strokes the rotor has moved since power-on")
    supply_enabled: int = wire("B", doc="1: the motor has power")
    field_present: int = wire("B", doc="1: a programmer's head is near")
    flash_crc: int = wire("I", doc="CRC-32C of what the last flash operation touched, read back")


BOARD_MESSAGES: Final[tuple[type[Message], ...]] = (
    Attach,
    Attached,
    Dispense,
    StopMotor,
    ArmEncoder,
    SwitchSupply,
    FlashRead,
    FlashData,
    FlashProgram,
    FlashErase,
    Telemetry,
    Report,
)
"""A message's place is its number on the wire: new ones go to the end."""

_NUMBER: Final = {message: number for number, message in enumerate(BOARD_MESSAGES)}


def encode(message: Message) -> bytes:
    """Return number and fields. Raises LocalError for a value that does not fit its field."""
    if type(message) not in _NUMBER:
        raise LocalError(f"{type(message).__name__} is no board message")
    return bytes((_NUMBER[type(message)],)) + codec.encode(message)


def decode(payload: bytes) -> Message:
    """Return the message that a frame carries. Raises RemoteError."""
    if not payload or payload[0] >= len(BOARD_MESSAGES):
        raise RemoteError(f"no board message: {payload[:1].hex() or 'empty'}")
    return codec.decode(BOARD_MESSAGES[payload[0]], payload[1:])
