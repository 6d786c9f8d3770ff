"""The doses of a session, from the pump's log: what was asked for, what was given, of what.

The log counts volumes. Their drug is named where it is known what the reservoir was said to hold
then; prime and bridge move what is in tubing and catheter, so of them the volume alone is told.
After a loss of power the pump counts as given whatever it had set out to give, up to 10 uL: that is
told as what it is, the most that can have been given.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from protocol.codes import BolusKind, Code
from protocol.messages import LogRecord, Status, Therapy
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
        given = RUNNING
        if dose.ended is not None:
            most = "at most " if _uncertain(report, dose.ended) else ""
            given = f"{most}{_amount(report, dose, dose.ended)} given"
        if dose.ended is not None and dose.ended.code is Code.BOLUS_ENDED_EARLY:
            given += ", ended early"
        if dose.started is not None:
            given = f"{_amount(report, dose, dose.started)} asked for; {given}"
        yield f"{dose.kind} {text.date_text(first.wall_s)}", given
    if (read := report.acts.first_read()) is not None:
        given_nl = report.status.delivered_nl - read.status.delivered_nl
        since = text.date_text(read.status.wall_s)
        given = f"{text.volume(given_nl)} given, basal and boluses together"
        if uncertain_nl := _uncertain_nl(read.status, report.status):
            given += f"; {text.volume(uncertain_nl)} of it is unconfirmed"
        yield f"all since {since}", given


def _uncertain(report: Report, ended: LogRecord) -> bool:
    """Return whether a bolus ended with a reset that left strokes unconfirmed."""
    resets = [one for one in report.records if one.code is Code.RESET and one.seq < ended.seq]
    return ended.b == Code.RESET and bool(resets) and resets[-1].b > 0


def _uncertain_nl(before: Status, now: Status) -> int:
    """Return what was counted in between without having been seen; a fill begins anew."""
    same = before.fill_wall_s == now.fill_wall_s
    return max(0, now.uncertain_nl - (before.uncertain_nl if same else 0))


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
