"""Does the rotor follow? Commanded strokes against what the encoder saw.

A basal stall is a number of commanded strokes in a row unconfirmed and a time since the last
confirmed one; a bolus stall is the first of a number of unconfirmed strokes and a time after the
first of them. The numbers are the profile's. Of a batch that moved only in part, the last strokes
are taken to be the missing ones.
"""

from firmware.alarms import NEVER_US
from firmware.device import DeviceConfig


class StallDetector:
    """Judges each ended batch."""

    __slots__ = (
        "_config", "_first_missed_us", "_last_missed_us", "last_confirmed_us", "unconfirmed",
    )  # fmt: skip

    def __init__(self, config: DeviceConfig) -> None:
        self._config = config
        self.unconfirmed = 0
        """Commanded strokes in a row that did not move the rotor."""
        self.last_confirmed_us = 0
        self._first_missed_us = 0
        self._last_missed_us = 0

    def begin(self, now_us: int) -> None:
        """Delivery starts: nothing is missed yet."""
        self.unconfirmed = 0
        self.last_confirmed_us = now_us

    def ended(self, commanded: int, moved: int, interval_us: int, now_us: int) -> None:
        """Take a batch that ended now; one stopped before its first stroke says nothing."""
        if not commanded:
            return
        missing = commanded - moved
        self._last_missed_us = now_us
        if missing <= 0:
            self.unconfirmed = 0
            self.last_confirmed_us = now_us
        elif moved:
            self.unconfirmed = missing
            self.last_confirmed_us = now_us - missing * interval_us
            self._first_missed_us = self.last_confirmed_us + interval_us
        else:
            if not self.unconfirmed:
                self._first_missed_us = now_us - (missing - 1) * interval_us
            self.unconfirmed += missing

    def stalled(self, bolus: bool, now_us: int) -> bool:
        """Return True when the rotor is held to be stalled."""
        config = self._config
        if bolus:
            return self.unconfirmed >= config.bolus_stall_strokes or now_us >= self.due_us(bolus)
        return self.unconfirmed >= config.stall_strokes and now_us >= self.due_us(bolus)

    def due_us(self, bolus: bool) -> int:
        """Return when the time criterion will be met; NEVER_US while nothing is missed."""
        if not self.unconfirmed:
            return NEVER_US
        if bolus:
            return self._first_missed_us + self._config.bolus_stall_us
        return self.last_confirmed_us + self._config.stall_us

    def flag_us(self) -> int:
        """Return when a basal stall is to be flagged; NEVER_US until so many strokes are missed.

        The stroke that completes the number wakes the controller anyway.
        """
        enough = self.unconfirmed >= self._config.stall_strokes
        return self.due_us(bolus=False) if enough else NEVER_US

    def given_up(self) -> bool:
        """Return True when strokes have moved nothing for so long that delivery is given up.

        Time in which no stroke was due says nothing of the rotor.
        """
        return self._last_missed_us - self.last_confirmed_us >= self._config.stall_limit_us
