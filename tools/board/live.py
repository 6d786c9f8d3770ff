"""One live board: its world in real time or in lock-step, line, radio, bench and end.

The loop is the live pump's (`emulator.server`): it serves the radio as a pump's telemetry and
moves the world. The line joins it as one more port. No client holds a board's time back: the
motor turns whether or not anybody listens.
"""

from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from emulator.bench import Bench
from emulator.bench_socket import BenchSocket
from emulator.board import EmulatedBoard
from emulator.board_agent import BoardAgent
from emulator.devices.motor import STROKE
from emulator.devices.plant import PlantSetup
from emulator.pacing import REAL_TIME_SPEED, STEP, ClientWatch, Hold
from emulator.ports import Port
from emulator.profile import Profile
from emulator.server import Server
from emulator.world import World
from tools.board.faults import BoardBench, LineFaults
from tools.board.line import LockstepLine, PortLine
from tools.programmer import format as show
from tools.run.live import ended_by_signals, host_us
from tools.run.report import truth


class Ports(NamedTuple):
    """Where a board is reached."""

    line: Port
    radio: Port
    bench: Path


class _NobodyWaits(ClientWatch):
    """Real time is held back for nobody."""

    def hold(self, host_us: int, world_us: int) -> Hold:
        return Hold.FREE


class _Radio:
    """The outside of the board's radio, with a count of what went through it."""

    def __init__(self, board: EmulatedBoard) -> None:
        self._link = board.link
        self.received = 0
        self.sent = 0

    def host_write(self, data: bytes) -> int:
        """Send bytes to the board."""
        self.received += len(data)
        return self._link.host_write(data)

    def host_read(self) -> bytes:
        """Take what the board has sent."""
        data = self._link.host_read()
        self.sent += len(data)
        return data


class BoardRun:
    """Everything of one run. What it opens is closed by `stack`."""

    def __init__(
        self,
        profile: Profile,
        setup: PlantSetup,
        seed: int,
        ports: Ports,
        lockstep: bool,
        stack: ExitStack,
    ) -> None:
        self._world = world = World(seed)
        self._board = board = EmulatedBoard(world, profile, setup)
        self._radio = _Radio(board)
        kind = LockstepLine if lockstep else PortLine
        line = kind(world, ports.line, host_us)
        self._server = Server(
            world, self._radio, ports.radio, STEP if lockstep else REAL_TIME_SPEED, host_us
        )
        stack.callback(self._server.close)
        stack.callback(ports.line.close)
        self._server.watch = _NobodyWaits()
        line.attach(self._server.selector)
        self._agent = BoardAgent(world, board, line)
        self._faults = LineFaults(world, line)
        bench = BoardBench(Bench(self._server, board, self.report, setup.drugs), self._faults)
        socket = BenchSocket(ports.bench, bench.handle, self._server.selector)
        stack.callback(socket.close)
        board.power_on()

    def run(self, duration_us: int | None, ready: Callable[[], None]) -> None:
        """Serve until `duration_us` of board time have passed, or a signal."""
        if duration_us is not None:
            self._server.end_us = duration_us
        with ended_by_signals(self._server.stop):
            ready()
            self._server.run()

    def report(self) -> dict[str, Any]:
        """Return how the board and the truth around it stand."""
        board = self._board
        return {
            "run.now_us": self._world.now_us,
            **truth(board),
            "truth.line_faults": self._faults.active,
            "truth.strokes": show.number(Fraction(board.motor.position(), STROKE)),
            "truth.motor_running": board.motor.running,
            "radio.received_bytes": self._radio.received,
            "radio.sent_bytes": self._radio.sent,
        }
