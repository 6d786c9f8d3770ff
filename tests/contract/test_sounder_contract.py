"""Every sounder: plays what it is told, in place of what it played."""

import pytest
from bench_target import Bench

from hal.interfaces import TonePattern

SUITE = "sounder"
pytestmark = pytest.mark.needs("ear")


@pytest.mark.parametrize("pattern", TonePattern)
def test_a_pattern_is_heard_until_silenced(bench: Bench, pattern: TonePattern) -> None:
    assert bench.heard() is None
    bench.board.sounder.play(pattern)
    bench.settle()
    assert bench.heard() is pattern
    bench.board.sounder.silence()
    bench.board.sounder.silence()
    bench.settle()
    assert bench.heard() is None


def test_the_last_pattern_is_the_one_heard(bench: Bench) -> None:
    bench.board.sounder.play(TonePattern.NON_CRITICAL)
    bench.board.sounder.play(TonePattern.CRITICAL)
    bench.settle()
    assert bench.heard() is TonePattern.CRITICAL


def test_a_reset_ends_the_sound(bench: Bench) -> None:
    bench.board.sounder.play(TonePattern.CRITICAL)
    bench.settle()
    bench.warm_reset()
    assert bench.heard() is None
