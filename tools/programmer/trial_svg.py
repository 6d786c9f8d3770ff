"""The picture of a trial: pain scores over time, and under them the dose that was given.

Both share the axis of time, which is the trial's own (settings of the pump's clock taken out) and
begins at the first score. The dashed line is the mean score from which on it is a success.
"""

from fractions import Fraction
from typing import Final

from tools.programmer import format as text
from tools.programmer.svg import RIGHT, figure, line, position, words
from tools.programmer.trial_course import Course
from tools.programmer.trial_facts import SUCCESS_RELIEF
from tools.programmer.trial_plan import SCORE_MAX
from tools.programmer.trial_record import Score, Seen

_LEFT: Final = 92
_SCORES: Final = (190, 30)
"""Bottom and top of the scores; y falls upwards."""
_DOSES: Final = (310, 230)
_DAY_S: Final = 86_400
_TICKS_MAX: Final = 12


def picture(course: Course, now: Seen) -> str:
    """Return the picture of a trial with at least one score."""
    axis = _Axis(course, now)
    parts = [*_scale(), *_bound(course), *axis.ticks(), *_doses(course, axis)]
    parts += [_dot(score, axis) for score in course.scores]
    return figure("Pain scores, and the dose per day", _DOSES[0] + 50, parts)


class _Axis:
    """Time, from the first score to the end of the trial or now."""

    def __init__(self, course: Course, now: Seen) -> None:
        self._from_s = course.scores[0].seen.clock_s
        self.end_s = (course.ended or now).clock_s
        self._span_s = max(1, self.end_s - self._from_s)

    def x(self, clock_s: int) -> str:
        return position(Fraction(clock_s - self._from_s), Fraction(self._span_s), _LEFT, RIGHT)

    def ticks(self) -> list[str]:
        """Return a mark for each day, or each few."""
        days = self._span_s // _DAY_S
        every = 1 + days // _TICKS_MAX
        found = []
        for day in range(0, days + 1, every):
            x = self.x(self._from_s + day * _DAY_S)
            found.append(line(x, _DOSES[0], x, _DOSES[0] + 5))
            found.append(words(x, _DOSES[0] + 20, str(day), "middle"))
        return [*found, words(RIGHT, _DOSES[0] + 40, "days since the first score", "end")]


def _scale() -> list[str]:
    bottom, top = _SCORES
    found = [words(_LEFT, 16, "pain score")]
    for score in range(0, SCORE_MAX + 1, 2):
        y = position(Fraction(score), Fraction(SCORE_MAX), bottom, top)
        found.append(line(_LEFT, y, RIGHT, y, "grid"))
        found.append(words(_LEFT - 8, _lower(y), str(score), "end"))
    return found


def _bound(course: Course) -> list[str]:
    """Return the line of success; none without a baseline."""
    if not course.baseline:
        return []
    most = course.baseline * (1 - SUCCESS_RELIEF.value)
    y = position(most, Fraction(SCORE_MAX), *_SCORES)
    return [line(_LEFT, y, RIGHT, y, "bound")]


def _doses(course: Course, axis: _Axis) -> list[str]:
    bottom, top = _DOSES
    found = [line(_LEFT, bottom, RIGHT, bottom), words(_LEFT, top - 14, "prescribed dose per day")]
    if not course.steps:
        return found
    most_pg = Fraction(course.steps[-1].dose_pg)
    end_s = axis.end_s if course.outside is None else course.outside.seen.clock_s
    ends_s = [step.began.clock_s for step in course.steps[1:]] + [end_s]
    path = []
    for step, end_s in zip(course.steps, ends_s, strict=True):
        y = position(Fraction(step.dose_pg), most_pg, bottom, top)
        path += [f"{axis.x(step.began.clock_s)},{y}", f"{axis.x(end_s)},{y}"]
    first, last = path[0].split(",")[0], path[-1].split(",")[0]
    return [
        *found,
        f'<polygon class="area" points="{" ".join(path)} {last},{bottom} {first},{bottom}"/>',
        f'<polyline class="curve" points="{" ".join(path)}"/>',
        words(_LEFT - 8, top + 5, text.mass(most_pg), "end"),
        words(_LEFT - 8, bottom + 5, "0", "end"),
    ]


def _dot(score: Score, axis: _Axis) -> str:
    """Return the mark of a score: hollow where it counts for no dose, red with a side effect."""
    kind = "bad" if score.side_effect else "dot" if score.step else "out"
    y = position(Fraction(score.score), Fraction(SCORE_MAX), *_SCORES)
    return f'<circle class="{kind}" cx="{axis.x(score.seen.clock_s)}" cy="{y}" r="4.5"/>'


def _lower(y: str) -> str:
    """Return where text stands that is to be centred on a height."""
    return f"{float(y) + 4.5:.1f}"
