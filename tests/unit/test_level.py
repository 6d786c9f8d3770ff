"""The level sensor beside the count: more careful by it, never stopped by it alone.

Judged by the plant: what is truly in the reservoir, and what truly left it.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nurse import START_WALL_S, Nurse, Refusals, therapy, volume_per_day
from serial_nurse import SerialNurse

from emulator.devices.level import LevelSensor
from emulator.profile import FOLDER, Profile
from firmware.alarms import NEVER_US
from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import (
    BolusKind,
    Code,
    Mode,
    ProgramKind,
    RateBasis,
    StopReason,
    TxnOp,
)
from protocol.errors import ErrorCode, LimitId
from protocol.messages import (
    AT_ONCE,
    NOT_SENSED,
    BolusParameters,
    Periodic,
    RefillParameters,
    SetClockParameters,
    Therapy,
)

STEP_NL = 100_000
LOW_NL = 3_000_000
DAY_NL = 1_000_000
SENSOR_STROKE_NL = 1_000


def prescribed(day_nl: int = DAY_NL, **over: Any) -> Therapy:
    return replace(therapy(volume_per_day(day_nl), low_nl=LOW_NL), **over)


def filled(
    truly_nl: int, told_nl: int, profile: str = "sensed-40", day_nl: int = DAY_NL, **plant: Any
) -> Nurse:
    """A pump that runs after a fill of which it was told another volume, or the same."""
    nurse = Nurse(profile, truly_nl, **plant)
    nurse.program(prescribed(day_nl), told_nl)
    return nurse


def sensor(nurse: Nurse) -> LevelSensor:
    found = nurse.board.reservoir_sensor
    assert found is not None
    return found


def delivered_in(nurse: Nurse, duration_us: int) -> int:
    before_nl = nurse.truth_delivered_nl
    nurse.run(duration_us)
    return nurse.truth_delivered_nl - before_nl


# --- what is shown ------------------------------------------------------------------------------


@pytest.mark.requirement("R-067")
def test_physical_computed_and_sensed_stay_apart() -> None:
    nurse = filled(40_000_000, 40_000_000, flow_bias_ppm=50_000)
    nurse.run(10 * DAY_US)
    status = nurse.ask("STATUS")
    assert status.computed_nl == 30_000_000
    assert abs(nurse.truth_reservoir_nl - 29_500_000) <= SENSOR_STROKE_NL + 50
    assert status.sensed_nl == nurse.truth_reservoir_nl // STEP_NL * STEP_NL
    assert nurse.alarms == {}


def test_a_pump_without_a_sensor_says_so_and_has_no_timer_for_one() -> None:
    nurse = filled(40_000_000, 40_000_000, "rotor-40")
    assert nurse.ask("STATUS").sensed_nl == NOT_SENSED
    assert nurse.pump.firmware._infusion.watch.timer_us == NEVER_US


def test_a_pump_that_was_never_told_of_a_fill_shows_its_sensor_and_says_no_more() -> None:
    nurse = Nurse("sensed-40", 0)
    nurse.run(2 * DAY_US)
    assert (nurse.status.sensed_nl, nurse.alarms) == (0, {})


# --- a fill that contradicts the count ----------------------------------------------------------


@pytest.mark.requirement("R-071")
def test_20_ml_injected_and_40_entered_is_said_at_once_and_low_comes_in_time() -> None:
    nurse = filled(20_000_000, 40_000_000)
    assert nurse.alarms == {Code.SENSOR_DISAGREE: True}
    assert nurse.status.low_reservoir_wall_s <= START_WALL_S + 17 * 86_400
    nurse.run(17 * DAY_US)
    assert Code.LOW_RESERVOIR in nurse.alarms
    low = next(record for record in nurse.log if record.code is Code.LOW_RESERVOIR)
    truly_nl = 20_000_000 - low.tick_us * DAY_NL // DAY_US
    assert LOW_NL <= truly_nl <= LOW_NL + STEP_NL


def test_the_sensor_of_a_board_at_the_end_of_a_line_is_heard_as_well() -> None:
    nurse = SerialNurse(profile=Profile.load("sensed-40"))
    nurse.program(prescribed(), 20_000_000)
    assert nurse.alarms == {Code.SENSOR_DISAGREE: True}
    assert nurse.status.sensed_nl == nurse.truth_reservoir_nl == 40_000_000


def test_the_same_slip_on_a_rotor_pump_is_silent_until_the_refill() -> None:
    nurse = filled(4_000_000, 8_000_000, "rotor-40")
    nurse.run(5 * DAY_US - HOUR_US)
    assert nurse.truth_reservoir_nl == 0
    assert (nurse.status.mode, nurse.alarms) == (Mode.BASAL, {})


def test_a_reservoir_that_only_the_sensor_sees_dry_is_an_alarm_and_no_stop() -> None:
    nurse = filled(4_000_000, 8_000_000)
    nurse.run(5 * DAY_US)
    assert nurse.truth_reservoir_nl == 0
    assert nurse.alarms[Code.EMPTY_RESERVOIR]
    assert nurse.status.mode is Mode.BASAL
    nurse.run(4 * DAY_US)
    assert nurse.status.stop_reason is StopReason.EMPTY_RESERVOIR


def test_entering_the_right_volume_as_near_as_the_sensor_tells_ends_the_disagreement() -> None:
    nurse = filled(20_000_000, 40_000_000)
    nurse.run(DAY_US)
    nurse.do(TxnOp.REFILL, RefillParameters(19_300_000))
    assert nurse.alarms == {}
    nurse.run(DAY_US)
    assert nurse.alarms == {}


def test_a_refill_the_pump_was_not_told_of_is_a_disagreement_and_postpones_nothing() -> None:
    nurse = filled(10_000_000, 10_000_000)
    nurse.run(5 * DAY_US)
    nurse.board.plant.refill(40_000_000_000, ())
    nurse.run(HOUR_US)
    assert nurse.alarms == {Code.SENSOR_DISAGREE: True}
    nurse.run(2 * DAY_US)
    assert nurse.alarms == {Code.SENSOR_DISAGREE: True, Code.LOW_RESERVOIR: True}
    nurse.run(3 * DAY_US)
    assert nurse.status.stop_reason is StopReason.EMPTY_RESERVOIR


def test_a_needle_after_the_entry_is_a_disagreement_for_an_hour_at_most() -> None:
    nurse = filled(20_000_000, 20_000_000)
    nurse.run(10 * DAY_US)
    nurse.do(TxnOp.REFILL, RefillParameters(40_000_000))
    assert nurse.alarms == {Code.SENSOR_DISAGREE: True}
    nurse.board.plant.refill(40_000_000_000, ())
    nurse.run(HOUR_US)
    assert nurse.alarms == {}


# --- a sensor that is wrong ---------------------------------------------------------------------


def test_a_sensor_that_shows_too_much_postpones_nothing() -> None:
    alone, beside = (filled(5_000_000, 5_000_000, day_nl=900_000) for _ in range(2))
    sensor(beside).bias_nl = 5_000_000
    sensor(alone).bias_nl = STEP_NL  # so that its whole steps are never below the truth
    for nurse in (alone, beside):
        nurse.run(6 * DAY_US)
    came = [
        [r.tick_us for r in nurse.log if r.code in (Code.LOW_RESERVOIR, Code.EMPTY_RESERVOIR)]
        for nurse in (alone, beside)
    ]
    assert came[0] == came[1] == [2_000 * 96_000_000, 5_000 * 96_000_000]


def test_a_sensor_stuck_at_nothing_sounds_but_the_therapy_goes_on() -> None:
    nurse = filled(30_000_000, 30_000_000)
    nurse.run(DAY_US)
    sensor(nurse).bias_nl = -40_000_000
    sensor(nurse).set_stuck(True)
    nurse.run(HOUR_US)
    assert set(nurse.alarms) == {Code.SENSOR_DISAGREE, Code.LOW_RESERVOIR, Code.EMPTY_RESERVOIR}
    assert abs(delivered_in(nurse, 5 * DAY_US) - 5 * DAY_NL) <= SENSOR_STROKE_NL
    with pytest.raises(Refusals) as refused:
        nurse.bolus(10_000)
    assert refused.value.code is ErrorCode.STATE
    sensor(nurse).bias_nl = 0
    sensor(nurse).set_stuck(False)
    nurse.run(HOUR_US)
    assert nurse.alarms == {Code.EMPTY_RESERVOIR: False}
    nurse.clear(Code.EMPTY_RESERVOIR)
    assert nurse.alarms == {}


def test_where_low_falls_to_the_minimum_a_sensor_that_is_wrong_does_not_lower_the_basal(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sensed-40.toml"
    text = (FOLDER / "sensed-40.toml").read_text(encoding="utf-8")
    path.write_text(text.replace('basal = "program"', 'basal = "minimum_rate"'), encoding="utf-8")
    nurse = filled(40_000_000, 40_000_000, str(path))
    nurse.run(HOUR_US)
    sensor(nurse).bias_nl = -40_000_000
    nurse.run(HOUR_US)
    assert {Code.LOW_RESERVOIR, Code.SENSOR_DISAGREE} <= {*nurse.alarms}
    assert nurse.status.mode is Mode.BASAL
    assert abs(delivered_in(nurse, DAY_US) - DAY_NL) <= 2 * SENSOR_STROKE_NL
    nurse.run(36 * DAY_US)
    assert nurse.status.mode is Mode.MINIMUM_RATE, "the count says so too"
    assert abs(nurse.status.computed_nl - LOW_NL) <= DAY_NL


def test_a_sensor_that_shows_nothing_is_not_believed_when_the_count_comes_near() -> None:
    """36 days of what a pump may differ reach as far as the rest; yet nothing has got better."""
    nurse = filled(40_000_000, 40_000_000)
    nurse.run(HOUR_US)
    sensor(nurse).bias_nl = -40_000_000
    nurse.run(39 * DAY_US)
    assert nurse.status.mode is Mode.BASAL
    assert Code.SENSOR_DISAGREE in nurse.alarms
    nurse.run(DAY_US)
    assert nurse.status.stop_reason is StopReason.EMPTY_RESERVOIR
    assert nurse.truth_delivered_nl == 40_000_000


def test_a_sensor_that_is_wrong_keeps_no_periodic_bolus_from_the_program() -> None:
    boluses = Periodic(
        RateBasis.VOLUME_PL, 10_000_000, 4800, 7200, AT_ONCE
    )  # one runs at each other reading
    nurse = Nurse("sensed-40", 30_000_000)
    wanted = prescribed(100_000, program=ProgramKind.PERIODIC, periodic=boluses)
    nurse.program(wanted, 30_000_000)
    sensor(nurse).bias_nl = -40_000_000
    nurse.run(2 * DAY_US)
    begun = [r for r in nurse.log if r.code is Code.BOLUS_STARTED and r.b == BolusKind.PERIODIC]
    assert len(begun) == 25
    assert Code.BOLUS_ENDED_EARLY not in nurse.codes
    given_nl = 24 * 10_000 + 2 * 100_000 * (7200 - 4800) // 7200
    assert abs(nurse.truth_delivered_nl - given_nl) <= 2 * SENSOR_STROKE_NL


def test_an_empty_reservoir_on_which_both_nearly_agree_stops_the_pump() -> None:
    nurse = filled(10_000_000, 10_000_000, flow_bias_ppm=50_000)
    nurse.run(10 * DAY_US - 5 * HOUR_US)
    assert nurse.truth_reservoir_nl < STEP_NL
    assert nurse.status.computed_nl > 400_000
    assert nurse.status.stop_reason is StopReason.EMPTY_RESERVOIR
    assert Code.SENSOR_DISAGREE not in nurse.codes
    with pytest.raises(Refusals) as refused:
        nurse.resume()
    assert refused.value.code is ErrorCode.STATE


@pytest.mark.requirement("R-064")
@pytest.mark.parametrize(
    ("days", "bias_nl", "code"),
    [(4, -150_000, Code.LOW_RESERVOIR), (7, -570_000, Code.SENSOR_DISAGREE)],
)
def test_noise_of_whole_steps_at_a_threshold_passes_it_once(
    days: int, bias_nl: int, code: Code
) -> None:
    """Of 3.6 mL, 0.4 are given until LOW is near; the gate after 0.7 mL is 0.57 mL."""
    fill_nl = 3_600_000 if code is Code.LOW_RESERVOIR else 10_000_000
    nurse = filled(fill_nl, fill_nl, day_nl=100_000)
    nurse.run(days * DAY_US)
    for hour in range(24):
        sensor(nurse).bias_nl = bias_nl + (0, -STEP_NL, 0, STEP_NL)[hour % 4]
        nurse.run(HOUR_US)
    assert nurse.codes.count(code) == 1
    sensor(nurse).bias_nl = 300_000
    nurse.run(HOUR_US)
    assert nurse.alarms == {}


# --- boluses, resets ----------------------------------------------------------------------------


@pytest.mark.parametrize(("bias_nl", "too_much_nl"), [(-400_000, 700_000), (400_000, 1_000_000)])
def test_the_reserve_of_a_bolus_asked_for_is_that_of_the_lower_volume(
    bias_nl: int, too_much_nl: int
) -> None:
    nurse = filled(4_000_000, 4_000_000)
    sensor(nurse).bias_nl = bias_nl
    nurse.run(HOUR_US)
    assert nurse.alarms == {}
    with pytest.raises(Refusals) as refused:
        nurse.bolus(too_much_nl)
    assert refused.value.refusal.id == LimitId.LOW_RESERVOIR_NL
    nurse.bolus(too_much_nl - 300_000)


def test_a_lower_limit_ends_the_alarm_that_the_sensor_raised_by_the_one_before() -> None:
    nurse = filled(3_150_000, 3_150_000)
    sensor(nurse).bias_nl = -200_000
    nurse.run(HOUR_US)
    assert nurse.alarms == {Code.LOW_RESERVOIR: True}
    nurse.program(prescribed(low_reservoir_nl=LOW_NL - 200_000))
    assert nurse.alarms == {}


def test_a_bolus_that_the_sensor_sees_in_the_reserve_ends_and_the_basal_goes_on() -> None:
    nurse = filled(3_900_000, 3_900_000, day_nl=100_000)
    nurse.bolus(500_000)
    sensor(nurse).bias_nl = -450_000
    nurse.run(4 * HOUR_US)
    ended = next(r for r in nurse.log if r.code is Code.BOLUS_ENDED_EARLY)
    assert ended.b == Code.LOW_RESERVOIR
    assert nurse.truth_reservoir_nl >= LOW_NL + 300_000
    assert nurse.status.mode is Mode.BASAL


@pytest.mark.parametrize("power", [True, False])
def test_after_a_reset_sensor_and_count_are_compared_anew(power: bool) -> None:
    nurse = filled(4_000_000, 8_000_000)
    nurse.run(4 * DAY_US)
    if power:
        nurse.board.power_cut(60_000_000)
        nurse.run(60_000_000)
    else:
        nurse.board.reset(ResetCause.WATCHDOG)
        nurse.run(0)
    assert set(nurse.alarms) == {Code.SENSOR_DISAGREE, Code.LOW_RESERVOIR, Code.EMPTY_RESERVOIR}
    assert nurse.status.mode is Mode.BASAL


# --- the date -----------------------------------------------------------------------------------

NINE_DAYS = replace(therapy(volume_per_day(100_000)), stability_days=9)


def dated() -> Nurse:
    nurse = Nurse()
    nurse.program(NINE_DAYS, 40_000_000)
    return nurse


def test_a_stability_date_that_has_passed_is_said_to_the_second_and_hinders_nothing() -> None:
    nurse = dated()
    nurse.run(9 * DAY_US - 1)
    assert nurse.alarms == {}
    nurse.run(1)
    assert nurse.alarms == {Code.REFILL_OVERDUE: True}
    assert abs(delivered_in(nurse, DAY_US) - 100_000) <= 250
    nurse.bolus(10_000)
    nurse.run(DAY_US)
    nurse.refill(40_000_000)
    assert nurse.alarms == {}


def test_the_date_moves_with_the_prescription_and_with_the_clock_and_survives_a_reset() -> None:
    nurse = dated()
    nurse.run(10 * DAY_US)
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    assert nurse.alarms == {Code.REFILL_OVERDUE: True}
    nurse.program(replace(NINE_DAYS, stability_days=11))
    assert nurse.alarms == {}
    clock_s = nurse.status.wall_s
    nurse.do(TxnOp.SET_CLOCK, SetClockParameters(clock_s + 86_400))
    assert nurse.alarms == {Code.REFILL_OVERDUE: True}
    nurse.do(TxnOp.SET_CLOCK, SetClockParameters(clock_s))
    assert nurse.alarms == {}
    nurse.run(DAY_US)
    assert nurse.alarms == {Code.REFILL_OVERDUE: True}


def test_a_bridge_goes_on_by_the_count_when_the_sensor_is_wrong() -> None:
    nurse = Nurse("sensed-40", 30_000_000)
    weak = replace(prescribed(200_000), drugs=(replace(prescribed().drugs[0],
                   concentration_pg_ml=500_000_000),))  # fmt: skip
    nurse.program(weak, 30_000_000)
    nurse.refill(30_000_000)
    nurse.program(prescribed(200_000))
    sensor(nurse).bias_nl = -40_000_000
    nurse.run(HOUR_US)
    assert Code.SENSOR_DISAGREE in nurse.alarms
    with pytest.raises(Refusals):
        nurse.bolus(10_000)
    nurse.do(TxnOp.BOLUS, BolusParameters(BolusKind.BRIDGE, RateBasis.VOLUME_PL, 0, 0, 0))
    assert nurse.status.mode is Mode.BRIDGE
