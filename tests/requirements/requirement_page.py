"""docs/requirements.md: which tests show which requirement. As a program it writes the page."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from requirement_table import LANDED, OWNERS, TESTS, Mark, Requirement, marks, read

from tools.docs.markdown import paragraphs, table

PAGE: Final = TESTS.parent / "docs" / "requirements.md"
SOURCES: Final = {
    "GIP": "Generic Infusion Pump: hazard analysis and safety requirements 1.0, University of "
    "Pennsylvania and FDA, 2009; HID are the hazards of its tables",
    "OP": "Open PCA Pump System Requirements 1.0.0, Kansas State University, 2020; UC and EC are "
    "its use and exception cases, whose traces were published with an event-calculus model of it",
    "UMN": "software contracts of a generic PCA pump in AGREE, University of Minnesota and "
    "Rockwell Collins",
    "IEC24": "IEC 60601-2-24:1998, infusion pumps, as described in public; it leaves out implants "
    "and is used for its methods",
    "IEC8": "IEC 60601-1-8, alarms, as described in public",
    "FDA": "Infusion Pumps Total Product Life Cycle, guidance, 2014",
    "MW": "requirements of a syringe pump model, MathWorks",
    "CPN": "insulin pump models in coloured Petri nets",
    "PVS": "the generic PCA pump in PVS, with its user interfaces",
    "IDS": "Bluetooth Insulin Delivery Service 1.0",
    "RW": "alarm design of the RespiraWorks ventilator",
    "MM": "physician manual of an implantable insulin pump",
    "Recall": "recall of a drug pump by its number, as published by the FDA",
}
_INTRO: Final = (
    "# Requirements",
    "Made from `tests/requirements/requirements.csv` and the marks of the tests by "
    "`python tests/requirements/requirement_page.py`. Do not edit.",
    "External safety requirements of infusion pumps, in our own words, and the tests that show "
    'them. A test names what it shows (`@pytest.mark.requirement("R-017")`), and a test of the '
    "suite fails when a requirement that applies and whose owner's work is done has none. No test "
    "of this repository is skipped or expected to fail, so a test that is named here has passed "
    "when the suite has. itpump is an emulator for development and testing: this page is evidence "
    "about the emulator, no claim about a medical device.",
    "Where a source speaks of ticks, read one second; events themselves are exact in "
    "microseconds. Where a row cannot hold as written for a pump that meters strokes and wakes "
    "only when something is due, it says how it was adapted.",
)


def page(rows: Sequence[Requirement], shown: dict[str, list[Mark]]) -> str:
    """Return the page."""
    sections = [*_INTRO, "## Counts", table(_COUNT_HEAD, _counts(rows, shown))]
    for owner in OWNERS:
        own = [row for row in rows if row.owner == owner and row.applicable]
        sections += [f"## Owner {owner}", _state(owner)]
        sections.append(table(["id", "requirement", "how it is shown", "tests"], _rows(own, shown)))
    no = [row for row in rows if not row.applicable]
    sections += [
        "## Not applicable",
        table(
            ["id", "requirement", "why not"],
            [[row.id, row.requirement, row.applies[4:]] for row in no],
        ),
        "## Sources",
        "\n".join(f"- **{key}**: {what}" for key, what in SOURCES.items()),
        "The table in the repository names the clause of its source for each row.",
    ]
    return paragraphs(*sections) + "\n"


_COUNT_HEAD: Final = ["owner", "rows", "not applicable", "applicable", "shown", "not yet"]


def _counts(rows: Sequence[Requirement], shown: dict[str, list[Mark]]) -> Iterator[list[str]]:
    for name in (*OWNERS, "all"):
        own = [row for row in rows if name in (row.owner, "all")]
        applicable = [row for row in own if row.applicable]
        done = sum(row.id in shown for row in applicable)
        numbers = (len(own), len(own) - len(applicable), len(applicable), done)
        yield [name, *map(str, numbers), str(len(applicable) - done)]


def _state(owner: str) -> str:
    if owner in LANDED:
        return "Its work is done: every row has a test."
    return "Its work is still to come; what tests of today show already is named."


def _rows(rows: Sequence[Requirement], shown: dict[str, list[Mark]]) -> Iterator[list[str]]:
    for row in rows:
        how = row.shown_by
        if row.applies != "yes":
            how += f". *{row.applies[0].upper()}{row.applies[1:]}*"
        if row.owner_because:
            how += f". *Not therapy's: {row.owner_because}*"
        yield [row.id, row.requirement, how, _tests(shown.get(row.id, []))]


def _tests(tests: list[Mark]) -> str:
    """Return the tests file by file."""
    files = groupby(sorted(tests, key=lambda mark: mark.file), key=lambda mark: mark.file)
    lines = [
        f"[{Path(file).stem}](../tests/{file}): " + ", ".join(f"`{mark.test}`" for mark in named)
        for file, named in files
    ]
    return "<br>".join(lines) or "not yet"


if __name__ == "__main__":
    PAGE.write_text(page(read(), marks()), encoding="utf-8")
