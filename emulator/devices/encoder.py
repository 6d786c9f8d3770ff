"""The encoder: counts whole strokes of rotor movement, and guards a limit in hardware."""

from collections.abc import Callable

from emulator.devices.clock import Clock
from emulator.devices.motor import NEVER, STROKE, Motor
from emulator.devices.supply import MotorSupply
from hal.errors import HalUsageError
from hal.interfaces import Sample
from hal.interrupts import ENCODER_LIMIT


class Encoder:
    """`hal.Encoder`. Past the limit it cuts the supply itself, at that instant."""

    def __init__(
        self,
        motor: Motor,
        supply: MotorSupply,
        clock: Clock,
        raise_interrupt: Callable[[int], None],
    ) -> None:
        self._motor = motor
        self._supply = supply
        self._clock = clock
        self._raise = raise_interrupt
        self._zero = 0

    def moved(self) -> Sample:
        """Whole strokes moved since power-on."""
        return Sample(self._motor.position() // STROKE - self._zero, self._clock.now_us())

    def arm(self, limit: int) -> None:
        """Cut the supply and raise ENCODER_LIMIT once `moved` is greater than `limit`.

        A limit that is passed already acts at once. Raises HalUsageError for a limit below 0.
        """
        if limit < 0:
            raise HalUsageError(f"encoder limit {limit} is below 0")
        self._motor.watch_position((self._zero + limit + 1) * STROKE, self._passed)

    def disarm(self) -> None:
        """Guard nothing, as after every reset."""
        self._motor.watch_position(NEVER, self._passed)

    def power_on(self) -> None:
        """Count from 0 again: the counter has lost its power."""
        self._zero = self._motor.position() // STROKE

    def save(self) -> int:
        """Return the rotor stroke at which the count is 0."""
        return self._zero

    def restore(self, zero: int) -> None:
        """Count on from where `save` was."""
        self._zero = zero

    def _passed(self) -> None:
        self._supply.cut()
        self._raise(ENCODER_LIMIT)
