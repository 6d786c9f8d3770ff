"""What a reset, a power cut or a bad flash may and may not change. The plant is the judge."""

import pytest
from nurse import MINUTE_US, STROKE_NL, Nurse, Refusals, bolus, therapy, volume_per_day

from firmware.flow import DAY_US, HOUR_US
from firmware.journal import RECORD_BYTES
from firmware.layout import JOURNAL_HALF_BYTES, PRESCRIPTION_COPIES
from hal.interfaces import ResetCause
from protocol.codes import Code, Mode, StopReason, TxnOp, TxnState
from protocol.errors import ErrorCode
from protocol.messages import FILL_NOT_TOLD, Commit, ProgramParameters

QUANTUM_NL = 10_000


def programmed(daily_nl: int = 150_000) -> Nurse:
    nurse = Nurse()
    nurse.program(therapy(volume_per_day(daily_nl)), 40_000_000)
    return nurse


@pytest.mark.requirement("R-067")
@pytest.mark.requirement("R-186")
@pytest.mark.parametrize("cause", [ResetCause.WATCHDOG, ResetCause.COMMANDED, ResetCause.LINK_LOST])
def test_a_warm_reset_loses_not_one_stroke_of_the_account(cause: ResetCause) -> None:
    nurse = programmed()
    for _ in range(20):
        nurse.run(5 * HOUR_US + 77_777_777)
        nurse.board.reset(cause)
        nurse.run(0)
    assert nurse.status.uncertain_nl == 0
    assert abs(nurse.status.computed_nl - nurse.truth_reservoir_nl) <= STROKE_NL
    assert nurse.codes.count(Code.RESET) == 20
    assert nurse.status.mode is Mode.BASAL


@pytest.mark.requirement("R-067")
@pytest.mark.requirement("R-080")
def test_after_power_cuts_the_account_is_on_the_safe_side_and_says_how_far() -> None:
    nurse = programmed()
    for _ in range(20):
        nurse.run(5 * HOUR_US + 77_777_777)
        nurse.board.power_cut(MINUTE_US)
        nurse.run(MINUTE_US)
    status, truth_nl = nurse.status, nurse.truth_reservoir_nl
    assert status.computed_nl <= truth_nl <= status.computed_nl + status.uncertain_nl + STROKE_NL
    assert status.uncertain_nl <= 20 * QUANTUM_NL
    assert status.mode is Mode.BASAL


@pytest.mark.requirement("R-082")
def test_basal_goes_on_after_a_power_cut() -> None:
    nurse = programmed()
    nurse.run(DAY_US)
    before_nl = nurse.truth_delivered_nl
    nurse.board.power_cut(HOUR_US)
    nurse.run(HOUR_US)
    assert nurse.truth_delivered_nl == before_nl
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl - before_nl == 150_000


@pytest.mark.requirement("R-082")
def test_a_commanded_stop_survives_every_reset() -> None:
    nurse = programmed()
    nurse.run(HOUR_US)
    nurse.stop()
    given_nl = nurse.truth_delivered_nl
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.board.power_cut(MINUTE_US)
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == given_nl
    assert nurse.status.stop_reason is StopReason.COMMANDED


@pytest.mark.requirement("R-080")
@pytest.mark.requirement("R-082")
def test_a_bolus_never_resumes_by_itself() -> None:
    nurse = programmed()
    txn = nurse.bolus(100_000, 2 * HOUR_US).txn
    nurse.run(HOUR_US)
    before_nl = nurse.truth_delivered_nl
    nurse.board.power_cut(MINUTE_US)
    nurse.run(MINUTE_US)
    result = nurse.query(txn)
    assert result.state is TxnState.ENDED_EARLY
    assert abs(result.given_nl - 50_000) <= QUANTUM_NL
    assert Code.BOLUS_ENDED_EARLY in nurse.codes
    nurse.run(DAY_US)
    assert abs(nurse.truth_delivered_nl - before_nl - 150_000) <= STROKE_NL


def test_a_bolus_ended_by_a_warm_reset_counts_what_it_gave_to_the_stroke() -> None:
    nurse = programmed(48_000)
    txn = nurse.bolus(10_000, 20 * MINUTE_US).txn
    nurse.run(10 * MINUTE_US)
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    assert abs(nurse.query(txn).given_nl - 5_000) <= STROKE_NL
    ended = next(r for r in nurse.log if r.code is Code.BOLUS_ENDED_EARLY)
    assert abs(ended.a - 5_000) <= STROKE_NL


@pytest.mark.requirement("R-080")
@pytest.mark.requirement("R-219")
def test_a_committed_bolus_is_never_given_twice() -> None:
    nurse = programmed(48_000)
    preview = nurse.prepare(TxnOp.BOLUS, bolus(10_000))
    nurse.commit(preview)
    for pause_us in (0, 1_000_000, MINUTE_US, HOUR_US):
        nurse.run(pause_us)
        nurse.commit(preview)
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    nurse.hello()
    assert nurse.commit(preview).state is TxnState.DONE
    nurse.run(DAY_US)
    assert nurse.codes.count(Code.BOLUS_STARTED) == 1
    assert abs(nurse.truth_delivered_nl - 10_000 - 50_000) <= 2_500


@pytest.mark.requirement("R-237")
def test_a_prepared_transaction_dies_with_a_restart_and_with_time() -> None:
    nurse = programmed()
    preview = nurse.prepare(TxnOp.BOLUS, bolus(10_000))
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    nurse.hello()
    with pytest.raises(Refusals, match="EXPIRED"):
        nurse.commit(preview)
    preview = nurse.prepare(TxnOp.BOLUS, bolus(10_000))
    nurse.run(30_000_001)
    with pytest.raises(Refusals, match="EXPIRED"):
        nurse.commit(preview)
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == 150_000


@pytest.mark.requirement("R-229")
def test_commit_must_match_what_was_prepared() -> None:
    nurse = programmed()
    preview = nurse.prepare(TxnOp.BOLUS, bolus(10_000))
    for token, hash_ in ((preview.token ^ 1, preview.hash), (preview.token, bytes(16))):
        with pytest.raises(Refusals) as refused:
            nurse.ask("COMMIT", Commit(preview.txn, token, hash_))
        assert refused.value.code is ErrorCode.HASH
    assert nurse.status.mode is Mode.BASAL


def test_an_old_view_of_the_prescription_is_refused() -> None:
    nurse = programmed()
    with pytest.raises(Refusals, match="GENERATION"):
        nurse.prepare(TxnOp.BOLUS, bolus(10_000), generation=0)
    with pytest.raises(Refusals, match="SCHEMA"):
        nurse.prepare(TxnOp.BOLUS, bolus(10_000), schema_id=1)


def test_a_like_bolus_within_ten_minutes_must_be_meant() -> None:
    nurse = programmed()
    nurse.bolus(2_500)
    nurse.run(5 * MINUTE_US)
    with pytest.raises(Refusals, match="DUPLICATE_INTENT"):
        nurse.bolus(2_500)
    assert nurse.bolus(2_500, again=True).state is TxnState.DELIVERING


def test_a_second_dose_while_one_runs_is_refused() -> None:
    nurse = programmed()
    nurse.bolus(10_000, HOUR_US)
    with pytest.raises(Refusals, match="BUSY_DELIVERING"):
        nurse.bolus(5_000)


@pytest.mark.requirement("R-086")
@pytest.mark.requirement("R-228")
def test_a_power_cut_at_any_event_of_a_commit_leaves_the_old_program_or_the_new() -> None:
    """Never neither, never a mixture; and QUERY says which of the two."""
    seen = set()
    for events in range(60):
        nurse = programmed()
        nurse.run(DAY_US)
        preview = nurse.prepare(TxnOp.PROGRAM, faster())
        nurse.send("COMMIT", Commit(preview.txn, preview.token, preview.hash))
        done = nurse.world.run_some(nurse.world.now_us, events)
        nurse.board.power_cut(MINUTE_US)
        nurse.run(MINUTE_US)
        before_nl = nurse.truth_delivered_nl
        assert nurse.alarms == {}
        nurse.run(DAY_US)
        daily_nl = nurse.truth_delivered_nl - before_nl
        nurse.hello()
        seen.add((nurse.query(preview.txn).state, daily_nl))
        if done:
            break
    assert done
    assert seen == {(TxnState.UNKNOWN, 150_000), (TxnState.DONE, 600_000)}


def faster() -> ProgramParameters:
    return ProgramParameters(therapy(volume_per_day(600_000)), FILL_NOT_TOLD)


def test_one_damaged_copy_is_repaired_and_said() -> None:
    for address in PRESCRIPTION_COPIES:
        nurse = programmed()
        nurse.run(DAY_US)
        nurse.board.flash.flip_bit(address + 20, 3)
        nurse.board.reset(ResetCause.COMMANDED)
        nurse.run(DAY_US)
        assert nurse.alarms == {Code.MEMORY_ERROR: False}
        assert nurse.truth_delivered_nl == 300_000
        nurse.clear(Code.MEMORY_ERROR)
        nurse.board.reset(ResetCause.COMMANDED)
        nurse.run(0)
        assert nurse.alarms == {}


@pytest.mark.requirement("R-006")
def test_without_a_good_copy_nothing_is_guessed() -> None:
    nurse = programmed()
    nurse.run(DAY_US)
    for address in PRESCRIPTION_COPIES:
        nurse.board.flash.flip_bit(address + 20, 3)
    nurse.board.reset(ResetCause.COMMANDED)
    before_nl = nurse.truth_delivered_nl
    nurse.run(DAY_US)
    assert nurse.alarms == {Code.MEMORY_ERROR: True}
    assert nurse.status.mode is Mode.MINIMUM_RATE
    assert abs(nurse.truth_delivered_nl - before_nl - 6_000) <= STROKE_NL


def lose_prescription(nurse: Nurse) -> None:
    for address in PRESCRIPTION_COPIES:
        nurse.board.flash.flip_bit(address + 20, 3)
    nurse.board.reset(ResetCause.COMMANDED)
    nurse.run(0)
    nurse.hello()


def test_a_lost_prescription_does_not_start_a_pump_that_was_stopped_or_in_safe_state() -> None:
    stopped, failed = programmed(), programmed()
    stopped.stop()
    failed.board.faults.inject("magnet_field", {}, 73 * HOUR_US)
    failed.run(80 * HOUR_US)
    for nurse, mode in ((stopped, Mode.STOPPED), (failed, Mode.SAFE_STATE)):
        lose_prescription(nurse)
        nurse.run(DAY_US)
        assert nurse.status.mode is mode
        assert nurse.truth_delivered_nl == 0
        assert nurse.alarms[Code.MEMORY_ERROR]


def test_a_refill_does_not_stand_in_for_a_lost_prescription_but_a_program_does() -> None:
    nurse = programmed()
    lose_prescription(nurse)
    nurse.refill(40_000_000)
    nurse.run(DAY_US)
    assert abs(nurse.truth_delivered_nl - 6_000) <= STROKE_NL
    with pytest.raises(Refusals, match="STATE"):
        nurse.clear(Code.MEMORY_ERROR)
    nurse.board.reset(ResetCause.COMMANDED)
    nurse.run(0)
    nurse.hello()
    nurse.clear(Code.MEMORY_ERROR)
    with pytest.raises(Refusals, match="STATE"):
        nurse.bolus(10_000)
    nurse.program()
    nurse.bolus(10_000)


def test_a_new_program_after_a_lost_one_lets_the_alarm_be_cleared() -> None:
    nurse = programmed()
    lose_prescription(nurse)
    nurse.program()
    nurse.clear(Code.MEMORY_ERROR)
    nurse.bolus(10_000)


def test_a_bolus_during_which_an_alarm_is_cleared_is_still_counted_over_a_reset() -> None:
    nurse = programmed(48_000)
    nurse.board.faults.inject("battery.drain", {"percent": 94}, None)
    nurse.run(2 * HOUR_US)
    nurse.board.reset(ResetCause.COMMANDED)
    nurse.run(0)
    nurse.hello()
    txn = nurse.bolus(200_000, 2 * HOUR_US).txn
    nurse.run(MINUTE_US)
    nurse.clear(Code.ERI)
    nurse.run(HOUR_US - MINUTE_US)
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    nurse.hello()
    assert abs(nurse.query(txn).given_nl - 100_000) <= QUANTUM_NL


def test_the_journal_changes_halves_without_losing_account_or_transactions() -> None:
    nurse = programmed(24_000_000)
    done = nurse.status.last_txn
    records = 3 * JOURNAL_HALF_BYTES // RECORD_BYTES
    nurse.run(records * 40 * 900_000 // 4)
    for _ in range(3):
        nurse.run(records * 40 * 900_000 // 4)
        nurse.board.reset(ResetCause.WATCHDOG)
        nurse.run(0)
        nurse.hello()
        assert nurse.query(done).state is TxnState.DONE
        assert abs(nurse.status.computed_nl - nurse.truth_reservoir_nl) <= STROKE_NL
    assert nurse.status.uncertain_nl == 0


# --- a board at the end of a line ---


def test_a_lost_board_is_alarmed_ends_the_bolus_and_basal_goes_on() -> None:
    nurse = programmed()
    txn = nurse.bolus(100_000, 2 * HOUR_US).txn
    nurse.run(HOUR_US)
    nurse.board.reset(ResetCause.LINK_LOST)
    nurse.run(0)
    assert nurse.status.mode is Mode.BASAL
    assert nurse.alarms == {Code.BOARD_LINK_LOST: False}
    result = nurse.query(txn)
    assert result.state is TxnState.ENDED_EARLY
    assert abs(result.given_nl - 50_000) <= 2 * STROKE_NL  # the basal's share of the last record
    ended = next(one for one in nurse.log if one.code is Code.BOLUS_ENDED_EARLY)
    assert (ended.a, ended.b) == (result.given_nl, Code.BOARD_LINK_LOST)
    nurse.clear(Code.BOARD_LINK_LOST)
    assert not nurse.status.alarms


def test_a_tripped_rate_guard_stops_the_pump_until_a_clinician_acts() -> None:
    nurse = programmed()
    nurse.run(HOUR_US)
    given_nl = nurse.truth_delivered_nl
    nurse.board.reset(ResetCause.RATE_GUARD)
    nurse.run(0)
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == given_nl
    assert nurse.status.stop_reason is StopReason.OVER_DELIVERY
    assert nurse.alarms == {Code.OVER_DELIVERY: False, Code.STOPPED_TOO_LONG: True}
    nurse.resume()
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl > given_nl


def test_a_lost_prescription_is_no_empty_reservoir_however_much_was_given_before() -> None:
    nurse = programmed(24_000_000)
    for _ in range(2):
        nurse.run(DAY_US)
        nurse.hello()
        nurse.refill(40_000_000)
    nurse.run(DAY_US)
    lose_prescription(nurse)
    before_nl = nurse.truth_delivered_nl
    nurse.run(DAY_US)
    assert nurse.status.mode is Mode.MINIMUM_RATE
    assert abs(nurse.truth_delivered_nl - before_nl - 6_000) <= STROKE_NL
