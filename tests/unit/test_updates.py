"""An update that is begun and not ended: said after 10 min; with the legacy option the pump stands.

Judged by what left the pump, and by what it finds after a reset.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from desk import THERAPY, Desk
from emulated_line import EmulatedLine, TornLine
from nurse import MINUTE_US, STROKE_NL, Nurse, Refusals, bolus, therapy, volume_per_day
from test_interrupted_commits import HastyNurse

from firmware.flow import DAY_US, HOUR_US
from firmware.updates import DEAD_US
from hal.interfaces import ResetCause, TonePattern
from protocol.codes import Code, Mode, Role, StopReason, TxnOp
from protocol.messages import FILL_NOT_TOLD, Preview, ProgramParameters, RefillParameters, TxnRef

LEGACY = "rotor-40-legacy"
FASTER = therapy(volume_per_day(600_000))
NOW = ProgramParameters(FASTER, FILL_NOT_TOLD)
MISSED = (Mode.STOPPED, StopReason.SESSION_INCOMPLETE)


def programmed(profile: str = "rotor-40", kind: type[Nurse] = Nurse) -> Nurse:
    nurse = kind(profile)
    nurse.program(therapy(), 40_000_000)
    nurse.run(HOUR_US)
    return nurse


def begun(profile: str = "rotor-40", kind: type[Nurse] = Nurse) -> tuple[Nurse, Preview]:
    nurse = programmed(profile, kind)
    return nurse, nurse.prepare(TxnOp.PROGRAM, NOW)


def later(nurse: Nurse) -> ProgramParameters:
    return replace(NOW, at_wall_s=nurse.status.wall_s + 86_400)


def state(nurse: Nurse) -> tuple[Mode, StopReason]:
    return nurse.status.mode, nurse.status.stop_reason


def given_in_a_day_nl(nurse: Nurse) -> int:
    before_nl = nurse.truth_delivered_nl
    nurse.run(DAY_US)
    return nurse.truth_delivered_nl - before_nl


# --- the old program goes on --------------------------------------------------------------------


@pytest.mark.requirement("R-144")
def test_it_is_said_softly_ten_minutes_after_the_prepare_and_nothing_is_missed() -> None:
    nurse, _ = begun()
    nurse.run(DEAD_US - 1)
    assert nurse.alarms == {}
    nurse.run(1)
    assert nurse.alarms == {Code.SESSION_INCOMPLETE: True}
    assert nurse.board.sounder.active is TonePattern.NON_CRITICAL
    assert abs(given_in_a_day_nl(nurse) - 150_000) <= STROKE_NL
    nurse.hello()
    nurse.bolus(10_000)
    assert nurse.status.mode is Mode.BOLUS


@pytest.mark.requirement("R-144")
def test_a_prescription_that_is_committed_ends_it_and_so_does_the_abort() -> None:
    for ended in ("commit", "refill", "abort", "in time"):
        nurse, preview = begun()
        nurse.run(DEAD_US - 1 if ended == "in time" else DAY_US)
        nurse.hello()
        if ended == "commit":
            nurse.program(FASTER)
        elif ended == "refill":
            nurse.refill(40_000_000)
        else:
            nurse.ask("ABORT", TxnRef(preview.txn))
        nurse.run(DAY_US)
        assert nurse.alarms == {}
        assert nurse.codes.count(Code.SESSION_INCOMPLETE) == (ended != "in time")


def test_what_ends_something_else_does_not_end_it() -> None:
    nurse, preview = begun()
    nurse.run(DAY_US)
    nurse.hello()
    nurse.ask("ABORT", TxnRef(preview.txn + 7))
    nurse.stop()
    nurse.resume()
    assert nurse.alarms == {Code.SESSION_INCOMPLETE: True}


def test_programs_of_any_time_and_refills_count_and_boluses_do_not() -> None:
    for op, counts in ((TxnOp.PROGRAM, True), (TxnOp.REFILL, True), (TxnOp.BOLUS, False)):
        nurse = programmed()
        wanted = {
            TxnOp.PROGRAM: later(nurse),
            TxnOp.REFILL: RefillParameters(30_000_000),
            TxnOp.BOLUS: bolus(10_000),
        }
        nurse.prepare(op, wanted[op])
        nurse.run(DEAD_US)
        assert (nurse.alarms == {Code.SESSION_INCOMPLETE: True}) == counts


def test_a_draft_that_is_renewed_does_not_begin_the_ten_minutes_again() -> None:
    nurse, preview = begun()
    for _ in range(4):
        nurse.run(2 * MINUTE_US)
        nurse.prepare(TxnOp.PROGRAM, NOW, txn=preview.txn)
    nurse.run(2 * MINUTE_US)
    assert nurse.alarms == {Code.SESSION_INCOMPLETE: True}


# --- the legacy option --------------------------------------------------------------------------


def test_legacy_the_pump_stands_from_the_prepare_to_the_commit() -> None:
    nurse, preview = begun(LEGACY)
    assert state(nurse) == MISSED
    before_nl = nurse.truth_delivered_nl
    nurse.run(20_000_000)
    assert nurse.truth_delivered_nl - before_nl <= STROKE_NL
    nurse.commit(preview)
    assert abs(given_in_a_day_nl(nurse) - 600_000) <= 2 * STROKE_NL
    assert nurse.alarms == {}
    stopped = [(r.a, r.b) for r in nurse.log if r.code is Code.STOPPED]
    assert stopped == [(StopReason.SESSION_INCOMPLETE, 0)]


def test_legacy_the_stop_is_durable_before_the_prepare_is_answered() -> None:
    for restart in ("reset", "cut"):
        nurse, _ = begun(LEGACY, HastyNurse)
        if restart == "reset":
            nurse.board.reset(ResetCause.WATCHDOG)
        else:
            nurse.board.power_cut(1)
        nurse.run(1)
        assert given_in_a_day_nl(nurse) == 0
        assert state(nurse) == MISSED


def test_legacy_so_is_the_start_before_the_abort_is_answered() -> None:
    nurse, preview = begun(LEGACY, HastyNurse)
    nurse.ask("ABORT", TxnRef(preview.txn))
    nurse.board.reset(ResetCause.WATCHDOG)
    assert abs(given_in_a_day_nl(nurse) - 150_000) <= 2 * STROKE_NL


def test_legacy_an_abort_lets_what_ran_before_go_on() -> None:
    nurse, preview = begun(LEGACY)
    nurse.run(5 * MINUTE_US)
    nurse.hello()
    nurse.ask("ABORT", TxnRef(preview.txn))
    assert abs(given_in_a_day_nl(nurse) - 150_000) <= 2 * STROKE_NL
    assert nurse.alarms == {}
    assert nurse.codes[-1] is Code.RESUMED
    nurse.ask("ABORT", TxnRef(preview.txn))
    assert nurse.codes.count(Code.RESUMED) == 1


def test_legacy_after_a_torn_session_it_stands_urgently_over_resets_until_it_is_resumed() -> None:
    nurse, preview = begun(LEGACY)
    nurse.run(MINUTE_US)
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(DEAD_US - MINUTE_US - 2_000_000)
    assert nurse.alarms == {}
    nurse.run(4_000_000)
    assert nurse.alarms == {Code.SESSION_INCOMPLETE: True}
    assert nurse.board.sounder.active is TonePattern.CRITICAL
    nurse.board.power_cut(HOUR_US)
    nurse.run(HOUR_US)
    assert {*nurse.alarms} == {Code.SESSION_INCOMPLETE, Code.STOPPED_TOO_LONG}
    assert given_in_a_day_nl(nurse) == 0
    nurse.hello()
    nurse.ask("ABORT", TxnRef(preview.txn))
    nurse.refill(40_000_000)
    assert state(nurse) == MISSED
    assert Code.SESSION_INCOMPLETE in nurse.alarms
    nurse.resume()
    assert nurse.alarms == {}
    assert abs(given_in_a_day_nl(nurse) - 150_000) <= 2 * STROKE_NL


def test_legacy_after_ten_minutes_an_abort_starts_nothing() -> None:
    nurse, preview = begun(LEGACY)
    nurse.run(DEAD_US)
    nurse.hello()
    nurse.ask("ABORT", TxnRef(preview.txn))
    assert given_in_a_day_nl(nurse) == 0
    assert Code.SESSION_INCOMPLETE in nurse.alarms
    nurse.program(FASTER)
    assert nurse.alarms == {}
    assert abs(given_in_a_day_nl(nurse) - 600_000) <= 2 * STROKE_NL


def test_legacy_the_abort_of_another_draft_starts_nothing() -> None:
    nurse, preview = begun(LEGACY)
    other = nurse.prepare(TxnOp.PROGRAM, NOW)
    nurse.ask("ABORT", TxnRef(other.txn))
    assert state(nurse) == MISSED
    nurse.ask("ABORT", TxnRef(preview.txn))
    assert nurse.status.mode is Mode.BASAL


def test_legacy_the_stop_has_its_own_ten_minutes_whatever_was_left_open_before() -> None:
    nurse = programmed(LEGACY)
    nurse.prepare(TxnOp.REFILL, RefillParameters(30_000_000))
    nurse.run(DEAD_US - 5_000_000)
    nurse.hello()
    preview = nurse.prepare(TxnOp.PROGRAM, NOW)
    nurse.run(20_000_000)
    nurse.hello()
    nurse.ask("ABORT", TxnRef(preview.txn))
    assert nurse.status.mode is Mode.BASAL
    assert nurse.alarms == {}


@pytest.mark.parametrize("profile", ["rotor-40", LEGACY])
def test_the_patients_tool_ends_no_update_and_starts_no_pump(profile: str) -> None:
    nurse, preview = begun(profile)
    nurse.run(5 * MINUTE_US)
    nurse.hello()
    with pytest.raises(Refusals, match="EXPIRED"):
        nurse.commit(preview)
    before = state(nurse)
    nurse.hello(Role.PATIENT)
    nurse.ask("ABORT", TxnRef(preview.txn))
    assert state(nurse) == before
    nurse.run(5 * MINUTE_US)
    assert nurse.alarms == {Code.SESSION_INCOMPLETE: True}


def test_legacy_a_stop_that_comes_meanwhile_holds() -> None:
    nurse, preview = begun(LEGACY)
    nurse.stop()
    nurse.ask("ABORT", TxnRef(preview.txn))
    assert given_in_a_day_nl(nurse) == 0
    assert nurse.status.stop_reason is StopReason.COMMANDED


def test_legacy_a_pump_that_stood_already_keeps_its_reason() -> None:
    nurse = programmed(LEGACY)
    nurse.stop()
    preview = nurse.prepare(TxnOp.PROGRAM, NOW)
    assert nurse.status.stop_reason is StopReason.COMMANDED
    nurse.ask("ABORT", TxnRef(preview.txn))
    assert given_in_a_day_nl(nurse) == 0


def test_legacy_a_change_that_is_scheduled_a_refill_and_what_is_refused_stop_nothing() -> None:
    nurse = programmed(LEGACY)
    nurse.prepare(TxnOp.PROGRAM, later(nurse))
    nurse.prepare(TxnOp.REFILL, RefillParameters(30_000_000))
    with pytest.raises(Refusals, match="LIMIT_HARD"):
        nurse.prepare(TxnOp.PROGRAM, ProgramParameters(therapy(volume_per_day(1)), FILL_NOT_TOLD))
    assert nurse.status.mode is Mode.BASAL
    nurse.run(DEAD_US)
    assert nurse.board.sounder.active is TonePattern.NON_CRITICAL


# --- at the programmer --------------------------------------------------------------------------


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    desk = Desk(monkeypatch, tmp_path, capsys)
    desk.line = EmulatedLine(LEGACY)
    desk.program()
    desk.line.pass_time(HOUR_US)
    return desk


def torn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Program; the tool dies at the question."""

    def die(*_: object) -> bool:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("tools.programmer.console.Console.confirm", die)
        with pytest.raises(SystemExit):
            desk.run("program", desk.file(THERAPY.replace("300 ug", "360 ug")), "--yes")
    desk.line.pass_time(2 * DAY_US)


@pytest.mark.requirement("R-228")
def test_the_next_visit_shows_what_was_left_open_and_that_the_pump_stands(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn(desk, monkeypatch)
    assert desk.run("status") == 0
    assert "OPEN_TRANSACTION: an earlier run was cut off: PROGRAM" in desk.out + desk.err
    assert "STOPPED, nothing is delivered: a programming session was not finished" in desk.out
    assert "SESSION_INCOMPLETE since" in desk.out
    assert desk.run("resume", "--yes") == 0
    assert desk.line.pump.firmware.status().mode is Mode.BASAL


def test_a_prepare_whose_answer_is_lost_is_ended_by_the_next_visit(desk: Desk) -> None:
    """The tool cannot know that the pump stands for it; the journal keeps it open."""
    stood = 0
    for frames in range(14):
        line = desk.line = TornLine(1000, True, LEGACY)
        desk.program()
        line.fall_silent_after(frames)
        desk.run("program", desk.file(THERAPY.replace("300 ug", "310 ug")), "--yes")
        stands = line.pump.firmware.status().stop_reason is StopReason.SESSION_INCOMPLETE
        line.plug_in()
        desk.run("status")
        if stands:
            stood += 1
            assert "OPEN_TRANSACTION: an earlier run was cut off: PROGRAM" in desk.out + desk.err
        assert line.pump.firmware.status().mode is Mode.BASAL
    assert stood == 1


def test_who_declines_after_ten_minutes_is_told_that_the_pump_stands(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minutes, stands in ((5, False), (11, True)):
        monkeypatch.setattr(
            "tools.programmer.console.Console.confirm",
            lambda *_, minutes=minutes: desk.line.pass_time(minutes * MINUTE_US),
        )
        assert desk.run("program", desk.file(THERAPY.replace("300 ug", "310 ug")), "--yes") == 1
        assert ("left stopped" in desk.out + desk.err) == stands
        assert (desk.line.pump.firmware.status().mode is Mode.STOPPED) == stands


@pytest.mark.parametrize("profile", ["rotor-40", LEGACY])
def test_a_commit_that_is_refused_ends_its_draft_and_the_pump_goes_on(
    profile: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduled change takes over while somebody reads the review."""
    desk.line = EmulatedLine(profile)
    desk.program()
    at = datetime(2000, 1, 1) + timedelta(seconds=desk.line.pump.firmware.status().wall_s + 120)
    change = (
        f'scheduled_change = {{ at = {at.isoformat()}, therapy = {{ dose_per_day = "330 ug" }} }}'
    )
    desk.program(f"[therapy]\n{change}\n")

    def read_long(*_: object) -> bool:
        desk.line.pass_time(3 * MINUTE_US)
        return True

    monkeypatch.setattr("tools.programmer.console.Console.confirm", read_long)
    assert desk.run("program", desk.file(THERAPY.replace("300 ug", "310 ug")), "--yes") == 3
    assert "GENERATION" in desk.err
    assert desk.line.pump.firmware.status().mode is Mode.BASAL
    desk.line.pass_time(DEAD_US)
    assert desk.line.pump.firmware.status().alarms == ()
