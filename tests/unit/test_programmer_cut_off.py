"""`itpump programmer` cut off: what it says of a command is true however the command ends.

Ctrl-C, a cable that is pulled, a journal or an output that cannot be written. What was done is the
scripted pump's `doses` and its stop reason.
"""

import argparse
import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted_pump import ScriptedPump

from protocol.codes import StopReason, TxnOp
from tools.programmer import command, console
from tools.programmer.errors import JournalError
from tools.programmer.journal import FILE_NAME, FileJournal

Run = Callable[..., int]
BOLUS = ("bolus", "10uL", "--yes")


@pytest.fixture
def pump() -> ScriptedPump:
    return ScriptedPump()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def run(pump: ScriptedPump, monkeypatch: pytest.MonkeyPatch, state: Path) -> Run:
    monkeypatch.setattr(command, "SerialTransport", lambda port, baud: pump)

    def run(*words: str) -> int:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        words = ("--port", "test", "--state-dir", str(state), *words)
        return command.main(parser.parse_args(words))

    return run


def interrupt() -> None:
    raise KeyboardInterrupt


def stopped(pump: ScriptedPump) -> bool:
    return pump.status.stop_reason is StopReason.COMMANDED


# --- Ctrl-C -------------------------------------------------------------------------------------


@pytest.mark.requirement("R-228")
@pytest.mark.parametrize("request_", ["INTERROGATE", "PREPARE"])
def test_before_the_commit_nothing_was_changed(
    run: Run, pump: ScriptedPump, request_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pump.before[request_] = interrupt
    assert run(*BOLUS) == 130
    assert capsys.readouterr().err == "itpump: interrupted; nothing was changed\n"
    assert pump.doses == []


def test_while_the_commit_is_in_the_balance_it_is_uncertain(
    run: Run, pump: ScriptedPump, capsys: pytest.CaptureFixture[str]
) -> None:
    pump.before["COMMIT"] = interrupt
    assert run(*BOLUS) == 5
    assert "it is done once or not at all" in capsys.readouterr().err


def test_between_commit_and_read_back_it_is_done(
    run: Run, pump: ScriptedPump, capsys: pytest.CaptureFixture[str]
) -> None:
    pump.before["STATUS"] = interrupt
    assert run("--json", *BOLUS) == 130
    assert "interrupted; the pump has done this already: bolus: done" in capsys.readouterr().err
    assert [op for op, _ in pump.doses] == [TxnOp.BOLUS]


@pytest.mark.parametrize("words", [BOLUS, ("stop",)])
def test_while_the_session_is_closed_the_result_stays(
    run: Run, pump: ScriptedPump, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    pump.before["CLOSE"] = interrupt
    assert run(*words) == 0
    assert capsys.readouterr().err == ""
    assert pump.doses or stopped(pump)


def test_after_stop_the_pump_has_stopped(
    run: Run, pump: ScriptedPump, capsys: pytest.CaptureFixture[str]
) -> None:
    pump.before["PRESCRIPTION"] = interrupt
    assert run("stop") == 130
    assert "the pump has done this already: the pump has stopped" in capsys.readouterr().err
    assert stopped(pump)


def test_during_stop_it_is_uncertain(run: Run, pump: ScriptedPump) -> None:
    pump.before["STOP"] = interrupt
    assert run("stop") == 5


# --- the cable ----------------------------------------------------------------------------------


def test_a_stop_that_cannot_be_read_back_is_done_with_a_warning(
    run: Run, pump: ScriptedPump, capsys: pytest.CaptureFixture[str]
) -> None:
    pump.mute["PRESCRIPTION"] = 1
    assert run("--json", "stop") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["pump.stop_reason"] == "commanded"
    assert "now: STOPPED, nothing is delivered: by command" in err
    assert "warning: the pump has stopped, but could not be read afterwards" in err


# --- the journal --------------------------------------------------------------------------------


def damaged(state: Path) -> None:
    state.mkdir()
    (state / FILE_NAME).write_text("{")


def unwritable(state: Path) -> None:
    state.write_text("a file stands where the folder should")


@pytest.mark.parametrize("spoil", [damaged, unwritable])
@pytest.mark.parametrize("action", ["stop", "status", "log"])
def test_what_doses_nothing_needs_no_journal(
    run: Run,
    pump: ScriptedPump,
    state: Path,
    spoil: Callable[[Path], None],
    action: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(state)
    assert run("--json", action) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["open_transactions"] is None
    warnings = [line for line in err.splitlines() if "itpump: warning:" in line]
    assert len(warnings) == 1
    assert FILE_NAME in warnings[0]
    assert stopped(pump) == (action == "stop")


@pytest.mark.parametrize("spoil", [damaged, unwritable])
def test_a_dose_needs_the_journal(
    run: Run, pump: ScriptedPump, state: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(state)
    assert run(*BOLUS) == 2
    assert pump.asked == []


def test_stop_comes_before_earlier_transactions_are_asked_for(run: Run, pump: ScriptedPump) -> None:
    pump.mute.update(COMMIT=4, QUERY=1)
    assert run(*BOLUS) == 5
    pump.unplugged = False
    pump.asked.clear()
    assert run("stop") == 0
    assert pump.asked[0] == "STOP"
    assert "QUERY" not in pump.asked


def test_a_disk_that_is_full_after_the_commit_does_not_undo_it(
    run: Run,
    pump: ScriptedPump,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(self: FileJournal, txn: int, result: str) -> None:
        raise JournalError("transaction journal: No space left on device")

    monkeypatch.setattr(FileJournal, "close", full)
    assert run(*BOLUS) == 0
    assert "warning: transaction journal: No space left on device" in capsys.readouterr().err
    assert [op for op, _ in pump.doses] == [TxnOp.BOLUS]


# --- the output ---------------------------------------------------------------------------------


def test_an_output_that_cannot_be_written_does_not_hide_the_dose(
    run: Run,
    pump: ScriptedPump,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(self: console.Console, text: str) -> None:
        if pump.doses:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(console.Console, "say", full)
    assert run("--json", *BOLUS) == 74
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "the output cannot be written: No space left on device" in err
    assert "the pump has done this already: bolus: done" in err
