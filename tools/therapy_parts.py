"""The parts of a `[therapy]` table that say when: schedules, boluses, a window.

Each function reads its keys into the fields of `Therapy`, every value checked by itself; what only
the whole therapy can tell is left to `tools.therapy_file`.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from protocol.codes import LockoutFrom, RateBasis, RatePer
from protocol.messages import (
    FLEX_STEPS_MAX,
    NO_PATIENT_BOLUS,
    FlexStep,
    PatientBolus,
    Rate,
)
from tools import quantity, toml_file
from tools.quantity import QuantityError, shown
from tools.toml_file import Table, suggestion

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY: Final = 0x7F
BOLUSES_MAX: Final = 255
_SECONDS_MAX: Final = 366 * 86_400
"""No interval of a therapy is longer than a year."""


class Flex(NamedTuple):
    """A schedule as the wire holds it."""

    rate: Rate
    """How the steps count; its amount is 0."""
    steps: tuple[FlexStep, ...]


class _Step(NamedTuple):
    """A step as it was written."""

    days: int
    from_min: int
    rate: Rate
    table: Table


def flex(table: Table) -> Flex:
    """Return the schedule of the keys `steps` or `days`. Raises FileError."""
    if "steps" in table and "days" in table:
        raise table.error("days: steps is given too; give one of them", "days")
    key = "days" if "days" in table else "steps"
    written = _groups(table) if key == "days" else _steps(table, EVERY_DAY)
    if not 1 <= len(written) <= FLEX_STEPS_MAX:
        raise table.error(
            f"{key}: {len(written)} steps; a flex program has 1 to {FLEX_STEPS_MAX}", key
        )
    written.sort(key=lambda step: (step.days & -step.days, step.from_min))
    rates = _alike([step.rate for step in written], written)
    steps = tuple(
        FlexStep(step.days, step.from_min, amount)
        for step, amount in zip(written, rates.amounts, strict=True)
    )
    return Flex(Rate(rates.basis, rates.per, 0), steps)


def _groups(table: Table) -> list[_Step]:
    """Return the steps of groups of weekdays, which must cover the week and not overlap."""
    steps: list[_Step] = []
    covered = 0
    for group in table.tables("days"):
        group.only(("on", "steps"))
        days = group.take("on", weekdays)
        if twice := days & covered:
            raise group.error(f"on: {_named(twice)} in two groups", "on")
        covered |= days
        found = _steps(group, days)
        if not found:
            raise group.error("steps: a group of days needs a step", "steps")
        steps += found
    if missing := EVERY_DAY & ~covered:
        raise table.error(f"days: nothing is said for {_named(missing)}", "days")
    return steps


def _steps(table: Table, days: int) -> list[_Step]:
    steps: dict[int, _Step] = {}
    for item in table.tables("steps"):
        item.only(("from", "rate"))
        from_min = item.take("from", minute_of_day)
        if from_min in steps:
            raise item.error(f"from: two steps at {clock(from_min)}", "from")
        steps[from_min] = _Step(days, from_min, item.take("rate", quantity.rate), item)
    return list(steps.values())


class _Rates(NamedTuple):
    basis: RateBasis
    per: RatePer
    amounts: list[int]


def _alike(rates: list[Rate], written: list[_Step]) -> _Rates:
    """Return rates counted alike; per hour and per day may be mixed, mass and volume not."""
    basis = rates[0].basis
    for rate, step in zip(rates, written, strict=True):
        if rate.basis is not basis:
            raise step.table.error("rate: all steps are a mass, or all are a volume", "rate")
    if len({rate.per for rate in rates}) == 1:
        return _Rates(basis, rates[0].per, [rate.amount for rate in rates])
    hours = {RatePer.HOUR: 24, RatePer.DAY: 1}
    return _Rates(basis, RatePer.DAY, [rate.amount * hours[rate.per] for rate in rates])


def periodic(table: Table) -> dict[str, Any]:
    """Return the fields of `Periodic` that the table gives. Raises FileError."""
    fields: dict[str, Any] = {}
    if "bolus" in table:
        fields["basis"], fields["amount"] = table.take("bolus", quantity.dose)
    readers: dict[str, tuple[str, Callable[[Any], int]]] = {
        "over": ("over_s", seconds),
        "every": ("every_s", seconds),
        "first": ("first_min", minute_of_day),
    }
    for key, (field, read) in readers.items():
        if key in table:
            fields[field] = table.take(key, read)
    return fields


def patient_bolus(table: Table) -> PatientBolus:
    """Return what the patient may give himself; an empty table is nothing. Raises FileError."""
    table.only(PATIENT_KEYS)
    if not table.values:
        return NO_PATIENT_BOLUS
    basis, amount = table.take("dose", quantity.dose)
    if not amount:
        raise table.error("dose: 0 is no bolus; an empty table takes the permission away", "dose")
    if "lockout" not in table and "max_per_24h" not in table:
        raise table.error("a patient bolus needs a lockout, or max_per_24h")
    return PatientBolus(
        basis,
        amount,
        over_s=table.get("over", seconds, 0),
        lockout_s=table.get("lockout", seconds, 0),
        lockout_from=table.get("lockout_from", toml_file.choice(_FROM), LockoutFrom.START),
        max_per_24h=table.get("max_per_24h", toml_file.integer(1, BOLUSES_MAX), 0),
    )


def window_limit(table: Table) -> dict[str, int]:
    """Return the fields of the windowed maximum; an empty table is none. Raises FileError."""
    table.only(("volume", "window"))
    if not table.values:
        return {"window_nl": 0, "window_s": 0}
    volume_nl, window_s = table.take("volume", quantity.volume_nl), table.take("window", seconds)
    for key, value in (("volume", volume_nl), ("window", window_s)):
        if not value:
            raise table.error(f"{key}: 0 is no limit; an empty table takes the limit away", key)
    return {"window_nl": volume_nl, "window_s": window_s}


def weekdays(value: object) -> int:
    """Return the bits of "mon-fri" or "sat,sun"; Monday is 1. Raises ValueError."""
    days = 0
    for part in toml_file.text(value).split(","):
        first, _, last = part.strip().partition("-")
        start = _weekday(first.strip(), value)
        end = _weekday(last.strip(), value) if last else start
        for step in range((end - start) % 7 + 1):
            days |= 1 << (start + step) % 7
    return days


def _weekday(word: str, value: object) -> int:
    if word not in DAYS:
        close = suggestion(word, DAYS)
        raise ValueError(f'{shown(value)}: weekdays are such as "mon-fri" or "sat,sun"{close}')
    return DAYS.index(word)


def minute_of_day(value: object) -> int:
    """Return the minute of "06:00". Raises ValueError."""
    match = (
        re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value) if isinstance(value, str) else None
    )
    if match is None:
        raise ValueError(f'{shown(value)}: a time of day is needed, "00:00" to "23:59"')
    return int(match[1]) * 60 + int(match[2])


def seconds(value: object) -> int:
    """Return a time in whole seconds. Raises QuantityError."""
    whole, rest = divmod(quantity.duration_us(value), 10**6)
    if rest:
        raise QuantityError(f"{shown(value)}: whole seconds only")
    if whole > _SECONDS_MAX:
        raise QuantityError(f"{shown(value)}: longer than a year")
    return whole


def clock(minute: int) -> str:
    """Return a minute of the day as "06:00"."""
    return f"{minute // 60:02}:{minute % 60:02}"


def day_names(days: int) -> str:
    """Return the bits of weekdays as "mon-fri", "sat,sun" or "every day"."""
    if days == EVERY_DAY:
        return "every day"
    runs: list[list[int]] = []
    for day in (day for day in range(7) if days >> day & 1):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(
        DAYS[run[0]]
        if len(run) == 1
        else f"{DAYS[run[0]]}{'-' if len(run) > 2 else ','}{DAYS[run[-1]]}"
        for run in runs
    )


def _named(days: int) -> str:
    names = [name for day, name in enumerate(DAYS) if days >> day & 1]
    return ", ".join(names)


_FROM: Final = {kind.name.lower(): kind for kind in LockoutFrom}
PATIENT_KEYS: Final = {
    "dose": "mass of the primary drug, or volume",
    "over": "time to give it over; default: as fast as the pump may",
    "lockout": "time until the next one may begin",
    "lockout_from": "`start` (default) or `end` of the bolus, from which the lockout counts",
    "max_per_24h": "boluses in any 24 h",
}
"""Keys of `patient_bolus`."""
