"""What a controller and a pump board say to each other over a serial line.

A message is its number in `BOARD_MESSAGES`, one byte, then its fields (`protocol.codec`), and
travels in one of three ways, channel 0:

- HELLO and HELLO_RSP carry `Attach` and `Attached` alone, without the number
- HAL_CMD to the board and HAL_RSP from it are numbered and repeated (`protocol.board_link`)
- HAL_TIME is sent once, unnumbered: `Tick`, `Tock`, and in lock-step `Grant`, `Reached`

The board says all it knows in one `Report`: when something has happened, and every
`REPORT_INTERVAL_US` in any case. A command is answered by nothing but the reports after it.

The controller says that it lives: it sends a `Tick` every `TICK_INTERVAL_US`, only while it waits
for interrupts. A board that hears no valid frame for `SILENCE_US` ends its session by itself: it
begins no further stroke, cuts the motor's supply when the one under way is finished, and waits for
the next Attach. The answer to that says the cause.
"""

import enum
from typing import Final

from protocol import codec
from protocol.codec import BLOB, TEXT, Message, message, wire
from protocol.crc import crc32c
from protocol.errors import LocalError, RemoteError

REPORT_INTERVAL_US: Final = 50_000
"""Longest time between two reports: 20 a second take a tenth of a line of 115,200 baud."""
TICK_INTERVAL_US: Final = 100_000
"""From one Tick to the next."""
SILENCE_US: Final = 500_000
"""The dead-man time: four Ticks in a row may be lost."""
NO_GUARD: Final = 0xFFFF_FFFF
"""A rate guard that is not set."""
NO_LEVEL: Final = 0xFFFF_FFFF
"""The level where there is no sensor, or it cannot be read."""
FLASH_DATA_MAX: Final = 240
"""Flash content in one message: with its address and length below a BLOB's 255 bytes."""
FLASH_PAGE_MAX: Final = 128
"""Largest page a board may state: the largest power of two that fits one `FlashProgram`."""
TELEMETRY_DATA_MAX: Final = 240
"""Telemetry bytes in one message."""
TELEMETRY_WINDOW: Final = 1024
"""Telemetry bytes under way in each direction, at most: two of the largest telemetry frames, and
less than 100 ms of a line of 115,200 baud."""


class BoardCause(enum.IntEnum):
    """Why the board's last session ended that a controller took up: was heard after Attach."""

    POWER_ON = 0
    """The board has lost power since: its encoder counts from 0."""
    COMMANDED = 1
    """Another Attach, in time."""
    SILENCE = 2
    """The dead-man: nothing was heard for SILENCE_US."""
    WATCHDOG = 3
    """The controller missed the deadline it had set."""
    RATE_GUARD = 4
    """A batch was more than the board's rate guard allows."""
    LINE = 5
    """What came could not be understood, or was not acknowledged."""
    LOW_VOLTAGE = 6
    """The supply fell below what the board needs."""


class Capability(enum.IntFlag):
    """What not every board has."""

    RADIO = 1
    """Telemetry."""
    MAGNET = 2
    """A field sensor."""
    SOUNDER = 4
    """A piezo."""
    ENCODER_CUT = 8
    """Cuts the motor's supply by itself when the encoder passes its limit."""
    LOW_VOLTAGE = 16
    """Watches the loaded voltage by itself."""
    LEVEL = 32
    """A level sensor in the reservoir."""


@message
class Attach(Message):
    """A controller takes the board: it is reset, and both ends count from 0 again.

    The same session again is a repetition of one message: it resets nothing. A board that has
    another dictionary answers and stays as it is.
    """

    session: int = wire("I", doc="chosen by the controller, another one at every attach")
    dictionary: int = wire("I", doc="`DICTIONARY_ID` of the controller")


@message
class Attached(Message):
    """Answer to Attach: what the board is, and why its last session ended."""

    session: int = wire("I", doc="from Attach")
    dictionary: int = wire("I", doc="`DICTIONARY_ID` of the board")
    board_id: int = wire("Q", doc="of this one board, for its life")
    agent: str = wire(TEXT, maximum=32, doc="what runs on it, with its version")
    capabilities: int = wire("I", doc="bits of `Capability`")
    cause: BoardCause = wire("B", values=BoardCause, doc="why the last session ended")
    lookahead_us: int = wire("I", unit="µs", doc="longest batch of more than one stroke")
    guard_hour: int = wire("I", doc="strokes the rate guard allows in any hour")
    guard_day: int = wire("I", doc="strokes the rate guard allows in any 24 h")
    flash_bytes: int = wire("I", unit="byte", doc="size of the flash")
    sector_bytes: int = wire("H", unit="byte", doc="erased as one")
    page_bytes: int = wire("H", unit="byte", doc="a FlashProgram stays inside one; at most 128")


@message
class Dispense(Message):
    """Begin a batch now. A batch number not above the last one is not acted on."""

    batch: int = wire("I", doc="rises with every batch, from 1")
    strokes: int = wire("I", doc="how many")
    interval_us: int = wire("Q", unit="µs", doc="from one stroke's end to the next one's")


@message
class StopMotor(Message):
    """Begin no further stroke."""


@message
class ArmEncoder(Message):
    """Report ENCODER_LIMIT when the strokes moved pass the limit, and cut the supply there."""

    limit: int = wire("Q", doc="strokes since power-on")


@message
class SwitchSupply(Message):
    """Close or open the motor's power gate."""

    on: int = wire("B", doc="1: the motor has power; 0: cut")


@message
class FlashRead(Message):
    """Ask for the content from an address on; answered by one FlashData."""

    address: int = wire("I", unit="byte", doc="first byte wanted")


@message
class FlashData(Message):
    """Flash content: these bytes, then a run of erased ones. Together at least one byte."""

    address: int = wire("I", unit="byte", doc="from FlashRead")
    data: bytes = wire(BLOB, maximum=FLASH_DATA_MAX, doc="content from there on")
    erased: int = wire("I", unit="byte", doc="how many 0xFF follow it")


@message
class FlashProgram(Message):
    """Clear bits within a page; ends with FLASH_DONE or FLASH_FAILED in a report."""

    address: int = wire("I", unit="byte", doc="first byte")
    data: bytes = wire(BLOB, maximum=FLASH_PAGE_MAX, doc="each byte ends as old AND new")


@message
class FlashErase(Message):
    """Set the bits of one sector; ends with FLASH_DONE or FLASH_FAILED in a report."""

    address: int = wire("I", unit="byte", doc="start of the sector")


@message
class Telemetry(Message):
    """Telemetry bytes, either way, and how many of the other end's bytes were taken on.

    An end sends no more than 1024 bytes that the other has not yet said to have taken on.
    """

    taken: int = wire("Q", unit="byte", doc="of the other's bytes, since Attach")
    data: bytes = wire(BLOB, maximum=TELEMETRY_DATA_MAX, doc="bytes; may be none")


@message
class Report(Message):
    """What has happened on the board since the last report, and how things are now."""

    interrupts: int = wire(
        "B",
        doc="bits of MOTOR_DONE 1, ENCODER_LIMIT 2, LOW_VOLTAGE 4, FLASH_DONE 8, FLASH_FAILED 16",
    )
    executed: int = wire("I", doc="numbered messages of the controller acted on, since Attach")
    board_us: int = wire("Q", unit="µs", doc="board's clock when all this was sampled")
    commanded: int = wire("I", doc="strokes driven to their end since Attach, moved or not")
    moved: int = wire("I", doc="whole strokes the rotor has moved since power-on")
    supply_enabled: int = wire("B", doc="1: the motor has power")
    field_present: int = wire("B", doc="1: a programmer's head is near")
    magnet: int = wire("B", doc="1: a field strong enough to matter; 0 without a sensor")
    battery_present: int = wire("B", doc="0: taken out")
    rest_mv: int = wire("H", unit="mV", doc="battery voltage, motor idle")
    loaded_mv: int = wire("H", unit="mV", doc="battery voltage, motor driven")
    wall_s: int = wire("I", unit="s", doc="wall clock since 2000-01-01; 0: never set")
    flash_crc: int = wire("I", doc="CRC-32C of what the last flash operation touched, read back")
    level_nl: int = wire(
        "I",
        unit="nL",
        doc="reservoir volume that the level sensor shows; 4294967295: not read, or no sensor",
        default=NO_LEVEL,
    )


@message
class ArmLowVoltage(Message):
    """Report LOW_VOLTAGE once when the loaded voltage is or falls below the threshold."""

    threshold_mv: int = wire("H", unit="mV", doc="0 never")


@message
class Sound(Message):
    """Play a tone once, in place of one that plays; or be silent."""

    pattern: int = wire("B", doc="0 silence, 1 critical, 2 non-critical")


@message
class ArmWatchdog(Message):
    """End the session 1 s after a deadline, unless armed again before."""

    within_us: int = wire("Q", unit="µs", doc="until the deadline, from now on")


@message
class SetWallClock(Message):
    """Set the wall clock."""

    wall_s: int = wire("I", unit="s", doc="since 2000-01-01T00:00:00")


@message
class LowerGuard(Message):
    """Lower the rate guard; a limit above the present one changes nothing.

    The guard and what it has counted stay for as long as the board has power. A batch that would
    pass it is not begun, and ends the session.
    """

    hour: int = wire("I", doc="strokes in any hour")
    day: int = wire("I", doc="strokes in any 24 h")


@message
class Tick(Message):
    """The controller lives; its time."""

    host_us: int = wire("Q", unit="µs", doc="controller's clock when this was sent")


@message
class Tock(Message):
    """Answer to Tick, at once."""

    host_us: int = wire("Q", unit="µs", doc="from Tick")
    board_us: int = wire("Q", unit="µs", doc="board's clock when this was sent")


@message
class Grant(Message):
    """Lock-step: the board's time may go this far, but not past the instant it sends something."""

    until_us: int = wire("Q", unit="µs", doc="since the board began")


@message
class Reached(Message):
    """Lock-step, last answer to Grant: how far the board's time has gone."""

    now_us: int = wire("Q", unit="µs", doc="since the board began")


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
    ArmLowVoltage,
    Sound,
    ArmWatchdog,
    SetWallClock,
    LowerGuard,
    Tick,
    Tock,
    Grant,
    Reached,
)
"""A message's place is its number on the wire: new ones go to the end."""


def dictionary_text() -> str:
    """Return the table in one line each: number, name, and name:kind of the fields, in order."""
    return "".join(
        f"{number} {message.__name__} "
        + " ".join(f"{name}:{field.kind}" for name, field in codec.fields(message))
        + "\n"
        for number, message in enumerate(BOARD_MESSAGES)
    )


DICTIONARY_ID: Final = crc32c(dictionary_text().encode())
"""Two ends whose tables differ do not move a motor together."""

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
