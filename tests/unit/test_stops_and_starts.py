"""What stops the pump stops it, and nothing but what may start it does; judged by the plant."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from nurse import MINUTE_US, STROKE_NL, Nurse, Refusals, therapy, volume_per_day
from path_nurse import STRONG, WEAK, change, dose
from path_nurse import running as on_a_path
from week import PERIODIC

from firmware.flow import DAY_US, HOUR_US
from firmware.modes import MODES, PUMPING, Event, ModeMachine, ModeRefused
from hal.interfaces import ResetCause
from protocol.codes import BolusKind, Code, Mode, ProgramKind, StopReason, TxnOp
from protocol.errors import ErrorCode
from protocol.messages import (
    ClearAlarmParameters,
    Drug,
    Empty,
    ProgramParameters,
    RefillParameters,
    Therapy,
    TxnRef,
)


def delivering(daily_nl: int = 150_000) -> Nurse:
    nurse = Nurse()
    nurse.program(therapy(volume_per_day(daily_nl)), 40_000_000)
    return nurse


# --- every mode stops ---------------------------------------------------------------------------


def minimum() -> Nurse:
    nurse = Nurse()
    nurse.program(therapy(program=ProgramKind.MINIMUM_RATE), 40_000_000)
    return nurse


def giving_a_bolus() -> Nurse:
    nurse = delivering()
    nurse.bolus(100_000, HOUR_US)
    return nurse


def priming() -> Nurse:
    nurse = on_a_path()
    dose(nurse, BolusKind.PRIME)
    return nurse


def bridging() -> Nurse:
    nurse = on_a_path(WEAK)
    change(nurse, STRONG)
    dose(nurse, BolusKind.BRIDGE)
    return nurse


def stalled() -> Nurse:
    nurse = delivering()
    nurse.board.faults.inject("magnet_field", {}, HOUR_US)
    nurse.run(HOUR_US - MINUTE_US)
    return nurse


@pytest.mark.requirement("R-008")
@pytest.mark.requirement("R-076")
@pytest.mark.requirement("R-077")
@pytest.mark.requirement("R-215")
@pytest.mark.requirement("R-073")
@pytest.mark.parametrize(
    ("make", "mode"),
    [
        (delivering, Mode.BASAL),
        (minimum, Mode.MINIMUM_RATE),
        (giving_a_bolus, Mode.BOLUS),
        (priming, Mode.PRIME),
        (bridging, Mode.BRIDGE),
        (stalled, Mode.STALLED),
    ],
)
def test_a_stop_stops_every_mode_until_resume(make: Callable[[], Nurse], mode: Mode) -> None:
    nurse = make()
    nurse.run(MINUTE_US)
    assert nurse.status.mode is mode
    nurse.hello()
    assert nurse.stop().mode is Mode.STOPPED
    nurse.run(MINUTE_US)
    given_nl = nurse.truth_delivered_nl
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == given_nl
    assert (nurse.status.mode, nurse.status.stop_reason) == (Mode.STOPPED, StopReason.COMMANDED)
    nurse.hello()
    nurse.resume()
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl > given_nl


@pytest.mark.requirement("R-073")
def test_strokes_are_commanded_in_the_modes_whose_motor_is_on() -> None:
    assert {mode for mode, (motor, _) in MODES.items() if motor == "on"} == PUMPING
    for make, mode in ((delivering, Mode.BASAL), (Nurse, Mode.STOPPED)):
        nurse = make()
        nurse.run(HOUR_US)
        assert nurse.status.mode is mode
        assert (nurse.truth_delivered_nl > 0) is (mode in PUMPING)


@pytest.mark.requirement("R-053")
def test_no_dose_begins_out_of_the_self_test() -> None:
    for event in (Event.START_BOLUS, Event.START_PRIME):
        machine = ModeMachine()
        with pytest.raises(ModeRefused):
            machine.dispatch(event)
        assert machine.mode is Mode.SELF_TEST


@pytest.mark.requirement("R-074")
def test_a_stop_at_any_phase_of_a_stroke_finishes_it_and_begins_no_other() -> None:
    nurse = delivering(24_000_000)
    interval_us = DAY_US * STROKE_NL // 24_000_000
    for phase in range(100):
        nurse.run(10 * interval_us + phase * interval_us // 100)
        before_nl = nurse.truth_delivered_nl
        nurse.hello()
        nurse.stop()
        nurse.run(MINUTE_US)
        assert nurse.truth_delivered_nl % STROKE_NL == 0
        assert 0 <= nurse.truth_delivered_nl - before_nl <= STROKE_NL
        nurse.resume()


# --- empty --------------------------------------------------------------------------------------


@pytest.mark.requirement("R-066")
@pytest.mark.requirement("R-070")
@pytest.mark.parametrize("fill_nl", [10_000, 10_125])
@pytest.mark.parametrize("kind", ["basal", "minimum rate", "periodic", "bolus"])
def test_every_way_to_empty_the_reservoir_ends_stopped_on_a_whole_stroke(
    kind: str, fill_nl: int
) -> None:
    nurse = Nurse(fill_nl=fill_nl)
    wanted = {
        "periodic": replace(PERIODIC, periodic=replace(PERIODIC.periodic, amount=5_000_000)),
        "minimum rate": therapy(program=ProgramKind.MINIMUM_RATE),
    }.get(kind, therapy())
    nurse.program(replace(wanted, low_reservoir_nl=0), fill_nl)
    if kind == "bolus":
        nurse.bolus(10_000, HOUR_US)
    nurse.run(3 * DAY_US)
    assert nurse.alarms[Code.EMPTY_RESERVOIR]
    assert nurse.status.stop_reason is StopReason.EMPTY_RESERVOIR
    swept_pl = nurse.board.motor.position() * 250 // 1000
    assert swept_pl % (STROKE_NL * 1000) == 0
    assert 0 <= nurse.truth_reservoir_nl < STROKE_NL
    assert nurse.status.computed_nl == 0


# --- what may start it --------------------------------------------------------------------------


def without_a_program() -> Nurse:
    return Nurse()


def empty() -> Nurse:
    nurse = Nurse(fill_nl=1_000)
    nurse.program(replace(therapy(), low_reservoir_nl=0), 1_000)
    nurse.run(DAY_US)
    return nurse


def in_safe_state() -> Nurse:
    nurse = delivering()
    nurse.board.faults.inject("magnet_field", {}, 80 * HOUR_US)
    nurse.run(90 * HOUR_US)
    return nurse


def at_the_end_of_service() -> Nurse:
    nurse = delivering()
    nurse.board.faults.inject("battery.drain", {"percent": 100}, None)
    nurse.run(DAY_US)
    return nurse


@pytest.mark.requirement("R-088")
@pytest.mark.requirement("R-073")
@pytest.mark.parametrize(
    ("make", "mode"),
    [
        (without_a_program, Mode.STOPPED),
        (empty, Mode.STOPPED),
        (in_safe_state, Mode.SAFE_STATE),
        (at_the_end_of_service, Mode.END_OF_SERVICE),
    ],
)
def test_each_reason_alone_keeps_the_pump_from_being_started(
    make: Callable[[], Nurse], mode: Mode
) -> None:
    nurse = make()
    assert nurse.status.mode is mode
    given_nl = nurse.truth_delivered_nl
    nurse.hello()
    with pytest.raises(Refusals) as refused:
        nurse.resume()
    assert refused.value.code is ErrorCode.STATE
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == given_nl


@pytest.mark.requirement("R-084")
@pytest.mark.requirement("R-235")
def test_after_an_alarm_that_stopped_it_neither_clear_nor_prepare_starts_the_pump() -> None:
    nurse = delivering()
    nurse.run(HOUR_US)
    nurse.board.reset(ResetCause.RATE_GUARD)
    nurse.run(0)
    given_nl = nurse.truth_delivered_nl
    nurse.hello()
    cleared = nurse.prepare(TxnOp.CLEAR_ALARM, ClearAlarmParameters(Code.OVER_DELIVERY))
    assert nurse.alarms == {Code.OVER_DELIVERY: False}, "a clear that is only prepared"
    nurse.commit(cleared)
    assert nurse.alarms == {}
    nurse.prepare(TxnOp.RESUME, Empty())
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == given_nl
    nurse.hello()
    nurse.resume()
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl - given_nl == 150_000


# --- what may be prescribed ---------------------------------------------------------------------


@pytest.mark.requirement("R-083")
@pytest.mark.requirement("R-247")
@pytest.mark.parametrize(
    ("wanted", "fill_nl"),
    [
        (replace(therapy(), drugs=()), 40_000_000),
        (replace(therapy(), drugs=(Drug("baclofen", 0),)), 40_000_000),
        (replace(therapy(), drugs=(Drug("baclofen", 10**12),)), 40_000_000),
        (therapy(volume_per_day(0)), 40_000_000),
        (replace(therapy(), program=ProgramKind.FLEX), 40_000_000),
        (replace(therapy(), program=ProgramKind.PERIODIC), 40_000_000),
        (therapy(low_nl=40_000_000), 40_000_000),
        (therapy(), 40_000_001),
    ],
)
def test_an_incomplete_prescription_configures_nothing(wanted: Therapy, fill_nl: int) -> None:
    nurse = Nurse()
    with pytest.raises(Refusals) as refused:
        nurse.program(wanted, fill_nl)
    assert refused.value.code in (ErrorCode.MALFORMED, ErrorCode.LIMIT_HARD)
    assert nurse.status.generation == 0
    nurse.run(DAY_US)
    assert (nurse.status.mode, nurse.truth_delivered_nl) == (Mode.STOPPED, 0)


@pytest.mark.requirement("R-005")
@pytest.mark.requirement("R-076")
@pytest.mark.requirement("R-229")
def test_drafts_that_are_given_up_move_no_stroke() -> None:
    left_alone, edited = delivering(24_000_000), delivering(24_000_000)
    faster = ProgramParameters(therapy(volume_per_day(600_000)), 0xFFFFFFFF)
    drafts = ((TxnOp.PROGRAM, faster), (TxnOp.REFILL, RefillParameters(1_000_000)))
    edited.hello()
    for step in range(60):
        draft = edited.prepare(*drafts[step % 2])
        edited.ask("ABORT", TxnRef(draft.txn))
        for nurse in (left_alone, edited):
            nurse.run(10_000_000 + 123)
        assert edited.board.motor.position() == left_alone.board.motor.position()
    assert edited.status.generation == 1
    assert edited.status.computed_nl == left_alone.status.computed_nl


@pytest.mark.requirement("R-086")
def test_no_program_takes_over_while_a_dose_runs() -> None:
    for make, kind in ((giving_a_bolus, BolusKind.SINGLE), (priming, BolusKind.PRIME)):
        nurse = make()
        nurse.hello()
        with pytest.raises(Refusals, match="BUSY_DELIVERING"):
            nurse.program(replace(therapy(), drugs=(Drug("other drug", 10**9),)))
        assert nurse.status.bolus is kind
        assert nurse.ask("PRESCRIPTION").therapy.drugs == (STRONG,)


@pytest.mark.requirement("R-056")
def test_a_prime_that_stalled_leaves_an_alarm_that_refuses_another() -> None:
    nurse = priming()
    nurse.board.faults.inject("magnet_field", {}, 10 * MINUTE_US)
    nurse.run(15 * MINUTE_US)
    assert nurse.alarms == {Code.MOTOR_STALL: False}
    nurse.hello()
    with pytest.raises(Refusals, match="STATE"):
        dose(nurse, BolusKind.PRIME)
    nurse.clear(Code.MOTOR_STALL)
    dose(nurse, BolusKind.PRIME)
    assert nurse.status.mode is Mode.PRIME
