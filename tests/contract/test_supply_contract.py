"""Every motor supply: open after power-on and after a reset, and obeyed in mid-stroke."""

import pytest
from bench_target import Bench

from hal.interrupts import MOTOR_DONE

SUITE = "supply"
INTERVAL_US = 200_000
"""A batch of five fits the look-ahead that every board has."""


def test_the_gate_is_open_after_power_on(bench: Bench) -> None:
    assert not bench.board.supply.enabled


def test_the_gate_follows_the_commands(bench: Bench) -> None:
    supply = bench.board.supply
    supply.enable()
    supply.enable()
    assert supply.enabled
    supply.cut()
    supply.cut()
    assert not supply.enabled


def test_a_cut_stops_movement_but_not_the_batch(bench: Bench) -> None:
    board, before = bench.board, bench.moved()
    board.supply.enable()
    board.motor.dispense(5, INTERVAL_US)
    bench.collect(INTERVAL_US * 9 // 4)
    board.supply.cut()
    bench.wait(MOTOR_DONE)
    assert board.motor.strokes_commanded() == 5
    assert bench.moved() == before + 2


def test_power_given_late_moves_what_is_left(bench: Bench) -> None:
    board, before = bench.board, bench.moved()
    board.motor.dispense(5, INTERVAL_US)
    bench.collect(INTERVAL_US * 9 // 4)
    board.supply.enable()
    bench.wait(MOTOR_DONE)
    assert bench.moved() == before + 3


def test_a_reset_opens_the_gate_and_ends_the_batch(bench: Bench) -> None:
    board = bench.board
    board.supply.enable()
    board.motor.dispense(5, INTERVAL_US)
    bench.collect(INTERVAL_US * 9 // 4)
    bench.warm_reset()
    assert not board.supply.enabled
    assert not board.motor.running
    assert not bench.collect(6 * INTERVAL_US) & MOTOR_DONE


def test_the_count_survives_a_reset(bench: Bench) -> None:
    board, before = bench.board, bench.moved()
    board.supply.enable()
    board.motor.dispense(5, INTERVAL_US)
    bench.wait(MOTOR_DONE)
    bench.warm_reset()
    assert (bench.moved(), board.motor.strokes_commanded()) == (before + 5, 0)


@pytest.mark.needs("power")
def test_the_count_is_lost_with_the_power(bench: Bench) -> None:
    bench.board.supply.enable()
    bench.board.motor.dispense(2, INTERVAL_US)
    bench.wait(MOTOR_DONE)
    bench.power_cycle()
    assert bench.moved() == 0
