"""What was asked for, in exact numbers of our own: the flows that the oracle adds up."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from firmware.device import DeviceConfig
from protocol.codes import BolusBasal, ProgramKind, RateBasis, RatePer
from protocol.messages import BolusParameters, Therapy

HOUR_US: Final = 3_600_000_000
_PERIOD_US: Final = {RatePer.HOUR: HOUR_US, RatePer.DAY: 24 * HOUR_US}
ZERO: Final = Fraction(0)


@dataclass(slots=True)
class Dose:
    """A bolus that was committed."""

    txn: int
    strokes: int
    flow: Fraction
    start_us: int
    end_us: int
    moved_pl: int
    """What the rotor had swept when it began."""
    beside: Fraction
    """What else may flow beside it."""
    pauses: bool
    """The basal stands still meanwhile."""
    disturbed: bool = False
    """The rotor was held, or the pump may have given it up."""


def basal(therapy: Therapy, config: DeviceConfig, amount: int | None = None) -> Fraction:
    """The prescribed flow, pL/us; of a flex program that of a step of so much."""
    if therapy.program is ProgramKind.MINIMUM_RATE:
        return Fraction(config.minimum_rate_pl_h, HOUR_US)
    if therapy.program is ProgramKind.STOPPED:
        return ZERO
    rate = therapy.rate
    volume = Fraction(rate.amount if amount is None else amount)
    if rate.basis is RateBasis.MASS_PG:
        volume = volume * 10**9 / therapy.drugs[0].concentration_pg_ml
    return volume / _PERIOD_US[rate.per]


def bolus_strokes(wanted: BolusParameters, therapy: Therapy, config: DeviceConfig) -> int:
    """Whole strokes of a bolus."""
    volume = Fraction(wanted.amount)
    if wanted.basis is RateBasis.MASS_PG:
        volume = volume * 10**9 / therapy.drugs[0].concentration_pg_ml
    return int(volume // config.stroke_pl)


def bolus_flow(
    wanted: BolusParameters,
    strokes: int,
    therapy: Therapy,
    config: DeviceConfig,
    highest: Callable[[int], Fraction],
) -> Fraction:
    """Its flow: as asked for, or what the fastest flow leaves beside the basal.

    `highest` says the highest basal of the next so many us: it must fit beside the bolus to its
    end.
    """
    if wanted.duration_us:
        return Fraction(strokes * config.stroke_pl, wanted.duration_us)
    most = Fraction(config.flow_max_pl_h, HOUR_US)
    if therapy.bolus_basal is BolusBasal.PAUSE:
        return most
    beside = highest(1)
    while True:
        duration_us = ceil(strokes * config.stroke_pl / (most - beside))
        if highest(duration_us) <= beside:
            return most - beside
        beside = highest(duration_us)
