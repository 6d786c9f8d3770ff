"""The pump's event log as a table and as JSON.

What the two details of a record mean depends on its code; `DETAILS` is the table of that.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from hal.interfaces import ResetCause
from protocol.codes import BolusKind, Code, StopReason, stop_reason_name
from protocol.errors import ErrorCode, LimitId
from protocol.messages import LogRecord
from protocol.operations import BY_OPCODE
from tools.programmer import format as text

HEAD: Final = f"{'#':>6}  {'wall time':<19}  {'boot':>5}  {'up':>19}  {'code':<20}  details"

Show = Callable[[int], str]


def _code(value: int) -> str:
    return Code(value).name if value in set(Code) else str(value)


def _error(value: int) -> str:
    return ErrorCode(value).name if value in set(ErrorCode) else str(value)


def _reason(value: int) -> str:
    return (stop_reason_name(StopReason(value)) or "") if value in set(StopReason) else str(value)


def _bolus(value: int) -> str:
    return BolusKind(value).name.lower() if value in set(BolusKind) else str(value)


def _limit(value: int) -> str:
    return LimitId(value).name if value in set(LimitId) else str(value)


def _cause(value: int) -> str:
    return ResetCause(value).name.lower() if value in set(ResetCause) else str(value)


def _operation(value: int) -> str:
    return BY_OPCODE[value].name if value in BY_OPCODE else str(value)


def _unconfirmed(value: int) -> str:
    return f"{value} strokes unconfirmed" if value else ""


def _generation(value: int) -> str:
    return f"generation {value}"


def _dated(word: str) -> Show:
    return lambda value: f"{word} {text.date_text(value)}" if value else ""


def _counted(noun: str) -> Show:
    return lambda value: f"{value} {noun}"


def _nothing(value: int) -> str:
    return str(value) if value else ""


DETAILS: Final[dict[Code, tuple[Show, Show]]] = {
    Code.RESET: (_cause, _unconfirmed),
    Code.PROGRAM_COMMITTED: (_generation, _dated("takes over")),
    Code.SCHEDULED_CHANGE: (_generation, lambda value: "delivering" if value else ""),
    Code.CLOCK_SET: (_dated("to"), _dated("from")),
    Code.BOLUS_STARTED: (text.volume, _bolus),
    Code.BOLUS_DONE: (lambda value: f"{text.volume(value)} given", _nothing),
    Code.BOLUS_ENDED_EARLY: (lambda value: f"{text.volume(value)} given", _code),
    Code.BOLUS_REFUSED: (_error, _operation),
    Code.REFUSED: (_error, _operation),
    Code.STOPPED: (_reason, _nothing),
    Code.LIMIT_OVERRIDDEN: (_limit, lambda value: f"drug {value}" if value else ""),
    Code.STALL: (_counted("strokes not seen"), _nothing),
    Code.REFILLED: (text.millilitres, _nothing),
    Code.ALARM_RAISED: (_code, _nothing),
    Code.ALARM_ACKNOWLEDGED: (_code, _nothing),
    Code.ALARM_CLEARED: (_code, _nothing),
}
"""Code -> how its first and second detail read; other codes show plain numbers."""


def details(record: LogRecord) -> str:
    """Return the details of a record in words."""
    first, second = DETAILS.get(record.code, (_nothing, _nothing))
    return ", ".join(part for part in (first(record.a), second(record.b)) if part)


def line(record: LogRecord) -> str:
    """Return one record as a line of the table."""
    wall = (text.date(record.wall_s) or "-").replace("T", " ")
    up_s = text.decimal(Fraction(record.tick_us, 10**6), 6)
    return (
        f"{record.seq:>6}  {wall:<19}  {record.boot_id:>5}  {up_s + ' s':>19}  "
        f"{record.code.name:<20}  {details(record)}"
    ).rstrip()


def values(record: LogRecord) -> dict[str, Any]:
    """Return one record for `--json`."""
    return {
        "seq": record.seq,
        "boot_id": record.boot_id,
        "code": record.code.name,
        "tick_us": record.tick_us,
        "wall": text.date(record.wall_s),
        "a": record.a,
        "b": record.b,
        "details": details(record),
    }
