"""Programs over the wall clock: flows, edges, volumes and dates, exact over weeks and years."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nurse import START_WALL_S, therapy, volume_per_day

from emulator.profile import Profile
from firmware.flow import DAY_US, HOUR_US, ZERO, Flow, flow, per_hour
from firmware.program import (
    DAY_S,
    WEEK_S,
    WEEK_US,
    Cadence,
    Program,
    allotted_flow,
    constant,
    first_periodic_s,
    mean_flow,
    program_of,
    week_s,
)
from protocol.codes import LockoutFrom, ProgramKind, RateBasis, RatePer
from protocol.messages import AT_ONCE, FlexStep, PatientBolus, Periodic, Rate, Therapy

DEVICE = Profile.load("rotor-40").device
MONDAY_S = START_WALL_S - 33 * 3600
EVERY_DAY, WORKING_DAYS, WEEKEND = 0b1111111, 0b0011111, 0b1100000
SECOND_US = 1_000_000
UG = 1_000_000


def ug_h(amount: int) -> Flow:
    """So many µg/h of 2000 µg/mL."""
    return per_hour(amount * 500_000)


def flex(*steps: tuple[int, int, int]) -> Therapy:
    """A flex prescription of steps (days, minute, µg/h)."""
    return replace(
        therapy(),
        program=ProgramKind.FLEX,
        rate=Rate(RateBasis.MASS_PG, RatePer.HOUR, 0),
        steps=tuple(FlexStep(days, minute, amount * UG) for days, minute, amount in steps),
    )


CASE_5 = flex((EVERY_DAY, 360, 10), (EVERY_DAY, 1080, 20), (EVERY_DAY, 1320, 5))


def test_the_wall_clock_knows_its_mondays() -> None:
    assert week_s(START_WALL_S) == 33 * 3600  # 2027-01-05, a Tuesday
    assert week_s(0) == 5 * DAY_S  # 2000-01-01, a Saturday


def test_worked_case_5_is_240_ug_a_day_and_170_ug_by_half_past_eight() -> None:
    program = program_of(CASE_5, DEVICE)
    assert program.mean == flow(120_000_000, DAY_US)
    day_us = MONDAY_S * SECOND_US
    numerator, denominator = program.volume_pl(day_us + 6 * HOUR_US, day_us + 41 * HOUR_US // 2)
    assert numerator == 85_000_000 * denominator  # 170 µg of 2000 µg/mL
    assert mean_flow(CASE_5, DEVICE) == program.mean


@pytest.mark.parametrize(
    ("hour", "amount", "next_hour"),
    [(0, 5, 6), (6, 10, 18), (17, 10, 18), (18, 20, 22), (23, 5, 30)],
)
def test_each_step_holds_until_the_next_one(hour: int, amount: int, next_hour: int) -> None:
    program = program_of(CASE_5, DEVICE)
    for day in range(9):
        wall_s = MONDAY_S + day * DAY_S + hour * 3600
        assert program.flow_at(wall_s) == ug_h(amount)
        assert program.flow_at(wall_s + 3599) == ug_h(amount)
        assert program.next_edge_s(wall_s) == MONDAY_S + day * DAY_S + next_hour * 3600


def test_a_day_begins_with_the_last_step_of_the_day_before() -> None:
    program = program_of(
        flex((WORKING_DAYS, 480, 10), (WORKING_DAYS, 1200, 4), (WEEKEND, 600, 7)), DEVICE
    )
    friday_s = MONDAY_S + 4 * DAY_S
    assert program.flow_at(friday_s + 21 * 3600) == ug_h(4)
    assert program.flow_at(friday_s + DAY_S) == ug_h(4)
    assert program.next_edge_s(friday_s + DAY_S) == friday_s + DAY_S + 600 * 60
    # Saturday's step is Sunday's too: the next other flow comes on Monday at eight.
    assert program.next_edge_s(friday_s + DAY_S + 600 * 60) == friday_s + 3 * DAY_S + 480 * 60
    assert program.flow_at(friday_s + 3 * DAY_S) == ug_h(7)


def test_a_constant_program_has_no_edge() -> None:
    program = constant(per_hour(6_250_000))
    assert program.next_edge_s(START_WALL_S) is None
    assert program.reach_us(0, 150_000_000) == DAY_US
    assert constant(ZERO).reach_us(0, 1) is None
    assert constant(ZERO).reach_us(7, 0) == 7


def test_a_whole_weeks_volume_is_reached_where_the_last_of_it_flows() -> None:
    program = Program([(0, Flow(1, 1)), (3 * DAY_S, ZERO)])
    monday_us = MONDAY_S * SECOND_US
    assert program.reach_us(monday_us, 3 * DAY_US) == monday_us + 3 * DAY_US
    assert program.reach_us(monday_us, 6 * DAY_US) == monday_us + WEEK_US + 3 * DAY_US
    assert program.reach_us(monday_us + 4 * DAY_US, 1) == monday_us + WEEK_US + 1


def test_a_periodic_program_pauses_its_background_for_each_bolus() -> None:
    wanted = replace(
        therapy(volume_per_day(48_000)),
        program=ProgramKind.PERIODIC,
        periodic=Periodic(RateBasis.VOLUME_PL, 10_100_000, 1800, 7200, AT_ONCE),
    )
    # 12 whole-stroke boluses of 10 µL, and 2 µL/h in the 18 h without one
    assert mean_flow(wanted, DEVICE) == flow(156_000_000, DAY_US)
    assert program_of(wanted, DEVICE).mean == flow(48_000_000, DAY_US)


@pytest.mark.parametrize(
    ("lockout_s", "since", "over_s", "most", "a_day"),
    [
        (7200, LockoutFrom.START, 300, 4, Fraction(4)),
        (7200, LockoutFrom.START, 300, 0, Fraction(12)),
        (7200, LockoutFrom.END, 1440, 0, Fraction(10)),
        (25_200, LockoutFrom.START, 0, 4, Fraction(24, 7)),
        (0, LockoutFrom.START, 0, 0, Fraction(0)),
    ],
)
def test_allotted_boluses_are_what_both_limits_leave(
    lockout_s: int, since: LockoutFrom, over_s: int, most: int, a_day: Fraction
) -> None:
    patient = PatientBolus(RateBasis.MASS_PG, 20 * UG, over_s, lockout_s, since, most)
    extra = allotted_flow(replace(therapy(), patient=patient), DEVICE)
    assert Fraction(*extra) * DAY_US == 10_000_000 * a_day


def test_a_cadence_counts_from_its_first_instant() -> None:
    cadence = Cadence(100, 30)
    assert [cadence.next_us(at) for at in (0, 100, 101, 130, 131)] == [100, 100, 130, 130, 160]


def test_the_first_periodic_bolus_comes_at_its_minute_of_the_day() -> None:
    at_eight = Periodic(RateBasis.VOLUME_PL, 1, 1, 1, 480)
    assert first_periodic_s(at_eight, START_WALL_S) == MONDAY_S + 2 * DAY_S + 480 * 60
    assert first_periodic_s(at_eight, MONDAY_S + 480 * 60) == MONDAY_S + 480 * 60
    assert first_periodic_s(replace(at_eight, first_min=AT_ONCE), 12345) == 12345


# --- against the definition ---------------------------------------------------------------------

FLOWS = st.builds(flow, st.integers(0, 50), st.integers(1, 50))
EDGES = st.dictionaries(st.integers(0, WEEK_S - 1), FLOWS, min_size=1, max_size=8)
INSTANTS = st.integers(0, 3 * WEEK_US)


def naive_pl(edges: dict[int, Flow], from_us: int, to_us: int) -> Fraction:
    """Sum up piece by piece."""
    base_s = from_us // SECOND_US - week_s(from_us // SECOND_US)
    total, here, known = Fraction(0), from_us, sorted(edges)
    for week in range(-1, 5):
        for index, start in enumerate(known):
            begin = (base_s + week * WEEK_S + start) * SECOND_US
            after = known[index + 1] if index + 1 < len(known) else known[0] + WEEK_S
            end = (base_s + week * WEEK_S + after) * SECOND_US
            overlap = min(end, to_us) - max(begin, here)
            total += max(0, overlap) * Fraction(*edges[start])
    return total


@given(EDGES, INSTANTS, INSTANTS)
def test_volume_is_the_sum_of_its_pieces(edges: dict[int, Flow], a: int, b: int) -> None:
    program = Program(sorted(edges.items()))
    from_us, to_us = sorted((a, b))
    assert Fraction(*program.volume_pl(from_us, to_us)) == naive_pl(edges, from_us, to_us)


@given(EDGES, INSTANTS, st.integers(0, 1 << 44), st.integers(1, 1000))
def test_a_volume_is_reached_at_the_first_microsecond(
    edges: dict[int, Flow], from_us: int, numerator: int, denominator: int
) -> None:
    program = Program(sorted(edges.items()))
    wanted = Fraction(numerator, denominator)
    at_us = program.reach_us(from_us, numerator, denominator)
    if at_us is None:
        assert program.mean == ZERO
        return
    assert Fraction(*program.volume_pl(from_us, at_us)) >= wanted
    if at_us > from_us:
        assert Fraction(*program.volume_pl(from_us, at_us - 1)) < wanted


@given(EDGES, st.integers(0, 3 * WEEK_S), FLOWS)
def test_between_two_edges_the_flow_is_one(
    edges: dict[int, Flow], wall_s: int, extra: Flow
) -> None:
    program = Program(sorted(edges.items()))
    now = program.flow_at(wall_s)
    edge_s = program.next_edge_s(wall_s)
    if edge_s is None:
        assert set(edges.values()) == {now}
        assert Fraction(*program.mean) == Fraction(*now)
        return
    assert wall_s < edge_s <= wall_s + WEEK_S
    assert program.flow_at(edge_s - 1) == now != program.flow_at(edge_s)
    span_us = (wall_s * SECOND_US, edge_s * SECOND_US)
    both = Fraction(*program.with_extra(extra).volume_pl(*span_us))
    assert both == (Fraction(*now) + Fraction(*extra)) * (span_us[1] - span_us[0])
    highest = max(Fraction(*value) for value in edges.values())
    week_us = wall_s * SECOND_US + WEEK_US
    assert Fraction(*program.highest(wall_s * SECOND_US, week_us)) == highest
    assert program.highest(*span_us) == now
