"""What the entries of a record mean: baseline, steps, relief, verdict, and what holds a step back.

Relief at a dose is (baseline - mean) / baseline, exact, where the mean is over all scores recorded
while the pump delivered that dose. The mean and not the last score: one good hour makes no success,
and the scores soon after a step, when the drug is still on its way, make relief look less, never
more. A step at which a side effect was recorded is not tolerated. The best step is the tolerated
one with the most relief, the lower dose of two alike; half or more there is a success.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tools.programmer import format as text
from tools.programmer import trial_plan
from tools.programmer.trial_facts import SUCCESS_RELIEF
from tools.programmer.trial_plan import Plan
from tools.programmer.trial_record import (
    Asked,
    Done,
    Entry,
    Outside,
    Score,
    Seen,
    Undone,
    Withdrawn,
)


@dataclass(slots=True)
class Step:
    """One dose of the trial."""

    number: int
    """1 for the start dose."""
    dose_pg: int
    """Of the primary drug, per day."""
    began: Seen
    scores: list[Score] = field(default_factory=list)

    @property
    def mean(self) -> Fraction | None:
        """Mean of its scores; None without any."""
        if not self.scores:
            return None
        return Fraction(sum(score.score for score in self.scores), len(self.scores))

    @property
    def side_effects(self) -> list[str]:
        """What was suffered at this dose."""
        return [score.side_effect for score in self.scores if score.side_effect]


@dataclass(slots=True)
class Course:
    """One trial so far."""

    plan: Plan | None = None
    """None until its start was asked for."""
    scores: list[Score] = field(default_factory=list)
    """All of them, the baseline first."""
    steps: list[Step] = field(default_factory=list)
    therapy: str = ""
    """What the pump's prescription should be, as in `Asked`; "": not the trial's affair."""
    asked: Asked | None = None
    """What the pump was asked for last, as long as it is not known what became of it."""
    outside: Outside | None = None
    """The first thing found in the pump that the trial has not asked for."""
    ended: Seen | None = None
    withdrawn: bool = False

    @property
    def running(self) -> bool:
        """Whether doses are being given by the plan."""
        return bool(self.steps) and self.ended is None

    @property
    def over(self) -> bool:
        """Whether the next entry belongs to another trial."""
        return self.ended is not None or self.withdrawn

    @property
    def baseline(self) -> int | None:
        """The first score, if that was before the start; 0 to 10."""
        return self.scores[0].score if self.scores and not self.scores[0].step else None

    @property
    def given_from_nl(self) -> int | None:
        """What the pump had delivered over its life when the trial began."""
        return self.steps[0].began.delivered_nl if self.steps else None

    def relief(self, step: Step) -> Fraction | None:
        """Return the part of the baseline pain that is gone at a step; None: no score tells it."""
        mean, baseline = step.mean, self.baseline
        return None if mean is None or not baseline else (baseline - mean) / baseline

    @property
    def best(self) -> Step | None:
        """The tolerated step with the most relief; None without a score at one."""
        found: Step | None = None
        for step in self.steps:
            relief = self.relief(step)
            most = None if found is None else self.relief(found)
            if relief is not None and not step.side_effects and (most is None or relief > most):
                found = step
        return found

    @property
    def success(self) -> bool | None:
        """Whether relief at the best step reaches the bound; None: no score of any step tells."""
        if not any(step.scores for step in self.steps):
            return None
        relief = None if self.best is None else self.relief(self.best)
        return relief is not None and relief >= SUCCESS_RELIEF.value

    def wait_s(self, now: Seen) -> int:
        """Return the time until the next step is due; 0: now."""
        if self.plan is None or not self.steps:
            return 0
        return max(0, self.steps[-1].began.clock_s + self.plan.every_s - now.clock_s)

    def held(self, now: Seen) -> str | None:
        """Return why no step may be taken, in words, but for the time; None: nothing does."""
        if self.outside is not None:
            return f"the dose is no longer the trial's: {self.outside.what}; end the trial"
        if not self.steps or self.plan is None:
            return "no trial has begun"
        if self.ended is not None:
            return "the trial has ended"
        plan, step = self.plan, self.steps[-1]
        if now.clock_s - self.steps[0].began.clock_s >= plan.after_s:
            return f"no step is taken from {text.seconds(plan.after_s)} after the start on"
        if plan.side_effect_stops and step.side_effects:
            return f"a side effect was recorded at this dose: {step.side_effects[0]}"
        if plan.enough is not None and step.scores and step.scores[-1].score <= plan.enough:
            return f"the last score, {step.scores[-1].score}, is at or below {plan.enough}"
        if step.number == len(plan.doses_pg):
            return f"{text.mass(step.dose_pg)}/day is the highest dose of the plan"
        return None

    def take(self, entry: Entry) -> None:
        """Take in the next entry."""
        match entry:
            case Score():
                self.scores.append(entry)
                if entry.step:
                    self.steps[entry.step - 1].scores.append(entry)
            case Asked():
                self.asked = entry
            case Done():
                self._done(entry)
            case Undone():
                self.asked = None
            case Outside():
                self.outside = self.outside or entry
            case Withdrawn():
                self.withdrawn = True

    def _done(self, entry: Done) -> None:
        asked, self.asked = self.asked, None
        if asked is None:
            return
        self.therapy = asked.therapy
        if not asked.step:
            self.ended = entry.seen
            return
        if asked.plan:
            self.plan = trial_plan.parse(asked.name, asked.plan)
        if self.plan is not None:
            dose_pg = self.plan.doses_pg[asked.step - 1]
            self.steps.append(Step(asked.step, dose_pg, entry.seen))


def latest(entries: Sequence[Entry]) -> Course:
    """Return the last trial of a record; an empty one without any. Raises FileError."""
    course = Course()
    for entry in entries:
        if course.over:
            course = Course()
        course.take(entry)
    return course
