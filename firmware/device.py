"""What the controller may know of its own pump: the `[device]` half of a profile.

Fixed for the life of a pump. The other half of a profile, `[plant]`, is physics and never reaches
the controller.
"""

import enum
from dataclasses import dataclass

from protocol.codes import ProgramKind


class LowReservoirBasal(enum.Enum):
    """What the basal does while LOW_RESERVOIR stands."""

    PROGRAM = "program"
    """It goes on as programmed."""
    MINIMUM_RATE = "minimum_rate"
    """It falls to the minimum rate; other references on infusion pumps ask for that."""


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """Constants of one pump model; every one comes from the profile, none from code."""

    model: str
    """Profile name, such as "rotor-40"."""
    capacity_nl: int
    """Reservoir capacity above the unextractable residual."""
    stroke_nl: int
    """Nominal volume of one stroke."""
    calibration_ppm: int
    """Per-pump constant: effective stroke = nominal × ppm / 10^6."""
    flow_min_pl_h: int
    """Lowest rate that may be programmed."""
    flow_max_pl_h: int
    """Highest rate, basal and bolus together."""
    minimum_rate_pl_h: int
    """Rate of the minimum_rate mode."""
    bolus_max_nl: int
    """Largest single bolus."""
    tubing_nl: int
    """Volume of the tubing inside the pump."""
    low_reservoir_nl: int
    """Low-reservoir alarm volume until a clinician sets one."""
    accuracy_ppm: int
    """Refill discrepancy gate, either side."""
    memory_error_program: ProgramKind
    """What runs when no stored prescription can be trusted: minimum_rate or stopped."""
    low_battery_mv: int
    """Loaded voltage at which the pump falls back to minimum rate."""
    eri_mv: int
    """Rest voltage at which the elective replacement indicator comes on."""
    eos_mv: int
    """Rest voltage below which service ends."""
    eri_days: int
    """From ERI to the end of service."""
    service_days: int
    """Service life cap."""
    stall_strokes: int
    """Basal: this many commanded strokes in a row unconfirmed, and"""
    stall_us: int
    """this long since the last confirmed one, is a stall."""
    bolus_stall_strokes: int
    """Bolus: this many unconfirmed strokes, or"""
    bolus_stall_us: int
    """this long after the first unconfirmed one, is a stall."""
    stall_limit_us: int
    """Without movement for this long the pump gives up: safe state."""
    critical_interval_us: int
    """From the start of one critical tone to the next."""
    non_critical_interval_us: int
    """From the start of one non-critical tone to the next."""
    stopped_medium_us: int
    """Stopped for this long: STOPPED_TOO_LONG, and"""
    stopped_high_us: int
    """for this long: the same, more urgent."""
    legacy_update: bool
    """True: the pump stops when an update of its program begins, until it is committed."""
    low_reservoir_basal: LowReservoirBasal
    """What the basal does at LOW_RESERVOIR."""
    level_tolerance_nl: int
    """Level sensor and count may differ by this much; without a sensor it says nothing."""
    quantum_strokes: int
    """Largest dose reserved in flash at a time; the smaller of 64 strokes and 10 µL."""

    @property
    def stroke_pl(self) -> int:
        """Effective volume of one stroke, pL, exact for a whole number of pL."""
        return self.stroke_nl * self.calibration_ppm // 1000


@dataclass(frozen=True, slots=True)
class Identity:
    """What is burnt into one pump at the factory."""

    serial: str
    """Pseudonymous serial number."""
    implanted_wall_s: int
    """When its service life began, pump wall clock."""
