"""The record of a trial against the pump: what is true now, and what has happened since.

Every command on a trial reads the pump first. What was asked of it and not known to be done is
settled by the pump's own log and prescription: one program since, and the prescription is the one
asked for, is done; no program is not done; anything else came from outside the trial, and so did a
program that nothing in the record asked for. Intervals are measured by the pump's wall clock with
every setting of it, which the log has, taken out; so setting the clock brings no step nearer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from protocol import codec
from protocol.codes import Code, Mode
from protocol.messages import DeviceInfo, LogRecord, PrescriptionInfo, Status, Therapy
from tools.programmer import doses, trial_course
from tools.programmer import format as text
from tools.programmer.client import Client
from tools.programmer.trial_course import Course
from tools.programmer.trial_record import Done, Entry, Outside, Record, Seen, Undone

_PROGRAMS: Final = (Code.PROGRAM_COMMITTED, Code.SCHEDULED_CHANGE)
_DELIVERS: Final = (Mode.BASAL, Mode.BOLUS, Mode.PRIME, Mode.BRIDGE)


@dataclass(frozen=True, slots=True)
class Visit:
    """The pump and the trial, agreed."""

    status: Status
    device: DeviceInfo
    prescription: PrescriptionInfo
    seen: Seen
    course: Course
    found: tuple[Entry, ...]
    """What was learned of the pump just now, already in the record."""

    @property
    def therapy(self) -> Therapy | None:
        """The committed therapy; None while nothing is prescribed."""
        return self.prescription.therapy if self.prescription.therapy.drugs else None

    @property
    def step(self) -> int:
        """Step of the plan that the pump is delivering; 0: none."""
        running = self.course.running and self.course.outside is None
        return self.course.steps[-1].number if running and self._delivers else 0

    @property
    def dose_pg(self) -> Fraction:
        """Dose of the primary drug per day that the pump is delivering."""
        therapy = self.therapy
        if therapy is None:
            return Fraction(0)
        drug = therapy.drugs[0]
        if self._delivers:
            return doses.daily_pg(therapy, self.device)[drug.name]
        return doses.mass_pg(doses.rate_now_pl_h(self.status) * 24, drug.concentration_pg_ml)

    @property
    def given_nl(self) -> int:
        """Volume delivered since the trial began, until its end; 0 before."""
        from_nl = self.course.given_from_nl
        until = self.course.ended or self.seen
        return 0 if from_nl is None else until.delivered_nl - from_nl

    @property
    def _delivers(self) -> bool:
        return self.status.mode in _DELIVERS


def visit(client: Client, record: Record, first: bool = True) -> Visit:
    """Read the pump, write down what is new, and return both; `first`: of this session."""
    status = client.interrogate() if first else client.status()
    prescription = client.prescription()
    last = record.entries[-1].seen if record.entries else None
    records = _since(client, last, status)
    seen = _seen(last, status, records)
    course = trial_course.latest(record.entries)
    found = _news(course, prescription, seen, records, late=first)
    for entry in found:
        record.append(entry)
        course.take(entry)
    return Visit(status, client.device(), prescription, seen, course, found)


def encoded(therapy: Therapy) -> str:
    """Return a therapy as the record holds it."""
    return codec.encode(therapy).hex()


def _since(client: Client, last: Seen | None, status: Status) -> Sequence[LogRecord] | None:
    """Return the log since an entry; None when the log does not reach back to it."""
    if last is None or last.log_next == status.log_next:
        return ()
    if not status.log_first <= last.log_next < status.log_next:
        return None
    return [entry for entry in client.log(last.log_next) if entry.seq < status.log_next]


def _seen(last: Seen | None, status: Status, records: Sequence[LogRecord] | None) -> Seen:
    clock_s = status.wall_s if last is None else _clock_s(last, status.wall_s, records or ())
    return Seen(status.wall_s, clock_s, status.log_next, status.delivered_nl)


def _clock_s(last: Seen, wall_s: int, records: Sequence[LogRecord]) -> int:
    """Return where the clock would stand if nobody had set it; it never goes back."""
    set_s = sum(entry.a - entry.b for entry in records if entry.code is Code.CLOCK_SET)
    return last.clock_s + max(0, wall_s - last.wall_s - set_s)


def _news(
    course: Course,
    prescription: PrescriptionInfo,
    seen: Seen,
    records: Sequence[LogRecord] | None,
    late: bool,
) -> tuple[Entry, ...]:
    """Return what the record does not know yet."""
    asked = course.asked
    if records is None:
        lost = Outside(seen, "the pump's log does not reach back to the trial, or is another's")
        return (Undone(seen), lost) if asked else (lost,) * (not course.over and _begun(course))
    programs = [entry for entry in records if entry.code in _PROGRAMS]
    if asked is None:
        return _unasked(course, prescription, seen, programs)
    if not programs:
        return (Undone(seen),)
    if encoded(prescription.therapy) != asked.therapy:
        return Undone(seen), Outside(seen, _programmed(programs[0]))
    began = _at(programs[0], asked.seen, records)
    return Done(began, late), *(Outside(seen, _programmed(entry)) for entry in programs[1:2])


def _unasked(
    course: Course, prescription: PrescriptionInfo, seen: Seen, programs: Sequence[LogRecord]
) -> tuple[Entry, ...]:
    if not course.running or course.outside is not None:
        return ()
    if programs:
        return (Outside(seen, _programmed(programs[0])),)
    if encoded(prescription.therapy) != course.therapy:
        return (Outside(seen, "the pump holds another prescription"),)
    return ()


def _begun(course: Course) -> bool:
    return bool(course.scores) and course.outside is None


def _at(program: LogRecord, asked: Seen, records: Sequence[LogRecord]) -> Seen:
    """Return the instant of a program that the trial asked for.

    What was delivered until then is told by the question, which came just before.
    """
    before = [entry for entry in records if entry.seq < program.seq]
    clock_s = _clock_s(asked, program.wall_s, before)
    return replace(asked, wall_s=program.wall_s, clock_s=clock_s, log_next=program.seq + 1)


def _programmed(entry: LogRecord) -> str:
    what = "a scheduled change took over" if entry.code is Code.SCHEDULED_CHANGE else "programmed"
    if entry.code is Code.PROGRAM_COMMITTED and entry.b:
        what = "a change was scheduled"
    return f"{what} outside of it on {text.date_text(entry.wall_s)}"
