"""The MicroPython agent on real PTYs, in real time, judged by the steps that its rotor made."""

import random
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from agent_rig import SECOND_US, attached, cause, run, until_lost, wait_for
from micropython_board import PINS, MicroPythonBoard

from firmware import layout
from hal.interfaces import ResetCause
from hal.interrupts import ENCODER_LIMIT, MOTOR_DONE
from hal.serial_board import SerialBoard
from hal.serial_board.port import SerialPort
from protocol import codec
from protocol.board_messages import (
    DICTIONARY_ID,
    SILENCE_US,
    TICK_INTERVAL_US,
    Attach,
    Attached,
    BoardCause,
    Capability,
)
from protocol.framing import Deframer, Frame, FrameType, encode

STROKE_US = 100_000
LATE_US = 250_000
"""What a busy machine may add to an instant, without the agent being at fault."""


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[MicroPythonBoard]:
    with MicroPythonBoard(tmp_path) as board:
        yield board
        assert board.running, board.log


def test_the_board_says_what_it_is(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    identity = board.identity
    assert identity is not None
    assert identity.board_id == 0x0807060504030201
    assert identity.agent == "itpump micropython 1"
    assert identity.capabilities == Capability(31)
    assert identity.cause is BoardCause.POWER_ON
    assert (identity.guard_hour, identity.guard_day) == (PINS.GUARD_HOUR, PINS.GUARD_DAY)
    assert board.motor.lookahead_us == PINS.LOOKAHEAD_US
    assert board.flash.size_bytes == layout.END
    assert not board.supply.enabled
    assert board.line.rtt_median_us < LATE_US


def test_it_delivers_what_it_is_told_at_its_time(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    board.supply.enable()
    for batch, strokes in enumerate((5, 1, 4), start=1):
        began_us = board.clock.now_us()
        board.motor.dispense(strokes, STROKE_US)
        wait_for(board, MOTOR_DONE)
        took_us = board.clock.now_us() - began_us
        assert strokes * STROKE_US <= took_us < strokes * STROKE_US + LATE_US, batch
    assert agent.strokes == board.encoder.moved().value == board.motor.strokes_commanded() == 10
    steps_us = agent.steps_us()[: 5 * PINS.STEPS]
    ends_us = steps_us[PINS.STEPS - 1 :: PINS.STEPS]
    intervals_us = [after - before for before, after in pairwise(ends_us)]
    assert median(intervals_us) == pytest.approx(STROKE_US, rel=0.1)


def test_strokes_that_are_asked_for_too_fast_are_all_made(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    board.supply.enable()
    board.motor.dispense(50, 1000)
    wait_for(board, MOTOR_DONE)
    assert agent.strokes == board.encoder.moved().value == 50
    between_us = [after - before for before, after in pairwise(agent.steps_us())]
    assert min(between_us) >= PINS.STEP_MIN_US


def test_the_line_can_be_a_uart(tmp_path: Path) -> None:
    with MicroPythonBoard(tmp_path, line="uart") as agent:
        board = attached(agent)
        board.supply.enable()
        board.motor.dispense(4, 20_000)
        wait_for(board, MOTOR_DONE)
        assert agent.strokes == board.encoder.moved().value == 4


def test_nothing_moves_without_the_supply(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    board.motor.dispense(3, STROKE_US)
    wait_for(board, MOTOR_DONE)
    assert board.motor.strokes_commanded() == 3
    assert board.encoder.moved().value == agent.strokes == len(agent.steps_us()) == 0


def test_a_stop_finishes_the_stroke_under_way(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    board.supply.enable()
    board.motor.dispense(10, STROKE_US)
    run(board, STROKE_US * 27 // 10)  # 0.2 into the driven half of the third
    board.motor.stop()
    wait_for(board, MOTOR_DONE)
    run(board, 3 * STROKE_US)
    assert len(agent.steps_us()) == 3 * PINS.STEPS
    assert board.motor.strokes_commanded() == board.encoder.moved().value == 3
    board.motor.dispense(2, STROKE_US)
    wait_for(board, MOTOR_DONE)
    assert agent.strokes == 5


def test_an_impossible_batch_ends_at_once(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    board.supply.enable()
    board.motor.reset(lookahead_us=1 << 40)  # a controller that has misread the board
    board.motor.dispense(2, PINS.LOOKAHEAD_US)
    began_us = board.clock.now_us()
    wait_for(board, MOTOR_DONE)
    assert board.clock.now_us() - began_us < LATE_US
    assert agent.strokes == 0


def test_a_board_that_hears_nothing_stops_by_itself(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    board.supply.enable()
    board.motor.dispense(19, STROKE_US)
    run(board, 3 * STROKE_US)
    silent_us = time.time_ns() // 1000
    time.sleep(1.5)
    steps_us = agent.steps_us()
    assert len(steps_us) % PINS.STEPS == 0
    assert steps_us[-1] < silent_us + SILENCE_US + STROKE_US + LATE_US
    assert steps_us[-1] > silent_us + SILENCE_US - TICK_INTERVAL_US - 2 * STROKE_US
    cut_us, on = agent.supply_us()
    assert not on
    assert steps_us[-1] <= cut_us < steps_us[-1] + LATE_US
    strokes = agent.strokes
    assert until_lost(board)
    board.attach(2)
    assert cause(board) is BoardCause.SILENCE
    assert board.watchdog.reset_cause() is ResetCause.LINK_LOST
    assert not board.supply.enabled
    assert board.encoder.moved().value == agent.strokes == strokes


def test_a_second_controller_takes_a_board_over(agent: MicroPythonBoard) -> None:
    port = SerialPort(agent.port)
    first = SerialBoard(port)
    first.attach(1)
    first.supply.enable()
    first.motor.dispense(19, STROKE_US)
    run(first, 3 * STROKE_US)
    port.close()
    board = attached(agent, session=2)
    assert cause(board) is BoardCause.COMMANDED
    steps = len(agent.steps_us())
    run(board, 5 * STROKE_US)
    assert len(agent.steps_us()) == steps
    assert board.encoder.moved().value == agent.strokes


class BadLine(SerialPort):
    """Repeats every write and flips one bit in `1 / rate`, both ways."""

    def __init__(self, port: str, rate: int) -> None:
        super().__init__(port)
        self._random = random.Random(1)
        self._rate = rate
        self.flipped = 0

    def write(self, data: bytes) -> int:
        if data:
            super().write(self._spoil(data + data))
        return len(data)

    def read(self, max_bytes: int) -> bytes:
        return self._spoil(super().read(max_bytes))

    def _spoil(self, data: bytes) -> bytes:
        spoiled = bytearray(data)
        for bit in range(8 * len(data)):
            if self._random.randrange(self._rate) == 0:
                spoiled[bit // 8] ^= 1 << bit % 8
                self.flipped += 1
        return bytes(spoiled)


def test_a_message_acts_once_however_often_and_badly_it_comes(agent: MicroPythonBoard) -> None:
    line = BadLine(agent.port, rate=2_000)
    board = SerialBoard(line)
    board.attach(1)
    board.supply.enable()
    for _ in range(10):
        board.motor.dispense(3, 20_000)
        wait_for(board, MOTOR_DONE)
    assert line.flipped > 10
    assert board.line.damaged > 0
    assert agent.strokes == board.encoder.moved().value == 30


def test_the_rate_guard_begins_no_batch_above_its_limit(agent: MicroPythonBoard) -> None:
    board = SerialBoard(SerialPort(agent.port), guard=(5, 100))
    board.attach(1)
    board.supply.enable()
    board.motor.dispense(3, 20_000)
    wait_for(board, MOTOR_DONE)
    board.motor.dispense(3, 20_000)
    assert until_lost(board)
    assert agent.strokes == 3
    board.attach(2)
    assert cause(board) is BoardCause.RATE_GUARD
    assert board.identity is not None
    assert (board.identity.guard_hour, board.identity.guard_day) == (5, 100)
    board.supply.enable()
    board.motor.dispense(2, 20_000)
    wait_for(board, MOTOR_DONE)
    assert agent.strokes == 5


def test_a_cause_waits_for_a_controller_that_is_heard(agent: MicroPythonBoard) -> None:
    port = SerialPort(agent.port)
    attach = codec.encode(Attach(9, DICTIONARY_ID))
    port.write(encode(Frame(FrameType.HELLO, 0, 0, 0, 0, attach)))
    time.sleep((SILENCE_US + LATE_US) / 1e6)
    board = SerialBoard(port)
    board.attach(1)
    assert cause(board) is BoardCause.POWER_ON


def test_another_dictionary_is_answered_and_changes_nothing(agent: MicroPythonBoard) -> None:
    port = SerialPort(agent.port)
    board = SerialBoard(port)
    stranger = encode(Frame(FrameType.HELLO, 0, 0, 0, 0, codec.encode(Attach(7, 0xBAD))))
    port.write(stranger)
    answers: list[Frame] = []
    deframer = Deframer()
    until_us = port.now_us() + SECOND_US
    while not answers and port.now_us() < until_us:
        port.wait(until_us)
        answers += deframer.feed(port.read(4096), port.now_us())
    answer = codec.decode(Attached, answers[0].payload)
    assert (answer.session, answer.dictionary) == (7, DICTIONARY_ID)
    board.attach(1)
    assert cause(board) is BoardCause.POWER_ON
    board.supply.enable()
    board.motor.dispense(5, STROKE_US)
    run(board, STROKE_US)
    port.write(stranger)
    assert wait_for(board, MOTOR_DONE)
    assert agent.strokes == 5


def test_a_controller_that_misses_its_deadline_is_cut_off(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    board.supply.enable()
    board.watchdog.arm(board.clock.now_us() + 100_000)
    board.motor.dispense(1, 60 * SECOND_US)
    began = time.monotonic()
    assert until_lost(board)
    assert 1.1 + 0.5 < time.monotonic() - began < 1.1 + 0.9 + 1
    board.attach(2)
    assert board.watchdog.reset_cause() is ResetCause.WATCHDOG
    assert agent.strokes == 0


def test_past_its_limit_the_encoder_cuts_the_supply(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    board.supply.enable()
    board.encoder.arm(2)
    board.motor.dispense(6, STROKE_US)
    seen = wait_for(board, ENCODER_LIMIT)
    assert not board.supply.enabled
    if not seen & MOTOR_DONE:
        wait_for(board, MOTOR_DONE)
    assert (agent.strokes, len(agent.steps_us())) == (3, 3 * PINS.STEPS)
