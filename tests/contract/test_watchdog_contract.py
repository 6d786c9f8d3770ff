"""Every watchdog: a controller that misses its deadline is reset, one that does not is left."""

import pytest
from bench_target import Bench

from hal.interfaces import ResetCause

SUITE = "watchdog"
SECOND_US = 1_000_000


@pytest.mark.needs("power")
def test_the_first_boot_is_a_power_on(bench: Bench) -> None:
    bench.power_cycle()
    assert bench.board.watchdog.reset_cause() is ResetCause.POWER_ON


def test_it_does_nothing_until_armed(bench: Bench) -> None:
    assert bench.slept(bench.patience_us)


@pytest.mark.requirement("R-182")
def test_it_bites_a_second_after_the_deadline(bench: Bench) -> None:
    clock = bench.board.clock
    bench.board.watchdog.arm(clock.now_us() + SECOND_US)
    assert bench.slept(2 * SECOND_US - 1)
    assert not bench.slept(SECOND_US)
    assert bench.board.watchdog.reset_cause() is ResetCause.WATCHDOG


def test_arming_again_in_time_keeps_it_quiet(bench: Bench) -> None:
    before = bench.board.watchdog.reset_cause()
    for _ in range(4):
        bench.board.watchdog.arm(bench.board.clock.now_us() + SECOND_US)
        assert bench.slept(SECOND_US)
    assert bench.board.watchdog.reset_cause() is before


def test_a_nearer_deadline_counts(bench: Bench) -> None:
    bench.board.watchdog.arm(bench.board.clock.now_us() + 3600 * SECOND_US)
    bench.board.watchdog.arm(bench.board.clock.now_us() + SECOND_US)
    assert not bench.slept(3 * SECOND_US)


def test_it_is_off_after_a_reset(bench: Bench) -> None:
    bench.board.watchdog.arm(bench.board.clock.now_us() + SECOND_US)
    bench.settle()
    bench.warm_reset()
    assert bench.slept(3 * SECOND_US)
    assert bench.board.watchdog.reset_cause() is ResetCause.COMMANDED


@pytest.mark.needs("power")
def test_a_power_cycle_is_told(bench: Bench) -> None:
    bench.warm_reset()
    bench.power_cycle()
    assert bench.board.watchdog.reset_cause() is ResetCause.POWER_ON
