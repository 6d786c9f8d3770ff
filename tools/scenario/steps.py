"""What can be done in a scenario: one table of actions, each a small frozen dataclass.

`read` turns a `[[step]]` table into one of them. An action, or a key of one, that belongs to the
format but not to this version is refused by name, so that nothing is ever silently left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from emulator.faults import FAULTS
from hal.interfaces import ResetCause
from protocol.codes import Code, RateBasis
from tools import quantity, therapy_file, toml_file
from tools.scenario import faults
from tools.scenario.faults import Parameters
from tools.therapy_file import TherapyTable
from tools.toml_file import NEVER, Place, Table


@dataclass(frozen=True, slots=True)
class Step:
    """Something done at one instant; `at_us` counts from t = 0."""

    at_us: int
    place: Place


@dataclass(frozen=True, slots=True)
class Program(Step):
    """A clinician programs a therapy, whole or partial."""

    therapy: TherapyTable


@dataclass(frozen=True, slots=True)
class Bolus(Step):
    """A clinician gives a single bolus; duration 0 is as fast as allowed."""

    basis: RateBasis
    amount: int
    duration_us: int
    again: bool


@dataclass(frozen=True, slots=True)
class Stop(Step):
    """A clinician stops the pump."""


@dataclass(frozen=True, slots=True)
class Resume(Step):
    """A clinician starts it again."""


@dataclass(frozen=True, slots=True)
class Interrogate(Step):
    """A clinician's real read, which the pump logs."""


@dataclass(frozen=True, slots=True)
class Refill(Step):
    """All residual is taken out, `injected_nl` goes in, and the pump is told."""

    injected_nl: int


@dataclass(frozen=True, slots=True)
class ClearAlarm(Step):
    """A clinician clears a latched alarm: selects it and confirms."""

    code: Code


@dataclass(frozen=True, slots=True)
class Reset(Step):
    """The controller resets; memory in flash and the wall clock survive."""

    cause: ResetCause


@dataclass(frozen=True, slots=True)
class PowerCut(Step):
    """The pump is without power for a while."""

    duration_us: int


@dataclass(frozen=True, slots=True)
class Inject(Step):
    """A fault begins; it lasts until cleared, or for `for_us`."""

    fault: str
    parameters: Parameters
    for_us: int | None


@dataclass(frozen=True, slots=True)
class Clear(Step):
    """A fault ends."""

    fault: str


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the table of actions."""

    doc: str
    keys: dict[str, str]
    """Its keys besides `at` and `do`, and what each says."""
    read: Callable[[Table, int, Place], Step]
    later: dict[str, object] = field(default_factory=dict)
    """Keys of a later version, with the value that asks for nothing."""


def read(table: Table, instant: Callable[[Any], int]) -> Step:
    """Return the step a table asks for; `instant` reads its `at`. Raises FileError."""
    name = table.take("do", toml_file.choice({name: name for name in ACTIONS}, LATER_ACTIONS))
    action = ACTIONS[name]
    keys: tuple[str, ...] = ("at", "do", *action.keys)
    if name == "inject":
        keys += faults.keys(table.take("fault", _fault))
    table.only(keys, action.later)
    return action.read(table, table.take("at", instant), table.place())


def _program(table: Table, at_us: int, place: Place) -> Step:
    therapy = table.table("therapy")
    if therapy is None:
        raise table.error('key "therapy" is missing, e.g. therapy = { dose_per_day = "300 ug" }')
    return Program(at_us, place, therapy_file.read(therapy))


def _bolus(table: Table, at_us: int, place: Place) -> Step:
    if ("dose" in table) == ("volume" in table):
        raise table.error('a bolus needs either dose or volume, e.g. dose = "20 ug"')
    table.get("kind", toml_file.choice({"single": None}, LATER_BOLUSES), None)
    if "dose" in table:
        basis, amount = RateBasis.MASS_PG, table.take("dose", quantity.mass_pg)
    else:
        basis, amount = RateBasis.VOLUME_PL, table.take("volume", quantity.volume_pl)
    over_us = table.get("over", quantity.duration_us, 0)
    return Bolus(at_us, place, basis, amount, over_us, table.get("again", toml_file.boolean, False))


def _bare(kind: type[Step]) -> Callable[[Table, int, Place], Step]:
    """Return the reader of an action that has no keys of its own."""
    return lambda table, at_us, place: kind(at_us, place)


def _refill(table: Table, at_us: int, place: Place) -> Step:
    return Refill(at_us, place, table.take("injected", quantity.volume_nl))


def _clear_alarm(table: Table, at_us: int, place: Place) -> Step:
    return ClearAlarm(at_us, place, table.take("code", toml_file.choice(_ALARMS)))


def _reset(table: Table, at_us: int, place: Place) -> Step:
    return Reset(at_us, place, table.get("cause", toml_file.choice(_CAUSES), ResetCause.COMMANDED))


def _power_cut(table: Table, at_us: int, place: Place) -> Step:
    return PowerCut(at_us, place, table.take("for", positive_us))


def _inject(table: Table, at_us: int, place: Place) -> Step:
    fault = table.take("fault", _fault)
    for_us = table.get("for", positive_us, None)
    if for_us is not None and not faults.lasts(fault):
        raise table.error(f"for: {fault} happens once; leave it out", "for")
    return Inject(at_us, place, fault, faults.read(fault, table), for_us)


def _clear(table: Table, at_us: int, place: Place) -> Step:
    fault = table.take("fault", _fault)
    if not faults.lasts(fault):
        raise table.error(f"fault: {fault} happens once; there is nothing to clear", "fault")
    return Clear(at_us, place, fault)


def _fault(value: object) -> str:
    return toml_file.choice({name: name for name in FAULTS}, LATER_FAULTS)(value)


def positive_us(value: object) -> int:
    """Return a time longer than 0, µs. Raises ValueError."""
    duration_us = quantity.duration_us(value)
    if duration_us == 0:
        raise ValueError(f"{quantity.shown(value)}: must be longer than 0")
    return duration_us


def _words(options: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in options)


_ALARMS: Final = {code.name: code for code in Code if code < 64}
_CAUSES: Final = {cause.name.lower(): cause for cause in ResetCause}

ACTIONS: Final[dict[str, Action]] = {
    "program": Action(
        "A clinician programs a therapy; the rest of the one the pump has stays as it is.",
        {"therapy": "table with the keys of `[therapy]` that change"},
        _program,
        {"override": False},
    ),
    "bolus": Action(
        "A clinician gives a single bolus, on top of the basal unless the therapy pauses it.",
        {
            "dose": "mass of the primary drug; this or `volume`",
            "volume": "volume; this or `dose`",
            "over": "time to give it over; default: as fast as the pump may",
            "again": "`true`: the like of a bolus begun less than 10 min ago is meant",
            "kind": '`"single"`, which is the default',
        },
        _bolus,
        {"override": False},
    ),
    "stop": Action("A clinician stops the pump; a stroke under way is finished.", {}, _bare(Stop)),
    "resume": Action("A clinician starts a stopped pump again.", {}, _bare(Resume)),
    "interrogate": Action(
        "A clinician's read at the start of a visit, which the pump logs.", {}, _bare(Interrogate)
    ),
    "refill": Action(
        "All residual is taken out, the drugs of the prescription go in, and the pump is told. "
        "When the pump refuses, nothing is filled.",
        {"injected": "volume that goes in"},
        _refill,
        dict.fromkeys(("actual_residual", "entered", "entered_residual", "drugs"), NEVER),
    ),
    "clear_alarm": Action(
        "A clinician clears a latched alarm: selects it and confirms.",
        {"code": "the alarm"},
        _clear_alarm,
    ),
    "reset": Action(
        "The controller resets and boots; flash, wall clock and encoder count survive.",
        {"cause": f"{_words(_CAUSES)}; default `commanded`"},
        _reset,
    ),
    "inject": Action(
        "A fault begins, in place of one of that name.",
        {
            "fault": "its name",
            "for": "it ends after this time; default: until `clear`",
        },
        _inject,
    ),
    "clear": Action("A fault ends.", {"fault": "its name"}, _clear),
    "power_cut": Action(
        "The pump is without power, then boots; flash and wall clock survive.",
        {"for": "how long"},
        _power_cut,
    ),
}
"""`do` -> what is done. A fault's parameters are keys of `inject` too."""

LATER_ACTIONS: Final = (
    "patient_bolus", "recover", "wake", "emergency_stop", "acknowledge", "alarm_test", "set_clock",
    "link", "disconnect", "kill", "snapshot", "restore", "near_field",
)  # fmt: skip
LATER_BOLUSES: Final = ("prime", "prime_catheter", "bridge", "loading")
LATER_FAULTS: Final = (
    "motor.stall", "motor.stall_intermittent", "motor.lost_strokes", "motor.runaway",
    "motor.stuck_on", "motor.wear", "encoder.dead", "encoder.stuck", "encoder.noise",
    "reservoir.wrong_fill", "reservoir.pocket_fill", "reservoir.leak", "reservoir.air",
    "reservoir.overpressure", "sensor.level_bias", "sensor.level_stuck", "catheter.occlusion",
    "catheter.kink", "catheter.disconnected", "catheter.leak", "battery.film", "battery.short",
    "supply.brownout", "feedthrough.short", "flash.torn_write", "flash.bit_flip",
    "flash.worn_sector", "ram.bit_flip", "clock.drift", "clock.jump", "clock.lost",
    "watchdog.bite", "core.hang", "temperature", "ambient_pressure", "link.loss", "link.delay",
    "link.duplicate", "link.reorder", "link.replay", "telemetry.emi", "sounder.dead",
)  # fmt: skip
"""Names of the format that this version refuses as not delivered yet."""
