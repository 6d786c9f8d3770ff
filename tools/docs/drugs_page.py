"""docs/drugs.md: the drug table, number by number with its evidence."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final

from firmware.drugs import (
    CONCENTRATION_FACTOR,
    DRUGS,
    FLOW_JUMP_FACTOR,
    SOURCES,
    DrugLimits,
    Evidence,
    Known,
)
from tools.docs.markdown import paragraphs, table

_UNITS: Final = ((10**9, "mg"), (10**6, "ug"), (1, "pg"))
_MARKS: Final = {Evidence.VERIFIED: "V", Evidence.RECALLED: "R", Evidence.DEFAULT: "D"}


def _mass(pg: int) -> str:
    """Return a mass, mg from 5 mg on, else ug."""
    one, unit = _UNITS[0] if pg >= 5 * 10**9 else _UNITS[1]
    value = Fraction(pg, one)
    whole = value.denominator == 1
    return f"{value if whole else str(float(value))} {unit}"


_COLUMNS: Final[dict[str, Callable[[DrugLimits], tuple[tuple[Known | None, str], ...]]]] = {
    "concentration in use, per mL": lambda row: (
        (row.concentration_min_pg_ml, "mass"),
        (row.concentration_max_pg_ml, "mass"),
    ),
    "soft, per 24 h": lambda row: ((row.day_soft_pg, "mass"),),
    "hard, per 24 h": lambda row: ((row.day_hard_pg, "mass"),),
    "start": lambda row: ((row.start_pg, "mass"),),
    "step": lambda row: ((row.step_pg, "mass"),),
    "rise": lambda row: ((row.rise_percent, "%"),),
    "fall": lambda row: ((row.fall_percent, "%"),),
    "keeps": lambda row: ((row.stability_days, "d"),),
}


def _cell(known: Known | None, unit: str) -> str:
    if known is None:
        return "-"
    number = _mass(known.value) if unit == "mass" else f"{known.value} {unit}"
    source = f" [{list(SOURCES).index(known.source) + 1}]" if known.source else ""
    return f"{number} {_MARKS[known.evidence]}{source}"


def _rows() -> Iterator[list[str]]:
    for row in DRUGS.values():
        cells = [" to ".join(_cell(*one) for one in read(row)) for read in _COLUMNS.values()]
        yield [row.name, *cells, row.note]


def render() -> str:
    """Return the page."""
    sources = [
        f"{number}. {name}{f' - <{address}>' if address else ''}"
        for number, (name, address) in enumerate(SOURCES.values(), 1)
    ]
    return (
        paragraphs(
            "# Drugs and limits",
            "Generated from `firmware/drugs.py` by `itpump docs`. Do not edit.",
            "**Nothing here is medical advice.** itpump is for development and testing, never for "
            "treating a person. The table exists so that slips of a pen are caught as a real "
            "system would catch them. Doses are intrathecal, for adults.",
            "Marks: **V** read at the source; **R** recalled from it and not read again; **D** our "
            "own default, where no source was found. Correct R and D before relying on them.",
            table(["drug", *_COLUMNS, "note"], _rows()),
            "## What is checked",
            "Programmer and pump use the same table and the same functions (`firmware/limits.py`), "
            "the programmer before it asks, the pump always. Reaching a limit is allowed, passing "
            "it by any amount is not. A **hard** limit refuses (LIMIT_HARD). A **soft** one "
            "refuses (LIMIT_SOFT) unless the command carries the override; the pump then logs "
            "LIMIT_OVERRIDDEN for each limit that was passed.",
            "\n".join(
                (
                    "- **Dose per 24 h** of every drug in the mix: the rate times its own "
                    "concentration. Of a flex program the largest 24 h of the week counts, of a "
                    "periodic one the boluses that fit, and on top all that the patient may take: "
                    "the maximum per 24 h, or as often as the lockout lets, within the window "
                    "limit. A clinician's bolus counts with the program and the boluses of the "
                    "last 24 h; so does the patient's, against the hard limit alone. "
                    "Prime and bridge do not count: what they move is in the path.",
                    "- **Start**: dose of a drug that the running program does not give. **Step**: "
                    "what one new prescription adds. Both soft, with the largest 24 h.",
                    "- **Rise** and **fall**: change of the mean dose against the running program. "
                    "Soft.",
                    f"- **Concentration** outside the range in use: soft. More than "
                    f"{CONCENTRATION_FACTOR} times outside: hard, it is a slip of unit or decimal "
                    "point. What is in the pump already is not judged again.",
                    "- **Implausible flow**: an edit of the primary drug's concentration that "
                    f"moves the flow more than {FLOW_JUMP_FACTOR} times up or down. Hard, for "
                    "every drug. Concentration 50 typed for 500 with 300 ug/day: 0.6 to 6 mL/day, "
                    "refused. A change that is meant takes two steps: mode `stopped` with the new "
                    "concentration, then the program. A bridging dose is held to the same factor, "
                    "against the rate before.",
                )
            ),
            "The `[therapy]` of a scenario and of `itpump run --therapy` is where a run starts "
            "from: its soft limits are passed, with a record of each. Steps of a scenario and the "
            "programmer say `override` themselves.",
            "A program that stops is never refused for its dose, nor one at minimum rate that "
            "gives no more of any drug than what runs. A drug that is not in the table has the "
            "pump's own limits and the check of implausible flow. "
            "A name counts by its first word: `morphine sulfate` is `morphine`.",
            "## Sources",
            "\n".join(sources),
        )
        + "\n"
    )
