"""The alarms of the reservoir: low, empty, a sensor that disagrees, a drug that is out of date.

Volumes are judged where a threshold may have been passed, which the strokes tell; a level sensor is
looked at each hour besides, and the stability date by the wall clock. A board without a sensor and
a drug without a date have no timer here.
"""

from typing import Final

from firmware.alarms import NEVER_US, AlarmManager
from firmware.flow import HOUR_US
from firmware.level import Level
from firmware.reservoir import Reservoir
from hal.board import Board
from protocol.codes import Code

READING_US: Final = HOUR_US
"""A level sensor is read this often; our own default. A leak is seen within it."""
_SECOND_US: Final = 1_000_000


class ReservoirWatch:
    """Raises and ends the alarms of one reservoir."""

    def __init__(
        self, board: Board, reservoir: Reservoir, level: Level, alarms: AlarmManager
    ) -> None:
        self._rtc = board.rtc
        self._reservoir = reservoir
        self._level = level
        self._alarms = alarms
        self.timer_us = NEVER_US
        """When to judge next of its own accord."""

    def judge(self, now_us: int, accounted: int, anew: bool = False) -> None:
        """Judge volumes and date; `anew`: by another record, or clock, than before."""
        self._level.read(accounted, anew)
        self._say(Code.SENSOR_DISAGREE, self._level.disputed)
        for code, level_pl in ((Code.LOW_RESERVOIR, self._reservoir.low_pl),
                               (Code.EMPTY_RESERVOIR, 0)):  # fmt: skip
            self._say(code, self._reached(code, level_pl, accounted, anew))
        self.timer_us = min(
            now_us + READING_US if self._level.present else NEVER_US, self._judge_date(now_us)
        )

    def end(self) -> None:
        """Judge nothing any more of its own accord."""
        self.timer_us = NEVER_US

    def _reached(self, code: Code, level_pl: int, accounted: int, anew: bool) -> bool:
        """Is either volume at or below the level? What a reading raised, it must clearly end."""
        if self._reservoir.computed_pl(accounted) <= level_pl:
            return True
        sensed_pl = self._level.sensed_pl(accounted)
        standing = self._alarms.standing.get(code)
        held = standing is not None and standing.active and not anew
        margin_pl = self._level.hysteresis_pl if held else 0
        return sensed_pl is not None and sensed_pl <= level_pl + margin_pl

    def _judge_date(self, now_us: int) -> int:
        """Judge the stability date; return when it will have passed."""
        until_s = self._reservoir.stability_wall_s()
        left_s = None if until_s is None else until_s - self._rtc.now_s()
        self._say(Code.REFILL_OVERDUE, left_s is not None and left_s <= 0)
        return now_us + left_s * _SECOND_US if left_s is not None and left_s > 0 else NEVER_US

    def _say(self, code: Code, holds: bool) -> None:
        if holds:
            self._alarms.raise_(code)
        else:
            self._alarms.end(code)
