"""Flex programs on a whole pump, judged by the plant: every edge, clock edits, stops, resets."""

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nurse import (
    MINUTE_US,
    START_WALL_S,
    STROKE_NL,
    Nurse,
    Refusals,
    bolus,
    therapy,
    volume_per_day,
)
from week import CASE_5, EVERY_DAY, PERIODIC, SECOND_US, WEEKEND, WORKING_DAYS, flex, owed_nl

from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import BolusKind, Code, Mode, ProgramKind, TxnOp
from protocol.errors import ErrorCode, LimitId
from protocol.messages import (
    FILL_NOT_TOLD,
    ProgramParameters,
    SetClockParameters,
    Therapy,
)

START_US = START_WALL_S * SECOND_US
AMOUNT_5 = 5 * 500_000
"""5 µg/h of 2000 µg/mL, pL/h."""


def programmed(wanted: Therapy = CASE_5) -> Nurse:
    nurse = Nurse()
    nurse.program(wanted, 40_000_000)
    return nurse


def set_clock(nurse: Nurse, by_s: int) -> None:
    nurse.do(TxnOp.SET_CLOCK, SetClockParameters(nurse.status.wall_s + by_s))


def rate_pl_h(nurse: Nurse) -> Fraction:
    return Fraction(nurse.status.rate_numerator_pl, nurse.status.rate_denominator_h)


# --- by the clock -------------------------------------------------------------------------------


@pytest.mark.requirement("R-004")
def test_worked_case_5_on_the_pump() -> None:
    nurse = programmed()
    assert (nurse.status.mode, nurse.status.program) == (Mode.BASAL, ProgramKind.FLEX)
    assert nurse.status.day_numerator_pl == 120_000_000 * nurse.status.day_denominator
    nurse.run(21 * HOUR_US)
    at_six_nl = nurse.truth_delivered_nl
    assert at_six_nl == 105_000
    nurse.run(29 * HOUR_US // 2)
    assert nurse.truth_delivered_nl - at_six_nl == 85_000  # 170 µg
    nurse.run(19 * HOUR_US // 2)
    assert nurse.truth_delivered_nl - at_six_nl == 120_000  # 240 µg
    nurse.run(30 * DAY_US)
    assert nurse.truth_delivered_nl - at_six_nl == 31 * 120_000


@pytest.mark.requirement("R-004")
def test_the_flow_changes_at_the_very_microsecond_of_the_step() -> None:
    nurse = programmed()
    nurse.run(9 * HOUR_US - 1)
    assert rate_pl_h(nurse) == 2 * AMOUNT_5
    nurse.run(1)
    assert rate_pl_h(nurse) == 4 * AMOUNT_5


@pytest.mark.requirement("R-004")
def test_groups_of_weekdays_over_two_weeks() -> None:
    wanted = flex(
        (WORKING_DAYS, 390, 12), (WORKING_DAYS, 1320, 4), (0b0010100, 1000, 30), (WEEKEND, 600, 7)
    )
    nurse = programmed(wanted)
    expected_nl = Fraction(0)
    for hours in range(3, 2 * 168, 3):
        nurse.run(3 * HOUR_US)
        here_us = START_US + hours * HOUR_US
        expected_nl += owed_nl(wanted, here_us - 3 * HOUR_US, here_us)
        assert abs(nurse.truth_delivered_nl - expected_nl) <= STROKE_NL, f"after {hours} h"


def test_a_quiet_day_of_steps_logs_nothing() -> None:
    nurse = programmed()
    before = nurse.codes
    nurse.run(3 * DAY_US)
    assert nurse.codes == before


def test_a_step_of_nothing_pauses_where_the_pump_may() -> None:
    wanted = flex((EVERY_DAY, 360, 10), (EVERY_DAY, 1080, 0))
    with pytest.raises(Refusals) as refused:
        programmed(wanted)
    assert refused.value.refusal.id == LimitId.FLOW_MIN_PL_H


# --- the clock is set ---------------------------------------------------------------------------


@pytest.mark.parametrize("by_s", [3600, -3600, 6 * 3600, -9 * 3600, 1, -1, 86_400])
def test_a_clock_edit_moves_to_its_place_in_the_week(by_s: int) -> None:
    """Summer time both ways, travel, a correction: what flows is what the new clock says."""
    nurse = programmed()
    nurse.run(8 * HOUR_US + 30 * MINUTE_US)
    first_us = nurse.world.now_us
    set_clock(nurse, by_s)
    nurse.run(30 * HOUR_US)
    begin_us = START_US + first_us + by_s * SECOND_US
    expected_nl = owed_nl(CASE_5, START_US, START_US + first_us)
    expected_nl += owed_nl(CASE_5, begin_us, begin_us + 30 * HOUR_US)
    assert abs(nurse.truth_delivered_nl - expected_nl) <= STROKE_NL
    record = next(record for record in nurse.log if record.code is Code.CLOCK_SET)
    assert (record.a - by_s, record.b) == (record.b, START_WALL_S + first_us // SECOND_US)
    assert nurse.status.wall_s == record.a + 30 * 3600


def test_a_clock_edit_over_an_edge_takes_effect_at_once() -> None:
    nurse = programmed()
    nurse.run(8 * HOUR_US + 30 * MINUTE_US)
    set_clock(nurse, 3600)
    assert rate_pl_h(nurse) == 4 * AMOUNT_5
    set_clock(nurse, -3600)
    assert rate_pl_h(nurse) == 2 * AMOUNT_5


def test_a_constant_rate_does_not_heed_the_clock() -> None:
    nurse = programmed(therapy())
    nurse.run(DAY_US)
    set_clock(nurse, 7 * 3600)
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == 300_000


@pytest.mark.parametrize("wall_s", [START_WALL_S - 100_000, START_WALL_S + 2_556 * 86_400, 0])
def test_a_clock_outside_the_pumps_life_is_refused(wall_s: int) -> None:
    nurse = programmed()
    with pytest.raises(Refusals) as refused:
        nurse.do(TxnOp.SET_CLOCK, SetClockParameters(wall_s))
    assert (refused.value.code, refused.value.refusal.id) == (
        ErrorCode.LIMIT_HARD,
        LimitId.DATE_S,
    )
    assert nurse.status.wall_s == START_WALL_S


# --- disturbances -------------------------------------------------------------------------------


def test_time_goes_on_while_the_pump_is_stopped() -> None:
    nurse = programmed()
    nurse.run(8 * HOUR_US)
    nurse.stop()
    nurse.run(2 * HOUR_US)
    before_nl = nurse.truth_delivered_nl
    nurse.resume()
    assert rate_pl_h(nurse) == 4 * AMOUNT_5
    nurse.run(HOUR_US)
    assert abs(nurse.truth_delivered_nl - before_nl - 10_000) <= STROKE_NL


def test_an_edge_while_the_rotor_is_stalled_holds_when_it_is_free_again() -> None:
    nurse = programmed()
    nurse.run(8 * HOUR_US)
    nurse.board.faults.inject("magnet_field", {}, 2 * HOUR_US)
    nurse.run(2 * HOUR_US)
    assert nurse.status.mode is Mode.STALLED
    before_nl = nurse.truth_delivered_nl
    nurse.run(HOUR_US)
    assert nurse.status.mode is Mode.BASAL
    assert abs(nurse.truth_delivered_nl - before_nl - 10_000) <= STROKE_NL


def test_a_bolus_over_an_edge_gives_its_volume_and_the_basal_its_own() -> None:
    nurse = programmed()
    nurse.run(8 * HOUR_US + 30 * MINUTE_US)
    nurse.bolus(20_000, HOUR_US)
    nurse.run(HOUR_US + MINUTE_US)
    expected_nl = 20_000 + owed_nl(CASE_5, START_US, START_US + nurse.world.now_us)
    assert nurse.status.mode is Mode.BASAL
    assert abs(nurse.truth_delivered_nl - expected_nl) <= STROKE_NL


HIGH = flex((EVERY_DAY, 0, 100), (EVERY_DAY, 601, 1990))
"""From one minute after ten on only 5 µL/h are left to a bolus."""


@pytest.mark.requirement("R-035")
def test_a_bolus_over_a_rising_edge_leaves_the_basal_its_flow() -> None:
    nurse = programmed(HIGH)
    nurse.run(HOUR_US)
    before_nl = nurse.truth_delivered_nl
    preview = nurse.prepare(TxnOp.BOLUS, bolus(20_000))
    assert preview.duration_us == 4 * HOUR_US  # beside 995 µL/h
    nurse.commit(preview)
    nurse.run(5 * HOUR_US)
    owed = owed_nl(HIGH, START_US + HOUR_US, START_US + 6 * HOUR_US)
    assert abs(nurse.truth_delivered_nl - before_nl - 20_000 - owed) <= STROKE_NL


def test_a_bolus_too_fast_for_the_step_to_come_is_refused() -> None:
    nurse = programmed(HIGH)
    with pytest.raises(Refusals) as refused:
        nurse.bolus(20_000, 2 * HOUR_US)
    assert refused.value.refusal.id == LimitId.FLOW_MAX_PL_H
    nurse.bolus(20_000, HOUR_US)


@pytest.mark.parametrize("step_later", [True, False])
def test_a_clock_that_would_leave_a_running_bolus_no_room_is_refused(step_later: bool) -> None:
    """900 µL/h of bolus, and 500 µL/h of basal from 15:00 on, by a step or a scheduled change."""
    nurse = Nurse()
    high = flex((EVERY_DAY, 900, 1000), (EVERY_DAY, 1260, 10))
    nurse.program(high if step_later else CASE_5, 40_000_000)
    if not step_later:
        nurse.do(TxnOp.PROGRAM, ProgramParameters(high, FILL_NOT_TOLD, START_WALL_S + 5 * 3600))
    nurse.bolus(900_000, HOUR_US)
    nurse.run(MINUTE_US)
    with pytest.raises(Refusals) as refused:
        nurse.do(TxnOp.SET_CLOCK, SetClockParameters(START_WALL_S + 7 * 3600))
    detail = refused.value.refusal
    assert (refused.value.code, detail.id) == (ErrorCode.LIMIT_HARD, LimitId.FLOW_MAX_PL_H)
    assert (detail.value, detail.limit) == (1_400_000_000, 1_000_000_000)
    nurse.do(TxnOp.SET_CLOCK, SetClockParameters(START_WALL_S + 2 * 3600))
    nurse.run(HOUR_US)
    assert nurse.codes[-1] is Code.BOLUS_DONE
    nurse.do(TxnOp.SET_CLOCK, SetClockParameters(START_WALL_S + 7 * 3600))


def test_a_bolus_makes_room_for_a_scheduled_change() -> None:
    nurse = programmed(therapy())
    after = therapy(volume_per_day(23_880_000))
    parameters = ProgramParameters(after, FILL_NOT_TOLD, START_WALL_S + 60)
    nurse.do(TxnOp.PROGRAM, parameters)
    assert nurse.prepare(TxnOp.BOLUS, bolus(20_000)).duration_us == 4 * HOUR_US
    assert nurse.prepare(TxnOp.BOLUS, bolus(10_000)).duration_us < MINUTE_US


def test_the_low_battery_fall_back_heeds_no_edge() -> None:
    nurse = programmed()
    nurse.run(8 * HOUR_US)
    nurse.board.reset(ResetCause.LOW_VOLTAGE)
    nurse.run(0)
    before_nl = nurse.truth_delivered_nl
    nurse.run(4 * HOUR_US)
    assert nurse.status.mode is Mode.MINIMUM_RATE
    assert abs(nurse.truth_delivered_nl - before_nl - 1_000) <= STROKE_NL
    assert nurse.status.day_numerator_pl == 6_000_000 * nurse.status.day_denominator


@pytest.mark.parametrize("off_us", [1, 123_456_789, 3 * HOUR_US + 999_999])
def test_after_a_power_cut_edges_are_found_to_the_millisecond(off_us: int) -> None:
    """The RTC tells seconds, and the boot clock began between two of them."""
    nurse = programmed()
    nurse.run(HOUR_US + 1_700_001)
    nurse.board.power_cut(off_us)
    nurse.run(9 * HOUR_US - nurse.world.now_us - 1)
    assert rate_pl_h(nurse) == 2 * AMOUNT_5
    nurse.run(1001)
    assert rate_pl_h(nurse) == 4 * AMOUNT_5


def test_a_boot_within_a_second_of_an_edge_is_late_by_less_than_one() -> None:
    nurse = programmed()
    nurse.run(9 * HOUR_US - 1_500_000)
    nurse.board.reset(ResetCause.COMMANDED)
    nurse.run(1_499_999)
    assert rate_pl_h(nurse) == 2 * AMOUNT_5
    nurse.run(SECOND_US)
    assert rate_pl_h(nurse) == 4 * AMOUNT_5


def test_a_power_cut_over_an_edge_boots_into_the_step_of_then() -> None:
    nurse = programmed()
    nurse.run(8 * HOUR_US)
    nurse.board.power_cut(6 * HOUR_US)
    nurse.run(6 * HOUR_US)
    assert rate_pl_h(nurse) == AMOUNT_5


# --- periodic boluses: where they stand on the clock ---------------------------------------------


def test_at_once_is_at_once_between_two_seconds_of_the_clock_too() -> None:
    nurse = programmed(CASE_5)
    nurse.run(30_400_000)
    nurse.program(PERIODIC)
    nurse.run(0)
    assert nurse.status.bolus is BolusKind.PERIODIC


def test_a_clock_edit_does_not_move_the_periodic_boluses_not_even_over_a_reset() -> None:
    nurse = programmed(PERIODIC)
    nurse.run(HOUR_US)
    set_clock(nurse, 1800)
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(HOUR_US - MINUTE_US)
    assert nurse.status.bolus is BolusKind.NONE
    nurse.run(2 * MINUTE_US)
    assert nurse.status.bolus is BolusKind.PERIODIC


# --- random schedules ---------------------------------------------------------------------------

STEP = st.tuples(st.integers(1, 127), st.integers(0, 1439), st.integers(4, 400))


def _tidy(steps: list[tuple[int, int, int]]) -> Therapy:
    """Make a valid flex program of random steps: every day has one, no two at one minute."""
    taken: set[tuple[int, int]] = set()
    kept = [(EVERY_DAY, 0, 5)]
    for days, minute, amount in steps:
        own = {(day, minute) for day in range(7) if days >> day & 1}
        if minute and not own & taken:
            taken |= own
            kept.append((days, minute, amount))
    return flex(*sorted(kept, key=lambda step: (step[0] & -step[0], step[1])))


@pytest.mark.requirement("R-007")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(STEP, max_size=12),
    st.lists(st.tuples(st.integers(1, 2 * DAY_US), st.integers(-40_000, 40_000)), max_size=5),
)
def test_strokes_are_the_exact_integral_at_any_instant(
    steps: list[tuple[int, int, int]], runs: list[tuple[int, int]]
) -> None:
    """Between any two random instants, the clock set by random amounts in between."""
    wanted = _tidy(steps)
    nurse = programmed(wanted)
    wall_us, owed = START_US, Fraction(0)
    for for_us, by_s in runs:
        nurse.run(for_us)
        owed += owed_nl(wanted, wall_us, wall_us + for_us)
        wall_us += for_us
        assert abs(nurse.truth_delivered_nl - owed) <= STROKE_NL
        to_s = wall_us // SECOND_US + by_s
        if to_s >= START_WALL_S - 86_400:
            nurse.hello()
            nurse.do(TxnOp.SET_CLOCK, SetClockParameters(to_s))
            wall_us = to_s * SECOND_US


@pytest.mark.requirement("R-080")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(STEP, max_size=12),
    st.lists(st.tuples(st.integers(1, 2 * DAY_US), st.integers(0, 2)), max_size=5),
)
def test_a_reset_or_cut_at_any_instant_costs_less_than_a_stroke(
    steps: list[tuple[int, int, int]], runs: list[tuple[int, int]]
) -> None:
    """A boot begins the part-stroke anew; until ten looks at the clock an edge may be late."""
    wanted = _tidy(steps)
    nurse = programmed(wanted)
    for for_us, off_h in runs:
        before_nl, wall_us = nurse.truth_delivered_nl, START_US + nurse.world.now_us
        nurse.run(for_us)
        owed = owed_nl(wanted, wall_us, wall_us + for_us)
        assert abs(nurse.truth_delivered_nl - before_nl - owed) <= 2 * STROKE_NL
        if off_h:
            nurse.board.power_cut(off_h * HOUR_US + 1)
            nurse.run(off_h * HOUR_US + 1)
        else:
            nurse.board.reset(ResetCause.WATCHDOG)
            nurse.run(0)
