"""The hardware abstraction layer: what a pump board offers to the controller.

One small interface per peripheral, gathered by `Board`. Rules every implementation keeps:

- Nothing blocks but `Board.wait_for_interrupt`. A command is accepted now and its end is an
  interrupt; a sensor answers with its latest sample and the time it was taken. So a board at the
  far end of a serial line can implement every method without a round trip inside the call.
- Nothing calls back. A board reports through the bits of `hal.interrupts` only.
- Units are in the names. Integers only. Times are microseconds since power-on (`Clock`).
- Errors come back at once and are those of `hal.errors`; each method lists its own.

`tests/contract/` holds one suite per interface, run unchanged on every implementation.
"""

from hal.board import Board
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
    Sample,
    Sounder,
    TelemetryLink,
    TonePattern,
    Watchdog,
)

__all__ = [
    "Battery",
    "Board",
    "Clock",
    "Encoder",
    "Entropy",
    "FlashMemory",
    "MagnetSensor",
    "Motor",
    "MotorSupply",
    "Rtc",
    "Sample",
    "Sounder",
    "TelemetryLink",
    "TonePattern",
    "Watchdog",
]
