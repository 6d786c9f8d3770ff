"""The event log in one time: when its records were made, over resets.

Each record carries the time since its own boot. Between two boots only what surely passed under
power is counted: nothing after a loss of power, and after a warm reset what the wall clock says,
less a second.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from hal.interfaces import ResetCause
from protocol.codes import Code
from protocol.messages import LogRecord

WARM: Final = (
    ResetCause.WATCHDOG,
    ResetCause.COMMANDED,
    ResetCause.LINK_LOST,
    ResetCause.RATE_GUARD,
)
"""Resets without a loss of power: the encoder keeps its count, and the RTC is right."""
_US_PER_S: Final = 1_000_000


def placed(newest_first: Iterable[LogRecord]) -> Iterator[tuple[int, LogRecord]]:
    """Yield each record with its instant in the time of the newest one's boot."""
    origin_us = 0
    after: LogRecord | None = None
    for record in newest_first:
        if after is not None and after.boot_id != record.boot_id:
            origin_us += after.tick_us - _gap_us(record, after) - record.tick_us
        yield origin_us + record.tick_us, record
        after = record


def _gap_us(last: LogRecord, first: LogRecord) -> int:
    """Return what surely passed from the last record of a boot to the first of the next."""
    if first.code is not Code.RESET or first.a not in WARM:
        return 0
    last_s = last.a if last.code is Code.CLOCK_SET else last.wall_s
    return max(0, first.wall_s - last_s - 1) * _US_PER_S
