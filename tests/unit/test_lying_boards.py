"""A board that is not the one it was, or does not say what is true (A35)."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from serial_rig import SECOND_US, SerialRig, edited

from hal.errors import HalLost, HalMismatch
from hal.interrupts import MOTOR_DONE
from hal.serial_board import SerialBoard
from hal.serial_board.link import LOST_US
from protocol import board_messages, codec
from protocol.board_messages import SILENCE_US, Attached, Report, Tock
from protocol.codec import Message
from protocol.framing import Frame, FrameType, encode

INTERVAL_US = 100_000
Change = Callable[[Any], Message | None]


def _lies(about: type[Message], change: Change) -> Callable[[bytes], bytes]:
    """A line on which each message of one type comes changed."""

    def edit(frame: Frame) -> Frame | None:
        greeting = frame.type is FrameType.HELLO_RSP
        if not greeting and frame.type not in (FrameType.HAL_RSP, FrameType.HAL_TIME):
            return frame
        message = (
            codec.decode(Attached, frame.payload)
            if greeting
            else board_messages.decode(frame.payload)
        )
        if type(message) is not about:
            return frame
        changed = change(message)
        if changed is None:
            return None
        write = codec.encode if greeting else board_messages.encode
        return frame._replace(payload=write(changed))

    return edited(edit)


def _with(**values: Any) -> Change:
    return lambda message: dataclasses.replace(message, **values)


# --- another board ---


class _Socket:
    """A `ByteStream` that can be plugged into another board."""

    def __init__(self, rig: SerialRig) -> None:
        self.rig = rig

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rig.line, name)


def test_another_board_than_before_is_refused() -> None:
    first, second = SerialRig(seed=1, attach=False), SerialRig(seed=2, attach=False)
    socket = _Socket(first)
    board = SerialBoard(socket)
    board.attach(1)
    socket.rig = second
    with pytest.raises(HalMismatch, match=r"this is board [0-9a-f]{16}, not [0-9a-f]{16}"):
        board.attach(2)
    with pytest.raises(HalLost):
        board.motor.dispense(1, INTERVAL_US)
    socket.rig = first
    board.attach(3)
    board.supply.enable()


def test_the_same_board_is_the_same_after_power_was_lost() -> None:
    rig = SerialRig()
    before = rig.board.identity
    rig.emulated.power_cut(SECOND_US)
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    rig.board.attach(2)
    assert before is not None
    assert rig.board.identity is not None
    assert rig.board.identity.board_id == before.board_id


@pytest.mark.parametrize(
    "values",
    [
        {"dictionary": 1},
        {"flash_bytes": 0},
        {"sector_bytes": 0},
        {"sector_bytes": 4097},
        {"page_bytes": 0},
        {"page_bytes": 129},
    ],
    ids=str,
)
def test_a_board_that_cannot_do_is_refused(values: dict[str, int]) -> None:
    rig = SerialRig(attach=False)
    rig.line.spoil(to_host=_lies(Attached, _with(**values)))
    with pytest.raises(HalMismatch) as caught:
        rig.board.attach(1)
    assert "\n" not in str(caught.value)
    with pytest.raises(HalLost):
        rig.board.wait_for_interrupt(SECOND_US)


def test_a_board_of_another_dictionary_whose_answer_is_longer_is_refused() -> None:
    rig = SerialRig(attach=False)

    def longer(frame: Frame) -> Frame:
        if frame.type is FrameType.HELLO_RSP:
            return frame._replace(payload=frame.payload[:4] + bytes(60))
        return frame

    rig.line.spoil(to_host=edited(longer))
    with pytest.raises(HalMismatch, match="dictionary"):
        rig.board.attach(1)


def test_a_controller_of_another_dictionary_does_not_disturb_the_board() -> None:
    rig = SerialRig()
    rig.board.supply.enable()
    rig.board.motor.dispense(10, INTERVAL_US)
    rig.run(150_000)
    attach = codec.encode(board_messages.Attach(9, 1))
    rig.line.write(encode(Frame(FrameType.HELLO, 0, 0, 0, 0, attach)))
    rig.wait(MOTOR_DONE)
    assert rig.turned == 10


# --- counts that cannot be ---


def _running(rig: SerialRig) -> None:
    rig.board.supply.enable()
    rig.board.motor.dispense(19, INTERVAL_US)
    rig.run(SECOND_US)


@pytest.mark.parametrize(
    "values",
    [{"moved": 3}, {"commanded": 3}, {"board_us": 1}, {"executed": 1}, {"executed": 1000}],
    ids=str,
)
def test_a_report_whose_counts_cannot_be_ends_it(values: dict[str, int]) -> None:
    rig = SerialRig()
    _running(rig)
    rig.line.spoil(to_host=_lies(Report, _with(**values)))
    told_us = rig.world.now_us
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    assert rig.world.now_us - told_us <= 2 * board_messages.REPORT_INTERVAL_US
    rig.world.run_until(told_us + 5 * SECOND_US)
    assert rig.turned <= 10 + (SILENCE_US + INTERVAL_US) // INTERVAL_US
    assert not rig.emulated.supply.enabled


def test_a_board_that_answers_but_reports_no_more_is_lost() -> None:
    rig = SerialRig()
    _running(rig)
    rig.line.spoil(to_host=_lies(Report, lambda _: None))
    told_us = rig.world.now_us
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    assert rig.world.now_us - told_us <= LOST_US


def test_a_board_that_reports_but_does_not_answer_is_lost() -> None:
    rig = SerialRig()
    _running(rig)
    rig.line.spoil(to_host=_lies(Tock, lambda _: None))
    told_us = rig.world.now_us
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    assert rig.world.now_us - told_us <= LOST_US


def test_a_board_that_was_recorded_and_is_played_again_is_lost() -> None:
    """Its numbers fit, its counts too: the record is of this session, and played from its start."""
    rig = SerialRig()
    record: list[bytes] = []

    def listen(data: bytes) -> bytes:
        record.append(data)
        return data

    rig.line.spoil(to_host=listen)
    rig.run(256 * board_messages.REPORT_INTERVAL_US)
    played = iter(record * 100)
    rig.line.spoil(to_host=lambda data: next(played) if data else b"")
    told_us = rig.world.now_us
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    assert rig.world.now_us - told_us <= LOST_US
