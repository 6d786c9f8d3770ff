"""What a contract suite needs of a board under test: the board, and hands on its outside.

A target says which suites it has and how late its interrupts may be. The suites see nothing else of
an implementation, so a new board is one more factory in `TARGETS`.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Final

from emulator.board import EmulatedBoard
from emulator.board_agent import BoardAgent
from emulator.board_line import DELAY_US, BoardLine
from emulator.devices.plant import PlantSetup
from emulator.profile import Profile
from emulator.world import World
from hal.board import Board
from hal.errors import HalLost
from hal.interfaces import ResetCause, TonePattern
from hal.interrupts import NONE
from hal.serial_board import SerialBoard
from protocol.board_messages import REPORT_INTERVAL_US

CORE: Final = frozenset({"motor", "encoder", "supply", "flash", "telemetry", "clock"})
REST: Final = frozenset({"battery", "magnet", "sounder", "watchdog", "entropy"})
SENSED: Final = frozenset({"reservoir_sensor"})
SUITES: Final = CORE | REST | SENSED


class Bench:
    """A board, freshly powered on, and the outside of it."""

    board: Board
    tolerance_us: int
    """How far from its instant anything timed may be seen."""
    early_us = 0
    """How far before its instant it may be seen: two clocks differ."""
    settle_us = 0
    """From a command, or a change outside, until what it led to can be read."""
    patience_us = 60_000_000
    """How long to look out for what must not happen."""

    def host_write(self, data: bytes) -> None:
        """Send bytes over the telemetry link."""
        raise NotImplementedError

    def host_read(self) -> bytes:
        """Take what the board has sent."""
        raise NotImplementedError

    def near_field(self, present: bool) -> None:
        """Bring a programmer's head near, or take it away."""
        raise NotImplementedError

    def magnet(self, present: bool) -> None:
        """Bring a field, or take it away."""
        raise NotImplementedError

    def drain(self, percent: int) -> None:
        """Take charge from the battery, percent of its capacity."""
        raise NotImplementedError

    def fill(self, volume_nl: int) -> None:
        """Take out what is in the reservoir, and put this in."""
        raise NotImplementedError

    def heard(self) -> TonePattern | None:
        """Say what the piezo sounds."""
        raise NotImplementedError

    def warm_reset(self) -> None:
        """Reset the controller's side."""
        raise NotImplementedError

    def power_cycle(self) -> None:
        """Take the power away for a second."""
        raise NotImplementedError

    def slept(self, for_us: int) -> bool:
        """Let the controller sleep; say whether it slept that long, and was not reset."""
        before_us = self.board.clock.now_us()
        self.board.wait_for_interrupt(before_us + for_us)
        return self.board.clock.now_us() >= before_us + for_us

    # The same for every board

    def settle(self) -> None:
        """Let what was done act, and be told."""
        self.collect(self.settle_us)

    def wait(self, bits: int, within_us: int = 5_000_000) -> int:
        """Return when, on the board's clock, one of `bits` was raised; fail if none was."""
        clock = self.board.clock
        deadline_us = clock.now_us() + within_us
        while not self.board.wait_for_interrupt(deadline_us) & bits:
            assert clock.now_us() < deadline_us, f"no interrupt {bits:#x} in {within_us} us"
        return clock.now_us()

    def collect(self, for_us: int) -> int:
        """Let time pass; return all bits that were raised."""
        deadline_us = self.board.clock.now_us() + for_us
        bits = NONE
        while raised := self.board.wait_for_interrupt(deadline_us):
            bits |= raised
        return bits

    def near(self, actual_us: int, expected_us: int) -> bool:
        """Say whether an instant is the expected one, within the tolerance."""
        self.measured.append((expected_us, actual_us))
        return expected_us - self.early_us <= actual_us <= expected_us + self.tolerance_us

    @cached_property
    def measured(self) -> list[tuple[int, int]]:
        """Every instant that was asked for: expected, actual."""
        return []

    def moved(self) -> int:
        """Strokes on the encoder, as last reported."""
        return self.board.encoder.moved().value


class EmulatedBench(Bench):
    """The emulated board, in this process."""

    tolerance_us = 0

    def __init__(self, profile: str = "rotor-40") -> None:
        self._world = World(seed=1)
        setup = PlantSetup(fill_pl=40 * 10**9)
        self.board = self._emulated = EmulatedBoard(self._world, Profile.load(profile), setup)
        self.board.power_on()

    def host_write(self, data: bytes) -> None:
        self._emulated.link.host_write(data)

    def host_read(self) -> bytes:
        return self._emulated.link.host_read()

    def near_field(self, present: bool) -> None:
        self._emulated.link.near_field = present

    def magnet(self, present: bool) -> None:
        if present:
            self._emulated.faults.inject("magnet_field", {})
        else:
            self._emulated.faults.clear("magnet_field")

    def drain(self, percent: int) -> None:
        self._emulated.faults.inject("battery.drain", {"percent": percent})

    def fill(self, volume_nl: int) -> None:
        self._emulated.plant.refill(volume_nl * 1000, ())

    def heard(self) -> TonePattern | None:
        return self._emulated.sounder.active

    def warm_reset(self) -> None:
        self._emulated.reset(ResetCause.COMMANDED)

    def power_cycle(self) -> None:
        self._emulated.power_cut(1_000_000)
        self._world.run_until(self._world.now_us + 1_000_000)


class SerialBench(EmulatedBench):
    """A serial board over an in-memory byte stream, to the agent of an emulated board.

    A command arrives one way of the line late, and what it led to is told one way later.
    """

    tolerance_us = 2 * DELAY_US
    settle_us = REPORT_INTERVAL_US + 2 * DELAY_US

    def __init__(self, profile: str = "rotor-40") -> None:
        self._world = World(seed=1)
        setup = PlantSetup(fill_pl=40 * 10**9)
        self._emulated = EmulatedBoard(self._world, Profile.load(profile), setup)
        line = BoardLine(self._world)
        BoardAgent(self._world, self._emulated, line)
        self._emulated.power_on()
        self._session = 0
        self.board = SerialBoard(line)
        self._attach()

    def warm_reset(self) -> None:
        self._attach()

    def power_cycle(self) -> None:
        super().power_cycle()
        self._attach()

    def slept(self, for_us: int) -> bool:
        """A board that ended the session falls silent: attach as a controller's main loop does."""
        try:
            return super().slept(for_us)
        except HalLost:
            self._attach()
            return False

    def _attach(self) -> None:
        self._session += 1
        self.board.attach(self._session)


TARGETS: Final[dict[str, tuple[Callable[[], Bench], frozenset[str]]]] = {
    "emulated": (EmulatedBench, CORE | REST),
    "serial": (SerialBench, CORE | REST),
    "sensed": (lambda: EmulatedBench("sensed-40"), SENSED),
    "serial sensed": (lambda: SerialBench("sensed-40"), SENSED),
}
"""Name of a target: how to make it, and the suites it takes part in."""
