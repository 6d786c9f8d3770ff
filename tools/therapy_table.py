"""A `[therapy]` table that was read, and the prescriptions it asks for.

A table may be whole or partial: a key that is left out keeps the value of the therapy the pump has.
`TherapyTable.over` lays it over the current therapy and checks what only the whole can tell;
`programs` adds the scheduled change, if there is one. `check_device` compares a prescription with
the hard limits of one pump, so that a person hears of them in the words of the file; the pump
checks them all again.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Protocol

from protocol.codes import BolusBasal, EmergencyAction, ProgramKind, RateBasis, RatePer
from protocol.messages import (
    FILL_NOT_TOLD,
    NO_PERIODIC,
    ProgramParameters,
    Rate,
    Therapy,
)
from tools import therapy_parts
from tools.programmer import doses
from tools.programmer import format as show
from tools.toml_file import Table

_NO_RATE: Final = Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0)
LOW_NL: Final = 2_000_000
"""The low-reservoir volume of the alarm table, while it is not known which model it is for."""
_UNWRITTEN: Final = Therapy(
    drugs=(),
    program=ProgramKind.STOPPED,
    rate=_NO_RATE,
    low_reservoir_nl=LOW_NL,
    stability_days=0,
    catheter_um=0,
    catheter_pl_cm=0,
    bolus_basal=BolusBasal.CONTINUE,
    emergency=EmergencyAction.STOP,
    patient_may_stop=0,
)
"""What a key that is left out means while the pump has no therapy; drugs and mode are a must."""
_MODE_KEYS: Final[dict[ProgramKind, tuple[str, ...]]] = {
    ProgramKind.SIMPLE_CONTINUOUS: ("dose_per_day", "rate"),
    ProgramKind.FLEX: ("steps", "days"),
    ProgramKind.PERIODIC: ("background", "bolus", "over", "every", "first"),
}
"""Keys that only one mode has."""
AHEAD_MAX_S: Final = 366 * 86_400
"""A scheduled change lies at most this far ahead."""


class HardLimits(Protocol):
    """What a prescription must keep to: of a `DeviceInfo`, or of a profile's device."""

    @property
    def model(self) -> str:
        """Name of the pump model."""

    @property
    def capacity_nl(self) -> int:
        """Reservoir capacity."""

    @property
    def flow_min_pl_h(self) -> int:
        """Lowest programmable rate."""

    @property
    def flow_max_pl_h(self) -> int:
        """Highest rate."""

    @property
    def minimum_rate_pl_h(self) -> int:
        """Lowest background of a periodic program."""

    @property
    def low_reservoir_nl(self) -> int:
        """Low-reservoir volume that is usual for the model."""


@dataclass(frozen=True, slots=True)
class ScheduledChange:
    """What takes over later."""

    table: Table
    at_wall_s: int
    therapy: "TherapyTable"


@dataclass(frozen=True, slots=True)
class TherapyTable:
    """A `[therapy]` table as it was written."""

    table: Table
    changes: Mapping[str, Any]
    """The fields of `Therapy` that the table gives, but `periodic`."""
    periodic: Mapping[str, Any]
    """The fields of `Periodic` that it gives."""
    fill_nl: int | None
    """What it tells the pump is in the reservoir."""
    scheduled: ScheduledChange | None

    def programs(
        self,
        current: Therapy | None,
        device: HardLimits | None = None,
        wall_s: int | None = None,
        low_nl: int = LOW_NL,
    ) -> tuple[ProgramParameters, ...]:
        """Return what is to be programmed, in this order: the therapy, and a scheduled change.

        A table that holds nothing but a scheduled change leaves the current therapy alone.
        `device`, when given, is the pump whose hard limits are to be kept; `wall_s` is its clock.
        Without one `low_nl` is the low-reservoir volume of its model. Raises FileError.
        """
        if (
            self.scheduled is None
            or current is None
            or set(self.table.values) - {"scheduled_change"}
        ):
            now = self.parameters(current, device, low_nl)
            if self.scheduled is None:
                return (now,)
            return now, self._then(now.therapy, device, wall_s)
        return (self._then(current, device, wall_s),)

    def parameters(
        self, current: Therapy | None, device: HardLimits | None, low_nl: int = LOW_NL
    ) -> ProgramParameters:
        """Return `over(current)`, checked against the hard limits of a pump. Raises FileError."""
        parameters = self.over(current, low_nl if device is None else device.low_reservoir_nl)
        if device is not None:
            check_device(self, parameters, device)
        return parameters

    def over(self, current: Therapy | None, low_nl: int = LOW_NL) -> ProgramParameters:
        """Return the whole prescription; `current` fills in what was left out.

        Where there is none, `low_nl` is the low-reservoir volume.
        Raises FileError when something is missing or does not go together.
        """
        for key, field in (("drugs", "drugs"), ("mode", "program")):
            if current is None and field not in self.changes:
                raise self.table.error(
                    f'key "{key}" is missing; only a pump that has a therapy can keep it'
                )
        kept = current or dataclasses.replace(_UNWRITTEN, low_reservoir_nl=low_nl)
        mode = self.changes.get("program", kept.program)
        if current is None or kept.program is not mode:  # nothing of another mode is kept
            kept = dataclasses.replace(kept, rate=_NO_RATE, steps=(), periodic=NO_PERIODIC)
        self._check_keys(mode)
        therapy = dataclasses.replace(
            kept, **self.changes, periodic=dataclasses.replace(kept.periodic, **self.periodic)
        )
        self._check(therapy, new_mode=current is None or current.program is not mode)
        return ProgramParameters(therapy, FILL_NOT_TOLD if self.fill_nl is None else self.fill_nl)

    def _then(
        self, current: Therapy, device: HardLimits | None, wall_s: int | None
    ) -> ProgramParameters:
        assert self.scheduled is not None
        at_wall_s, table = self.scheduled.at_wall_s, self.scheduled.table
        if wall_s is not None and at_wall_s <= wall_s:
            raise table.error(f"at: in the past; the pump's clock says {show.date(wall_s)}", "at")
        if wall_s is not None and at_wall_s > wall_s + AHEAD_MAX_S:
            raise table.error("at: more than 366 days ahead", "at")
        parameters = self.scheduled.therapy.parameters(current, device)
        if parameters.therapy.drugs != current.drugs:
            raise self.scheduled.therapy.table.error(
                "drugs: what is in the reservoir does not change by itself", "drugs"
            )
        return dataclasses.replace(parameters, at_wall_s=at_wall_s)

    def _check_keys(self, mode: ProgramKind) -> None:
        """Refuse keys of another mode."""
        name = mode.name.lower()
        for owner, keys in _MODE_KEYS.items():
            for key in keys:
                if owner is not mode and key in self.table:
                    what = "rate" if owner is ProgramKind.SIMPLE_CONTINUOUS else key
                    raise self.table.error(f'{key}: mode "{name}" has no {what}; leave it out', key)

    def _check(self, therapy: Therapy, new_mode: bool) -> None:
        """Refuse a therapy in which something is missing."""
        if therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
            self._check_rate(new_mode)
        elif therapy.program is ProgramKind.FLEX and not therapy.steps:
            raise self.table.error('mode "flex" needs steps or days', "mode")
        elif therapy.program is ProgramKind.PERIODIC:
            self._check_periodic(therapy, new_mode)
        primary = therapy.drugs[0]
        if primary.concentration_pg_ml == 0 and (key := self._mass_key(therapy)):
            raise self.table.error(
                f"{key}: a mass needs a concentration of {primary.name} above 0", key
            )

    def _check_rate(self, new_mode: bool) -> None:
        """Refuse no rate at all; whether 0 is one depends on the pump."""
        if new_mode and "rate" not in self.changes:
            raise self.table.error('mode "simple_continuous" needs dose_per_day or rate', "mode")

    def _check_periodic(self, therapy: Therapy, new_mode: bool) -> None:
        boluses = therapy.periodic
        needed = ("background", "bolus", "every")
        if new_mode and (missing := [key for key in needed if key not in self.table]):
            raise self.table.error(f'mode "periodic" needs {" and ".join(missing)}', "mode")
        for key, value in (("bolus", boluses.amount), ("every", boluses.every_s)):
            if not value:
                raise self.table.error(f'{key}: 0 is none; mode "periodic" needs one', key)
        if boluses.over_s >= boluses.every_s:
            key = "over" if "over" in self.table else "every"
            raise self.table.error(f"{key}: a bolus would last until the next one or longer", key)

    def _mass_key(self, therapy: Therapy) -> str | None:
        """Return the key of an amount that is a mass of the primary drug."""
        if therapy.rate.basis is RateBasis.MASS_PG and therapy.program in _MODE_KEYS:
            return self.rate_key
        if therapy.periodic.amount and therapy.periodic.basis is RateBasis.MASS_PG:
            return "bolus"
        if therapy.patient.amount and therapy.patient.basis is RateBasis.MASS_PG:
            return "patient_bolus"
        return None

    @property
    def rate_key(self) -> str:
        """The key that gives the rate."""
        keys = ("rate", "background", "steps", "days")
        return next((key for key in keys if key in self.table), "dose_per_day")


def check_device(written: TherapyTable, parameters: ProgramParameters, device: HardLimits) -> None:
    """Check a prescription against the hard limits of one pump. Raises FileError."""
    for key, message in misfits(parameters, device, written.rate_key):
        raise written.table.error(message, key)


def misfits(
    parameters: ProgramParameters, device: HardLimits, rate_key: str = "rate"
) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong) of all that one pump cannot do."""
    therapy, model = parameters.therapy, device.model
    volumes = {"low_reservoir_alarm": therapy.low_reservoir_nl}
    if parameters.fill_nl != FILL_NOT_TOLD:
        volumes["reservoir_fill"] = parameters.fill_nl
    held = show.millilitres(device.capacity_nl)
    for key, volume_nl in volumes.items():
        if volume_nl > device.capacity_nl:
            yield key, f"{key}: {show.millilitres(volume_nl)}: {model} holds {held}"
    if therapy.low_reservoir_nl == device.capacity_nl:
        key = "low_reservoir_alarm"
        yield key, f"{key}: {held}: a full {model} is not low; give less"
    for name, flow, low_pl_h in _flows(therapy, device):
        if not low_pl_h <= flow <= device.flow_max_pl_h:
            low, high = show.rate_day(low_pl_h), show.rate_day(device.flow_max_pl_h)
            wrong = f"{name}{show.rate_day(flow)}: {model} gives {low} to {high}"
            yield rate_key, f"{rate_key}: {wrong}"


def _flows(therapy: Therapy, device: HardLimits) -> list[tuple[str, Fraction, int]]:
    """Return (name, flow, lowest; pL/h) of each rate that must be within the pump's range."""
    lowest = device.flow_min_pl_h
    if therapy.program is ProgramKind.FLEX:
        return [
            (f"from {therapy_parts.clock(step.from_min)} ", doses.step_pl_h(therapy, step), lowest)
            for step in therapy.steps
        ]
    if therapy.program is ProgramKind.PERIODIC:  # a background may be as low as the pump can go
        return [("", doses.flow_pl_h(therapy, therapy.rate), device.minimum_rate_pl_h)]
    if therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
        return [("", doses.flow_pl_h(therapy, therapy.rate), lowest)]
    return []
