"""A prescription as the `[therapy]` table that means it: the inverse of `tools.therapy_file`.

    lines(therapy, scheduled)  ->  the table, or None where no table says exactly that

What was written is read again before it is handed out, so a table that comes from here is the
prescription to the last picogram. Every key that can be written is: laid over another therapy it
takes away what this one does not have. The reservoir's volume is no part of a prescription.
"""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final

from protocol.codes import ProgramKind, RateBasis, RatePer
from protocol.messages import AT_ONCE, Drug, FlexStep, PatientBolus, Rate, Therapy
from tools import therapy_file, toml_file
from tools.programmer import format as text
from tools.quantity import exact_text
from tools.therapy_parts import EVERY_DAY, clock, day_names
from tools.toml_file import FileError

_TIMES: Final = ((86_400, "d"), (3600, "h"), (60, "min"))
_PER: Final = {RatePer.HOUR: "h", RatePer.DAY: "day"}


def lines(
    therapy: Therapy, scheduled: Therapy | None = None, at_wall_s: int = 0
) -> list[str] | None:
    """Return the table, a line each; `scheduled` takes over at `at_wall_s`, None: nothing does.

    None where the prescription is of a form that no table has, as another tool may have made it.
    """
    written = ["[therapy]", *_keys(therapy)]
    if scheduled is not None:
        written += ["", "[therapy.scheduled_change]", f"at = {text.date(at_wall_s)}"]
        written += ["", "[therapy.scheduled_change.therapy]", *_keys(scheduled)]
    try:
        return written if read(written) == (therapy, scheduled, at_wall_s) else None
    except FileError:
        return None


def read(table: list[str]) -> tuple[Therapy, Therapy | None, int]:
    """Return (therapy, scheduled change, its instant) of a table alone. Raises FileError."""
    top = toml_file.parse("therapy", "\n".join(table))
    inner = top.table("therapy")
    if inner is None:
        raise top.error("no [therapy] table")
    now, *then = therapy_file.read(inner).programs(None)
    return (now.therapy, then[0].therapy, then[0].at_wall_s) if then else (now.therapy, None, 0)


def _keys(therapy: Therapy) -> Iterator[str]:
    yield f"drugs = [{', '.join(map(_drug, therapy.drugs))}]"
    yield f"mode = {_word(therapy.program.name)}"
    yield from _PROGRAMS.get(therapy.program, _nothing)(therapy)
    yield f"low_reservoir_alarm = {_quoted(text.millilitres(therapy.low_reservoir_nl))}"
    if therapy.stability_days:
        yield f'stability = "{therapy.stability_days} d"'
    if therapy.catheter_um or therapy.catheter_pl_cm:
        length = exact_text(Fraction(therapy.catheter_um, 10**4))
        volume = exact_text(Fraction(therapy.catheter_pl_cm, text.PL_PER_ML))
        yield f'catheter = {{ length = "{length} cm", volume = "{volume} mL/cm" }}'
    yield f"patient_bolus = {_patient(therapy.patient)}"
    yield f"window_limit = {_window(therapy)}"
    yield f"bolus_basal = {_word(therapy.bolus_basal.name)}"
    yield f"emergency = {_word(therapy.emergency.name)}"
    yield f"patient_may_stop = {'true' if therapy.patient_may_stop else 'false'}"


def _drug(drug: Drug) -> str:
    concentration = f"{_mass(drug.concentration_pg_ml)}/mL"
    return f"{{ name = {_quoted(drug.name)}, concentration = {_quoted(concentration)} }}"


def _nothing(therapy: Therapy) -> Iterator[str]:
    yield from ()


def _simple(therapy: Therapy) -> Iterator[str]:
    yield f"rate = {_rate(therapy.rate)}"


def _flex(therapy: Therapy) -> Iterator[str]:
    """Steps by group of weekdays; one group of all days needs no name."""
    groups: dict[int, list[FlexStep]] = {}
    for step in therapy.steps:
        groups.setdefault(step.days, []).append(step)
    if list(groups) == [EVERY_DAY]:
        yield "steps = ["
        yield from (f"  {_step(therapy, step)}," for step in therapy.steps)
        yield "]"
        return
    yield "days = ["
    for days, steps in groups.items():
        inside = ", ".join(_step(therapy, step) for step in steps)
        yield f"  {{ on = {_quoted(day_names(days))}, steps = [{inside}] }},"
    yield "]"


def _step(therapy: Therapy, step: FlexStep) -> str:
    rate = Rate(therapy.rate.basis, therapy.rate.per, step.amount)
    return f'{{ from = "{clock(step.from_min)}", rate = {_rate(rate)} }}'


def _periodic(therapy: Therapy) -> Iterator[str]:
    boluses = therapy.periodic
    yield f"background = {_rate(therapy.rate)}"
    yield f"bolus = {_quoted(_amount(boluses.basis, boluses.amount))}"
    if boluses.over_s:
        yield f"over = {_time(boluses.over_s)}"
    yield f"every = {_time(boluses.every_s)}"
    if boluses.first_min != AT_ONCE:
        yield f'first = "{clock(boluses.first_min)}"'


_PROGRAMS: Final[dict[ProgramKind, Callable[[Therapy], Iterator[str]]]] = {
    ProgramKind.SIMPLE_CONTINUOUS: _simple,
    ProgramKind.FLEX: _flex,
    ProgramKind.PERIODIC: _periodic,
}


def _patient(patient: PatientBolus) -> str:
    if not patient.amount:
        return "{ }"
    keys = [f"dose = {_quoted(_amount(patient.basis, patient.amount))}"]
    if patient.over_s:
        keys.append(f"over = {_time(patient.over_s)}")
    if patient.lockout_s:
        keys.append(f"lockout = {_time(patient.lockout_s)}")
    keys.append(f"lockout_from = {_word(patient.lockout_from.name)}")
    if patient.max_per_24h:
        keys.append(f"max_per_24h = {patient.max_per_24h}")
    return f"{{ {', '.join(keys)} }}"


def _window(therapy: Therapy) -> str:
    if not therapy.window_nl:
        return "{ }"
    volume = _amount(RateBasis.VOLUME_PL, therapy.window_nl * 1000)
    return f"{{ volume = {_quoted(volume)}, window = {_time(therapy.window_s)} }}"


# --- quantities: as short as is exact -----------------------------------------------------------


def _rate(rate: Rate) -> str:
    return _quoted(f"{_amount(rate.basis, rate.amount)}/{_PER[rate.per]}")


def _amount(basis: RateBasis, amount: int) -> str:
    if basis is RateBasis.MASS_PG:
        return _mass(amount)
    nanolitres = Fraction(amount, 1000)
    return _exact(text.volume(nanolitres), f"{exact_text(nanolitres)} nL")


def _mass(pg: int) -> str:
    return _exact(text.mass(pg), f"{pg} pg")


def _exact(usual: str, finest: str) -> str:
    """Return the usual form where it is exact: "~" marks one that had to be rounded."""
    return finest if usual.startswith("~") else usual


def _time(seconds: int) -> str:
    size, unit = next((one for one in _TIMES if not seconds % one[0]), (1, "s"))
    return f'"{seconds // size} {unit}"'


def _word(name: str) -> str:
    return _quoted(name.lower())


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
