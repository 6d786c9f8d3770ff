"""Every level sensor: a volume, stamped; more in the reservoir shows more."""

import pytest
from bench_target import Bench

from hal.interfaces import ReservoirSensor

SUITE = "reservoir_sensor"
LEVEL_MAX_NL = 2**32 - 2


def _sensor(bench: Bench) -> ReservoirSensor:
    sensor = bench.board.reservoir_sensor
    assert sensor is not None
    return sensor


def test_the_level_is_a_volume(bench: Bench) -> None:
    assert 0 <= _sensor(bench).level_nl().value <= LEVEL_MAX_NL


def test_the_sample_says_when_it_was_taken(bench: Bench) -> None:
    bench.collect(1_000_000)
    now_us = bench.board.clock.now_us()
    assert now_us - 1_000_000 <= _sensor(bench).level_nl().taken_us <= now_us


@pytest.mark.needs("reservoir")
def test_more_in_the_reservoir_shows_more(bench: Bench) -> None:
    shown_nl = []
    for volume_nl in (5_000_000, 20_000_000, 10_000_000):
        bench.fill(volume_nl)
        bench.settle()
        shown_nl.append(_sensor(bench).level_nl().value)
    assert shown_nl[0] < shown_nl[2] < shown_nl[1]


def test_it_is_the_same_sensor_after_a_reset(bench: Bench) -> None:
    before = _sensor(bench)
    bench.warm_reset()
    bench.settle()
    assert _sensor(bench) is before
    assert before.level_nl().taken_us <= bench.board.clock.now_us()
