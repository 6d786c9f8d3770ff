"""The `pump.*` measures: what a status reply says, under the names that people and programs use.

One table for `programmer --json`, the bench, and the expectations of scenarios. Values are exact:
numbers are `Fraction`, absent is None; `plain` turns one into what JSON can hold.
"""

import enum
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from protocol.codes import stop_reason_name
from protocol.errors import ErrorCode
from protocol.messages import DeviceInfo, Status, Therapy
from tools.programmer import doses, sensed
from tools.programmer import format as text

Value = Fraction | str | bool | tuple[str, ...] | None


class Kind(enum.Enum):
    """What a measure gives, when it is not absent."""

    NUMBER = "a number"
    TEXT = "a text"
    BOOLEAN = "true or false"
    LIST = "a list"


def _last_refusal(status: Status) -> str | None:
    return None if status.last_refusal is ErrorCode.OK else status.last_refusal.name


def _sensed_ul(status: Status) -> Fraction | None:
    sensed_nl = sensed.volume_nl(status)
    return None if sensed_nl is None else Fraction(sensed_nl, text.NL_PER_UL)


class Reading(NamedTuple):
    """One row of the table."""

    kind: Kind
    of: Callable[[Status], Value]
    doc: str


PUMP: Final[dict[str, Reading]] = {
    "pump.mode": Reading(Kind.TEXT, lambda s: s.mode.name.lower(), "what it is doing"),
    "pump.program": Reading(
        Kind.TEXT, lambda s: s.program.name.lower(), "infusion mode that is prescribed"
    ),
    "pump.bolus": Reading(Kind.TEXT, lambda s: s.bolus.name.lower(), "bolus that runs"),
    "pump.bolus_given_ul": Reading(
        Kind.NUMBER, lambda s: Fraction(s.bolus_given_nl, text.NL_PER_UL),
        "confirmed of the bolus that runs or ran last",
    ),
    "pump.stop_reason": Reading(
        Kind.TEXT, lambda s: stop_reason_name(s.stop_reason),
        "why it does not deliver; absent while it does",
    ),
    "pump.computed_ul": Reading(
        Kind.NUMBER, lambda s: Fraction(s.computed_nl, text.NL_PER_UL),
        "reservoir volume, from fill and confirmed strokes",
    ),
    "pump.sensed_ul": Reading(
        Kind.NUMBER, _sensed_ul,
        "reservoir volume by its level sensor; absent: it has none",
    ),
    "pump.rate_ul_h": Reading(
        Kind.NUMBER, lambda s: doses.rate_now_pl_h(s) / text.PL_PER_UL,
        "rate now, of basal and bolus",
    ),
    "pump.lockout_s": Reading(
        Kind.NUMBER, lambda s: Fraction(s.lockout_s),
        "until a patient bolus may begin; 0: no lockout runs",
    ),
    "pump.boluses_24h": Reading(
        Kind.NUMBER, lambda s: Fraction(s.boluses_24h),
        "patient boluses begun in the last 24 h",
    ),
    "pump.battery_mv": Reading(Kind.NUMBER, lambda s: Fraction(s.battery_mv), "rest voltage"),
    "pump.eri": Reading(
        Kind.BOOLEAN, lambda s: bool(s.eri), "whether the elective replacement indicator is on"
    ),
    "pump.eri_date": Reading(
        Kind.TEXT, lambda s: text.date(s.eri_wall_s), "when ERI came, or will come at the latest"
    ),
    "pump.eos_date": Reading(
        Kind.TEXT, lambda s: text.date(s.eos_wall_s), "when service ends at the latest"
    ),
    "pump.refill_due": Reading(
        Kind.TEXT, lambda s: text.date(s.refill_due_wall_s),
        "the earlier of low-reservoir and stability date",
    ),
    "pump.low_reservoir_date": Reading(
        Kind.TEXT, lambda s: text.date(s.low_reservoir_wall_s),
        "when the low-reservoir volume will be reached",
    ),
    "pump.alarms": Reading(
        Kind.LIST, lambda s: tuple(alarm.code.name for alarm in s.alarms),
        "alarms that stand, in order of occurrence",
    ),
    "pump.last_refusal": Reading(
        Kind.TEXT, _last_refusal, "of the last refused command; absent: none"
    ),
}  # fmt: skip
"""Measures of the status alone."""

DOSE: Final = "pump.dose_per_day_ug."
ACHIEVABLE: Final = "pump.achievable_dose_per_day_ug"


def dose_per_day_ug(therapy: Therapy | None, device: DeviceInfo, drug: str) -> Fraction | None:
    """Return the prescribed dose of a drug; absent when it is not in the therapy."""
    daily_pg = doses.daily_pg(therapy, device) if therapy else {}
    return daily_pg[drug] / text.PG_PER_UG if drug in daily_pg else None


def achievable_dose_per_day_ug(therapy: Therapy | None, device: DeviceInfo) -> Fraction | None:
    """Return what the nearest whole number of strokes in 24 h holds of the primary drug."""
    if therapy is None:
        return None
    volume_pl = doses.strokes_per_day(therapy, device) * device.stroke_pl
    return doses.mass_pg(volume_pl, therapy.drugs[0].concentration_pg_ml) / text.PG_PER_UG


def of_status(status: Status) -> dict[str, Any]:
    """Return the `pump.*` measures of the status alone for JSON."""
    return {name: plain(of(status)) for name, (_, of, _) in PUMP.items()}


def said(status: Status, device: DeviceInfo, therapy: Therapy | None) -> dict[str, Any]:
    """Return every `pump.*` measure for JSON; `therapy` is None while nothing is prescribed."""
    values = of_status(status)
    for drug in therapy.drugs if therapy else ():
        values[DOSE + drug.name] = plain(dose_per_day_ug(therapy, device, drug.name))
    values[ACHIEVABLE] = plain(achievable_dose_per_day_ug(therapy, device))
    return values


def plain(value: Value) -> Any:
    """Return a value as JSON holds it."""
    if isinstance(value, Fraction):
        return text.number(value)
    return list(value) if isinstance(value, tuple) else value
