"""The board messages: the bytes that a board maker writes against, locked."""

import pytest

from hal import interrupts
from protocol import board_messages
from protocol.board_messages import (
    BOARD_MESSAGES,
    FLASH_DATA_MAX,
    FLASH_PAGE_MAX,
    NO_GUARD,
    TELEMETRY_DATA_MAX,
    ArmEncoder,
    ArmLowVoltage,
    ArmWatchdog,
    Attach,
    Attached,
    BoardCause,
    Dispense,
    FlashData,
    FlashErase,
    FlashProgram,
    FlashRead,
    Grant,
    LowerGuard,
    Reached,
    Report,
    SetWallClock,
    Sound,
    StopMotor,
    SwitchSupply,
    Telemetry,
    Tick,
    Tock,
)
from protocol.codec import Message, fields
from protocol.errors import LocalError, RemoteError
from protocol.messages import MAX_PAYLOAD, Empty

LOCKED: list[tuple[Message, str]] = [
    (Attach(7, 0x04030201), "00 07000000 01020304"),
    (
        Attached(
            session=7,
            dictionary=0x04030201,
            board_id=0x1122334455667788,
            agent="agent 1",
            capabilities=31,
            cause=BoardCause.SILENCE,
            lookahead_us=2_000_000,
            guard_hour=100,
            guard_day=NO_GUARD,
            flash_bytes=589_824,
            sector_bytes=4096,
            page_bytes=128,
        ),
        "01 07000000 01020304 8877665544332211 076167656e742031 1f000000 02 80841e00"
        " 64000000 ffffffff 00000900 0010 8000",
    ),
    (Dispense(3, 40, 50_000), "02 03000000 28000000 50c3000000000000"),
    (StopMotor(), "03"),
    (ArmEncoder(41), "04 2900000000000000"),
    (SwitchSupply(1), "05 01"),
    (FlashRead(4096), "06 00100000"),
    (FlashData(4096, b"abc", 253), "07 00100000 03616263 fd000000"),
    (FlashProgram(258, b"\x01\x02"), "08 02010000 020102"),
    (FlashErase(8192), "09 00200000"),
    (Telemetry(300, b"xyz"), "0a 2c01000000000000 0378797a"),
    (
        Report(1, 2, 3, 4, 5, 1, 0, 1, 1, 2900, 2800, 86_400, 0xE3069283, 1),
        "0b 01 02000000 0300000000000000 04000000 05000000 01 00 01 01 540b f00a 80510100 839206e3"
        " 01000000",
    ),
    (ArmLowVoltage(2400), "0c 6009"),
    (Sound(1), "0d 01"),
    (ArmWatchdog(5_000_000), "0e 404b4c0000000000"),
    (SetWallClock(86_400), "0f 80510100"),
    (LowerGuard(40, 300), "10 28000000 2c010000"),
    (Tick(9), "11 0900000000000000"),
    (Tock(9, 8), "12 0900000000000000 0800000000000000"),
    (Grant(1_000_000), "13 40420f0000000000"),
    (Reached(999_999), "14 3f420f0000000000"),
]


@pytest.mark.parametrize(("message", "wire"), LOCKED, ids=lambda value: type(value).__name__)
def test_the_bytes_of_each_message_are_locked(message: Message, wire: str) -> None:
    assert board_messages.encode(message) == bytes.fromhex(wire)
    assert board_messages.decode(bytes.fromhex(wire)) == message


def test_every_message_is_locked() -> None:
    assert [type(message) for message, _ in LOCKED] == list(BOARD_MESSAGES)


def test_every_field_is_documented() -> None:
    undocumented = [
        f"{message.__name__}.{name}"
        for message in BOARD_MESSAGES
        for name, spec in fields(message)
        if not spec.doc
    ]
    assert not undocumented


def test_the_report_carries_the_interrupt_bits_of_the_hal() -> None:
    doc = dict(fields(Report))["interrupts"].doc
    for bit in ("MOTOR_DONE", "ENCODER_LIMIT", "LOW_VOLTAGE", "FLASH_DONE", "FLASH_FAILED"):
        assert f"{bit} {getattr(interrupts, bit)}" in doc


@pytest.mark.parametrize(
    "message",
    [
        FlashData(0, bytes(FLASH_DATA_MAX), 0),
        FlashProgram(0, bytes(FLASH_PAGE_MAX)),
        Telemetry(0, bytes(TELEMETRY_DATA_MAX)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_the_largest_of_each_fits_a_frame(message: Message) -> None:
    assert len(board_messages.encode(message)) <= MAX_PAYLOAD


@pytest.mark.parametrize("payload", [b"", b"\x15", b"\xff", b"\x03\x00", b"\x00\x01", b"\x05"])
def test_anything_else_is_refused(payload: bytes) -> None:
    with pytest.raises(RemoteError):
        board_messages.decode(payload)


def test_a_message_of_another_table_is_not_sent() -> None:
    with pytest.raises(LocalError):
        board_messages.encode(Empty())


def test_the_dictionary_is_locked() -> None:
    """It changes with every change of the table: the agents on real boards carry the number."""
    assert board_messages.DICTIONARY_ID == 0x9655E18A


def test_a_changed_field_changes_the_dictionary() -> None:
    text = board_messages.dictionary_text()
    assert "\n5 SwitchSupply on:B\n" in text
    assert text.count("\n") == len(BOARD_MESSAGES)
