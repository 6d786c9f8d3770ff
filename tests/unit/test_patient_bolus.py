"""Patient boluses on a whole pump: grants, lockout, count, refusals, once each."""

from dataclasses import replace
from typing import Any

import pytest
from nurse import MINUTE_US, START_WALL_S, STROKE_NL, Refusals, bolus
from patient import CASE_6, DOSE_NL, HOUR_US, REQUEST, Patient, ready, refusal

from hal.interfaces import ResetCause
from protocol.codes import (
    BolusBasal,
    BolusKind,
    Code,
    LockoutFrom,
    Mode,
    RateBasis,
    Role,
    TxnOp,
    TxnState,
)
from protocol.errors import ErrorCode, LimitId
from protocol.messages import (
    BolusParameters,
    PatientBolus,
)

# --- lockout and count ---------------------------------------------------------------------------


@pytest.mark.requirement("R-044")
@pytest.mark.requirement("R-045")
@pytest.mark.requirement("R-046")
@pytest.mark.requirement("R-049")
@pytest.mark.requirement("R-249")
def test_worked_case_6() -> None:
    pump = Patient()
    assert START_WALL_S % 86_400 == 9 * 3600
    given = 0

    def granted(hour: int, minute: int, day: int = 1) -> None:
        nonlocal given
        pump.until(hour, minute, day)
        pump.press()
        given += 1
        assert pump.status.boluses_24h == min(given, 4)

    granted(8, 0)
    pump.until(9, 30, 1)
    assert pump.left_s() == 30 * 60
    granted(10, 0)
    granted(12, 5)
    granted(14, 30)
    pump.until(17, 0, 1)
    assert pump.left_s() == 15 * 3600
    pump.until(7, 59, 2)
    assert pump.left_s() == 60
    granted(8, 0, 2)
    pump.until(8, 5, 2)
    pump.hello()
    pump.program(pump.wanted)
    assert pump.status.lockout_s == 7200
    pump.until(10, 4, 2)
    assert pump.left_s() == 60
    pump.until(10, 5, 2)
    assert pump.press().state is TxnState.DELIVERING
    pump.run(10 * MINUTE_US)
    assert pump.codes.count(Code.BOLUS_DONE) == 6
    assert pump.codes.count(Code.BOLUS_REFUSED) == 4
    basal_nl = 150_000 * pump.world.now_us // (24 * HOUR_US)
    assert abs(pump.truth_delivered_nl - basal_nl - 6 * DOSE_NL) <= STROKE_NL


def test_the_first_program_and_a_refill_start_the_lockout_an_interrogation_does_not() -> None:
    pump = Patient()
    assert pump.left_s() == 7200
    pump.run(7200 * 1_000_000)
    pump.hello()
    pump.ask("INTERROGATE")
    assert pump.status.lockout_s == 0
    pump.refill(30_000_000)
    assert pump.left_s() == 7200


@pytest.mark.requirement("R-045")
def test_a_lockout_from_the_end_holds_for_bolus_and_lockout() -> None:
    pump = ready(replace(CASE_6, lockout_from=LockoutFrom.END))
    pump.press()
    assert pump.status.lockout_s == 300 + 7200
    pump.run(5 * MINUTE_US)
    assert pump.status.bolus is BolusKind.NONE
    assert pump.left_s() == 7200
    pump.run(7200 * 1_000_000 - 1)
    assert pump.left_s() == 1
    pump.run(1)
    pump.press()


@pytest.mark.requirement("R-052")
def test_a_stop_ends_it_early_says_what_was_given_and_starts_the_lockout_from_its_end() -> None:
    pump = ready(replace(CASE_6, lockout_from=LockoutFrom.END))
    txn = pump.press().txn
    pump.run(150 * 1_000_000)
    pump.hello()
    pump.stop()
    pump.run(MINUTE_US)
    result = pump.query(txn)
    assert result.state is TxnState.ENDED_EARLY
    assert abs(result.given_nl - DOSE_NL // 2) <= STROKE_NL
    assert pump.status.lockout_s in (7200 - 60, 7200 - 59)


@pytest.mark.requirement("R-080")
def test_a_reset_restarts_a_running_lockout_in_full_and_the_count_survives() -> None:
    pump = ready()
    pump.press()
    pump.run(HOUR_US)
    pump.board.reset(ResetCause.WATCHDOG)
    pump.run(0)
    assert pump.left_s() == 7200
    assert pump.status.boluses_24h == 1
    pump.run(22 * HOUR_US)
    assert pump.status.boluses_24h == 1
    pump.run(HOUR_US + 2_000_000)
    assert pump.status.boluses_24h == 0


def test_a_reset_after_the_lockout_restarts_none() -> None:
    pump = ready()
    pump.press()
    pump.run(3 * HOUR_US)
    pump.board.reset(ResetCause.WATCHDOG)
    pump.run(0)
    assert pump.status.lockout_s == 0
    pump.press()


def test_hours_without_power_count_for_nothing() -> None:
    pump = ready(replace(CASE_6, max_per_24h=1))
    pump.press()
    pump.run(6 * MINUTE_US)
    pump.board.power_cut(40 * HOUR_US)
    pump.run(40 * HOUR_US)
    assert pump.status.boluses_24h == 1
    assert 23 * 3600 < pump.left_s() <= 24 * 3600
    pump.run(23 * HOUR_US)
    assert pump.left_s() <= 3600
    pump.run(HOUR_US)
    pump.press()


def test_a_stop_and_a_resume_leave_lockout_and_count() -> None:
    pump = ready()
    pump.press()
    pump.run(10 * MINUTE_US)
    pump.hello()
    pump.stop()
    pump.resume()
    assert pump.left_s() == 110 * 60


# --- what it gives -------------------------------------------------------------------------------


@pytest.mark.parametrize("basal", list(BolusBasal))
def test_the_basal_goes_on_or_pauses_as_prescribed(basal: BolusBasal) -> None:
    pump = ready(replace(CASE_6, over_s=3600), bolus_basal=basal)
    before = pump.truth_delivered_nl
    pump.press()
    pump.run(HOUR_US)
    beside = 6_250 if basal is BolusBasal.CONTINUE else 0
    assert abs(pump.truth_delivered_nl - before - DOSE_NL - beside) <= STROKE_NL
    assert pump.status.mode is Mode.BASAL
    record = next(r for r in pump.log if r.code is Code.BOLUS_STARTED)
    assert (record.a, record.b) == (DOSE_NL, BolusKind.PATIENT)


def test_without_a_time_it_runs_as_fast_as_allowed() -> None:
    pump = ready(replace(CASE_6, over_s=0))
    pump.press()
    pump.run(37 * 1_000_000)
    assert pump.codes[-1] is Code.BOLUS_DONE


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.requirement("R-046")
@pytest.mark.requirement("R-050")
def test_the_first_refusal_that_applies_is_said() -> None:
    """One reason after the other is taken away, in the order of the protocol."""
    small = PatientBolus(RateBasis.VOLUME_PL, DOSE_NL * 1000, 1800, 7200, LockoutFrom.START, 0)
    pump = Patient(small, window_nl=55_000, window_s=3600, low_reservoir_nl=39_900_000)
    wrong = replace(REQUEST, amount=5)

    def ask(body: BolusParameters = REQUEST, **over: Any) -> Refusals:
        return refusal(pump, Role.PATIENT, TxnOp.BOLUS, body, **over)

    pump.stop()
    assert ask(wrong, generation=7).code is ErrorCode.MALFORMED
    assert ask(bolus(DOSE_NL), generation=7).code is ErrorCode.DENIED
    assert ask(generation=7).code is ErrorCode.GENERATION
    state = ask()
    assert (state.code, state.refusal.id) == (ErrorCode.STATE, Mode.STOPPED)
    pump.hello()
    pump.resume()
    pump.bolus(40_000, 20 * MINUTE_US)
    assert ask().code is ErrorCode.BUSY_DELIVERING
    pump.run(20 * MINUTE_US)
    assert ask().code is ErrorCode.LOCKOUT
    pump.run(100 * MINUTE_US)
    pump.hello()
    pump.bolus(42_000, 20 * MINUTE_US, again=True)
    pump.run(20 * MINUTE_US)
    window = ask()
    assert (window.code, window.refusal.id) == (ErrorCode.WINDOW_MAX, LimitId.WINDOW_NL)
    assert window.refusal.limit == 55_000
    pump.run(30 * MINUTE_US)
    hard = ask()
    assert (hard.code, hard.refusal.id) == (ErrorCode.LIMIT_HARD, LimitId.LOW_RESERVOIR_NL)
    refused = [r.a for r in pump.log if r.code is Code.BOLUS_REFUSED]
    assert refused == [
        ErrorCode.MALFORMED, ErrorCode.DENIED, ErrorCode.GENERATION, ErrorCode.STATE,
        ErrorCode.BUSY_DELIVERING, ErrorCode.LOCKOUT, ErrorCode.WINDOW_MAX, ErrorCode.LIMIT_HARD,
    ]  # fmt: skip


def test_who_is_granted_nothing_is_denied() -> None:
    pump = Patient(replace(CASE_6, amount=0))
    assert refusal(pump, Role.PATIENT, TxnOp.BOLUS, REQUEST).code is ErrorCode.DENIED
    assert pump.status.lockout_s == 0


def test_a_periodic_bolus_cannot_be_asked_for() -> None:
    pump = ready()
    for kind in (BolusKind.PERIODIC, BolusKind.NONE):
        wanted = replace(bolus(DOSE_NL), kind=kind)
        assert refusal(pump, Role.CLINICIAN, TxnOp.BOLUS, wanted).code is ErrorCode.MALFORMED


def test_a_lockout_that_began_between_prepare_and_commit_refuses_the_commit() -> None:
    pump = ready()
    pump.hello()
    staged = pump.prepare(TxnOp.BOLUS, REQUEST)
    pump.refill(30_000_000)
    assert pump.status.lockout_s == 7200
    pump.prepare(TxnOp.BOLUS, bolus(DOSE_NL))
    with pytest.raises(Refusals) as refused:
        pump.commit(staged)
    assert refused.value.code is ErrorCode.EXPIRED


@pytest.mark.parametrize("kind", [BolusKind.SINGLE, BolusKind.LOADING])
def test_single_and_loading_are_not_meant_twice_within_minutes(kind: BolusKind) -> None:
    pump = ready()
    pump.hello()
    wanted = replace(bolus(DOSE_NL, 60_000_000), kind=kind)
    pump.do(TxnOp.BOLUS, wanted)
    pump.run(2 * MINUTE_US)
    with pytest.raises(Refusals) as refused:
        pump.do(TxnOp.BOLUS, wanted)
    assert refused.value.code is ErrorCode.DUPLICATE_INTENT
    assert pump.do(TxnOp.BOLUS, replace(wanted, again=1)).state is TxnState.DELIVERING
    started = [record.b for record in pump.log if record.code is Code.BOLUS_STARTED]
    assert started == [kind, kind]


# --- once ----------------------------------------------------------------------------------------


@pytest.mark.requirement("R-219")
@pytest.mark.requirement("R-240")
def test_a_commit_that_comes_again_gives_nothing_again() -> None:
    pump = ready()
    pump.hello(Role.PATIENT)
    staged = pump.prepare(TxnOp.BOLUS, REQUEST)
    before = pump.truth_delivered_nl
    for _ in range(3):
        assert pump.commit(staged).state is TxnState.DELIVERING
        pump.hello(Role.PATIENT)
    pump.run(HOUR_US)
    assert pump.commit(staged).state is TxnState.DONE
    pump.board.reset(ResetCause.WATCHDOG)
    pump.hello(Role.PATIENT)
    assert pump.commit(staged).state is TxnState.DONE
    pump.run(HOUR_US)
    assert abs(pump.truth_delivered_nl - before - 2 * 6_250 - DOSE_NL) <= STROKE_NL
    assert pump.codes.count(Code.BOLUS_STARTED) == 1
    assert pump.status.boluses_24h == 1
