"""What is delivered, judged by the plant: basal, bolus, stop, stall, reservoir."""

import pytest
from nurse import (
    MINUTE_US,
    STROKE_NL,
    Nurse,
    Refusals,
    therapy,
    volume_per_day,
)

from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import (
    BolusBasal,
    BolusKind,
    Code,
    Mode,
    ProgramKind,
    RateBasis,
    RatePer,
    StopReason,
    TxnState,
)
from protocol.errors import ErrorCode, LimitId
from protocol.messages import Rate


def programmed(**over: object) -> Nurse:
    nurse = Nurse()
    nurse.program(therapy(**over), 40_000_000)  # type: ignore[arg-type]
    return nurse


@pytest.mark.requirement("R-008")
@pytest.mark.requirement("R-082")
@pytest.mark.requirement("R-083")
def test_a_new_pump_is_stopped_full_and_says_why() -> None:
    nurse = Nurse()
    nurse.run(DAY_US)
    assert (nurse.status.mode, nurse.status.stop_reason) == (Mode.STOPPED, StopReason.NO_PROGRAM)
    assert nurse.status.computed_nl == 40_000_000
    assert nurse.truth_delivered_nl == 0


@pytest.mark.requirement("R-007")
def test_worked_case_1_and_2_thirty_days() -> None:
    nurse = programmed()
    nurse.run(30 * DAY_US)
    assert nurse.status.computed_nl == 35_500_000
    assert abs(nurse.truth_reservoir_nl - 35_500_000) <= STROKE_NL
    assert nurse.status.rate_numerator_pl == 6_250_000 * nurse.status.rate_denominator_h


@pytest.mark.requirement("R-011")
@pytest.mark.requirement("R-067")
def test_2400_days_with_refills_are_exact_to_one_stroke() -> None:
    nurse = Nurse()
    nurse.program(therapy(volume_per_day(137_000)), 40_000_000)
    for _ in range(10):
        nurse.run(240 * DAY_US)
        assert abs(40_000_000 - nurse.truth_reservoir_nl - 240 * 137_000) <= STROKE_NL
        assert nurse.status.computed_nl == nurse.truth_reservoir_nl
        nurse.refill(40_000_000)
    assert abs(nurse.truth_delivered_nl - 2400 * 137_000) <= STROKE_NL
    assert nurse.alarms == {}


@pytest.mark.requirement("R-064")
@pytest.mark.requirement("R-065")
@pytest.mark.requirement("R-070")
def test_worked_case_2_low_at_253_days_8_hours_then_dry() -> None:
    nurse = programmed()
    nurse.run(21_888_000_000_000 - 1)
    assert nurse.alarms == {}
    nurse.run(1)
    assert nurse.alarms == {Code.LOW_RESERVOIR: True}
    assert nurse.log[-1].tick_us == 21_888_000_000_000
    nurse.run(40_000_000 // 150_000 * DAY_US)
    assert nurse.status.stop_reason is StopReason.EMPTY_RESERVOIR
    assert nurse.truth_reservoir_nl == 0
    assert {*nurse.alarms} == {Code.LOW_RESERVOIR, Code.EMPTY_RESERVOIR, Code.STOPPED_TOO_LONG}
    stopped = next(record for record in nurse.log if record.code is Code.EMPTY_RESERVOIR)
    assert stopped.tick_us == 160_000 * 144_000_000


def test_the_low_reservoir_date_does_not_move_while_a_batch_runs() -> None:
    nurse = programmed()
    dates = set()
    for _ in range(20):
        nurse.run(77_000_000)
        dates.add(nurse.status.low_reservoir_wall_s)
    assert dates == {852_454_800 + 21_888_000}


@pytest.mark.requirement("R-063")
def test_a_running_bolus_brings_the_low_reservoir_date_forward_by_its_volume() -> None:
    nurse = programmed()
    nurse.run(HOUR_US)
    before_s = nurse.status.low_reservoir_wall_s
    nurse.bolus(150_000, HOUR_US)
    for _ in range(5):
        assert abs(nurse.status.low_reservoir_wall_s - (before_s - 86_400)) <= 288
        nurse.run(17 * MINUTE_US)


def test_a_pump_stopped_while_stalled_can_have_its_alarm_cleared() -> None:
    nurse = programmed()
    nurse.board.faults.inject("magnet_field", {}, None)
    nurse.run(HOUR_US)
    nurse.stop()
    nurse.clear(Code.MOTOR_STALL)
    assert nurse.alarms == {}
    nurse.resume()
    nurse.run(HOUR_US)
    assert nurse.alarms == {Code.MOTOR_STALL: True}


@pytest.mark.requirement("R-069")
@pytest.mark.requirement("R-084")
def test_refill_ends_low_and_empty_and_resume_delivers_again() -> None:
    nurse = programmed()
    nurse.run(270 * DAY_US)
    with pytest.raises(Refusals, match="STATE"):
        nurse.resume()
    nurse.refill(20_000_000)
    assert nurse.alarms == {Code.EMPTY_RESERVOIR: False, Code.STOPPED_TOO_LONG: True}
    before_nl = nurse.truth_delivered_nl
    nurse.resume()
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl - before_nl == 150_000
    nurse.clear(Code.EMPTY_RESERVOIR)
    assert nurse.alarms == {}


@pytest.mark.requirement("R-007")
@pytest.mark.requirement("R-214")
def test_minimum_rate_program_gives_a_stroke_an_hour() -> None:
    nurse = programmed(program=ProgramKind.MINIMUM_RATE)
    nurse.run(2 * DAY_US)
    assert nurse.status.mode is Mode.MINIMUM_RATE
    assert nurse.truth_delivered_nl == 12_000


@pytest.mark.requirement("R-008")
def test_stopped_program_stops() -> None:
    nurse = programmed()
    nurse.run(HOUR_US)
    nurse.program(therapy(program=ProgramKind.STOPPED))
    given_nl = nurse.truth_delivered_nl
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == given_nl
    assert nurse.status.stop_reason is StopReason.COMMANDED


@pytest.mark.requirement("R-074")
@pytest.mark.requirement("R-078")
def test_stop_finishes_the_stroke_and_resume_carries_the_remainder() -> None:
    nurse = programmed()
    nurse.run(HOUR_US + 143_900_000)  # 100 ms before a stroke ends: it is under way
    moving_nl = nurse.truth_delivered_nl
    nurse.stop()
    nurse.run(HOUR_US)
    assert nurse.truth_delivered_nl > moving_nl
    assert nurse.truth_delivered_nl % STROKE_NL == 0
    nurse.resume()
    before_nl = nurse.truth_delivered_nl
    nurse.run(10 * HOUR_US)
    assert abs(nurse.truth_delivered_nl - before_nl - 62_500) <= STROKE_NL


def test_stop_is_idempotent_and_logged_once() -> None:
    nurse = programmed()
    nurse.stop()
    nurse.stop()
    assert nurse.codes.count(Code.STOPPED) == 1


def test_a_change_of_rate_takes_effect_at_once_and_loses_nothing() -> None:
    nurse = programmed()
    nurse.run(DAY_US + 1_234_567)
    nurse.program(therapy(volume_per_day(600_000)))
    nurse.run(DAY_US)
    assert abs(nurse.truth_delivered_nl - 750_002) <= STROKE_NL


@pytest.mark.requirement("R-007")
@pytest.mark.requirement("R-019")
@pytest.mark.requirement("R-026")
def test_bolus_on_top_of_basal_gives_its_volume_in_its_time() -> None:
    nurse = programmed()
    nurse.run(HOUR_US)
    result = nurse.bolus(10_000, 30 * MINUTE_US)
    assert (result.state, result.total_nl) == (TxnState.DELIVERING, 10_000)
    assert (nurse.status.mode, nurse.status.bolus) == (Mode.BOLUS, BolusKind.SINGLE)
    nurse.run(15 * MINUTE_US)
    assert nurse.status.bolus_given_nl == 5_000
    nurse.run(15 * MINUTE_US + 2_000)
    assert nurse.status.mode is Mode.BASAL
    assert abs(nurse.truth_delivered_nl - 10_000 - 6_250 * 3 // 2) <= STROKE_NL
    assert nurse.query(result.txn).state is TxnState.DONE
    assert [c for c in nurse.codes if "BOLUS" in c.name] == [Code.BOLUS_STARTED, Code.BOLUS_DONE]
    nurse.run(9 * DAY_US)
    expected_nl = 10_000 + 150_000 * 9 + 6_250 * 3 // 2
    assert abs(nurse.truth_delivered_nl - expected_nl) <= STROKE_NL


def test_bolus_instead_of_basal_pauses_it() -> None:
    nurse = programmed(basal=BolusBasal.PAUSE)
    nurse.bolus(10_000, HOUR_US)
    nurse.run(HOUR_US + 2_000)
    assert nurse.status.mode is Mode.BASAL
    assert abs(nurse.truth_delivered_nl - 10_000) <= STROKE_NL


@pytest.mark.requirement("R-035")
def test_bolus_without_a_time_runs_at_full_flow_less_basal() -> None:
    nurse = programmed()
    preview_us = nurse.bolus(10_000)
    assert preview_us.state is TxnState.DELIVERING
    # 10 µL at 1 mL/h - 6.25 µL/h: 36.23 s
    nurse.run(36_300_000)
    assert nurse.status.mode is Mode.BASAL
    assert nurse.truth_delivered_nl == 10_000


@pytest.mark.requirement("R-078")
def test_a_bolus_stopped_early_counts_what_it_gave() -> None:
    nurse = programmed(basal=BolusBasal.PAUSE)
    txn = nurse.bolus(10_000, HOUR_US).txn
    nurse.run(30 * MINUTE_US + 10_000_000)
    nurse.stop()
    nurse.run(HOUR_US)
    result = nurse.query(txn)
    assert (result.state, result.cause) == (TxnState.ENDED_EARLY, Code.STOPPED)
    assert result.given_nl == nurse.truth_delivered_nl == 5_000
    nurse.resume()
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == 155_000


def test_worked_case_9_a_magnet_costs_a_day_of_drug_and_nothing_is_caught_up() -> None:
    nurse = programmed()
    nurse.run(54 * HOUR_US)
    before_nl = nurse.truth_delivered_nl
    nurse.board.faults.inject("magnet_field", {"recovery": 24 * HOUR_US}, 30 * MINUTE_US)
    nurse.run(20 * MINUTE_US + 144_000_000)
    assert nurse.status.mode is Mode.STALLED
    assert nurse.alarms == {Code.MOTOR_STALL: True}
    nurse.run(24 * HOUR_US - 20 * MINUTE_US - 144_000_000)
    assert nurse.truth_delivered_nl == before_nl
    nurse.run(HOUR_US)
    assert nurse.status.mode is Mode.BASAL
    assert nurse.alarms == {Code.MOTOR_STALL: False}
    assert nurse.truth_delivered_nl - before_nl == 6_250
    stall = next(r for r in nurse.log if r.code is Code.STALL)
    assert stall.tick_us == 54 * HOUR_US + 20 * MINUTE_US
    nurse.run((30 * 24 - 79) * HOUR_US)
    assert nurse.truth_delivered_nl == 30 * 150_000 - 150_000
    assert nurse.status.computed_nl == nurse.truth_reservoir_nl


@pytest.mark.requirement("R-051")
def test_a_bolus_ends_early_when_the_rotor_stalls() -> None:
    nurse = programmed(basal=BolusBasal.PAUSE)
    txn = nurse.bolus(100_000, HOUR_US).txn
    nurse.run(30 * MINUTE_US)
    nurse.board.faults.inject("magnet_field", {}, None)
    given_nl = nurse.truth_delivered_nl
    nurse.run(2 * MINUTE_US)
    result = nurse.query(txn)
    assert (result.state, result.cause) == (TxnState.ENDED_EARLY, Code.MOTOR_STALL)
    assert abs(result.given_nl - given_nl) <= STROKE_NL
    assert nurse.status.mode is Mode.STALLED


def test_72_hours_without_movement_cut_the_supply() -> None:
    nurse = programmed()
    nurse.board.faults.inject("magnet_field", {}, None)
    nurse.run(72 * HOUR_US + 144_000_000)
    assert nurse.status.mode is Mode.SAFE_STATE
    nurse.run(1_000_000)
    assert not nurse.board.supply.enabled
    nurse.board.faults.clear("magnet_field")
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == 0


@pytest.mark.requirement("R-024")
@pytest.mark.requirement("R-035")
@pytest.mark.requirement("R-041")
@pytest.mark.parametrize(
    ("volume_nl", "duration_us", "limit"),
    [
        (249, 0, LimitId.BOLUS_VOLUME_NL),
        (39_000_000, 0, LimitId.BOLUS_VOLUME_NL),
        (100_000, MINUTE_US, LimitId.FLOW_MAX_PL_H),
        (10_000, 2 * DAY_US, LimitId.BOLUS_DURATION_S),
    ],
)
def test_a_bolus_outside_a_limit_is_refused(
    volume_nl: int, duration_us: int, limit: LimitId
) -> None:
    nurse = programmed()
    with pytest.raises(Refusals) as refused:
        nurse.bolus(volume_nl, duration_us)
    assert refused.value.code is ErrorCode.LIMIT_HARD
    assert refused.value.refusal.id == limit
    assert nurse.codes[-1] is Code.BOLUS_REFUSED
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == 150_000


@pytest.mark.requirement("R-069")
@pytest.mark.requirement("R-050")
def test_a_bolus_never_takes_the_reserve() -> None:
    nurse = programmed(low_nl=39_990_000)
    with pytest.raises(Refusals) as refused:
        nurse.bolus(20_000)
    assert refused.value.refusal.id == LimitId.LOW_RESERVOIR_NL


@pytest.mark.requirement("R-002")
@pytest.mark.requirement("R-248")
@pytest.mark.parametrize(
    ("volume_nl", "limit"), [(47_000, LimitId.FLOW_MIN_PL_H), (24_000_250, LimitId.FLOW_MAX_PL_H)]
)
def test_a_rate_outside_the_pump_is_refused_and_the_old_one_goes_on(
    volume_nl: int, limit: LimitId
) -> None:
    nurse = programmed()
    with pytest.raises(Refusals) as refused:
        nurse.program(therapy(volume_per_day(volume_nl)))
    assert refused.value.refusal.id == limit
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == 150_000


@pytest.mark.requirement("R-071")
@pytest.mark.requirement("R-247")
def test_more_than_the_reservoir_holds_is_refused() -> None:
    nurse = Nurse()
    with pytest.raises(Refusals) as refused:
        nurse.program(therapy(), 40_000_001)
    assert refused.value.refusal.id == LimitId.RESERVOIR_NL


def test_a_bolus_that_the_basal_leaves_no_flow_for_is_refused_for_its_duration() -> None:
    nurse = programmed(rate=Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 999_999_999))
    with pytest.raises(Refusals) as refused:
        nurse.bolus(10_000)
    assert refused.value.refusal.id == LimitId.BOLUS_DURATION_S


def test_a_stall_at_minimum_rate_is_waited_for_asleep() -> None:
    nurse = programmed(program=ProgramKind.MINIMUM_RATE)
    nurse.board.faults.inject("magnet_field", {}, None)
    assert nurse.world.run_some(3 * HOUR_US, 200), "a wake every millisecond"
    assert nurse.status.mode is Mode.STALLED


def test_a_whole_bolus_is_whole_wherever_between_two_counts_the_rotor_stands() -> None:
    nurse = programmed(rate=volume_per_day(480_000), basal=BolusBasal.PAUSE)
    nurse.run(45_000_000 - 10_000)
    nurse.board.reset(ResetCause.WATCHDOG)  # 10 ms before the encoder would have counted
    nurse.run(45_000_000 - 100_000)
    nurse.hello()
    txn = nurse.bolus(1_500).txn
    nurse.run(MINUTE_US)
    result = nurse.query(txn)
    assert (result.state, result.given_nl) == (TxnState.DONE, 1_500)
