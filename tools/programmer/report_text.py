"""A session report in words: sections for the terminal and the page, an object for `--json`."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

from protocol.codes import Code
from protocol.messages import LogRecord
from tools.programmer import format as words
from tools.programmer import log_view, readings, report_doses, report_settings, review
from tools.programmer.report_data import Report
from tools.programmer.report_settings import Section

TITLE: Final = "Session report"
LOG_HEAD: Final = ("#", "pump clock", "what", "details")
DONE_HEAD: Final = ("#", "pump clock", "what", "by", "details")
WIDTH: Final = 100
"""Columns of the terminal."""
NO_NAME: Final = "no name was given (--by NAME)"


def sections(report: Report) -> list[Section]:
    """Return the whole report, in order."""
    return [
        Section(TITLE, (), session(report), ""),
        Section("Done in this session", DONE_HEAD, _done(report), "nothing that changes the pump"),
        Section("Doses in this session", (), list(report_doses.rows(report)), "none"),
        Section("Warnings", (), _warnings(report), "none"),
        Section("The pump now", (), _now(report), ""),
        Section("Dates", (), list(report_settings.dates(report)), ""),
        *report_settings.sections(report),
        Section("Log extract", LOG_HEAD, [_row(record) for record in report.records], ""),
    ]


def session(report: Report) -> list[tuple[str, ...]]:
    """Return who, with what, when and which part of the log."""
    first, last = report.records[0], report.records[-1]
    reporter = report.reporter
    return [
        ("Who", ", ".join(people(report)) or NO_NAME),
        ("Tool", f"{reporter.tool}, role {reporter.role.name.lower()}, at {reporter.port}"),
        ("Pump", report.device.serial),
        ("When", f"{words.date_text(report.status.wall_s)} by the pump's clock"),
        ("Log records", f"{first.seq} to {last.seq}, from {words.date_text(first.wall_s)} on"),
        ("Last transaction", _last(report)),
    ]


def people(report: Report) -> list[str]:
    """Return the names of who acted in the session and of who reports, each once."""
    by = [report.reporter.by] if report.reporter.by else []
    return list(dict.fromkeys([*report.acts.names(), *by]))


def text(report: Report) -> str:
    """Return the report for the terminal, sections apart from one another."""
    return "\n".join(_lines(report))


def values(report: Report) -> dict[str, Any]:
    """Return what the report adds to the reading of the pump, for `--json`."""
    return {
        "by": people(report),
        "role": report.reporter.role.name.lower(),
        "tool": report.reporter.tool,
        "port": report.reporter.port,
        "done": [
            {
                **log_view.values(record),
                "by": report.acts.whose(record) or None,
                "warned": list(report.acts.warned(record)),
            }
            for record in report.done
        ],
        "clock_effects": [
            report_settings.clock_effect_text(report, record)
            for record in report.done
            if record.code is Code.CLOCK_SET
        ],
        "doses": [{"dose": which, "given": given} for which, given in report_doses.rows(report)],
        "dates": dict(report_settings.dates(report)),
        "records": [log_view.values(record) for record in report.records],
        "last_txn": f"{report.status.last_txn:016x}" if report.status.last_txn else None,
        "last_op_of_this_tool": report.entry.op if report.entry else None,
        "stored": words.date(report.prescription.written_wall_s),
        **report_settings.values(report),
    }


def _done(report: Report) -> list[tuple[str, ...]]:
    return [
        (*row[:-1], report.acts.whose(record), _details(report, record))
        for record, row in ((record, _row(record)) for record in report.done)
    ]


def _warnings(report: Report) -> list[tuple[str, ...]]:
    """Return what the pump is to be watched for now, and what was confirmed all the same."""
    return [
        *((caution.code.name, caution.sentence) for caution in report.cautions),
        *(
            (f"confirmed, #{record.seq}", line.removeprefix("! "))
            for record in report.done
            for line in report.acts.warned(record)
        ),
    ]


def _details(report: Report, record: LogRecord) -> str:
    """Return the details of an act; of a new clock what it does to the dose as well."""
    details = log_view.details(record)
    if record.code is not Code.CLOCK_SET:
        return details
    return f"{details}; {report_settings.clock_effect_text(report, record)}"


def _row(record: LogRecord) -> tuple[str, ...]:
    wall = (words.date(record.wall_s) or review.ABSENT).replace("T", " ")
    return str(record.seq), wall, record.code.name, log_view.details(record)


def _now(report: Report) -> list[tuple[str, ...]]:
    return list(readings.rows(report.status, report.device, report.therapy))


def _last(report: Report) -> str:
    """Return the last transaction as far as pump and tool know it."""
    if not report.status.last_txn:
        return "none: the pump has committed nothing yet"
    if report.entry is None:
        return "not in this tool's journal"
    op = report.entry.op.lower().replace("_", " ")
    return f"{op}, asked for by this tool ({report.entry.txn:016x})"


def _lines(report: Report) -> Iterator[str]:
    for number, section in enumerate(sections(report)):
        yield from ([""] if number else [])
        yield section.title
        if not section.rows:
            yield f"  {section.absent}"
            continue
        yield from table([section.head, *section.rows] if section.head else section.rows)


def table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of rows in columns; what is too wide goes on in its column below."""
    widths = [
        min(max(map(len, column)), review.COLUMN_MAX)
        for column in zip(*(row[:-1] for row in rows), strict=True)
    ]
    widths.append(WIDTH - sum(widths) - 2 * len(widths) - 2)
    for row in rows:
        cells = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for line in zip_longest(*cells, fillvalue=""):
            columns = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
            yield f"  {'  '.join(columns)}".rstrip()


def _wrapped(cell: str, width: int) -> list[str]:
    """Return the lines of a cell; what fits keeps its indent."""
    return [cell] if len(cell) <= width else textwrap.wrap(cell, width)
