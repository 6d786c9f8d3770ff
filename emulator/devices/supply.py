"""The motor's power gate."""

from emulator.devices.motor import Motor
from emulator.world import World


class MotorSupply:
    """`hal.MotorSupply`: open after every reset."""

    def __init__(self, world: World, motor: Motor) -> None:
        self._world = world
        self._motor = motor

    @property
    def enabled(self) -> bool:
        """True when the motor has power."""
        return self._motor.powered

    def enable(self) -> None:
        """Give the motor power. Idempotent."""
        self._switch(True)

    def cut(self) -> None:
        """Take the motor's power away at once. Idempotent."""
        self._switch(False)

    def _switch(self, on: bool) -> None:
        if self._motor.powered != on:
            self._motor.set_power(on)
            self._world.record("supply", "SUPPLY_ON" if on else "SUPPLY_CUT")
