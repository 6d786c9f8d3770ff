"""What a trial says of pain and relief, and the prescription that it suggests."""

from fractions import Fraction
from pathlib import Path

import pytest
from emulated_line import DAY_US, EmulatedLine
from trial_desk import Trial

from protocol.codes import Mode


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Trial:
    return Trial(monkeypatch, tmp_path, capsys)


# --- verdict --------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("score", ["11", "4.5", "", "²", "9" * 5000])
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


# --- the suggested prescription -------------------------------------------------------------------


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
