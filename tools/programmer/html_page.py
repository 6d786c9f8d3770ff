"""A report as one HTML file that needs nothing else: style and pictures stand inside it.

Every text is escaped; the page allows itself no script and no fetch.
"""

from collections.abc import Iterable
from html import escape
from typing import Final

from tools.programmer import review
from tools.programmer.report_settings import Section

_STYLE: Final = """\
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2430; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 1.8rem 0 .4rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0;
  border-bottom: 1px solid #dde2e8 }
td { white-space: pre-wrap } thead ~ tbody td:nth-child(-n+2) { white-space: pre }
thead ~ tbody td:nth-child(4) { min-width: 6rem } .names td:first-child { width: 15rem }
.changed { font-weight: 600 } td:first-child, thead th { color: #566273; font-weight: 400 }
figure { margin: 1rem 0 } figcaption { color: #566273 }
svg { width: 100%; height: auto } svg text { font: 13px system-ui, sans-serif; fill: #1c2430;
  paint-order: stroke; stroke: #fff; stroke-width: 4px }
.area { fill: #cfe3f7 } .curve { fill: none; stroke: #1f6fb8; stroke-width: 2 }
.axis, .frame { stroke: #8893a0; fill: none } .low { stroke: #c0392b; stroke-width: 2 }
.sensed { stroke: #1f6fb8; stroke-width: 2 }
.bound { stroke: #2e8b57; stroke-width: 2; stroke-dasharray: 6 4 } .grid { stroke: #dde2e8 }
.dot { fill: #1f6fb8 } .bad { fill: #c0392b } .out { fill: #fff; stroke: #8893a0 }
@media print { body { margin: 0 } h2 { break-after: avoid } figure, tr { break-inside: avoid } }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def page(title: str, body: Iterable[str]) -> str:
    """Return a whole page; the parts of `body` are HTML."""
    name = escape(title)
    parts = "\n".join([f"<h1>{name}</h1>", *body])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{name}</title>\n<style>\n{_STYLE}</style>\n</head>\n"
        f"<body>\n{parts}\n</body>\n</html>\n"
    )


def section(found: Section) -> str:
    """Return a table under its title."""
    return f"<h2>{escape(found.title)}</h2>\n{table(found)}"


def table(found: Section) -> str:
    """Return a table without its title."""
    if not found.rows:
        return f"<p>{escape(found.absent)}</p>"
    head = f"<thead>{_row(found.head, 'th')}</thead>" if found.head else ""
    kind = "" if found.head else ' class="names"'
    rows = "\n".join(_row(row, "td") for row in found.rows)
    return f"<table{kind}>{head}<tbody>\n{rows}\n</tbody></table>"


def _row(cells: tuple[str, ...], kind: str) -> str:
    changed = ' class="changed"' if cells and cells[0] == review.CHANGED else ""
    return f"<tr{changed}>{''.join(f'<{kind}>{escape(cell)}</{kind}>' for cell in cells)}</tr>"
