"""The pictures of a session report: small SVG elements to stand inside an HTML page.

Coordinates are rounded to a tenth of a pixel; the numbers beside them are exact text.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Final, NamedTuple

from tools.programmer import format as text
from tools.programmer.report_course import Course
from tools.programmer.svg import LEFT, RIGHT, figure, label, line, position, words, x_of

_PLOT_TOP: Final = 30
_PLOT_BOTTOM: Final = 150
_GAUGE_TOP: Final = 30
_GAUGE_HEIGHT: Final = 28
_ROW: Final = 20


class Mark(NamedTuple):
    """One date of a timeline."""

    wall_s: int
    name: str


def rate(course: Course) -> str:
    """Return the rate over time as steps."""
    top_pl_h = max(step.rate_pl_h for step in course.steps)
    span = course.span_min
    path = []
    for number, step in enumerate(course.steps):
        later = course.steps[number + 1 :]
        until = later[0].from_min if later else span
        y = position(step.rate_pl_h, top_pl_h, _PLOT_BOTTOM, _PLOT_TOP)
        path += [f"{x_of(step.from_min, span)},{y}", f"{x_of(until, span)},{y}"]
    ends = f"{x_of(span, span)},{_PLOT_BOTTOM} {x_of(Fraction(0), span)},{_PLOT_BOTTOM}"
    parts = [
        f'<polygon class="area" points="{" ".join(path)} {ends}"/>',
        f'<polyline class="curve" points="{" ".join(path)}"/>',
        line(LEFT, _PLOT_BOTTOM, RIGHT, _PLOT_BOTTOM),
        words(LEFT, 16, f"highest: {text.rate(top_pl_h)}"),
    ]
    for minute, name in course.ticks:
        x = x_of(minute, span)
        anchor = "end" if minute == span else "start"  # a day's name stands in its day
        parts.append(line(x, _PLOT_BOTTOM, x, _PLOT_BOTTOM + 5))
        parts.append(words(x, _PLOT_BOTTOM + 20, name, anchor))
    return figure(course.title, _PLOT_BOTTOM + 30, parts)


def reservoir(
    computed_nl: int, capacity_nl: int, low_nl: int | None, sensed_nl: int | None = None
) -> str:
    """Return the gauge of the reservoir.

    `low_nl` is the low-reservoir alarm, None: not set; `sensed_nl` what a level sensor shows.
    """
    bottom = _GAUGE_TOP + _GAUGE_HEIGHT
    full = Fraction(x_of(Fraction(computed_nl), Fraction(capacity_nl))) - LEFT
    box = f'x="{LEFT}" y="{_GAUGE_TOP}" height="{_GAUGE_HEIGHT}"'
    volume, capacity = text.millilitres(computed_nl), text.millilitres(capacity_nl)
    parts = [
        f'<rect class="area" {box} width="{float(full):.1f}"/>',
        f'<rect class="frame" {box} width="{RIGHT - LEFT}"/>',
        words(LEFT, 20, f"computed volume {volume} of {capacity}"),
    ]
    if sensed_nl is not None:
        x = x_of(Fraction(sensed_nl), Fraction(capacity_nl))
        parts.append(line(x, _GAUGE_TOP - 4, x, bottom + 6, "sensed"))
        parts.append(words(RIGHT, 20, f"sensed {text.millilitres(sensed_nl)}", "end"))
    if low_nl is not None:
        x = x_of(Fraction(low_nl), Fraction(capacity_nl))
        parts.append(line(x, _GAUGE_TOP - 4, x, bottom + 6, "low"))
        parts.append(label(x, bottom + 20, f"low alarm {text.millilitres(low_nl)}"))
    return figure("Reservoir", bottom + 30, parts)


def timeline(marks: Iterable[Mark]) -> str:
    """Return dates on a line, each with its own row of text; absent ones (0) are left out."""
    names: dict[int, list[str]] = {}
    for wall_s, name in sorted(mark for mark in marks if mark.wall_s):
        names.setdefault(wall_s, []).append(name)
    first_s, last_s = min(names, default=0), max(names, default=1)
    span = Fraction(max(1, last_s - first_s))
    lines, labels = [line(LEFT, 12, RIGHT, 12)], []
    for row, wall_s in enumerate(_rows(list(names), first_s + last_s), 1):
        x, y = x_of(Fraction(wall_s - first_s), span), 12 + _ROW * row
        lines += [f'<circle class="dot" cx="{x}" cy="12" r="4"/>', line(x, 12, x, y)]
        labels.append(label(x, y, f"{', '.join(names[wall_s])} {text.date_text(wall_s)}"))
    return figure("Dates", 22 + _ROW * len(names), lines + labels)


def _rows(dates: list[int], twice_middle: int) -> list[int]:
    """Return ascending dates from the middle outwards on each side, so that no text is crossed.

    Text on the left half runs to the right, on the right half to the left.
    """
    left = [wall_s for wall_s in dates if 2 * wall_s <= twice_middle]
    return left[::-1] + dates[len(left) :]
