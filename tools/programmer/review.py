"""Current and pending settings side by side, the changed ones marked.

Everything that is sent is shown, and what follows from it: rates both ways, the dose per day of
each drug, and the dose that whole strokes can achieve.
"""

import textwrap
from collections.abc import Callable
from fractions import Fraction
from itertools import chain, repeat, zip_longest
from typing import Final, NamedTuple

from protocol.codes import ProgramKind, RateBasis, RatePer
from protocol.messages import (
    AT_ONCE,
    FILL_NOT_TOLD,
    DeviceInfo,
    Drug,
    Preview,
    ProgramParameters,
    Rate,
    Therapy,
)
from tools.programmer import doses
from tools.programmer import format as text
from tools.therapy_parts import clock, day_names

ABSENT: Final = "-"
CHANGED: Final = "*"
_VARYING: Final = (ProgramKind.FLEX, ProgramKind.PERIODIC)
COLUMN_MAX: Final = 32
"""Widest value column, longer values take a second line: with the longest drug name 99 in all."""


class View(NamedTuple):
    """One prescription with what belongs beside it."""

    therapy: Therapy | None
    strokes: int
    """Whole strokes per 24 h."""
    computed_nl: int


class Line(NamedTuple):
    """One setting, now and after the commit."""

    name: str
    current: str
    pending: str

    @property
    def changed(self) -> bool:
        """Whether the commit changes it."""
        return self.current != self.pending


_HEAD: Final = Line("setting", "current", "pending")


def lines(
    current: Therapy | None,
    computed_nl: int,
    pending: ProgramParameters,
    preview: Preview,
    device: DeviceInfo,
    scheduled_wall_s: int = 0,
) -> list[Line]:
    """Return every setting.

    `current` is None while the pump has no prescription; `scheduled_wall_s` is when a change that
    was scheduled before would take over, 0: there is none. Any program voids it.
    """
    strokes = doses.strokes_per_day(current, device) if current else 0
    before = View(current, strokes, computed_nl)
    after = View(pending.therapy, preview.strokes, preview.computed_nl)
    rows = beside(_settings(before, device), _settings(after, device))
    if scheduled_wall_s or pending.at_wall_s:
        dates = [text.date_text(at_s) for at_s in (scheduled_wall_s, pending.at_wall_s)]
        rows.insert(0, Line("scheduled change", *dates))
    if pending.fill_nl != FILL_NOT_TOLD:
        rows.append(Line("reservoir filled to", ABSENT, text.millilitres(pending.fill_nl)))
    return rows


def settings(therapy: Therapy | None, computed_nl: int, device: DeviceInfo) -> dict[str, str]:
    """Return name -> value of every setting of a prescription that a pump holds."""
    strokes = 0 if therapy is None else doses.strokes_per_day(therapy, device)
    return _settings(View(therapy, strokes, computed_nl), device)


def table(rows: list[Line], head: Line = _HEAD) -> str:
    """Return the rows as text, at most 100 columns, changed ones marked."""
    name = max(len(row.name) for row in (head, *rows))
    left = min(COLUMN_MAX, max(len(row.current) for row in (head, *rows)))
    out = [f"  {head.name:<{name}}  {head.current:<{left}}  {head.pending}"]
    for row in rows:
        cells = zip_longest(_wrapped(row.current), _wrapped(row.pending), fillvalue="")
        labels = chain([(CHANGED if row.changed else " ", row.name)], repeat((" ", "")))
        for (mark, label), (current, pending) in zip(labels, cells, strict=False):
            out.append(f"{mark} {label:<{name}}  {current:<{left}}  {pending}".rstrip())
    changed = sum(row.changed for row in rows)
    if head is _HEAD:
        out.append(f"{CHANGED} = changed ({changed})" if changed else "nothing changes")
    return "\n".join(out)


def beside(left: dict[str, str], right: dict[str, str]) -> list[Line]:
    """Return two sets of settings side by side, in the order of the right one."""
    names = list(dict.fromkeys((*right, *left)))
    return [Line(name, left.get(name, ABSENT), right.get(name, ABSENT)) for name in names]


def _wrapped(value: str) -> list[str]:
    return textwrap.wrap(value, COLUMN_MAX)


def _settings(view: View, device: DeviceInfo) -> dict[str, str]:
    """Return name -> value of every setting of one side."""
    therapy = view.therapy
    if therapy is None:
        return {"computed volume": text.millilitres(view.computed_nl)}
    found = {"mode": therapy.program.name.lower().replace("_", " ")}
    for number, drug in enumerate(therapy.drugs, 1):
        found[f"drug {number}"] = f"{drug.name} {text.concentration(drug.concentration_pg_ml)}"
    found |= _program(therapy)
    found |= _flow(view, therapy, device)
    found |= {name: show(therapy) for name, show in _PLAIN.items()}
    found["computed volume"] = text.millilitres(view.computed_nl)
    return found


def _flow(view: View, therapy: Therapy, device: DeviceInfo) -> dict[str, str]:
    rate_pl_h = doses.basal_pl_h(therapy, device)
    volume_pl = view.strokes * device.stroke_pl
    mean = "mean " if therapy.program in _VARYING else ""
    found = {f"{mean}rate": text.rate_day(rate_pl_h), "  per hour": text.rate_hour(rate_pl_h)}
    for drug in therapy.drugs:
        found[f"dose {drug.name}"] = _daily(rate_pl_h * 24, drug)
    found["achievable"] = f"{view.strokes} strokes = {text.volume(Fraction(volume_pl, 1000))}/day"
    for drug in therapy.drugs:
        found[f"  {drug.name}"] = _daily(Fraction(volume_pl), drug)
    return found


def _daily(volume_pl: Fraction, drug: Drug) -> str:
    return f"{text.mass(doses.mass_pg(volume_pl, drug.concentration_pg_ml))}/day"


def _program(therapy: Therapy) -> dict[str, str]:
    """Return the program as it was prescribed."""
    rate = therapy.rate
    if therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
        return {"prescribed": _rate(rate, rate.amount)}
    if therapy.program is ProgramKind.FLEX:
        return {
            f"from {clock(step.from_min)} {day_names(step.days)}": _rate(rate, step.amount)
            for step in therapy.steps
        }
    if therapy.program is ProgramKind.PERIODIC:
        boluses = therapy.periodic
        first = boluses.first_min
        return {
            "background": _rate(rate, rate.amount),
            "periodic bolus": _dose(boluses.basis, boluses.amount, boluses.over_s),
            "  every": text.seconds(boluses.every_s),
            "  the first": "at once" if first == AT_ONCE else f"at {clock(first)}",
        }
    return {}


def _rate(rate: Rate, amount: int) -> str:
    return f"{_amount(rate.basis, amount)}/{'h' if rate.per is RatePer.HOUR else 'day'}"


def _amount(basis: RateBasis, amount: int) -> str:
    if basis is RateBasis.MASS_PG:
        return text.mass(amount)
    return text.volume(Fraction(amount, 1000))


def _dose(basis: RateBasis, amount: int, over_s: int) -> str:
    time = f"over {text.seconds(over_s)}" if over_s else "as fast as allowed"
    return f"{_amount(basis, amount)} {time}"


def _patient(therapy: Therapy) -> str:
    patient = therapy.patient
    if not patient.amount:
        return "none"
    words = [_dose(patient.basis, patient.amount, patient.over_s)]
    if patient.lockout_s:
        start = patient.lockout_from.name.lower()
        words.append(f"lockout {text.seconds(patient.lockout_s)} from its {start}")
    if patient.max_per_24h:
        words.append(f"at most {patient.max_per_24h} in 24 h")
    return ", ".join(words)


def _window(therapy: Therapy) -> str:
    if not therapy.window_nl:
        return ABSENT
    return f"{text.volume(therapy.window_nl)} in {text.seconds(therapy.window_s)}"


def _catheter(therapy: Therapy) -> str:
    if not therapy.catheter_um:
        return ABSENT
    length = text.decimal(Fraction(therapy.catheter_um, 10**4))
    return f"{length} cm, {text.volume(doses.catheter_nl(therapy))}"


def _word(value: object) -> str:
    return str(getattr(value, "name", value)).lower().replace("_", " ")


_PLAIN: Final[dict[str, Callable[[Therapy], str]]] = {
    "low-reservoir alarm": lambda t: text.millilitres(t.low_reservoir_nl),
    "drug stability": lambda t: f"{t.stability_days} d" if t.stability_days else ABSENT,
    "catheter": _catheter,
    "patient bolus": _patient,
    "most in a window": _window,
    "basal during bolus": lambda t: _word(t.bolus_basal),
    "emergency stop": lambda t: _word(t.emergency),
    "patient may stop": lambda t: "yes" if t.patient_may_stop else "no",
}
