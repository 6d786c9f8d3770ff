"""The dates a pump tells: when the reserve is reached, when a refill is due, the day's mean."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nurse import MINUTE_US, START_WALL_S, Nurse, therapy, volume_per_day
from week import CASE_5, EVERY_DAY, SECOND_US, WEEKEND, WORKING_DAYS, flex

from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import BolusBasal, Code, LockoutFrom, ProgramKind, RateBasis, TxnOp
from protocol.messages import (
    AT_ONCE,
    FILL_NOT_TOLD,
    NO_PATIENT_BOLUS,
    Drug,
    PatientBolus,
    Periodic,
    ProgramParameters,
    SetClockParameters,
    Therapy,
)

DAY_S = 86_400
WEEKLY = flex((WORKING_DAYS, 390, 12), (WORKING_DAYS, 1320, 4), (WEEKEND, 600, 7))
PERIODIC = replace(
    therapy(volume_per_day(48_000)),
    program=ProgramKind.PERIODIC,
    periodic=Periodic(RateBasis.VOLUME_PL, 10_000_000, 600, 7200, AT_ONCE),
)


def programmed(wanted: Therapy, above_nl: int) -> Nurse:
    """A pump that may give so much until the reserve is reached."""
    nurse = Nurse()
    nurse.program(replace(wanted, low_reservoir_nl=40_000_000 - above_nl), 40_000_000)
    return nurse


def assert_low_comes_at(nurse: Nurse, wall_s: int) -> None:
    """LOW comes within the second that was told."""
    nurse.run((wall_s - nurse.status.wall_s - 1) * SECOND_US)
    assert Code.LOW_RESERVOIR not in nurse.alarms
    nurse.run(2 * SECOND_US)
    assert Code.LOW_RESERVOIR in nurse.alarms
    assert nurse.status.low_reservoir_wall_s == 0


@pytest.mark.requirement("R-062")
def test_worked_case_7_every_allotted_bolus_is_counted() -> None:
    patient = PatientBolus(RateBasis.MASS_PG, 250_000_000, 300, 7200, LockoutFrom.START, 4)
    wanted = replace(
        therapy(volume_per_day(150_000)),
        drugs=(Drug("test drug", 10_000_000_000),),
        low_reservoir_nl=3_000_000,
        patient=patient,
    )
    nurse = Nurse("rotor-20", 20_000_000)
    nurse.program(wanted, 20_000_000)
    assert nurse.status.refill_due_wall_s == START_WALL_S + 68 * DAY_S
    nurse.program(replace(wanted, stability_days=60))
    assert nurse.status.refill_due_wall_s == START_WALL_S + 60 * DAY_S
    assert nurse.status.low_reservoir_wall_s == START_WALL_S + 68 * DAY_S
    nurse.program(replace(wanted, patient=NO_PATIENT_BOLUS))
    assert nurse.status.refill_due_wall_s == START_WALL_S + 9_792_000  # 17 / 0.15 days


@pytest.mark.requirement("R-061")
@pytest.mark.parametrize("wanted", [CASE_5, WEEKLY, therapy(), PERIODIC])
def test_the_reserve_is_reached_at_the_second_that_was_told(wanted: Therapy) -> None:
    nurse = programmed(wanted, 2_349_000)
    told_s = nurse.status.low_reservoir_wall_s
    for _ in range(8):
        nurse.run(31 * HOUR_US + 77 * SECOND_US)
        assert abs(nurse.status.low_reservoir_wall_s - told_s) <= 1
    assert_low_comes_at(nurse, told_s)


def test_a_last_periodic_bolus_that_the_reserve_forbids_makes_it_later_never_earlier() -> None:
    nurse = programmed(PERIODIC, 2_345_000)
    told_s = nurse.status.low_reservoir_wall_s
    nurse.run((told_s - START_WALL_S + 60) * SECOND_US)
    assert nurse.alarms == {}
    assert nurse.log[-1].code is Code.BOLUS_REFUSED
    assert nurse.status.low_reservoir_wall_s > told_s + 60


def test_years_ahead_whole_weeks_are_counted_as_such() -> None:
    nurse = Nurse()
    slow = flex((EVERY_DAY, 360, 4), (0b0000001, 720, 5))
    nurse.program(slow, 40_000_000)
    # 4 µg/h, and on each Monday from noon until Tuesday at six 5: 2 µL/h and 9 µL a week more
    weeks, rest_nl = divmod(38_000_000, 2 * 168_000 + 9_000)
    told_s = nurse.status.low_reservoir_wall_s
    earliest_s = START_WALL_S + weeks * 7 * DAY_S + (rest_nl - 9_000) * 3600 // 2000
    assert earliest_s <= told_s <= earliest_s + 9_000 * 3600 // 2000


def test_a_scheduled_change_is_looked_through() -> None:
    nurse = programmed(therapy(), 1_000_000)
    nurse.run(HOUR_US)
    after = replace(CASE_5, low_reservoir_nl=39_200_000)
    at_s = START_WALL_S + 3 * DAY_S
    nurse.do(TxnOp.PROGRAM, ProgramParameters(after, FILL_NOT_TOLD, at_s))
    # 450 µL until then, 350 µL more at 120 µL a day; nine to nine is a whole day
    told_s = nurse.status.low_reservoir_wall_s
    assert at_s + 2 * DAY_S < told_s < at_s + 3 * DAY_S
    assert_low_comes_at(nurse, told_s)


@pytest.mark.parametrize("basal", list(BolusBasal))
def test_a_bolus_that_runs_is_counted_to_its_end(basal: BolusBasal) -> None:
    nurse = programmed(replace(CASE_5, bolus_basal=basal), 500_000)
    nurse.run(8 * HOUR_US + 30 * MINUTE_US)
    nurse.bolus(200_000, HOUR_US)
    nurse.run(20 * MINUTE_US)
    told_s = nurse.status.low_reservoir_wall_s
    nurse.run(40 * MINUTE_US + SECOND_US)
    assert abs(nurse.status.low_reservoir_wall_s - told_s) <= 1
    assert_low_comes_at(nurse, told_s)


def test_a_clock_edit_moves_the_date_with_the_steps() -> None:
    nurse = programmed(CASE_5, 500_000)
    nurse.do(TxnOp.SET_CLOCK, SetClockParameters(START_WALL_S + 7 * 3600))
    assert_low_comes_at(nurse, nurse.status.low_reservoir_wall_s)


def test_after_a_boot_between_two_seconds() -> None:
    nurse = programmed(CASE_5, 500_000)
    nurse.run(HOUR_US + 654_321)
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(HOUR_US)
    assert_low_comes_at(nurse, nurse.status.low_reservoir_wall_s)


def test_a_stopped_pump_tells_no_date_but_the_drugs() -> None:
    nurse = programmed(replace(CASE_5, stability_days=90), 500_000)
    nurse.stop()
    assert nurse.status.low_reservoir_wall_s == 0
    assert nurse.status.refill_due_wall_s == START_WALL_S + 90 * DAY_S


def test_a_fall_back_counts_at_the_minimum_rate() -> None:
    nurse = programmed(
        CASE_5, 22_000
    )  # what a loss of power leaves uncertain counts as given: 10 µL
    nurse.board.reset(ResetCause.LOW_VOLTAGE)
    nurse.run(SECOND_US)
    assert nurse.status.low_reservoir_wall_s == START_WALL_S + 2 * DAY_S


@pytest.mark.requirement("R-061")
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(4, 60), min_size=13, max_size=13),
    st.integers(250, 400_000),
    st.integers(0, 3 * DAY_US),
)
def test_any_week_is_forecast_to_the_second(rates: list[int], above_nl: int, for_us: int) -> None:
    days = [1 << index % 7 for index in range(13)]
    steps = sorted(
        (day, 37 * index, rate) for index, (day, rate) in enumerate(zip(days, rates, strict=True))
    )
    nurse = programmed(flex(*steps), above_nl)
    nurse.run(min(for_us, DAY_US * above_nl // 720_000))
    told_s = nurse.status.low_reservoir_wall_s
    if told_s:
        nurse.run((told_s + 1) * SECOND_US - START_WALL_S * SECOND_US - nurse.world.now_us)
        raised = next(record for record in nurse.log if record.code is Code.LOW_RESERVOIR)
        assert abs(raised.wall_s - told_s) <= 1
