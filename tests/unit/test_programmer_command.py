"""`itpump programmer` from its arguments to its exit code, against the real controller.

What was done is judged by the emulator's physical truth and by what the pump itself reports.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import Person
from emulated_line import DAY_US, EmulatedLine
from scripted_pump import ScriptedPump

from protocol.codes import Code, Mode
from tools.programmer import command, console
from tools.programmer.errors import NoLink

THERAPY = """
[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "simple_continuous"
dose_per_day = "300 ug"
reservoir_fill = "40 mL"
"""

Run = Callable[..., int]


@pytest.fixture
def therapy(tmp_path: Path) -> str:
    path = tmp_path / "therapy.toml"
    path.write_text(THERAPY)
    return str(path)


@pytest.fixture
def running(run: Run, therapy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("program", therapy, "--yes") == 0
    capsys.readouterr()


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", Person(text))


def result(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    values = json.loads(capsys.readouterr().out)
    assert isinstance(values, dict)
    return values


def test_status_of_a_new_pump_says_why_it_does_not_deliver(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("status") == 0
    out = capsys.readouterr().out
    assert "STOPPED, nothing is delivered: no therapy has been programmed" in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.requirement("R-001")
@pytest.mark.requirement("R-230")
@pytest.mark.requirement("R-246")
def test_a_program_is_shown_confirmed_committed_read_back_and_delivered(
    run: Run,
    line: EmulatedLine,
    therapy: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(monkeypatch, "yes\n")
    assert run("program", therapy) == 0
    out = capsys.readouterr().out
    assert "* dose baclofen        -        300 ug/day\n" in out
    assert "read back and compared: equal" in out
    assert "now: delivering basal, 0.15 mL/day (6.25 uL/h), baclofen 300 ug/day" in out
    line.pass_time(10 * DAY_US)
    assert line.delivered_ul == 1500


@pytest.mark.requirement("R-230")
@pytest.mark.parametrize("reply", ["\n", "n\n", "", "no\n", "yess\n"])
def test_anything_but_yes_changes_nothing(
    run: Run,
    line: EmulatedLine,
    therapy: str,
    reply: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(monkeypatch, reply)
    assert run("program", therapy) == 1
    assert "nothing was changed" in capsys.readouterr().out
    assert line.pump.firmware.status().generation == 0


def test_ctrl_c_at_the_question_changes_nothing_and_says_so(
    run: Run,
    line: EmulatedLine,
    therapy: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(monkeypatch, "")

    def interrupt(self: object, question: str, word: str | None = None) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(console.Console, "confirm", interrupt)
    assert run("program", therapy) == 130
    assert capsys.readouterr().err == "itpump: interrupted; nothing was changed\n"
    assert line.pump.firmware.status().generation == 0
    assert run("--json", "status") == 0
    assert result(capsys)["open_transactions"] == []


def test_nobody_to_ask_and_no_yes_does_nothing(
    run: Run,
    line: EmulatedLine,
    therapy: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run("program", therapy) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert line.pump.firmware.status().log_next == 0


def test_a_preview_that_changes_at_the_question_is_reviewed_again(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pump = ScriptedPump()
    monkeypatch.setattr(command, "SerialTransport", lambda port, baud: pump)
    answer(monkeypatch, "")
    asked: list[str] = []

    def confirm(self: object, question: str, word: str | None = None) -> bool:
        asked.append(question)
        pump.plan = 1
        return True

    monkeypatch.setattr(console.Console, "confirm", confirm)
    assert run("bolus", "10uL") == 0
    assert len(asked) == 2
    assert len(pump.doses) == 1
    assert "the pump's values have changed meanwhile" in capsys.readouterr().out


def test_a_preview_that_never_holds_still_is_given_up(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pump = ScriptedPump()
    monkeypatch.setattr(command, "SerialTransport", lambda port, baud: pump)
    answer(monkeypatch, "")

    def confirm(self: object, question: str, word: str | None = None) -> bool:
        pump.plan += 1
        return True

    monkeypatch.setattr(console.Console, "confirm", confirm)
    assert run("bolus", "10uL") == 1
    assert "nothing was done" in capsys.readouterr().err
    assert pump.doses == []


@pytest.mark.requirement("R-237")
def test_a_slow_person_outlives_token_and_session(
    run: Run, line: EmulatedLine, running: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "")

    def confirm(self: object, question: str, word: str | None = None) -> bool:
        line.pass_time(400_000_000)
        return True

    monkeypatch.setattr(console.Console, "confirm", confirm)
    before_ul = line.delivered_ul
    assert run("bolus", "20ug", "--over", "5min") == 0
    line.pass_time(400_000_000)
    assert line.pump.firmware.status().bolus_given_nl == 10_000
    assert 10 <= line.delivered_ul - before_ul <= 12  # 800 s of basal are 1.4 uL


@pytest.mark.requirement("R-025")
def test_a_bolus_shows_whole_strokes_and_is_given_once(
    run: Run, line: EmulatedLine, running: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("bolus", "20.4ug", "--over", "5min", "--yes") == 0
    out = capsys.readouterr().out
    assert "bolus: baclofen 20 ug = 10 uL in 40 strokes, over 5 min (asked for: 20.4ug)" in out
    line.pass_time(300_000_000)
    assert line.delivered_ul == 10


def test_a_second_like_bolus_needs_again(
    run: Run, line: EmulatedLine, running: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("bolus", "20ug", "--over", "1min", "--yes") == 0
    line.pass_time(120_000_000)
    assert run("bolus", "20ug", "--over", "1min", "--yes") == 3
    assert "DUPLICATE_INTENT" in capsys.readouterr().err
    assert run("bolus", "20ug", "--over", "1min", "--yes", "--again") == 0
    line.pass_time(120_000_000)
    assert line.pump.firmware.status().delivered_nl >= 20_000


@pytest.mark.requirement("R-087")
def test_stop_and_resume(
    run: Run, line: EmulatedLine, running: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("stop") == 0
    assert capsys.readouterr().out == "now: STOPPED, nothing is delivered: by command\n"
    line.pass_time(DAY_US)
    assert line.delivered_ul == 0
    assert run("resume", "--yes") == 0
    assert line.pump.firmware.status().mode is Mode.BASAL
    assert run("resume", "--yes") == 3
    assert "STATE: the pump is delivering its basal rate" in capsys.readouterr().err


def test_refill_tells_the_pump_what_was_injected(
    run: Run, line: EmulatedLine, running: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("refill", "20mL", "--yes") == 0
    assert "computed volume afterwards: 20 mL" in capsys.readouterr().out
    assert line.pump.firmware.status().computed_nl == 20_000_000
    assert run("refill", "40.1mL", "--yes") == 3
    assert "volume 40.1 mL is more than the reservoir holds, 40 mL" in capsys.readouterr().err


@pytest.mark.requirement("R-254")
def test_a_partial_therapy_keeps_the_rest_and_marks_what_changes(
    run: Run, running: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "more.toml"
    path.write_text('[therapy]\ndose_per_day = "333 ug"\n')
    assert run("program", str(path), "--yes") == 0
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith("* ")]
    changed = [row[2:23].strip() for row in rows[:-1]]
    assert changed == ["prescribed", "rate", "per hour", "dose baclofen", "achievable", "baclofen"]
    assert rows[-1] == "* = changed (6)"


@pytest.mark.requirement("R-129")
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("bolus", "20", "--yes"), "needs a unit"),
        (("bolus", "20ug", "--over", "fast", "--yes"), "a time is needed"),
        (("refill", "3 h", "--yes"), "is a time"),
        (("program", "nowhere.toml", "--yes"), "nowhere.toml"),
    ],
)
def test_bad_input_is_one_line_and_never_reaches_the_pump(
    run: Run,
    line: EmulatedLine,
    words: tuple[str, ...],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*words) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert complaint in err
    assert line.pump.firmware.status().log_next == 0


def test_the_log_is_a_table_and_json(
    run: Run, running: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("log") == 0
    out = capsys.readouterr().out
    assert "PROGRAM_COMMITTED     generation 1" in out
    assert run("--json", "log", "--first", "1") == 0
    records = result(capsys)["records"]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert records[0]["wall"] == "2027-01-04T09:00:00"


@pytest.mark.requirement("R-253")
def test_json_status_has_the_measures_of_scenarios(
    run: Run, running: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--json", "status") == 0
    values = result(capsys)
    assert values["pump.mode"] == "basal"
    assert values["pump.rate_ul_h"] == 6.25
    assert values["pump.dose_per_day_ug.baclofen"] == 300
    assert values["pump.low_reservoir_date"] == "2027-09-14T17:00:00"
    assert values["pump.stop_reason"] is None


def test_json_may_stand_after_the_action(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--json") == 0
    assert result(capsys)["pump.mode"] == "stopped"


def test_over_a_line_with_an_error_in_a_thousand_bits_each_command_acts_once(
    run: Run, line: EmulatedLine, therapy: str
) -> None:
    line.pump.board.link.set_noise(1_000_000)
    assert run("program", therapy, "--yes") == 0
    for _ in range(5):
        before_nl = line.pump.firmware.status().delivered_nl
        assert run("bolus", "10uL", "--over", "1min", "--yes", "--again") == 0
        line.pass_time(60_000_000)
        status = line.pump.firmware.status()
        assert 10_000 <= status.delivered_nl - before_nl <= 11_000
    assert run("stop") == 0
    codes = [record.code for record in line.pump.firmware.log_records(0, 255)]
    assert (codes.count(Code.PROGRAM_COMMITTED), codes.count(Code.BOLUS_STARTED)) == (1, 5)
    statistics = line.pump.firmware._telemetry.link.statistics
    assert statistics.duplicates, "the noise has tested nothing"


def test_json_carries_a_refusal_too(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json", "resume", "--yes") == 3
    values = result(capsys)
    assert (values["code"], values["exit_code"]) == ("STATE", 3)
    assert values["refusal"]["id"] == Mode.STOPPED


def test_no_answer_is_exit_code_4(
    run: Run, line: EmulatedLine, capsys: pytest.CaptureFixture[str]
) -> None:
    line.pump.board.power_cut(DAY_US)
    assert run("status") == 4
    assert "no answer to HELLO" in capsys.readouterr().err


@pytest.mark.requirement("R-228")
def test_a_line_that_dies_with_the_commit_is_exit_code_5_and_shown_next_time(
    run: Run,
    line: EmulatedLine,
    running: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    alive = line.read
    before = line.pump.firmware.status().last_txn

    def cut(timeout_us: int) -> bytes:
        data = alive(timeout_us)
        if line.pump.firmware.status().last_txn != before:
            raise NoLink("port test was closed at the other end or unplugged")
        return data

    monkeypatch.setattr(line, "read", cut)
    assert run("bolus", "20ug", "--over", "5min", "--yes") == 5
    monkeypatch.setattr(line, "read", alive)
    line.pass_time(400_000_000)
    capsys.readouterr()
    assert run("--json", "status") == 0
    (shown,) = result(capsys)["open_transactions"]
    assert shown["op"] == "BOLUS"
    assert shown["outcome"] == "done, 10 uL of 10 uL given"
    assert line.pump.firmware.status().bolus_given_nl == 10_000


# --- the bar ------------------------------------------------------------------------------------


def test_a_long_transfer_shows_a_bar_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal, expected in (
        (Person(), "log [###############...............] 100/200"),
        (io.StringIO(), ""),
    ):
        monkeypatch.setattr("sys.stderr", terminal)
        now_s = [0.0]
        bar = console.Progress("log", 200, lambda now_s=now_s: now_s[0])
        bar.at(50)
        assert terminal.getvalue() == "", "a short transfer shows none"
        now_s[0] = 1.0
        bar.at(100)
        assert expected in terminal.getvalue()
        bar.end()
        assert terminal.getvalue().endswith("\x1b[K" if expected else "")
