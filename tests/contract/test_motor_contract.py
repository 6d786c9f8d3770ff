"""Every motor: whole strokes, paced, and an end that is always told."""

import pytest
from bench_target import Bench

from hal.errors import HalBusy, HalUsageError
from hal.interrupts import MOTOR_DONE

SUITE = "motor"
INTERVAL_US = 200_000
"""A batch of five fits the look-ahead that every board has."""


def test_a_batch_ends_with_its_last_stroke(bench: Bench) -> None:
    motor, start_us = bench.board.motor, bench.board.clock.now_us()
    motor.dispense(5, INTERVAL_US)
    assert motor.running
    assert bench.near(bench.wait(MOTOR_DONE), start_us + 5 * INTERVAL_US)
    assert not motor.running
    assert motor.strokes_commanded() == 5


def test_the_end_is_told_once(bench: Bench) -> None:
    bench.board.motor.dispense(1, INTERVAL_US)
    bench.wait(MOTOR_DONE)
    assert not bench.collect(4 * INTERVAL_US) & MOTOR_DONE


def test_the_next_batch_may_begin_when_the_last_has_ended(bench: Bench) -> None:
    motor = bench.board.motor
    for _ in range(3):
        motor.dispense(2, INTERVAL_US)
        bench.wait(MOTOR_DONE)
    assert motor.strokes_commanded() == 6


def test_strokes_are_counted_as_they_end(bench: Bench) -> None:
    motor = bench.board.motor
    motor.dispense(5, INTERVAL_US)
    bench.collect(INTERVAL_US * 5 // 2)
    assert 1 <= motor.strokes_commanded() <= 2


def test_a_second_batch_is_refused_while_one_runs(bench: Bench) -> None:
    motor = bench.board.motor
    motor.dispense(2, INTERVAL_US)
    with pytest.raises(HalBusy):
        motor.dispense(1, INTERVAL_US)
    bench.wait(MOTOR_DONE)
    assert motor.strokes_commanded() == 2


@pytest.mark.parametrize(("strokes", "interval_us"), [(0, 1000), (-1, 1000), (1, 999), (1, 0)])
def test_an_impossible_batch_is_refused(bench: Bench, strokes: int, interval_us: int) -> None:
    with pytest.raises(HalUsageError):
        bench.board.motor.dispense(strokes, interval_us)
    assert not bench.board.motor.running


def test_a_batch_fits_the_lookahead(bench: Bench) -> None:
    motor = bench.board.motor
    assert motor.lookahead_us >= 1_000_000
    with pytest.raises(HalUsageError):
        motor.dispense(2, motor.lookahead_us // 2 + 1)
    motor.dispense(2, motor.lookahead_us // 2)
    assert motor.running


def test_one_stroke_may_take_longer_than_the_lookahead(bench: Bench) -> None:
    motor = bench.board.motor
    motor.dispense(1, 2 * motor.lookahead_us)
    motor.stop()
    bench.wait(MOTOR_DONE)
    assert motor.strokes_commanded() == 0


def test_a_stop_between_strokes_ends_the_batch_at_once(bench: Bench) -> None:
    motor = bench.board.motor
    motor.dispense(5, INTERVAL_US)
    bench.collect(INTERVAL_US * 5 // 4)  # a quarter into the second interval: not yet driven
    stopped_us = bench.board.clock.now_us()
    motor.stop()
    assert bench.near(bench.wait(MOTOR_DONE), stopped_us)
    assert motor.strokes_commanded() == 1


def test_a_stop_within_a_stroke_lets_it_finish(bench: Bench) -> None:
    motor, start_us = bench.board.motor, bench.board.clock.now_us()
    motor.dispense(5, INTERVAL_US)
    bench.collect(INTERVAL_US * 7 // 4)  # half through the drive of the second stroke
    motor.stop()
    assert motor.running
    assert bench.near(bench.wait(MOTOR_DONE), start_us + 2 * INTERVAL_US)
    assert motor.strokes_commanded() == 2


def test_a_stop_is_idempotent(bench: Bench) -> None:
    motor = bench.board.motor
    motor.dispense(5, INTERVAL_US)
    bench.collect(INTERVAL_US * 7 // 4)
    motor.stop()
    motor.stop()
    bench.wait(MOTOR_DONE)
    motor.stop()
    assert not bench.collect(3 * INTERVAL_US)
    assert motor.strokes_commanded() == 2


def test_a_stop_without_a_batch_does_nothing(bench: Bench) -> None:
    bench.board.motor.stop()
    assert not bench.collect(INTERVAL_US)
