"""The plan of a trial: a `[trial]` table beside a `[therapy]` table that names no dose.

The plan gives the doses, `[therapy]` all else: drugs, fill, catheter, alarm volume. Every dose is
whole and checked before the first is sent; the last is the highest. The text of the plan goes into
the record of the trial, so that what was begun is what is gone on with, whatever becomes of the
file. Nothing of the therapy that the pump had before is kept.
"""

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from protocol.codes import ProgramKind, RateBasis, RatePer
from protocol.messages import ProgramParameters, Rate
from tools import quantity, therapy_file, therapy_parts, toml_file
from tools.programmer import doses
from tools.programmer import format as text
from tools.quantity import QuantityError, shown
from tools.therapy_table import HardLimits, TherapyTable
from tools.toml_file import Table

SCORE_MAX: Final = 10
"""The worst pain; 0 is none. The numerical rating scale has these eleven whole steps."""
DOSES_MAX: Final = 50
"""Most doses of a plan: more would be a slip of the step."""
KEYS: Final = {
    "start_dose": 'first dose of the primary drug per day, such as `"200 ug"`',
    "step": "what each step adds to it per day",
    "every": "least time at one dose",
    "stop": "a table: what holds a step back",
    "oral_morphine": "oral morphine per day, for information; default: not told",
}
"""What a `[trial]` table holds."""
STOP_KEYS: Final = {
    "dose": "highest dose per day, a whole number of steps above the first",
    "after": "no step from this time after the start on",
    "score": "no step while the last score at the dose is this or less; default: none is",
    "side_effect": "no step from a dose at which a side effect was recorded; default `true`",
}
"""What its `stop` holds."""
OF_THE_PLAN: Final = (
    "mode", "dose_per_day", "rate", "steps", "days", "background", "bolus", "over", "every",
    "first", "scheduled_change",
)  # fmt: skip
"""Keys of `[therapy]` that say how much; here the plan does."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A titration, checked in itself."""

    source: str
    """The text of the file."""
    table: Table
    stop: Table
    therapy: TherapyTable
    doses_pg: tuple[int, ...]
    """Dose of the primary drug per day, step by step."""
    every_s: int
    """Least time at one dose."""
    after_s: int
    """From here on, counted from the start, no step is taken."""
    enough: int | None
    """Score at or below which no step is taken; None: there is none."""
    side_effect_stops: bool
    oral_pg: int
    """Oral morphine per day that the patient takes, for information; 0: not given."""

    @property
    def drug(self) -> str:
        """Name of the primary drug."""
        return str(self.therapy.changes["drugs"][0].name)

    def parameters(self, number: int, device: HardLimits | None = None) -> ProgramParameters:
        """Return what is programmed at a step; only the first tells the pump its fill.

        Raises FileError where a pump that is given cannot give it.
        """
        rate = Rate(RateBasis.MASS_PG, RatePer.DAY, self.doses_pg[number - 1])
        changes = {
            **self.therapy.changes, "program": ProgramKind.SIMPLE_CONTINUOUS, "rate": rate,
        }  # fmt: skip
        fill_nl = self.therapy.fill_nl if number == 1 else None
        written = dataclasses.replace(self.therapy, changes=changes, fill_nl=fill_nl)
        if device is not None:
            self._check_flow(number, written.over(None), device)
        return written.parameters(None, device)

    def _check_flow(self, number: int, wanted: ProgramParameters, device: HardLimits) -> None:
        flow_pl_h = doses.flow_pl_h(wanted.therapy, wanted.therapy.rate)
        if device.flow_min_pl_h <= flow_pl_h <= device.flow_max_pl_h:
            return
        low, high = text.rate_day(device.flow_min_pl_h), text.rate_day(device.flow_max_pl_h)
        dose = text.mass(self.doses_pg[number - 1])
        place = self.table.place("start_dose") if number == 1 else self.stop.place("dose")
        raise place.error(
            f"step {number}, {dose}/day, is {text.rate_day(flow_pl_h)}: "
            f"{device.model} gives {low} to {high}"
        )


def load(path: str) -> Plan:
    """Return the plan of a file. Raises FileError."""
    return parse(path, toml_file.read(path))


def parse(name: str, source: str) -> Plan:
    """Return the plan of a text; `name` is what errors call it. Raises FileError."""
    top = toml_file.parse(name, source)
    top.only(("trial", "therapy"))
    table, therapy = _table(top, "trial"), _table(top, "therapy")
    table.only(KEYS)
    stop = _table(table, "stop")
    stop.only(STOP_KEYS)
    for key in OF_THE_PLAN:
        if key in therapy:
            raise therapy.error(f"{key}: the plan gives the dose; leave it out", key)
    found = Plan(
        source,
        table,
        stop,
        therapy_file.read(therapy, may_schedule=False),
        _doses(table, stop),
        table.take("every", _time_s),
        stop.take("after", _time_s),
        stop.get("score", toml_file.integer(0, SCORE_MAX), None),
        stop.get("side_effect", toml_file.boolean, True),
        table.get("oral_morphine", _daily_pg, 0),
    )
    found.parameters(1)
    _check_time(found)
    return found


def _table(parent: Table, key: str) -> Table:
    found = parent.table(key)
    if found is None:
        where = "a plan holds [trial], its stop, and [therapy]"
        raise parent.error(f'key "{key}" is missing; {where}')
    return found


def _doses(table: Table, stop: Table) -> tuple[int, ...]:
    start_pg, step_pg = table.take("start_dose", _daily_pg), table.take("step", _daily_pg)
    most_pg = stop.take("dose", _daily_pg)
    if most_pg < start_pg:
        raise stop.error(f"dose: {_day(most_pg)} is below start_dose, {_day(start_pg)}", "dose")
    steps, rest_pg = divmod(most_pg - start_pg, step_pg)
    if rest_pg:
        near = " or ".join(_day(start_pg + (steps + more) * step_pg) for more in (0, 1))
        raise stop.error(f"dose: {_day(most_pg)} is no step of the plan; {near} would be", "dose")
    if steps >= DOSES_MAX:
        raise table.error(f"step: {steps + 1} doses; a plan has at most {DOSES_MAX}", "step")
    return tuple(start_pg + number * step_pg for number in range(steps + 1))


def _check_time(plan: Plan) -> None:
    last = len(plan.doses_pg)
    begins_s = (last - 1) * plan.every_s
    if begins_s >= plan.after_s:
        raise plan.stop.error(
            f"after: step {last}, {_day(plan.doses_pg[-1])}, comes after {text.seconds(begins_s)} "
            f"at the earliest, and no step is taken from {text.seconds(plan.after_s)} on",
            "after",
        )


def _daily_pg(value: Any) -> int:
    basis, amount = quantity.per_day(value)
    if basis is not RateBasis.MASS_PG:
        raise QuantityError(f'{shown(value)}: a mass per day is needed, e.g. "200 ug"')
    return amount


def _time_s(value: Any) -> int:
    time_s = therapy_parts.seconds(value)
    if not time_s:
        raise QuantityError(f"{shown(value)}: must be longer than 0")
    return time_s


def _day(dose_pg: Fraction | int) -> str:
    return f"{text.mass(dose_pg)}/day"
