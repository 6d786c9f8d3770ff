"""A scheduled change: at its instant, once, whatever happens to the pump before, at or after it."""

from dataclasses import replace

import pytest
from nurse import (
    BACLOFEN,
    HUNDRED_FIFTY_UL_DAY,
    MINUTE_US,
    START_WALL_S,
    STROKE_NL,
    Nurse,
    Refusals,
    bolus,
    therapy,
    volume_per_day,
)
from week import CASE_5, PERIODIC

from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import Code, Mode, ProgramKind, StopReason, TxnOp, TxnState
from protocol.errors import ErrorCode, LimitId
from protocol.messages import (
    FILL_NOT_TOLD,
    Commit,
    PrescriptionInfo,
    ProgramParameters,
    RefillParameters,
    SetClockParameters,
    Therapy,
)

DAY_S = 86_400
AT_S = START_WALL_S + 2 * DAY_S
AT_US = 2 * DAY_US
FASTER = therapy(volume_per_day(600_000))
EVERY_3_H = replace(PERIODIC.periodic, every_s=3 * 3600)


def schedule(nurse: Nurse, wanted: Therapy = FASTER, at_s: int = AT_S) -> None:
    nurse.do(TxnOp.PROGRAM, ProgramParameters(wanted, FILL_NOT_TOLD, at_s))


def scheduled(wanted: Therapy = FASTER, now: Therapy | None = None) -> Nurse:
    nurse = Nurse()
    nurse.program(now, 40_000_000)
    schedule(nurse, wanted)
    return nurse


def took_over(nurse: Nurse) -> bool:
    info: PrescriptionInfo = nurse.ask("PRESCRIPTION")
    pending: PrescriptionInfo = nurse.ask("PENDING")
    assert nurse.status.pending_wall_s == info.pending_wall_s == pending.pending_wall_s
    assert (info.therapy == FASTER) == (pending.generation == 0)
    return info.therapy == FASTER


def test_until_the_instant_the_old_program_runs_and_then_the_new_one() -> None:
    nurse = scheduled()
    assert nurse.status.pending_wall_s == AT_S
    assert nurse.ask("PENDING").therapy == FASTER
    assert nurse.ask("PRESCRIPTION").therapy == therapy()
    before = nurse.status
    nurse.run(AT_US - 1)
    assert nurse.status.rate_numerator_pl == 6_250_000 * nurse.status.rate_denominator_h
    nurse.run(1)
    assert nurse.status.rate_numerator_pl == 25_000_000 * nurse.status.rate_denominator_h
    assert nurse.status.generation == before.generation + 1
    assert took_over(nurse)
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == 300_000 + 600_000
    records = [record for record in nurse.log if record.code is Code.SCHEDULED_CHANGE]
    assert [(record.tick_us, record.a) for record in records] == [(AT_US, before.generation + 1)]


def test_the_log_of_its_commit_says_for_when() -> None:
    nurse = scheduled()
    committed = [record.b for record in nurse.log if record.code is Code.PROGRAM_COMMITTED]
    assert committed == [0, AT_S]


def test_delivery_changes_at_the_instant_before_anything_of_it_is_durable() -> None:
    nurse = scheduled()
    nurse.run(AT_US - 1)
    generation = nurse.status.generation
    while nurse.status.rate_numerator_pl == 6_250_000 * nurse.status.rate_denominator_h:
        assert not nurse.world.run_some(AT_US, 1), "the instant has passed"
    assert nurse.status.generation == generation
    nurse.run(0)
    assert nurse.status.generation == generation + 1


def test_while_it_is_being_written_nothing_can_be_prepared() -> None:
    nurse = scheduled()
    nurse.run(AT_US - 1)
    nurse.hello()
    generation = nurse.status.generation
    while nurse.status.rate_numerator_pl == 6_250_000 * nurse.status.rate_denominator_h:
        nurse.world.run_some(AT_US, 1)
    with pytest.raises(Refusals, match="BUSY"):
        nurse.refill(30_000_000)
    assert took_over(nurse)
    assert nurse.status.generation == generation + 1


@pytest.mark.parametrize("events", range(16))
def test_a_power_cut_at_any_event_of_the_instant_neither_loses_nor_repeats_it(events: int) -> None:
    nurse = scheduled()
    nurse.run(AT_US - 1)
    generation = nurse.status.generation
    nurse.world.run_some(AT_US, events)
    nurse.board.power_cut(HOUR_US)
    nurse.run(HOUR_US)
    nurse.channel = 0
    assert took_over(nurse)
    assert nurse.status.generation == generation + 1
    before_nl = nurse.truth_delivered_nl
    nurse.run(DAY_US)
    assert abs(nurse.truth_delivered_nl - before_nl - 600_000) <= STROKE_NL
    assert nurse.codes.count(Code.SCHEDULED_CHANGE) in (1, 2)


def test_a_power_cut_over_the_instant_takes_over_at_boot() -> None:
    nurse = scheduled()
    nurse.run(AT_US - HOUR_US)
    nurse.board.power_cut(2 * HOUR_US)
    nurse.run(2 * HOUR_US)
    nurse.channel = 0
    assert took_over(nurse)
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    nurse.channel = 0
    assert took_over(nurse)
    assert nurse.codes.count(Code.SCHEDULED_CHANGE) == 1


def test_resets_before_the_instant_change_nothing_of_it() -> None:
    nurse = scheduled()
    for hours in (5, 7, 20):
        nurse.run(hours * HOUR_US + 123_456)
        nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(AT_US - nurse.world.now_us - 1)
    nurse.channel = 0
    assert not took_over(nurse)
    nurse.run(1001)
    assert took_over(nurse)


def test_a_program_voids_it_and_a_refill_does_not() -> None:
    nurse = scheduled()
    nurse.run(HOUR_US)
    nurse.refill(30_000_000)
    assert nurse.status.pending_wall_s == AT_S
    nurse.program(therapy(volume_per_day(200_000)))
    assert (nurse.status.pending_wall_s, nurse.ask("PENDING").generation) == (0, 0)
    nurse.run(3 * DAY_US)
    assert Code.SCHEDULED_CHANGE not in nurse.codes


def test_a_second_one_takes_the_place_of_the_first() -> None:
    nurse = scheduled()
    schedule(nurse, therapy(volume_per_day(300_000)), AT_S + DAY_S)
    nurse.run(AT_US + 2 * DAY_US)
    assert nurse.truth_delivered_nl == 3 * 150_000 + 300_000


def test_a_stopped_pump_takes_over_and_stays_stopped() -> None:
    nurse = scheduled()
    nurse.stop()
    nurse.run(AT_US + HOUR_US)
    assert took_over(nurse)
    assert (nurse.status.mode, nurse.truth_delivered_nl) == (Mode.STOPPED, 0)
    nurse.resume()
    nurse.run(DAY_US)
    assert abs(nurse.truth_delivered_nl - 600_000) <= STROKE_NL


@pytest.mark.parametrize("first", [True, False])
def test_a_pump_without_a_running_program_starts_with_it(first: bool) -> None:
    nurse = Nurse()
    if not first:
        nurse.program(therapy(program=ProgramKind.STOPPED))
    schedule(nurse)
    nurse.run(AT_US + DAY_US)
    assert took_over(nurse)
    assert abs(nurse.truth_delivered_nl - 600_000) <= STROKE_NL


def test_one_that_stops_stops_the_pump() -> None:
    nurse = scheduled(therapy(program=ProgramKind.STOPPED))
    nurse.run(AT_US + DAY_US)
    assert nurse.status.stop_reason is StopReason.COMMANDED
    assert nurse.truth_delivered_nl == 300_000


def test_a_bolus_that_runs_is_finished() -> None:
    nurse = scheduled()
    nurse.run(AT_US - 30 * MINUTE_US)
    before_nl = nurse.truth_delivered_nl
    txn = nurse.bolus(20_000, HOUR_US).txn
    nurse.run(HOUR_US + MINUTE_US)
    assert nurse.query(txn).given_nl == 20_000
    expected_nl = 20_000 + 150_000 // 48 + 600_000 * 31 // 1440
    assert abs(nurse.truth_delivered_nl - before_nl - expected_nl) <= STROKE_NL


def test_from_one_schedule_to_another() -> None:
    nurse = scheduled(CASE_5)
    nurse.run(AT_US + DAY_US)
    assert nurse.status.program is ProgramKind.FLEX
    assert nurse.truth_delivered_nl == 300_000 + 120_000


def test_the_clock_set_over_its_instant_takes_over_at_once_and_back_does_not_undo_it() -> None:
    nurse = scheduled()
    nurse.run(HOUR_US)
    nurse.do(TxnOp.SET_CLOCK, SetClockParameters(AT_S + 5))
    assert took_over(nurse)
    nurse.do(TxnOp.SET_CLOCK, SetClockParameters(START_WALL_S + 3600))
    assert took_over(nurse)
    nurse.run(DAY_US)
    assert abs(nurse.truth_delivered_nl - 6_250 - 600_000) <= STROKE_NL


def test_what_was_prepared_before_it_can_no_longer_be_committed() -> None:
    nurse = scheduled()
    nurse.run(AT_US - 1_000_000)
    preview = nurse.prepare(TxnOp.PROGRAM, ProgramParameters(therapy(), FILL_NOT_TOLD))
    nurse.run(2_000_000)
    with pytest.raises(Refusals, match="EXPIRED"):
        nurse.commit(preview)
    assert took_over(nurse)


@pytest.mark.parametrize("op", [TxnOp.REFILL, TxnOp.BOLUS, TxnOp.PROGRAM])
def test_a_commit_that_is_being_written_at_the_very_instant(op: TxnOp) -> None:
    """Both hold: the commit as what came first, the change as soon as it was due."""
    nurse = scheduled()
    nurse.run(AT_US - 1_000_000)
    slower = therapy(volume_per_day(200_000))
    parameters = {
        TxnOp.REFILL: RefillParameters(30_000_000),
        TxnOp.BOLUS: bolus(20_000, HOUR_US),
        TxnOp.PROGRAM: ProgramParameters(slower, FILL_NOT_TOLD),
    }[op]
    preview = nurse.prepare(op, parameters)
    commit = Commit(preview.txn, preview.token, preview.hash)
    nurse.world.timer(lambda: nurse.send("COMMIT", commit)).set(AT_US)
    nurse.ask("STATUS")  # the controller's own alarm clock is set anew: it comes second
    before_nl = nurse.truth_delivered_nl
    nurse.run(DAY_US)
    nurse.board.link.host_read()
    nurse.channel = 0
    assert nurse.query(preview.txn).state is TxnState.DONE
    assert nurse.status.fill_nl == (30_000_000 if op is TxnOp.REFILL else 40_000_000)
    if op is TxnOp.PROGRAM:
        assert nurse.ask("PRESCRIPTION").therapy == slower
        expected_nl = 200_000
    else:
        assert took_over(nurse)
        assert nurse.codes.count(Code.SCHEDULED_CHANGE) == 1
        expected_nl = 620_000 if op is TxnOp.BOLUS else 600_000
    assert abs(nurse.truth_delivered_nl - before_nl - expected_nl) <= 2 * STROKE_NL
    generation = nurse.status.generation
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    assert nurse.status.generation == generation
    assert nurse.status.pending_wall_s == 0


@pytest.mark.parametrize("after", [FASTER, replace(PERIODIC, periodic=EVERY_3_H)])
@pytest.mark.parametrize("before", [therapy(), PERIODIC])
def test_a_clock_that_is_being_set_at_the_very_instant(before: Therapy, after: Therapy) -> None:
    """What runs is what the pump says, and periodic boluses keep their monotonic cadence."""
    nurse = Nurse()
    nurse.program(before, 40_000_000)
    nurse.run(10 * MINUTE_US)
    schedule(nurse, after)
    nurse.world.run_until(AT_US - 1_000_000)
    preview = nurse.prepare(TxnOp.SET_CLOCK, SetClockParameters(AT_S + 600))
    commit = Commit(preview.txn, preview.token, preview.hash)
    nurse.world.timer(lambda: nurse.send("COMMIT", commit)).set(AT_US)
    nurse.ask("STATUS")
    nurse.run(HOUR_US)
    nurse.board.link.host_read()
    nurse.channel = 0
    assert nurse.codes.count(Code.CLOCK_SET) == 1
    assert nurse.ask("PRESCRIPTION").therapy == after
    assert nurse.status.pending_wall_s == 0
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(2 * HOUR_US - MINUTE_US)
    assert nurse.ask("PRESCRIPTION").therapy == after
    assert nurse.codes.count(Code.SCHEDULED_CHANGE) == 1
    boluses = nurse.codes.count(Code.BOLUS_STARTED)
    nurse.run(2 * MINUTE_US)
    assert nurse.codes.count(Code.BOLUS_STARTED) - boluses == (after is not FASTER)


def test_a_change_to_stopped_leaves_a_safe_state_what_it_is() -> None:
    nurse = Nurse()
    nurse.program(None, 40_000_000)
    schedule(nurse, therapy(program=ProgramKind.STOPPED), AT_S + 3 * DAY_S)
    nurse.board.faults.inject("magnet_field", {}, 80 * HOUR_US)
    nurse.run(AT_US + 3 * DAY_US)
    status = nurse.status
    assert (status.mode, status.stop_reason) == (Mode.SAFE_STATE, StopReason.MOTOR_STALL)
    assert status.program is ProgramKind.STOPPED
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(DAY_US)
    status = nurse.status
    assert (status.mode, status.stop_reason) == (Mode.SAFE_STATE, StopReason.MOTOR_STALL)


@pytest.mark.parametrize(
    ("at_s", "limit"),
    [
        (START_WALL_S, START_WALL_S),
        (START_WALL_S - 1, START_WALL_S),
        (START_WALL_S + 366 * DAY_S + 1, START_WALL_S + 366 * DAY_S),
    ],
)
def test_a_date_that_is_past_or_too_far_off_is_refused(at_s: int, limit: int) -> None:
    nurse = Nurse()
    nurse.program(None, 40_000_000)
    with pytest.raises(Refusals) as refused:
        schedule(nurse, FASTER, at_s)
    assert refused.value.code is ErrorCode.LIMIT_HARD
    detail = refused.value.refusal
    assert (detail.id, detail.value, detail.limit) == (LimitId.DATE_S, at_s, limit)


def test_other_drugs_cannot_be_scheduled() -> None:
    nurse = Nurse()
    nurse.program(None, 40_000_000)
    other = replace(BACLOFEN, concentration_pg_ml=500_000_000)
    with pytest.raises(Refusals) as refused:
        schedule(nurse, replace(therapy(HUNDRED_FIFTY_UL_DAY), drugs=(other,)))
    assert refused.value.refusal.id == LimitId.CONCENTRATION_PG_ML
