"""Boards for the kit: in this process in virtual time, in lock-step, and the MicroPython agent."""

import time
from pathlib import Path

from board_pair import Process
from micropython_board import MicroPythonBoard

from emulator.board import EmulatedBoard
from emulator.board_agent import BoardAgent
from emulator.board_line import BoardLine
from emulator.devices.motor import STROKE
from emulator.devices.plant import PlantSetup
from emulator.profile import Profile
from emulator.world import World
from hal.board import Board
from hal.interfaces import ResetCause, TonePattern
from hal.serial_board import SerialBoard
from hal.serial_board.lockstep import LockstepStream
from hal.serial_board.port import SerialPort
from tools.hil.port_target import PortTarget, StreamTarget
from tools.hil.target import Hand, Target

POWER_OFF_US = 1_000_000
OFF_S = 0.2


class EmulatedTarget(Target):
    """The emulated board itself: what the kit must find nothing wrong with."""

    hands: frozenset[Hand] = frozenset(Hand) - {Hand.LINE}
    real_time = False

    def __init__(self, profile: Profile) -> None:
        self.world = World(seed=1)
        setup = PlantSetup(fill_pl=40 * 10**9)
        self.board: Board = EmulatedBoard(self.world, profile, setup)
        self.emulated: EmulatedBoard = self.board
        self._begin()

    def _begin(self) -> None:
        self.emulated.power_on()

    def now_us(self) -> int:
        return self.world.now_us

    def attach(self) -> None:
        self.emulated.reset(ResetCause.COMMANDED)

    def hang(self, for_us: int) -> None:
        self.world.run_until(self.world.now_us + for_us)

    def truth_strokes(self) -> int | None:
        return self.emulated.motor.position() // STROKE

    def power_cycle(self) -> None:
        self.emulated.power_cut(POWER_OFF_US)
        self.world.run_until(self.world.now_us + POWER_OFF_US)

    def host_write(self, data: bytes) -> None:
        self.emulated.link.host_write(data)

    def host_read(self) -> bytes:
        return self.emulated.link.host_read()

    def near_field(self, present: bool) -> None:
        self.emulated.link.near_field = present

    def magnet(self, present: bool) -> None:
        if present:
            self.emulated.faults.inject("magnet_field", {})
        else:
            self.emulated.faults.clear("magnet_field")

    def drain(self, percent: int) -> None:
        self.emulated.faults.inject("battery.drain", {"percent": percent})

    def fill(self, volume_nl: int) -> None:
        self.emulated.plant.refill(volume_nl * 1000, ())

    def heard(self) -> TonePattern | None:
        return self.emulated.sounder.active


class LineTarget(EmulatedTarget):
    """The emulated board at the end of a line in memory."""

    hands: frozenset[Hand] = frozenset(Hand)

    def _begin(self) -> None:
        self.line = BoardLine(self.world)
        self.agent = BoardAgent(self.world, self.emulated, self.line)
        self.emulated.power_on()
        self._session = 0
        self.board = self.serial = SerialBoard(self.line)

    def attach(self) -> None:
        self._session += 1
        self.serial.attach(self._session)

    def attach_guarded(self, hour: int, day: int) -> Board:
        board = SerialBoard(self.line, guard=(hour, day))
        self._session += 1
        board.attach(self._session)
        return board

    def power_cycle(self) -> None:
        super().power_cycle()
        self.attach()


class LockstepTarget(StreamTarget):
    """A board in another process, whose time is granted from here."""

    real_time = False

    def __init__(self, port: str, bench: str) -> None:
        self._opened = SerialPort(port)
        super().__init__(LockstepStream(self._opened), bench=bench)

    def close(self) -> None:
        self._opened.close()


class ProcessTarget(PortTarget):
    """A board that `itpump board` plays, beside the kit."""

    def __init__(self, board: Process) -> None:
        super().__init__(board.ready["port"], bench=board.ready["bench"])
        self._pid = board.process.pid

    def starved_us(self) -> int:
        return starved_us(self._pid)


class MicroPythonTarget(PortTarget):
    """The MicroPython agent on PTYs: its process is its power, its rotor a file."""

    def __init__(self, agent: MicroPythonBoard) -> None:
        super().__init__(agent.port, telemetry=agent.radio)
        self._agent = agent
        self.hands |= {Hand.POWER}

    def truth_strokes(self) -> int | None:
        return self._agent.strokes

    def starved_us(self) -> int:
        return 0 if self._agent.pid is None else starved_us(self._agent.pid)

    def power_cycle(self) -> None:
        self._agent.power_off()
        time.sleep(OFF_S)
        self._agent.power_on()
        self.attach()


def starved_us(pid: int) -> int:
    """Return how long a process could have run and did not; 0 where the system does not say."""
    try:
        _, starved_ns, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except OSError:
        return 0
    return int(starved_ns) // 1000
