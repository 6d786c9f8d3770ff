"""A pump that stands says so after an hour and urgently after two days, whatever interrupts it."""

import pytest
from nurse import START_WALL_S, Nurse, therapy

from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause, TonePattern
from protocol.codes import Code, ProgramKind, StopReason, TxnOp
from protocol.messages import FILL_NOT_TOLD, Commit, ProgramParameters, SetClockParameters

STOPPED = therapy(program=ProgramKind.STOPPED)
SECOND_US = 1_000_000


def programmed() -> Nurse:
    nurse = Nurse()
    nurse.program(therapy(), 40_000_000)
    nurse.run(HOUR_US)
    return nurse


def stopped() -> Nurse:
    nurse = programmed()
    nurse.stop()
    return nurse


def raised(nurse: Nurse) -> list[tuple[int, int]]:
    """(Seconds since the test began, 1: urgent) of each time it was raised."""
    return [
        (record.wall_s - START_WALL_S, record.b)
        for record in nurse.log
        if record.code is Code.ALARM_RAISED and record.a == Code.STOPPED_TOO_LONG
    ]


def stops(nurse: Nurse) -> list[tuple[int, int]]:
    return [(record.a, record.b) for record in nurse.log if record.code is Code.STOPPED]


@pytest.mark.requirement("R-081")
@pytest.mark.requirement("R-087")
@pytest.mark.requirement("R-143")
def test_it_comes_after_an_hour_and_more_urgently_after_48() -> None:
    nurse = stopped()
    nurse.run(HOUR_US - 1)
    assert nurse.alarms == {}
    nurse.run(1)
    assert nurse.alarms == {Code.STOPPED_TOO_LONG: True}
    assert nurse.board.sounder.starts[TonePattern.CRITICAL] == 1
    nurse.run(47 * HOUR_US - 1)
    assert raised(nurse) == [(7200, 0)]
    before = nurse.board.sounder.starts[TonePattern.CRITICAL]
    nurse.run(1)
    assert raised(nurse) == [(7200, 0), (3600 + 48 * 3600, 1)]
    assert nurse.board.sounder.starts[TonePattern.CRITICAL] == before + 1
    nurse.run(10 * DAY_US)
    assert len(raised(nurse)) == 2
    assert nurse.board.sounder.active is TonePattern.CRITICAL


def test_a_start_ends_it_and_boluses_are_given_again() -> None:
    nurse = stopped()
    nurse.run(3 * DAY_US)
    nurse.resume()
    assert nurse.alarms == {}
    assert nurse.board.sounder.active is None
    nurse.bolus(10_000)
    nurse.run(DAY_US)
    nurse.stop()
    nurse.run(HOUR_US - 1)
    assert nurse.alarms == {}


@pytest.mark.requirement("R-081")
@pytest.mark.parametrize("cut", [False, True])
def test_no_reset_and_no_power_cut_keeps_it_away(cut: bool) -> None:
    nurse = stopped()
    for _ in range(59):
        nurse.run(2700 * SECOND_US)
        if cut:
            nurse.board.power_cut(300 * SECOND_US)
        else:
            nurse.board.reset(ResetCause.WATCHDOG)
        nurse.run(300 * SECOND_US)
    first, urgent = raised(nurse)[0], next(row for row in raised(nurse) if row[1])
    for (at_s, _), due_s in ((first, 3600), (urgent, 48 * 3600)):
        # A cut of 5 min may lie over the instant.
        assert -1 <= at_s - 3600 - due_s <= (301 if cut else 1)
    assert stops(nurse) == [(StopReason.COMMANDED, 0)]


def test_a_clock_that_is_set_does_not_move_it() -> None:
    for shift_s in (-30 * 3600, 30 * 3600):
        nurse = stopped()
        nurse.run(40 * HOUR_US)
        nurse.do(TxnOp.SET_CLOCK, SetClockParameters(nurse.status.wall_s + shift_s))
        nurse.board.reset(ResetCause.WATCHDOG)
        nurse.run(8 * HOUR_US - 2 * SECOND_US)
        assert [urgent for _, urgent in raised(nurse)] == [0, 0]
        nurse.run(4 * SECOND_US)
        assert [urgent for _, urgent in raised(nurse)] == [0, 0, 1]


def test_a_clock_that_was_lost_takes_nothing_of_what_the_log_knows() -> None:
    nurse = stopped()
    nurse.run(40 * HOUR_US)
    nurse.ask("INTERROGATE")
    nurse.board.rtc.set_s(0)
    nurse.board.power_cut(HOUR_US)
    nurse.run(9 * HOUR_US - 2 * SECOND_US)
    assert [urgent for _, urgent in raised(nurse)] == [0, 0]
    nurse.run(4 * SECOND_US)
    assert raised(nurse)[-1][1] == 1


def test_a_pump_that_was_never_programmed_stands_in_peace() -> None:
    nurse = Nurse()
    nurse.stop()
    nurse.board.reset(ResetCause.COMMANDED)
    nurse.refill(20_000_000)
    nurse.run(60 * DAY_US)
    assert nurse.alarms == {}
    assert Code.STOPPED not in nurse.codes


@pytest.mark.parametrize("fresh", [True, False])
def test_a_prescription_to_stand_is_a_stop_too(fresh: bool) -> None:
    nurse = Nurse() if fresh else programmed()
    nurse.program(STOPPED, 40_000_000)
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(HOUR_US + SECOND_US)
    assert nurse.alarms == {Code.STOPPED_TOO_LONG: True}


def test_a_prescription_to_stand_does_not_start_the_time_again() -> None:
    for restart in (False, True):
        nurse = stopped()
        nurse.run(40 * HOUR_US)
        nurse.program(STOPPED)
        assert stops(nurse)[-1] == (StopReason.COMMANDED, 40 * 3600)
        if restart:
            nurse.board.reset(ResetCause.WATCHDOG)
        nurse.run(8 * HOUR_US - 2 * SECOND_US)
        assert not any(urgent for _, urgent in raised(nurse))
        nurse.run(4 * SECOND_US)
        assert raised(nurse)[-1][1] == 1


def test_a_pump_out_of_service_stands_in_peace_until_it_is_filled_again() -> None:
    nurse = stopped()
    nurse.run(2 * HOUR_US)
    assert nurse.alarms == {Code.STOPPED_TOO_LONG: True}
    nurse.board.plant.refill(0, ())
    nurse.program(STOPPED, 0)
    nurse.run(60 * DAY_US)
    assert nurse.alarms == {}
    nurse.refill(20_000_000)
    nurse.run(0)
    assert nurse.alarms == {Code.STOPPED_TOO_LONG: True}
    assert raised(nurse)[-1][1] == 1


def test_a_stop_whose_record_a_reset_cut_off_is_said_at_the_next_boot() -> None:
    """The commit stops the pump; a reset may come before the log has heard of it."""
    said_late = False
    for events in range(60):
        nurse = programmed()
        preview = nurse.prepare(TxnOp.PROGRAM, ProgramParameters(STOPPED, FILL_NOT_TOLD))
        nurse.send("COMMIT", Commit(preview.txn, preview.token, preview.hash))
        done = nurse.world.run_some(nurse.world.now_us, events)
        nurse.board.reset(ResetCause.WATCHDOG)
        nurse.run(49 * HOUR_US)
        if nurse.status.stop_reason is StopReason.COMMANDED:
            assert stops(nurse) == [(StopReason.COMMANDED, 0)]
            assert [urgent for _, urgent in raised(nurse)] == [0, 1]
            codes = nurse.codes
            said_late |= codes.index(Code.STOPPED) > codes.index(Code.RESET)
        if done:
            break
    assert said_late


def test_a_start_by_a_scheduled_change_ends_the_time_of_the_stop_before_it() -> None:
    """Though the record of the next stop is cut off, and only the first one's is in the log."""
    cut_off = False
    for events in range(60):
        nurse = programmed()
        nurse.program(STOPPED)
        at_s = nurse.status.wall_s + 2 * 3600
        nurse.do(TxnOp.PROGRAM, ProgramParameters(therapy(), FILL_NOT_TOLD, at_s))
        nurse.run(3 * HOUR_US)
        nurse.hello()
        said = len(raised(nurse))
        preview = nurse.prepare(TxnOp.PROGRAM, ProgramParameters(STOPPED, FILL_NOT_TOLD))
        nurse.send("COMMIT", Commit(preview.txn, preview.token, preview.hash))
        done = nurse.world.run_some(nurse.world.now_us, events)
        nurse.board.reset(ResetCause.WATCHDOG)
        nurse.run(HOUR_US // 2)
        assert len(raised(nurse)) == said
        codes = nurse.codes
        cut_off |= codes[::-1].index(Code.STOPPED) < codes[::-1].index(Code.RESET)
        if done:
            break
    assert cut_off
