"""The boluses of a periodic program: when the next one is due, and whether it may be given.

The cadence is monotonic and goes on from its instants whatever happens to a single bolus: one that
ends early, or may not begin, is not made up for. After a reset the instant of the last one that was
begun is known from the log, by the wall clock, so that none is given twice.
"""

from typing import Final

from firmware.alarms import NEVER_US
from firmware.bolus import bolus_flow
from firmware.checks import BolusPlan, Refused, check_reserve
from firmware.device import DeviceConfig
from firmware.doses import DoseHistory
from firmware.prescription import Stored
from firmware.program import periodic_dose
from firmware.schedule import Schedule
from firmware.window import Window
from protocol.errors import ErrorCode

_INEXACT_US: Final = 2_000_000
"""Log and prescription hold whole seconds of the wall clock."""


class PeriodicBoluses:
    """Aims at the next periodic bolus."""

    def __init__(
        self, config: DeviceConfig, schedule: Schedule, doses: DoseHistory, window: Window
    ) -> None:
        self._config = config
        self._schedule = schedule
        self._doses = doses
        self._window = window
        self.due_us = NEVER_US
        """When the next one is to begin."""

    def load(self, now_us: int, begin: bool) -> None:
        """Another prescription counts; `begin`: its program begins now."""
        cadence = self._schedule.cadence
        if cadence is None:
            self.due_us = NEVER_US
        elif begin:
            self.due_us = cadence.next_us(now_us)

    def recover(self, now_us: int) -> None:
        """Aim after a boot: at the first instant that is not the one begun last.

        One that began before the cadence did was of the program before, and keeps nothing back.
        """
        cadence, last_s = self._schedule.cadence, self._doses.periodic_wall_s
        if cadence is None:
            return
        from_us = now_us
        if last_s is not None:
            last_us = self._schedule.wall.boot_us(last_s)
            if last_us >= cadence.first_us - _INEXACT_US:
                from_us = max(now_us, last_us + cadence.every_us // 2)
        self.due_us = cadence.next_us(from_us)

    def take(self, now_us: int) -> int:
        """Return the instant that has come, and aim at the next one."""
        at_us = self.due_us
        cadence = self._schedule.cadence
        assert cadence is not None
        self.due_us = cadence.next_us(max(at_us + 1, now_us))
        return at_us

    def end(self) -> None:
        """Aim at nothing any more."""
        self.due_us = NEVER_US

    def plan(
        self, stored: Stored, reservoir_pl: int, at_us: int, able: bool, busy: bool
    ) -> BolusPlan:
        """Return the bolus that is due. Raises Refused with what forbids it.

        `able`: mode and alarms allow a bolus; `busy`: another dose runs.
        """
        if not able:
            raise Refused(ErrorCode.STATE)
        if busy:
            raise Refused(ErrorCode.BUSY_DELIVERING)
        stroke_pl = self._config.stroke_pl
        strokes, over_us = periodic_dose(stored.therapy, self._config)
        plan = BolusPlan(strokes, bolus_flow(strokes, stroke_pl, over_us), over_us)
        self._window.check_dose(stored, plan, at_us)
        check_reserve(strokes * stroke_pl, stored.therapy, reservoir_pl)
        return plan
