"""The real controller on an emulated board, at the other end of an in-memory line."""

from typing import Any

from emulator.devices.plant import PlantSetup
from emulator.profile import Profile
from protocol.messages import Drug
from tools.emulated import build_pump
from tools.scenario.transport import WorldTransport

START_WALL_S = 852_368_400
"""2027-01-04T09:00:00."""
FILL_PL = 40 * 10**9
DAY_US = 86_400_000_000


class EmulatedLine(WorldTransport):
    """A full pump, just powered on; time passes when a test says so."""

    def __init__(
        self,
        profile: str = "rotor-40",
        fill_pl: int = FILL_PL,
        seed: int = 1,
        start_wall_s: int = START_WALL_S,
    ) -> None:
        """The seed makes the serial number."""
        setup = PlantSetup(fill_pl=fill_pl, drugs=(Drug("baclofen", 2_000_000_000),))
        self._fill_pl = fill_pl
        self.pump = build_pump(Profile.load(profile), setup, seed, start_wall_s)
        self.pump.board.power_on()
        super().__init__(self.pump)
        self.pass_time(0)

    def pass_time(self, duration_us: int) -> None:
        world = self.pump.world
        world.run_until(world.now_us + duration_us)

    @property
    def delivered_ul(self) -> int:
        """What has physically left the reservoir."""
        return (self._fill_pl - self.pump.board.plant.reservoir_pl) // 10**6


class TornLine(EmulatedLine):
    """A pump whose link drops at one of the tool's frames."""

    def __init__(self, frames: int, heard: bool, *pump: Any, **more: Any) -> None:
        """`frames` pass; the next is lost, or `heard` by the pump and never answered."""
        super().__init__(*pump, **more)
        self._frames, self._heard = frames, heard

    def write(self, data: bytes) -> None:
        self._frames -= 1
        self.cut = self._frames < 0 and not self._heard
        super().write(data)
        self.cut = self._frames < 0

    def fall_silent_after(self, frames: int) -> None:
        """From here on that many frames pass."""
        self._frames = frames

    def plug_in(self) -> None:
        """The port is opened anew: what was said into the void is gone."""
        self._frames, self.cut = 1000, False
        self.read(1000)
