"""Every magnet sensor: a field is seen while it is there."""

import pytest
from bench_target import Bench

SUITE = "magnet"


@pytest.mark.needs("magnet")
def test_a_field_is_seen_while_it_is_there(bench: Bench) -> None:
    seen = []
    for present in (False, True, False):
        if seen:
            bench.magnet(present)
        bench.collect(1_000_000)
        seen.append(bench.board.magnet.field_present().value)
    assert seen == [0, 1, 0]


def test_the_sample_says_when_it_was_taken(bench: Bench) -> None:
    bench.collect(1_000_000)
    now_us = bench.board.clock.now_us()
    assert now_us - 1_000_000 <= bench.board.magnet.field_present().taken_us <= now_us
