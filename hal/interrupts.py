"""Interrupt bits: all a board ever says of its own accord.

Plain integers, combined with `|`: they are tested on every wake, and an `IntFlag` costs ten times
as much there. A set bit means "since you last waited"; two events of one kind make one bit.
"""

from typing import Final

NONE: Final = 0
MOTOR_DONE: Final = 1 << 0
"""The batch last given to `Motor.dispense` has ended: all strokes driven, or stopped."""
ENCODER_LIMIT: Final = 1 << 1
"""Movement has passed the limit given to `Encoder.arm`."""
LOW_VOLTAGE: Final = 1 << 2
"""The loaded battery voltage has fallen below the comparator's threshold."""
FLASH_DONE: Final = 1 << 3
"""The flash operation under way ended well."""
FLASH_FAILED: Final = 1 << 4
"""The flash operation under way ended badly; what it touched is undefined."""
TELEMETRY_RX: Final = 1 << 5
"""Bytes have come in on the telemetry link."""
TELEMETRY_TX: Final = 1 << 6
"""The telemetry link has room again after a `write` that it took only in part."""

NAMES: Final = {
    MOTOR_DONE: "MOTOR_DONE",
    ENCODER_LIMIT: "ENCODER_LIMIT",
    LOW_VOLTAGE: "LOW_VOLTAGE",
    FLASH_DONE: "FLASH_DONE",
    FLASH_FAILED: "FLASH_FAILED",
    TELEMETRY_RX: "TELEMETRY_RX",
    TELEMETRY_TX: "TELEMETRY_TX",
}


def names(interrupts: int) -> list[str]:
    """Return the names of the set bits, lowest bit first."""
    return [name for bit, name in NAMES.items() if interrupts & bit]
