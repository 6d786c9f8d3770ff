"""Sections of the scenario page that are lists: keys, actions, faults, measures, profiles."""

from collections.abc import Collection, Mapping
from typing import Final

from emulator.faults import FAULTS, Parameter
from firmware.modes import MODES
from protocol.codes import ProgramKind, StopReason, stop_reason_name
from tools import quantity, therapy_file, therapy_parts
from tools.docs.markdown import paragraphs, table
from tools.programmer import format as show
from tools.programmer.warnings import Warn
from tools.pump_measures import Kind
from tools.scenario import actions, expect, model
from tools.scenario.expect import COMPARATORS
from tools.scenario.measures import FAMILIES, MEASURES, WORDS

REQUIRED: Final = frozenset({"profile", "duration"})
UNITS: Final = {
    "_percent": "%", "_s": "s", "_ul_h": "µL/h", "_ul": "µL", "_ug": "µg", "_mah": "mAh",
    "_mv": "mV", "_deg": "degrees",
    "event.first": "s since t = 0", "event.last": "s since t = 0",
}  # fmt: skip
"""How a measure's name ends -> its unit; the first that fits."""
SAID: Final[dict[str, Collection[str]]] = {
    **WORDS,
    "pump.mode": [mode.name.lower() for mode in MODES],
    "pump.program": [kind.name.lower() for kind in ProgramKind],
    "pump.stop_reason": [
        name
        for reason in StopReason
        if (name := stop_reason_name(reason)) and reason is not StopReason.SESSION_INCOMPLETE
    ],
}
"""The words that a text measure can say in this version, where they are few."""
LISTED: Final = {
    "programmer.refusals": "list of error codes",
    "programmer.warnings": "list of warnings",
    "pump.log": "list of codes",
    "pump.alarms": "list of codes",
}
KIND: Final = {
    "duration": "a time",
    "fraction": "0 to 1",
    "percent": "0 to 100",
    "boolean": "true or false",
    "volume": "a volume, with `-` where it is less",
}
"""How a fault's parameter is written."""


def quantities() -> str:
    """Return how quantities are written."""
    return table(
        ("rule", "such as"), [(kind.rule, f'`"{kind.example}"`') for kind in quantity.KINDS]
    )


def top_keys() -> str:
    """Return the keys of a file."""
    return _keys(
        {
            key: f"{doc}; must be there" if key in REQUIRED else doc
            for key, doc in therapy_file.SCENARIO_KEYS.items()
        }
    )


def plant_keys() -> str:
    """Return the keys of `[plant]`."""
    return _keys(model.PLANT_KEYS)


def therapy_keys() -> str:
    """Return the keys of `[therapy]`."""
    return _keys({name: key.doc for name, key in therapy_file.KEYS.items()})


def patient_keys() -> str:
    """Return the keys of `patient_bolus`."""
    return _keys(therapy_parts.PATIENT_KEYS)


def warnings() -> str:
    """Return the warnings."""
    return table(("code", "when"), [(f"`{warning.name}`", warning.value) for warning in Warn])


def expect_keys() -> str:
    """Return the keys of `[[expect]]`."""
    return _keys(expect.KEYS)


def comparators() -> str:
    """Return the comparators."""
    return table(
        ("comparator", "for", "holds when it is"),
        [
            (f"`{name}`", " or ".join(kind.value for kind in one.kinds), one.doc)
            for name, one in COMPARATORS.items()
        ],
    )


def action_rows() -> str:
    """Return the actions of a step."""
    rows = []
    for name, action in actions.ACTIONS.items():
        rows.append((f"`{name}`", "", action.doc))
        rows += [("", f"`{key}`", doc) for key, doc in action.keys.items()]
    return table(("`do`", "key", "what"), rows)


def faults() -> str:
    """Return the faults."""
    rows = []
    for name, fault in FAULTS.items():
        once = "" if fault.end else " Happens once: no `for`, no `clear`."
        needs = f" Only for a pump with {fault.needs.value}." if fault.needs else ""
        rows.append((f"`{name}`", "", "", fault.doc + once + needs))
        rows += [
            ("", f"`{key}`", KIND[parameter.kind], _parameter(parameter))
            for key, parameter in fault.parameters.items()
        ]
    return table(("`fault`", "parameter", "value", "what"), rows)


def _parameter(parameter: Parameter) -> str:
    if parameter.needs:
        return f"only for a pump with {parameter.needs.value}: {_said(parameter)}"
    return _said(parameter)


def _said(parameter: Parameter) -> str:
    if parameter.default is None:
        return f"{parameter.doc}; must be there"
    default = parameter.default
    shown = show.duration(default) if parameter.kind == "duration" else str(default).lower()
    return f"{parameter.doc}; default {shown}"


def measures() -> str:
    """Return the measures, a table for each first part of their names."""
    rows: dict[str, list[tuple[str, str, str]]] = {}
    for name, measure in MEASURES.items():
        rows.setdefault(name.split(".")[0], []).append(
            (f"`{name}`", _gives(name, measure.kind), measure.doc)
        )
    for prefix, family in FAMILIES.items():
        name = f"{prefix}<{family.last}>"
        rows.setdefault(prefix.split(".")[0], []).append(
            (f"`{name}`", _gives(prefix.removesuffix("."), family.kind), family.doc)
        )
    return paragraphs(
        *(
            part
            for group, of_group in rows.items()
            for part in (f"### {group}", table(("measure", "gives", "what"), of_group))
        )
    )


def _gives(name: str, kind: Kind) -> str:
    if kind is Kind.NUMBER:
        return next((unit for end, unit in UNITS.items() if name.endswith(end)), "number")
    if kind is Kind.LIST:
        return LISTED[name]
    if name in SAID:
        return ", ".join(f"`{word}`" for word in SAID[name])
    if name.endswith(("_date", "_due")):
        return "date and time"
    return kind.value if kind is Kind.BOOLEAN else "error code"


def _keys(docs: Mapping[str, str]) -> str:
    return table(("key", "what"), [(f"`{key}`", doc) for key, doc in docs.items()])
