"""The plan of a trial: what it may hold, and one line with its place for what it may not."""

from pathlib import Path

import pytest
from scripted_pump import DEVICE

from protocol.codes import ProgramKind
from protocol.messages import FILL_NOT_TOLD
from tools.programmer import trial_plan
from tools.toml_file import FileError

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "trial").glob("*.toml"))
PLAN = """\
[trial]
start_dose = "200 ug"
step = "100 ug"
every = "24 h"
[trial.stop]
dose = "500 ug"
after = "7 d"
[therapy]
drugs = [{ name = "morphine", concentration = "1 mg/mL" }]
reservoir_fill = "20 mL"
"""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_plan(path: Path) -> None:
    assert len(trial_plan.load(str(path)).doses_pg) > 1


def test_its_doses_go_from_the_start_to_the_highest() -> None:
    plan = trial_plan.parse("plan", PLAN)
    assert [dose_pg // 10**6 for dose_pg in plan.doses_pg] == [200, 300, 400, 500]
    assert (plan.every_s, plan.after_s, plan.enough) == (86_400, 7 * 86_400, None)
    assert plan.side_effect_stops
    assert plan.drug == "morphine"


def test_the_fill_is_told_once() -> None:
    plan = trial_plan.parse("plan", PLAN)
    first, last = plan.parameters(1, DEVICE), plan.parameters(4, DEVICE)
    assert (first.fill_nl, last.fill_nl) == (20_000_000, FILL_NOT_TOLD)
    assert last.therapy.program is ProgramKind.SIMPLE_CONTINUOUS
    assert (first.therapy.rate.amount, last.therapy.rate.amount) == (200 * 10**6, 500 * 10**6)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('step = "100', 'stop_dose = 1\nstep = "100', 'plan:3: unknown key "stop_dose"'),
        ('after = "7 d"', 'after = "7 d"\ndays = 7', 'plan:8: unknown key "days"'),
        ("[therapy]", "[steps]\n[therapy]", 'plan:8: unknown key "steps"'),
        ('every = "24 h"\n', "", 'plan:1: key "every" is missing'),
        ('after = "7 d"\n', "", 'plan:5: key "after" is missing'),
        (PLAN[PLAN.index("[trial.stop]") : PLAN.index("[therapy]")], "", 'key "stop" is missing'),
        (PLAN[PLAN.index("[therapy]") :], "", 'plan:1: key "therapy" is missing'),
        ('"200 ug"', '"0.2 mL"', 'plan:2: start_dose: "0.2 mL": a mass per day is needed'),
        ('"100 ug"', '"0 ug"', 'plan:3: step: "0 ug/day"' [:15]),
        ('"500 ug"', '"550 ug"', "plan:6: dose: 550 ug/day is no step of the plan; 500 ug/day or"),
        ('"500 ug"', '"100 ug"', "plan:6: dose: 100 ug/day is below start_dose, 200 ug/day"),
        ('"100 ug"', '"1 ug"', "plan:3: step: 301 doses; a plan has at most 50"),
        ('"24 h"', '"0 h"', 'plan:4: every: "0 h": must be longer than 0'),
        ('"7 d"', '"3 d"', "plan:7: after: step 4, 500 ug/day, comes after 3 d at the earliest"),
        ("[therapy]", 'score = 11\n[therapy]', "plan:8: score: 11: must be 0 to 10"),
        ("[therapy]", 'side_effect = 1\n[therapy]', "plan:8: side_effect: 1: true or false"),
        ("[therapy]", '[therapy]\nmode = "flex"', "plan:9: mode: the plan gives the dose"),
        ("[therapy]", '[therapy]\nrate = "1 mL/day"', "plan:9: rate: the plan gives the dose"),
        ('drugs = [{ name = "morphine", concentration = "1 mg/mL" }]', "",
         'plan:8: key "drugs" is missing'),
        ('"1 mg/mL"', '"0 mg/mL"', "needs a concentration of morphine above 0"),
        ('"1 mg/mL"', '"1 mg"', "plan:9: concentration: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_with_its_place(old: str, new: str, complaint: str) -> None:
    assert PLAN.count(old) == 1
    with pytest.raises(FileError) as wrong:
        trial_plan.parse("plan", PLAN.replace(old, new))
    assert complaint in str(wrong.value)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"200 ug"', '"0.1 ug"', "plan:2: step 1, 0.1 ug/day, is 0.0001 mL/day: rotor-40 gives"),
        ('"20 mL"', '"41 mL"', "plan:10: reservoir_fill: 41 mL: rotor-40 holds 40 mL"),
    ],
)
def test_what_the_pump_cannot_give_is_told_of_the_first_dose(
    old: str, new: str, complaint: str
) -> None:
    step = ('"100 ug"', '"499.9 ug"') if old == '"200 ug"' else ("", "")
    plan = trial_plan.parse("plan", PLAN.replace(old, new).replace(*step))
    with pytest.raises(FileError, match="rotor-40") as wrong:
        plan.parameters(1, DEVICE)
    assert complaint in str(wrong.value)


def test_what_the_pump_cannot_give_is_told_of_the_last_dose_too() -> None:
    plan = trial_plan.parse("plan", PLAN.replace("1 mg/mL", "0.02 mg/mL"))
    plan.parameters(3, DEVICE)
    with pytest.raises(FileError, match=r"plan:6: step 4, 500 ug/day, is 25 mL/day: rotor-40"):
        plan.parameters(4, DEVICE)
