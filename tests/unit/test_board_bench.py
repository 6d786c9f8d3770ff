"""The bench of `itpump board`: what it does to the line, and what it leaves to the common bench."""

import json
from typing import Any

import pytest
from serial_rig import SerialRig

from emulator.bench import Bench
from emulator.bench_socket import BenchError
from emulator.pacing import REAL_TIME_SPEED
from emulator.ports import TcpPort
from emulator.server import Server
from tools.board.faults import BoardBench, LineFaults
from tools.board.line import PortLine

SECOND_US = 1_000_000


class Rig:
    """A bench over a board, and a line that only shows what would arrive."""

    def __init__(self) -> None:
        self.serial = SerialRig(attach=False)
        self.world = self.serial.world
        self.port = TcpPort(0)
        self.line = PortLine(self.world, self.port, lambda: 0)
        self.arrived: list[bytes] = []
        self.line.connect(self.arrived.append)
        board = self.serial.emulated
        server = Server(self.world, board.link, self.port, REAL_TIME_SPEED, lambda: 0)
        self.close = server.close
        bench = Bench(server, board, lambda: {"status": 1}, ())
        self.bench = BoardBench(bench, LineFaults(self.world, self.line))

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []
        self.bench.handle({"command": command, **fields}, answers.append)
        return answers[0]

    def arrives(self, data: bytes) -> bytes:
        """Return what of this reaches the agent."""
        self.line._arrived(data)
        return self.arrived.pop()


@pytest.fixture
def rig() -> Any:
    rig = Rig()
    yield rig
    rig.close()


def test_noise_flips_about_as_many_bits_as_told_until_it_is_cleared(rig: Rig) -> None:
    active = rig.ask("inject", fault="line.noise", parameters={"ber": "0.01"})
    assert active == {"active": {"line.noise": {"ber": "0.01"}}}
    flipped = int.from_bytes(rig.arrives(bytes(10_000)), "big").bit_count()
    assert 600 < flipped < 1000
    assert rig.ask("clear", fault="line.noise") == {"active": {}}
    assert rig.arrives(b"good") == b"good"


def test_a_cut_ends_by_itself(rig: Rig) -> None:
    rig.ask("inject", fault="line.cut", for_us=SECOND_US)
    rig.world.run_until(SECOND_US - 1)
    assert rig.arrives(b"lost") == b""
    rig.world.run_until(SECOND_US)
    assert rig.arrives(b"good") == b"good"
    assert rig.ask("faults")["active"] == {}


def test_one_fault_of_the_line_replaces_the_other(rig: Rig) -> None:
    rig.ask("inject", fault="line.cut", for_us=SECOND_US)
    rig.ask("inject", fault="line.noise", parameters={"ber": "1"})
    rig.ask("clear", fault="line.cut")
    rig.world.run_until(2 * SECOND_US)
    assert rig.arrives(b"\x0f") == b"\xf0"


def test_both_tables_of_faults_are_listed(rig: Rig) -> None:
    rig.ask("inject", fault="line.cut")
    rig.ask("inject", fault="magnet_field", parameters={})
    listed = rig.ask("faults")
    assert {"line.noise", "line.cut", "link.noise", "magnet_field"} <= set(listed["faults"])
    assert json.loads(json.dumps(listed)) == listed
    assert "level sensor" in listed["faults"]["sensor.level_stuck"]["needs"]
    assert set(listed["active"]) == {"line.cut", "magnet_field"}


def test_any_other_request_is_the_common_bench_s(rig: Rig) -> None:
    assert rig.ask("status") == {"status": 1}
    with pytest.raises(BenchError, match="unknown command"):
        rig.ask("dance")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"fault": "line.loop"}, "there are line.noise, line.cut"),
        ({"fault": "line.noise"}, "takes ber"),
        ({"fault": "line.cut", "parameters": {"ber": "1"}}, "takes no parameter"),
        ({"fault": "line.noise", "parameters": {"ber": "x"}}, "is not a number"),
        ({"fault": "line.noise", "parameters": {"ber": "0"}}, "not within"),
        ({"fault": "line.noise", "parameters": {"ber": "1.1"}}, "not within"),
        ({"fault": "line.cut", "parameters": []}, "parameters is an object"),
        ({"fault": "line.cut", "for_us": 0}, "for_us a time"),
        ({"fault": "line.cut", "for_us": "1"}, "for_us a time"),
    ],
)
def test_what_cannot_be_changes_nothing(rig: Rig, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(BenchError, match=why):
        rig.ask("inject", **fields)
    assert rig.arrives(b"good") == b"good"
