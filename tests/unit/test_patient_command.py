"""`itpump patient`: what the prescription grants, in words that need no explaining."""

from dataclasses import replace
from pathlib import Path

import pytest
from desk import THERAPY, Desk
from scripted_pump import STATUS

from protocol.codes import Mode, ProgramKind
from protocol.errors import ErrorCode, LimitId
from protocol.messages import Refusal
from tools.patient import words
from tools.programmer.errors import NoLink

MINUTE_US = 60_000_000
GRANTED = (
    THERAPY + "patient_bolus = { dose = '20 ug', over = '5 min', lockout = '2 h', max_per_24h = 4 }"
)


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk(monkeypatch, tmp_path, capsys)


@pytest.mark.requirement("R-240")
def test_a_dose_is_given_once_and_the_wait_for_the_next_is_told(desk: Desk) -> None:
    desk.program(GRANTED)
    assert desk.patient("bolus") == 3
    assert desk.err == "itpump: Not yet. The next extra dose is possible in 2 h.\n"
    desk.line.pass_time(120 * MINUTE_US)
    before = desk.line.delivered_ul
    assert desk.patient("bolus") == 0
    assert desk.out == "Your extra dose has begun. It takes 5 min.\n"
    assert desk.patient("status") == 0
    assert desk.out.startswith("Your pump is working. An extra dose is being given.\n")
    desk.line.pass_time(5 * MINUTE_US)
    assert desk.line.delivered_ul - before in (42, 43)  # 40 uL and 5 min of 25 uL/h
    assert desk.patient("status") == 0
    assert "The next extra dose is possible in 1 h 55 min." in desk.out
    assert "You have had an extra dose once in the last 24 hours." in desk.out


def test_json_has_what_the_words_say(desk: Desk) -> None:
    desk.program(GRANTED)
    assert desk.patient("status", "--json") == 0
    assert desk.values()["pump.lockout_s"] == 7200
    assert desk.patient("bolus", "--json") == 3
    assert desk.values()["code"] == "LOCKOUT"


def test_nothing_granted_is_said_so(desk: Desk) -> None:
    desk.program()
    assert desk.patient("bolus") == 3
    assert "Your clinic has not allowed this for your pump." in desk.err


@pytest.mark.parametrize(("may", "code", "mode"), [("true", 0, "STOPPED"), ("false", 3, "BASAL")])
def test_only_who_may_stop_the_pump_stops_it(desk: Desk, may: str, code: int, mode: str) -> None:
    desk.program(f"{GRANTED}\npatient_may_stop = {may}\n")
    assert desk.patient("stop") == code
    assert desk.line.pump.firmware.status().mode is Mode[mode]


def test_a_dose_whose_answer_is_lost_is_not_asked_for_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.program(GRANTED)
    desk.line.pass_time(120 * MINUTE_US)
    alive = desk.line.read

    def cut(timeout_us: int) -> bytes:
        data = alive(timeout_us)
        if desk.line.pump.firmware.status().mode is Mode.BOLUS:
            raise NoLink("out of reach")
        return data

    monkeypatch.setattr(desk.line, "read", cut)
    assert desk.patient("bolus") == 5
    assert "It is not known whether your pump heard it." in desk.err
    monkeypatch.setattr(desk.line, "read", alive)
    assert desk.patient("bolus") == 3
    assert "a dose is being given already" in desk.err
    assert desk.line.pump.firmware.status().boluses_24h == 1


def test_a_pump_out_of_reach(desk: Desk) -> None:
    desk.line.pump.board.power_cut(10**9)
    assert desk.patient("status") == 4
    assert desk.err.startswith("itpump: Your pump does not answer. Is it near?")


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_has_words_without_jargon(mode: Mode) -> None:
    report = words.report(replace(STATUS, mode=mode))
    assert report
    for jargon in ("basal", "bolus", "stall", "bridg", "prim"):
        assert jargon not in report.lower()


@pytest.mark.parametrize("code", [code for code in ErrorCode if code is not ErrorCode.OK])
def test_every_refusal_has_words(code: ErrorCode) -> None:
    said = words.refusal(code, Refusal(0, 90, 0))
    assert said
    assert code.name not in said


def test_a_hard_limit_says_whether_it_is_the_dose_or_what_is_left() -> None:
    too_much = words.refusal(ErrorCode.LIMIT_HARD, Refusal(LimitId.DOSE_PER_DAY_PG, 2, 1))
    too_little = words.refusal(ErrorCode.LIMIT_HARD, Refusal(LimitId.LOW_RESERVOIR_NL, 1, 2))
    assert "more than your limit" in too_much
    assert "not enough medicine left" in too_little


def test_a_prescribed_minimum_rate_is_no_reason_to_call() -> None:
    fallen = replace(STATUS, mode=Mode.MINIMUM_RATE, program=ProgramKind.SIMPLE_CONTINUOUS)
    assert words.CALL in words.report(fallen)
    meant = replace(fallen, program=ProgramKind.MINIMUM_RATE)
    assert words.CALL not in words.report(meant)


@pytest.mark.parametrize(
    ("left_s", "said"), [(1, "1 s"), (60, "1 min"), (61, "2 min"), (3599, "1 h")]
)
def test_a_wait_is_never_told_too_short(left_s: int, said: str) -> None:
    assert words.wait(left_s) == said


def test_a_stop_needs_no_journal(desk: Desk, tmp_path: Path) -> None:
    desk.program(GRANTED + "\npatient_may_stop = true")
    journal = tmp_path / "state" / "patient" / "transactions.json"
    journal.parent.mkdir(parents=True)
    journal.write_text("{")
    assert desk.patient("bolus") == 2
    assert desk.patient("stop") == 0
    assert desk.line.pump.firmware.status().mode is Mode.STOPPED
