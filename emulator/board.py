"""The emulated pump board: the HAL on top, the physics below, and the core that sleeps between.

Theory of operation. The controller is called only when something is due. An interrupt sets a
pending bit and a wake at the same instant; the wake hands the controller all pending bits and goes
to sleep until the deadline it returns. Nothing else runs between two wakes.

What survives what:

| lost by | a reset | a power cut |
|---|---|---|
| controller, motor batch, supply gate, comparator, encoder limit, telemetry queues | yes | yes |
| encoder count | no | yes |
| flash, wall clock, rotor, fluid, charge | no | no |

A power cut is one of the controller's side: the battery goes on giving its rest current.

Without an installed controller the board is driven by `wait_for_interrupt`, as on a bench.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from emulator.devices.battery import Battery
from emulator.devices.clock import Clock, Rtc
from emulator.devices.encoder import Encoder
from emulator.devices.entropy import Entropy
from emulator.devices.flash import FlashMemory
from emulator.devices.level import LevelSensor
from emulator.devices.magnet import Magnet, Mechanism, Rotor, Unmoved
from emulator.devices.motor import Motor
from emulator.devices.plant import Plant, PlantSetup
from emulator.devices.sounder import Sounder
from emulator.devices.supply import MotorSupply
from emulator.devices.telemetry import Telemetry
from emulator.devices.valves import Valves
from emulator.devices.watchdog import Watchdog
from emulator.faults import FaultBoard, Hardware
from emulator.profile import MagnetEffect, PlantModel, Profile
from emulator.world import World
from hal.errors import HalUsageError
from hal.interfaces import ResetCause
from hal.interrupts import NONE

_SPINS_MAX: Final = 10_000
"""Wakes in a row at one instant that the controller may ask for itself; more is a livelock."""
STATE_VERSION: Final = 2


class Controller(Protocol):
    """What runs on the board. Deadlines are microseconds of the board's clock."""

    def start(self) -> int:
        """Boot; return the first deadline."""
        ...

    def service(self, interrupts: int) -> int:
        """Do all that is due now; return the next deadline."""
        ...


class EmulatedBoard:
    """`hal.Board` in software, and the outside of it for benches.

    `plant` is the physical truth, `link` the host's end of telemetry, `faults` what can be broken.
    """

    def __init__(self, world: World, profile: Profile, setup: PlantSetup) -> None:
        self._world = world
        self._boot: Callable[[], Controller] | None = None
        self._service: Callable[[int], int] | None = None
        self._pending = NONE
        self._wake = world.timer(self._run)
        self._deadline = world.timer(self._reached)
        self._power = world.timer(self._power_back)
        self._life = 0
        self._spins = 0
        self._next_cause = ResetCause.POWER_ON
        self.powered = False
        """True between `power_on` and `power_cut`."""
        device, physics = profile.device, profile.plant
        interrupt = self._interrupt
        self.clock = Clock(world)
        self.rtc = Rtc(world, setup.start_wall_s)
        self.motor = Motor(world, interrupt, physics.stroke_us)
        self.supply = MotorSupply(world, self.motor)
        self.encoder = Encoder(self.motor, self.supply, self.clock, interrupt)
        self.battery = Battery(
            world, self.clock, self.motor, interrupt, physics.battery, setup.battery_percent
        )
        self.sounder = Sounder(world)
        self.flash = FlashMemory(world, interrupt)
        self.entropy = Entropy(world.stream("entropy"))
        self.watchdog = Watchdog(world, self.clock, self._bitten)
        self.telemetry = self.link = Telemetry(world, interrupt)
        self.plant = Plant(
            world,
            self.motor,
            setup,
            capacity_pl=device.capacity_nl * 1000,
            stroke_pl=device.stroke_pl,
            rotor_deg=physics.rotor_deg,
        )
        step_nl = physics.level_step_nl
        self.reservoir_sensor = (
            None if step_nl is None else LevelSensor(self.clock, self.plant, step_nl)
        )
        mechanism = _mechanism(world, self.motor, self.plant, physics)
        self.magnet = Magnet(self.clock, mechanism)
        hardware = Hardware(
            physics.parts,
            self.magnet,
            self.battery,
            self.link,
            self.plant,
            mechanism if isinstance(mechanism, Valves) else None,
            self.reservoir_sensor,
        )
        self.faults = FaultBoard(world, hardware)

    # The controller

    def install(self, boot: Callable[[], Controller]) -> None:
        """Give the board a controller: `boot` makes a new one at every boot."""
        self._boot = boot

    def power_on(self) -> None:
        """Boot now: POWER_ON, or COMMANDED for a board restored from a saved state."""
        if not self.powered:
            self.powered = self.link.powered = True
            self._start(self._next_cause)

    def reset(self, cause: ResetCause) -> None:
        """The controller dies where it stands, and a new one boots at once."""
        if self.powered:
            self.flash.reset()
            self._lose_volatile()
            self._start(cause)

    def power_cut(self, duration_us: int) -> None:
        """All power is gone for `duration_us`; then the board boots. Another cut replaces it."""
        self._world.record("board", "POWER_CUT", for_us=duration_us)
        self.powered = self.link.powered = False
        self.flash.power_cut()
        self._lose_volatile()
        self._service = None
        self._power.set(self._world.now_us + duration_us)

    def wait_for_interrupt(self, deadline_us: int) -> int:
        """Let the world run until an interrupt or the deadline; see `hal.Board`.

        Returns also after a reset, whose deadline nobody knows any more. Raises HalUsageError when
        a controller is installed: then the world calls it.
        """
        if self._service is not None:
            raise HalUsageError("the installed controller is the one that waits")
        until_us = self.clock.boot_us + deadline_us
        life = self._life
        self.watchdog.guard(deadline_us)
        while not self._pending and self._life == life:
            if self._world.run_some(max(until_us, self._world.now_us), 1):
                break
        pending, self._pending = self._pending, NONE
        return pending

    # State that outlives the process

    def save(self) -> dict[str, Any]:
        """Return all that outlives a reset, fit for JSON. A batch under way is not saved.

        Raises HalBusy while a flash operation is under way; its end is at the same instant.
        """
        return {
            "version": STATE_VERSION,
            "now_us": self._world.now_us,
            "rtc": self.rtc.save(),
            "motor": self.motor.save(),
            "encoder": self.encoder.save(),
            "plant": self.plant.save(),
            "battery": self.battery.save(),
            "flash": self.flash.save(),
            "entropy": self.entropy.stream.position_bits,
            "sounder": {pattern.name: count for pattern, count in self.sounder.starts.items()},
            "magnet": self.magnet.save(),
            "level": self.reservoir_sensor and self.reservoir_sensor.save(),
            "faults": self.faults.save(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be as `save` found it, before the first `power_on`, in a world that has not begun.

        The boot that follows is a COMMANDED reset: the encoder's count is still there. Raises
        ValueError for a state of another version.
        """
        if state.get("version") != STATE_VERSION:
            raise ValueError(f"saved state has version {state.get('version')}, not {STATE_VERSION}")
        self._world.resume_at(state["now_us"])
        self.clock.boot()
        self.rtc.restore(state["rtc"])
        self.motor.restore(state["motor"])
        self.encoder.restore(state["encoder"])
        self.plant.restore(state["plant"])
        self.battery.restore(state["battery"])
        self.flash.restore(state["flash"])
        self.entropy.stream.position_bits = state["entropy"]
        for pattern in self.sounder.starts:
            self.sounder.starts[pattern] = state["sounder"][pattern.name]
        self.faults.restore(state["faults"])
        self.magnet.restore(state["magnet"])
        if self.reservoir_sensor is not None:
            self.reservoir_sensor.restore(state["level"])
        self._next_cause = ResetCause.COMMANDED

    # Inside

    def _interrupt(self, bit: int) -> None:
        self._pending |= bit
        if self._service is not None and self._wake.at_us is None:
            self._wake.set(self._world.now_us)

    def _reached(self) -> None:
        """The deadline: wake, and with whatever else comes at this instant."""
        if self._wake.at_us is None:
            self._wake.set(self._world.now_us)

    def _run(self) -> None:
        """Wake the controller with all that is pending, then sleep."""
        assert self._service is not None
        pending, self._pending = self._pending, NONE
        life = self._life
        deadline_us = self._service(pending)
        if self._life == life:
            self._sleep(deadline_us)

    def _sleep(self, deadline_us: int) -> None:
        now_us = self._world.now_us
        due_us = self.clock.boot_us + deadline_us
        if self._pending or due_us <= now_us:
            self._spins += 1
            if self._spins > _SPINS_MAX:
                raise RuntimeError(f"the controller never sleeps: {self._spins} wakes at {now_us}")
            self._wake.set(now_us)
        else:
            self._spins = 0
            self.watchdog.guard(deadline_us)
            if self._deadline.at_us != due_us:
                self._deadline.set(due_us)

    def _start(self, cause: ResetCause) -> None:
        self._world.record("board", "BOOT", cause=cause.name)
        self._spins = 0
        self.clock.boot()
        self.watchdog.cause = cause
        if self._boot is not None:
            controller = self._boot()
            self._service = controller.service
            self._sleep(controller.start())

    def _lose_volatile(self) -> None:
        """Forget what no reset leaves standing; the controller's life ends."""
        self._life += 1
        self.motor.halt()
        self.encoder.disarm()
        self.battery.disarm()
        self.sounder.silence()
        self.watchdog.reset()
        self.telemetry.reset()
        self._pending = NONE
        self._wake.cancel()
        self._deadline.cancel()

    def _power_back(self) -> None:
        self.powered = self.link.powered = True
        self.encoder.power_on()
        self._start(ResetCause.POWER_ON)

    def _bitten(self) -> None:
        self.reset(ResetCause.WATCHDOG)


def _mechanism(world: World, motor: Motor, plant: Plant, model: PlantModel) -> Mechanism:
    """Return what a magnetic field meets in this model."""
    if model.magnet is MagnetEffect.STALL:
        return Rotor(world, motor)
    if model.magnet is MagnetEffect.DUMP:
        return Valves(world, motor, plant.leak, model.dump_pl_h, model.fav_leak_pl)
    return Unmoved()
