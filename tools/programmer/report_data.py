"""What a session report is made of: what one reading of the pump gave, and where it began.

No pump knows who programmed it, nor settings that have been replaced: those come from this tool's
journal, of what this tool did (`report_changes`). Of what another tool did the log is all there is.

Each command of the programmer is a session of its own and interrogates. A visit is therefore a run
of interrogations, each less than `VISIT_GAP_US` after the one before it in the same boot of the
pump; the report's own interrogation is the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.codes import Code, Role
from protocol.messages import DeviceInfo, LogRecord, PrescriptionInfo, Status, Therapy
from tools.programmer.clock_effect import Prescribed
from tools.programmer.journal import Entry
from tools.programmer.report_changes import Acts
from tools.programmer.warnings import Caution

VISIT_GAP_US: Final = 3_600_000_000
"""1 h: longer than any pause within a visit, shorter than between two."""
ACTS: Final = (
    Code.PROGRAM_COMMITTED,
    Code.SCHEDULED_CHANGE,
    Code.BOLUS_STARTED,
    Code.BOLUS_DONE,
    Code.BOLUS_ENDED_EARLY,
    Code.BOLUS_REFUSED,
    Code.STOPPED,
    Code.RESUMED,
    Code.REFILLED,
    Code.CLOCK_SET,
    Code.ALARM_CLEARED,
    Code.REFUSED,
    Code.LIMIT_OVERRIDDEN,
)
"""Records that say what was done to the pump, or was asked of it and refused."""


_REPLACED: Final = (Code.PROGRAM_COMMITTED, Code.SCHEDULED_CHANGE)


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports, and with what."""

    role: Role
    by: str
    """Name that was given with `--by`; "": none."""
    tool: str
    """Name and version."""
    port: str


@dataclass(frozen=True, slots=True)
class Report:
    """One reading of a pump."""

    reporter: Reporter
    status: Status
    device: DeviceInfo
    prescription: PrescriptionInfo
    scheduled: PrescriptionInfo
    """Change that will take over; generation 0: none."""
    cautions: Sequence[Caution]
    records: Sequence[LogRecord]
    """The log from the record where the report begins; never empty."""
    acts: Acts
    """What of those records is this tool's."""
    entry: Entry | None
    """The pump's last transaction in this tool's journal; None: it is not there."""

    @property
    def therapy(self) -> Therapy | None:
        """The committed therapy; None while nothing is prescribed."""
        return _therapy(self.prescription)

    @property
    def scheduled_therapy(self) -> Therapy | None:
        """The therapy of the scheduled change; None: there is none."""
        return _therapy(self.scheduled)

    @property
    def done(self) -> list[LogRecord]:
        """What was done to the pump, in order."""
        return [record for record in self.records if record.code in ACTS]

    def prescribed_at(self, record: LogRecord) -> Prescribed | None:
        """Return what was prescribed when a record was written; None: not known here."""
        if (act := self.acts.of(record)) is not None:
            return act.held.prescribed(self.device)
        held = self.acts.read_after(record.seq)
        end = self.status.log_next if held is None else held.status.log_next
        if any(one.code in _REPLACED and record.seq < one.seq < end for one in self.records):
            return None
        if held is not None:
            return held.prescribed(self.device)
        if self.therapy is None:
            return None
        scheduled = self.scheduled if self.scheduled_therapy is not None else None
        return Prescribed(self.therapy, scheduled, self.device)

    def therapy_at(self, record: LogRecord) -> Therapy | None:
        """Return the therapy when a record was written; None: not known here."""
        prescribed = self.prescribed_at(record)
        return None if prescribed is None else prescribed.therapy


def visit(records: Sequence[LogRecord]) -> Sequence[LogRecord]:
    """Return the records from the first interrogation of the last visit on."""
    start, last = 0, None
    for index in range(len(records) - 1, -1, -1):
        record = records[index]
        if record.code is not Code.INTERROGATED:
            continue
        if last is not None and not _follows(record, last):
            break
        start, last = index, record
    return records[start:]


def _follows(before: LogRecord, after: LogRecord) -> bool:
    same_boot = before.boot_id == after.boot_id
    return same_boot and after.tick_us - before.tick_us < VISIT_GAP_US


def _therapy(info: PrescriptionInfo) -> Therapy | None:
    return info.therapy if info.generation and info.therapy.drugs else None
