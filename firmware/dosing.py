"""Boluses: begin, count, cut short, end.

Knows what is owed of a dose and what was confirmed of it, and says so in log and journal. It knows
neither mode nor basal nor alarms: the infusion asks it what flows of a dose now and until when, and
tells it what has happened.

One bolus at a time. Only a long single bolus gives way: while a patient bolus runs it is suspended,
and then goes on from the very part of a stroke it was at.
"""

from dataclasses import replace

from firmware.alarms import NEVER_US
from firmware.bolus import Bolus
from firmware.checks import BolusPlan
from firmware.delivery import Delivery
from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.flow import ZERO, Flow
from firmware.journal import OWN_TXN, Journal, Txn
from protocol.codes import BolusKind, Code, TxnOp, TxnState
from protocol.errors import ErrorCode


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
        self.suspended: Bolus | None = None
        """What goes on when the bolus that runs is over."""
        self._suspended_us = self._suspended_accounted = 0

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
    def _flowing(self) -> Bolus | None:
        """The bolus that is still to be given."""
        bolus = self.current
        return None if bolus is None or bolus.cut_short is not None else bolus

    @property
    def flow(self) -> Flow:
        """What flows of the bolus that runs; nothing of one that is cut short, settled or not."""
        bolus = self._flowing
        return ZERO if bolus is None else bolus.flow

    @property
    def edge_us(self) -> int:
        """Until when strokes may be commanded for it; NEVER_US when there is none to be given."""
        bolus = self._flowing
        return NEVER_US if bolus is None else bolus.end_us

    @property
    def end_us(self) -> int:
        """When the bolus that runs is owed in full; NEVER_US while none runs."""
        bolus = self.bolus
        return bolus.end_us if bolus is not None and bolus.running else NEVER_US

    @property
    def last_us(self) -> int:
        """When the suspended one will be owed in full as well; NEVER_US while none runs."""
        waits = self.suspended
        return self.end_us if waits is None else self.end_us + waits.end_us - self._suspended_us

    @property
    def gives_way(self) -> bool:
        """True if what runs may be suspended by a patient bolus."""
        bolus = self.current
        return bolus is not None and self.suspended is None and bolus.gives_way

    @property
    def pauses_basal(self) -> bool:
        """True while a bolus takes the basal's place."""
        bolus = self._flowing
        return bolus is not None and bolus.pauses_basal

    def find(self, txn: int, now_us: int) -> Bolus | None:
        """Return the bolus of a transaction, counted up to now, if it is still known here."""
        for bolus in (self.given(now_us), self.suspended):
            if bolus is not None and bolus.txn == txn:
                return bolus
        return None

    def given(self, now_us: int) -> Bolus | None:
        """Return the bolus that runs or ran last, counted up to now."""
        if self.bolus is not None:
            self.bolus.settle(self._delivery.accounted(), now_us)
        return self.bolus

    def left_strokes(self, now_us: int) -> int:
        """Return how many strokes are still to be given, of a suspended one as well."""
        self.given(now_us)
        return sum(
            bolus.total_strokes - bolus.given_strokes
            for bolus in (self.current, self.suspended)
            if bolus is not None
        )

    # --- what happens ---------------------------------------------------------------------------

    def begin(self, kind: BolusKind, txn: int, plan: BolusPlan, pauses: bool, now_us: int) -> None:
        """Begin a bolus that was checked and committed, or that is the pump's own.

        What runs already is suspended: the check has found that it gives way.
        """
        if self.running:
            self._suspend(now_us)
        bolus = self.bolus = self._new(kind, txn, plan, now_us)
        bolus.pauses_basal = pauses
        self._log.append(Code.BOLUS_STARTED, bolus.total_pl // 1000, kind)
        if txn == OWN_TXN:
            self._journal.durable.txn = Txn(
                txn, TxnOp.BOLUS, TxnState.DELIVERING, total_strokes=plan.strokes, kind=kind
            )
            self._journal.write()

    def refuse(self, kind: BolusKind, txn: int, plan: BolusPlan, why: Code, now_us: int) -> None:
        """A bolus was committed, but can begin no more: it ends with nothing given.

        It is logged as refused: it has not begun, and one that runs has not ended.
        """
        bolus = self._new(kind, txn, plan, now_us)
        bolus.running = False
        self._log.append(Code.BOLUS_REFUSED, ErrorCode.STATE)
        self._record(bolus, TxnState.ENDED_EARLY, why)
        if not self.running:
            self.bolus = bolus

    def note(self, now_us: int) -> None:
        """Make durable what was given so far: the next record will tell of something else."""
        bolus = self.given(now_us)
        if bolus is not None and bolus.running:
            self._note(bolus)
            self._journal.write()

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
        bolus.settle(self._journal.durable.accounted, now_us)
        cause = bolus.cut_short
        if cause is None:
            self._note(bolus)
            return
        self._close(bolus, TxnState.ENDED_EARLY, cause)
        if self.suspended is not None:
            self._journal.write()
            suspended, self.suspended = self.suspended, None
            self._close(suspended, TxnState.ENDED_EARLY, cause)

    def over(self, now_us: int) -> bool:
        """Return True when its whole volume was owed and commanded: `end` it."""
        edge_us = self.edge_us
        return now_us >= edge_us and self._delivery.finished(edge_us)

    def end(self) -> None:
        """It has run to its end: say what was given, and go on with what it suspended."""
        bolus = self.bolus
        assert bolus is not None
        bolus.settle(self._journal.durable.accounted, bolus.end_us)
        if not bolus.missed_strokes and bolus.given_strokes == bolus.total_strokes - 1:
            # A stroke that was under way when it began may count on either side of that instant.
            bolus.given_strokes = bolus.total_strokes
        if bolus.given_strokes == bolus.total_strokes:
            self._close(bolus, TxnState.DONE, None)
        else:
            # Strokes that did not move the rotor, or that a controller came too late for.
            cause = Code.STALL if bolus.missed_strokes else Code.STOPPED
            self._close(bolus, TxnState.ENDED_EARLY, cause)
        if self.suspended is not None:
            self._journal.write()
            self._resume(bolus.end_us)

    # --- inside ---------------------------------------------------------------------------------

    def _suspend(self, now_us: int) -> None:
        bolus = self.given(now_us)
        assert bolus is not None
        self.suspended = bolus
        self._suspended_us = now_us
        self._suspended_accounted = self._delivery.accounted()
        # Its record first: after a reset what was given since belongs to the newest dose.
        newest = self._journal.durable.txn
        self._note(bolus)
        self._journal.write()
        self._journal.durable.txn = newest
        self._journal.write()

    def _resume(self, now_us: int) -> None:
        bolus = self.bolus = self.suspended
        self.suspended = None
        assert bolus is not None
        strokes = self._journal.durable.accounted - self._suspended_accounted
        bolus.shift(now_us - self._suspended_us, strokes)
        self._note(bolus)

    def _new(self, kind: BolusKind, txn: int, plan: BolusPlan, now_us: int) -> Bolus:
        return Bolus(
            kind, txn, plan.strokes, self._config.stroke_pl, plan.flow, now_us,
            now_us + plan.duration_us, self._delivery.accounted(),
        )  # fmt: skip

    def _note(self, bolus: Bolus) -> None:
        """Let the next record tell how far it is."""
        known = self._journal.txns.get(bolus.txn)
        if known is not None:
            self._journal.durable.txn = replace(known, given_strokes=bolus.given_strokes)

    def _close(self, bolus: Bolus, state: TxnState, cause: Code | None) -> None:
        bolus.running = False
        given_nl = bolus.given_pl // 1000
        if cause is None:
            self._log.append(Code.BOLUS_DONE, given_nl)
        else:
            self._log.append(Code.BOLUS_ENDED_EARLY, given_nl, cause)
        self._record(bolus, state, cause)

    def _record(self, bolus: Bolus, state: TxnState, cause: Code | None) -> None:
        known = self._journal.txns.get(bolus.txn, Txn(bolus.txn))
        self._journal.durable.txn = replace(
            known, state=state, cause=cause or 0, given_strokes=bolus.given_strokes
        )
