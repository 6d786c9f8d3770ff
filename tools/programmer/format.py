"""Quantities as text, exact: integers and fractions in, decimal text out, no binary float.

A value that its decimals cannot show is rounded half to even and marked with "~" in front, so
that what looks exact is exact.
"""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from protocol.messages import WALL_EPOCH

_EPOCH: Final = datetime.fromisoformat(WALL_EPOCH)
PL_PER_UL: Final = 10**6
PL_PER_ML: Final = 10**9
NL_PER_UL: Final = 1000
NL_PER_ML: Final = 10**6
PG_PER_UG: Final = 10**6
PERCENT_PER_PPM: Final = Fraction(1, 10**4)
_MASSES: Final = ((10**10, 10**9, "mg"), (10**4, PG_PER_UG, "ug"), (0, 1000, "ng"))
"""From this many pg on, the pg of one unit, and its name: 10 mg and more are shown in mg."""
_TIMES: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def decimal(value: Fraction | int, places: int = 4) -> str:
    """Return `value` with at most `places` decimals; "~" in front when it had to be rounded."""
    scaled = value * 10**places
    whole = round(scaled)
    sign = "-" if whole < 0 else ""
    digits = str(abs(whole)).rjust(places + 1, "0")
    split = len(digits) - places
    text = f"{digits[:split]}.{digits[split:]}".rstrip("0").rstrip(".")
    return f"{'' if scaled == whole else '~'}{sign}{text}"


def mass(pg: Fraction | int) -> str:
    """Return a drug mass, such as "300 ug"."""
    if pg == 0:
        return "0 ug"
    value = Fraction(pg)
    one, unit = next((one, unit) for least, one, unit in _MASSES if value >= least)
    return f"{decimal(value / one)} {unit}"


def concentration(pg_ml: int) -> str:
    """Return a concentration, such as "2000 ug/mL"."""
    return f"{mass(pg_ml)}/mL"


def volume(nl: Fraction | int) -> str:
    """Return a volume: uL below 1 mL, else mL."""
    if abs(Fraction(nl)) < NL_PER_ML:
        return f"{decimal(Fraction(nl, NL_PER_UL))} uL"
    return millilitres(nl)


def millilitres(nl: Fraction | int) -> str:
    """Return a volume in mL, such as "35.5 mL"."""
    return f"{decimal(Fraction(nl, NL_PER_ML), 6)} mL"


def rate(pl_h: Fraction | int) -> str:
    """Return a rate both ways, such as "0.15 mL/day (6.25 uL/h)"."""
    return f"{rate_day(pl_h)} ({rate_hour(pl_h)})"


def rate_day(pl_h: Fraction | int) -> str:
    """Return a rate in mL/day."""
    return f"{decimal(Fraction(pl_h * 24, PL_PER_ML), 6)} mL/day"


def duration(us: int) -> str:
    """Return a time, its two largest units, such as "12 h 46 min"; below a second in ms."""
    if 0 < us < 10**6:
        return f"{decimal(Fraction(us, 1000), 3)} ms"
    return seconds(round(Fraction(us, 10**6)))


def seconds(total_s: int) -> str:
    """Return a time given in whole seconds, its two largest units."""
    parts, left = [], total_s
    for size, unit in _TIMES:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def date(wall_s: int) -> str | None:
    """Return pump wall-clock seconds as `YYYY-MM-DDTHH:MM:SS`; None for 0, which means absent."""
    if wall_s == 0:
        return None
    return (_EPOCH + timedelta(seconds=wall_s)).isoformat()


def date_text(wall_s: int) -> str:
    """Return a wall-clock instant for a person: `2027-09-14 17:00`, "-" when absent."""
    iso = date(wall_s)
    return "-" if iso is None else iso[:16].replace("T", " ")


def number(value: Fraction | int) -> int | float:
    """Return a JSON number; a float only as print form: up to 15 digits come out as they are."""
    value = Fraction(value)
    return value.numerator if value.denominator == 1 else float(value)


def rate_hour(pl_h: Fraction | int) -> str:
    """Return a rate in uL/h."""
    return f"{decimal(Fraction(pl_h, PL_PER_UL))} uL/h"
