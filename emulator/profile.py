"""Profiles: what one pump model is, as data that is checked when it is read.

A profile is a TOML file with two tables: `[device]`, all that the controller may know, and
`[plant]`, the physics. The keys are the field names, so each carries its unit. A copy that a user
edits is read by its path in place of a name.
"""

import enum
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from emulator.devices.battery import BatteryModel
from firmware.device import DeviceConfig, LowReservoirBasal
from protocol.codes import ProgramKind

_Choice = TypeVar("_Choice", bound=enum.Enum)
FOLDER: Final = Path(__file__).parent / "profiles"
_DAY_US: Final = 86_400_000_000
_ML_NL: Final = 1_000_000
_L_H_PL: Final = 10**12
"""One litre an hour, in pL/h: above any pump."""

DEVICE_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "capacity_nl": (_ML_NL, 1_000 * _ML_NL),
    "stroke_nl": (1, 100_000),
    "calibration_ppm": (500_000, 2_000_000),
    "flow_min_pl_h": (0, _L_H_PL),
    "flow_max_pl_h": (1, _L_H_PL),
    "minimum_rate_pl_h": (0, _L_H_PL),
    "bolus_max_nl": (1, 1_000 * _ML_NL),
    "tubing_nl": (0, 10 * _ML_NL),
    "low_reservoir_nl": (0, 1_000 * _ML_NL),
    "accuracy_ppm": (1, 1_000_000),
    "low_battery_mv": (0, 65_535),
    "eri_mv": (0, 65_535),
    "eos_mv": (0, 65_535),
    "eri_days": (0, 36_500),
    "service_days": (1, 36_500),
    "stall_strokes": (1, 10_000),
    "stall_us": (0, 30 * _DAY_US),
    "bolus_stall_strokes": (1, 10_000),
    "bolus_stall_us": (1, 30 * _DAY_US),
    "stall_limit_us": (1, 365 * _DAY_US),
    "critical_interval_us": (1_000_000, _DAY_US),
    "non_critical_interval_us": (1_000_000, _DAY_US),
    "stopped_medium_us": (1, 365 * _DAY_US),
    "stopped_high_us": (1, 365 * _DAY_US),
    "level_tolerance_nl": (0, 1_000 * _ML_NL),
    "quantum_strokes": (1, 64),
}
PLANT_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "stroke_us": (1_000, 60_000_000),
    "rotor_deg": (0, 360),
    "battery_capacity_nah": (1_000_000, 1_000_000_000_000),
    "battery_rest_na": (1, 1_000_000_000),
    "battery_stroke_nah": (1, 1_000_000_000),
    "battery_resistance_mohm": (0, 1_000_000_000),
    "battery_drive_ua": (0, 10_000_000),
}
_LEVEL_STEP: Final = "level_step_nl"
"""The one key of a profile that may be left out."""
VALVE_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "dump_pl_h": (1, _L_H_PL),
    "fav_leak_pl": (1, _ML_NL * 1000),
}
"""Keys that only a model with `magnet = "dump"` has."""
QUANTUM_MAX_NL: Final = 10_000
"""A reserved dose is at most 10 uL."""
_PROGRAMS: Final = {
    "minimum_rate": ProgramKind.MINIMUM_RATE,
    "stopped": ProgramKind.STOPPED,
}


class Part(enum.Enum):
    """What one model has and another has not, as people call it."""

    ROTOR = "a rotor that a magnetic field holds"
    VALVES = "valves that a magnetic field opens"
    LEVEL_SENSOR = "a level sensor"


class MagnetEffect(enum.Enum):
    """What a magnetic field does to a model."""

    STALL = "stall"
    """It holds the rotor."""
    DUMP = "dump"
    """It forces the valves open: the reservoir empties."""
    NONE = "none"


class ProfileError(ValueError):
    """A profile that cannot be used; one line that names file and key."""


@dataclass(frozen=True, slots=True)
class PlantModel:
    """The physics of one pump model."""

    stroke_us: int
    """How long the motor is driven for one stroke."""
    rotor_deg: int
    """How far the rotor turns in one stroke; 0: nothing turns."""
    battery: BatteryModel
    magnet: MagnetEffect = MagnetEffect.STALL
    dump_pl_h: int = 0
    """What flows through valves that a field holds open; 0: there are none."""
    fav_leak_pl: int = 0
    """What flows until a flow-activated valve has shut."""
    level_step_nl: int | None = None
    """Finest difference that the level sensor shows; None: there is no level sensor."""

    @property
    def parts(self) -> frozenset[Part]:
        """What this model has of what only some have."""
        parts = set(_MAGNET_PARTS.get(self.magnet, ()))
        if self.level_step_nl is not None:
            parts.add(Part.LEVEL_SENSOR)
        return frozenset(parts)


_MAGNET_PARTS: Final[Mapping[MagnetEffect, tuple[Part, ...]]] = {
    MagnetEffect.STALL: (Part.ROTOR,),
    MagnetEffect.DUMP: (Part.VALVES,),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One pump model."""

    device: DeviceConfig
    plant: PlantModel

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """Read a shipped profile by name, or any by its path. Raises ProfileError."""
        path = _locate(name_or_path)
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ProfileError(f"{path}: {error}") from None
        for key in document:
            if key not in ("device", "plant"):
                raise ProfileError(f"{path}: unknown key {key}; there are [device] and [plant]")
        return cls(
            _device(_Table(path, "device", document.get("device"))),
            _plant(_Table(path, "plant", document.get("plant"))),
        )


def names() -> list[str]:
    """Return the names of the shipped profiles."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


class _Table:
    """One table of a profile; remembers which keys were asked for."""

    def __init__(self, path: Path, name: str, table: Any) -> None:
        self._where = f"{path}: [{name}]"
        if not isinstance(table, dict):
            raise ProfileError(f"{self._where} is missing")
        self._table = table
        self._left = set(table)

    def error(self, key: str, message: str) -> ProfileError:
        return ProfileError(f"{self._where} {key}: {message}")

    def has(self, key: str) -> bool:
        return key in self._table

    def take(self, key: str) -> Any:
        if key not in self._table:
            raise self.error(key, "is missing")
        self._left.discard(key)
        return self._table[key]

    def integer(self, key: str, span: tuple[int, int]) -> int:
        value = self.take(key)
        if type(value) is not int:
            raise self.error(key, f"{value!r} is not an integer")
        if not span[0] <= value <= span[1]:
            raise self.error(key, f"{value} is not within {span[0]}..{span[1]}")
        return value

    def boolean(self, key: str) -> bool:
        value = self.take(key)
        if not isinstance(value, bool):
            raise self.error(key, f"{value!r} is not true or false")
        return value

    def done(self) -> None:
        for key in sorted(self._left):
            raise self.error(key, "is unknown")


def _locate(name_or_path: str | Path) -> Path:
    shipped = FOLDER / f"{name_or_path}.toml"
    if str(name_or_path) in names():
        return shipped
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return path
    raise ProfileError(
        f"no profile {name_or_path}; there are {', '.join(names())}, or a .toml file"
    )


def _device(table: _Table) -> DeviceConfig:
    readers: dict[str, Callable[[_Table, str], Any]] = {
        "model": _model,
        "memory_error_program": _program,
        "legacy_update": _Table.boolean,
        "low_reservoir_basal": _low_reservoir_basal,
    }
    values: dict[str, Any] = {
        field.name: readers[field.name](table, field.name)
        if field.name in readers
        else table.integer(field.name, DEVICE_RANGES[field.name])
        for field in fields(DeviceConfig)
    }
    table.done()
    device = DeviceConfig(**values)
    for key, good, message in _device_rules(device):
        if not good:
            raise table.error(key, message)
    return device


def _device_rules(device: DeviceConfig) -> list[tuple[str, bool, str]]:
    """What must hold between keys: (key to blame, whether it holds, what is wrong)."""
    return [
        ("flow_min_pl_h", device.flow_min_pl_h <= device.flow_max_pl_h, "is above flow_max_pl_h"),
        (
            "minimum_rate_pl_h",
            device.minimum_rate_pl_h <= device.flow_max_pl_h,
            "is above flow_max_pl_h",
        ),
        ("bolus_max_nl", device.bolus_max_nl <= device.capacity_nl, "is above capacity_nl"),
        ("low_reservoir_nl", device.low_reservoir_nl < device.capacity_nl, "is not below capacity"),
        ("eos_mv", device.eos_mv < device.eri_mv, "is not below eri_mv"),
        (
            "stopped_medium_us",
            device.stopped_medium_us < device.stopped_high_us,
            "is not below stopped_high_us",
        ),
        ("eri_days", device.eri_days < device.service_days, "is not below service_days"),
        (
            "quantum_strokes",
            device.quantum_strokes * device.stroke_nl <= QUANTUM_MAX_NL,
            f"times stroke_nl is above {QUANTUM_MAX_NL} nL",
        ),
    ]


def _model(table: _Table, key: str) -> str:
    value = table.take(key)
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= 24:
        raise table.error(key, f"{value!r} is not a name of 1..24 bytes")
    return value


def _program(table: _Table, key: str) -> ProgramKind:
    value = table.take(key)
    if not isinstance(value, str) or value not in _PROGRAMS:
        raise table.error(key, f"{value!r} is not one of {', '.join(_PROGRAMS)}")
    return _PROGRAMS[value]


def _low_reservoir_basal(table: _Table, key: str) -> LowReservoirBasal:
    return _choice(table, key, LowReservoirBasal)


def _choice(table: _Table, key: str, choices: type[_Choice]) -> _Choice:
    value = table.take(key)
    try:
        return choices(value)
    except ValueError:
        known = ", ".join(choice.value for choice in choices)
        raise table.error(key, f"{value!r} is not one of {known}") from None


def _plant(table: _Table) -> PlantModel:
    value = {key: table.integer(key, span) for key, span in PLANT_RANGES.items()}
    magnet = _choice(table, "magnet", MagnetEffect)
    if magnet is MagnetEffect.DUMP:
        value |= {key: table.integer(key, span) for key, span in VALVE_RANGES.items()}
    model = PlantModel(
        stroke_us=value["stroke_us"],
        rotor_deg=value["rotor_deg"],
        battery=BatteryModel(
            value["battery_capacity_nah"],
            value["battery_rest_na"],
            value["battery_stroke_nah"],
            value["battery_resistance_mohm"],
            value["battery_drive_ua"],
            _curve(table, "battery_curve", value["battery_capacity_nah"]),
        ),
        magnet=magnet,
        dump_pl_h=value.get("dump_pl_h", 0),
        fav_leak_pl=value.get("fav_leak_pl", 0),
        level_step_nl=table.integer(_LEVEL_STEP, (1, _ML_NL)) if table.has(_LEVEL_STEP) else None,
    )
    table.done()
    return model


def _curve(table: _Table, key: str, capacity_nah: int) -> tuple[tuple[int, int], ...]:
    """Read [used charge, rest voltage] pairs from full to empty."""
    pairs = table.take(key)
    good = isinstance(pairs, list) and all(
        isinstance(pair, list) and [type(part) for part in pair] == [int, int] for pair in pairs
    )
    if not good or len(pairs) < 2:
        raise table.error(key, "is not a list of at least two [used_nah, rest_mv] pairs")
    if pairs[0][0] != 0 or pairs[-1][0] != capacity_nah:
        raise table.error(key, "does not go from 0 to battery_capacity_nah")
    for (used0, mv0), (used1, mv1) in pairwise(pairs):
        if used1 <= used0 or mv1 >= mv0 or mv1 < 0:
            raise table.error(key, f"[{used1}, {mv1}] is not further and lower than the one before")
    return tuple((used_nah, mv) for used_nah, mv in pairs)
