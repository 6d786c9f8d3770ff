"""A magnetic field and its sensor; what it does to the pump is the mechanism's.

Theory of operation. The same field does opposite things to different models, so a field knows only
the `Mechanism` of the pump it meets: a rotor is held, valves are forced open (`valves.py`), a
mechanism without moving magnets goes on.
"""

from typing import Any, NamedTuple, Protocol

from emulator.devices.clock import Clock
from emulator.devices.motor import Motor
from emulator.world import World
from hal.interfaces import Sample


class Field(NamedTuple):
    """How a field meets a pump; each model has a use for some of it."""

    recovery_us: int = 0
    """From field on until a rotor is free, if that is later than field off."""
    fav: bool = False
    """A flow-activated valve shuts what the field has opened."""


PLAIN = Field()


class Mechanism(Protocol):
    """What a field does to one model."""

    def field_on(self, field: Field) -> None:
        """A field comes, or another one in its place."""

    def field_off(self) -> None:
        """The field has gone."""

    def save(self) -> dict[str, Any]:
        """Return what outlives the process, fit for JSON."""

    def restore(self, state: dict[str, Any]) -> None:
        """Be as `save` found it; world time must have been restored before."""


class Magnet:
    """`hal.MagnetSensor`, and the field itself."""

    def __init__(self, clock: Clock, mechanism: Mechanism) -> None:
        self._clock = clock
        self._mechanism = mechanism
        self.present = False
        """True while the field is on."""

    def field_present(self) -> Sample:
        """1 while a field is sensed, else 0."""
        return Sample(int(self.present), self._clock.now_us())

    def field_on(self, field: Field = PLAIN) -> None:
        """Bring a field, in place of one that is there."""
        self.present = True
        self._mechanism.field_on(field)

    def field_off(self) -> None:
        """Take the field away."""
        self.present = False
        self._mechanism.field_off()

    def save(self) -> dict[str, Any]:
        """Return whether the field is on, and what it has done."""
        return {"present": self.present, "mechanism": self._mechanism.save()}

    def restore(self, state: dict[str, Any]) -> None:
        """Be as `save` found it."""
        self.present = state["present"]
        self._mechanism.restore(state["mechanism"])


class Rotor:
    """A field holds it, and it may come free later than the field goes."""

    def __init__(self, world: World, motor: Motor) -> None:
        self._world = world
        self._motor = motor
        self._free_us = 0
        self._free = world.timer(self._release)

    def field_on(self, field: Field) -> None:
        """Hold the rotor, for its recovery from now on at least."""
        self._free.cancel()
        self._free_us = max(self._free_us, self._world.now_us + field.recovery_us)
        self._motor.set_held(True)

    def field_off(self) -> None:
        """Let the rotor go now, or when its recovery is over."""
        if self._motor.held:
            self._free.set(max(self._world.now_us, self._free_us))

    def save(self) -> dict[str, Any]:
        """Return whether the rotor is held, and until when."""
        return {
            "held": self._motor.held,
            "free_us": self._free_us,
            "timer_us": self._free.at_us,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Hold the rotor as `save` found it."""
        self._free.cancel()
        self._free_us = state["free_us"]
        self._motor.set_held(state["held"])
        if state["timer_us"] is not None:
            self._free.set(state["timer_us"])

    def _release(self) -> None:
        self._motor.set_held(False)
        self._world.record("magnet", "ROTOR_FREE")


class Unmoved:
    """A mechanism that a field does nothing to."""

    def field_on(self, field: Field) -> None:
        """Go on."""

    def field_off(self) -> None:
        """Go on."""

    def save(self) -> dict[str, Any]:
        """There is nothing to save."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """There is nothing to restore."""
