"""The pictures of a session report: small SVG elements to stand inside an HTML page.

Coordinates are rounded to a tenth of a pixel; the numbers beside them are exact text.
"""

from collections.abc import Iterable
from fractions import Fraction
from html import escape
from typing import Final, NamedTuple

from tools.programmer import format as text
from tools.programmer.report_course import Course

WIDTH: Final = 720
_LEFT: Final = 10
_RIGHT: Final = WIDTH - 10
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
        y = _at(step.rate_pl_h, top_pl_h, _PLOT_BOTTOM, _PLOT_TOP)
        path += [f"{_x(step.from_min, span)},{y}", f"{_x(until, span)},{y}"]
    ends = f"{_x(span, span)},{_PLOT_BOTTOM} {_x(Fraction(0), span)},{_PLOT_BOTTOM}"
    parts = [
        f'<polygon class="area" points="{" ".join(path)} {ends}"/>',
        f'<polyline class="curve" points="{" ".join(path)}"/>',
        _line(_LEFT, _PLOT_BOTTOM, _RIGHT, _PLOT_BOTTOM),
        _text(_LEFT, 16, f"highest: {text.rate(top_pl_h)}"),
    ]
    for minute, name in course.ticks:
        x = _x(minute, span)
        anchor = "end" if minute == span else "start"  # a day's name stands in its day
        parts.append(_line(x, _PLOT_BOTTOM, x, _PLOT_BOTTOM + 5))
        parts.append(_text(x, _PLOT_BOTTOM + 20, name, anchor))
    return _svg(course.title, _PLOT_BOTTOM + 30, parts)


def reservoir(
    computed_nl: int, capacity_nl: int, low_nl: int | None, sensed_nl: int | None = None
) -> str:
    """Return the gauge of the reservoir.

    `low_nl` is the low-reservoir alarm, None: not set; `sensed_nl` what a level sensor shows.
    """
    bottom = _GAUGE_TOP + _GAUGE_HEIGHT
    full = Fraction(_x(Fraction(computed_nl), Fraction(capacity_nl))) - _LEFT
    box = f'x="{_LEFT}" y="{_GAUGE_TOP}" height="{_GAUGE_HEIGHT}"'
    volume, capacity = text.millilitres(computed_nl), text.millilitres(capacity_nl)
    parts = [
        f'<rect class="area" {box} width="{float(full):.1f}"/>',
        f'<rect class="frame" {box} width="{_RIGHT - _LEFT}"/>',
        _text(_LEFT, 20, f"computed volume {volume} of {capacity}"),
    ]
    if sensed_nl is not None:
        x = _x(Fraction(sensed_nl), Fraction(capacity_nl))
        parts.append(_line(x, _GAUGE_TOP - 4, x, bottom + 6, "sensed"))
        parts.append(_text(_RIGHT, 20, f"sensed {text.millilitres(sensed_nl)}", "end"))
    if low_nl is not None:
        x = _x(Fraction(low_nl), Fraction(capacity_nl))
        parts.append(_line(x, _GAUGE_TOP - 4, x, bottom + 6, "low"))
        parts.append(_label(x, bottom + 20, f"low alarm {text.millilitres(low_nl)}"))
    return _svg("Reservoir", bottom + 30, parts)


def timeline(marks: Iterable[Mark]) -> str:
    """Return dates on a line, each with its own row of text; absent ones (0) are left out."""
    names: dict[int, list[str]] = {}
    for wall_s, name in sorted(mark for mark in marks if mark.wall_s):
        names.setdefault(wall_s, []).append(name)
    first_s, last_s = min(names, default=0), max(names, default=1)
    span = Fraction(max(1, last_s - first_s))
    lines, labels = [_line(_LEFT, 12, _RIGHT, 12)], []
    for row, wall_s in enumerate(_rows(list(names), first_s + last_s), 1):
        x, y = _x(Fraction(wall_s - first_s), span), 12 + _ROW * row
        lines += [f'<circle class="dot" cx="{x}" cy="12" r="4"/>', _line(x, 12, x, y)]
        labels.append(_label(x, y, f"{', '.join(names[wall_s])} {text.date_text(wall_s)}"))
    return _svg("Dates", 22 + _ROW * len(names), lines + labels)


def _rows(dates: list[int], twice_middle: int) -> list[int]:
    """Return ascending dates from the middle outwards on each side, so that no text is crossed.

    Text on the left half runs to the right, on the right half to the left.
    """
    left = [wall_s for wall_s in dates if 2 * wall_s <= twice_middle]
    return left[::-1] + dates[len(left) :]


def _svg(title: str, height: int, parts: Iterable[str]) -> str:
    name = escape(title)
    return (
        f'<figure><figcaption>{name}</figcaption><svg role="img" aria-label="{name}" '
        f'viewBox="0 0 {WIDTH} {height}">{"".join(parts)}</svg></figure>'
    )


def _x(value: Fraction, span: Fraction) -> str:
    return _at(value, span, _LEFT, _RIGHT)


def _at(value: Fraction, whole: Fraction, low: int, high: int) -> str:
    part = min(Fraction(1), value / whole) if whole else Fraction(0)
    return f"{float(low + part * (high - low)):.1f}"


def _line(x1: object, y1: object, x2: object, y2: object, kind: str = "axis") -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _text(x: object, y: int, words: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def _label(x: str, y: int, words: str) -> str:
    """Return text beside a mark, on the side of it where there is room."""
    left = float(x) <= WIDTH / 2
    return _text(f"{float(x) + (5 if left else -5):.1f}", y, words, "start" if left else "end")
