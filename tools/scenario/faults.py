"""The parameters of a fault, as people write them; the table itself is the emulator's.

Each parameter becomes what `FaultBoard.inject` takes: a time in µs, or the exact text of a number.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from emulator.faults import FAULTS
from tools import quantity, toml_file
from tools.quantity import exact_text, shown
from tools.toml_file import Table

BOOLEANS: Final = {False: "false", True: "true"}

Parameters = dict[str, int | str]


def keys(fault: str) -> tuple[str, ...]:
    """Return the names of a fault's parameters."""
    return tuple(FAULTS[fault].parameters)


def lasts(fault: str) -> bool:
    """Return False for a fault that happens once, so cannot last or be cleared."""
    return FAULTS[fault].end is not None


def read(fault: str, table: Table) -> Parameters:
    """Return the parameters that a step gives. Raises FileError."""
    values: Parameters = {}
    for key, parameter in FAULTS[fault].parameters.items():
        if key in table or parameter.default is None:
            values[key] = table.take(key, _READERS[parameter.kind])
    return values


def _number(low: int, high: int) -> Callable[[object], str]:
    def read_number(value: object) -> str:
        number = quantity.number(value)
        if not Fraction(low) <= number <= Fraction(high):
            raise ValueError(f"{shown(value)}: must be {low} to {high}")
        return exact_text(number)

    return read_number


_READERS: Final[dict[str, Callable[[Any], int | str]]] = {
    "duration": quantity.duration_us,
    "fraction": _number(0, 1),
    "percent": _number(0, 100),
    "boolean": lambda value: BOOLEANS[toml_file.boolean(value)],
    "volume": quantity.volume_shift_nl,
}
"""Kind of a parameter in the emulator's table -> its reader."""
