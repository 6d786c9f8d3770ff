"""A board on a bench for unit tests: what is needed to poke it, and nothing of the controller."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

from emulator.board import EmulatedBoard
from emulator.devices.fluid import Drug
from emulator.devices.motor import Motor
from emulator.devices.plant import PlantSetup
from emulator.profile import Profile
from emulator.world import World
from hal.interrupts import NONE

SECOND_US: Final = 1_000_000
HOUR_US: Final = 3_600 * SECOND_US
DAY_US: Final = 24 * HOUR_US
ML_PL: Final = 10**9
STROKE_PL: Final = 250_000
BACLOFEN: Final = Drug("baclofen", 2_000_000_000)  # 2000 ug/mL
PROFILE: Final = Profile.load("rotor-40")


def setup(**changes: object) -> PlantSetup:
    """Return a full reservoir of baclofen with the worked cases' catheter, 0.1793 mL."""
    values: dict[str, object] = {
        "fill_pl": 40 * ML_PL,
        "drugs": (BACLOFEN,),
        "catheter_pl": 179_300_000,
    }
    return PlantSetup(**(values | changes))  # type: ignore[arg-type]


class Rig:
    """A world, a powered board without controller, and the interrupts it raised."""

    def __init__(
        self, plant: PlantSetup | None = None, seed: int = 1, profile: Profile = PROFILE
    ) -> None:
        self.world = World(seed)
        self.board = EmulatedBoard(self.world, profile, plant or setup())
        self.board.power_on()
        self.plant = self.board.plant

    def run(self, for_us: int) -> int:
        """Let time pass; return the interrupts of it."""
        end_us = self.board.clock.now_us() + for_us
        bits = NONE
        while raised := self.board.wait_for_interrupt(end_us):
            bits |= raised
        return bits

    def pump(self, strokes: int, interval_us: int = SECOND_US) -> None:
        """Drive this many strokes with the supply on, in as many batches as it takes."""
        self.board.supply.enable()
        batch_max = self.board.motor.lookahead_us // interval_us
        while strokes:
            batch = min(strokes, max(1, batch_max))
            self.board.motor.dispense(batch, interval_us)
            self.run(batch * interval_us)
            strokes -= batch


def bare_motor() -> tuple[World, Motor, list[tuple[int, int]]]:
    """Return a motor alone, and the list that gets (time, interrupt)."""
    world = World(1)
    raised: list[tuple[int, int]] = []
    motor = Motor(world, lambda bit: raised.append((world.now_us, bit)), 800_000)
    return world, motor, raised


def exact_strokes(
    strokes: int, interval_us: int, drive_us: int, moving: Sequence[tuple[int, int]]
) -> Fraction:
    """Return what a batch begun at 0 moves while `moving` spans hold: the definition, summed."""
    total = Fraction(0)
    for stroke in range(1, strokes + 1):
        end_us = stroke * interval_us
        for from_us, to_us in moving:
            overlap = min(end_us, to_us) - max(end_us - drive_us, from_us)
            total += Fraction(max(0, overlap), drive_us)
    return total


def at(world: World, t_us: int, action: Callable[[], object]) -> None:
    """Run the world to an instant, then act."""
    world.run_until(t_us)
    action()
