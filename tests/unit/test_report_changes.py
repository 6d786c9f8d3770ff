"""`report`: who did what, and what each setting was before; judged against pump and plant."""

import json
import re
from pathlib import Path

import pytest
from desk import THERAPY, Desk
from emulated_line import DAY_US
from test_programmer_report import SCHEDULED, Page

from protocol.codes import Code
from tools.programmer import journal
from tools.programmer.client import Client
from tools.programmer.errors import NoLink, Uncertain

HOUR_US = 3_600_000_000
MORE = '[therapy]\ndose_per_day = "330 ug"\n'
NEW = '[therapy]\ndrugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]\n'


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    """A pump that has run for ten days; the next command begins a visit."""
    desk = Desk(monkeypatch, tmp_path, capsys)
    desk.program(THERAPY)
    desk.line.pass_time(10 * DAY_US)
    return desk


def by_another_tool(desk: Desk, tmp_path: Path, text: str = MORE) -> None:
    """Program with a tool that keeps its journal elsewhere."""
    ours, theirs = tmp_path / "state", tmp_path / "theirs"
    ours.rename(tmp_path / "kept")
    desk.program(text)
    ours.rename(theirs)
    (tmp_path / "kept").rename(ours)


def report(desk: Desk, *words: str) -> dict[str, object]:
    assert desk.run("report", "--json", *words) == 0, desk.err
    return desk.values()


def doses(desk: Desk, *words: str) -> list[str]:
    """What the report says of each dose, and of all."""
    found = report(desk, *words)["doses"]
    assert isinstance(found, list)
    return [one["given"] for one in found]


@pytest.mark.requirement("R-253")
def test_every_setting_stands_beside_what_it_was_and_changed_ones_are_marked(desk: Desk) -> None:
    assert desk.run("--by", "A. Nurse", "program", desk.file(MORE), "--yes") == 0
    assert desk.run("--by", "B. Nurse", "report") == 0
    assert "A. Nurse, B. Nurse" in desk.out
    assert re.search(r"  \*  dose baclofen +300 ug/day +330 ug/day\n", desk.out)
    assert re.search(r"\n     drug 1 +baclofen 500 ug/mL +baclofen 500 ug/mL\n", desk.out)
    assert re.search(r"PROGRAM_COMMITTED +A\. Nurse +generation 2", desk.out)
    assert max(map(len, desk.out.splitlines())) <= 100


def test_the_first_of_several_changes_says_what_was_before(desk: Desk) -> None:
    desk.program(MORE)
    assert desk.run("refill", "40mL", "--residual", "34mL", "--yes") == 0
    desk.program('[therapy]\ndose_per_day = "300 ug"\n')
    changed = report(desk)["changed"]
    assert isinstance(changed, dict)
    assert "dose baclofen" not in changed, "back at what it was"
    assert changed["reservoir filled"] == {
        "before": "40 mL, 2027-01-04 09:00", "now": "40 mL, 2027-01-14 09:00",
    }  # fmt: skip


def test_of_another_tool_s_change_nothing_is_claimed(desk: Desk, tmp_path: Path) -> None:
    by_another_tool(desk, tmp_path)
    assert desk.run("clock", "--by=1h", "--yes") == 0
    values = report(desk)
    assert values["before"] is None
    assert values["before_unknown"] == (
        "a change is not in this tool's journal, settings before are not known here"
    )
    assert [(act["code"], act["by"]) for act in values["done"]] == [  # type: ignore[attr-defined]
        ("PROGRAM_COMMITTED", "not in the journal"), ("CLOCK_SET", "this tool"),
    ]  # fmt: skip
    assert desk.run("report") == 0
    assert "a change is not in this tool's journal, settings before are not known here" in desk.out


def test_what_this_tool_read_before_another_changed_it_is_known(desk: Desk, tmp_path: Path) -> None:
    assert desk.run("bolus", "10ug", "--over", "5min", "--yes") == 0
    desk.line.pass_time(400_000_000)
    by_another_tool(desk, tmp_path)
    changed = report(desk)["changed"]
    assert isinstance(changed, dict)
    assert changed["dose baclofen"] == {"before": "300 ug/day", "now": "330 ug/day"}


def test_an_earlier_visit_s_acts_claim_nothing_of_this_one(desk: Desk, tmp_path: Path) -> None:
    """This tool's last program and the other's leave records of one kind."""
    desk.program(MORE)
    desk.line.pass_time(10 * DAY_US)
    by_another_tool(desk, tmp_path, THERAPY.replace('reservoir_fill = "40 mL"\n', ""))
    values = report(desk)
    assert [act["by"] for act in values["done"]] == ["not in the journal"]  # type: ignore[attr-defined]
    assert values["before"] is None


def test_a_visit_that_changed_nothing_shows_the_settings_alone(desk: Desk) -> None:
    assert desk.run("report") == 0
    assert re.search(r"\n  dose baclofen +300 ug/day\n", desk.out)
    assert "before" not in desk.out
    assert report(desk)["before_unknown"] is None


def test_a_takeover_is_the_schedule_s(desk: Desk) -> None:
    desk.program(SCHEDULED.replace("2027-01-10T08:00:00", "2027-01-14T09:30:00"))
    desk.line.pass_time(HOUR_US - 1)
    values = report(desk)
    done = values["done"]
    assert isinstance(done, list)
    assert [(act["code"], act["by"]) for act in done] == [
        ("PROGRAM_COMMITTED", "this tool"), ("SCHEDULED_CHANGE", "the schedule"),
    ]  # fmt: skip
    changed = values["changed"]
    assert isinstance(changed, dict)
    assert changed["dose baclofen"] == {"before": "300 ug/day", "now": "330 ug/day"}


def test_what_was_before_survives_a_tool_that_dies_at_the_commit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Client.commit

    def torn(client: Client, *request: object) -> None:
        commit(client, *request)  # type: ignore[arg-type]
        raise Uncertain("the tool has died")

    with monkeypatch.context() as patch:
        patch.setattr(Client, "_closed", lambda *ended: None)
        patch.setattr(Client, "commit", torn)
        assert desk.run("program", desk.file(MORE), "--yes") == Uncertain.exit_code
    values = report(desk)
    changed = values["changed"]
    assert isinstance(changed, dict)
    assert values["warnings"] == ["OPEN_TRANSACTION"]
    assert changed["dose baclofen"] == {"before": "300 ug/day", "now": "330 ug/day"}


def test_warnings_that_were_confirmed_are_told_and_a_bridge_that_is_missing(desk: Desk) -> None:
    desk.program(NEW)
    values = report(desk)
    assert values["warnings"] == ["BRIDGE_OMITTED"]
    (act,) = values["done"]  # type: ignore[misc]
    assert act["warned"][0].startswith("! CONCENTRATION_CHANGED: from baclofen 500 ug/mL to")
    assert desk.run("bridge", "--yes") == 0
    assert report(desk)["warnings"] == []


def test_doses_of_a_visit_are_the_plant_s(desk: Desk) -> None:
    assert desk.run("status") == 0
    before_ul = desk.line.delivered_ul
    assert desk.run("bolus", "10ug", "--over", "5min", "--yes") == 0
    desk.line.pass_time(400_000_000)
    assert desk.run("bolus", "20ug", "--over", "5min", "--yes") == 0
    desk.line.pass_time(150_000_000)
    assert desk.run("stop") == 0
    given = doses(desk)
    assert given[0] == "baclofen 10 ug = 20 uL asked for; baclofen 10 ug = 20 uL given"
    assert given[1] == (
        "baclofen 20 ug = 40 uL asked for; baclofen 10 ug = 20 uL given, ended early"
    )
    given_ul = float(given[2].split()[0])
    assert abs(desk.line.delivered_ul - before_ul - given_ul) <= 1


def test_two_doses_within_a_minute_are_two(desk: Desk) -> None:
    for _ in range(2):
        assert desk.run("bolus", "1ug", "--yes", "--again") == 0
        desk.line.pass_time(10_000_000)
    assert doses(desk)[:2] == ["baclofen 1 ug = 2 uL asked for; baclofen 1 ug = 2 uL given"] * 2


def test_a_dose_that_the_power_cut_is_told_as_the_most_that_it_can_have_been(desk: Desk) -> None:
    before_ul = desk.line.delivered_ul
    assert desk.run("bolus", "20ug", "--over", "5min", "--yes") == 0
    desk.line.pass_time(100_000_000)
    desk.line.pump.board.power_cut(1_000_000)
    given_ul = desk.line.delivered_ul - before_ul
    desk.line.pass_time(2_000_000)
    bolus, total = doses(desk, "--since", "0")  # a reset ends the visit
    most_ul = float(bolus.rpartition("= ")[2].split()[0])
    assert bolus.endswith("uL given, ended early")
    assert "; at most baclofen" in bolus
    assert given_ul < most_ul <= given_ul + 10
    unseen_ul = float(total.rpartition("; ")[2].removesuffix(" uL of it is unconfirmed"))
    assert 0 < unseen_ul <= 10


def test_dates_are_the_pump_s(desk: Desk) -> None:
    desk.program('[therapy]\nstability = "90d"\n')
    dates = report(desk)["dates"]
    assert isinstance(dates, dict)
    assert dates["filled"] == "2027-01-04 09:00"
    assert dates["drugs good until"] == "2027-04-04 09:00"
    assert dates["low reservoir"] == "2027-03-08 17:00"  # 38 mL at 0.6 mL/day
    assert dates["refill due"] == "2027-03-08 17:00"
    assert dates["end of service (EOS)"] == "at the latest 2034-01-03 09:00"


def test_the_page_marks_what_changed(desk: Desk, tmp_path: Path) -> None:
    name = "A. <Nurse>"
    assert desk.run("--by", name, "program", desk.file(MORE), "--yes") == 0
    assert desk.run("report", "--html", str(tmp_path / "r.html")) == 0
    source = (tmp_path / "r.html").read_text()
    page = Page(source)
    assert ["*", "dose baclofen", "300 ug/day", "330 ug/day"] in page.cells
    assert '<tr class="changed"><td>*</td><td>dose baclofen</td>' in source
    assert any(name in cells for cells in page.cells)
    assert "nurse" not in page.tags


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\x1b[2Jb"])
def test_a_name_is_one_short_line(desk: Desk, name: str) -> None:
    with pytest.raises(SystemExit):
        desk.run("--by", name, "status")


def test_a_journal_of_an_older_tool_is_read_and_its_acts_are_not_guessed(
    desk: Desk, tmp_path: Path
) -> None:
    desk.program(MORE)
    path = tmp_path / "state" / journal.FILE_NAME
    data = json.loads(path.read_text())
    for row in data["closed"]:
        del row["before"], row["by"], row["warned"]
    path.write_text(json.dumps(data))
    values = report(desk)
    assert values["before"] is None
    assert [act["code"] for act in values["done"]] == [Code.PROGRAM_COMMITTED.name]  # type: ignore[attr-defined]


def test_no_link_to_read_what_is_there_is_no_change(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(client: Client) -> None:
        raise NoLink("the port: gone")

    with monkeypatch.context() as patch:
        patch.setattr(Client, "pending", gone)
        desk.program(MORE)  # nothing is scheduled: it is not asked for
    assert desk.line.pump.firmware.status().generation == 2
