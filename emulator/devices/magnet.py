"""A magnetic field: it holds the rotor while it is there, and sometimes for longer."""

from emulator.devices.clock import Clock
from emulator.devices.motor import Motor
from emulator.world import World
from hal.interfaces import Sample


class Magnet:
    """`hal.MagnetSensor`, and the field itself."""

    def __init__(self, world: World, clock: Clock, motor: Motor) -> None:
        self._world = world
        self._clock = clock
        self._motor = motor
        self._free_us = 0
        self._free = world.timer(self._release)
        self.present = False
        """True while the field is on."""

    def field_present(self) -> Sample:
        """1 while a field is sensed, else 0."""
        return Sample(int(self.present), self._clock.now_us())

    def field_on(self, recovery_us: int = 0) -> None:
        """Bring the field; the rotor stays held for `recovery_us` from now at least."""
        self.present = True
        self._free.cancel()
        self._free_us = max(self._free_us, self._world.now_us + recovery_us)
        self._motor.set_held(True)

    def field_off(self) -> None:
        """Take the field away; the rotor comes free now, or when its recovery is over."""
        self.present = False
        if self._motor.held:
            self._free.set(max(self._world.now_us, self._free_us))

    def save(self) -> dict[str, int]:
        """Return for how long the rotor is held yet, and whether the field is on."""
        left_us = max(0, self._free_us - self._world.now_us) if self._motor.held else 0
        return {"present": int(self.present), "held": int(self._motor.held), "left_us": left_us}

    def restore(self, state: dict[str, int]) -> None:
        """Hold the rotor as `save` found it."""
        self.present = bool(state["present"])
        self._free_us = self._world.now_us + state["left_us"]
        self._motor.set_held(bool(state["held"]))
        if state["held"] and not state["present"]:
            self._free.set(self._free_us)

    def _release(self) -> None:
        self._motor.set_held(False)
        self._world.record("magnet", "ROTOR_FREE")
