"""The settings in a session report: before and now, the scheduled change, dates, the clock.

What stood before is what this tool has read before the first change of the session. Where it has
not, because another tool came first, nothing is claimed.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from protocol.codes import Code
from protocol.messages import LogRecord, Status, Therapy
from tools.programmer import clock_effect, readings, review
from tools.programmer import format as text
from tools.programmer.report_data import Report
from tools.programmer.review import Line

NOT_KNOWN: Final = "a change is not in this tool's journal, settings before are not known here"
TOOK_OVER: Final = "a scheduled change took over, settings before are not known here"
NOTHING_PRESCRIBED: Final = "nothing was prescribed"
EFFECT_NOT_KNOWN: Final = "what it did to the dose is not known here"
_COMPUTED: Final = "computed volume"
"""Falls with every stroke: it says nothing about what was changed."""
_DAY_S: Final = 86_400


class Section(NamedTuple):
    """One table of the report, under its title."""

    title: str
    head: tuple[str, ...]
    """Names of the columns; empty where the first column is one of names."""
    rows: Sequence[tuple[str, ...]]
    absent: str
    """What is said where there is no row."""


def sections(report: Report) -> Iterator[Section]:
    """Return the prescription, before and now where that is known, and the scheduled change."""
    stored = text.date_text(report.prescription.written_wall_s)
    title = f"Prescription, stored {stored}" if report.therapy is not None else "Prescription"
    if (lines := changes(report)) is not None:
        head = ("", "setting", "before", "now")
        yield Section(f"{title}: before this session and now ({review.CHANGED})", head,
                      [_marked(line) for line in lines], "")  # fmt: skip
    else:
        if report.acts.changes():
            title += f": {unknown(report)}"
        yield Section(title, (), list(_settings(report, report.therapy).items()), "none")
    if report.scheduled_therapy is not None:
        takes_over = text.date_text(report.status.pending_wall_s)
        head = ("", "setting", "now", f"from {takes_over}")
        lines = review.beside(*_both(report))
        yield Section(f"Scheduled change, takes over {takes_over} ({review.CHANGED})", head,
                      [_marked(line) for line in lines], "")  # fmt: skip


def changes(report: Report) -> list[Line] | None:
    """Return every setting before the session's first change and now; None: not known, or none."""
    before = report.acts.at_first()
    if before is None:
        return None
    left = _state(before.status, before.therapy)
    right = _state(report.status, report.therapy)
    for found, therapy in ((left, before.therapy), (right, report.therapy)):
        found |= _settings(report, therapy)
    return review.beside(left, right)


def unknown(report: Report) -> str:
    """Return why the settings before the session's first change are not known."""
    took_over = report.acts.changes()[0].code is Code.SCHEDULED_CHANGE
    return TOOK_OVER if took_over else NOT_KNOWN


def values(report: Report) -> dict[str, Any]:
    """Return settings, before and now, for `--json`."""
    lines = changes(report)
    scheduled = report.scheduled_therapy is not None
    return {
        "settings": _settings(report, report.therapy),
        "changed": None if lines is None else {
            line.name.strip(): {"before": line.current, "now": line.pending}
            for line in lines if line.changed
        },
        "before": None if lines is None else {line.name.strip(): line.current for line in lines},
        "before_unknown": unknown(report) if lines is None and report.acts.changes() else None,
        "scheduled": text.date(report.status.pending_wall_s),
        "scheduled_settings": _both(report)[1] if scheduled else None,
    }  # fmt: skip


def dates(report: Report) -> Iterator[tuple[str, str]]:
    """Return what is due when, by the pump's clock; low reservoir and refill as it delivers now."""
    status, therapy = report.status, report.therapy
    yield "filled", text.date_text(status.fill_wall_s)
    yield "low reservoir", text.date_text(status.low_reservoir_wall_s)
    if therapy is not None and therapy.stability_days and status.fill_wall_s:
        until_s = status.fill_wall_s + therapy.stability_days * _DAY_S
        yield "drugs good until", text.date_text(until_s)
    yield "refill due", text.date_text(status.refill_due_wall_s)
    if status.pending_wall_s:
        yield "scheduled change", text.date_text(status.pending_wall_s)
    reached = "reached " if status.eri else "at the latest "
    yield "replacement indicator (ERI)", reached + text.date_text(status.eri_wall_s)
    yield "end of service (EOS)", "at the latest " + text.date_text(status.eos_wall_s)


def clock_effect_text(report: Report, record: LogRecord) -> str:
    """Return what a new clock did to the dose; `record` is its CLOCK_SET."""
    prescribed = report.prescribed_at(record)
    if prescribed is None:
        act = report.acts.of(record)
        therapy = report.therapy if act is None else act.held.therapy
        return NOTHING_PRESCRIBED if therapy is None else EFFECT_NOT_KNOWN
    effect = clock_effect.of(prescribed, record.b, record.a)
    if effect is None:
        return "no dose is skipped or repeated"
    return clock_effect.sentence(effect, prescribed.therapy)


def _state(status: Status, therapy: Therapy | None) -> dict[str, str]:
    filled = text.date_text(status.fill_wall_s)
    fill = f"{text.millilitres(status.fill_nl)}, {filled}" if status.fill_wall_s else review.ABSENT
    alarms = ", ".join(alarm.code.name for alarm in status.alarms)
    return {
        "the pump": readings.headline(status, therapy),
        "alarms": alarms or "none",
        "reservoir filled": fill,
        "refill due": text.date_text(status.refill_due_wall_s)[:10],
        "scheduled change": text.date_text(status.pending_wall_s),
    }


def _settings(report: Report, therapy: Therapy | None) -> dict[str, str]:
    """Return the settings of a therapy; none while nothing is prescribed."""
    if therapy is None:
        return {}
    found = review.settings(therapy, report.status.computed_nl, report.device)
    del found[_COMPUTED]
    return found


def _both(report: Report) -> tuple[dict[str, str], dict[str, str]]:
    return _settings(report, report.therapy), _settings(report, report.scheduled_therapy)


def _marked(line: Line) -> tuple[str, ...]:
    mark = review.CHANGED if line.changed else ""
    return mark, line.name, line.current, line.pending
