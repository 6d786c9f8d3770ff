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

    The attributes stay the same objects for the life of the board.
    """

    clock: Clock
    rtc: Rtc
    motor: Motor
    encoder: Encoder
    supply: MotorSupply
    battery: Battery
    magnet: MagnetSensor
    sounder: Sounder
    flash: FlashMemory
    entropy: Entropy
    watchdog: Watchdog
    telemetry: TelemetryLink

    def wait_for_interrupt(self, deadline_us: int) -> int:
        """Sleep until an interrupt or the deadline; return and clear the pending bits.

        Returns `hal.interrupts.NONE` when only the deadline came. Raises HalLost.
        """
        ...
