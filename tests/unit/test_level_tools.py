"""What people see of a level sensor: status, refill, report, the live line."""

from dataclasses import replace
from pathlib import Path

import pytest
from desk import THERAPY, Desk
from emulated_line import DAY_US
from scripted_pump import STATUS

from emulator.devices.level import LevelSensor
from protocol.codes import Code
from protocol.messages import AlarmEntry
from tools.programmer import report_svg, sensed
from tools.pump_measures import of_status
from tools.run.report import known


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    found = Desk(monkeypatch, tmp_path, capsys, "sensed-40")
    found.program(THERAPY)
    return found


def sensor(desk: Desk) -> LevelSensor:
    found = desk.line.pump.board.reservoir_sensor
    assert found is not None
    return found


def test_status_report_and_refill_show_count_and_sensor_apart(desk: Desk, tmp_path: Path) -> None:
    sensor(desk).bias_nl = -150_000
    desk.line.pass_time(10 * DAY_US)
    assert desk.run("status") == 0
    assert "34 mL of 40 mL, filled" in desk.out
    assert "33.8 mL by its level sensor" in desk.out
    assert desk.run("status", "--json") == 0
    values = desk.values()
    assert (values["pump.computed_ul"], values["pump.sensed_ul"]) == (34_000, 33_800)
    page = tmp_path / "r.html"
    assert desk.run("report", "--html", str(page)) == 0
    assert "33.8 mL by its level sensor" in desk.out
    assert ">sensed 33.8 mL</text>" in page.read_text()
    assert desk.run("refill", typed="") == 2
    assert "expected residual: 34 mL" in desk.out
    assert "33.8 mL by its level sensor" in desk.out
    assert "shows" not in desk.out


def test_a_contradiction_is_said_before_the_residual_is_asked_for(desk: Desk) -> None:
    sensor(desk).bias_nl = -10_000_000
    desk.line.pass_time(DAY_US)
    assert desk.run("refill", typed="") == 2
    assert "level sensor shows 29.4 mL, the pump counts 39.4 mL" in desk.out


def test_an_entry_that_the_sensor_contradicts_is_said_while_the_patient_is_there(
    desk: Desk,
) -> None:
    desk.line.pass_time(2 * DAY_US)
    desk.line.pump.board.plant.refill(20_000_000_000, ())
    assert desk.run("refill", "40mL", "--yes", "--json") == 0
    assert desk.values()["warnings"][-1] == "SENSOR_DISAGREE"
    assert desk.run("refill", "20mL", typed="20mL\ny\nyes\n") == 0
    assert "! SENSOR_DISAGREE: the level sensor shows 20 mL, the pump counts 40 mL" in desk.out
    assert desk.run("status") == 0
    assert "SENSOR_DISAGREE" not in desk.out


def test_without_a_sensor_nothing_is_said_of_one() -> None:
    assert sensed.volume(STATUS) is None
    assert sensed.contradiction(STATUS) is None
    assert of_status(STATUS)["pump.sensed_ul"] is None
    assert "sensed" not in report_svg.reservoir(1, 2, None, sensed.volume_nl(STATUS))


@pytest.mark.parametrize(("sensed_nl", "why"), [(1, "a leak"), (40_000_000, "less given than")])
def test_a_contradiction_says_which_way(sensed_nl: int, why: str) -> None:
    standing = (AlarmEntry(Code.SENSOR_DISAGREE, 1, 1),)
    status = replace(STATUS, computed_nl=20_000_000, sensed_nl=sensed_nl, alarms=standing)
    assert why in str(sensed.contradiction(status))


def test_the_live_line_shows_what_the_pump_knows() -> None:
    table = {"pump.computed_ul": 39_850, "pump.sensed_ul": 39_800}
    assert known(table) == "computed 39.850000 sensed 39.800000"
    assert known({**table, "pump.sensed_ul": None}) == "computed 39.850000"
