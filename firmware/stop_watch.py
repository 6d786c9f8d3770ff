"""The stop watch: a pump that stands for long says so, and after two days urgently.

Time is monotonic from the stop to the next start. After a reset it goes on from what the log says
of the stop: the longer of what surely passed under power and what the wall clock shows since, less
what the clock was set forward. So neither resets nor losses of power keep the alarm away. (Of a
pump that lost its clock too, what passed since the last record before that is not known.)
"""

from typing import Final

from firmware.alarms import NEVER_US, AlarmManager
from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.log_time import placed
from protocol.codes import Code
from protocol.messages import LogRecord

_US_PER_S: Final = 1_000_000


class StopWatch:
    """Runs from a stop to the next start, and raises STOPPED_TOO_LONG."""

    def __init__(self, config: DeviceConfig, alarms: AlarmManager) -> None:
        self._config = config
        self._alarms = alarms
        self.since_us: int | None = None
        """Since when the pump has stood, boot time, which may lie before the boot."""
        self.due_us = NEVER_US
        """When `service` has something to do."""

    def begin(self, since_us: int) -> None:
        """The pump stands; one that stood already has stood for longer."""
        if self.since_us is None:
            self.since_us = since_us
            self.due_us = since_us + self._config.stopped_medium_us

    def look_again(self) -> None:
        """The pump may have come back into service: an alarm that was kept back is due now."""
        if self.since_us is not None:
            self.due_us = self.since_us + self._config.stopped_medium_us

    def end(self) -> None:
        """The pump starts, or never will again."""
        self.since_us = None
        self.due_us = NEVER_US
        self._alarms.end(Code.STOPPED_TOO_LONG)

    def stood_s(self, now_us: int) -> int:
        """Return for how long it has stood; 0 while it does not."""
        return 0 if self.since_us is None else (now_us - self.since_us) // _US_PER_S

    def service(self, now_us: int) -> None:
        """Raise what is due."""
        if self.since_us is None or now_us < self.due_us:
            return
        high_us = self.since_us + self._config.stopped_high_us
        urgent = now_us >= high_us
        self._alarms.raise_(Code.STOPPED_TOO_LONG, urgent)
        self.due_us = NEVER_US if urgent else high_us


def stood_us(log: EventLog, now_us: int, wall_s: int) -> int | None:
    """Return for how long a pump has stood that boots and stands still; None: the log lacks it."""
    moved_s = 0
    for at_us, record in placed(log.newest_first()):
        if record.code is Code.CLOCK_SET:
            moved_s += record.a - record.b
        elif record.code is Code.STOPPED:
            by_clock_us = (wall_s - moved_s - record.wall_s) * _US_PER_S
            return record.b * _US_PER_S + max(now_us - at_us, by_clock_us)
        elif _starts(record):
            return None
    return None


def _starts(record: LogRecord) -> bool:
    """Return True for what starts a pump, or makes it stand by its program, which is said then."""
    at_once = record.code is Code.PROGRAM_COMMITTED and not record.b
    runs = record.code is Code.SCHEDULED_CHANGE and record.b
    return at_once or bool(runs) or record.code is Code.RESUMED
