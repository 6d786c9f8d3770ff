"""One interface per peripheral of a pump board."""

import enum
from typing import NamedTuple, Protocol


class Sample(NamedTuple):
    """A sensor's latest value and when it was taken (`Clock` microseconds)."""

    value: int
    taken_us: int


class ResetCause(enum.IntEnum):
    """Why the controller is booting."""

    POWER_ON = 0
    """Power came (back): first start, battery replaced, power cut."""
    WATCHDOG = 1
    """The controller missed its watchdog deadline."""
    LOW_VOLTAGE = 2
    """The supply fell below what the controller needs."""
    COMMANDED = 3
    """A bench or the controller asked for it."""
    LINK_LOST = 4
    """A board at the end of a line did not hear its controller, and stopped by itself."""
    RATE_GUARD = 5
    """A board's own guard refused a batch: more strokes than it allows in an hour or a day."""


class TonePattern(enum.IntEnum):
    """What the piezo can play. Lengths: TGA/Medtronic advisories, see docs/alarms.md."""

    CRITICAL = 1
    """3 s two-tone."""
    NON_CRITICAL = 2
    """1 s single tone."""


class Clock(Protocol):
    """A free-running timer. Intervals, lockouts and pacing use it and nothing else.

    It starts at 0 at every boot.
    """

    def now_us(self) -> int:
        """Microseconds since boot; never goes back."""
        ...


class Rtc(Protocol):
    """The wall clock. Only for time-of-day schedules and stamps, never for an interval."""

    def now_s(self) -> int:
        """Seconds of the pump's local wall clock since 2000-01-01T00:00:00."""
        ...

    def set_s(self, wall_s: int) -> None:
        """Set the wall clock. Raises HalUsageError outside 0..2**32-1."""
        ...


class Motor(Protocol):
    """The metering motor: whole strokes, paced by a hardware timer while the core sleeps."""

    @property
    def lookahead_us(self) -> int:
        """Longest batch (`strokes * interval_us`) this board accepts, >= 1 s.

        What a board that loses its controller could still deliver is bounded by it. A single
        stroke may take longer than this.
        """
        ...

    @property
    def running(self) -> bool:
        """True from `dispense` until MOTOR_DONE."""
        ...

    def dispense(self, strokes: int, interval_us: int) -> None:
        """Begin a batch now: stroke k of 1..strokes ends at now + k * interval_us.

        A stroke is driven in the last part of its interval, at most the second half: before that
        it is not under way, and `stop` can still leave it out.

        The batch ends with MOTOR_DONE at the end of its last stroke. With the supply cut the
        batch runs and nothing moves.

        Raises HalBusy while a batch runs; HalUsageError unless strokes >= 1, interval_us >= 1000
        and the batch is one stroke or fits `lookahead_us`; HalLost.
        """
        ...

    def stop(self) -> None:
        """Begin no further stroke. A stroke under way is finished, then comes MOTOR_DONE.

        Idempotent; without a batch it does nothing. Raises HalLost.
        """
        ...

    def strokes_commanded(self) -> int:
        """Strokes driven to their end since boot, moved or not."""
        ...


class Encoder(Protocol):
    """Sees the rotor move. The only thing the controller knows about delivery."""

    def moved(self) -> Sample:
        """Whole strokes the rotor has moved since power-on; the count survives a warm reset."""
        ...

    def arm(self, limit: int) -> None:
        """Raise ENCODER_LIMIT once when `moved` becomes greater than `limit`.

        A board that can also cuts the motor's supply at that instant. A new call replaces the
        limit. Raises HalUsageError for a limit below 0.
        """
        ...


class MotorSupply(Protocol):
    """The motor's power gate, independent of the motor driver."""

    @property
    def enabled(self) -> bool:
        """True when the motor has power. False after power-on."""
        ...

    def enable(self) -> None:
        """Give the motor power. Raises HalLost."""
        ...

    def cut(self) -> None:
        """Take the motor's power away at once, in the middle of a stroke if need be."""
        ...


class Battery(Protocol):
    """Battery and its low-voltage comparator."""

    def rest_mv(self) -> Sample:
        """Voltage with the motor idle, mV."""
        ...

    def loaded_mv(self) -> Sample:
        """Voltage while the motor is driven, mV; the comparator watches this one."""
        ...

    def present(self) -> bool:
        """False when the battery has been taken out (trial pumps)."""
        ...

    def arm_low_voltage(self, threshold_mv: int) -> None:
        """Raise LOW_VOLTAGE once when the loaded voltage is or falls below the threshold.

        Raises HalUsageError for a threshold outside 0..65535.
        """
        ...


class MagnetSensor(Protocol):
    """A field strong enough to matter (MRI)."""

    def field_present(self) -> Sample:
        """1 when a field is sensed, else 0."""
        ...


class ReservoirSensor(Protocol):
    """A level sensor in the reservoir; not every pump has one."""

    def level_nl(self) -> Sample:
        """Volume above the unextractable residual, nL, 0..2**32-2, as the sensor shows it."""
        ...


class Sounder(Protocol):
    """The piezo. It plays a pattern once; the cadence is the controller's."""

    def play(self, pattern: TonePattern) -> None:
        """Start the pattern, in place of one that is playing."""
        ...

    def silence(self) -> None:
        """Stop at once. Idempotent."""
        ...


class FlashMemory(Protocol):
    """NOR-like non-volatile memory. Erased bytes read 0xFF; programming only clears bits."""

    @property
    def size_bytes(self) -> int:
        """Whole size, a multiple of `sector_bytes`."""
        ...

    @property
    def sector_bytes(self) -> int:
        """Smallest part that can be erased."""
        ...

    @property
    def page_bytes(self) -> int:
        """A `program` stays inside one page of this size."""
        ...

    @property
    def busy(self) -> bool:
        """True from `program` or `erase` until FLASH_DONE or FLASH_FAILED."""
        ...

    def read(self, address: int, length: int) -> bytes:
        """Return `length` bytes at once. Raises HalUsageError outside the memory."""
        ...

    def program(self, address: int, data: bytes) -> None:
        """Program 1..page_bytes bytes inside one page; ends with FLASH_DONE or FLASH_FAILED.

        Each bit ends as old AND new: to set a bit again its sector must be erased. Raises HalBusy;
        HalUsageError for empty data, a page crossed or outside the memory; HalLost.
        """
        ...

    def erase(self, address: int) -> None:
        """Erase the sector that starts at `address`; ends with FLASH_DONE or FLASH_FAILED.

        Raises HalBusy; HalUsageError for an address that starts no sector; HalLost.
        """
        ...


class Entropy(Protocol):
    """Hardware random numbers."""

    def read(self, length: int) -> bytes:
        """Return 1..64 random bytes. Raises HalUsageError outside that."""
        ...


class Watchdog(Protocol):
    """Resets the controller when it stops answering."""

    def arm(self, deadline_us: int) -> None:
        """Bite 1 s after `deadline_us` unless armed again before. Replaces the last deadline."""
        ...

    def reset_cause(self) -> ResetCause:
        """Why this boot happened."""
        ...


class TelemetryLink(Protocol):
    """Bytes to and from the outside, through the telemetry radio. Both queues are bounded."""

    @property
    def field_present(self) -> bool:
        """True while a programmer's head is near (near-field presence)."""
        ...

    def read(self, max_bytes: int) -> bytes:
        """Take up to `max_bytes` received bytes; b"" when there are none."""
        ...

    def write(self, data: bytes) -> int:
        """Queue bytes for sending; return how many were taken (0..len(data)).

        After a partial write TELEMETRY_TX says when there is room again.
        """
        ...
