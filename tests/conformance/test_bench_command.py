"""`itpump bench` and the socket behind it, on a running emulator."""

import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from live_pump import END_S, THERAPY, Emulator, itpump

from tools import cli

Start = Callable[..., Emulator]


@pytest.fixture
def pump(start: Start, therapy: str) -> Emulator:
    return start("--speed", "step", "--therapy", therapy)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One pump for all the requests that change nothing: each test shows that."""
    folder = tmp_path_factory.mktemp("untouched")
    (folder / "therapy.toml").write_text(THERAPY)
    words = ("--speed", "step", "--therapy", str(folder / "therapy.toml"))
    emulator = Emulator(folder / "log", *words)
    yield emulator
    emulator.kill()


@contextmanager
def raw_bench(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bench:
        bench.settimeout(END_S)
        bench.connect(path)
        yield bench


def answer(bench: socket.socket, line: bytes) -> dict[str, Any]:
    bench.sendall(line + b"\n")
    data = b""
    while not data.endswith(b"\n"):
        part = bench.recv(65536)
        assert part, "closed"
        data += part
    reply: dict[str, Any] = json.loads(data)
    return reply


def test_the_socket_is_for_its_owner_only(pump: Emulator) -> None:
    assert stat.S_IMODE(os.stat(pump.bench).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(pump.bench)).st_mode) == 0o700


def test_status_is_a_table_for_people(pump: Emulator) -> None:
    done = itpump("bench", "--port", pump.bench, "status")
    assert done.returncode == 0
    rows = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert rows["pump.mode"] == "basal"
    assert rows["truth.reservoir_ul"] == "40000"


def test_a_fault_begins_and_ends(pump: Emulator) -> None:
    pump.ask("inject", "magnet_field", "recovery=10min", "--for", "2h")
    pump.ask("advance", "90min")
    held = pump.ask("status")
    assert list(held["truth.faults"]) == ["magnet_field"]
    pump.ask("advance", "1h")
    assert pump.ask("status")["truth.faults"] == {}
    pump.ask("inject", "magnet_field")
    assert pump.ask("clear", "magnet_field") == {"active": {}}


def test_parameters_may_come_after_options(pump: Emulator) -> None:
    pump.ask("inject", "magnet_field", "--for", "2h", "recovery=10min")
    assert pump.ask("status")["truth.faults"] == {"magnet_field": {"recovery": "600000000"}}


def test_a_small_number_may_have_an_exponent(pump: Emulator) -> None:
    pump.ask("inject", "link.noise", "ber=1e-4")
    assert pump.ask("clear", "link.noise") == {"active": {}}


def test_a_magnet_stops_the_flow(pump: Emulator) -> None:
    pump.ask("inject", "magnet_field")
    pump.ask("advance", "1d")
    assert pump.ask("status")["truth.delivered_ul"] < 1


def test_the_faults_are_listed_with_their_parameters(pump: Emulator) -> None:
    done = itpump("bench", "--port", pump.bench, "faults")
    assert "magnet_field: " in done.stdout
    assert "recovery=" in done.stdout


def test_a_refill_changes_the_truth_and_not_the_pumps_count(pump: Emulator) -> None:
    pump.ask("advance", "10d")
    assert pump.ask("refill", "20 mL", "--drug", "morphine=10 mg/mL") == {"residual_nl": 38_500_000}
    status = pump.ask("status")
    assert status["truth.reservoir_ul"] == 20_000
    assert status["pump.computed_ul"] == 38_500
    assert "truth.tip_ug.morphine" in status


def test_a_power_cut_ends_with_a_boot(pump: Emulator) -> None:
    pump.ask("power-cut", "10s")
    dark = pump.ask("status")
    assert dark["truth.powered"] is False
    assert "pump.mode" not in dark
    pump.ask("advance", "11s")
    status = pump.ask("status")
    assert status["pump.boot_id"] == 2
    assert status["pump.mode"] == "basal"


def test_a_reset_boots_and_delivery_goes_on(pump: Emulator) -> None:
    pump.ask("advance", "1d")
    pump.ask("reset")
    pump.ask("advance", "1d")
    status = pump.ask("status")
    assert status["pump.boot_id"] == 2
    assert status["pump.uptime_us"] == 86_400_000_000
    assert status["truth.delivered_ul"] == pytest.approx(300, abs=1)


def test_a_session_does_not_hold_an_advance(pump: Emulator) -> None:
    with pump.client() as client:
        before_us = client.status().uptime_us
        pump.ask("advance", "1min")
        assert client.status().uptime_us - before_us == 60_000_000


BAD = {
    "unit": (["advance", "5"], 2, "needs a unit"),
    "fault": (["inject", "gremlin"], 2, "gremlin"),
    "parameter": (["inject", "magnet_field", "color=1"], 2, "color"),
    "value": (["inject", "link.noise", "ber=2"], 2, "0..1"),
    "no value": (["inject", "link.noise", "ber"], 2, "KEY=VALUE"),
    "speed": (["speed", "warp"], 2, "warp"),
    "too much": (["refill", "50mL"], 2, "fill of 50 mL is not within the capacity of 40 mL"),
    "no time": (["power-cut", "0s"], 2, '"0s": must be longer than 0'),
    "no lasting": (["inject", "magnet_field", "--for", "0s"], 2, '"0s": must be longer than 0'),
    "exponent": (["inject", "link.noise", "ber=1e99"], 2, "0..1"),
    "drug": (["refill", "1 mL", "--drug", "water"], 2, "NAME=CONCENTRATION"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_changes_nothing(
    untouched: Emulator, capsys: pytest.CaptureFixture[str], case: tuple[list[str], int, str]
) -> None:
    words, code, text = case
    before = untouched.ask("status")
    assert cli.main(["bench", "--port", untouched.bench, *words]) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert text in error
    assert untouched.ask("status") == before


def test_no_emulator_is_exit_code_4() -> None:
    done = itpump("bench", "--port", "/nowhere/bench.sock", "status")
    assert done.returncode == 4
    assert (
        done.stderr == "itpump bench: no bench at /nowhere/bench.sock: No such file or directory\n"
    )


RAW = {
    b"nonsense": "one JSON object",
    b"[]": '"command"',
    b'{"command": "dance"}': "unknown command",
    b'{"command": "status", "extra": 1}': "extra",
    b'{"command": "advance", "duration_us": -1}': "duration_us",
    b'{"command": "advance", "duration_us": true}': "duration_us",
    b'{"command": "advance", "duration_us": 1e30}': "duration_us",
    b'{"command": "power-cut", "duration_us": 0}': "duration_us is an integer 1..",
    b'{"command": "inject", "fault": "link.noise", "parameters": {"ber": "1e-999999999"}}': (
        "is not a number"
    ),
    b'{"command": "inject", "fault": 7}': "fault is text",
    b'{"command": "inject", "fault": "magnet_field", "parameters": []}': "parameters",
    b'{"command": "refill", "volume_nl": 1, "drugs": 3}': "drugs",
    b'{"command": "refill", "volume_nl": 1, "drugs": [["x", -1]]}': "drugs",
}


def test_bad_requests_get_an_error_and_the_connection_stays(pump: Emulator) -> None:
    with raw_bench(pump.bench) as bench:
        for line, text in RAW.items():
            reply = answer(bench, line)
            assert reply["ok"] is False, line
            assert text in reply["error"], line
        assert answer(bench, b'{"command": "status"}')["ok"] is True


def test_requests_sent_together_are_answered_in_turn(pump: Emulator) -> None:
    with raw_bench(pump.bench) as bench, bench.makefile("rb") as replies:
        bench.sendall(
            b'{"command": "advance", "duration_us": 3600000000}\n{"command": "status"}\n' * 3
        )
        got = [json.loads(replies.readline()) for _ in range(6)]
    hours = [reply["result"].get("run.now_us", 0) // 3_600_000_000 for reply in got[1::2]]
    assert hours == [1, 2, 3]


def test_an_endless_line_closes_its_connection_only(pump: Emulator) -> None:
    with raw_bench(pump.bench) as bench, pytest.raises(OSError, match=r"reset|pipe"):
        bench.sendall(b"x" * (1 << 22))
    assert pump.ask("status")["pump.mode"] == "basal"


def test_a_second_advance_meanwhile_is_refused(start: Start, therapy: str) -> None:
    pump = start("--speed", "step", "--therapy", therapy)
    with raw_bench(pump.bench) as first, raw_bench(pump.bench) as second:
        first.sendall(b'{"command": "advance", "duration_us": 3153600000000000}\n')
        while answer(second, b'{"command": "status"}')["result"]["run.now_us"] == 0:
            pass
        reply = answer(second, b'{"command": "advance", "duration_us": 1}')
    assert reply == {"ok": False, "error": "advance: another one is under way"}
