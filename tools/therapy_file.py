"""The `[therapy]` table of a file: its keys, and how each is read.

`read` turns a table into a `TherapyTable` (`tools.therapy_table`), each value checked by itself.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from protocol.codes import BolusBasal, EmergencyAction, ProgramKind, RateBasis, RatePer
from protocol.messages import Drug, ProgramParameters, Rate, Therapy
from tools import quantity, therapy_parts, toml_file, wall_clock
from tools.quantity import QuantityError
from tools.therapy_table import HardLimits, ScheduledChange, TherapyTable
from tools.toml_file import Table

SCENARIO_KEYS: Final[dict[str, str]] = {
    "profile": "pump model: a name, or a `.toml` file as seen from the scenario's folder",
    "seed": "whole number from which all chance is drawn; default 1",
    "start": "pump wall clock at t = 0; default 2027-01-01T00:00:00",
    "duration": "how long the run is",
    "plant": "what is physically true at t = 0",
    "therapy": "what is programmed at t = 0; without it the pump is stopped",
    "step": "a list: what is done",
    "expect": "a list: what must hold",
}
"""Top-level keys of a scenario file, which may stand beside `[therapy]`, and what each is."""
LATER: Final[dict[str, object]] = {"limits": {}}
"""Keys of the format that this version refuses, with the value that asks for nothing."""

DRUGS_MAX: Final = 5
STABILITY_DAYS_MAX: Final = 65535
_DAY_US: Final = 86_400_000_000


def load(
    path: str, current: Therapy | None = None, device: HardLimits | None = None
) -> ProgramParameters:
    """Return what a file asks for, laid over the current therapy and checked for a pump.

    Raises FileError with one line for people.
    """
    return load_table(path).parameters(current, device)


def load_table(path: str) -> TherapyTable:
    """Return the `[therapy]` table of a file, alone or within a scenario. Raises FileError."""
    top = toml_file.load(path)
    top.only(SCENARIO_KEYS)
    table = top.table("therapy")
    if table is None:
        raise top.error("no [therapy] table; it holds drugs, mode and dose_per_day")
    return read(table)


def read(table: Table, may_schedule: bool = True) -> TherapyTable:
    """Return a `[therapy]` table, each value checked by itself. Raises FileError."""
    table.only(KEYS, LATER)
    if "dose_per_day" in table and "rate" in table:
        raise table.error("rate: dose_per_day is given too; give one of them", "rate")
    changes: dict[str, Any] = {}
    for key, (field, convert, _) in KEYS.items():
        if field and key in table:
            changes[field] = table.take(key, convert)
    if "drugs" in table:
        changes["drugs"] = read_drugs(table)
    if "steps" in table or "days" in table:
        changes["rate"], changes["steps"] = therapy_parts.flex(table)
    if catheter := table.table("catheter"):
        changes |= _catheter(catheter)
    if (patient := table.table("patient_bolus")) is not None:
        changes["patient"] = therapy_parts.patient_bolus(patient)
    if (window := table.table("window_limit")) is not None:
        changes |= therapy_parts.window_limit(window)
    scheduled = table.table("scheduled_change")
    if scheduled is not None and not may_schedule:
        raise table.error(
            "scheduled_change: one at a time; it cannot hold another", "scheduled_change"
        )
    return TherapyTable(
        table,
        changes,
        therapy_parts.periodic(table),
        table.get("reservoir_fill", quantity.volume_nl, None),
        None if scheduled is None else _scheduled(scheduled),
    )


def _scheduled(table: Table) -> ScheduledChange:
    table.only(("at", "therapy"))
    at_wall_s = table.take("at", wall_clock.wall_s)
    inner = table.table("therapy")
    if inner is None:
        raise table.error('key "therapy" is missing, e.g. therapy = { dose_per_day = "300 ug" }')
    therapy = read(inner, may_schedule=False)
    if therapy.fill_nl is not None:
        raise inner.error("reservoir_fill: a fill cannot be told in advance", "reservoir_fill")
    return ScheduledChange(table, at_wall_s, therapy)


def read_drugs(table: Table) -> tuple[Drug, ...]:
    """Return the key `drugs` of a table, primary first. Raises FileError."""
    items = table.tables("drugs")
    if not 1 <= len(items) <= DRUGS_MAX:
        raise table.error(f"drugs: {len(items)} of them; a reservoir holds 1 to 5", "drugs")
    drugs: dict[str, Drug] = {}
    for item in items:
        item.only(("name", "concentration"))
        name = item.take("name", _drug_name)
        if name in drugs:
            raise item.error(f'name: "{name}" is listed twice', "name")
        drugs[name] = Drug(name, item.take("concentration", quantity.concentration_pg_ml))
    return tuple(drugs.values())


def _catheter(table: Table) -> dict[str, int]:
    table.only(("length", "volume"))
    return {
        "catheter_um": table.take("length", quantity.length_um),
        "catheter_pl_cm": table.take("volume", quantity.volume_per_length_pl_cm),
    }


def _drug_name(value: object) -> str:
    name = toml_file.text(value)
    if not name or name != name.strip() or len(name.encode()) > 24:
        raise ValueError(f"{quantity.shown(name)}: a drug name is 1 to 24 characters")
    if not name.isprintable():  # a line feed or an escape would draw a review of its own
        raise ValueError(f"{name!a}: a drug name is of printable characters")
    if name != name.lower():
        raise ValueError(f'"{name}": drug names are lower case: "{name.lower()}"')
    return name


def _daily_dose(value: object) -> Rate:
    return Rate(RateBasis.MASS_PG, RatePer.DAY, quantity.mass_pg(value))


def _whole_days(value: object) -> int:
    days, rest = divmod(quantity.duration_us(value), _DAY_US)
    if rest or not 1 <= days <= STABILITY_DAYS_MAX:
        raise QuantityError(f'{quantity.shown(value)}: whole days are needed, e.g. "180d"')
    return days


def _flag(value: object) -> int:
    return int(toml_file.boolean(value))


class Key(NamedTuple):
    """One key of `[therapy]`."""

    field: str
    """Field of Therapy; a key without one is read by its own function."""
    read: Callable[[Any], Any]
    doc: str


KEYS: Final[dict[str, Key]] = {
    "drugs": Key(
        "", read_drugs,
        '1 to 5 of `{ name = "...", concentration = "..." }`; the first is the primary drug',
    ),
    "mode": Key(
        "program",
        toml_file.choice({kind.name.lower(): kind for kind in ProgramKind}),
        "`stopped`, `minimum_rate`, `simple_continuous`, `flex` or `periodic`",
    ),
    "dose_per_day": Key("rate", _daily_dose, "basal: mass of the primary drug per day; or `rate`"),
    "rate": Key("rate", quantity.rate, "basal: volume or mass per h or day; or `dose_per_day`"),
    "steps": Key(
        "", therapy_parts.flex,
        'flex: at most 13 of `{ from = "06:00", rate = "10 ug/h" }`, the same every day',
    ),
    "days": Key(
        "", therapy_parts.flex,
        'flex, in place of `steps`: groups `{ on = "mon-fri", steps = [...] }` that cover the week',
    ),
    "background": Key("rate", quantity.rate, "periodic: rate between the boluses"),
    "bolus": Key("", therapy_parts.periodic, "periodic: dose or volume of each bolus"),
    "over": Key(
        "", therapy_parts.periodic,
        "periodic: time to give each over; default: as fast as the pump may",
    ),
    "every": Key("", therapy_parts.periodic, "periodic: from the start of one to the next"),
    "first": Key(
        "", therapy_parts.periodic,
        'periodic: time of day of the first, such as `"08:00"`; default: at once',
    ),
    "reservoir_fill": Key(
        "", quantity.volume_nl,
        "volume that the pump is told it holds; default: it is told nothing",
    ),
    "low_reservoir_alarm": Key(
        "low_reservoir_nl", quantity.volume_nl,
        "LOW_RESERVOIR at or below this volume; default: the model's",
    ),
    "stability": Key(
        "stability_days", _whole_days,
        "whole days that the drugs last, for the refill date; default: not given",
    ),
    "catheter": Key(
        "", _catheter,
        '`{ length = "...", volume = "..." }`, the volume per cm; default: none',
    ),
    "bolus_basal": Key(
        "bolus_basal",
        toml_file.choice({kind.name.lower(): kind for kind in BolusBasal}),
        "the basal during a bolus: `continue` (default) or `pause`",
    ),
    "patient_bolus": Key(
        "", therapy_parts.patient_bolus,
        "what the patient may give himself, see below; `{ }`: nothing; default: nothing",
    ),
    "window_limit": Key(
        "", therapy_parts.window_limit,
        '`{ volume = "200 uL", window = "24 h" }`: most in any such time, the basal counted; '
        "`{ }`: no limit; default: none",
    ),
    "scheduled_change": Key(
        "", _scheduled,
        "`{ at = 2027-01-11T08:00:00, therapy = { ... } }`: takes over then, whole or partial",
    ),
    "emergency": Key(
        "emergency",
        toml_file.choice({kind.name.lower(): kind for kind in EmergencyAction}),
        "kept for a later version: `stop` (default) or `minimum_rate`",
    ),
    "patient_may_stop": Key(
        "patient_may_stop", _flag,
        "kept for a later version; default `false`",
    ),
}  # fmt: skip
"""What a `[therapy]` table holds."""
