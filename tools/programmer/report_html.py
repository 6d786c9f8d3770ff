"""A session report as one HTML file that needs nothing else: style and pictures stand inside it.

Every text is escaped; the page allows itself no script and no fetch.
"""

from collections.abc import Iterator
from html import escape
from typing import Final

from tools.programmer import report_course, report_svg, report_text, review
from tools.programmer.report_data import Report
from tools.programmer.report_settings import Section
from tools.programmer.report_svg import Mark

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
.dot { fill: #1f6fb8 }
@media print { body { margin: 0 } h2 { break-after: avoid } figure, tr { break-inside: avoid } }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: Report) -> str:
    """Return the whole page."""
    title = escape(f"{report_text.TITLE}, pump {report.device.serial}")
    first, *more = report_text.sections(report)
    body = "\n".join(
        [
            f"<h1>{title}</h1>",
            _table(first),
            *_pictures(report),
            *(f"<h2>{escape(section.title)}</h2>\n{_table(section)}" for section in more),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _pictures(report: Report) -> Iterator[str]:
    status, device, therapy = report.status, report.device, report.therapy
    if therapy is not None:
        yield report_svg.rate(report_course.of(therapy, device))
    low_nl = None if therapy is None else therapy.low_reservoir_nl
    yield report_svg.reservoir(status.computed_nl, device.capacity_nl, low_nl)
    yield report_svg.timeline(
        [
            Mark(status.fill_wall_s, "filled"),
            Mark(status.wall_s, "this report"),
            Mark(status.pending_wall_s, "scheduled change"),
            Mark(status.low_reservoir_wall_s, "low reservoir"),
            Mark(status.refill_due_wall_s, "refill due"),
        ]
    )


def _table(section: Section) -> str:
    if not section.rows:
        return f"<p>{escape(section.absent)}</p>"
    head = f"<thead>{_row(section.head, 'th')}</thead>" if section.head else ""
    kind = "" if section.head else ' class="names"'
    rows = "\n".join(_row(row, "td") for row in section.rows)
    return f"<table{kind}>{head}<tbody>\n{rows}\n</tbody></table>"


def _row(cells: tuple[str, ...], kind: str) -> str:
    changed = ' class="changed"' if cells and cells[0] == review.CHANGED else ""
    return f"<tr{changed}>{''.join(f'<{kind}>{escape(cell)}</{kind}>' for cell in cells)}</tr>"
