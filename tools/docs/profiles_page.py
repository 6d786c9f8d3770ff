"""docs/profiles.md: the pump models that are shipped, each number with its evidence."""

import ast
import inspect
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from emulator.profile import (
    DEVICE_RANGES,
    FOLDER,
    PLANT_RANGES,
    VALVE_RANGES,
    MagnetEffect,
    Profile,
    names,
)
from firmware.device import DeviceConfig, LowReservoirBasal
from tools.docs.markdown import code, paragraphs, table
from tools.programmer import format as show


class _Row(NamedTuple):
    """A line of the table of models, and the key of a profile that it comes from."""

    title: str
    key: str
    text: Callable[[Profile], str]


_MAGNET: Final = {
    MagnetEffect.STALL: "holds the rotor",
    MagnetEffect.DUMP: "opens the valves",
    MagnetEffect.NONE: "nothing",
}
_ROWS: Final = (
    _Row("reservoir", "capacity_nl", lambda p: show.millilitres(p.device.capacity_nl)),
    _Row("stroke", "stroke_nl", lambda p: show.volume(p.device.stroke_nl)),
    _Row("lowest rate", "flow_min_pl_h", lambda p: show.rate_day(p.device.flow_min_pl_h)),
    _Row("highest rate", "flow_max_pl_h", lambda p: show.rate_day(p.device.flow_max_pl_h)),
    _Row("minimum rate", "minimum_rate_pl_h", lambda p: show.rate_day(p.device.minimum_rate_pl_h)),
    _Row("largest bolus", "bolus_max_nl", lambda p: show.millilitres(p.device.bolus_max_nl)),
    _Row("tubing inside", "tubing_nl", lambda p: show.volume(p.device.tubing_nl)),
    _Row("accuracy", "accuracy_ppm", lambda p: f"±{p.device.accuracy_ppm / 10_000:g} %"),
    _Row(
        "low reservoir",
        "low_reservoir_nl",
        lambda p: show.millilitres(p.device.low_reservoir_nl),
    ),
    _Row(
        "level sensor shows",
        "level_step_nl",
        lambda p: show.volume(p.plant.level_step_nl) if p.plant.level_step_nl else "none",
    ),
    _Row("a magnetic field", "magnet", lambda p: _MAGNET[p.plant.magnet]),
    _Row(
        "ERI, EOS at rest",
        "eri_mv",
        lambda p: f"{p.device.eri_mv} mV, {p.device.eos_mv} mV",
    ),
    _Row("ERI to EOS", "eri_days", lambda p: f"{p.device.eri_days} d"),
    _Row("service life", "service_days", lambda p: f"{p.device.service_days} d"),
)
_PLANT_KEYS: Final = {
    "stroke_us": "how long a stroke is driven; never more than half of its interval",
    "rotor_deg": "how far the rotor turns in one stroke; 0: nothing turns",
    "magnet": f"what a magnetic field does: {', '.join(f'`{one.value}`' for one in MagnetEffect)}",
    "dump_pl_h": "only with `dump`: what flows through valves that a field holds open",
    "fav_leak_pl": "only with `dump`: what flows until a flow-activated valve has shut",
    "level_step_nl": "finest difference that the level sensor shows; left out: there is no sensor",
    "battery_capacity_nah": "charge of a full battery",
    "battery_rest_na": "current of the sleeping pump",
    "battery_stroke_nah": "charge of one driven stroke",
    "battery_resistance_mohm": "internal resistance, which with",
    "battery_drive_ua": "the current of the coil takes so much from the voltage while it is driven",
    "battery_curve": "list of [used charge in nAh, rest voltage in mV], from full to empty",
}
"""Keys of `[plant]`, and what each says."""
_CHOICES: Final = {
    "model": "1 to 24 bytes",
    "memory_error_program": "`minimum_rate`, `stopped`",
    "legacy_update": "`true`, `false`",
    "low_reservoir_basal": ", ".join(f"`{one.value}`" for one in LowReservoirBasal),
}
_SPANS: Final = {**DEVICE_RANGES, **PLANT_RANGES, **VALVE_RANGES, "level_step_nl": (1, 1_000_000)}


def marks(name: str) -> dict[str, str]:
    """Return key -> V, R or D of a shipped profile; the battery's are all D."""
    text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w+) = .*# ([VRD])\b", text, re.MULTILINE))


def render() -> str:
    """Return the page."""
    return (
        paragraphs(
            _head(),
            "## The models",
            _models(),
            "## A model of your own",
            _own(),
            "## Keys of `[device]`",
            "All that the controller may know of its pump. Every key must be there.",
            _keys(_device_docs()),
            "## Keys of `[plant]`",
            "The physics, of which the controller knows nothing.",
            _keys(_PLANT_KEYS),
        )
        + "\n"
    )


def _head() -> str:
    return """
# Pump models

Generated from `emulator/profiles/` by `itpump docs`. Do not edit.

A profile is one pump model as data: a TOML file that physics and controller are made from. No code
asks which model it is. Each number has a mark:

- **V** read at a public source, as it stands there
- **R** recalled from the named manuals: check it before claiming fidelity
- **D** our own default; the file says by which reckoning, where there is one

Not modelled yet: what presses back on the line (occlusion), and a change of battery.
"""


def _models() -> str:
    columns = [(Profile.load(name), marks(name)) for name in names()]
    rows = [
        (row.title, *(f"{row.text(one)} {mark.get(row.key, '')}".rstrip() for one, mark in columns))
        for row in _ROWS
    ]
    return table(("", *(f"`{name}`" for name in names())), rows)


def _own() -> str:
    return paragraphs(
        "Copy the model that comes nearest, give it another name, correct it, run it:",
        code(
            'cp emulator/profiles/valve-20.toml mine.toml     # then edit model = "mine" and more\n'
            "itpump run --profile ./mine.toml",
            "sh",
        ),
        """
A scenario names it in the same way, from its own folder on: `profile = "mine.toml"`. What cannot be
is refused in one line that names file and key: a key that is missing or unknown, a number out of
its range, two that contradict each other. A volume that a sensor shows needs `level_tolerance_nl`
of at least what the pump may be inaccurate by at the end of a full reservoir.
""",
    )


def _keys(docs: dict[str, str]) -> str:
    return table(
        ("key", "range", "what"), [(f"`{key}`", _range(key), doc) for key, doc in docs.items()]
    )


def _range(key: str) -> str:
    if key in _SPANS:
        low, high = _SPANS[key]
        return f"{low:,} to {high:,}"
    return _CHOICES.get(key, "")


def _device_docs() -> dict[str, str]:
    """Return what `DeviceConfig` says of each of its fields."""
    body = ast.parse(inspect.getsource(DeviceConfig)).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for field, said in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(said.value, ast.Constant)
            docs[field.target.id] = " ".join(str(said.value.value).split()).removesuffix(".")
    return docs
