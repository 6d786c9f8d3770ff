"""A pump board: one of each peripheral, and the single place that waits."""

from typing import Protocol

from hal.interfaces import (
    Battery,
    Clock,
    Encoder,
    Entropy,
    FlashMemory,
    MagnetSensor,
    Motor,
    MotorSupply,
    ReservoirSensor,
    Rtc,
    Sounder,
    TelemetryLink,
    Watchdog,
)


class Board(Protocol):
    """What the controller runs on.

    The main loop of a board is three lines around the controller:

        deadline_us = firmware.start()
        while True:
            deadline_us = firmware.service(board.wait_for_interrupt(deadline_us))

    The peripherals stay the same objects for the life of the board. Whether there is a level
    sensor is settled when a controller boots: a board at the end of a line says it at attach.
    """

    @property
    def clock(self) -> Clock:
        """Free-running timer."""
        ...

    @property
    def rtc(self) -> Rtc:
        """Wall clock."""
        ...

    @property
    def motor(self) -> Motor:
        """Metering motor."""
        ...

    @property
    def encoder(self) -> Encoder:
        """Rotor encoder."""
        ...

    @property
    def supply(self) -> MotorSupply:
        """The motor's power gate."""
        ...

    @property
    def battery(self) -> Battery:
        """Battery and comparator."""
        ...

    @property
    def magnet(self) -> MagnetSensor:
        """Field sensor."""
        ...

    @property
    def reservoir_sensor(self) -> ReservoirSensor | None:
        """Level sensor; None where the pump has none."""
        ...

    @property
    def sounder(self) -> Sounder:
        """Piezo."""
        ...

    @property
    def flash(self) -> FlashMemory:
        """Non-volatile memory."""
        ...

    @property
    def entropy(self) -> Entropy:
        """Hardware random numbers."""
        ...

    @property
    def watchdog(self) -> Watchdog:
        """Watchdog."""
        ...

    @property
    def telemetry(self) -> TelemetryLink:
        """Telemetry radio."""
        ...

    def wait_for_interrupt(self, deadline_us: int) -> int:
        """Sleep until an interrupt or the deadline; return and clear the pending bits.

        Returns `hal.interrupts.NONE` when only the deadline came. Raises HalLost.
        """
        ...
