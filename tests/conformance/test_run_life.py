"""How `itpump run` begins and ends, and what it keeps with `--state`."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from live_pump import END_S, Emulator, itpump

Start = Callable[..., Emulator]


# --- the beginning ------------------------------------------------------------------------------


def test_without_a_therapy_it_is_stopped_and_full(start: Start) -> None:
    status = start().ask("status")
    assert status["pump.mode"] == "stopped"
    assert status["pump.stop_reason"] == "no_program"
    assert status["truth.reservoir_ul"] == status["pump.computed_ul"] == 40_000


def test_the_seed_is_drawn_or_taken(start: Start) -> None:
    assert start("--seed", "42").seed == 42
    assert start().seed != start().seed


def test_json_prints_one_object_a_line(start: Start, therapy: str) -> None:
    emulator = start("--json", "--therapy", therapy, "--for", "10d", "--speed", "max")
    code, output = emulator.ended()
    lines = [json.loads(line) for line in output]
    assert code == 0
    assert lines[-1]["event"] == "end"
    assert lines[-1]["truth.delivered_ul"] == 1500


def test_a_smaller_fill_is_the_truth_and_what_the_pump_is_told(
    start: Start, tmp_path: Path, therapy: str
) -> None:
    untold = tmp_path / "untold.toml"
    untold.write_text(Path(therapy).read_text().replace('reservoir_fill = "40 mL"\n', ""))
    emulator = start("--fill", "12.5 mL", "--therapy", str(untold))
    status = emulator.ask("status")
    assert 12_490 < status["truth.reservoir_ul"] <= 12_500
    assert 12_490 < status["pump.computed_ul"] <= 12_500


BAD = {
    "speed": (["--speed", "fast"], "--speed"),
    "profile": (["--profile", "rotor-99"], "rotor-99"),
    "port": (["--port", "COM1"], "COM1"),
    "time": (["--for", "24"], "needs a unit"),
    "negative time": (["--for", "-1s"], '"-1s": a time is not negative'),
    "fill": (["--fill", "50mL"], "--fill 50mL: rotor-40 holds 40 mL"),
    "seed": (["--seed", "-1"], "--seed"),
    "link": (["--port", "tcp://127.0.0.1:0", "--link", "x"], "--link"),
    "therapy": (["--therapy", "nowhere.toml"], "nowhere.toml"),
}


@pytest.mark.parametrize("words", BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_exit_code_2(words: tuple[list[str], str]) -> None:
    done = itpump("run", *words[0])
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words[1] in done.stderr


def test_a_therapy_the_pump_cannot_give_ends_the_run(tmp_path: Path, therapy: str) -> None:
    path = tmp_path / "much.toml"
    path.write_text(Path(therapy).read_text().replace("300 ug", "900 mg"))
    done = itpump("run", "--therapy", str(path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"{path}:5:" in done.stderr


# --- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(
    start: Start, tmp_path: Path, therapy: str, number: signal.Signals
) -> None:
    link = tmp_path / "pump"
    emulator = start("--link", str(link), "--therapy", therapy)
    code, output = emulator.stop(number)
    assert code == 0
    assert output[-1].startswith("ended after ")
    assert "reservoir physical 40.000000 mL, computed 40.000000 mL" in output[-1]
    assert emulator.log.read_text() == ""
    assert not os.path.lexists(link)
    assert not Path(emulator.bench).parent.exists()


def test_for_ends_it_at_exactly_that_pump_time(start: Start, therapy: str) -> None:
    code, output = start("--for", "24h", "--speed", "max", "--therapy", therapy).ended()
    assert code == 0
    assert output[-1] == (
        "ended after 1 d of pump time: delivered 0.150000 mL, "
        "reservoir physical 39.850000 mL, computed 39.850000 mL"
    )


def test_a_reader_that_goes_away_does_not_end_it(start: Start) -> None:
    emulator = start()
    assert emulator.process.stdout is not None
    emulator.process.stdout.close()
    # Past the first status line, which is due after 10 s; the bench makes a day pass instead.
    emulator.ask("advance", "1d")
    until_us = emulator.ask("status")["run.now_us"] + 1_500_000
    while emulator.ask("status")["run.now_us"] < until_us:
        pass
    emulator.process.send_signal(signal.SIGTERM)
    assert emulator.process.wait(END_S) == 0


# --- the state folder ---------------------------------------------------------------------------


def test_a_restart_keeps_the_pump_exactly(start: Start, tmp_path: Path, therapy: str) -> None:
    state = ["--state", str(tmp_path / "pump")]
    first = start(*state, "--therapy", therapy, "--speed", "step", "--seed", "5")
    first.ask("advance", "3d 7h")
    kept = first.ask("status")
    first.stop()
    second = start(*state, "--speed", "step")
    found = second.ask("status")
    same = ("run.now_us", "pump.wall", "pump.program", "pump.computed_ul", "pump.delivered_ul",
            "truth.delivered_ul", "truth.reservoir_ul", "truth.tip_ug.baclofen")  # fmt: skip
    assert {key: found[key] for key in same} == {key: kept[key] for key in same}
    assert second.seed == 5
    assert found["pump.boot_id"] == 2
    second.ask("advance", "26d 17h")
    end = second.ask("status")
    assert end["truth.reservoir_ul"] == end["pump.computed_ul"] == 35_500


def test_the_therapy_is_not_programmed_twice(start: Start, tmp_path: Path, therapy: str) -> None:
    words = ["--state", str(tmp_path / "pump"), "--therapy", therapy, "--speed", "step"]
    first = start(*words)
    first.ask("advance", "10d")
    first.stop()
    second = start(*words)
    assert second.next_line() == "the pump has this therapy already"
    assert second.ask("status")["pump.computed_ul"] == 38_500


def test_a_killed_process_leaves_a_pump_that_starts_as_it_was_said_to_be(
    start: Start, tmp_path: Path, therapy: str
) -> None:
    words = ["--state", str(tmp_path / "pump"), "--speed", "step"]
    first = start(*words, "--therapy", therapy)
    first.stop(signal.SIGKILL)
    second = start(*words)
    status = second.ask("status")
    assert status["pump.mode"] == "basal"
    assert status["pump.computed_ul"] == status["truth.reservoir_ul"] == 40_000


def test_a_second_process_is_refused(start: Start, tmp_path: Path) -> None:
    first = start("--state", str(tmp_path))
    done = itpump("run", "--state", str(tmp_path))
    assert done.returncode == 2
    assert "in use by another itpump run" in done.stderr
    assert first.ask("status")["pump.mode"] == "stopped"


def test_what_contradicts_the_saved_pump_is_refused(start: Start, tmp_path: Path) -> None:
    start("--state", str(tmp_path), "--seed", "1").stop()
    before = (tmp_path / "pump.json").read_bytes()
    for words in (["--profile", "rotor-20"], ["--seed", "2"], ["--fill", "10 mL"]):
        done = itpump("run", "--state", str(tmp_path), *words)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert words[0] in done.stderr
    assert (tmp_path / "pump.json").read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_state_is_refused_and_never_written_over(
    start: Start, tmp_path: Path, damage: str
) -> None:
    start("--state", str(tmp_path)).stop()
    path = tmp_path / "pump.json"
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    damaged = {"cut": whole[:middle], "flip": flipped, "empty": b""}[damage]
    path.write_bytes(damaged)
    done = itpump("run", "--state", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == f"itpump run: {path}: damaged; move it away to start with a new pump\n"
    assert path.read_bytes() == damaged
