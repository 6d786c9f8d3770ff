"""A nurse beside a pump whose board is at the far end of a serial line, in virtual time.

The controller, its main loop and the line's two ends are the real ones; `line` can be spoiled.
"""

from nurse import START_WALL_S, Nurse
from rig import PROFILE, setup

from emulator.board import EmulatedBoard
from emulator.board_agent import BoardAgent
from emulator.board_line import BoardLine
from emulator.devices.motor import STROKE
from emulator.devices.telemetry import Noise
from emulator.profile import Profile
from emulator.world import World
from protocol.framing import Frame, FrameType
from protocol.link import Initiator
from tools.serial_pump import SerialPump

_STEP_US = 5_000
_ANSWER_US = 10_000_000


class _Port(BoardLine):
    """The line as a port that can be opened again."""

    def open(self) -> None:
        self.read(1 << 20)


class SerialNurse(Nurse):
    """`board` is the truth at the far end, `pump.board` what the controller sees."""

    def __init__(self, seed: int = 1, profile: Profile = PROFILE) -> None:
        self.world = World(seed)
        self.board = EmulatedBoard(self.world, profile, setup(start_wall_s=START_WALL_S))
        self.line = _Port(self.world)
        BoardAgent(self.world, self.board, self.line)
        self.link = Initiator()
        self.channel = 0
        self._txn = 0
        self._nonce = 0
        self.notes: list[str] = []
        """What the main loop said: the board was lost, the board is back."""
        self.board.power_on()
        chance = self.world.stream("host").getrandbits
        self.pump = SerialPump(  # type: ignore[assignment]
            self.line,
            profile.device,
            random_bits=chance,
            sleep=lambda pause_s: self.freeze(int(pause_s * 1e6)),
            entropy=lambda length: chance(8 * length).to_bytes(length),
        )
        self.pump.attach()

    @property
    def turned(self) -> int:
        """Strokes that the rotor has really made."""
        return self.board.motor.position() // STROKE

    def noise(self, ber_ppb: int) -> None:
        """Flip bits on the board's line, both ways."""
        ways = [Noise(self.world.stream(f"line.{way}"), ber_ppb).spoil for way in ("out", "in")]
        self.line.spoil(*ways)

    def run(self, duration_us: int) -> None:
        until_us = self.world.now_us + duration_us
        self.pump.run(until_us, 1 << 40, lambda: None, self.notes.append)

    def freeze(self, duration_us: int) -> None:
        """Let time pass for all but the controller: it hangs."""
        self.world.run_until(self.world.now_us + duration_us)

    def exchange(self, kind: FrameType, channel: int, payload: bytes) -> Frame:
        until_us = self.world.now_us + _ANSWER_US
        self.link.request(kind, channel, payload, self.world.now_us)
        while self.world.now_us < until_us:
            self.link.service(self.world.now_us)
            self.board.link.host_write(self.link.outgoing())
            self.run(_STEP_US)
            frame = self.link.receive(self.board.link.host_read(), self.world.now_us)
            if frame is not None:
                return frame
        raise AssertionError("the pump did not answer")
