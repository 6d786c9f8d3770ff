"""What a prescription means: flow, dose per day, whole strokes. Exact, integers and Fractions.

The programmer works these out by itself, from what it is about to send or has read, so that its
review is a second opinion on the pump's own preview.
"""

from fractions import Fraction
from typing import Final

from protocol.codes import ProgramKind
from protocol.messages import DeviceInfo, Status, Therapy
from tools.therapy_file import flow_pl_h

PL_PER_ML: Final = 10**9


def basal_pl_h(therapy: Therapy, device: DeviceInfo) -> Fraction:
    """Return the basal flow that a prescription asks for."""
    if therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
        return flow_pl_h(therapy)
    return Fraction(device.minimum_rate_pl_h * (therapy.program is ProgramKind.MINIMUM_RATE))


def strokes_per_day(therapy: Therapy, device: DeviceInfo) -> int:
    """Return the nearest whole number of strokes per 24 h, halves up: what can be achieved."""
    strokes = basal_pl_h(therapy, device) * 24 / device.stroke_pl
    return int(strokes + Fraction(1, 2))


def mass_pg(volume_pl: Fraction | int, concentration_pg_ml: int) -> Fraction:
    """Return the drug mass in a volume."""
    return Fraction(volume_pl) * concentration_pg_ml / PL_PER_ML


def daily_pg(therapy: Therapy, device: DeviceInfo) -> dict[str, Fraction]:
    """Return the prescribed dose per day of each drug, pg."""
    volume_pl = basal_pl_h(therapy, device) * 24
    return {drug.name: mass_pg(volume_pl, drug.concentration_pg_ml) for drug in therapy.drugs}


def rate_now_pl_h(status: Status) -> Fraction:
    """Return the rate that the pump gives now."""
    return Fraction(status.rate_numerator_pl, max(1, status.rate_denominator_h))


def catheter_nl(therapy: Therapy) -> Fraction:
    """Return the volume of the implanted catheter."""
    return Fraction(therapy.catheter_um * therapy.catheter_pl_cm, 10**4 * 1000)
