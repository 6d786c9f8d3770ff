"""Wrong refills: what is physically true, what the pump believes, and when it comes to light.

A pump that does not sense its reservoir takes a fill on trust. So each case is followed from one
refill to the next: what the tool says at once, what is in the reservoir, what the pump computes,
and what the residual of the next refill tells. The rate is 1 mL/day, and refills are 14 days apart.
"""

from pathlib import Path
from typing import NamedTuple

import pytest
from desk import Desk
from emulated_line import DAY_US

from emulator.devices.fluid import Drug
from protocol.codes import Mode

PROGRAM = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "500 ug/mL" }]
mode = "simple_continuous"
rate = "1 mL/day"
reservoir_fill = "20 mL"
"""
ML = 10**6
APART_DAYS = 14


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    """A pump 14 days after 20 mL were filled: 6 mL are left."""
    desk = Desk(monkeypatch, tmp_path, capsys)
    desk.program(PROGRAM)
    desk.line.pump.board.plant.refill(20 * 10**9, ())
    desk.line.pass_time(APART_DAYS * DAY_US)
    return desk


class Case(NamedTuple):
    """One wrong refill; volumes in mL."""

    injected: int | None
    """What went into the reservoir; None: the needle was never in it."""
    told: str
    at_once: list[str]
    """Warnings at the refill itself."""
    left: int
    """What is physically there after 14 days."""
    believed: int
    """What the pump computes then."""
    later: list[str]
    """Warnings at the next refill, when what is left is measured."""


CASES = {
    "as it should be": Case(20, "20mL", [], 6, 6, []),
    "20 injected, 40 entered": Case(20, "40mL", ["FILL_VOLUME"], 6, 26, ["DISCREPANCY_OVER"]),
    "40 injected, 20 entered": Case(
        40, "20mL", [], 26, 6, ["DISCREPANCY_UNDER", "RESIDUAL_IMPLAUSIBLE"]
    ),
    "pocket fill, the reservoir emptied": Case(0, "20mL", [], 0, 6, ["DISCREPANCY_OVER"]),
    "told but not done": Case(None, "20mL", [], 0, 6, ["DISCREPANCY_OVER"]),
    "half of it into the pocket": Case(10, "20mL", [], 0, 6, ["DISCREPANCY_OVER"]),
    "a tenth entered": Case(
        20, "2mL", ["FILL_VOLUME"], 18, 0, ["DISCREPANCY_UNDER", "RESIDUAL_IMPLAUSIBLE"]
    ),
}


@pytest.mark.requirement("R-022")
@pytest.mark.requirement("R-071")
@pytest.mark.parametrize("name", CASES)
def test_a_wrong_refill_comes_to_light_at_the_next_one(desk: Desk, name: str) -> None:
    case, plant = CASES[name], desk.line.pump.board.plant
    assert plant.reservoir_pl == 6 * 10**9
    assert desk.run("refill", case.told, "--residual", "6mL", "--yes", "--json") == 0
    assert desk.values()["warnings"] == case.at_once
    if case.injected is not None:
        plant.refill(case.injected * 10**9, ())
    desk.line.pass_time(APART_DAYS * DAY_US)
    assert abs(plant.reservoir_pl // 1000 - case.left * ML) <= 250
    assert abs(desk.line.pump.firmware.status().computed_nl - case.believed * ML) <= 250
    measured = f"{plant.reservoir_pl // 10**6} uL"
    assert desk.run("refill", "20mL", "--residual", measured, "--yes", "--json") == 0
    said = [word for word in desk.values()["warnings"]
            if word.startswith(("DISCREPANCY", "RESIDUAL"))]  # fmt: skip
    assert said == case.later


def test_a_pump_that_was_told_too_little_stops_while_drug_is_left(desk: Desk) -> None:
    """The safe side, and its price: alarm and withdrawal, though 18 mL are there."""
    desk.line.pump.board.plant.refill(20 * 10**9, ())
    assert desk.run("refill", "2mL", "--residual", "6mL", "--yes") == 0
    desk.line.pass_time(3 * DAY_US)
    assert desk.line.pump.firmware.status().mode is Mode.STOPPED
    assert desk.line.pump.board.plant.reservoir_pl == 18 * 10**9
    assert desk.run("refill", "20mL", "--residual", "18mL", "--yes", "--json") == 0
    assert "RESIDUAL_IMPLAUSIBLE" in desk.values()["warnings"]
    assert "STAYS_STOPPED" in desk.values()["warnings"]
    assert desk.line.pump.firmware.status().mode is Mode.STOPPED


def test_another_concentration_in_the_syringe_is_never_seen_by_the_pump(desk: Desk) -> None:
    """2000 for 500 ug/mL: four times the dose. Volumes agree; only the question names the drug."""
    plant = desk.line.pump.board.plant
    assert desk.run("refill", typed="6mL\n20mL\nn\nn\n") == 1
    assert desk.prompts[2] == "the same drugs, baclofen 500 ug/mL? [y/N]"
    plant.refill(20 * 10**9, (Drug("baclofen", 2_000_000_000),))
    assert desk.run("refill", "20mL", "--residual", "6mL", "--yes") == 0
    desk.line.pass_time(APART_DAYS * DAY_US)
    assert desk.run("refill", "20mL", "--residual", "6mL", "--yes", "--json") == 0
    assert desk.values()["warnings"] == []


def test_more_than_the_reservoir_holds_is_refused_and_cannot_go_in(desk: Desk) -> None:
    assert desk.run("refill", "41mL", "--residual", "6mL", "--yes") == 3
    assert "volume 41 mL is more than the reservoir holds, 40 mL" in desk.err
    assert desk.line.pump.firmware.status().computed_nl == 6 * ML
    with pytest.raises(ValueError, match="41"):
        desk.line.pump.board.plant.refill(41 * 10**9, ())


def test_a_second_refill_within_the_day_is_flagged_and_one_later_is_not(desk: Desk) -> None:
    words = ("refill", "20mL", "--residual", "6mL", "--yes", "--json")
    assert desk.run(*words) == 0
    desk.line.pass_time(180_000_000)
    assert desk.run(*words) == 0
    assert desk.values()["warnings"] == ["DISCREPANCY_OVER", "REFILLED_AGAIN"]
    desk.line.pass_time(DAY_US)
    assert desk.run("refill", "20mL", "--residual", "19mL", "--yes", "--json") == 0
    assert desk.values()["warnings"] == []


def test_a_fill_of_which_nothing_was_given_must_be_whole(desk: Desk) -> None:
    assert desk.run("stop") == 0
    assert desk.run("refill", "20mL", "--residual", "6mL", "--yes") == 0
    assert desk.run("refill", "20mL", "--residual", "6mL", "--yes", "--json") == 0
    assert desk.values()["warnings"] == [
        "RESIDUAL_IMPLAUSIBLE", "REFILLED_AGAIN", "STAYS_STOPPED",
    ]  # fmt: skip


def test_a_refill_says_when_the_next_is_due(desk: Desk) -> None:
    assert desk.run("refill", "20mL", "--residual", "6mL", "--yes") == 0
    assert "next refill due 2027-02-05 09:00" in desk.out  # 18 mL at 1 mL/day


@pytest.mark.requirement("R-071")
@pytest.mark.parametrize("entry", ["8uL", "0.05mL", "99 uL"])
def test_less_than_a_syringe_shows_is_a_slip_of_units(desk: Desk, entry: str) -> None:
    for words in ((entry, "--residual", "6mL"), ("20mL", "--residual", entry)):
        assert desk.run("refill", *words, "--yes") == 2
        assert "no syringe shows less than 0.1 mL; was mL meant?" in desk.err
    assert desk.run("refill", "20mL", "--residual", "0mL", "--yes") == 0
