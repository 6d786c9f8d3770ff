"""The record of a trial against the pump: tools that die, doses from outside, damage."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from emulated_line import DAY_US, EmulatedLine
from trial_desk import FULL_PL, HOUR_US, Trial

from protocol.codes import Code, Mode
from protocol.messages import Preview, TxnResult
from tools.programmer import program, trial_record
from tools.programmer.client import Client
from tools.programmer.errors import Uncertain
from tools.programmer.trial_record import Done, Record


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Trial:
    return Trial(monkeypatch, tmp_path, capsys)


def die(*args: object, **named: object) -> None:
    raise KeyboardInterrupt


def test_a_tool_that_dies_between_commit_and_record_finds_the_dose_in_the_pump(
    desk: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.begin()
    desk.line.pass_time(DAY_US)
    append = Record.append

    def dies(record: Record, entry: trial_record.Entry) -> None:
        if isinstance(entry, Done):
            raise KeyboardInterrupt
        append(record, entry)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "append", dies)
        assert desk.run("trial", "step", "--yes") == 130
    desk.line.pass_time(6 * HOUR_US)
    desk.ok("status")
    assert "the pump had done it: step 2, 300 ug/day, on 2027-01-05 09:00" in desk.out
    assert desk.state()["next_step_in_s"] == 18 * 3600
    assert "done it" not in desk.ok("status"), "said once"
    assert abs(desk.day_ul(18) - Fraction(300 * 18, 24)) <= 1
    desk.ok("step", "--yes")


@pytest.mark.parametrize("act", [("start", "plan.toml"), ("end", "--stop")])
def test_an_unanswered_commit_of_start_or_end_is_settled_by_the_next_command(
    desk: Trial, monkeypatch: pytest.MonkeyPatch, act: tuple[str, str]
) -> None:
    desk.ok("score", "8")
    plan = desk.plan()
    if act[0] == "end":
        desk.ok("start", plan, "--yes")
    commit = Client.commit

    def unanswered(client: Client, preview: Preview, *more: Any) -> TxnResult:
        commit(client, preview, *more)
        raise Uncertain("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(Client, "commit", unanswered)
        assert desk.run("trial", act[0], act[1].replace("plan.toml", plan), "--yes") == 5
    desk.line.pass_time(HOUR_US)
    found = desk.state()
    assert (found["state"], found["step"]) == (
        ("running", 1) if act[0] == "start" else ("ended", 0)
    )
    assert "after the pump had done it" in desk.err
    assert abs(desk.day_ul() - 200 * found["step"]) <= 1


@pytest.mark.parametrize("where", [(program, "carry_out"), (Client, "commit")])
def test_a_tool_that_dies_before_the_commit_has_given_nothing(
    desk: Trial, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str]
) -> None:
    desk.begin()
    desk.line.pass_time(DAY_US)
    with monkeypatch.context() as patch:
        patch.setattr(*where, die)
        assert desk.run("trial", "step", "--yes") == 130
    desk.ok("status")
    assert "before the pump had done it: nothing was changed" in desk.out
    found = desk.state()
    assert (found["step"], found["dose_per_day_ug"], found["next_step_in_s"]) == (1, 200, 0)
    desk.ok("step", "--yes")
    assert desk.state()["step"] == 2


def test_a_dose_from_outside_is_said_and_no_step_is_taken_on_it(desk: Trial) -> None:
    desk.begin()
    desk.line.pass_time(DAY_US)
    desk.program('[therapy]\ndose_per_day = "250 ug"\n')
    why = "programmed outside of it on 2027-01-05 09:00"
    assert why in desk.ok("status")
    assert desk.state()["dose_per_day_ug"] == 250
    desk.program('[therapy]\ndose_per_day = "200 ug"\n')  # what was given meanwhile stays given
    assert why in desk.no(3, "step", "--yes")
    assert "not counted" in desk.ok("score", "1")
    desk.ok("end", "--stop", "--yes")
    assert desk.state()["state"] == "ended"
    assert desk.line.pump.firmware.status().mode is Mode.STOPPED


def test_a_scheduled_change_is_a_dose_from_outside(desk: Trial) -> None:
    desk.begin()
    change = "{ at = 2027-01-04T20:00:00, therapy = { dose_per_day = '250 ug' } }"
    desk.program(f"[therapy]\nscheduled_change = {change}\n")
    assert "a change was scheduled outside of it" in desk.state()["outside"]


def test_stops_boluses_and_a_refill_are_not_taken_for_another_dose(desk: Trial) -> None:
    desk.begin()
    assert desk.run("bolus", "10 ug", "--yes") == 0
    desk.line.pass_time(HOUR_US)
    assert desk.run("stop") == 0
    assert desk.run("refill", "100mL", "--residual", "99mL", "--same-drug", "--yes") == 0
    assert desk.run("resume", "--yes") == 0
    desk.line.pass_time(DAY_US)
    assert desk.state()["outside"] is None
    desk.ok("step", "--yes")


def test_another_pump_of_the_same_number_is_not_taken_for_the_one_in_the_trial(
    desk: Trial,
) -> None:
    desk.begin()
    desk.line = EmulatedLine("trial-external", FULL_PL)
    assert "the pump's log does not reach back to the trial" in desk.ok("status")
    desk.no(3, "step", "--yes")
    desk.ok("end", "--stop", "--yes")
    desk.begin()


def test_the_plan_in_the_record_counts_whatever_becomes_of_its_file(desk: Trial) -> None:
    desk.begin()
    desk.plan("nonsense")
    desk.line.pass_time(DAY_US)
    desk.ok("step", "--yes")
    assert desk.state()["dose_per_day_ug"] == 300


def test_two_tools_at_once_are_told_apart(desk: Trial) -> None:
    desk.begin()
    with trial_record.opened(desk.folder / "state", "E00000001"):
        assert "another tool is working on the trial" in desk.no(2, "score", "5")
    desk.ok("score", "5")


def test_a_damaged_record_is_one_line_and_nothing_is_done(desk: Trial) -> None:
    desk.begin()
    whole = json.loads(desk.record.read_text())
    whole["entries"][0]["score"] = 9
    for text in (json.dumps(whole), desk.record.read_text()[:-20], "{}", "[]", ""):
        desk.record.write_text(text)
        assert "is damaged" in desk.no(2, "status")
        assert "is damaged" in desk.no(2, "score", "4")
        assert desk.record.read_text() == text


def test_a_record_keeps_its_mouth_shut_and_its_number_of_entries(
    desk: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ok("score", "8")
    assert desk.record.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(trial_record, "ENTRIES_MAX", 1)
    assert "is full, 1 entries: move the file away" in desk.no(2, "score", "8")


def test_a_status_reads_the_pump_and_changes_nothing_but_its_log(desk: Trial) -> None:
    desk.begin()
    before = desk.line.pump.firmware.status()
    desk.ok("status")
    after = desk.line.pump.firmware.status()
    assert (after.generation, after.log_next) == (before.generation, before.log_next + 1)
    (last,) = desk.line.pump.firmware.log_records(before.log_next, 255)
    assert last.code is Code.INTERROGATED


def test_the_news_of_a_visit_are_in_the_record_when_they_are_said(desk: Trial) -> None:
    desk.begin()
    desk.program('[therapy]\ndose_per_day = "250 ug"\n')
    desk.ok("status")
    kinds = [row["kind"] for row in json.loads(desk.record.read_text())["entries"]]
    assert kinds == ["score", "asked", "done", "outside"]
