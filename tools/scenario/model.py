"""A scenario file, read and checked: all that `runner` needs, frozen.

Reading checks everything that can be told without running: unknown keys, wrong units, impossible
values, instants past the end, names of measures, faults, profiles and codes, and therapies that are
incomplete where they are used. Whatever is wrong is one line `FILE:LINE: message`.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

from emulator.devices.fluid import Drug as FluidDrug
from emulator.devices.plant import BIAS_MAX_PPM, BIAS_MIN_PPM, PlantSetup
from emulator.faults import check_parts
from emulator.profile import Profile, ProfileError
from firmware.checks import Refused
from firmware.device import DeviceConfig
from firmware.program_checks import check_program
from protocol.messages import FILL_NOT_TOLD, Drug, ProgramParameters, Refusal, Therapy
from tools import quantity, therapy_file, toml_file
from tools.programmer import refusals
from tools.quantity import shown
from tools.scenario import actions, expect
from tools.scenario.expect import Expectation
from tools.scenario.steps import Inject, Program, Refill, Step
from tools.toml_file import Table
from tools.wall_clock import since_epoch_s, wall_s

SEED_MAX: Final = 10**18 - 1
"""Keeps the serial number that is made from it within its field."""
START: Final = datetime.datetime(2027, 1, 1)
"""Pump wall clock at t = 0 when a file does not say; any date does."""
PLANT_KEYS: Final[dict[str, str]] = {
    "fill": "volume in the reservoir; default: the therapy's `reservoir_fill`, else full",
    "drugs": "what is dissolved in it, a list as in `[therapy]`; default: the therapy's drugs",
    "path": "what tubing and catheter hold: `primed`, the same solution (default); "
    "`saline` or `empty`, no drug",
    "flow_bias_percent": "how much more each stroke gives than the pump believes, above -100 and "
    "at most 1000; default 0",
    "battery_percent": "charge, 0 to 100, whole; default 100",
    "implanted": "wall-clock time when the service life began; default: `start`",
}
"""Keys of `[plant]`, and what each says."""
PLANT_LATER: Final[dict[str, object]] = {
    "noise_percent": 0, "temperature_c": 37, "pressure_kpa": Decimal("101.325"),
}  # fmt: skip
"""Keys of `[plant]` that this version refuses, unless they say what is so anyway."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario."""

    name: str
    profile: Profile
    seed: int
    start_wall_s: int
    """Pump wall clock at t = 0, seconds since 2000-01-01."""
    implanted_wall_s: int
    duration_us: int
    plant: PlantSetup
    programs: tuple[ProgramParameters, ...]
    """What is programmed at t = 0: a therapy, and perhaps a scheduled change."""
    steps: tuple[Step, ...]
    """In the order in which they are done."""
    expectations: tuple[Expectation, ...]
    """In file order."""
    drugs: tuple[str, ...]
    """Names of all drugs that occur, in order of appearance."""


def load(path: str) -> Scenario:
    """Return the scenario of a file. Raises FileError."""
    return read(toml_file.load(path))


def read(top: Table) -> Scenario:
    """Return the scenario of a file's top table. Raises FileError."""
    top.only(therapy_file.SCENARIO_KEYS)
    profile = top.take("profile", _profile_reader(Path(top.file).parent))
    start_wall_s = top.get("start", wall_s, since_epoch_s(START))
    duration_us = top.take("duration", quantity.positive_us)
    instant = _instant_reader(start_wall_s, duration_us, top.values["duration"])
    written = top.table("therapy")
    programs = () if written is None else _therapy(written, profile.device, start_wall_s)
    program = programs[0] if programs else None
    plan = tuple(
        sorted((actions.read(item, instant) for item in top.tables("step")), key=lambda s: s.at_us)
    )
    asked = [*programs, *_programs(plan, program.therapy if program else None)]
    for step in plan:
        if isinstance(step, Inject):
            _check_parts(step, profile)
    plant, implanted_wall_s = _plant(top, profile, program, start_wall_s)
    drugs = [drug.name for drug in plant.drugs]
    drugs += [drug.name for one in asked for drug in one.therapy.drugs]
    drugs += [drug.name for step in plan if isinstance(step, Refill) for drug in step.drugs]
    drugs = list(dict.fromkeys(drugs))
    return Scenario(
        name=top.file,
        profile=profile,
        seed=top.get("seed", toml_file.integer(0, SEED_MAX), 1),
        start_wall_s=start_wall_s,
        implanted_wall_s=implanted_wall_s,
        duration_us=duration_us,
        plant=plant,
        programs=programs,
        steps=plan,
        expectations=tuple(
            expect.read(item, instant, duration_us, drugs) for item in top.tables("expect")
        ),
        drugs=tuple(drugs),
    )


def _therapy(table: Table, device: DeviceConfig, wall_s: int) -> tuple[ProgramParameters, ...]:
    """Return what `[therapy]` asks for; the pump would grant it. Raises FileError."""
    programs = therapy_file.read(table).programs(None, device, wall_s)
    for program in programs:
        try:
            check_program(program, device)
        except Refused as no:
            why = refusals.sentence(no.code, Refusal(no.id, no.value, no.limit))
            raise table.error(f"therapy: {device.model} refuses it: {why}") from None
    return programs


def _check_parts(step: Inject, profile: Profile) -> None:
    """Refuse a fault that this model cannot have. Raises FileError."""
    try:
        check_parts(step.fault, step.parameters, profile.plant.parts)
    except ValueError as error:
        raise step.place.error(str(error)) from None


def _programs(plan: tuple[Step, ...], current: Therapy | None) -> list[ProgramParameters]:
    """Return what each `program` step asks for, were all of them granted. Raises FileError."""
    programs: list[ProgramParameters] = []
    for step in plan:
        if isinstance(step, Program):
            programs += step.therapy.programs(current)
            current = next((one.therapy for one in programs[::-1] if not one.at_wall_s), current)
    return programs


def _plant(
    top: Table, profile: Profile, program: ProgramParameters | None, start_wall_s: int
) -> tuple[PlantSetup, int]:
    """Return the physics at t = 0, and when the pump was implanted."""
    table = top.table("plant") or Table(top.file, top.lines, ("plant",), {})
    table.only(PLANT_KEYS, PLANT_LATER)
    capacity_nl = profile.device.capacity_nl
    told = program is not None and program.fill_nl != FILL_NOT_TOLD
    default_pl = min(program.fill_nl if program and told else capacity_nl, capacity_nl) * 1000
    drugs = program.therapy.drugs if program else ()
    if "drugs" in table:
        drugs = therapy_file.read_drugs(table)
    setup = PlantSetup(
        fill_pl=table.get("fill", _fill_reader(capacity_nl * 1000), default_pl),
        drugs=fluid(drugs),
        path=table.get("path", toml_file.choice(_PATHS), "primed"),
        tubing_pl=profile.device.tubing_nl * 1000,
        catheter_pl=_catheter_pl(program.therapy) if program else 0,
        flow_bias_ppm=table.get("flow_bias_percent", _bias_ppm, 0),
        battery_percent=table.get("battery_percent", toml_file.integer(0, 100), 100),
        start_wall_s=start_wall_s,
    )
    implanted_wall_s = table.get("implanted", wall_s, start_wall_s)
    if implanted_wall_s > start_wall_s:
        raise table.error("implanted: later than start", "implanted")
    return setup, implanted_wall_s


def fluid(drugs: tuple[Drug, ...]) -> tuple[FluidDrug, ...]:
    """Return prescribed drugs as what is physically dissolved."""
    return tuple(FluidDrug(drug.name, drug.concentration_pg_ml) for drug in drugs)


def _catheter_pl(therapy: Therapy) -> int:
    """Return the catheter's volume; a part of a picolitre is dropped."""
    return therapy.catheter_um * therapy.catheter_pl_cm // 10_000


def _profile_reader(folder: Path) -> Callable[[object], Profile]:
    """Return a reader of a profile's name, or of a file's path, from the scenario's folder on."""

    def read_profile(value: object) -> Profile:
        name = toml_file.text(value)
        try:
            return Profile.load(folder / name if name.endswith(".toml") else name)
        except ProfileError as error:
            raise ValueError(" ".join(str(error).split())) from None

    return read_profile


def _instant_reader(start_wall_s: int, duration_us: int, duration: object) -> Callable[[Any], int]:
    """Return a reader of `at`: a time since t = 0 or a wall-clock time, both as µs since t = 0."""

    def read_instant(value: object) -> int:
        if isinstance(value, datetime.datetime):
            at_us = (wall_s(value) - start_wall_s) * 10**6
            if at_us < 0:
                raise ValueError(f"{value.isoformat()}: before the start of the scenario")
        else:
            at_us = quantity.duration_us(value)
        if at_us > duration_us:
            raise ValueError(f"{shown(value)}: past the duration of {shown(duration)}")
        return at_us

    return read_instant


def _fill_reader(capacity_pl: int) -> Callable[[object], int]:
    def read_fill(value: object) -> int:
        fill_pl = quantity.volume_pl(value)
        if fill_pl > capacity_pl:
            held = quantity.exact_text(Fraction(capacity_pl, 10**9))
            raise ValueError(f"{shown(value)}: the reservoir holds {held} mL")
        return fill_pl

    return read_fill


def _bias_ppm(value: object) -> int:
    ppm = quantity.number(value) * 10_000
    if ppm.denominator != 1:
        raise ValueError(f"{shown(value)}: finer than 0.0001 %")
    if not BIAS_MIN_PPM <= ppm <= BIAS_MAX_PPM:
        raise ValueError(f"{shown(value)}: must be above -100 and at most {BIAS_MAX_PPM // 10_000}")
    return int(ppm)


_PATHS: Final[dict[str, Literal["primed", "saline", "empty"]]] = {
    "primed": "primed", "saline": "saline", "empty": "empty",
}  # fmt: skip
