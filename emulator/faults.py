"""What a bench can break: one table of faults, and the board that holds those that are active.

A fault lasts until it is cleared or its time is over; a one-shot happens and is done. Every value
is checked before anything is touched. A duration is an integer of microseconds, a volume one of nL;
a number is anything that `Fraction` reads exactly, such as "0.001"; a boolean is true or false.

Some faults and parameters need a part that only some models have. Where it is missing they are
refused; a parameter's default then counts for nothing.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Final, NamedTuple

from emulator.devices.battery import Battery
from emulator.devices.level import LevelSensor
from emulator.devices.magnet import Field, Magnet
from emulator.devices.plant import Plant
from emulator.devices.telemetry import Telemetry
from emulator.devices.valves import Valves
from emulator.profile import Part
from emulator.world import Timer, World

DURATION_MAX_US: Final = 10 * 365 * 86_400_000_000
"""Longest duration: longer than a pump lives."""
_VOLUME_MAX_NL: Final = 1_000_000_000
"""Largest volume: a litre, more than any reservoir."""


class Parameter(NamedTuple):
    """One parameter of a fault."""

    kind: str
    """A name of `KINDS`."""
    doc: str
    default: int | None = None
    """None: it must be given."""
    needs: Part | None = None
    """The part that has a use for it."""


class Hardware(NamedTuple):
    """What faults take hold of."""

    parts: frozenset[Part]
    magnet: Magnet
    battery: Battery
    telemetry: Telemetry
    plant: Plant
    valves: Valves | None
    level: LevelSensor | None


Values = Mapping[str, Fraction]


class Fault(NamedTuple):
    """One row of the table; without `end` it is a one-shot."""

    doc: str
    parameters: Mapping[str, Parameter]
    begin: Callable[[Hardware, Values], None]
    end: Callable[[Hardware], None] | None = None
    needs: Part | None = None
    """The part that it befalls."""


def _valves(hardware: Hardware) -> Valves:
    assert hardware.valves is not None
    return hardware.valves


def _level(hardware: Hardware) -> LevelSensor:
    assert hardware.level is not None
    return hardware.level


def _bias(hardware: Hardware, by_nl: int) -> None:
    _level(hardware).bias_nl = by_nl


def _pocket(hardware: Hardware, fraction: Fraction) -> None:
    hardware.plant.pocket = fraction


def _field_on(hardware: Hardware, values: Values) -> None:
    hardware.magnet.field_on(Field(int(values.get("recovery", 0)), bool(values.get("fav", 0))))


FAULTS: Final[Mapping[str, Fault]] = {
    "magnet_field": Fault(
        "A magnetic field, as in an MRI scanner. It holds a rotor; it forces valves open, so that "
        "the reservoir empties; some pumps it does nothing to.",
        {
            "recovery": Parameter(
                "duration",
                "from field on until the rotor is free, if later than field off",
                0,
                Part.ROTOR,
            ),
            "fav": Parameter(
                "boolean",
                "a flow-activated valve shuts after a small leak, and stays shut until `fav_reset`",
                False,
                Part.VALVES,
            ),
        },
        _field_on,
        lambda hardware: hardware.magnet.field_off(),
    ),
    "fav_reset": Fault(
        "Somebody opens the flow-activated valve by hand.",
        {},
        lambda hardware, values: _valves(hardware).reset(),
        needs=Part.VALVES,
    ),
    "reservoir.pocket_fill": Fault(
        "The needle misses: what is injected goes into the tissue around the pump.",
        {"fraction": Parameter("fraction", "how much of each refill", 1)},
        lambda hardware, values: _pocket(hardware, values["fraction"]),
        lambda hardware: _pocket(hardware, Fraction(0)),
    ),
    "sensor.level_bias": Fault(
        "The level sensor shows too much, or too little.",
        {"by": Parameter("volume", "what it shows in excess of the truth; below 0: too little")},
        lambda hardware, values: _bias(hardware, int(values["by"])),
        lambda hardware: _bias(hardware, 0),
        Part.LEVEL_SENSOR,
    ),
    "sensor.level_stuck": Fault(
        "The level sensor goes on showing what it shows now.",
        {},
        lambda hardware, values: _level(hardware).set_stuck(True),
        lambda hardware: _level(hardware).set_stuck(False),
        Part.LEVEL_SENSOR,
    ),
    "battery.drain": Fault(
        "Charge lost at once.",
        {"percent": Parameter("percent", "how much, of the whole capacity")},
        lambda hardware, values: hardware.battery.drain(int(values["percent"] * 10_000)),
    ),
    "link.noise": Fault(
        "Bit errors on the telemetry link, both directions.",
        {"ber": Parameter("fraction", "chance that a bit is flipped")},
        lambda hardware, values: hardware.telemetry.set_noise(int(values["ber"] * 10**9)),
        lambda hardware: hardware.telemetry.set_noise(0),
    ),
}

KINDS: Final[Mapping[str, tuple[int, int]]] = {
    "duration": (0, DURATION_MAX_US),
    "fraction": (0, 1),
    "percent": (0, 100),
    "boolean": (0, 1),
    "volume": (-_VOLUME_MAX_NL, _VOLUME_MAX_NL),
}
"""Kind of a parameter -> its range."""
_WHOLE: Final = {"duration": "us", "volume": "nL"}
"""Kinds that are whole numbers of a unit."""
_BOOLEANS: Final = {"true": Fraction(1), "false": Fraction(0)}


@dataclass(slots=True)
class _Active:
    values: Values
    timer: Timer


class FaultBoard:
    """The faults of one board."""

    def __init__(self, world: World, hardware: Hardware) -> None:
        self._world = world
        self._hardware = hardware
        self._active: dict[str, _Active] = {}

    def inject(self, name: str, params: Mapping[str, Any], for_us: int | None = None) -> None:
        """Begin a fault now, in place of one of that name; end it after `for_us`.

        Raises ValueError, with nothing changed and naming what exists, for an unknown name, an
        unknown or missing parameter, a value out of range, or a part that this pump has not.
        """
        fault = _find(name)
        check_parts(name, params, self._hardware.parts)
        values = self._values(name, fault, params)
        if for_us is not None:
            if fault.end is None:
                raise ValueError(f"{name} happens once; it takes no time")
            _check("for", "duration", for_us)
        self._forget(name)
        if fault.end is not None:
            timer = self._world.timer(partial(self._end, name))
            self._active[name] = _Active(values, timer)
            if for_us is not None:
                timer.set(self._world.now_us + for_us)
        self._world.record("fault", "INJECTED", fault=name, **_shown(fault, values))
        fault.begin(self._hardware, values)

    def clear(self, name: str) -> None:
        """End a fault; does nothing when it is not active. Raises ValueError for a one-shot."""
        if _find(name).end is None:
            raise ValueError(f"{name} happens once; it cannot be cleared")
        if name in self._active:
            self._end(name)

    def active(self) -> dict[str, dict[str, str]]:
        """Return the active faults with their values, in order of injection."""
        return {name: _shown(FAULTS[name], fault.values) for name, fault in self._active.items()}

    def save(self) -> dict[str, Any]:
        """Return the active faults with the time each has left, fit for JSON."""
        return {
            name: {
                "values": _shown(FAULTS[name], fault.values),
                "until_us": fault.timer.at_us,
            }
            for name, fault in self._active.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Begin again what `save` found; world time must have been restored before."""
        for name, saved in state.items():
            until_us = saved["until_us"]
            for_us = None if until_us is None else until_us - self._world.now_us
            self.inject(name, saved["values"], for_us)

    def _values(self, name: str, fault: Fault, params: Mapping[str, Any]) -> Values:
        """Return a checked value for every parameter of the fault that this pump has a use for."""
        useful = {
            key: parameter
            for key, parameter in fault.parameters.items()
            if parameter.needs is None or parameter.needs in self._hardware.parts
        }
        for key in params:
            if key not in useful:
                known = ", ".join(useful) or "none"
                raise ValueError(f'{name} has no parameter "{key}"; there are {known}')
        values = {}
        for key, parameter in useful.items():
            value = params.get(key, parameter.default)
            if value is None:
                raise ValueError(f'{name} needs the parameter "{key}": {parameter.doc}')
            values[key] = _check(f"{name} {key}", parameter.kind, value)
        return values

    def _end(self, name: str) -> None:
        fault = FAULTS[name]
        self._forget(name)
        self._world.record("fault", "CLEARED", fault=name)
        if fault.end is not None:
            fault.end(self._hardware)

    def _forget(self, name: str) -> None:
        active = self._active.pop(name, None)
        if active is not None:
            active.timer.cancel()


def _find(name: str) -> Fault:
    if name not in FAULTS:
        raise ValueError(f'no fault "{name}"; there are {", ".join(sorted(FAULTS))}')
    return FAULTS[name]


def check_parts(name: str, params: Iterable[str], parts: Collection[Part]) -> None:
    """Check that a pump has the parts that a fault and its parameters need. Raises ValueError."""
    fault = FAULTS[name]
    needed = {name: fault.needs}
    needed |= {
        f"{name} {key}": fault.parameters[key].needs for key in params if key in fault.parameters
    }
    for what, part in needed.items():
        if part is not None and part not in parts:
            raise ValueError(f"{what}: only for a pump with {part.value}")


def _shown(fault: Fault, values: Values) -> dict[str, str]:
    """Return values as text that `inject` takes."""
    return {
        key: ("true" if value else "false")
        if fault.parameters[key].kind == "boolean"
        else str(value)
        for key, value in values.items()
    }


_TEXT_MAX: Final = 80
"""Longest number that is read."""
_HUGE: Final = re.compile("[eE][+-]?[0-9_]{3}")
"""An exponent that is far out of every range, and would take long to compute."""


def _check(what: str, kind: str, value: Any) -> Fraction:
    """Return the value exactly. Raises ValueError when it is no value of its kind."""
    text = str(value)
    if kind == "boolean":
        if text.lower() not in _BOOLEANS:
            raise ValueError(f'{what}: "{value}" is not true or false')
        return _BOOLEANS[text.lower()]
    try:
        if len(text) > _TEXT_MAX or _HUGE.search(text):
            raise ValueError
        number = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f'{what}: "{value}" is not a number') from None
    low, high = KINDS[kind]
    if not low <= number <= high:
        raise ValueError(f"{what}: {value} is not within {low}..{high}")
    if kind in _WHOLE and number.denominator != 1:
        raise ValueError(f"{what}: {value} is not a whole number of {_WHOLE[kind]}")
    return number
