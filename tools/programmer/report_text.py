"""A session report in words: sections for the terminal and the page, an object for `--json`."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from protocol.messages import LogRecord
from tools.programmer import format as words
from tools.programmer import log_view, readings, review
from tools.programmer.report_data import Report
from tools.programmer.review import Line

TITLE: Final = "Session report"
LOG_HEAD: Final = ("#", "pump clock", "what", "details")
WIDTH: Final = 100
"""Columns of the terminal."""


class Section(NamedTuple):
    """One table of the report, under its title."""

    title: str
    head: tuple[str, ...]
    """Names of the columns; empty where the first column is one of names."""
    rows: Sequence[tuple[str, ...]]
    absent: str
    """What is said where there is no row."""


def sections(report: Report) -> list[Section]:
    """Return the whole report, in order."""
    return [
        Section(TITLE, (), session(report), ""),
        Section("Done in this session", LOG_HEAD, _acts(report),
                "nothing that changes the pump"),
        Section("Warnings", (), [(c.code.name, c.sentence) for c in report.cautions], "none"),
        Section("The pump now", (), _now(report), ""),
        _prescription(report),
        Section("Log extract", LOG_HEAD, [_row(record) for record in report.records], ""),
    ]  # fmt: skip


def session(report: Report) -> list[tuple[str, ...]]:
    """Return who, when and which part of the log."""
    first, last = report.records[0], report.records[-1]
    return [
        ("Who", f"programmer in the role {report.role.name.lower()}; no user name is stored"),
        ("Pump", report.device.serial),
        ("When", f"{words.date_text(report.status.wall_s)} by the pump's clock"),
        ("Log records", f"{first.seq} to {last.seq}, from {words.date_text(first.wall_s)} on"),
        ("Last transaction", _last(report)),
    ]


def text(report: Report) -> str:
    """Return the report for the terminal, sections apart from one another."""
    return "\n".join(_lines(report))


def values(report: Report) -> dict[str, Any]:
    """Return what the report adds to the reading of the pump, for `--json`."""
    lines = settings(report)
    return {
        "role": report.role.name.lower(),
        "done": [log_view.values(record) for record in report.acts],
        "records": [log_view.values(record) for record in report.records],
        "last_txn": f"{report.status.last_txn:016x}" if report.status.last_txn else None,
        "last_op_of_this_tool": report.entry.op if report.entry else None,
        "stored": words.date(report.prescription.written_wall_s),
        "settings": {line.name.strip(): line.current for line in lines},
        "scheduled": words.date(report.status.pending_wall_s),
        "scheduled_settings": (
            {line.name.strip(): line.pending for line in lines}
            if report.scheduled_therapy
            else None
        ),
    }


def settings(report: Report) -> list[Line]:
    """Return every setting of the prescription; none while nothing is prescribed."""
    if report.therapy is None:
        return []
    computed_nl = report.status.computed_nl
    return review.scheduled_lines(
        report.therapy, report.scheduled_therapy, computed_nl, report.device
    )


def _acts(report: Report) -> list[tuple[str, ...]]:
    return [_row(record) for record in report.acts]


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


def _prescription(report: Report) -> Section:
    title = "Prescription"
    lines = settings(report)
    if not lines:
        return Section(title, (), [], "none")
    title += f", stored {words.date_text(report.prescription.written_wall_s)}"
    if report.scheduled_therapy is None:
        return Section(title, (), [(line.name, line.current) for line in lines], "")
    head = ("", "setting", "now", f"from {words.date_text(report.status.pending_wall_s)}")
    rows = [
        (review.CHANGED if line.changed else "", line.name, line.current, line.pending)
        for line in lines
    ]
    title += f", and the scheduled change ({review.CHANGED})"
    return Section(title, head, rows, "")


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
