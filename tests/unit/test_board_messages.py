"""The board messages: the bytes that a board maker writes against, locked."""

import pytest

from hal import interrupts
from protocol import board_messages
from protocol.board_messages import (
    BOARD_MESSAGES,
    FLASH_DATA_MAX,
    FLASH_PAGE_MAX,
    TELEMETRY_DATA_MAX,
    ArmEncoder,
    Attach,
    Attached,
    Dispense,
    FlashData,
    FlashErase,
    FlashProgram,
    FlashRead,
    Report,
    StopMotor,
    SwitchSupply,
    Telemetry,
)
from protocol.codec import Message, fields
from protocol.errors import LocalError, RemoteError
from protocol.messages import MAX_PAYLOAD, Empty

LOCKED: list[tuple[Message, str]] = [
    (Attach(7), "00 07000000"),
    (Attached(7, 2_000_000, 589_824, 4096, 128), "01 07000000 80841e00 00000900 0010 8000"),
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
        Report(1, 2, 3, 4, 5, 1, 0, 0xE3069283),
        "0b 01 02000000 0300000000000000 04000000 05000000 01 00 839206e3",
    ),
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
    for bit in ("MOTOR_DONE", "ENCODER_LIMIT", "FLASH_DONE", "FLASH_FAILED"):
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


@pytest.mark.parametrize("payload", [b"", b"\x0c", b"\xff", b"\x03\x00", b"\x00\x01", b"\x05"])
def test_anything_else_is_refused(payload: bytes) -> None:
    with pytest.raises(RemoteError):
        board_messages.decode(payload)


def test_a_message_of_another_table_is_not_sent() -> None:
    with pytest.raises(LocalError):
        board_messages.encode(Empty())
