"""A long single bolus gives way to the patient's, and goes on with its remainder."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nurse import MINUTE_US, STROKE_NL, Refusals
from patient import CASE_6, DOSE_NL, HOUR_US, Patient, ready

from hal.interfaces import ResetCause
from protocol.codes import (
    BolusBasal,
    BolusKind,
    Code,
    Mode,
    ProgramKind,
    RateBasis,
    RatePer,
    TxnState,
)
from protocol.errors import ErrorCode, LimitId
from protocol.messages import FlexStep, Rate, TxnResult

SQUARE_NL = 90_000
BASAL_NL_H = 6_250
NOTHING_PER_HOUR = Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0)
UNLOCKED = replace(CASE_6, lockout_s=0, max_per_24h=0)


def square(pump: Patient, minutes: int = 60) -> TxnResult:
    pump.hello()
    return pump.bolus(SQUARE_NL, minutes * MINUTE_US, again=True)


def given_nl(pump: Patient, txn: int) -> int:
    pump.hello()
    return pump.query(txn).given_nl


@pytest.mark.requirement("R-034")
@pytest.mark.requirement("R-037")
@pytest.mark.requirement("R-038")
@pytest.mark.parametrize("basal", list(BolusBasal))
def test_both_are_given_in_full_and_the_single_ends_later_by_the_others_time(
    basal: BolusBasal,
) -> None:
    pump = ready(bolus_basal=basal)
    before, start_us = pump.truth_delivered_nl, pump.world.now_us
    single = square(pump)
    pump.run(20 * MINUTE_US + 123_457)
    patient = pump.press()
    pump.run(4 * MINUTE_US)
    assert pump.status.bolus is BolusKind.PATIENT
    pump.run(2 * MINUTE_US)
    status = pump.status
    assert (status.bolus, status.bolus_total_nl) == (BolusKind.SINGLE, SQUARE_NL)
    pump.run(39 * MINUTE_US)
    over = [r for r in pump.log if r.code is Code.BOLUS_DONE]
    assert [r.a for r in over] == [DOSE_NL, SQUARE_NL]
    assert over[1].tick_us - start_us == pytest.approx(65 * MINUTE_US, abs=2_000)
    for txn in (single.txn, patient.txn):
        assert pump.query(txn).state is TxnState.DONE
    beside = BASAL_NL_H * 65 // 60 if basal is BolusBasal.CONTINUE else 0
    given = pump.truth_delivered_nl - before
    after = BASAL_NL_H * (pump.world.now_us - over[1].tick_us) // HOUR_US
    assert abs(given - beside - after - SQUARE_NL - DOSE_NL) <= STROKE_NL


@pytest.mark.requirement("R-042")
@pytest.mark.requirement("R-213")
def test_one_shorter_than_half_an_hour_does_not_give_way() -> None:
    for minutes, way in ((29, False), (30, True)):
        pump = ready()
        square(pump, minutes)
        pump.run(MINUTE_US)
        if way:
            pump.press()
            continue
        with pytest.raises(Refusals) as refused:
            pump.press()
        assert refused.value.code is ErrorCode.BUSY_DELIVERING


@pytest.mark.requirement("R-040")
def test_a_clinician_suspends_nothing_with_a_dose_of_his_own() -> None:
    pump = ready()
    square(pump)
    for _ in range(2):
        pump.hello()
        with pytest.raises(Refusals) as refused:
            pump.bolus(DOSE_NL)
        assert refused.value.code is ErrorCode.BUSY_DELIVERING
        if pump.status.bolus is BolusKind.SINGLE:
            pump.press()


def test_it_gives_way_again_and_again() -> None:
    pump = ready(UNLOCKED)
    before = pump.truth_delivered_nl
    single = square(pump)
    for _ in range(3):
        pump.run(10 * MINUTE_US)
        pump.press()
    pump.run(45 * MINUTE_US)
    assert pump.query(single.txn).state is TxnState.DONE
    assert pump.codes.count(Code.BOLUS_DONE) == 4
    given = pump.truth_delivered_nl - before
    assert abs(given - BASAL_NL_H * 75 // 60 - SQUARE_NL - 3 * DOSE_NL) <= STROKE_NL


def test_the_remainder_finds_room_beside_a_step_that_comes_before_its_later_end() -> None:
    """995 µL/h until 09:40; 500 µL/h of basal from 09:42 on leave no room for what is put off."""
    steps = (FlexStep(127, 0, 5_000_000), FlexStep(127, 582, 500_000_000))
    pump = Patient(UNLOCKED, program=ProgramKind.FLEX, steps=steps, rate=NOTHING_PER_HOUR)
    pump.run(MINUTE_US)
    pump.hello()
    single = pump.bolus(646_750)
    pump.run(5 * MINUTE_US)
    with pytest.raises(Refusals) as refused:
        pump.press()
    detail = refused.value.refusal
    assert (refused.value.code, detail.id) == (ErrorCode.LIMIT_HARD, LimitId.FLOW_MAX_PL_H)
    assert (detail.value, detail.limit) == (1_495_000_000, 1_000_000_000)
    pump.run(114 * MINUTE_US)
    assert given_nl(pump, single.txn) == 646_750
    expected_nl = 646_750 + 5_000 * 42 // 60 + 500_000 * 78 // 60
    assert abs(pump.truth_delivered_nl - expected_nl) <= STROKE_NL


def during_both(**over: Any) -> tuple[Patient, TxnResult, TxnResult]:
    """A third of the single given, half of the patient's."""
    pump = ready(**over)
    single = square(pump)
    pump.run(20 * MINUTE_US)
    patient = pump.press()
    pump.run(150_000_000)
    return pump, single, patient


@pytest.mark.requirement("R-078")
def test_a_stop_ends_both_with_what_each_was_given() -> None:
    pump, single, patient = during_both()
    pump.hello()
    pump.stop()
    pump.run(HOUR_US)
    assert abs(given_nl(pump, single.txn) - SQUARE_NL // 3) <= STROKE_NL
    assert abs(given_nl(pump, patient.txn) - DOSE_NL // 2) <= STROKE_NL
    ended = [(r.a, r.b) for r in pump.log if r.code is Code.BOLUS_ENDED_EARLY]
    assert ended == [
        (given_nl(pump, patient.txn), Code.STOPPED),
        (given_nl(pump, single.txn), Code.STOPPED),
    ]
    pump.resume()
    assert (pump.status.mode, pump.status.bolus) == (Mode.BASAL, BolusKind.NONE)


@pytest.mark.parametrize("cause", [ResetCause.WATCHDOG, ResetCause.COMMANDED])
def test_a_warm_reset_ends_both_with_what_each_was_given(cause: ResetCause) -> None:
    pump, single, patient = during_both(bolus_basal=BolusBasal.PAUSE)
    pump.board.reset(cause)
    pump.run(MINUTE_US)
    assert abs(given_nl(pump, single.txn) - SQUARE_NL // 3) <= STROKE_NL
    assert abs(given_nl(pump, patient.txn) - DOSE_NL // 2) <= STROKE_NL
    for txn in (single.txn, patient.txn):
        assert pump.query(txn).state is TxnState.ENDED_EARLY


def test_a_power_cut_leaves_the_uncertainty_to_the_one_that_ran() -> None:
    pump, single, patient = during_both(bolus_basal=BolusBasal.PAUSE)
    pump.board.power_cut(1_000_000)
    pump.run(2_000_000)
    assert abs(given_nl(pump, single.txn) - SQUARE_NL // 3) <= STROKE_NL
    assert DOSE_NL // 2 - STROKE_NL <= given_nl(pump, patient.txn) <= DOSE_NL


def test_a_reset_after_the_single_goes_on_tells_what_it_was_given_in_all() -> None:
    pump, single, patient = during_both(bolus_basal=BolusBasal.PAUSE)
    pump.run(150_000_000 + 10 * MINUTE_US)
    pump.board.reset(ResetCause.WATCHDOG)
    pump.run(0)
    assert abs(given_nl(pump, single.txn) - SQUARE_NL // 2) <= STROKE_NL
    assert pump.query(patient.txn).state is TxnState.DONE


def test_a_stall_ends_both_early() -> None:
    pump, single, patient = during_both()
    pump.board.faults.inject("magnet_field", {}, 10 * MINUTE_US)
    pump.run(20 * MINUTE_US)
    for txn in (single.txn, patient.txn):
        assert pump.query(txn).state is TxnState.ENDED_EARLY
    assert abs(given_nl(pump, single.txn) - SQUARE_NL // 3) <= STROKE_NL
    assert abs(given_nl(pump, patient.txn) - DOSE_NL // 2) <= STROKE_NL


def test_the_reserve_is_kept_for_what_the_single_still_owes() -> None:
    pump = ready(UNLOCKED, low_reservoir_nl=39_905_000)
    square(pump)
    pump.run(MINUTE_US)
    with pytest.raises(Refusals) as refused:
        pump.press()
    assert refused.value.code is ErrorCode.LIMIT_HARD


@pytest.mark.requirement("R-038")
@settings(max_examples=40, deadline=None)
@given(
    minutes=st.integers(30, 90),
    presses=st.lists(st.integers(1, 40 * 60 * 10**6), max_size=3),
    stop_us=st.none() | st.integers(1, 120 * 60 * 10**6),
)
def test_every_stroke_is_somebodys_whenever_it_is_suspended_or_stopped(
    minutes: int, presses: list[int], stop_us: int | None
) -> None:
    """With the basal paused what left the pump is the boluses, to a stroke for each."""
    pump = ready(UNLOCKED, bolus_basal=BolusBasal.PAUSE)
    before = pump.truth_delivered_nl
    txns = [square(pump, minutes).txn]
    start_us = pump.world.now_us
    for wait_us in presses:
        pump.run(wait_us)
        if pump.status.bolus is BolusKind.SINGLE:
            txns.append(pump.press().txn)
    if stop_us is not None and start_us + stop_us > pump.world.now_us:
        pump.world.run_until(start_us + stop_us)
        if pump.status.bolus is not BolusKind.NONE:
            pump.hello()
            pump.stop()
            pump.run(MINUTE_US)
            told = sum(given_nl(pump, txn) for txn in txns)
            assert abs(pump.truth_delivered_nl - before - told) <= STROKE_NL * len(txns)
            return
    pump.run(3 * HOUR_US)
    assert [given_nl(pump, txn) for txn in txns] == [SQUARE_NL] + [DOSE_NL] * (len(txns) - 1)
