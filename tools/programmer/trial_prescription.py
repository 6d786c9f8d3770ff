"""The starting prescription that a successful trial suggests: a `[therapy]` file with gaps.

The dose is the one that was given and tolerated. What the trial cannot know of the implant, its
solution, its fill and its catheter, stands as FILL IN, which no reader of quantities takes: the
file is refused until a person has filled in every one.
"""

import json
from fractions import Fraction
from typing import Final

from tools.programmer import doses, trial_text
from tools.programmer import format as text
from tools.programmer.trial_facts import SUCCESS_RELIEF
from tools.programmer.trial_visit import Visit
from tools.quantity import exact_text, shown

GAP: Final = "FILL IN"
"""What each gap begins with."""


def text_of(visit: Visit) -> str | None:
    """Return the file; None where the trial was no success so far."""
    course = visit.course
    if not course.success or course.best is None or course.plan is None:
        return None
    dose = exact_text(Fraction(course.best.dose_pg, text.PG_PER_UG))
    drugs = "\n".join(
        f'  {{ name = {json.dumps(drug.name, ensure_ascii=False)}, concentration = "{GAP}" }},'
        for drug in course.plan.therapy.changes["drugs"]
    )
    others = "".join(
        f"# In the trial the other drugs came with it: {json.dumps(name)} {trial_text.day(pg)}\n"
        for name, pg in _others(visit, course.best.number)
    )
    return f"""\
# Suggested starting prescription, from a trial with pump {shown(visit.device.serial)}.
# Trial: {trial_text.verdict(course)}.
# Source of that bound: {SUCCESS_RELIEF.address}
{others}#
# A suggestion, no prescription: nothing here is medical advice. Review every line. The file is
# refused until each "{GAP}" is filled in.
[therapy]
drugs = [                           # concentration of the implant's solution, e.g. "10 mg/mL"
{drugs}
]
mode = "simple_continuous"
dose_per_day = "{dose} ug"
reservoir_fill = "{GAP}"           # volume injected, e.g. "40 mL"

[therapy.catheter]
length = "{GAP}"                   # as implanted, after trimming, e.g. "81.5 cm"
volume = "{GAP}"                   # per cm, from its package, e.g. "0.0022 mL/cm"
"""


def _others(visit: Visit, step: int) -> list[tuple[str, Fraction]]:
    """Return name and dose per day of the secondary drugs at a step."""
    assert visit.course.plan is not None
    therapy = visit.course.plan.parameters(step).therapy
    daily_pg = doses.daily_pg(therapy, visit.device)
    return [(drug.name, daily_pg[drug.name]) for drug in therapy.drugs[1:]]
