"""Quantities as people write them, read exactly.

"40 mL", "2d 6h", "0.0022 mL/cm", "2000 ug/mL", "0.15 mL/day" become integers in base units: pL, pg,
µs, µm. Numbers go through `Fraction`, never through a float, so a value is either exactly what was
written or an error. What cannot be told without doubt is refused: a number without a unit, a value
finer than the base unit, a unit of another kind. Every error is one line that shows the text as
written, says what is wrong and what would be right; it names no file (see `tools.toml_file`).
"""

import datetime
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from protocol.codes import RateBasis, RatePer
from protocol.messages import Rate

MAX_TEXT: Final = 60
"""Longest text looked at: no sensible quantity comes near it."""

_UNITS: Final[dict[str, tuple[str, int]]] = {
    "nL": ("volume", 10**3), "uL": ("volume", 10**6), "mL": ("volume", 10**9),
    "pg": ("mass", 1), "ng": ("mass", 10**3), "ug": ("mass", 10**6), "mg": ("mass", 10**9),
    "us": ("time", 1), "ms": ("time", 10**3), "s": ("time", 10**6), "min": ("time", 60 * 10**6),
    "h": ("time", 3600 * 10**6), "d": ("time", 86400 * 10**6), "w": ("time", 604800 * 10**6),
    "um": ("length", 1), "mm": ("length", 10**3), "cm": ("length", 10**4),
}  # fmt: skip
"""Unit -> what it measures, and its size in base units (pL, pg, µs, µm)."""

_SPELLINGS: Final = {"nl": "nL", "ul": "uL", "ml": "mL", "mcg": "ug"}
_PER_TIME: Final = {"h": RatePer.HOUR, "d": RatePer.DAY, "day": RatePer.DAY}
_BASIS: Final = {"volume": RateBasis.VOLUME_PL, "mass": RateBasis.MASS_PG}


class QuantityError(ValueError):
    """The text is no quantity of the kind that is wanted. One line for people."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is wanted: its name, how it is written, and the largest value that makes sense."""

    name: str
    of: tuple[str, ...]
    per: tuple[str, ...]
    rule: str
    example: str
    maximum: int
    base: str


# The maxima only keep values inside the fields of the wire; the pump's own limits are far lower.
_VOLUME: Final = _Kind(
    "a volume", ("volume",), ("",), "a volume is in nL, uL or mL", "40 mL", 10**12, "pL"
)
_MASS: Final = _Kind(
    "a mass", ("mass",), ("",), "a mass is in pg, ng, ug or mg", "300 ug", 10**15, "pg"
)
_TIME: Final = _Kind(
    "a time", ("time",), ("",), "a time is in us, ms, s, min, h, d or w", "2d 6h",
    36525 * 86400 * 10**6, "us",
)  # fmt: skip
_LENGTH: Final = _Kind(
    "a length", ("length",), ("",), "a length is in um, mm or cm", "81.5 cm", 10**7, "um"
)
_CONCENTRATION: Final = _Kind(
    "a concentration", ("mass",), ("mL",), "a concentration is a mass per mL", "2000 ug/mL",
    10**12, "pg/mL",
)  # fmt: skip
_PER_LENGTH: Final = _Kind(
    "a volume per length", ("volume",), ("cm",), "a volume per length is per cm", "0.0022 mL/cm",
    10**9, "pL/cm",
)  # fmt: skip
_RATE: Final = _Kind(
    "a rate", ("volume", "mass"), tuple(_PER_TIME), "a rate is per h or per day", "0.15 mL/day",
    10**15, "pL or pg",
)  # fmt: skip
_DOSE: Final = _Kind(
    "a dose", ("mass", "volume"), ("",), "a dose is a mass or a volume", "20 ug", 10**15,
    "pg or pL",
)  # fmt: skip
KINDS: Final = (_VOLUME, _MASS, _TIME, _LENGTH, _CONCENTRATION, _PER_LENGTH, _RATE)
"""What a quantity can measure, one of them each."""


def volume_pl(value: object) -> int:
    """Return a volume in pL. Raises QuantityError."""
    return _parse(value, _VOLUME)[1]


def volume_nl(value: object) -> int:
    """Return a volume in nL; finer than 1 nL is an error. Raises QuantityError."""
    nanolitres, rest = divmod(volume_pl(value), 1000)
    if rest:
        raise QuantityError(f"{shown(value)}: finer than 1 nL")
    return nanolitres


def volume_shift_nl(value: object) -> int:
    """Return a volume in nL that may be below 0, such as "-1 mL". Raises QuantityError."""
    below = isinstance(value, str) and value.startswith("-")
    try:
        return -volume_nl(str(value)[1:]) if below else volume_nl(value)
    except QuantityError as error:
        raise QuantityError(str(error).replace('"', '"-', 1) if below else str(error)) from None


def mass_pg(value: object) -> int:
    """Return a mass in pg. Raises QuantityError."""
    return _parse(value, _MASS)[1]


def length_um(value: object) -> int:
    """Return a length in µm. Raises QuantityError."""
    return _parse(value, _LENGTH)[1]


def concentration_pg_ml(value: object) -> int:
    """Return a concentration in pg/mL. Raises QuantityError."""
    return _parse(value, _CONCENTRATION)[1]


def volume_per_length_pl_cm(value: object) -> int:
    """Return a catheter's volume per length in pL/cm. Raises QuantityError."""
    return _parse(value, _PER_LENGTH)[1]


def rate(value: object) -> Rate:
    """Return a rate as it was given: volume or mass, per hour or per day. Raises QuantityError."""
    kind, amount, per = _parse(value, _RATE)
    return Rate(_BASIS[kind], _PER_TIME[per], amount)


def dose(value: object) -> tuple[RateBasis, int]:
    """Return (basis, amount): a mass in pg or a volume in pL. Raises QuantityError."""
    kind, amount, _ = _parse(value, _DOSE)
    return _BASIS[kind], amount


def per_day(value: object) -> tuple[RateBasis, int]:
    """Return (basis, amount per day) of a dose above 0, "300 ug/day" or a mass alone.

    Raises QuantityError.
    """
    if isinstance(value, str) and "/" in value:
        written = rate(value)
        basis, amount = written.basis, written.amount * (24 if written.per is RatePer.HOUR else 1)
    else:
        basis, amount = dose(value)
    if not amount:
        raise QuantityError(f"{shown(value)}: a dose above 0 is needed")
    return basis, amount


def duration_us(value: object) -> int:
    """Return a time in µs; sums such as "2d 6h" are allowed. Raises QuantityError."""
    text = _text(value, _TIME)
    total = 0
    for part in _time_parts(value, text):
        total += _parse(part, _TIME, value)[1]
    if total > _TIME.maximum:
        raise QuantityError(f"{shown(value)}: longer than 100 years")
    return total


def positive_us(value: object) -> int:
    """Return a time longer than 0, µs. Raises QuantityError."""
    time_us = duration_us(value)
    if time_us == 0:
        raise QuantityError(f"{shown(value)}: must be longer than 0")
    return time_us


def number(value: object) -> Fraction:
    """Return a pure number exactly: an integer, or text such as "0.25", "-3", "1e-4" or "25/3".

    An exponent has two digits at most, which bounds what is computed.

    Raises QuantityError.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, Decimal) and abs(value.adjusted()) < 100 and value.is_finite():
        return Fraction(value)
    decimal = r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?"
    if isinstance(value, str) and re.fullmatch(decimal, value):
        return Fraction(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,30}/0*[1-9][0-9]{0,29}", value):
        return Fraction(value)
    raise QuantityError(f'{shown(value)}: a number is needed here, e.g. 35500 or "0.25"')


def exact_text(value: Fraction) -> str:
    """Return a number exactly: "35500", "0.25", or "25/3" where no decimal number is exact."""
    digits = 0
    rest = value.denominator
    while rest % 10 == 0 or rest % 5 == 0 or rest % 2 == 0:
        rest //= 10 if rest % 10 == 0 else 5 if rest % 5 == 0 else 2
        digits += 1
    if rest != 1:
        return str(value)
    if digits > 25:
        return str(value)
    scaled = str(abs(value.numerator) * 10**digits // value.denominator).zfill(digits + 1)
    point = len(scaled) - digits
    sign = "-" if value < 0 else ""
    return f"{sign}{scaled[:point]}.{scaled[point:]}" if digits else f"{sign}{scaled}"


def shown(value: object) -> str:
    """Return a value as it stands in a file, on one line and not too long."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 4] + '..."'


def _text(value: object, want: _Kind) -> str:
    """Return the text to read; numbers without a unit and other things are refused."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        raise QuantityError(f'{value}: {want.name} needs a unit, e.g. "{want.example}"')
    if not isinstance(value, str):
        raise QuantityError(f"{shown(value)}: {_needed(want)}")
    if len(value) > MAX_TEXT:
        raise QuantityError(f"{shown(value)}: too long for {want.name}")
    return value.strip().replace("µ", "u").replace("μ", "u")


def _parse(value: object, want: _Kind, written: object = None) -> tuple[str, int, str]:
    """Return (volume | mass | ..., amount in base units, per). `written`: what errors show."""
    text = _text(value, want)
    quoted = shown(value if written is None else written)
    digits, unit = _split(text, quoted, want)
    head, _, per = unit.partition("/")
    head, per = _spelled(head), _spelled(per)
    if head not in _UNITS:
        raise QuantityError(f'{quoted}: unknown unit "{head}"; {want.rule}, e.g. "{want.example}"')
    kind, factor = _UNITS[head]
    if kind not in want.of or per not in want.per:
        raise QuantityError(f"{quoted}: {_mismatch(unit, kind, per, want)}")
    amount = Fraction(digits) * factor
    if amount.denominator != 1:
        raise QuantityError(f"{quoted}: finer than 1 {_finest(kind, want)}")
    if amount > want.maximum:
        raise QuantityError(f"{quoted}: too large for {want.name}")
    return kind, int(amount), per


def _split(text: str, quoted: str, want: _Kind) -> tuple[str, str]:
    """Return the digits and the unit."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*((?![0-9.,+-]).*)", text)
    if match is None:
        raise QuantityError(f"{quoted}: {_malformed(text, want)}")
    digits, unit = match.groups()
    if not unit:
        raise QuantityError(f'{quoted}: {want.name} needs a unit, e.g. "{want.example}"')
    return digits, unit.strip()


def _malformed(text: str, want: _Kind) -> str:
    if text.startswith("-"):
        return f"{want.name} is not negative"
    if re.match(r"\.[0-9]", text):
        return f'a digit stands before the point: "0{text}"'
    if re.search(r"[0-9],[0-9]", text):
        return f'no commas in a number; the decimal point is ".", e.g. "{want.example}"'
    return _needed(want)


def _mismatch(unit: str, kind: str, per: str, want: _Kind) -> str:
    """Say what the unit measures when that is something else, else how the kind is written."""
    for other in KINDS:
        if other is not want and kind in other.of and per in other.per:
            return f"{unit} is {other.name}; {_needed(want)}"
    return f'{want.rule}, e.g. "{want.example}"'


def _needed(want: _Kind) -> str:
    return f'{want.name} is needed here, e.g. "{want.example}"'


def _finest(kind: str, want: _Kind) -> str:
    """Return the base unit that a value of this kind cannot go below."""
    if len(want.of) == 1:
        return want.base
    return "pL" if kind == "volume" else "pg"


def _spelled(unit: str) -> str:
    unit = unit.strip()
    return _SPELLINGS.get(unit, unit)


def _time_parts(value: object, text: str) -> list[str]:
    """Split "2d 6h" into "2d" and "6h"; anything else stays whole and is judged as such."""
    parts = re.findall(r"[0-9.]+\s*[A-Za-z]+", text)
    return parts if parts and "".join(text.split()) == "".join("".join(parts).split()) else [text]
