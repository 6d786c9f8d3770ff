"""The bridge: a rate in the basal's place, until the path is free of the old concentration.

What a bridge owes is a volume of the path, so every stroke that leaves the pump counts, and nothing
else does: a stop, a stall or a reset only moves its end. Its record is part of the prescription; it
is over when its transaction is, or when nothing is owed any more. Undisturbed it ends at the very
microsecond at which its volume is owed; after a disturbance what it still owes is counted in whole
strokes anew.
"""

from dataclasses import replace

from firmware.alarms import NEVER_US
from firmware.delivery import Delivery
from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.flow import Flow
from firmware.journal import Journal, Txn
from firmware.path import NO_BRIDGE, Bridge, time_us
from firmware.prescription import Stored
from protocol.codes import BolusKind, Code, TxnState

_OVER = (TxnState.DONE, TxnState.ENDED_EARLY)


def bridge_under_way(stored: Stored | None, journal: Journal) -> Bridge:
    """Return the bridge that is committed and not over, by what is durable; NO_BRIDGE: none."""
    if stored is None:
        return NO_BRIDGE
    known = journal.txns.get(stored.bridge.txn)
    return NO_BRIDGE if known is not None and known.state in _OVER else stored.bridge


class Bridging:
    """The bridge that is owed, or the last one."""

    def __init__(
        self, config: DeviceConfig, journal: Journal, log: EventLog, delivery: Delivery
    ) -> None:
        self._stroke_pl = config.stroke_pl
        self._journal = journal
        self._log = log
        self._delivery = delivery
        self._bridge: Bridge = NO_BRIDGE
        self.owed = False
        """True from its commit until it is over."""
        self.end_us = NEVER_US
        """When its whole volume is owed; NEVER_US while that cannot be said."""

    # --- what is to be seen ---------------------------------------------------------------------

    @property
    def flow(self) -> Flow:
        """Its rate."""
        return self._bridge.flow

    @property
    def txn(self) -> int:
        """Its transaction; 0: there never was one."""
        return self._bridge.txn

    @property
    def total_strokes(self) -> int:
        """Whole strokes of what it owes in all."""
        return self._bridge.volume_pl // self._stroke_pl

    @property
    def given_strokes(self) -> int:
        """Strokes accounted for since its commit, or until its end."""
        if not self.owed:
            known = self._journal.txns.get(self._bridge.txn)
            return known.given_strokes if known is not None else 0
        return min(self.total_strokes, self._delivery.accounted() - self._bridge.accounted)

    @property
    def given_pl(self) -> int:
        """Volume accounted for, in whole strokes."""
        return self.given_strokes * self._stroke_pl

    @property
    def total_pl(self) -> int:
        """Whole strokes of what it owes in all."""
        return self.total_strokes * self._stroke_pl

    def left_pl(self) -> int:
        """Return what it still owes, from the strokes accounted for."""
        return self._bridge.owed_pl(self._delivery.accounted(), self._stroke_pl)

    def over(self, now_us: int) -> bool:
        """Return True when its whole volume was owed and commanded: `end` it."""
        return now_us >= self.end_us and self._delivery.finished(self.end_us)

    # --- what happens ---------------------------------------------------------------------------

    def load(self, stored: Stored) -> None:
        """Take over what is stored: a bridge that is not over is owed."""
        self.owed = bool(bridge_under_way(stored, self._journal).txn)
        self._bridge = stored.bridge
        self.end_us = NEVER_US

    def begin(self) -> None:
        """It was committed just now."""
        self._log.append(Code.BOLUS_STARTED, self.total_pl // 1000, BolusKind.BRIDGE)

    def go_on(self, now_us: int) -> bool:
        """Deliver from now on what it still owes; False, and it is over, when that is nothing."""
        left_pl = self.left_pl()
        if not left_pl:
            self.close(None)
            return False
        self.end_us = now_us + time_us(left_pl, self.flow)
        return True

    def hold(self) -> None:
        """Nothing is delivered, or nobody knows what: its end cannot be said."""
        self.end_us = NEVER_US

    def note(self) -> None:
        """Let the next record tell what was given: a program that voids it may be interrupted."""
        known = self._journal.txns.get(self.txn)
        if self.owed and known is not None:
            self._journal.durable.txn = replace(known, given_strokes=self.given_strokes)

    def end(self, now_us: int) -> bool:
        """The time of its volume is over; False, and it goes on, when strokes of it are missing."""
        if self.left_pl() >= self._stroke_pl:
            return not self.go_on(now_us)
        self.close(None)
        return True

    def close(self, cause: Code | None) -> None:
        """It is over: given (`cause` None), or ended early for good. Say what was given."""
        if not self.owed:
            return
        given = self.given_strokes
        self.owed = False
        self.hold()
        given_nl = given * self._stroke_pl // 1000
        if cause is None:
            self._log.append(Code.BOLUS_DONE, given_nl)
        else:
            self._log.append(Code.BOLUS_ENDED_EARLY, given_nl, cause)
        known = self._journal.txns.get(self.txn, Txn(self.txn, total_strokes=self.total_strokes))
        self._journal.durable.txn = replace(
            known,
            state=TxnState.DONE if cause is None else TxnState.ENDED_EARLY,
            cause=cause or 0,
            given_strokes=given,
        )
