"""What a prescription means: flow, dose per day, whole strokes. Exact, integers and Fractions.

The programmer works these out by itself, from what it is about to send or has read, so that its
review is a second opinion on the pump's own preview. What a program gives per day is the mean over
its week (flex) or over the interval of its boluses (periodic).
"""

from fractions import Fraction
from typing import Final

from protocol.codes import ProgramKind, RateBasis, RatePer
from protocol.messages import DeviceInfo, FlexStep, Rate, Status, Therapy

PL_PER_ML: Final = 10**9
DAY_MIN: Final = 1440
WEEK_MIN: Final = 7 * DAY_MIN
_HOURS: Final = {RatePer.HOUR: 1, RatePer.DAY: 24}
_EPOCH_WEEKDAY: Final = 5
"""2000-01-01, from which the pump's wall clock counts, was a Saturday; Monday is 0."""


def volume_pl(therapy: Therapy, basis: RateBasis, amount: int) -> Fraction:
    """Return the volume of an amount, pL; a mass is the primary drug's."""
    if basis is RateBasis.VOLUME_PL:
        return Fraction(amount)
    return Fraction(amount) * PL_PER_ML / therapy.drugs[0].concentration_pg_ml


def flow_pl_h(therapy: Therapy, rate: Rate) -> Fraction:
    """Return the flow of a rate, pL/h."""
    return volume_pl(therapy, rate.basis, rate.amount) / _HOURS[rate.per]


def step_pl_h(therapy: Therapy, step: FlexStep) -> Fraction:
    """Return the flow of a step of a flex program, pL/h."""
    return flow_pl_h(therapy, Rate(therapy.rate.basis, therapy.rate.per, step.amount))


def basal_pl_h(therapy: Therapy, device: DeviceInfo) -> Fraction:
    """Return the mean flow of the program, its periodic boluses counted, pL/h."""
    if therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
        return flow_pl_h(therapy, therapy.rate)
    if therapy.program is ProgramKind.FLEX:
        return _flex_pl_h(therapy)
    if therapy.program is ProgramKind.PERIODIC:
        return _periodic_pl_h(therapy, device, whole_strokes=False)
    return Fraction(device.minimum_rate_pl_h * (therapy.program is ProgramKind.MINIMUM_RATE))


def week(therapy: Therapy) -> list[tuple[int, FlexStep]]:
    """Return (minute of the week, step) of each change of a flex program, from Monday 00:00 on."""
    return sorted(
        ((day * DAY_MIN + step.from_min, step)
         for step in therapy.steps for day in range(7) if step.days >> day & 1),
        key=lambda change: change[0],
    )  # fmt: skip


def step_at(therapy: Therapy, wall_s: int) -> FlexStep:
    """Return the step of a flex program that rules at a wall-clock instant."""
    minute = (wall_s // 60 + _EPOCH_WEEKDAY * DAY_MIN) % WEEK_MIN
    changes = week(therapy)
    return next((step for at, step in reversed(changes) if at <= minute), changes[-1][1])


def strokes_per_day(therapy: Therapy, device: DeviceInfo) -> int:
    """Return the nearest whole number of strokes per 24 h, halves up: what can be achieved."""
    flow_pl_h = basal_pl_h(therapy, device)
    if therapy.program is ProgramKind.PERIODIC:  # each of its boluses is rounded down to them
        flow_pl_h = _periodic_pl_h(therapy, device, whole_strokes=True)
    return int(flow_pl_h * 24 / device.stroke_pl + Fraction(1, 2))


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


def path_nl(therapy: Therapy, device: DeviceInfo) -> Fraction:
    """Return the volume from the reservoir's outlet to the catheter tip."""
    return device.tubing_nl + catheter_nl(therapy)


def _flex_pl_h(therapy: Therapy) -> Fraction:
    changes = week(therapy)
    if not changes:
        return Fraction(0)
    until = [at for at, _ in changes[1:]] + [changes[0][0] + WEEK_MIN]
    total = sum(
        (step_pl_h(therapy, step) * (end - at)
         for (at, step), end in zip(changes, until, strict=True)),
        Fraction(0),
    )  # fmt: skip
    return total / WEEK_MIN


def _periodic_pl_h(therapy: Therapy, device: DeviceInfo, whole_strokes: bool) -> Fraction:
    """The background pauses while a bolus runs."""
    background, boluses = flow_pl_h(therapy, therapy.rate), therapy.periodic
    if not boluses.amount or not boluses.every_s:
        return background
    bolus_pl = volume_pl(therapy, boluses.basis, boluses.amount)
    if whole_strokes:
        bolus_pl -= bolus_pl % device.stroke_pl
    every_h = Fraction(boluses.every_s, 3600)
    over_h = Fraction(boluses.over_s, 3600) or bolus_pl / device.flow_max_pl_h
    return (bolus_pl + background * (every_h - over_h)) / every_h
