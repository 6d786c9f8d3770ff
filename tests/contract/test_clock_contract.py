"""Every clock: one that only counts up from boot, one that tells the time of day."""

import pytest
from bench_target import Bench

from hal.errors import HalUsageError

SUITE = "clock"


def test_waiting_ends_at_the_deadline(bench: Bench) -> None:
    clock = bench.board.clock
    start_us = clock.now_us()
    assert bench.board.wait_for_interrupt(start_us + 1_234_567) == 0
    assert bench.near(clock.now_us(), start_us + 1_234_567)


def test_a_deadline_that_is_past_returns_at_once(bench: Bench) -> None:
    clock = bench.board.clock
    bench.collect(1_000_000)
    before_us = clock.now_us()
    assert bench.board.wait_for_interrupt(before_us - 1) == 0
    assert bench.near(clock.now_us(), before_us)


def test_the_clock_starts_at_zero_at_every_boot(bench: Bench) -> None:
    clock = bench.board.clock
    bench.collect(1_000_000)
    bench.warm_reset()
    assert bench.near(clock.now_us(), 0)


@pytest.mark.needs("power")
def test_the_clock_starts_at_zero_when_power_comes_back(bench: Bench) -> None:
    bench.collect(1_000_000)
    bench.power_cycle()
    assert bench.near(bench.board.clock.now_us(), 0)


def test_the_wall_clock_runs_in_seconds(bench: Bench) -> None:
    rtc = bench.board.rtc
    rtc.set_s(1_000)
    assert rtc.now_s() == 1_000
    bench.collect(2_500_000)
    assert rtc.now_s() == 1_002
    bench.collect(1_000_000)
    assert rtc.now_s() == 1_003


def test_the_wall_clock_survives_a_reset(bench: Bench) -> None:
    bench.board.rtc.set_s(86_400)
    bench.settle()
    bench.warm_reset()
    bench.collect(500_000)
    assert bench.board.rtc.now_s() == 86_400


@pytest.mark.needs("power")
def test_the_wall_clock_runs_without_power_or_was_never_set(bench: Bench) -> None:
    bench.board.rtc.set_s(86_400)
    bench.settle()
    bench.power_cycle()
    bench.settle()
    assert bench.board.rtc.now_s() in (0, 86_401, 86_402)  # the power was away for a second


def test_setting_the_wall_clock_leaves_the_other_alone(bench: Bench) -> None:
    before_us = bench.board.clock.now_us()
    bench.board.rtc.set_s(2**32 - 1)
    assert bench.near(bench.board.clock.now_us(), before_us)
    assert bench.board.rtc.now_s() == 2**32 - 1


@pytest.mark.parametrize("wall_s", [-1, 2**32])
def test_a_wall_clock_outside_32_bits_is_refused(bench: Bench, wall_s: int) -> None:
    bench.board.rtc.set_s(77)
    with pytest.raises(HalUsageError):
        bench.board.rtc.set_s(wall_s)
    assert bench.board.rtc.now_s() == 77
