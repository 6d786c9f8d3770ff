"""Composition root: an emulated board and the controller that runs on it.

The only place where both sides meet. The controller is the one a real board gets, and is handed
the `[device]` half of the profile only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from emulator.board import EmulatedBoard
from emulator.devices.plant import PlantSetup
from emulator.ledger import Books
from emulator.profile import Profile
from emulator.trace import Trace
from emulator.world import World
from firmware.controller import Firmware
from firmware.device import DeviceConfig, Identity
from protocol.messages import LogRecord

SERIAL_DIGITS: Final = 8


@dataclass(slots=True)
class EmulatedPump:
    """One pump: the world it is in, its board, and the controller's present life."""

    world: World
    board: EmulatedBoard
    config: DeviceConfig
    firmware: Firmware
    """The controller since the last boot; another object after each reset."""
    books: Books
    """Its ledgers; `books.watch()` checks the fluid after every event."""
    taps: list[Callable[[LogRecord], None]] = field(default_factory=list)
    """Called with every record that the controller writes, changing nothing in the pump."""


def build_pump(
    profile: Profile,
    plant: PlantSetup,
    seed: int,
    start_wall_s: int,
    trace: Trace | None = None,
    implanted_wall_s: int | None = None,
) -> EmulatedPump:
    """Return a pump that is assembled but not powered: `pump.board.power_on()` boots it.

    Args:
        profile: which pump it is.
        plant: what is physically true at the beginning.
        seed: of every random stream in this world.
        start_wall_s: pump wall clock at time 0, seconds since 2000-01-01.
        trace: takes every event; None is faster.
        implanted_wall_s: when the service life began; default `start_wall_s`.
    """
    world = World(seed)
    world.trace = trace
    board = EmulatedBoard(world, profile, replace(plant, start_wall_s=start_wall_s))
    implanted = start_wall_s if implanted_wall_s is None else implanted_wall_s
    who = Identity(f"E{seed:0{SERIAL_DIGITS}d}", implanted)

    def on_record(record: LogRecord) -> None:
        world.record("pump", record.code.name, a=record.a, b=record.b)
        for tap in pump.taps:
            tap(record)

    def boot() -> Firmware:
        pump.firmware = Firmware(board, profile.device, who, on_record)
        return pump.firmware

    firmware = Firmware(board, profile.device, who)
    pump = EmulatedPump(world, board, profile.device, firmware, Books(world, board.plant))
    pump.taps.append(pump.books.take)
    board.install(boot)
    return pump
