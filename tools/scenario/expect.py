"""Expectations: a measure, an instant, and comparators; exact, in `Fraction`.

`equals` is exact, or ± `within`; `min` and `max` are inclusive; `contains` and `lacks` look for one
item of a list; `is` compares a text, true or false, or "null" for absent. Several may be given; all
must hold.
"""

import datetime
from collections.abc import Callable, Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, NamedTuple

from protocol.codes import Code
from protocol.errors import ErrorCode
from tools import quantity, toml_file
from tools.programmer.warnings import Warn
from tools.pump_measures import Kind, Value
from tools.quantity import exact_text, shown
from tools.scenario.measures import WORDS, Measure, find
from tools.toml_file import Place, Table, suggestion

KEYS: Final[dict[str, str]] = {
    "at": "when; default: at the end",
    "that": "the measure",
    "within": "how far off `equals` may be, for numbers; default 0",
}
"""Keys of an `[[expect]]` besides the comparators, and what each says."""
NULL: Final = "null"
NO_LINK: Final = "NO_LINK"
UNCERTAIN: Final = "UNCERTAIN"
"""What `programmer.refusals` says of an act that met no answer; UNCERTAIN: it may be done."""
_REMEDIES: Final = {
    Kind.NUMBER: "equals, min or max",
    Kind.TEXT: 'is = "..."',
    Kind.BOOLEAN: "is = true or is = false",
    Kind.LIST: "contains, lacks or equals",
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected at one instant; `at` is that instant as written."""

    at_us: int
    at: str
    measure: Measure
    checks: tuple[tuple[str, Any], ...]
    """(comparator, wanted): a Fraction, tuple of items, item, text, boolean or None."""
    within: Fraction
    place: Place

    def judge(self, actual: Value) -> list[str]:
        """Return what is wrong with the value, one line each; nothing when all holds."""
        return [
            problem
            for name, wanted in self.checks
            if (problem := COMPARATORS[name].judge(actual, wanted, self.within))
        ]

    def wanted_text(self) -> str:
        """Return what is expected, for people."""
        return ", ".join(self._wanted(name, wanted) for name, wanted in self.checks)

    def _wanted(self, name: str, wanted: Any) -> str:
        margin = f" ± {exact_text(self.within)}" if name == "equals" and self.within else ""
        return f"{COMPARATORS[name].sign}{value_text(wanted)}{margin}"


def read(
    table: Table, instant: Callable[[Any], int], end_us: int, drugs: Collection[str]
) -> Expectation:
    """Return the expectation of an `[[expect]]` table. Raises FileError."""
    table.only((*KEYS, *COMPARATORS))
    measure = table.take("that", lambda value: find(toml_file.text(value), drugs))
    checks = tuple(
        (name, table.take(name, _wanted_reader(name, measure)))
        for name in COMPARATORS
        if name in table
    )
    if not checks:
        raise table.error(f"nothing is compared; {measure.name} takes {_REMEDIES[measure.kind]}")
    if "within" in table and not ("equals" in table and measure.kind is Kind.NUMBER):
        raise table.error("within: it goes with equals and a number", "within")
    return Expectation(
        at_us=table.get("at", instant, end_us),
        at=_written(table.values.get("at", "end")),
        measure=measure,
        checks=checks,
        within=table.get("within", _margin, Fraction(0)),
        place=table.place(),
    )


def value_text(value: Value) -> str:
    """Return a value exactly, for people."""
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction):
        return exact_text(value)
    return NULL if value is None else value


def value_json(value: Value) -> Any:
    """Return a value as JSON holds it exactly: whole numbers as numbers, others as text."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else exact_text(value)
    return value


def _wanted_reader(name: str, measure: Measure) -> Callable[[Any], Any]:
    """Return the reader of a comparator's value, for one measure."""

    def read_wanted(value: object) -> Any:
        if name == "is" and value == NULL:
            return None
        if measure.kind not in COMPARATORS[name].kinds:
            remedy = _REMEDIES[measure.kind]
            raise ValueError(f"{measure.name} is {measure.kind.value}; use {remedy}")
        if measure.kind is Kind.NUMBER:
            return quantity.number(value)
        if measure.kind is Kind.BOOLEAN:
            return toml_file.boolean(value)
        if name in ("contains", "lacks"):
            return _item(value)
        return _items(value) if measure.kind is Kind.LIST else _word(value, measure)

    return read_wanted


def _written(at: object) -> str:
    return at.isoformat() if isinstance(at, datetime.datetime) else str(at)


def _margin(value: object) -> Fraction:
    margin = quantity.number(value)
    if margin < 0:
        raise ValueError(f"{shown(value)}: a margin is not negative")
    return margin


def _item(value: object) -> str:
    """Return a code: a list that can be asked for holds nothing else."""
    code = toml_file.text(value)
    if code not in ITEMS:
        raise ValueError(f"{shown(value)}: no such code in this version{suggestion(code, ITEMS)}")
    return code


def _items(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f'{shown(value)}: a list of codes is needed, e.g. ["LOW_RESERVOIR"]')
    return tuple(_item(item) for item in value)


def _word(value: object, measure: Measure) -> str:
    if isinstance(value, datetime.datetime):
        return toml_file.local_time(value).isoformat()
    word = toml_file.text(value)
    known = WORDS.get(measure.name)
    if known is not None and word not in known:
        raise ValueError(f"{shown(value)}: {measure.name} is never that{suggestion(word, known)}")
    return word


def _equals(actual: Value, wanted: Any, within: Fraction) -> str | None:
    if not isinstance(wanted, Fraction) or not isinstance(actual, Fraction):
        return None if actual == wanted else f"is {value_text(actual)}, not {value_text(wanted)}"
    off = actual - wanted
    if abs(off) <= within:
        return None
    margin = f" ± {exact_text(within)}" if within else ""
    return f"is {exact_text(actual)}, not {exact_text(wanted)}{margin} (off by {exact_text(off)})"


def _min(actual: Value, wanted: Any, within: Fraction) -> str | None:
    if isinstance(actual, Fraction) and actual >= wanted:
        return None
    return f"is {value_text(actual)}, below {value_text(wanted)}"


def _max(actual: Value, wanted: Any, within: Fraction) -> str | None:
    if isinstance(actual, Fraction) and actual <= wanted:
        return None
    return f"is {value_text(actual)}, above {value_text(wanted)}"


def _contains(actual: Value, wanted: Any, within: Fraction) -> str | None:
    if isinstance(actual, tuple) and wanted in actual:
        return None
    return f"is {value_text(actual)}, without {wanted}"


def _lacks(actual: Value, wanted: Any, within: Fraction) -> str | None:
    if isinstance(actual, tuple) and wanted not in actual:
        return None
    return f"is {value_text(actual)}, with {wanted} in it"


def _is(actual: Value, wanted: Any, within: Fraction) -> str | None:
    return None if actual == wanted else f"is {value_text(actual)}, not {value_text(wanted)}"


class Comparator(NamedTuple):
    """One row of the table of comparators."""

    kinds: tuple[Kind, ...]
    """Kinds of measures that it takes."""
    sign: str
    judge: Callable[[Value, Any, Fraction], str | None]
    """(actual, wanted, within) -> what is wrong, or None."""
    doc: str


COMPARATORS: Final[dict[str, Comparator]] = {
    "equals": Comparator(
        (Kind.NUMBER, Kind.LIST), "= ", _equals,
        "the same number, or off by at most `within`; the same items in the same order",
    ),
    "min": Comparator((Kind.NUMBER,), ">= ", _min, "this or more"),
    "max": Comparator((Kind.NUMBER,), "<= ", _max, "this or less"),
    "contains": Comparator((Kind.LIST,), "contains ", _contains, "this item is in the list"),
    "lacks": Comparator((Kind.LIST,), "lacks ", _lacks, "this item is not in the list"),
    "is": Comparator(
        (Kind.TEXT, Kind.BOOLEAN), "is ", _is,
        'the same text, `true` or `false`; `"null"` of any measure: it says nothing',
    ),
}  # fmt: skip

ITEMS: Final = (
    *(code.name for code in Code), *(code.name for code in ErrorCode), NO_LINK, UNCERTAIN,
    *(warning.name for warning in Warn),
)  # fmt: skip
"""Every code that a list measure can hold."""
