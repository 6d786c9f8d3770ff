"""Bridges over a change of concentration, judged by what left pump and catheter tip."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nurse import DRUG, MINUTE_US, STROKE_NL, Nurse, Refusals, bolus, therapy, volume_per_day
from path_nurse import (
    BRIDGE_US,
    CATHETER_PL,
    FILL_NL,
    PATH_NL,
    STROKE_PG,
    STRONG,
    WEAK,
    change,
    dose,
    of,
    running,
    solute,
)

from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import (
    BolusKind,
    Code,
    Mode,
    ProgramKind,
    RateBasis,
    RatePer,
    StopReason,
    TxnOp,
    TxnState,
)
from protocol.errors import ErrorCode, LimitId
from protocol.messages import BolusParameters, Drug, Rate, RefillParameters, TxnResult


def bridging() -> tuple[Nurse, TxnResult]:
    """Worked case 4, begun after a day and a part of a stroke."""
    nurse = running(WEAK)
    nurse.run(DAY_US + 7_000_000)
    change(nurse)
    return nurse, dose(nurse, BolusKind.BRIDGE)


def delivered_until_mode_ends(nurse: Nurse) -> int:
    """Run while the bridge is owed; return what left the pump by then, nL since the world began."""
    while nurse.status.bolus is BolusKind.BRIDGE:
        nurse.run_an_event()
    return nurse.truth_delivered_nl


@pytest.mark.requirement("R-026")
def test_worked_case_4_a_bridge_gives_the_old_rate_until_the_path_volume_is_owed() -> None:
    nurse, result = bridging()
    began_nl = nurse.truth_delivered_nl
    preview = nurse.query(result.txn)
    assert (preview.state, preview.total_nl) == (TxnState.DELIVERING, 319_250)
    status = nurse.status
    assert (status.mode, status.bolus) == (Mode.BRIDGE, BolusKind.BRIDGE)
    assert status.rate_numerator_pl == 25_000_000 * status.rate_denominator_h
    nurse.run(BRIDGE_US - 1)
    assert nurse.status.mode is Mode.BRIDGE
    nurse.run(1)
    status = nurse.status
    assert (status.mode, status.bolus) == (Mode.BASAL, BolusKind.NONE)
    assert status.rate_numerator_pl == 6_250_000 * status.rate_denominator_h
    assert abs(nurse.truth_delivered_nl - began_nl - PATH_NL) <= STROKE_NL
    done = next(record for record in nurse.log if record.code is Code.BOLUS_DONE)
    assert done.tick_us == DAY_US + 7_000_000 + BRIDGE_US
    assert nurse.query(result.txn).state is TxnState.DONE
    nurse.run(20 * DAY_US)
    # Never a stroke more or less than the exact sum of the three rates owes.
    owed_nl = 600_000 + 600_000 * 7 / 86_400 + PATH_NL + 20 * 150_000
    assert 0 <= owed_nl - nurse.truth_delivered_nl < STROKE_NL


@pytest.mark.requirement("R-246")
def test_the_preview_of_a_bridge_says_volume_and_time() -> None:
    nurse = running(WEAK)
    change(nurse)
    wanted = BolusParameters(BolusKind.BRIDGE, RateBasis.MASS_PG, 300_000_000, 0, 0)
    preview = nurse.prepare(TxnOp.BOLUS, wanted)
    assert (preview.volume_nl, preview.duration_us) == (PATH_NL, BRIDGE_US)
    assert preview.strokes == 1277


def test_the_tip_goes_on_with_300_ug_a_day_over_a_change_with_a_bridge() -> None:
    nurse, _ = bridging()
    before_pg = nurse.board.plant.tip_pg(WEAK.name)
    start_us = nurse.world.now_us
    for _ in range(4 * 24 * 3):
        nurse.run(HOUR_US // 3 + 1_234_567)
        owed_pg = 300_000_000 * (nurse.world.now_us - start_us) // DAY_US
        tip_pg = nurse.board.plant.tip_pg(WEAK.name) - before_pg
        assert abs(tip_pg - owed_pg) <= STROKE_PG


@pytest.mark.parametrize(
    ("old", "new", "ug"),
    [(WEAK, STRONG, 75), (STRONG, WEAK, 1200)],
    ids=["four times too little", "four times too much"],
)
def test_the_tip_does_not_without_a_bridge(old: Drug, new: Drug, ug: int) -> None:
    """The path holds the old solution, and the new rate is wrong for it."""
    nurse = running(old)
    nurse.run(DAY_US)
    change(nurse, new)
    before_pg = nurse.board.plant.tip_pg(old.name)
    nurse.run(DAY_US // 2)
    tip_pg = nurse.board.plant.tip_pg(old.name) - before_pg
    assert abs(tip_pg - ug * 10**6 // 2) <= STROKE_PG


def test_a_bridge_from_the_stronger_solution_keeps_the_tip_steady_too() -> None:
    nurse = running(STRONG)
    nurse.run(DAY_US)
    change(nurse, WEAK)
    dose(nurse, BolusKind.BRIDGE)
    before_pg = nurse.board.plant.tip_pg(WEAK.name)
    for day in range(1, 5):
        nurse.run(DAY_US)
        tip_pg = nurse.board.plant.tip_pg(WEAK.name) - before_pg
        assert abs(tip_pg - day * 300_000_000) <= STROKE_PG


def test_another_bridging_dose_has_another_rate_and_time() -> None:
    nurse = running(WEAK)
    change(nurse)
    dose(nurse, BolusKind.BRIDGE, 150_000_000)
    nurse.run(2 * BRIDGE_US - 1)
    assert nurse.status.mode is Mode.BRIDGE
    nurse.run(1)
    assert nurse.status.mode is Mode.BASAL
    assert abs(nurse.truth_delivered_nl - PATH_NL) <= STROKE_NL


def test_what_was_given_since_the_needle_needs_no_bridge() -> None:
    """The new solution is drawn from the refill on, though it is programmed an hour later."""
    nurse = running(WEAK)
    nurse.board.plant.refill(FILL_NL * 1000, (solute(STRONG),))
    nurse.do(TxnOp.REFILL, RefillParameters(FILL_NL))
    nurse.run(HOUR_US)
    nurse.program(of(STRONG))
    nurse.run(HOUR_US)
    wanted = BolusParameters(BolusKind.BRIDGE, RateBasis.MASS_PG, 0, 0, 0)
    assert nurse.prepare(TxnOp.BOLUS, wanted).volume_nl == PATH_NL - 25_000 - 6_250


@pytest.mark.parametrize("interrupted", ["reset", "cut", "stop", "stall", "cut while stopped"])
def test_a_bridge_goes_on_with_what_it_owes(interrupted: str) -> None:
    nurse, result = bridging()
    began_nl = nurse.truth_delivered_nl
    uncertain_nl = 0
    for _ in range(3):
        nurse.run(2 * HOUR_US + 17_000_000)
        assert nurse.status.mode is Mode.BRIDGE
        if "stop" in interrupted:
            nurse.stop()
            nurse.run(HOUR_US)
            assert nurse.status.mode is Mode.STOPPED
        if interrupted == "reset":
            nurse.board.reset(ResetCause.WATCHDOG)
        elif "cut" in interrupted:
            nurse.board.power_cut(10 * MINUTE_US)
            nurse.run(10 * MINUTE_US)
            uncertain_nl = nurse.status.uncertain_nl
        elif interrupted == "stall":
            nurse.board.faults.inject("magnet_field", {}, HOUR_US)
            nurse.run(HOUR_US)
            assert nurse.status.mode is Mode.STALLED
            nurse.run(2 * MINUTE_US)
            nurse.clear(Code.MOTOR_STALL)
        nurse.run(0)
        if "stop" in interrupted:
            nurse.resume()
        assert nurse.query(result.txn).state is TxnState.DELIVERING
        assert nurse.status.mode is Mode.BRIDGE
        assert nurse.status.rate_numerator_pl == 25_000_000 * nurse.status.rate_denominator_h
    given_nl = delivered_until_mode_ends(nurse) - began_nl
    assert -2 * STROKE_NL - uncertain_nl <= given_nl - PATH_NL <= STROKE_NL
    if uncertain_nl:
        assert given_nl < PATH_NL - uncertain_nl + STROKE_NL, "what is uncertain counts as given"
    assert nurse.status.mode is Mode.BASAL
    assert nurse.query(result.txn).state is TxnState.DONE
    assert nurse.query(result.txn).given_nl == 319_250
    codes = [code for code in nurse.codes if code.name.startswith("BOLUS")]
    assert codes == [Code.BOLUS_STARTED, Code.BOLUS_DONE]
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(MINUTE_US)
    assert nurse.status.mode is Mode.BASAL, "a bridge that is over stays so"


def test_a_bridge_stalls_by_the_rule_of_the_basal() -> None:
    nurse, _ = bridging()
    nurse.run(HOUR_US)
    nurse.board.faults.inject("magnet_field", {}, None)
    nurse.run(19 * MINUTE_US)
    assert nurse.status.mode is Mode.BRIDGE, "a bolus would have stalled after a minute"
    nurse.run(2 * MINUTE_US)
    assert nurse.status.mode is Mode.STALLED


def test_the_end_of_a_bridge_waits_for_strokes_that_did_not_move_the_rotor() -> None:
    """A stall too short to be flagged, just before the end."""
    nurse, _ = bridging()
    began_nl = nurse.truth_delivered_nl
    nurse.run(BRIDGE_US - 15 * MINUTE_US)
    nurse.board.faults.inject("magnet_field", {}, 10 * MINUTE_US)
    given_nl = delivered_until_mode_ends(nurse) - began_nl
    assert abs(given_nl - PATH_NL) <= STROKE_NL
    assert nurse.world.now_us > DAY_US + BRIDGE_US + 9 * MINUTE_US


def test_a_bridge_given_up_by_a_new_program_says_what_it_gave_and_can_be_had_again() -> None:
    nurse, result = bridging()
    began_nl = nurse.truth_delivered_nl
    nurse.run(3 * HOUR_US)
    nurse.stop()
    nurse.run(MINUTE_US)
    given_nl = nurse.truth_delivered_nl - began_nl
    assert (nurse.status.mode, nurse.status.bolus_given_nl) == (Mode.STOPPED, given_nl)
    assert nurse.query(result.txn).given_nl == given_nl
    nurse.program(of(STRONG))
    ended = nurse.query(result.txn)
    assert (ended.state, ended.cause) == (TxnState.ENDED_EARLY, Code.PROGRAM_COMMITTED)
    assert ended.given_nl == given_nl
    assert nurse.status.mode is Mode.BASAL
    again = dose(nurse, BolusKind.BRIDGE)
    assert again.total_nl == (PATH_NL - given_nl) // STROKE_NL * STROKE_NL
    total_nl = delivered_until_mode_ends(nurse) - began_nl
    assert abs(total_nl - PATH_NL) <= STROKE_NL


@pytest.mark.parametrize("kind", [BolusKind.PRIME, BolusKind.BRIDGE])
def test_nothing_else_is_granted_while_a_prime_or_bridge_runs(kind: BolusKind) -> None:
    nurse = running(WEAK)
    change(nurse)
    dose(nurse, kind)
    nurse.run(MINUTE_US)
    wishes = [
        (TxnOp.BOLUS, bolus(10_000)),
        (TxnOp.BOLUS, BolusParameters(BolusKind.PRIME, RateBasis.MASS_PG, 0, 0, 0)),
        (TxnOp.BOLUS, BolusParameters(BolusKind.BRIDGE, RateBasis.MASS_PG, 0, 0, 0)),
        (TxnOp.REFILL, RefillParameters(FILL_NL)),
    ]
    for op, parameters in wishes:
        with pytest.raises(Refusals, match="BUSY_DELIVERING"):
            nurse.do(op, parameters)
    with pytest.raises(Refusals, match="BUSY_DELIVERING"):
        nurse.program(of(STRONG))
    assert nurse.status.bolus is kind


def test_a_bridge_without_a_change_of_concentration_is_refused() -> None:
    nurse = running()
    nurse.program(of(STRONG, rate=volume_per_day(200_000)))
    with pytest.raises(Refusals, match="STATE"):
        dose(nurse, BolusKind.BRIDGE)


@pytest.mark.requirement("R-024")
@pytest.mark.parametrize(
    ("over", "amount", "limit"),
    [
        ({"catheter_um": 0}, 0, LimitId.PATH_NL),
        ({}, 1, LimitId.FLOW_MIN_PL_H),
        ({}, 12_000_000_001, LimitId.FLOW_MAX_PL_H),
        ({"low_reservoir_nl": 39_900_000}, 0, LimitId.LOW_RESERVOIR_NL),
    ],
)
def test_a_bridge_outside_a_limit_is_refused(
    over: dict[str, int], amount: int, limit: LimitId
) -> None:
    nurse = running(WEAK)
    change(nurse, **over)
    with pytest.raises(Refusals) as refused:
        dose(nurse, BolusKind.BRIDGE, amount)
    assert (refused.value.code, refused.value.refusal.id) == (ErrorCode.LIMIT_HARD, limit)


def test_a_bridge_comes_too_late_when_the_path_holds_nothing_of_the_old_solution() -> None:
    nurse = running(WEAK)
    change(nurse)
    nurse.run(3 * DAY_US)
    with pytest.raises(Refusals) as refused:
        dose(nurse, BolusKind.BRIDGE)
    assert refused.value.refusal.id == LimitId.PATH_NL


def test_a_bridge_that_says_its_own_time_is_malformed() -> None:
    nurse = running(WEAK)
    change(nurse)
    nurse.stop()
    with pytest.raises(Refusals, match="MALFORMED"):
        dose(nurse, BolusKind.BRIDGE, 0, 1)
    with pytest.raises(Refusals, match="STATE"):
        dose(nurse, BolusKind.BRIDGE)


def test_an_old_program_that_gave_nothing_needs_a_bridging_dose() -> None:
    nurse = Nurse(drugs=(solute(WEAK),), catheter_pl=CATHETER_PL)
    stopped = replace(therapy(program=ProgramKind.STOPPED), drugs=(WEAK,))
    nurse.program(stopped, FILL_NL)
    change(nurse)
    with pytest.raises(Refusals) as refused:
        dose(nurse, BolusKind.BRIDGE)
    assert refused.value.refusal.id == LimitId.FLOW_MIN_PL_H
    assert dose(nurse, BolusKind.BRIDGE, 300_000_000).state is TxnState.DELIVERING


@pytest.mark.parametrize("wanted", [1, 400_000])
def test_a_bridge_of_more_than_a_year_is_refused_where_any_rate_is_within_the_range(
    wanted: int,
) -> None:
    """1 pg/day would take longer than the preview's 64 bits of microseconds."""
    nurse = Nurse("valve-40", drugs=(solute(WEAK),), catheter_pl=CATHETER_PL)
    nurse.program(of(WEAK, rate=Rate(RateBasis.MASS_PG, RatePer.DAY, wanted)), FILL_NL)
    change(nurse, rate=Rate(RateBasis.MASS_PG, RatePer.DAY, wanted))
    with pytest.raises(Refusals) as refused:
        dose(nurse, BolusKind.BRIDGE)
    detail = refused.value.refusal
    assert (detail.id, detail.limit) == (LimitId.BOLUS_DURATION_S, 366 * 86_400)


def test_the_end_of_service_and_72_hours_of_stall_end_a_bridge_for_good() -> None:
    nurse, result = bridging()
    nurse.board.faults.inject("magnet_field", {}, None)
    nurse.run(75 * HOUR_US)
    assert nurse.status.stop_reason is StopReason.MOTOR_STALL
    ended = nurse.query(result.txn)
    assert (ended.state, ended.given_nl) == (TxnState.ENDED_EARLY, 0)
    assert nurse.status.bolus is BolusKind.NONE


def test_minimum_rate_holds_a_bridge_and_its_strokes_count() -> None:
    nurse, result = bridging()
    began_nl = nurse.truth_delivered_nl
    nurse.run(HOUR_US)
    nurse.board.reset(ResetCause.LOW_VOLTAGE)
    nurse.run(4 * HOUR_US)
    assert nurse.status.mode is Mode.MINIMUM_RATE
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    nurse.clear(Code.LOW_BATTERY_RESET)
    assert nurse.status.mode is Mode.BRIDGE
    given_nl = delivered_until_mode_ends(nurse) - began_nl
    assert abs(given_nl - PATH_NL) <= 10_000  # what the reset left uncertain counts as given
    assert nurse.query(result.txn).state is TxnState.DONE


def test_the_low_reservoir_date_looks_past_the_end_of_a_bridge() -> None:
    nurse, _ = bridging()
    date_s = nurse.status.low_reservoir_wall_s
    left_nl = nurse.status.computed_nl - 2_000_000 - PATH_NL
    expected_s = nurse.status.wall_s + BRIDGE_US // 10**6 + left_nl * 86_400 // 150_000
    assert abs(date_s - expected_s) <= 300
    for _ in range(20):
        nurse.run(HOUR_US)
        assert abs(nurse.status.low_reservoir_wall_s - date_s) <= 300


@settings(max_examples=40, deadline=None)
@given(
    old=st.integers(50_000_000, 20_000_000_000),
    percent=st.integers(21, 490),  # beyond five times the jump in flow is refused
    daily_pg=st.integers(50_000_000, 1_000_000_000),
    catheter_um=st.integers(10_000, 1_200_000),
    before_us=st.integers(0, DAY_US),
    steps_us=st.lists(st.integers(1, 18 * HOUR_US), min_size=3, max_size=12),
)
def test_over_any_change_with_a_bridge_the_tip_is_steady_to_a_stroke(
    old: int, percent: int, daily_pg: int, catheter_um: int, before_us: int, steps_us: list[int]
) -> None:
    """The mass that leaves the tip is the dose, whatever solutions, doses and catheters."""
    new = old * percent // 100
    for concentration in (old, new):
        assume(48 <= daily_pg * 1000 // concentration <= 24_000)  # µL/day that the pump can give
    drugs = [Drug(DRUG.name, old), Drug(DRUG.name, new)]
    over = {"catheter_um": catheter_um, "rate": Rate(RateBasis.MASS_PG, RatePer.DAY, daily_pg)}
    nurse = Nurse(drugs=(solute(drugs[0]),), catheter_pl=catheter_um * 220)
    nurse.program(of(drugs[0], **over), FILL_NL)
    nurse.run(before_us)
    change(nurse, drugs[1], **over)
    if old != new:
        dose(nurse, BolusKind.BRIDGE)
    start_us, before_pg = nurse.world.now_us, nurse.board.plant.tip_pg(DRUG.name)
    for step_us in steps_us:
        nurse.run(step_us)
        owed_pg = daily_pg * (nurse.world.now_us - start_us) // DAY_US
        tip_pg = nurse.board.plant.tip_pg(DRUG.name) - before_pg
        assert abs(tip_pg - owed_pg) <= STROKE_NL * max(old, new) // 1_000_000 + 1
