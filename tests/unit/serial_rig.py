"""A serial board attached to the agent of an emulated board, and the line between them.

A line is spoiled by a function from the bytes written to the bytes that arrive. `edited` makes one
of a function from frame to frame, for a line that lies.
"""

from collections.abc import Callable

from rig import PROFILE, setup

from emulator.board import EmulatedBoard
from emulator.board_agent import BoardAgent
from emulator.board_line import BoardLine
from emulator.devices.motor import STROKE
from emulator.devices.telemetry import Noise
from emulator.profile import Profile
from emulator.trace import Trace
from emulator.world import World
from hal.interrupts import MOTOR_DONE, NONE
from hal.serial_board import SerialBoard
from protocol.framing import Deframer, Frame, encode

SECOND_US = 1_000_000
INTERVAL_US = 100_000


class SerialRig:
    """`board` is what a controller sees, `emulated` the truth at the other end."""

    def __init__(
        self,
        seed: int = 1,
        attach: bool = True,
        guard: tuple[int, int] | None = None,
        profile: Profile = PROFILE,
    ) -> None:
        self.world = World(seed)
        self.world.trace = self.trace = Trace(keep_max=1000)
        self.emulated = EmulatedBoard(self.world, profile, setup())
        self.line = BoardLine(self.world)
        self.agent = BoardAgent(self.world, self.emulated, self.line)
        self.emulated.power_on()
        chance = self.world.stream("entropy of the host").getrandbits
        self.board = SerialBoard(
            self.line, entropy=lambda length: chance(8 * length).to_bytes(length), guard=guard
        )
        if attach:
            self.board.attach(1)

    @property
    def turned(self) -> int:
        """Strokes that the rotor has really made."""
        return self.emulated.motor.position() // STROKE

    @property
    def position(self) -> int:
        """Where the rotor really is, microstrokes."""
        return self.emulated.motor.position()

    def noise(self, ber_ppb: int) -> None:
        """Flip bits both ways."""
        ways = [
            Noise(self.world.stream(f"board_line.{way}"), ber_ppb).spoil for way in ("out", "in")
        ]
        self.line.spoil(*ways)

    def run(self, for_us: int) -> list[int]:
        """Let time pass; return each wake's interrupts."""
        end_us = self.board.clock.now_us() + for_us
        wakes = []
        while bits := self.board.wait_for_interrupt(end_us):
            wakes.append(bits)
        return wakes

    def wait(self, bit: int, within_us: int = 10 * SECOND_US) -> int:
        """Return when the interrupt came; fail if it did not."""
        end_us = self.board.clock.now_us() + within_us
        while (bits := self.board.wait_for_interrupt(end_us)) & bit == NONE:
            assert bits or self.board.clock.now_us() < end_us, f"no interrupt {bit}"
        return self.board.clock.now_us()

    def deliver(self, strokes: int) -> int:
        """Dispense a stroke every `INTERVAL_US`; return when it was done."""
        self.board.supply.enable()
        self.board.motor.dispense(strokes, INTERVAL_US)
        return self.wait(MOTOR_DONE)


def drop(count: int) -> Callable[[bytes], bytes]:
    """Lose the next `count` writes."""
    left = [count]

    def spoil(data: bytes) -> bytes:
        if data and left[0]:
            left[0] -= 1
            return b""
        return data

    return spoil


def lose(data: bytes) -> bytes:
    """Lose everything: a pulled cable."""
    return b""


def twice(data: bytes) -> bytes:
    """Repeat every write."""
    return data + data


def edited(change: Callable[[Frame], Frame | None]) -> Callable[[bytes], bytes]:
    """Put each frame through `change`; None loses it."""
    deframer = Deframer()

    def spoil(data: bytes) -> bytes:
        frames = map(change, deframer.feed(data, 0))
        return b"".join(encode(frame) for frame in frames if frame is not None)

    return spoil
