"""The table of actions: what a `[[step]]` may ask for, and how each is read.

`read` turns a `[[step]]` table into a step. An action, or a key of one, that belongs to the format
but not to this version is refused by name, so that nothing is ever silently left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from emulator.faults import FAULTS
from hal.interfaces import ResetCause
from protocol.codes import BolusKind, Code, RateBasis
from protocol.messages import BolusParameters
from protocol.operations import BY_NAME
from tools import quantity, therapy_file, toml_file, wall_clock
from tools.scenario import faults
from tools.scenario.steps import (
    Bolus,
    Clear,
    ClearAlarm,
    Disconnect,
    Inject,
    Interrogate,
    PatientBolus,
    PowerCut,
    Program,
    Refill,
    Reset,
    Resume,
    SetClock,
    Step,
    Stop,
)
from tools.toml_file import Place, Table


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
    override = table.get("override", toml_file.boolean, False)
    return Program(at_us, place, therapy_file.read(therapy), override)


def _bolus(table: Table, at_us: int, place: Place) -> Step:
    kind = table.get("kind", toml_file.choice(_BOLUSES), BolusKind.SINGLE)
    allowed, read_dose = _BOLUS_KEYS[kind]
    for key in ("dose", "volume", "over", "again", "override"):
        if key in table and key not in allowed:
            raise table.error(f"{key}: a bolus of kind {kind.name.lower()} has none", key)
    basis, amount = read_dose(table)
    parameters = BolusParameters(
        kind,
        basis,
        amount,
        duration_us=table.get("over", quantity.duration_us, 0),
        again=int(table.get("again", toml_file.boolean, False)),
        override=int(table.get("override", toml_file.boolean, False)),
    )
    return Bolus(at_us, place, parameters)


def _dose(table: Table) -> tuple[RateBasis, int]:
    if ("dose" in table) == ("volume" in table):
        raise table.error('a bolus needs either dose or volume, e.g. dose = "20 ug"')
    if "dose" in table:
        return RateBasis.MASS_PG, table.take("dose", quantity.mass_pg)
    return RateBasis.VOLUME_PL, table.take("volume", quantity.volume_pl)


def _no_dose(table: Table) -> tuple[RateBasis, int]:
    return RateBasis.VOLUME_PL, 0


def _bridging_dose(table: Table) -> tuple[RateBasis, int]:
    return table.get("dose", quantity.per_day, (RateBasis.MASS_PG, 0))


def _bare(kind: type[Step]) -> Callable[[Table, int, Place], Step]:
    """Return the reader of an action that has no keys of its own."""
    return lambda table, at_us, place: kind(at_us, place)


def _refill(table: Table, at_us: int, place: Place) -> Step:
    injected_nl = table.take("injected", quantity.volume_nl)
    aspirated_nl = table.get("actual_residual", quantity.volume_nl, None)
    return Refill(
        at_us,
        place,
        injected_nl,
        therapy_file.read_drugs(table) if "drugs" in table else (),
        table.get("entered_residual", quantity.volume_nl, aspirated_nl),
        table.get("entered", _entered, injected_nl),
    )


def _entered(value: object) -> int | None:
    return None if value == "none" else quantity.volume_nl(value)


def _set_clock(table: Table, at_us: int, place: Place) -> Step:
    if ("to" in table) == ("by" in table):
        raise table.error('set_clock needs either to or by, e.g. by = "-1h"')
    to_s = table.get("to", wall_clock.wall_s, None)
    return SetClock(at_us, place, to_s, table.get("by", wall_clock.shift_s, 0))


def _disconnect(table: Table, at_us: int, place: Place) -> Step:
    names = {name: name for name, operation in BY_NAME.items() if operation.kind != "SESSION"}
    return Disconnect(at_us, place, table.take("after", toml_file.choice(names)))


def _clear_alarm(table: Table, at_us: int, place: Place) -> Step:
    return ClearAlarm(at_us, place, table.take("code", toml_file.choice(_ALARMS)))


def _reset(table: Table, at_us: int, place: Place) -> Step:
    return Reset(at_us, place, table.get("cause", toml_file.choice(_CAUSES), ResetCause.COMMANDED))


def _power_cut(table: Table, at_us: int, place: Place) -> Step:
    return PowerCut(at_us, place, table.take("for", quantity.positive_us))


def _inject(table: Table, at_us: int, place: Place) -> Step:
    fault = table.take("fault", _fault)
    for_us = table.get("for", quantity.positive_us, None)
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


def _words(options: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in options)


_ALARMS: Final = {code.name: code for code in Code if code < 64}
_BOLUSES: Final = {
    kind.name.lower(): kind
    for kind in (
        BolusKind.SINGLE, BolusKind.LOADING, BolusKind.PRIME, BolusKind.PRIME_CATHETER,
        BolusKind.BRIDGE,
    )
}  # fmt: skip
_DOSE_KEYS: Final = ("dose", "volume", "over", "again", "override")
_BOLUS_KEYS: Final[
    dict[BolusKind, tuple[tuple[str, ...], Callable[[Table], tuple[RateBasis, int]]]]
] = {
    BolusKind.SINGLE: (_DOSE_KEYS, _dose),
    BolusKind.LOADING: (_DOSE_KEYS, _dose),
    BolusKind.PRIME: ((), _no_dose),
    BolusKind.PRIME_CATHETER: ((), _no_dose),
    BolusKind.BRIDGE: (("dose",), _bridging_dose),
}
"""Kind -> the keys it has, and how its dose is read."""
_CAUSES: Final = {cause.name.lower(): cause for cause in ResetCause}

ACTIONS: Final[dict[str, Action]] = {
    "program": Action(
        "A clinician programs a therapy; the rest of the one the pump has stays as it is.",
        {
            "therapy": "table with the keys of `[therapy]` that change",
            "override": "`true`: soft limits are passed on purpose",
        },
        _program,
    ),
    "bolus": Action(
        "A clinician gives a bolus, on top of the basal unless the therapy pauses it; `prime` and "
        "`bridge` take the basal's place.",
        {
            "kind": f"{_words(_BOLUSES)}; default `single`",
            "dose": "mass of the primary drug; this or `volume`; `bridge`: the bridging dose per "
            "day, default the dose before the concentration changed; `prime`: none",
            "volume": "volume; this or `dose`",
            "over": "time to give it over; default: as fast as the pump may",
            "again": "`true`: the like of a bolus begun less than 10 min ago is meant",
            "override": "`true`: soft limits are passed on purpose",
        },
        _bolus,
    ),
    "patient_bolus": Action(
        "The patient asks for the bolus that the therapy grants.", {}, _bare(PatientBolus)
    ),
    "stop": Action("A clinician stops the pump; a stroke under way is finished.", {}, _bare(Stop)),
    "resume": Action("A clinician starts a stopped pump again.", {}, _bare(Resume)),
    "interrogate": Action(
        "A clinician's read at the start of a visit, which the pump logs.", {}, _bare(Interrogate)
    ),
    "refill": Action(
        "All residual is taken out, drugs go in, no more than the reservoir holds, and the pump is "
        "told. When it refuses, nothing is filled.",
        {
            "injected": "volume that goes in",
            "drugs": "what goes in, a list as in `[therapy]`; default: those of the prescription",
            "actual_residual": "volume taken out, as measured; default: the truth",
            "entered": 'volume typed, when it is not `injected`; `"none"`: the pump is not told',
            "entered_residual": "residual typed, when it is not `actual_residual`",
        },
        _refill,
    ),
    "set_clock": Action(
        "A clinician sets the pump's wall clock. Intervals and lockouts do not move.",
        {"to": "wall-clock time; this or `by`", "by": 'shift, such as `"1h"` or `"-1h"`'},
        _set_clock,
    ),
    "disconnect": Action(
        "Arms: the link drops right after the next message of that name, for the rest of that "
        "session.",
        {"after": "name of a request, such as `PREPARE`"},
        _disconnect,
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
    "recover", "wake", "emergency_stop", "acknowledge", "alarm_test", "link", "kill", "snapshot",
    "restore", "near_field",
)  # fmt: skip
LATER_FAULTS: Final = (
    "motor.stall", "motor.stall_intermittent", "motor.lost_strokes", "motor.runaway",
    "motor.stuck_on", "motor.wear", "encoder.dead", "encoder.stuck", "encoder.noise",
    "reservoir.wrong_fill", "reservoir.leak", "reservoir.air",
    "reservoir.overpressure", "catheter.occlusion",
    "catheter.kink", "catheter.disconnected", "catheter.leak", "battery.film", "battery.short",
    "supply.brownout", "feedthrough.short", "flash.torn_write", "flash.bit_flip",
    "flash.worn_sector", "ram.bit_flip", "clock.drift", "clock.jump", "clock.lost",
    "watchdog.bite", "core.hang", "temperature", "ambient_pressure", "link.loss", "link.delay",
    "link.duplicate", "link.reorder", "link.replay", "telemetry.emi", "sounder.dead",
)  # fmt: skip
"""Names of the format that this version refuses as not delivered yet."""
