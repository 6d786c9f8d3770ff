"""`refill` at the desk: few prompts, every entry judged, nothing confirmed unread."""

from pathlib import Path

import pytest
from desk import THERAPY, Desk
from emulated_line import DAY_US

GIVEN = THERAPY.replace('dose_per_day = "300 ug"', 'rate = "0.158 mL/day"').replace("40", "20")
"""Of 20 mL, 15.8 are given in 100 days."""


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk(monkeypatch, tmp_path, capsys)


@pytest.fixture
def due(desk: Desk) -> Desk:
    """The pump of worked case 8, on the day of its refill."""
    desk.program(GIVEN)
    desk.line.pass_time(100 * DAY_US)
    return desk


def test_a_refill_only_takes_four_prompts(due: Desk) -> None:
    assert due.run("refill", typed="3mL\n20mL\ny\ny\n") == 0
    assert len(due.prompts) == 4
    assert "expected residual: 4.2 mL of 20 mL on 2027-01-04 09:00" in due.out
    assert "within the pump's accuracy: 1.909 mL to 6.491 mL" in due.out
    assert "discrepancy: +7.59 %, within the pump's accuracy of ±14.5 %" in due.out
    assert "!" not in due.out
    assert due.line.pump.firmware.status().computed_nl == 20_000_000


@pytest.mark.requirement("R-022")
@pytest.mark.requirement("R-071")
@pytest.mark.requirement("R-254")
@pytest.mark.parametrize(
    ("residual", "percent", "code"),
    [
        ("1.5mL", "+17.09 %, OUTSIDE", "DISCREPANCY_OVER"),
        ("7mL", "-17.72 %, OUTSIDE", "DISCREPANCY_UNDER"),
    ],
)
def test_a_residual_outside_the_accuracy_needs_a_whole_yes(
    due: Desk, residual: str, percent: str, code: str
) -> None:
    assert due.run("refill", typed=f"{residual}\n20mL\ny\ny\n") == 1
    assert due.line.pump.firmware.status().computed_nl == 4_200_000
    assert due.run("refill", typed=f"{residual}\n20mL\ny\nyes\n") == 0
    assert len(due.prompts) == 4
    assert f"discrepancy: {percent}" in due.out
    assert f"! {code}: " in due.out
    assert due.line.pump.firmware.status().computed_nl == 20_000_000


@pytest.mark.requirement("R-071")
def test_more_than_was_filled_is_implausible(due: Desk) -> None:
    assert due.run("refill", typed="42mL\n20mL\ny\nn\n") == 1
    assert "! RESIDUAL_IMPLAUSIBLE: 42 mL cannot be what is left of 20 mL" in due.out


@pytest.mark.requirement("R-071")
def test_a_wrong_entry_is_asked_for_again_and_three_end_it(due: Desk) -> None:
    assert due.run("refill", typed="3\n3 mL\n41mL\n20 mL\ny\ny\n") == 0
    assert '3": a volume needs a unit' in due.out
    assert '"41mL": rotor-40 holds 40 mL' in due.out
    assert due.run("refill", typed="a\nb\nc\n") == 2
    assert "nothing usable was entered; nothing was changed" in due.err


def test_another_drug_is_told_what_follows(due: Desk) -> None:
    assert due.run("refill", typed="4.2mL\n20mL\nn\ny\n") == 0
    assert "now `program` it, then `bridge`" in due.out
    assert due.run("refill", "20mL", "--residual", "20mL", "--new-drug", "--yes", "--json") == 0
    assert due.values()["same_drug"] is False


def test_with_options_nobody_is_asked(due: Desk) -> None:
    assert due.run("refill", "20mL", "--residual", "1.5mL", "--yes", "--json") == 0
    values = due.values()
    assert due.prompts == []
    assert values["warnings"] == ["DISCREPANCY_OVER"]
    assert round(values["programmer.refill_discrepancy_percent"], 2) == 17.09
    assert values["pump.computed_ul"] == 20_000


def test_options_leave_only_the_question(due: Desk) -> None:
    words = ("refill", "20mL", "--residual", "3mL", "--same-drug")
    assert due.run(*words, typed="y\n") == 0
    assert due.prompts == ["is that so? [y/N]"]


def test_yes_without_a_volume_is_bad_input(due: Desk) -> None:
    before = due.line.pump.firmware.status().log_next
    assert due.run("refill", "--yes") == 2
    assert "give the volume injected" in due.err
    assert due.line.pump.firmware.status().log_next == before


def test_without_a_residual_nothing_is_judged(due: Desk) -> None:
    assert due.run("refill", "20mL", "--yes", "--json") == 0
    assert due.values()["programmer.refill_discrepancy_percent"] is None


def test_drugs_past_their_stability_are_told(desk: Desk) -> None:
    desk.program(GIVEN + 'stability = "90d"\n')
    desk.line.pass_time(89 * DAY_US)
    assert desk.run("status", "--json") == 0
    assert desk.values()["warnings"] == []
    desk.line.pass_time(DAY_US)
    assert desk.run("status", "--json") == 0
    assert desk.values()["warnings"] == ["STABILITY_PASSED"]
    assert desk.run("status") == 0
    assert "the drugs in the reservoir were good until 2027-04-04 09:00" in desk.out


def test_a_question_left_without_an_answer_changes_nothing(due: Desk) -> None:
    assert due.run("refill", typed="3mL\n20mL\ny\n") == 1
    assert "nothing was changed" in due.out
    assert due.line.pump.firmware.status().computed_nl == 4_200_000


def test_while_a_dose_runs_nothing_is_typed_in_vain(due: Desk) -> None:
    assert due.run("bolus", "20 uL", "--over", "30min", "--yes") == 0
    assert due.run("refill", typed="4mL\n20mL\ny\ny\n") == 3
    assert (due.prompts, due.out) == ([], "")
    assert "BUSY_DELIVERING: a dose is being given, and the pump takes no refill" in due.err
