"""`trial` at the desk: a drug tried by a plan on `trial-external`, judged by what leaves the pump."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from emulated_line import DAY_US, EmulatedLine

from protocol.codes import Code, Mode
from tools.programmer import program, trial_record, trial_visit
from tools.programmer.client import Client
from tools.programmer.trial_record import Done, Record

HOUR_US = DAY_US // 24
FULL_PL = 100 * 10**9
PLAN = """\
[trial]
start_dose = "200 ug"
step = "100 ug"
every = "24 h"
oral_morphine = "120 mg"
[trial.stop]
dose = "500 ug"
after = "7 d"
score = 2
[therapy]
drugs = [{ name = "morphine", concentration = "1 mg/mL" }]
reservoir_fill = "100 mL"
"""
ZICONOTIDE = """\
[trial]
start_dose = "START"
step = "STEP"
every = "24 h"
[trial.stop]
dose = "MOST"
after = "7 d"
[therapy]
drugs = [{ name = "ziconotide", concentration = "25 ug/mL" }]
"""


class Trial(Desk):
    """A desk with a trial pump, at which `trial` is run."""

    folder: Path

    def plan(self, text: str = PLAN) -> str:
        path = self.folder / "plan.toml"
        path.write_text(text)
        return str(path)

    def ok(self, *words: str) -> str:
        assert self.run("trial", *words) == 0, self.err
        return self.out

    def no(self, code: int, *words: str) -> str:
        """Run what is refused: one line, and the pump is left as it was."""
        before = self.generation
        assert self.run("trial", *words) == code
        assert self.err.count("\n") == 1
        assert self.generation == before
        return self.err

    def begin(self, baseline: int = 8, text: str = PLAN) -> None:
        self.ok("score", str(baseline))
        self.ok("start", self.plan(text), "--yes")

    def state(self) -> dict[str, Any]:
        self.ok("status", "--json")
        found = self.values()["trial"]
        assert isinstance(found, dict)
        return found

    def day_ul(self, hours: int = 24) -> int:
        """Return what leaves the pump in a time."""
        before = self.line.delivered_ul
        self.line.pass_time(hours * HOUR_US)
        return self.line.delivered_ul - before

    @property
    def generation(self) -> int:
        return self.line.pump.firmware.status().generation

    @property
    def record(self) -> Path:
        return self.folder / "state" / "trial-E00000001.json"


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Trial:
    desk = Trial(monkeypatch, tmp_path, capsys)
    desk.line = EmulatedLine("trial-external", FULL_PL)
    desk.folder = tmp_path
    return desk


# --- doses --------------------------------------------------------------------------------------


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


# --- limits -------------------------------------------------------------------------------------


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


# --- verdict ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "relief", "success"),
    [(("4",), 50, True), (("3", "5"), 50, True), (("4", "4", "5"), Fraction(1100, 24), False)],
)
def test_half_the_pain_gone_is_a_success_and_a_hair_less_is_not(
    desk: Trial, scores: tuple[str, ...], relief: Fraction, success: bool
) -> None:
    desk.begin()
    desk.line.pass_time(DAY_US)
    for score in scores:
        desk.ok("score", score)
    desk.ok("end", "--stop", "--yes", "--json")
    found = desk.values()["trial"]
    assert found["success"] is success
    assert found["steps"][0]["relief_percent"] == pytest.approx(float(relief), rel=1e-12)
    assert desk.line.pump.firmware.status().mode is Mode.STOPPED
    assert desk.day_ul() == 0


def test_the_best_tolerated_step_is_suggested_and_the_lower_of_two_alike(desk: Trial) -> None:
    desk.begin()
    for scores in (("4",), ("4",), ("3", "1")):
        for number, score in enumerate(scores):
            effect = ("--side-effect", "drowsy") if number else ()
            desk.ok("score", score, *effect)
        desk.line.pass_time(DAY_US)
        if len(scores) == 1:
            desk.ok("step", "--yes")
    found = desk.state()
    assert [step["mean"] for step in found["steps"]] == [4, 4, 2]
    assert (found["best_step"], found["suggested_dose_per_day_ug"]) == (1, 200)


def test_only_side_effects_or_no_scores_are_no_success(desk: Trial) -> None:
    desk.begin()
    assert desk.state()["success"] is None
    desk.ok("score", "1", "--side-effect", "vomiting")
    assert "no success: every dose with a score had a side effect" in desk.ok("status")
    assert desk.state()["success"] is False


def test_without_pain_or_a_baseline_there_is_no_trial(desk: Trial) -> None:
    assert "no baseline" in desk.no(2, "start", desk.plan(), "--yes")
    desk.ok("score", "0")
    assert "without pain there is no relief" in desk.no(2, "start", desk.plan(), "--yes")
    assert "the baseline is taken back" in desk.ok("end", "--keep", "--yes")
    desk.begin(baseline=6)
    assert desk.state()["baseline"] == 6
    assert "a trial is running since" in desk.no(2, "start", desk.plan(), "--yes")


@pytest.mark.parametrize("score", ["11", "-1x", "4.5", "", "²", "9" * 5000])
def test_a_score_is_a_whole_number_of_0_to_10(desk: Trial, score: str) -> None:
    assert "a pain score is a whole number" in desk.no(2, "score", score)
    assert not desk.record.exists()


def test_a_score_while_the_pump_stands_counts_for_no_dose(desk: Trial) -> None:
    desk.begin()
    assert desk.run("stop") == 0
    assert "not counted" in desk.ok("score", "1")
    assert desk.state()["scores"][-1]["dose_per_day_ug"] == 0
    assert desk.run("resume", "--yes") == 0
    assert "200 ug/day" in desk.ok("score", "7")
    assert desk.state()["steps"][0]["scores"] == [7]


# --- the suggested prescription -----------------------------------------------------------------


def test_the_suggestion_is_refused_until_every_gap_is_filled_in(desk: Trial) -> None:
    desk.begin()
    desk.ok("score", "3")
    file = desk.folder / "start.toml"
    desk.ok("end", "--keep", "--prescription", str(file), "--yes")
    desk.line = EmulatedLine()
    text = file.read_text()
    gaps = ['"10 mg/mL"', '"40 mL"', '"81.5 cm"', '"0.0022 mL/cm"']
    assert text.count('"FILL IN"') == 1 + len(gaps)  # and once in words
    head, body = text.split("[therapy]\n")
    for gap in gaps:
        file.write_text(f"{head}[therapy]\n{body}")
        assert desk.run("program", str(file), "--yes") == 2
        assert '"FILL IN"' in desk.err
        body = body.replace('"FILL IN"', gap, 1)
    file.write_text(f"{head}[therapy]\n{body}")
    assert desk.run("program", str(file), "--yes", "--override") == 2  # 0.02 mL/day
    assert "rotor-40 gives 0.048 mL/day" in desk.err
    file.write_text(file.read_text().replace('"10 mg/mL"', '"2 mg/mL"'))
    assert desk.run("program", str(file), "--yes") == 0
    assert abs(desk.day_ul() - 100) <= 1


def test_no_success_suggests_nothing_and_no_file_is_written_over(desk: Trial) -> None:
    desk.begin()
    desk.ok("score", "5")
    file = desk.folder / "start.toml"
    assert "only a success suggests" in desk.ok("report", "--prescription", str(file))
    assert not file.exists()
    file.write_text("mine")
    assert "exists" in desk.no(2, "end", "--stop", "--yes", "--prescription", str(file))
    assert desk.state()["state"] == "running"


# --- record and pump ----------------------------------------------------------------------------


def die(*args: object, **named: object) -> None:
    raise KeyboardInterrupt


def test_a_tool_that_dies_between_commit_and_record_finds_the_dose_in_the_pump(
    desk: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.begin()
    desk.line.pass_time(DAY_US)
    append = Record.append

    def dies(record: Record, entry: trial_record.Entry) -> None:
        if isinstance(entry, Done):
            raise KeyboardInterrupt
        append(record, entry)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "append", dies)
        assert desk.run("trial", "step", "--yes") == 130
    desk.line.pass_time(6 * HOUR_US)
    desk.ok("status")
    assert "the pump had done it: step 2, 300 ug/day, on 2027-01-05 09:00" in desk.out
    assert desk.state()["next_step_in_s"] == 18 * 3600
    assert "done it" not in desk.ok("status"), "said once"
    assert abs(desk.day_ul(18) - Fraction(300 * 18, 24)) <= 1
    desk.ok("step", "--yes")


@pytest.mark.parametrize("where", [(program, "propose"), (Client, "commit")])
def test_a_tool_that_dies_before_the_commit_has_given_nothing(
    desk: Trial, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str]
) -> None:
    desk.begin()
    desk.line.pass_time(DAY_US)
    with monkeypatch.context() as patch:
        patch.setattr(*where, die)
        assert desk.run("trial", "step", "--yes") == 130
    desk.ok("status")
    assert "before the pump had done it: nothing was changed" in desk.out
    found = desk.state()
    assert (found["step"], found["dose_per_day_ug"], found["next_step_in_s"]) == (1, 200, 0)
    desk.ok("step", "--yes")
    assert desk.state()["step"] == 2


def test_a_dose_from_outside_is_said_and_no_step_is_taken_on_it(desk: Trial) -> None:
    desk.begin()
    desk.line.pass_time(DAY_US)
    desk.program('[therapy]\ndose_per_day = "250 ug"\n')
    why = "programmed outside of it on 2027-01-05 09:00"
    assert why in desk.ok("status")
    assert desk.state()["dose_per_day_ug"] == 250
    desk.program('[therapy]\ndose_per_day = "200 ug"\n')  # what was given meanwhile stays given
    assert why in desk.no(3, "step", "--yes")
    assert "not counted" in desk.ok("score", "1")
    desk.ok("end", "--stop", "--yes")
    assert desk.state()["state"] == "ended"
    assert desk.line.pump.firmware.status().mode is Mode.STOPPED


def test_a_scheduled_change_is_a_dose_from_outside(desk: Trial) -> None:
    desk.begin()
    change = "{ at = 2027-01-04T20:00:00, therapy = { dose_per_day = '250 ug' } }"
    desk.program(f"[therapy]\nscheduled_change = {change}\n")
    assert "a change was scheduled outside of it" in desk.state()["outside"]


def test_stops_boluses_and_a_refill_are_not_taken_for_another_dose(desk: Trial) -> None:
    desk.begin()
    assert desk.run("bolus", "10 ug", "--yes") == 0
    desk.line.pass_time(HOUR_US)
    assert desk.run("stop") == 0
    assert desk.run("refill", "100mL", "--residual", "99mL", "--same-drug", "--yes") == 0
    assert desk.run("resume", "--yes") == 0
    desk.line.pass_time(DAY_US)
    assert desk.state()["outside"] is None
    desk.ok("step", "--yes")


def test_another_pump_of_the_same_number_is_not_taken_for_the_one_in_the_trial(
    desk: Trial,
) -> None:
    desk.begin()
    desk.line = EmulatedLine("trial-external", FULL_PL)
    assert "the pump's log does not reach back to the trial" in desk.ok("status")
    desk.no(3, "step", "--yes")
    desk.ok("end", "--stop", "--yes")
    desk.begin()


def test_the_plan_in_the_record_counts_whatever_becomes_of_its_file(desk: Trial) -> None:
    desk.begin()
    desk.plan("nonsense")
    desk.line.pass_time(DAY_US)
    desk.ok("step", "--yes")
    assert desk.state()["dose_per_day_ug"] == 300


def test_two_tools_at_once_are_told_apart(desk: Trial) -> None:
    desk.begin()
    with trial_record.opened(desk.folder / "state", "E00000001"):
        assert "another tool is working on the trial" in desk.no(2, "score", "5")
    desk.ok("score", "5")


def test_a_damaged_record_is_one_line_and_nothing_is_done(desk: Trial) -> None:
    desk.begin()
    whole = json.loads(desk.record.read_text())
    whole["entries"][0]["score"] = 9
    for text in (json.dumps(whole), desk.record.read_text()[:-20], "{}", "[]", ""):
        desk.record.write_text(text)
        assert "is damaged" in desk.no(2, "status")
        assert "is damaged" in desk.no(2, "score", "4")
        assert desk.record.read_text() == text


def test_a_record_keeps_its_mouth_shut_and_its_number_of_entries(
    desk: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ok("score", "8")
    assert desk.record.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(trial_record, "ENTRIES_MAX", 1)
    assert "is full, 1 entries: move the file away" in desk.no(2, "score", "8")


def test_a_status_reads_the_pump_and_changes_nothing_but_its_log(desk: Trial) -> None:
    desk.begin()
    before = desk.line.pump.firmware.status()
    desk.ok("status")
    after = desk.line.pump.firmware.status()
    assert (after.generation, after.log_next) == (before.generation, before.log_next + 1)
    (last,) = desk.line.pump.firmware.log_records(before.log_next, 255)
    assert last.code is Code.INTERROGATED


def test_the_news_of_a_visit_are_in_the_record_when_they_are_said(desk: Trial) -> None:
    desk.begin()
    desk.program('[therapy]\ndose_per_day = "250 ug"\n')
    desk.ok("status")
    kinds = [row["kind"] for row in json.loads(desk.record.read_text())["entries"]]
    assert kinds == ["score", "asked", "done", "outside"]
    assert trial_visit is not None
