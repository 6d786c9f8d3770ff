"""Every requirement that is owed has its test, and the page about it is up to date."""

from pathlib import Path

import pytest
import requirement_page
from requirement_table import COUNT, LANDED, TABLE, Mark, Requirement, complaints, marks, read

ROWS = read()
SHOWN = marks()


def test_the_table_is_complete() -> None:
    assert [row.id for row in ROWS] == [f"R-{number:03}" for number in range(1, COUNT + 1)]


def test_each_source_is_explained_on_the_page() -> None:
    keys = {part.split()[0].rstrip(",") for row in ROWS for part in row.source.split("; ")}
    assert {key for key in keys if key.isalpha()} - {"HID"} <= set(requirement_page.SOURCES)


def test_each_requirement_of_finished_work_has_a_test_and_each_mark_a_row() -> None:
    assert complaints(ROWS, SHOWN) == []


def test_the_page_is_what_table_and_tests_say() -> None:
    made = requirement_page.page(ROWS, SHOWN)
    run = "run `python tests/requirements/requirement_page.py`"
    assert requirement_page.PAGE.read_text(encoding="utf-8") == made, run


# --- the gate itself ----------------------------------------------------------------------------

OWED = Requirement("R-001", "GIP 1", "flows", "Then it flows", "yes", LANDED[0], "")


@pytest.mark.parametrize(
    ("row", "names", "complaint"),
    [
        (OWED, (), "R-001 (therapy) has no test: Then it flows"),
        (OWED, ("R-001",), None),
        (OWED._replace(owner="memory"), (), None),
        (OWED._replace(applies="no: no gas"), (), None),
        (OWED._replace(applies="no: no gas"), ("R-001",), "test_x.py: test_y names R-001, which"),
        (OWED, ("R-001", "R-265"), "test_x.py: test_y names R-265, which is no row"),
    ],
)
def test_the_gate_complains(
    row: Requirement, names: tuple[str, ...], complaint: str | None
) -> None:
    found = complaints([row], {name: [Mark(name, "test_x.py", "test_y")] for name in names})
    if complaint is None:
        assert found == []
    else:
        (line,) = found
        assert line.startswith(complaint)


def test_marks_are_read_from_decorators_and_from_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        'TEXT = """@pytest.mark.requirement("R-003")"""\n\n\n'
        '@pytest.mark.requirement("R-001")\n@pytest.mark.requirement("R-002")\n'
        '@pytest.mark.parametrize("a", [1])\ndef test_b(a: int) -> None: ...\n'
    )
    assert marks(tmp_path) == {
        name: [Mark(name, "test_a.py", "test_b")] for name in ("R-001", "R-002")
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("R-002,", "R-003,", "R-003: id must be R-002"),
        (",yes,therapy,", ",maybe,therapy,", "R-001: applies must be yes"),
        (",yes,therapy,", ",adapted: ,therapy,", "R-001: applies must be yes"),
        (",yes,therapy,", ",no: not here,therapy,", "R-001: shown_by must be there just where"),
        (",yes,therapy,", ",yes,nobody,", "R-001: owner must be one of therapy, safety"),
        ("id,source", "source,id", "columns"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    wrong = tmp_path / "requirements.csv"
    wrong.write_text(TABLE.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read(wrong)
