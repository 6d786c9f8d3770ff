"""`trial` at the desk: a drug tried on a `trial-external`, judged by what leaves the pump."""

from pathlib import Path

import pytest
from emulated_line import DAY_US
from trial_desk import HOUR_US, PLAN, Trial

ZICONOTIDE = """\
[trial]
start_dose = "START"
step = "STEP"
every = "24 h"
[trial.stop]
dose = "MOST"
after = "30 d"
[therapy]
drugs = [{ name = "ziconotide", concentration = "25 ug/mL" }]
"""


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Trial:
    return Trial(monkeypatch, tmp_path, capsys)


# --- doses ----------------------------------------------------------------------------------------


def test_each_day_of_the_trial_gives_the_dose_of_its_step(desk: Trial) -> None:
    desk.begin()
    given = [desk.day_ul()]
    for _ in range(3):
        desk.ok("step", "--yes")
        given.append(desk.day_ul())
    for day_ul, dose_ul in zip(given, (200, 300, 400, 500), strict=True):
        assert abs(day_ul - dose_ul) <= 1  # two strokes
    assert desk.state()["given_nl"] == pytest.approx(1_400_000, abs=1000)
    assert "is the highest dose of the plan" in desk.no(3, "step", "--yes")


def test_the_plan_is_shown_whole_before_its_start_is_confirmed(desk: Trial) -> None:
    desk.ok("score", "8")
    assert desk.run("trial", "start", desk.plan(), typed="n\n") == 1
    rows = [" ".join(line.split()) for line in desk.out.splitlines()]
    assert "4 500 ug/day 0.5 mL/day (~20.8333 uL/h) 3 d" in rows
    assert (
        "No step after 500 ug/day, 7 d after the start, a score of 2 or less, a side effect" in rows
    )
    assert "here a mean score of 4 or less at a dose" in desk.out
    assert max(map(len, desk.out.splitlines())) <= 100
    assert desk.generation == 0
    assert desk.state()["state"] == "baseline"


def test_the_oral_dose_is_information_with_its_source_and_changes_nothing(desk: Trial) -> None:
    desk.begin()
    assert "300:1 would be 400 ug/day of intrathecal morphine. Not" in desk.out
    assert "https://doi.org/10.1177/104990910402100214" in desk.out
    with_oral = desk.line.pump.firmware.status().rate_numerator_pl
    desk.ok("end", "--stop", "--yes")
    desk.begin(text=PLAN.replace('oral_morphine = "120 mg"\n', ""))
    assert "oral" not in desk.out
    assert desk.line.pump.firmware.status().rate_numerator_pl == with_oral


def test_a_step_before_its_time_is_refused_with_the_time_left(desk: Trial) -> None:
    desk.begin()
    desk.line.pass_time(20 * HOUR_US)
    complaint = desk.no(3, "step", "--yes")
    assert "300 ug/day is due in 4 h, 2027-01-05 09:00" in complaint
    assert desk.state()["next_step_in_s"] == 4 * 3600
    desk.line.pass_time(4 * HOUR_US)
    desk.ok("step", "--yes")


def test_setting_the_clock_brings_no_step_nearer_and_puts_none_off(desk: Trial) -> None:
    desk.begin()
    assert desk.run("clock", "--by", "23h", "--yes") == 0
    assert "due in 1 d, 2027-01-06 08:00" in desk.no(3, "step", "--yes")
    desk.line.pass_time(HOUR_US)
    assert desk.run("clock", "--by=-30h", "--yes") == 0
    assert desk.state()["next_step_in_s"] == 23 * 3600
    desk.line.pass_time(23 * HOUR_US)
    desk.ok("step", "--yes")


@pytest.mark.parametrize(
    ("score", "why"),
    [
        (("2",), "the last score, 2, is at or below 2"),
        (("5", "--side-effect", "itching"), "a side effect was recorded at this dose: itching"),
    ],
)
def test_a_score_can_stop_the_titration(desk: Trial, score: tuple[str, ...], why: str) -> None:
    desk.begin()
    desk.line.pass_time(DAY_US)
    desk.ok("score", *score)
    assert why in desk.no(3, "step", "--yes")
    assert abs(desk.day_ul() - 200) <= 1


def test_no_step_is_taken_after_the_days_of_the_plan(desk: Trial) -> None:
    desk.begin()
    desk.line.pass_time(7 * DAY_US)
    assert "no step is taken from 7 d after the start on" in desk.no(3, "step", "--yes")


# --- limits ---------------------------------------------------------------------------------------


def ziconotide(start: str, step: str, most: str) -> str:
    return ZICONOTIDE.replace("START", start).replace("STEP", step).replace("MOST", most)


@pytest.mark.parametrize(
    ("plan", "which"),
    [
        (ziconotide("2.5 ug", "2.4 ug", "4.9 ug"), "LIMIT_SOFT: step 1: ziconotide"),
        (ziconotide("2.4 ug", "2.5 ug", "4.9 ug"), "LIMIT_SOFT: step 2: ziconotide"),
        (
            ziconotide("2.4 ug", "2.4 ug", "21.6 ug").replace('"7 d"', '"30 d"'),
            "LIMIT_HARD: step 9",
        ),
    ],
)
def test_a_plan_beyond_the_drug_table_is_refused_before_anything_is_sent(
    desk: Trial, plan: str, which: str
) -> None:
    desk.ok("score", "8")
    assert which in desk.no(3, "start", desk.plan(plan), "--yes")


def test_ziconotide_within_the_table_is_stepped_and_beyond_it_overridden(desk: Trial) -> None:
    desk.begin(text=ziconotide("2.4 ug", "2.4 ug", "4.8 ug"))
    assert abs(desk.day_ul() - 96) <= 1
    desk.ok("step", "--yes")
    assert abs(desk.day_ul() - 192) <= 1
    desk.ok("end", "--stop", "--yes")
    desk.ok("score", "8")
    desk.ok("start", desk.plan(ziconotide("2.4 ug", "2.5 ug", "4.9 ug")), "--override", "--yes")
    desk.line.pass_time(DAY_US)
    assert "LIMIT_SOFT" in desk.no(3, "step", "--yes")
    desk.ok("step", "--override", "--yes")
    assert abs(desk.day_ul() - 196) <= 1


def test_a_minimum_rate_above_the_dose_is_no_way_to_end(desk: Trial) -> None:
    desk.begin()
    complaint = desk.no(3, "end", "--minimum-rate", "--yes")
    assert "the minimum rate of trial-external is 2400 ug/day of morphine" in complaint
    assert desk.state()["state"] == "running"
