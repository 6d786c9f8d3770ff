"""`itpump programmer report`: terminal, JSON and page, against the real controller."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from desk import Desk
from emulated_line import DAY_US
from scripted_pump import BACLOFEN, DEVICE, STATUS

from protocol import codes
from protocol.codes import Code, Role
from protocol.messages import Drug, FlexStep, LogRecord, Periodic, PrescriptionInfo, Rate
from tools.programmer import report_course, report_data, report_html, report_svg, report_text
from tools.programmer.report_changes import Acts
from tools.programmer.report_data import Report, Reporter
from tools.programmer.report_svg import Mark

HOUR_US = 3_600_000_000
SCHEDULED = """\
[therapy.scheduled_change]
at = 2027-01-10T08:00:00
therapy = { dose_per_day = "330 ug" }
"""
VOID = ("meta", "line", "rect", "circle", "polygon", "polyline")


class Page(HTMLParser):
    """A page taken apart; fails at a tag that is not closed in its place."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.cells: list[list[str]] = []
        self.words: list[str] = []
        self.attributes: set[str] = set()
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag == "td":
            self.cells[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open and self.open[-1] == "td":
            self.cells[-1][-1] += data

    @property
    def rows(self) -> dict[str, str]:
        return {cells[0].strip(): cells[1] for cells in self.cells if len(cells) == 2}


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk(monkeypatch, tmp_path, capsys)


def interrogated(
    seq: int, tick_us: int, boot_id: int = 1, code: Code = Code.INTERROGATED
) -> LogRecord:
    return LogRecord(seq, boot_id, code, tick_us, 852_368_400, 0, 0)


def report_of(drug: str = "baclofen") -> Report:
    therapy = replace(BACLOFEN, drugs=(Drug(drug, 2_000_000_000),))
    records = [interrogated(29, 5)]
    return Report(
        Reporter(Role.CLINICIAN, "", "itpump 0.1.0", "test"), STATUS, DEVICE,
        PrescriptionInfo(1, 852_368_400, therapy), PrescriptionInfo(0, 0, therapy), [], records,
        Acts(records, []), None,
    )  # fmt: skip


def test_the_terminal_says_who_when_what_was_done_and_how_the_pump_is(desk: Desk) -> None:
    desk.program()
    assert desk.run("bolus", "10ug", "--over", "5min", "--yes") == 0
    desk.line.pass_time(400_000_000)
    assert desk.run("clock", "--by=1h", "--yes") == 0
    assert desk.run("report") == 0
    out = desk.out
    assert max(map(len, out.splitlines())) <= 100
    assert "Who               no name was given (--by NAME)" in out
    assert "role clinician, at test" in out
    done = out[out.index("Done in this session") : out.index("Warnings")]
    codes_done = re.findall(r"[A-Z]+_[A-Z_]+", done)
    assert codes_done == ["PROGRAM_COMMITTED", "BOLUS_STARTED", "BOLUS_DONE", "CLOCK_SET"]
    assert "20 uL given" in done
    assert "to 2027-01-04 10:06, from 2027-01-04 09:06" in done
    assert "set clock, asked for by this tool" in out
    assert re.search(r"  \*  dose baclofen +- +300 ug/day", out)


def test_a_report_changes_nothing_but_the_log(desk: Desk) -> None:
    desk.program()
    before = desk.line.pump.firmware.status()
    assert desk.run("report") == 0
    after = desk.line.pump.firmware.status()
    assert after.log_next == before.log_next + 1
    assert (after.generation, after.last_txn) == (before.generation, before.last_txn)


def test_a_new_pump_has_a_report_too(desk: Desk, tmp_path: Path) -> None:
    assert desk.run("report", "--html", str(tmp_path / "r.html")) == 0
    assert "Done in this session\n  nothing that changes the pump\n\nDoses" in desk.out
    assert "none: the pump has committed nothing yet" in desk.out
    assert Page((tmp_path / "r.html").read_text()).rows["Therapy"] == "none programmed"


def test_another_tool_is_not_taken_for_this_one(desk: Desk, tmp_path: Path) -> None:
    desk.program()
    (tmp_path / "state" / "transactions.json").unlink()
    assert desk.run("report") == 0
    assert "not in this tool's journal" in desk.out


def test_a_damaged_journal_stops_no_report(desk: Desk, tmp_path: Path) -> None:
    desk.program()
    (tmp_path / "state" / "transactions.json").write_text("{")
    assert desk.run("report") == 0
    assert "is damaged" in desk.err
    assert "not in this tool's journal" in desk.out


def test_json_has_the_records_the_settings_and_the_measures(desk: Desk, tmp_path: Path) -> None:
    desk.program()
    assert desk.run("report", "--json", "--html", str(tmp_path / "r.html")) == 0
    values = desk.values()
    assert values["role"] == "clinician"
    assert [record["code"] for record in values["done"]] == ["PROGRAM_COMMITTED"]
    assert values["records"][-1]["code"] == "INTERROGATED"
    assert values["pump.dose_per_day_ug.baclofen"] == 300
    assert values["settings"]["dose baclofen"] == "300 ug/day"
    assert values["last_op_of_this_tool"] == "PROGRAM"
    assert (values["scheduled"], values["scheduled_settings"]) == (None, None)
    assert values["html"] == str(tmp_path / "r.html")


def test_a_scheduled_change_stands_beside_the_present_settings(desk: Desk) -> None:
    desk.program()
    desk.line.pass_time(DAY_US)
    desk.program(SCHEDULED)
    assert desk.run("report") == 0
    assert re.search(r"  \*  dose baclofen +300 ug/day +330 ug/day", desk.out)
    assert "from 2027-01-10 08:00" in desk.out
    assert not re.search(r"\* +drug 1", desk.out)
    assert max(map(len, desk.out.splitlines())) <= 100
    assert desk.run("report", "--json") == 0
    assert desk.values()["scheduled_settings"]["dose baclofen"] == "330 ug/day"


def test_an_earlier_visit_is_left_out_unless_since_names_it(desk: Desk) -> None:
    desk.program()
    desk.line.pass_time(DAY_US)
    assert desk.run("report", "--json") == 0
    assert desk.values()["done"] == []
    assert desk.run("report", "--json", "--since", "0") == 0
    assert [record["code"] for record in desk.values()["done"]] == ["PROGRAM_COMMITTED"]
    assert desk.values()["records"][0]["seq"] == 0


def test_since_beyond_the_log_is_one_line(desk: Desk) -> None:
    assert desk.run("report", "--since", "5000") == 2
    assert desk.err.count("\n") == 1
    assert "the log ends at record 0: none from 5000 on" in desk.err


def test_a_file_that_cannot_be_written_is_one_line(desk: Desk, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "r.html"):
        assert desk.run("report", "--html", str(path)) == 2
        assert desk.err.count("\n") == 1
        assert f"{path}: the report cannot be written: " in desk.err
        assert desk.out == ""


def test_a_visit_is_a_run_of_interrogations_in_one_boot() -> None:
    records = [
        interrogated(1, 0),
        interrogated(2, HOUR_US),
        interrogated(3, HOUR_US + 5, code=Code.PROGRAM_COMMITTED),
        interrogated(4, 2 * HOUR_US - 1),
    ]
    assert [record.seq for record in report_data.visit(records)] == [2, 3, 4]
    rebooted = [*records, interrogated(5, 2 * HOUR_US, boot_id=2)]
    assert [record.seq for record in report_data.visit(rebooted)] == [5]


# --- the page -----------------------------------------------------------------------------------


def test_the_page_parses_fetches_nothing_and_has_the_right_numbers(
    desk: Desk, tmp_path: Path
) -> None:
    desk.program()
    desk.line.pass_time(10 * DAY_US)
    assert desk.run("report", "--html", str(tmp_path / "r.html"), "--since", "0") == 0
    source = (tmp_path / "r.html").read_text()
    page = Page(source)
    assert not re.search(r"https?:|url\(|@import|\bsrc=|href", source)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert page.tags.count("svg") == 3
    assert ["*", "dose baclofen", "-", "300 ug/day"] in page.cells
    assert ["*", "drug 1", "-", "baclofen 500 ug/mL"] in page.cells
    computed_nl = desk.line.pump.firmware.status().computed_nl
    assert f"computed volume {computed_nl / 10**6:g} mL of 40 mL" in page.words
    assert "highest: 0.6 mL/day (25 uL/h)" in page.words
    assert "filled 2027-01-04 09:00" in page.words
    assert "this report 2027-01-14 09:00" in page.words


def test_a_hostile_drug_name_stays_text() -> None:
    hostile = "<img src=x onerror=a()>"
    page = Page(report_html.page(report_of(hostile)))
    assert "img" not in page.tags
    assert "onerror" not in page.attributes
    assert page.rows["drug 1"] == f"{hostile} 2000 ug/mL"


def test_the_gauge_is_drawn_to_scale() -> None:
    report = report_of()
    half = replace(report, status=replace(STATUS, computed_nl=20_000_000))
    source = report_html.page(half)
    assert '<rect class="area" x="10" y="30" height="28" width="350.0"/>' in source
    assert 'class="low" x1="45.0"' in source  # 2 mL of 40 mL


def test_a_week_is_drawn_from_monday_on_with_sundays_last_step() -> None:
    therapy = replace(
        BACLOFEN,
        program=codes.ProgramKind.FLEX,
        rate=Rate(codes.RateBasis.VOLUME_PL, codes.RatePer.HOUR, 0),
        steps=(FlexStep(127, 480, 9_000_000), FlexStep(127, 1200, 3_000_000)),
    )
    course = report_course.of(therapy, DEVICE)
    assert len(course.steps) == 15
    assert course.steps[:3] == [(0, 3_000_000), (480, 9_000_000), (1200, 3_000_000)]
    assert course.span_min == 7 * 1440


def test_a_periodic_program_is_drawn_over_one_interval() -> None:
    therapy = replace(
        BACLOFEN,
        program=codes.ProgramKind.PERIODIC,
        rate=Rate(codes.RateBasis.VOLUME_PL, codes.RatePer.HOUR, 2_000_000),
        periodic=Periodic(codes.RateBasis.VOLUME_PL, 10_000_000, 600, 21_600, 0),
    )
    course = report_course.of(therapy, DEVICE)
    assert course.steps == [(0, 60_000_000), (10, 2_000_000)]
    assert course.span_min == 360
    assert [name for _, name in course.ticks][1::3] == ["1 h 30 min", "6 h"]


def test_dates_stand_from_the_middle_outwards_and_like_ones_together() -> None:
    marks = [Mark(0, "absent"), Mark(100, "a"), Mark(200, "b"), Mark(900, "c"), Mark(900, "d")]
    words = re.findall(r">([^<>]+)</text>", report_svg.timeline(marks))
    assert [word.split(" 2000-")[0] for word in words] == ["b", "a", "c, d"]


def test_a_drug_named_at_full_length_fits_the_terminal() -> None:
    out = report_text.text(report_of("d" * 24))
    assert max(map(len, out.splitlines())) <= 100
