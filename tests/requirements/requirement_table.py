"""The external safety requirements, and the tests that say which of them they show.

`requirements.csv` holds one row for each requirement, with its sources, how it is shown, whether it
applies, and who owes it. A test names the rows it shows: `@pytest.mark.requirement("R-017")`. The
marks are read from the source of the tests, without running or importing them. That is enough,
because this repository skips no test and expects none to fail: a test that is there has passed when
the suite has.
"""

import ast
import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

TESTS: Final = Path(__file__).parents[1]
TABLE: Final = Path(__file__).with_name("requirements.csv")
COUNT: Final = 264
"""Rows; a new one is added at the end, and none is renumbered."""
OWNERS: Final = ("therapy", "safety", "telemetry", "memory")
LANDED: Final = ("therapy",)
"""Owners whose work is done: each of their rows that applies has a test."""
_APPLIES: Final = re.compile(r"yes|adapted: \S.*|no: \S.*")
_MARK: Final = 'requirement("'


class Requirement(NamedTuple):
    """One row."""

    id: str
    source: str
    """Where it comes from; the page explains the abbreviations."""
    requirement: str
    shown_by: str
    """Given, when, then: what a test must see. Empty where it does not apply."""
    applies: str
    """`yes`, `adapted: how it differs here`, or `no: why not`."""
    owner: str
    """Whose work shows it, one of OWNERS."""
    owner_because: str
    """Why it is that owner's where its subject is another's; else empty."""

    @property
    def applicable(self) -> bool:
        """False where it cannot be shown on this pump."""
        return not self.applies.startswith("no: ")


class Mark(NamedTuple):
    """A test says that it shows a requirement."""

    id: str
    file: str
    """Path below the tests."""
    test: str


def read(path: Path = TABLE) -> list[Requirement]:
    """Return the rows in their order. Raises ValueError with the first that is wrong."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    if head != list(Requirement._fields):
        raise ValueError(f"{path.name}: columns {head}; must be {list(Requirement._fields)}")
    return [_row(number, row) for number, row in enumerate(rows, 1)]


def _row(number: int, cells: list[str]) -> Requirement:
    if len(cells) != len(Requirement._fields):
        raise ValueError(f"row {number}: {len(cells)} columns, not {len(Requirement._fields)}")
    row = Requirement(*cells)
    checks = (
        (row.id == f"R-{number:03}", f"id must be R-{number:03}"),
        (row.source and row.requirement, "source and requirement must be there"),
        (_APPLIES.fullmatch(row.applies), "applies must be yes, adapted: how, or no: why"),
        (bool(row.shown_by) == row.applicable, "shown_by must be there just where it applies"),
        (row.owner in OWNERS, f"owner must be one of {', '.join(OWNERS)}"),
    )
    for holds, rule in checks:
        if not holds:
            raise ValueError(f"{row.id}: {rule}")
    return row


def marks(tests: Path = TESTS) -> dict[str, list[Mark]]:
    """Return what each marked test below a folder shows: id -> its tests, sorted."""
    found: dict[str, list[Mark]] = defaultdict(list)
    for path in sorted(tests.rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if _MARK not in source:
            continue
        for mark in _marks(source, path.relative_to(tests).as_posix()):
            found[mark.id].append(mark)
    return found


def _marks(source: str, file: str) -> Iterator[Mark]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if ast.unparse(decorator).startswith("pytest.mark.requirement("):
                assert isinstance(decorator, ast.Call)
                for name in decorator.args:
                    yield Mark(ast.literal_eval(name), file, node.name)


def complaints(rows: list[Requirement], shown: dict[str, list[Mark]]) -> list[str]:
    """Return one line for each requirement without its test, and for each mark without its row."""
    known = {row.id: row for row in rows}
    found = []
    for name, tests in sorted(shown.items()):
        if name not in known:
            found += [f"{mark.file}: {mark.test} names {name}, which is no row" for mark in tests]
        elif not known[name].applicable:
            found += [f"{mark.file}: {mark.test} names {name}, which says no" for mark in tests]
    found += [
        f"{row.id} ({row.owner}) has no test: {row.shown_by}"
        for row in rows
        if row.owner in LANDED and row.applicable and row.id not in shown
    ]
    return found
