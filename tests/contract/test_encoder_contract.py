"""Every encoder: counts what moved, whatever was commanded, and guards a limit."""

import pytest
from bench_target import Bench

from hal.errors import HalUsageError
from hal.interrupts import ENCODER_LIMIT, MOTOR_DONE

SUITE = "encoder"
INTERVAL_US = 200_000
"""A batch of five fits the look-ahead that every board has."""


def _dispense(bench: Bench, strokes: int) -> None:
    bench.board.motor.dispense(strokes, INTERVAL_US)
    bench.wait(MOTOR_DONE)


@pytest.mark.needs("power")
def test_the_count_begins_at_zero(bench: Bench) -> None:
    bench.power_cycle()
    assert bench.moved() == 0


def test_movement_is_counted(bench: Bench) -> None:
    before = bench.moved()
    bench.board.supply.enable()
    _dispense(bench, 5)
    assert bench.moved() == before + 5


def test_the_sample_says_when_it_was_taken(bench: Bench) -> None:
    bench.collect(INTERVAL_US)
    now_us = bench.board.clock.now_us()
    taken_us = bench.board.encoder.moved().taken_us
    assert now_us - max(bench.tolerance_us, 1_000_000) <= taken_us <= now_us


def test_a_sample_just_after_a_boot_is_not_from_the_future(bench: Bench) -> None:
    bench.collect(1_000_000)
    bench.warm_reset()
    assert bench.board.encoder.moved().taken_us <= bench.board.clock.now_us()


def test_what_is_driven_without_power_is_not_counted(bench: Bench) -> None:
    before = bench.moved()
    _dispense(bench, 3)
    assert bench.board.motor.strokes_commanded() == 3
    assert bench.moved() == before


def test_movement_up_to_the_limit_is_silent(bench: Bench) -> None:
    bench.board.supply.enable()
    before = bench.moved()
    bench.board.encoder.arm(before + 4)
    bench.board.motor.dispense(4, INTERVAL_US)
    assert not bench.collect(6 * INTERVAL_US) & ENCODER_LIMIT
    assert bench.moved() == before + 4


def test_the_stroke_past_the_limit_is_told_when_it_ends(bench: Bench) -> None:
    bench.board.supply.enable()
    bench.board.encoder.arm(bench.moved() + 2)
    start_us = bench.board.clock.now_us()
    bench.board.motor.dispense(5, INTERVAL_US)
    assert bench.near(bench.wait(ENCODER_LIMIT), start_us + 3 * INTERVAL_US)


def test_the_limit_is_told_once(bench: Bench) -> None:
    bench.board.supply.enable()
    bench.board.encoder.arm(bench.moved() + 0)
    bench.board.motor.dispense(5, INTERVAL_US)
    bench.wait(ENCODER_LIMIT)
    assert not bench.collect(6 * INTERVAL_US) & ENCODER_LIMIT


def test_a_new_limit_replaces_the_last(bench: Bench) -> None:
    bench.board.supply.enable()
    bench.board.encoder.arm(bench.moved() + 1)
    bench.board.encoder.arm(bench.moved() + 5)
    bench.board.motor.dispense(4, INTERVAL_US)
    assert not bench.collect(6 * INTERVAL_US) & ENCODER_LIMIT


def test_a_limit_may_change_while_the_motor_runs(bench: Bench) -> None:
    bench.board.supply.enable()
    before = bench.moved()
    bench.board.encoder.arm(before + 5)
    start_us = bench.board.clock.now_us()
    bench.board.motor.dispense(5, INTERVAL_US)
    bench.collect(INTERVAL_US * 5 // 4)
    bench.board.encoder.arm(before + 3)
    assert bench.near(bench.wait(ENCODER_LIMIT), start_us + 4 * INTERVAL_US)


def test_a_limit_below_zero_is_refused(bench: Bench) -> None:
    with pytest.raises(HalUsageError):
        bench.board.encoder.arm(-1)
