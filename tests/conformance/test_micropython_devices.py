"""What is around the motor on the MicroPython agent's board: flash, radio, battery, piezo, pins."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_rig import SECOND_US, attached, cause, run, until_lost, wait_for
from micropython_board import PINS, MicroPythonBoard

from firmware import layout
from hal.interfaces import TonePattern
from hal.interrupts import FLASH_DONE, LOW_VOLTAGE, MOTOR_DONE, NONE, TELEMETRY_RX
from hal.serial_board.port import SerialPort
from protocol.board_messages import BoardCause


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[MicroPythonBoard]:
    with MicroPythonBoard(tmp_path) as board:
        yield board
        assert board.running, board.log


def test_flash_keeps_what_was_programmed_when_the_power_goes(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    flash = board.flash
    for address, data in ((0, b"\x0f" * 128), (0, b"\x3c"), (layout.END - 3, b"end")):
        flash.program(address, data)
        assert wait_for(board, FLASH_DONE) == FLASH_DONE
    flash.program(5 * 4096, b"gone")
    wait_for(board, FLASH_DONE)
    flash.erase(5 * 4096)
    assert wait_for(board, FLASH_DONE) == FLASH_DONE
    agent.power_off()
    assert until_lost(board)
    agent.power_on()
    board.attach(2)
    assert cause(board) is BoardCause.POWER_ON
    assert flash.read(0, 129) == b"\x0c" + b"\x0f" * 127 + b"\xff"
    assert flash.read(layout.END - 4, 4) == b"\xffend"
    assert flash.read(129, layout.END - 132).strip(b"\xff") == b""
    assert sorted(os.listdir(agent.folder / PINS.FLASH_FOLDER)) == ["0", "143"]


def test_the_encoder_counts_from_power_on_and_through_an_attach(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    board.supply.enable()
    board.motor.dispense(4, 20_000)
    wait_for(board, MOTOR_DONE)
    board.attach(2)
    assert (board.encoder.moved().value, board.motor.strokes_commanded()) == (4, 0)
    agent.power_off()
    agent.power_on()
    board.attach(3)
    assert board.encoder.moved().value == 0
    assert agent.strokes == 4


def test_telemetry_passes_both_ways(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    radio = SerialPort(agent.radio)
    to_pump, to_tool = random.Random(1).randbytes(3000), random.Random(2).randbytes(3000)
    heard, told, written = b"", b"", 0
    end_us = board.clock.now_us() + 5 * SECOND_US
    left = to_pump
    while (len(heard) < 3000 or len(told) < 3000) and board.clock.now_us() < end_us:
        left = left[radio.write(left[:200]) :]
        written += board.telemetry.write(to_tool[written:])
        if board.wait_for_interrupt(board.clock.now_us() + 5_000) & TELEMETRY_RX:
            heard += board.telemetry.read(4096)
        told += radio.read(4096)
    assert heard == to_pump
    assert told == to_tool


def test_the_battery_is_measured_and_its_fall_reported(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    assert board.battery.rest_mv().value == pytest.approx(3600, abs=5)
    assert board.battery.present()
    board.battery.arm_low_voltage(2900)
    agent.set("battery", 2950)
    assert run(board, 300_000) == NONE
    assert board.battery.rest_mv().value == pytest.approx(2950, abs=5)
    agent.set("battery", 2880)
    assert wait_for(board, LOW_VOLTAGE) == LOW_VOLTAGE
    assert run(board, 300_000) == NONE
    agent.set("battery", 0)
    run(board, 300_000)
    assert not board.battery.present()


def test_pins_say_what_is_near(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    assert (board.telemetry.field_present, board.magnet.field_present().value) == (False, 0)
    agent.set(f"gp{PINS.FIELD}", 0)
    agent.set(f"gp{PINS.MAGNET}", 0)
    run(board, 200_000)
    assert (board.telemetry.field_present, board.magnet.field_present().value) == (True, 1)


def test_the_piezo_plays_a_pattern_once(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    board.sounder.play(TonePattern.NON_CRITICAL)
    run(board, 1_300_000)
    heard = (agent.folder / "sound").read_text().split("\n")[2:-1]
    assert heard == ["2700 32768", "2700 0"]


def test_the_wall_clock_goes_on_through_an_attach(agent: MicroPythonBoard) -> None:
    board = attached(agent)
    assert board.rtc.now_s() == 0
    board.rtc.set_s(800_000_000)
    run(board, 1_100_000)
    board.attach(2)
    assert board.rtc.now_s() in (800_000_001, 800_000_002)
