"""A controller's end of the MicroPython agent's line, for tests."""

import pytest
from micropython_board import MicroPythonBoard

from hal.errors import HalLost
from hal.interrupts import NONE
from hal.serial_board import SerialBoard
from hal.serial_board.port import SerialPort
from protocol.board_messages import BoardCause

SECOND_US = 1_000_000


def attached(agent: MicroPythonBoard, session: int = 1) -> SerialBoard:
    board = SerialBoard(SerialPort(agent.port))
    board.attach(session)
    return board


def wait_for(board: SerialBoard, bit: int, within_us: int = 10 * SECOND_US) -> int:
    """Return all interrupts until the one with `bit`, which must come in time."""
    end_us = board.clock.now_us() + within_us
    seen = NONE
    while not seen & bit:
        assert board.clock.now_us() < end_us, f"no interrupt {bit}, but {seen}"
        seen |= board.wait_for_interrupt(end_us)
    return seen


def run(board: SerialBoard, for_us: int) -> int:
    """Wait so long; return all interrupts that came."""
    end_us = board.clock.now_us() + for_us
    seen = NONE
    while board.clock.now_us() < end_us:
        seen |= board.wait_for_interrupt(end_us)
    return seen


def until_lost(board: SerialBoard) -> str:
    with pytest.raises(HalLost) as lost:
        run(board, 10 * SECOND_US)
    return str(lost.value)


def cause(board: SerialBoard) -> BoardCause:
    assert board.identity is not None
    return board.identity.cause
