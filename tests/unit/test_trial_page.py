"""The page of a trial: its numbers, its picture to scale, and nothing fetched."""

import re
from pathlib import Path

import pytest
from desk import Desk
from emulated_line import DAY_US
from test_programmer_report import Page

ROOT = Path(__file__).parents[2]
PLAN = (ROOT / "examples" / "trial" / "morphine.toml").read_text().replace("100 mL", "20 mL")


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk(monkeypatch, tmp_path, capsys)


def page(desk: Desk, folder: Path) -> str:
    file = folder / "trial.html"
    assert desk.run("trial", "report", "--html", str(file)) == 0, desk.err
    assert max(map(len, desk.out.splitlines())) <= 100
    return file.read_text()


def circles(source: str) -> list[tuple[str, float, float]]:
    found = re.findall(r'<circle class="(\w+)" cx="([\d.]+)" cy="([\d.]+)"', source)
    return [(kind, float(x), float(y)) for kind, x, y in found]


def test_scores_and_doses_are_drawn_to_scale_over_one_axis(desk: Desk, tmp_path: Path) -> None:
    assert desk.run("trial", "score", "8") == 0
    assert desk.run("trial", "start", desk.file(PLAN), "--yes") == 0
    desk.line.pass_time(DAY_US)
    assert desk.run("clock", "--by", "5h", "--yes") == 0  # moves nothing in the picture
    assert desk.run("trial", "score", "5", "--note", "<b>better</b>") == 0
    assert desk.run("trial", "step", "--yes") == 0
    desk.line.pass_time(DAY_US)
    assert desk.run("trial", "score", "2", "--side-effect", "itching") == 0
    source = page(desk, tmp_path)
    left, right, pixels = 92.0, 710.0, 16.0  # of a point of pain
    assert circles(source) == [
        ("out", left, 190 - 8 * pixels),
        ("dot", (left + right) / 2, 190 - 5 * pixels),
        ("bad", right, 190 - 2 * pixels),
    ]
    assert f'class="bound" x1="92" y1="{190 - 4 * pixels}"' in source
    (curve,) = re.findall(r'<polyline class="curve" points="([^"]+)"', source)
    assert [point.split(",")[1] for point in curve.split()] == ["256.7", "256.7", "230.0", "230.0"]
    found = Page(source)
    assert found.rows["Verdict"].startswith("no success: at best 37.5 % relief at 200 ug/day")
    assert "b" not in found.tags
    assert ["2", "300 ug/day", "2027-01-05 14:00", "2", "2", "75 %", "itching"] in found.cells
    assert not re.search(r"url\(|@import|\bsrc=|href", source)
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert "400 ug" not in found.words, "a dose that was not given is not on the axis"


def test_a_baseline_alone_has_a_page_and_nothing_has_none(desk: Desk, tmp_path: Path) -> None:
    assert desk.run("trial", "report", "--html", str(tmp_path / "trial.html")) == 2
    assert "no trial to report on" in desk.err
    assert desk.run("trial", "score", "7") == 0
    source = page(desk, tmp_path)
    assert circles(source) == [("out", 92.0, 190 - 7 * 16)]
    assert Page(source).rows["Trial"] == "not begun: `trial start` with a plan"


def test_a_page_that_cannot_be_written_is_one_line(desk: Desk, tmp_path: Path) -> None:
    assert desk.run("trial", "score", "7") == 0
    assert desk.run("trial", "report", "--html", str(tmp_path)) == 2
    assert desk.err.count("\n") == 1
    assert "cannot be written" in desk.err
