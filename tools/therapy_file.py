"""The `[therapy]` table of a file, and the prescription it asks for.

A table may be whole or partial: a key that is left out keeps the value of the therapy the pump has.
So reading takes two steps. `read` turns the table into a `TherapyTable`, each value checked by
itself; `TherapyTable.over` lays it over the current therapy and checks what only the whole can
tell. `check_device` compares the result with the hard limits of one pump, so that a person hears of
them in the words of the file; the pump checks them all again.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, NamedTuple

from protocol.codes import BolusBasal, EmergencyAction, ProgramKind, RateBasis, RatePer
from protocol.messages import (
    FILL_NOT_TOLD,
    DeviceInfo,
    Drug,
    ProgramParameters,
    Rate,
    Therapy,
)
from tools import quantity, toml_file
from tools.programmer import format as show
from tools.quantity import QuantityError
from tools.toml_file import NEVER, Table

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
LATER: Final[dict[str, object]] = {
    "steps": NEVER, "days": NEVER,
    "background": NEVER, "bolus": NEVER, "over": NEVER, "every": NEVER, "first": NEVER,
    "patient_bolus": NEVER, "window_limit": NEVER, "scheduled_change": NEVER, "limits": {},
}  # fmt: skip
"""Keys of the format that this version refuses, with the value that asks for nothing."""
LATER_MODES: Final = ("flex", "periodic")

DRUGS_MAX: Final = 5
STABILITY_DAYS_MAX: Final = 65535
_DAY_US: Final = 86_400_000_000
_NO_RATE: Final = Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0)
_UNWRITTEN: Final = Therapy(
    drugs=(),
    program=ProgramKind.STOPPED,
    rate=_NO_RATE,
    low_reservoir_nl=2_000_000,  # the low-reservoir volume of the alarm table
    stability_days=0,
    catheter_um=0,
    catheter_pl_cm=0,
    bolus_basal=BolusBasal.CONTINUE,
    emergency=EmergencyAction.STOP,
    patient_may_stop=0,
)
"""What a key that is left out means while the pump has no therapy; drugs and mode are a must."""


@dataclass(frozen=True, slots=True)
class TherapyTable:
    """A `[therapy]` table as it was written."""

    table: Table
    changes: Mapping[str, Any]
    """The fields of `Therapy` that the table gives."""
    fill_nl: int | None
    """What it tells the pump is in the reservoir."""

    def over(self, current: Therapy | None) -> ProgramParameters:
        """Return the whole prescription; `current` fills in what was left out.

        Raises FileError when something is missing or does not go together.
        """
        for key, field in (("drugs", "drugs"), ("mode", "program")):
            if current is None and field not in self.changes:
                raise self.table.error(
                    f'key "{key}" is missing; only a pump that has a therapy can keep it'
                )
        therapy = dataclasses.replace(current or _UNWRITTEN, **self.changes)
        if therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
            self._check_rate(therapy)
        elif "rate" in self.changes:
            mode = therapy.program.name.lower()
            raise self.table.error(
                f'{self.rate_key}: mode "{mode}" has no rate; leave it out', self.rate_key
            )
        else:
            therapy = dataclasses.replace(therapy, rate=_NO_RATE)
        return ProgramParameters(therapy, FILL_NOT_TOLD if self.fill_nl is None else self.fill_nl)

    def _check_rate(self, therapy: Therapy) -> None:
        if therapy.rate.amount == 0:
            given = "rate" in self.changes
            message = (
                f'{self.rate_key}: 0 is no rate; mode "stopped" delivers nothing'
                if given
                else 'mode "simple_continuous" needs dose_per_day or rate'
            )
            raise self.table.error(message, self.rate_key if given else "mode")
        primary = therapy.drugs[0]
        if therapy.rate.basis is RateBasis.MASS_PG and primary.concentration_pg_ml == 0:
            raise self.table.error(
                f"{self.rate_key}: a mass needs a concentration of {primary.name} above 0",
                self.rate_key,
            )

    def parameters(self, current: Therapy | None, device: DeviceInfo | None) -> ProgramParameters:
        """Return `over(current)`, checked against the hard limits of a pump. Raises FileError."""
        parameters = self.over(current)
        if device is not None:
            check_device(self, parameters, device)
        return parameters

    @property
    def rate_key(self) -> str:
        """The key that gives the rate."""
        return "rate" if "rate" in self.table else "dose_per_day"


def load(
    path: str, current: Therapy | None = None, device: DeviceInfo | None = None
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


def read(table: Table) -> TherapyTable:
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
    if catheter := table.table("catheter"):
        changes |= _catheter(catheter)
    return TherapyTable(table, changes, table.get("reservoir_fill", quantity.volume_nl, None))


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


def check_device(written: TherapyTable, parameters: ProgramParameters, device: DeviceInfo) -> None:
    """Check a prescription against the hard limits of one pump. Raises FileError."""
    table, therapy = written.table, parameters.therapy
    volumes = {"low_reservoir_alarm": therapy.low_reservoir_nl}
    if parameters.fill_nl != FILL_NOT_TOLD:
        volumes["reservoir_fill"] = parameters.fill_nl
    for key, volume_nl in volumes.items():
        if volume_nl > device.capacity_nl:
            asked, held = show.millilitres(volume_nl), show.millilitres(device.capacity_nl)
            raise table.error(f"{key}: {asked}: {device.model} holds {held}", key)
    if therapy.program is not ProgramKind.SIMPLE_CONTINUOUS:
        return
    flow = flow_pl_h(therapy)
    if not device.flow_min_pl_h <= flow <= device.flow_max_pl_h:
        low, high = show.rate_day(device.flow_min_pl_h), show.rate_day(device.flow_max_pl_h)
        raise table.error(
            f"{written.rate_key}: {show.rate_day(flow)}: {device.model} gives {low} to {high}",
            written.rate_key,
        )


def flow_pl_h(therapy: Therapy) -> Fraction:
    """Return the basal flow of a simple_continuous therapy, exact, pL/h."""
    amount = Fraction(therapy.rate.amount)
    if therapy.rate.basis is RateBasis.MASS_PG:
        amount = amount * 10**9 / therapy.drugs[0].concentration_pg_ml
    return amount / 24 if therapy.rate.per is RatePer.DAY else amount


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
        toml_file.choice({kind.name.lower(): kind for kind in ProgramKind}, LATER_MODES),
        "`stopped`, `minimum_rate` or `simple_continuous`",
    ),
    "dose_per_day": Key("rate", _daily_dose, "basal: mass of the primary drug per day; or `rate`"),
    "rate": Key("rate", quantity.rate, "basal: volume or mass per h or day; or `dose_per_day`"),
    "reservoir_fill": Key(
        "", quantity.volume_nl,
        "volume that the pump is told it holds; default: it is told nothing",
    ),
    "low_reservoir_alarm": Key(
        "low_reservoir_nl", quantity.volume_nl,
        "LOW_RESERVOIR at or below this volume; default 2 mL",
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
