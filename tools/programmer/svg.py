"""What the pictures of a report are drawn with: SVG elements as text, to stand inside a page.

Coordinates are rounded to a tenth of a pixel; the words beside them are exact. A picture is `WIDTH`
wide and as high as it needs.
"""

from collections.abc import Iterable
from fractions import Fraction
from html import escape
from typing import Final

WIDTH: Final = 720
LEFT: Final = 10
RIGHT: Final = WIDTH - 10


def figure(title: str, height: int, parts: Iterable[str]) -> str:
    """Return a picture under its title."""
    name = escape(title)
    return (
        f'<figure><figcaption>{name}</figcaption><svg role="img" aria-label="{name}" '
        f'viewBox="0 0 {WIDTH} {height}">{"".join(parts)}</svg></figure>'
    )


def x_of(value: Fraction, span: Fraction) -> str:
    """Return where a value of 0 to `span` stands between the left and the right margin."""
    return position(value, span, LEFT, RIGHT)


def position(value: Fraction, whole: Fraction, low: int, high: int) -> str:
    """Return where a value of 0 to `whole` stands from `low` to `high`; beyond it, at `high`."""
    part = min(Fraction(1), value / whole) if whole else Fraction(0)
    return f"{float(low + part * (high - low)):.1f}"


def line(x1: object, y1: object, x2: object, y2: object, kind: str = "axis") -> str:
    """Return a line; `kind` is its class in the page's style."""
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def words(x: object, y: object, said: str, anchor: str = "start") -> str:
    """Return a text; `anchor` is which end of it stands at x."""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(said)}</text>'


def label(x: str, y: int, said: str) -> str:
    """Return text beside a mark, on the side of it where there is room."""
    left = float(x) <= WIDTH / 2
    return words(f"{float(x) + (5 if left else -5):.1f}", y, said, "start" if left else "end")
