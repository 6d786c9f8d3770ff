"""Stroke times: exact for any rate, remainder carried over any change, never ahead of the dose."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.flow import DAY_US, HOUR_US, ZERO, Flow, flow, minus, plus
from firmware.pacer import Pacer

STROKE_PL = 250_000
LOOKAHEAD_US = 600_000_000
FASTEST_US = 900_000
FAR_US = 1 << 60


def run(pacer: Pacer, now_us: int, until_us: int, most: int = 40) -> list[int]:
    """Follow the plan as an ideal motor would; return when each stroke ended."""
    ends = []
    while batch := pacer.plan(now_us, most, until_us, LOOKAHEAD_US, FASTEST_US):
        ends += [now_us + k * batch.interval_us for k in range(1, batch.strokes + 1)]
        pacer.issued += batch.strokes
        now_us = ends[-1]
    return ends


def test_worked_case_1_strokes_every_144_s() -> None:
    pacer = Pacer(STROKE_PL)
    pacer.change(flow(150_000_000, DAY_US), 0)
    assert run(pacer, 0, DAY_US) == [k * 144_000_000 for k in range(1, 601)]


def test_minimum_rate_is_one_stroke_an_hour_beyond_the_lookahead() -> None:
    pacer = Pacer(STROKE_PL)
    pacer.change(flow(6_000_000, DAY_US), 0)
    assert run(pacer, 0, DAY_US) == [k * HOUR_US for k in range(1, 25)]


def test_no_stroke_is_due_without_flow() -> None:
    pacer = Pacer(STROKE_PL)
    pacer.change(flow(150_000_000, DAY_US), 0)
    run(pacer, 0, HOUR_US)
    pacer.change(ZERO, HOUR_US)
    assert pacer.flow == ZERO
    # The part-stroke that was owed comes first when delivery goes on.
    pacer.change(flow(150_000_000, DAY_US), 2 * HOUR_US)
    assert pacer.due_us(1) == 2 * HOUR_US + (HOUR_US // 144_000_000 + 1) * 144_000_000 - HOUR_US


def test_a_late_controller_does_not_catch_up_more_than_three_strokes() -> None:
    pacer = Pacer(STROKE_PL)
    pacer.change(flow(150_000_000, DAY_US), 0)
    ends = run(pacer, DAY_US, DAY_US + 10_000_000)
    assert len(ends) == 3
    assert run(pacer, ends[-1], DAY_US + 144_000_000) == [DAY_US + 144_000_000]


rates = st.builds(
    flow,
    st.integers(48_000_000, 20_000_000_000),
    st.integers(DAY_US - 10**9, DAY_US + 10**9),
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.tuples(rates, st.integers(1, 3 * HOUR_US)), min_size=1, max_size=6))
def test_volume_is_exact_to_one_stroke_over_any_changes_of_rate(
    parts: list[tuple[Flow, int]],
) -> None:
    pacer = Pacer(STROKE_PL)
    now_us, last_us, strokes, owed = 0, 0, 0, Fraction(0)
    for rate, duration_us in parts:
        pacer.change(rate, now_us)
        ends = run(pacer, max(now_us, last_us), now_us + duration_us)
        strokes += len(ends)
        last_us = ends[-1] if ends else last_us
        now_us += duration_us
        owed += Fraction(rate.numerator, rate.denominator) * duration_us
        assert 0 <= owed - strokes * STROKE_PL < STROKE_PL + 1


@settings(max_examples=60, derandomize=True, deadline=None)
@given(rates)
def test_each_stroke_ends_within_a_millisecond_after_it_is_due(rate: Flow) -> None:
    pacer = Pacer(STROKE_PL)
    pacer.change(rate, 0)
    for k, end_us in enumerate(run(pacer, 0, 4 * HOUR_US), start=1):
        due = Fraction(k * STROKE_PL * rate.denominator, rate.numerator)
        assert 0 <= end_us - due < 1000


@pytest.mark.parametrize("period_us", [20_000, 900_000])
def test_batches_that_begin_late_lose_no_stroke_at_the_highest_rate(period_us: int) -> None:
    """Each batch begins 2 ms after the last one's end, as over a serial line."""
    pacer = Pacer(STROKE_PL)
    pacer.change(flow(STROKE_PL, period_us), 0)
    now_us, strokes = 0, 0
    while strokes < 10_000:
        batch = pacer.plan(now_us, 64, 1 << 62, 2_000_000, period_us)
        assert batch is not None
        assert batch.interval_us >= period_us * 15 // 16
        pacer.issued += batch.strokes
        strokes += batch.strokes
        now_us += batch.strokes * batch.interval_us + 2_000
        assert now_us - strokes * period_us <= period_us + 4_000
    assert strokes * period_us <= now_us


def test_flows_add_and_subtract_exactly() -> None:
    third, half = flow(1, 3), flow(1, 2)
    assert plus(third, half) == Flow(5, 6)
    assert minus(half, third) == Flow(1, 6)
    assert minus(third, half) == Flow(0, 1)
