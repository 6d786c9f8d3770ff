"""The doses of a session, from the pump's log: what was asked for, what was given, of what.

The log counts volumes. Their drug is named where it is known what the reservoir was said to hold
then; prime and bridge move what is in tubing and catheter, so of them the volume alone is told.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from protocol.codes import BolusKind, Code
from protocol.messages import LogRecord, Therapy
from tools.programmer import doses
from tools.programmer import format as text
from tools.programmer.report_data import Report

_ENDED: Final = (Code.BOLUS_DONE, Code.BOLUS_ENDED_EARLY)
_MOVES_THE_PATH: Final = (BolusKind.PRIME, BolusKind.PRIME_CATHETER, BolusKind.BRIDGE)
RUNNING: Final = "still running"


class Dose(NamedTuple):
    """One bolus of a session."""

    started: LogRecord | None
    """None: it began before the session."""
    ended: LogRecord | None
    """None: it still runs."""

    @property
    def kind(self) -> str:
        """Which kind of bolus."""
        if self.started is None:
            return "bolus"
        word = _kind(self.started).name.lower().replace("_", " ")
        return word if _kind(self.started) in _MOVES_THE_PATH else f"{word} bolus"


def of(report: Report) -> list[Dose]:
    """Return the boluses of a session, in the order in which they began."""
    found: list[Dose] = []
    for record in report.records:
        if record.code is Code.BOLUS_STARTED:
            found.append(Dose(record, None))
        elif record.code in _ENDED:
            _end(found, record)
    return found


def _end(found: list[Dose], record: LogRecord) -> None:
    """A patient bolus suspends a single one, which goes on after it: the last begun ends first."""
    for index in range(len(found) - 1, -1, -1):
        if found[index].ended is None:
            found[index] = found[index]._replace(ended=record)
            return
    found.append(Dose(None, record))


def rows(report: Report) -> Iterator[tuple[str, str]]:
    """Return (which bolus, what was given) of each, and all that the pump gave meanwhile."""
    for dose in of(report):
        first = dose.started or dose.ended
        assert first is not None
        given = RUNNING if dose.ended is None else f"{_amount(report, dose, dose.ended)} given"
        if dose.ended is not None and dose.ended.code is Code.BOLUS_ENDED_EARLY:
            given += ", ended early"
        if dose.started is not None:
            given = f"{_amount(report, dose, dose.started)} asked for; {given}"
        yield f"{dose.kind} {text.date_text(first.wall_s)}", given
    if (read := report.acts.first_read()) is not None:
        given_nl = report.status.delivered_nl - read.status.delivered_nl
        since = text.date_text(read.status.wall_s)
        yield f"all since {since}", f"{text.volume(given_nl)} given, basal and boluses together"


def _amount(report: Report, dose: Dose, record: LogRecord) -> str:
    """Return the volume of a record, and its drug where that is known."""
    therapy = report.therapy_at(record)
    told = dose.started is not None and _kind(dose.started) not in _MOVES_THE_PATH
    return amount(record.a, therapy if told else None)


def amount(volume_nl: int, therapy: Therapy | None) -> str:
    """Return a volume and what it holds of the primary drug."""
    volume = text.volume(volume_nl)
    if therapy is None:
        return volume
    drug = therapy.drugs[0]
    mass_pg = doses.mass_pg(Fraction(volume_nl * 1000), drug.concentration_pg_ml)
    return f"{drug.name} {text.mass(mass_pg)} = {volume}"


def _kind(started: LogRecord) -> BolusKind:
    known = started.b in set(BolusKind)
    return BolusKind(started.b) if known else BolusKind.NONE
