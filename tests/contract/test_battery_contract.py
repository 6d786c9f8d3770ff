"""Every battery: voltages that fall with use, and a comparator that says so once."""

import pytest
from bench_target import Bench

from hal.errors import HalUsageError
from hal.interrupts import LOW_VOLTAGE

SUITE = "battery"


def test_the_battery_is_there_and_plausible(bench: Bench) -> None:
    battery = bench.board.battery
    assert battery.present()
    assert 1_000 < battery.rest_mv().value < 20_000


def test_load_lowers_the_voltage(bench: Bench) -> None:
    battery = bench.board.battery
    assert 0 < battery.loaded_mv().value <= battery.rest_mv().value


@pytest.mark.needs("battery")
def test_use_lowers_the_voltage(bench: Bench) -> None:
    battery = bench.board.battery
    before = (battery.rest_mv().value, battery.loaded_mv().value)
    bench.drain(50)
    bench.settle()
    assert battery.rest_mv().value < before[0]
    assert battery.loaded_mv().value < before[1]


def test_a_voltage_above_the_threshold_is_silent(bench: Bench) -> None:
    bench.board.battery.arm_low_voltage(bench.board.battery.loaded_mv().value - 100)
    assert not bench.collect(bench.patience_us) & LOW_VOLTAGE


@pytest.mark.needs("battery")
def test_falling_below_the_threshold_is_told_once(bench: Bench) -> None:
    bench.board.battery.arm_low_voltage(bench.board.battery.loaded_mv().value - 100)
    bench.drain(95)
    bench.wait(LOW_VOLTAGE)
    bench.drain(1)
    assert not bench.collect(bench.patience_us) & LOW_VOLTAGE


def test_a_voltage_at_the_threshold_is_told_at_once(bench: Bench) -> None:
    bench.board.battery.arm_low_voltage(bench.board.battery.loaded_mv().value)
    bench.wait(LOW_VOLTAGE)


@pytest.mark.needs("battery")
def test_a_new_threshold_replaces_the_last(bench: Bench) -> None:
    battery = bench.board.battery
    battery.arm_low_voltage(battery.loaded_mv().value - 10)
    battery.arm_low_voltage(0)
    bench.settle()
    bench.drain(50)
    assert not bench.collect(bench.patience_us) & LOW_VOLTAGE


@pytest.mark.parametrize("threshold_mv", [-1, 65_536])
def test_a_threshold_outside_16_bits_is_refused(bench: Bench, threshold_mv: int) -> None:
    with pytest.raises(HalUsageError):
        bench.board.battery.arm_low_voltage(threshold_mv)
