"""A trial in words: what is said at each command, the tables of the report, an object for `--json`.

Percentages and means are exact or marked "~"; nothing here decides anything.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from tools.programmer import doses, report_text
from tools.programmer import format as text
from tools.programmer.trial_course import Course, Step
from tools.programmer.trial_facts import (
    ORAL_CASES,
    ORAL_TO_INTRATHECAL,
    SUCCESS_RELIEF,
    Fact,
)
from tools.programmer.trial_plan import SCORE_MAX, Plan
from tools.programmer.trial_record import Done, Entry, Outside, Score, Undone
from tools.programmer.trial_visit import Visit

STEP_HEAD: Final = ("step", "dose", "from", "scores", "mean", "relief", "side effects")
SCORE_HEAD: Final = ("pump clock", "score", "dose", "given", "note")
Row = tuple[str, ...]


# --- lines --------------------------------------------------------------------------------------


def news(visit: Visit) -> Iterator[str]:
    """Yield a line for each thing that was learned of the pump."""
    for entry in visit.found:
        yield f"! {_news(entry, visit.course)}"


def _news(entry: Entry, course: Course) -> str:
    if isinstance(entry, Undone):
        return "an earlier command was cut off before the pump had done it: nothing was changed"
    if isinstance(entry, Outside):
        return f"the pump does not hold what the trial gave it: {entry.what}"
    assert isinstance(entry, Done)
    when = text.date_text(entry.seen.wall_s)
    what = "the end of the trial"
    if course.ended is None:
        what = f"step {course.steps[-1].number}, {day(course.steps[-1].dose_pg)},"
    return f"an earlier command was cut off after the pump had done it: {what} on {when}"


def scored(entry: Score, visit: Visit) -> str:
    """Return what is said of a score just recorded."""
    course, line = visit.course, f"score {entry.score}, {text.date_text(entry.seen.wall_s)}"
    if not course.steps:
        first = len(course.scores) == 1
        return (
            f"{line}: {'the baseline' if first else 'before the start; the first is the baseline'}"
        )
    if not entry.step:
        return f"{line}: not counted, the pump does not deliver the trial's dose"
    step = course.steps[entry.step - 1]
    given = f"{text.volume(visit.given_nl)} given since the start"
    return f"{line}: {_dosed(entry)}, {given}; {_relief(course, step)} relief at this dose"


def stepped(visit: Visit) -> str:
    """Return what comes after a dose that was just programmed."""
    held = visit.course.held(visit.seen)
    after = due(visit, visit.course.wait_s(visit.seen)) if held is None else held
    return f"step {visit.step}: {after}"


def due(visit: Visit, wait_s: int) -> str:
    """Return when the next step is due."""
    course = visit.course
    assert course.plan is not None
    dose = day(course.plan.doses_pg[len(course.steps)])
    if not wait_s:
        return f"{dose} is due now"
    when = text.date_text(visit.seen.wall_s + wait_s)
    return f"{dose} is due in {text.seconds(wait_s)}, {when}"


def verdict(course: Course) -> str:
    """Return the verdict so far, in one line."""
    best, need = course.best, f"{text.decimal(SUCCESS_RELIEF.value * 100)} %"
    if course.success is None:
        return "none yet: no score was recorded at any dose of the trial"
    if best is None:
        return "no success: every dose with a score had a side effect"
    found = f"{_relief(course, best)} relief at {day(best.dose_pg)}"
    if course.success:
        return f"success: {found}; {need} is enough"
    return f"no success: at best {found}; {need} would be enough"


# --- tables -------------------------------------------------------------------------------------


def plan(found: Plan, visit: Visit) -> str:
    """Return a plan as it is shown before the start."""
    head = ("step", "dose", "rate", "not before")
    rows = []
    for number, dose_pg in enumerate(found.doses_pg, 1):
        therapy = found.parameters(number).therapy
        after = text.seconds((number - 1) * found.every_s)
        rate = text.rate(doses.flow_pl_h(therapy, therapy.rate))
        rows.append((str(number), day(dose_pg), rate, "the start" if number == 1 else after))
    lines = [f"Plan: {found.drug}, a step after {text.seconds(found.every_s)} at the earliest"]
    lines += report_text.table([head, *rows])
    return "\n".join([*lines, *report_text.table(_terms(found, visit.course))])


def status(visit: Visit) -> str:
    """Return where the trial stands."""
    lines = list(report_text.table(state(visit)))
    if visit.course.steps:
        lines += ["", *report_text.table([STEP_HEAD, *steps(visit.course)])]
    return "\n".join(lines)


def report(visit: Visit) -> str:
    """Return all of the trial."""
    lines = [status(visit), "", *report_text.table([SCORE_HEAD, *scores(visit.course)])]
    if visit.course.plan is not None:
        lines += ["", *report_text.table(terms(visit.course))]
    return "\n".join(lines)


def state(visit: Visit) -> list[Row]:
    """Return (name, value) of where the trial stands."""
    course = visit.course
    if not course.scores or course.withdrawn:
        return [("Trial", "none; it begins with `trial score`, the baseline")]
    first = course.scores[0]
    rows: list[Row] = [("Trial", _where(visit)), ("Pump", visit.device.serial)]
    rows.append(("Baseline", f"{first.score} of {SCORE_MAX}, {text.date_text(first.seen.wall_s)}"))
    if course.plan is None:
        return rows
    if course.ended is None:
        held = course.held(visit.seen)
        due_at = due(visit, course.wait_s(visit.seen)) if held is None else f"none: {held}"
        rows.append(("Next step", due_at))
    elif course.outside is not None:
        rows.append(("Changed", course.outside.what))
    rows.append(("Given", f"{text.volume(visit.given_nl)} since the start"))
    return [*rows, ("Verdict", verdict(course))]


def terms(course: Course) -> list[Row]:
    """Return (name, value) of what was planned; none before the start."""
    return [] if course.plan is None else _terms(course.plan, course)


def steps(course: Course) -> list[Row]:
    """Return a row of each dose."""
    return [
        (
            str(step.number),
            day(step.dose_pg),
            text.date_text(step.began.wall_s),
            " ".join(str(score.score) for score in step.scores) or "-",
            "-" if step.mean is None else text.decimal(step.mean, 2),
            _relief(course, step),
            ", ".join(step.side_effects) or "-",
        )
        for step in course.steps
    ]


def scores(course: Course) -> list[Row]:
    """Return a row of each score."""
    from_nl = course.given_from_nl
    return [
        (
            text.date_text(score.seen.wall_s),
            str(score.score),
            _dosed(score),
            "-" if from_nl is None or not score.step
            else text.volume(score.seen.delivered_nl - from_nl),
            "; ".join(filter(None, (score.side_effect, score.note))),
        )
        for score in course.scores
    ]  # fmt: skip


def _where(visit: Visit) -> str:
    course = visit.course
    if course.plan is None:
        return "not begun: `trial start` with a plan"
    name, last, all_ = course.plan.drug, course.steps[-1], len(course.plan.doses_pg)
    at = f"step {last.number} of {all_}, {day(last.dose_pg)}"
    if course.ended is not None:
        return f"{name}, ended {text.date_text(course.ended.wall_s)} at {at}"
    since = text.seconds(visit.seen.clock_s - last.began.clock_s)
    if visit.step:
        return f"{name}, {at} for {since}"
    return f"{name}, {at}, but the pump delivers {day(visit.dose_pg)}"


def _terms(found: Plan, course: Course) -> list[Row]:
    stops = [f"{day(found.doses_pg[-1])}", f"{text.seconds(found.after_s)} after the start"]
    if found.enough is not None:
        stops.append(f"a score of {found.enough} or less")
    if found.side_effect_stops:
        stops.append("a side effect")
    share = text.decimal(SUCCESS_RELIEF.value * 100)
    rows: list[Row] = [("No step after", ", ".join(stops))]
    if course.baseline is not None:
        most = text.decimal(course.baseline * (1 - SUCCESS_RELIEF.value))
        rows.append(("Success", f"{share} % relief, here a mean score of {most} or less at a dose"))
    return [*rows, *_source(SUCCESS_RELIEF), *_oral(found)]


def _oral(found: Plan) -> list[Row]:
    """Return the oral dose beside what a quoted ratio makes of it: told, never applied."""
    if not found.oral_pg:
        return []
    ratio, low = (text.decimal(fact.value) for fact in (ORAL_TO_INTRATHECAL, ORAL_CASES))
    stands_for = text.mass(found.oral_pg / ORAL_TO_INTRATHECAL.value)
    told = (
        f"{day(found.oral_pg)} of oral morphine; {ratio}:1 would be {stands_for}/day of "
        f"intrathecal morphine. Not applied: patients differ, down to {low}:1"
    )
    return [("Information", told), *_source(ORAL_TO_INTRATHECAL), *_source(ORAL_CASES)]


def _source(fact: Fact) -> list[Row]:
    return [("  source", fact.title), ("", fact.address)]


def _relief(course: Course, step: Step) -> str:
    relief = course.relief(step)
    return "-" if relief is None else f"{text.decimal(relief * 100, 2)} %"


def _dosed(score: Score) -> str:
    return day(Fraction(score.dose_pg))


def day(dose_pg: Fraction | int) -> str:
    """Return a dose per day."""
    return f"{text.mass(dose_pg)}/day"


# --- values -------------------------------------------------------------------------------------


def values(visit: Visit) -> dict[str, Any]:
    """Return the trial for `--json`."""
    course = visit.course
    return {
        "trial": {
            "state": _state_word(course),
            "pump": visit.device.serial,
            "wall": text.date(visit.seen.wall_s),
            "drug": course.plan.drug if course.plan else None,
            "step": visit.step,
            "dose_per_day_ug": _ug(visit.dose_pg),
            "given_nl": visit.given_nl,
            "baseline": course.baseline,
            "next_step_in_s": course.wait_s(visit.seen) if course.running else None,
            "held": course.held(visit.seen),
            "outside": course.outside.what if course.outside else None,
            "success": course.success,
            "best_step": course.best.number if course.best else None,
            "suggested_dose_per_day_ug": (
                _ug(course.best.dose_pg) if course.best and course.success else None
            ),
            "steps": [_step_values(course, step) for step in course.steps],
            "scores": [_score_values(score) for score in course.scores],
        }
    }


def _state_word(course: Course) -> str:
    if course.running:
        return "running"
    if course.ended is not None:
        return "ended"
    return "baseline" if course.scores and not course.withdrawn else "none"


def _step_values(course: Course, step: Step) -> dict[str, Any]:
    relief = course.relief(step)
    return {
        "step": step.number,
        "dose_per_day_ug": _ug(step.dose_pg),
        "began": text.date(step.began.wall_s),
        "scores": [score.score for score in step.scores],
        "mean": None if step.mean is None else text.number(step.mean),
        "relief_percent": None if relief is None else text.number(relief * 100),
        "side_effects": step.side_effects,
    }


def _score_values(score: Score) -> dict[str, Any]:
    return {
        "wall": text.date(score.seen.wall_s),
        "score": score.score,
        "step": score.step,
        "dose_per_day_ug": _ug(Fraction(score.dose_pg)),
        "delivered_nl": score.seen.delivered_nl,
        "note": score.note,
        "side_effect": score.side_effect,
    }


def _ug(pg: Fraction | int) -> int | float:
    return text.number(Fraction(pg, text.PG_PER_UG))
