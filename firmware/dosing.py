"""Boluses: begin, count, cut short, end.

Knows what is owed of a dose and what was confirmed of it, and says so in log and journal. It knows
neither mode nor basal nor alarms: the infusion asks it what flows of a dose now and until when, and
tells it what has happened.
"""

from dataclasses import replace

from firmware.alarms import NEVER_US
from firmware.bolus import Bolus
from firmware.checks import BolusPlan
from firmware.delivery import Delivery
from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.flow import ZERO, Flow
from firmware.journal import Journal, Txn
from protocol.codes import BolusKind, Code, TxnState


class Dosing:
    """The bolus that runs, or ran last."""

    def __init__(
        self, config: DeviceConfig, journal: Journal, log: EventLog, delivery: Delivery
    ) -> None:
        self._config = config
        self._journal = journal
        self._log = log
        self._delivery = delivery
        self.bolus: Bolus | None = None

    # --- what runs ------------------------------------------------------------------------------

    @property
    def current(self) -> Bolus | None:
        """The bolus that has been neither given nor settled."""
        bolus = self.bolus
        return bolus if bolus is not None and bolus.running else None

    @property
    def running(self) -> bool:
        """True until the bolus has been given or settled."""
        return self.bolus is not None and self.bolus.running

    @property
    def flow(self) -> Flow:
        """What flows of the bolus that runs."""
        bolus = self.bolus
        return bolus.flow if bolus is not None and bolus.running else ZERO

    @property
    def edge_us(self) -> int:
        """Until when strokes may be commanded for it; NEVER_US when there is none to be given."""
        bolus = self.bolus
        if bolus is None or not bolus.running or bolus.cut_short is not None:
            return NEVER_US
        return bolus.end_us

    @property
    def end_us(self) -> int:
        """When the bolus that runs is owed in full; NEVER_US while none runs."""
        bolus = self.bolus
        return bolus.end_us if bolus is not None and bolus.running else NEVER_US

    def given(self, now_us: int) -> Bolus | None:
        """Return the bolus that runs or ran last, counted up to now."""
        if self.bolus is not None:
            self.bolus.settle(self._delivery.accounted(), now_us)
        return self.bolus

    def left_strokes(self, now_us: int) -> int:
        """Return how many strokes it still has to give."""
        bolus = self.given(now_us)
        running = bolus is not None and bolus.running
        return bolus.total_strokes - bolus.given_strokes if bolus is not None and running else 0

    # --- what happens ---------------------------------------------------------------------------

    def begin(self, kind: BolusKind, txn: int, plan: BolusPlan, now_us: int) -> None:
        """Begin a bolus that was checked and committed."""
        bolus = self._new(kind, txn, plan, now_us)
        self._log.append(Code.BOLUS_STARTED, bolus.total_pl // 1000, kind)

    def refuse(self, kind: BolusKind, txn: int, plan: BolusPlan, why: Code, now_us: int) -> None:
        """A bolus was committed, but can begin no more: it ends with nothing given."""
        self._close(self._new(kind, txn, plan, now_us), TxnState.ENDED_EARLY, why)

    def missed(self, strokes: int) -> None:
        """So many strokes were commanded but not seen."""
        if self.bolus is not None:
            self.bolus.missed_strokes += strokes

    def cut(self, cause: Code) -> None:
        """End it early; it is settled when the stroke under way has ended."""
        bolus = self.bolus
        if bolus is not None and bolus.running:
            bolus.cut_short = bolus.cut_short or cause

    def settle(self, now_us: int) -> None:
        """The stroke under way has ended: count, and close what was cut short."""
        bolus = self.bolus
        if bolus is None or not bolus.running:
            return
        durable = self._journal.durable
        bolus.settle(durable.accounted, now_us)
        if bolus.cut_short is not None:
            self._close(bolus, TxnState.ENDED_EARLY, bolus.cut_short)
        elif (known := self._journal.txns.get(bolus.txn)) is not None:
            durable.txn = replace(known, given_strokes=bolus.given_strokes)

    def over(self, now_us: int) -> bool:
        """Return True when its whole volume was owed and commanded: `end` it."""
        edge_us = self.edge_us
        return now_us >= edge_us and self._delivery.finished(edge_us)

    def end(self) -> None:
        """It has run to its end: say what was given."""
        bolus = self.bolus
        assert bolus is not None
        bolus.settle(self._journal.durable.accounted, bolus.end_us)
        if not bolus.missed_strokes:
            # A stroke that was under way when it began may count on either side of that instant.
            bolus.given_strokes = bolus.total_strokes
        if bolus.given_strokes == bolus.total_strokes:
            self._close(bolus, TxnState.DONE, None)
        else:
            self._close(bolus, TxnState.ENDED_EARLY, Code.STALL)

    # --- inside ---------------------------------------------------------------------------------

    def _new(self, kind: BolusKind, txn: int, plan: BolusPlan, now_us: int) -> Bolus:
        self.bolus = Bolus(
            kind, txn, plan.strokes, self._config.stroke_pl, plan.flow, now_us,
            now_us + plan.duration_us, self._delivery.accounted(),
        )  # fmt: skip
        return self.bolus

    def _close(self, bolus: Bolus, state: TxnState, cause: Code | None) -> None:
        bolus.running = False
        given_nl = bolus.given_pl // 1000
        if cause is None:
            self._log.append(Code.BOLUS_DONE, given_nl)
        else:
            self._log.append(Code.BOLUS_ENDED_EARLY, given_nl, cause)
        known = self._journal.txns.get(bolus.txn, Txn(bolus.txn))
        self._journal.durable.txn = replace(
            known, state=state, cause=cause or 0, given_strokes=bolus.given_strokes
        )
