"""The infusion: basal, bolus, stop, stall and reservoir, tied to the mode.

Everything that starts, changes or ends delivery goes through here, so that mode, flow, alarms and
what is durable always agree.
"""

from dataclasses import replace
from typing import Final

from firmware.alarms import NEVER_US, AlarmManager
from firmware.bolus import Bolus
from firmware.checks import BolusPlan, program_flow
from firmware.delivery import Delivery
from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.flash_queue import Done
from firmware.flow import ZERO, Flow, per_hour, plus
from firmware.journal import Journal, Txn
from firmware.modes import PUMPING, Event, ModeMachine
from firmware.prescription import Stored
from firmware.reservoir import Reservoir
from firmware.stall import StallDetector
from hal.board import Board
from protocol.codes import BolusBasal, BolusKind, Code, Mode, ProgramKind, StopReason, TxnState

_FAULT_REASONS: Final = (StopReason.MOTOR_STALL,)
"""Stop reasons that hold the pump in safe state, over resets too."""


class Infusion:
    """Delivers what is prescribed."""

    def __init__(
        self,
        board: Board,
        config: DeviceConfig,
        journal: Journal,
        log: EventLog,
        alarms: AlarmManager,
    ) -> None:
        self._supply = board.supply
        self._config = config
        self._journal = journal
        self._log = log
        self._alarms = alarms
        self.delivery = Delivery(board.motor, board.encoder, journal, config)
        self.modes = ModeMachine()
        self.reservoir = Reservoir(config)
        self.stall = StallDetector(config)
        self.stored: Stored | None = None
        self.bolus: Bolus | None = None
        self.changed = True
        """True when `timer_us` may be another than it was."""
        self.stops = 0
        """How often delivery was to end, for whatever reason: a commit under way looks at it."""
        self._to_threshold = 0
        self._when_idle = False
        """True: when the motor has ended its stroke, settle what ended and make it durable."""

    # --- what is prescribed ---------------------------------------------------------------------

    @property
    def prescribed(self) -> Stored | None:
        """What is stored, if a therapy is in it and not only a fill."""
        return self.stored if self.stored is not None and self.stored.prescribed else None

    @property
    def program(self) -> ProgramKind:
        """The infusion mode prescribed."""
        return self.prescribed.therapy.program if self.prescribed else ProgramKind.STOPPED

    @property
    def bolus_running(self) -> bool:
        """True until the bolus has been given or settled."""
        return self.bolus is not None and self.bolus.running

    @property
    def timer_us(self) -> int:
        """When `service` has something to do of its own accord."""
        if self.bolus_running:
            assert self.bolus is not None
            return min(self.bolus.end_us, self.stall.due_us(bolus=True))
        if self.modes.mode in (Mode.BASAL, Mode.MINIMUM_RATE):
            return self.stall.flag_us()
        return NEVER_US

    @property
    def _basal_paused(self) -> bool:
        """True when a bolus takes the basal's place."""
        return self.stored is not None and self.stored.therapy.bolus_basal is BolusBasal.PAUSE

    def basal_flow(self) -> Flow:
        """Return what flows without a bolus, while the pump is not stopped."""
        if self._journal.durable.minimum_rate or self.prescribed is None:
            return per_hour(self._config.minimum_rate_pl_h)
        return program_flow(self.prescribed.therapy, self._config)

    def load(self, stored: Stored) -> None:
        """Take a stored prescription over without starting anything."""
        self.stored = stored
        self.reservoir.load(stored)
        self.judge_reservoir()

    # --- commands -------------------------------------------------------------------------------

    def deliver(self, now_us: int) -> None:
        """Deliver the basal: program committed, resume, boot."""
        self._supply.enable()
        if self.modes.mode not in PUMPING:
            self.stall.begin(now_us)
        self._journal.durable.stop_reason = StopReason.NONE
        if not self.reservoir.computed_pl(self.delivery.accounted()):
            self._alarms.raise_(Code.EMPTY_RESERVOIR)
            self.stop(StopReason.EMPTY_RESERVOIR, now_us)
            return
        if self.modes.mode is not Mode.STALLED:
            self._enter_basal()
        self.delivery.change(self.basal_flow(), now_us)

    def stop(self, reason: StopReason, now_us: int) -> None:
        """Finish the stroke and stop. Idempotent for the same reason."""
        self.stops += 1
        durable = self._journal.durable
        if self.modes.mode is Mode.STOPPED and durable.stop_reason is not StopReason.NONE:
            return
        self._cut_bolus(Code.STOPPED)
        # A pump that is told to stand still cannot be said to stall.
        self._alarms.end(Code.MOTOR_STALL)
        durable.stop_reason = reason
        self.modes.dispatch(Event.STOP)
        self._log.append(Code.STOPPED, reason)
        self._halt(now_us)

    def fail(self, reason: StopReason, now_us: int) -> None:
        """Give delivery up: supply cut, safe state."""
        self.stops += 1
        self._cut_bolus(Code.STOPPED)
        self._journal.durable.stop_reason = reason
        self.modes.dispatch(Event.FAULT)
        self._log.append(Code.STOPPED, reason)
        self._halt(now_us)

    def end_service(self, now_us: int) -> None:
        """Finish the stroke and end service for good."""
        if self.modes.mode is Mode.END_OF_SERVICE:
            return
        self.stops += 1
        self._alarms.raise_(Code.EOS)
        self._cut_bolus(Code.EOS)
        self._journal.durable.stop_reason = StopReason.EOS
        self.modes.dispatch(Event.END_SERVICE)
        self._halt(now_us)

    def fall_back(self, now_us: int) -> None:
        """Low battery: minimum rate until a clinician acts; the program is kept."""
        self._alarms.raise_(Code.LOW_BATTERY_RESET)
        self._journal.durable.minimum_rate = True
        self._cut_bolus(Code.LOW_BATTERY_RESET)
        if self.modes.mode in PUMPING:
            self.deliver(now_us)
        self._settle_when_idle(now_us)

    def start_bolus(self, kind: BolusKind, txn: int, plan: BolusPlan, now_us: int) -> None:
        """Begin a bolus that was checked and committed.

        It ends at once if the pump has stopped, or an alarm come, while its record was written.
        """
        self.bolus = Bolus(
            kind, txn, plan.strokes, self._config.stroke_pl, plan.flow, now_us,
            now_us + plan.duration_us, self.delivery.accounted(),
        )  # fmt: skip
        blocking = self._alarms.blocking()
        if blocking is not None or self.modes.mode not in (Mode.BASAL, Mode.MINIMUM_RATE):
            self._close_bolus(self.bolus, TxnState.ENDED_EARLY, blocking or Code.STOPPED)
            self.save()
            return
        self.modes.dispatch(Event.START_BOLUS)
        self._log.append(Code.BOLUS_STARTED, self.bolus.total_pl // 1000, kind)
        basal = ZERO if self._basal_paused else self.basal_flow()
        self.delivery.change(plus(basal, plan.flow), now_us)

    def resume_from_boot(self, now_us: int) -> None:
        """After self-test: go on as before the reset. A bolus never resumes by itself."""
        reason = self._journal.durable.stop_reason
        if reason in _FAULT_REASONS:
            self.modes.dispatch(Event.FAULT)
        elif reason is StopReason.NONE:
            self.deliver(now_us)
        else:
            self.modes.dispatch(Event.STOP)

    def without_prescription(self, program: ProgramKind, now_us: int) -> None:
        """No stored prescription can be trusted: the profile says what is safest then."""
        if program is ProgramKind.MINIMUM_RATE:
            self.deliver(now_us)
        else:
            self.stop(StopReason.MEMORY_ERROR, now_us)

    # --- events ---------------------------------------------------------------------------------

    def motor_done(self, now_us: int) -> None:
        """Take the end of a batch."""
        ended = self.delivery.motor_done()
        if ended is None:
            return
        commanded, moved, interval_us = ended
        if moved != commanded or self.stall.unconfirmed:
            self.changed = True
        self.stall.ended(commanded, moved, interval_us, now_us)
        if self.bolus is not None:
            self.bolus.missed_strokes += commanded - moved
        self._to_threshold -= moved
        if self._to_threshold <= 0:
            self._at_threshold(now_us)
        if self.bolus_running or self._when_idle:
            self._settle_bolus(now_us)
        if self.modes.mode is Mode.STALLED and moved:
            self._recovered()

    def service(self, now_us: int) -> None:
        """Do what is due: end a bolus, flag a stall, command strokes."""
        edge_us = within_us = NEVER_US
        most = self._to_threshold
        bolus = self.bolus
        if bolus is not None and bolus.running and bolus.cut_short is None:
            if now_us >= bolus.end_us and self.delivery.finished(bolus.end_us):
                self._end_bolus(bolus)
            else:
                # Short batches: a stall during a bolus is to be seen in strokes, not in minutes.
                edge_us, within_us = bolus.end_us, self._config.bolus_stall_us
                most = min(most, self._config.bolus_stall_strokes)
        if self.stall.unconfirmed:
            self._judge_stall(now_us)
            most = 1
        self.delivery.advance(now_us, edge_us, most, within_us)
        if self.delivery.failed and self.modes.mode in PUMPING:
            self._alarms.raise_(Code.MEMORY_ERROR)
            self.stop(StopReason.MEMORY_ERROR, now_us)

    def judge_reservoir(self) -> None:
        """Raise or end LOW and EMPTY by the computed volume."""
        accounted = self.delivery.accounted()
        computed_pl = self.reservoir.computed_pl(accounted)
        for code, level_pl in (
            (Code.LOW_RESERVOIR, self.reservoir.low_pl),
            (Code.EMPTY_RESERVOIR, 0),
        ):
            if computed_pl <= level_pl:
                self._alarms.raise_(code)
            else:
                self._alarms.end(code)
        self._to_threshold = self.reservoir.strokes_to_threshold(accounted)

    def low_at_us(self, now_us: int) -> int | None:
        """Return when (boot time) the low-reservoir volume will be reached.

        None while nothing flows, or when it has been reached. Exact; while a bolus runs, which is
        taken to be given in full, to two strokes of the basal.
        """
        strokes = self.reservoir.strokes_to(self.reservoir.low_pl, self._journal.durable.accounted)
        if not strokes or not self.delivery.flow.numerator:
            return None
        bolus = self.bolus
        if bolus is None or not bolus.running:
            return self.delivery.due_us(strokes)
        basal = self.basal_flow()
        accounted = self.delivery.accounted()
        bolus.settle(accounted, now_us)
        strokes = self.reservoir.strokes_to(self.reservoir.low_pl, accounted)
        left_pl = (strokes - bolus.total_strokes + bolus.given_strokes) * bolus.stroke_pl
        from_us = bolus.end_us if self._basal_paused else now_us
        return from_us + max(0, left_pl) * basal.denominator // basal.numerator

    # --- inside ---------------------------------------------------------------------------------

    def _enter_basal(self) -> None:
        minimum = self._journal.durable.minimum_rate or self.program is not (
            ProgramKind.SIMPLE_CONTINUOUS
        )
        self.modes.dispatch(Event.DELIVER_MINIMUM if minimum else Event.DELIVER_BASAL)

    def _at_threshold(self, now_us: int) -> None:
        self.judge_reservoir()
        empty = not self.reservoir.computed_pl(self._journal.durable.accounted)
        if empty and self.modes.mode in PUMPING:
            self.stop(StopReason.EMPTY_RESERVOIR, now_us)

    def _halt(self, now_us: int) -> None:
        self.delivery.change(ZERO, now_us)
        self._settle_when_idle(now_us)

    def _settle_when_idle(self, now_us: int) -> None:
        self._when_idle = True
        if self.delivery.idle:
            self._settle_bolus(now_us)

    def _settle_bolus(self, now_us: int) -> None:
        """The stroke under way has ended: count the bolus, and finish what was cut short."""
        bolus = self.bolus
        durable = self._journal.durable
        if bolus is not None and bolus.running:
            bolus.settle(durable.accounted, now_us)
            if bolus.cut_short is not None:
                self._close_bolus(bolus, TxnState.ENDED_EARLY, bolus.cut_short)
            elif (known := self._journal.txns.get(bolus.txn)) is not None:
                durable.txn = replace(known, given_strokes=bolus.given_strokes)
        if self._when_idle and self.delivery.idle:
            self._when_idle = False
            if self.modes.mode in (Mode.SAFE_STATE, Mode.END_OF_SERVICE):
                self._supply.cut()
            self.save()

    def _cut_bolus(self, cause: Code) -> None:
        if self.bolus_running:
            assert self.bolus is not None
            self.bolus.cut_short = self.bolus.cut_short or cause

    def _end_bolus(self, bolus: Bolus) -> None:
        """Its whole volume was owed and commanded: back to the basal from that very instant."""
        self.changed = True
        bolus.settle(self._journal.durable.accounted, bolus.end_us)
        self._enter_basal()
        self.delivery.change(self.basal_flow(), bolus.end_us)
        if not bolus.missed_strokes and bolus.given_strokes == bolus.total_strokes - 1:
            # A stroke that was under way when it began may count on either side of that instant.
            bolus.given_strokes = bolus.total_strokes
        if bolus.given_strokes == bolus.total_strokes:
            self._close_bolus(bolus, TxnState.DONE, None)
        else:
            # Strokes that did not move the rotor, or that a controller came too late for.
            cause = Code.STALL if bolus.missed_strokes else Code.STOPPED
            self._close_bolus(bolus, TxnState.ENDED_EARLY, cause)
        self.save()

    def _close_bolus(self, bolus: Bolus, state: TxnState, cause: Code | None) -> None:
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

    def _judge_stall(self, now_us: int) -> None:
        mode = self.modes.mode
        if mode is Mode.STALLED:
            if self.stall.given_up(now_us):
                self.fail(StopReason.MOTOR_STALL, now_us)
        elif mode in PUMPING and self.stall.stalled(self.bolus_running, now_us):
            self._log.append(Code.STALL, self.stall.unconfirmed)
            self._alarms.raise_(Code.MOTOR_STALL)
            self._cut_bolus(Code.MOTOR_STALL)
            self.modes.dispatch(Event.STALL)
            self.delivery.change(self.basal_flow(), now_us)
            self._settle_when_idle(now_us)

    def _recovered(self) -> None:
        self._log.append(Code.STALL_RECOVERED)
        self._alarms.end(Code.MOTOR_STALL)
        self._enter_basal()
        self.save()

    def save(self, done: Done | None = None) -> None:
        """Make the present state durable; `done` hears when it is, or that it cannot be."""
        self._journal.durable.alarms = self._alarms.latched_bits()
        self._journal.write(done)
