"""DOSE_LIMIT: a running bolus was cut, because it would now pass the window; until that has room.

A bolus is judged before it begins, by every basal that is to come. Only what nobody could know then
makes it too much: a clock that is set into a higher step or over a scheduled change, or a program
that came in between. The alarm stands as long as what was cut off would still be too much, at most
one window: by then whatever was given before it has left the window.
"""

from typing import Final

from firmware.alarms import NEVER_US, AlarmManager
from firmware.bolus import Bolus
from firmware.checks import BolusPlan, Refused
from firmware.prescription import Stored
from firmware.window import Window
from protocol.codes import Code

_US_PER_S: Final = 1_000_000
_LOOK_US: Final = 60_000_000
"""So often it is looked at: far below any window."""


class DoseLimit:
    """Stands from the cut until the window has room."""

    def __init__(self, window: Window, alarms: AlarmManager) -> None:
        self._window = window
        self._alarms = alarms
        self._rest: BolusPlan | None = None
        self._until_us = 0
        self.due_us = NEVER_US
        """When `service` has something to do."""

    def begin(self, bolus: Bolus, window_s: int, now_us: int) -> None:
        """A bolus was cut."""
        strokes = bolus.total_strokes - bolus.given_strokes
        self._rest = BolusPlan(strokes, bolus.flow, max(0, bolus.end_us - now_us))
        self._until_us = now_us + window_s * _US_PER_S
        self.due_us = now_us + _LOOK_US
        self._alarms.raise_(Code.DOSE_LIMIT)

    def service(self, stored: Stored | None, now_us: int) -> None:
        """End it when what was cut off could be given."""
        if now_us < self.due_us:
            return
        self.due_us = now_us + _LOOK_US
        if stored is None or now_us >= self._until_us or self._fits(stored, now_us):
            self._rest = None
            self.due_us = NEVER_US
            self._alarms.end(Code.DOSE_LIMIT)

    def _fits(self, stored: Stored, now_us: int) -> bool:
        assert self._rest is not None
        try:
            self._window.check_dose(stored, self._rest, now_us)
        except Refused:
            return False
        return True
