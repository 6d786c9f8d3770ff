"""A session report as a page of `tools.programmer.html_page`, with its pictures."""

from collections.abc import Iterator

from tools.programmer import html_page, report_course, report_svg, report_text, sensed
from tools.programmer.report_data import Report
from tools.programmer.report_svg import Mark


def page(report: Report) -> str:
    """Return the whole page."""
    first, *more = report_text.sections(report)
    body = [html_page.table(first), *_pictures(report), *map(html_page.section, more)]
    return html_page.page(f"{report_text.TITLE}, pump {report.device.serial}", body)


def _pictures(report: Report) -> Iterator[str]:
    status, device, therapy = report.status, report.device, report.therapy
    if therapy is not None:
        yield report_svg.rate(report_course.of(therapy, device))
    low_nl = None if therapy is None else therapy.low_reservoir_nl
    yield report_svg.reservoir(
        status.computed_nl, device.capacity_nl, low_nl, sensed.volume_nl(status)
    )
    yield report_svg.timeline(
        [
            Mark(status.fill_wall_s, "filled"),
            Mark(status.wall_s, "this report"),
            Mark(status.pending_wall_s, "scheduled change"),
            Mark(status.low_reservoir_wall_s, "low reservoir"),
            Mark(status.refill_due_wall_s, "refill due"),
        ]
    )
