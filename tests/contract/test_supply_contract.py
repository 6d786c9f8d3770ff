"""Every motor supply: open after power-on and after a reset, and obeyed in mid-stroke."""

from bench_target import Bench

from hal.interrupts import MOTOR_DONE

SUITE = "supply"
INTERVAL_US = 100_000


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
    board = bench.board
    board.supply.enable()
    board.motor.dispense(6, INTERVAL_US)
    bench.collect(INTERVAL_US * 5 // 2)
    board.supply.cut()
    bench.wait(MOTOR_DONE)
    assert board.motor.strokes_commanded() == 6
    assert board.encoder.moved().value == 2


def test_power_given_late_moves_what_is_left(bench: Bench) -> None:
    board = bench.board
    board.motor.dispense(6, INTERVAL_US)
    bench.collect(INTERVAL_US * 9 // 4)
    board.supply.enable()
    bench.wait(MOTOR_DONE)
    assert board.encoder.moved().value == 4


def test_a_reset_opens_the_gate_and_ends_the_batch(bench: Bench) -> None:
    board = bench.board
    board.supply.enable()
    board.motor.dispense(6, INTERVAL_US)
    bench.collect(INTERVAL_US * 9 // 4)
    bench.warm_reset()
    assert not board.supply.enabled
    assert not board.motor.running
    assert not bench.collect(10 * INTERVAL_US) & MOTOR_DONE


def test_the_count_survives_a_reset_but_not_a_power_cut(bench: Bench) -> None:
    board = bench.board
    board.supply.enable()
    board.motor.dispense(6, INTERVAL_US)
    bench.wait(MOTOR_DONE)
    bench.warm_reset()
    assert (board.encoder.moved().value, board.motor.strokes_commanded()) == (6, 0)
    bench.power_cycle()
    assert board.encoder.moved().value == 0
