"""`refill --empty`: a pump put out of service delivers nothing, is quiet, and can come back."""

from pathlib import Path

import pytest
from desk import THERAPY, Desk
from emulated_line import DAY_US

from protocol.codes import BolusKind, Code, Mode, ProgramKind, StopReason
from protocol.messages import NO_PATIENT_BOLUS

GIVEN = THERAPY.replace('dose_per_day = "300 ug"', 'rate = "0.79 mL/day"').replace("40", "20")
PATIENT = 'patient_bolus = { dose = "20 ug", lockout = "2 h" }\nstability = "30d"\n'


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    desk = Desk(monkeypatch, tmp_path, capsys)
    desk.program(GIVEN + PATIENT)
    return desk


def tones(desk: Desk) -> int:
    return sum(desk.line.pump.board.sounder.starts.values())


def test_it_stops_judges_empties_and_ends_the_program(desk: Desk) -> None:
    desk.line.pass_time(20 * DAY_US)  # 15.8 mL given, 4.2 mL expected
    given_ul = desk.line.delivered_ul
    assert desk.run("refill", "--empty", typed="y\n1.5mL\nyes\n") == 0, desk.err
    assert "discrepancy: +17.09 %, OUTSIDE the pump's accuracy" in desk.out
    assert "! DISCREPANCY_OVER" in desk.out
    assert "! OUT_OF_SERVICE" in desk.out
    assert "* mode" in desk.out
    status = desk.line.pump.firmware.status()
    assert (status.mode, status.program) == (Mode.STOPPED, ProgramKind.STOPPED)
    assert (status.computed_nl, status.fill_nl) == (0, 0)
    assert status.stop_reason is StopReason.COMMANDED
    therapy = desk.line.pump.firmware.prescription().therapy
    assert therapy.patient == NO_PATIENT_BOLUS
    assert therapy.drugs[0].name == "baclofen", "what it last held stays readable"
    desk.line.pass_time(DAY_US)
    assert desk.line.delivered_ul - given_ul <= 1, "the stroke under way was ended"
    assert desk.patient("bolus") == 3


def test_it_is_quiet_for_years_and_over_every_reset(desk: Desk) -> None:
    assert desk.run("refill", "--empty", "--residual", "20mL", "--yes") == 0
    sounded = tones(desk)
    desk.line.pass_time(DAY_US)
    desk.line.pump.board.power_cut(1_000_000)
    desk.line.pass_time(1000)
    assert desk.run("clock", "--to", "2033-10-01T09:00:00", "--yes") == 0, desk.err
    desk.line.pass_time(100 * DAY_US)  # past ERI and the end of service
    assert tones(desk) == sounded
    listed = [alarm.code for alarm in desk.line.pump.firmware.status().alarms]
    assert Code.EOS in listed, "what is so is said to who asks"
    assert not {Code.LOW_RESERVOIR, Code.EMPTY_RESERVOIR} & set(listed)


def test_a_pump_that_ran_empty_sounds_until_it_is_out_of_service(desk: Desk) -> None:
    desk.line.pass_time(26 * DAY_US)
    status = desk.line.pump.firmware.status()
    assert status.stop_reason is StopReason.EMPTY_RESERVOIR
    sounded = tones(desk)
    desk.line.pass_time(DAY_US)
    assert tones(desk) > sounded
    assert desk.run("refill", "--empty", "--residual", "0mL", "--yes") == 0, desk.err
    sounded = tones(desk)
    desk.line.pass_time(DAY_US)
    assert tones(desk) == sounded
    assert desk.line.pump.firmware.status().alarms == ()


def test_back_in_service_it_warns_again(desk: Desk) -> None:
    assert desk.run("refill", "0mL", "--residual", "20mL", "--yes") == 0, "the same, said otherwise"
    sounded = tones(desk)
    desk.program(GIVEN.replace('"20 mL"', '"1 mL"'))
    status = desk.line.pump.firmware.status()
    assert (status.mode, [alarm.code for alarm in status.alarms]) == (
        Mode.BASAL, [Code.LOW_RESERVOIR],
    )  # fmt: skip
    assert tones(desk) == sounded + 1
    assert desk.run("bolus", "1uL", "--yes") == 3, "LOW_RESERVOIR keeps its meaning"


def test_a_bolus_under_way_ends_with_the_stop(desk: Desk) -> None:
    assert desk.run("bolus", "20 uL", "--over", "30min", "--yes") == 0
    desk.line.pass_time(60_000_000)
    assert desk.run("refill", "--empty", "--residual", "19mL", "--yes") == 0, desk.err
    assert desk.line.pump.firmware.status().bolus is BolusKind.NONE


@pytest.mark.parametrize(
    ("typed", "stopped", "said"),
    [
        ("n\n", False, "nothing was changed"),
        ("y\n20mL\ny\n", True, "nothing more was changed"),
    ],
)
def test_who_leaves_before_the_end_leaves_the_program(
    desk: Desk, typed: str, stopped: bool, said: str
) -> None:
    assert desk.run("refill", "--empty", typed=typed) == 1
    assert said in desk.out
    status = desk.line.pump.firmware.status()
    assert status.program is ProgramKind.SIMPLE_CONTINUOUS
    assert (status.mode is Mode.STOPPED) is stopped
    if stopped:
        assert desk.run("resume", "--yes") == 0


def test_nobody_is_sent_to_resume_what_has_no_program(desk: Desk) -> None:
    assert desk.run("refill", "--empty", "--residual", "20mL", "--yes") == 0
    assert desk.run("refill", "20mL", "--residual", "0mL", "--yes") == 0
    assert "STAYS_STOPPED: a refill does not start the pump again: it has no program" in desk.out
    assert desk.run("resume", "--yes") == 3
    assert "a program starts it, `resume` where it has one" in desk.err


def test_an_entry_that_cannot_be_used_says_that_the_pump_has_stopped(desk: Desk) -> None:
    assert desk.run("refill", "--empty", typed="y\n\n") == 2
    assert "before that the pump has done this: the pump has stopped" in desk.err


def test_nothing_and_something_cannot_both_be_injected(desk: Desk) -> None:
    assert desk.run("refill", "20mL", "--empty", "--yes") == 2
    assert desk.line.pump.firmware.status().mode is Mode.BASAL


def test_a_pump_without_a_program_is_emptied_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(monkeypatch, tmp_path, capsys)
    assert desk.run("refill", "--empty", "--residual", "40mL", "--yes") == 0, desk.err
    desk.line.pass_time(DAY_US)
    assert desk.line.pump.firmware.status().alarms == ()
    assert tones(desk) == 0
