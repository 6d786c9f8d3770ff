"""The infusion: basal, bolus, stop, stall and reservoir, tied to the mode.

Everything that starts, changes or ends delivery goes through here, so that mode, flow, alarms and
what is durable always agree.
"""

from dataclasses import replace
from typing import Final

from firmware.alarms import NEVER_US, AlarmManager
from firmware.bolus import pauses_basal
from firmware.checks import BolusPlan, Refused
from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.flash_queue import Done
from firmware.flow import ZERO
from firmware.journal import OWN_TXN, Journal
from firmware.modes import PUMPING, Event
from firmware.prescription import Stored, taken_over
from firmware.regimen import Regimen
from firmware.reservoir_watch import ReservoirWatch
from firmware.stall import StallDetector
from hal.board import Board
from protocol.codes import BolusKind, Code, Mode, ProgramKind, StopReason

_FAULT_REASONS: Final = (StopReason.MOTOR_STALL,)
"""Stop reasons that hold the pump in safe state, over resets too."""
_PROGRAM_REASONS: Final = (StopReason.NO_PROGRAM, StopReason.COMMANDED)
"""Stop reasons of a pump that stands because its program says so."""
_STARTS: Final = {
    BolusKind.PRIME: Event.START_PRIME,
    BolusKind.PRIME_CATHETER: Event.START_PRIME,
}
"""Kinds of bolus that have a mode of their own."""
_BOLUS_FROM: Final = (Mode.BASAL, Mode.MINIMUM_RATE)


class Infusion(Regimen):
    """Delivers what is prescribed."""

    def __init__(
        self,
        board: Board,
        config: DeviceConfig,
        journal: Journal,
        log: EventLog,
        alarms: AlarmManager,
    ) -> None:
        super().__init__(board, config, journal, log)
        self._supply = board.supply
        self._alarms = alarms
        self.watch = ReservoirWatch(board, self.reservoir, self.level, alarms)
        self.stall = StallDetector(config)
        self.changed = True
        """True when `timer_us` may be another than it was."""
        self.stops = 0
        """How often delivery was to end, for whatever reason: a commit under way looks at it."""
        self.taken_over = False
        """True when a scheduled change is in force and not durable yet."""
        self._to_threshold = 0
        self._when_idle = False
        """True: when the motor has ended its stroke, settle what ended and make it durable."""

    @property
    def timer_us(self) -> int:
        """When `service` has something to do of its own accord."""
        clock_us = min(self.schedule.timer_us, self.periodic.due_us, self.watch.timer_us)
        if self.dosing.running:
            return min(clock_us, self.dosing.end_us, self.stall.due_us(bolus=True))
        if self.modes.mode is Mode.BRIDGE:
            return min(clock_us, self.bridging.end_us, self.stall.flag_us())
        if self.modes.mode in (Mode.BASAL, Mode.MINIMUM_RATE):
            return min(clock_us, self.stall.flag_us())
        return clock_us

    def load(self, stored: Stored, begin: bool = False) -> None:
        """Take a stored prescription over; `begin`: its program begins now. It starts nothing."""
        super().load(stored, begin)
        self.taken_over = False
        self._alarms.rest(self.out_of_service)
        self.judge_reservoir()

    # --- commands -------------------------------------------------------------------------------

    def deliver(self, now_us: int) -> None:
        """Deliver the basal: program committed, resume, boot."""
        self._supply.enable()
        if self.modes.mode not in PUMPING:
            self.stall.begin(now_us)
        self._journal.durable.stop_reason = StopReason.NONE
        if not self.level.usable_pl(self.delivery.accounted()):
            self._alarms.raise_(Code.EMPTY_RESERVOIR)
            self.stop(StopReason.EMPTY_RESERVOIR, now_us)
            return
        if self.modes.mode is not Mode.STALLED:
            self._enter_basal(now_us)
        self.delivery.change(self.basal_flow(), now_us)

    def stop(self, reason: StopReason, now_us: int) -> None:
        """Finish the stroke and stop. What stands already goes on standing for its own reason."""
        self.stops += 1
        durable = self._journal.durable
        if self.modes.mode not in PUMPING and durable.stop_reason is not StopReason.NONE:
            return
        self.dosing.cut(Code.STOPPED)
        self.bridging.hold()
        # A pump that is told to stand still cannot be said to stall.
        self._alarms.end(Code.MOTOR_STALL)
        durable.stop_reason = reason
        self.modes.dispatch(Event.STOP)
        self._log.append(Code.STOPPED, reason)
        self._halt(now_us)

    def fail(self, reason: StopReason, now_us: int) -> None:
        """Give delivery up: supply cut, safe state."""
        self.stops += 1
        self.dosing.cut(Code.STOPPED)
        self.bridging.close(Code.STOPPED)
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
        self.dosing.cut(Code.EOS)
        self.bridging.close(Code.EOS)
        self.schedule.end()
        self.periodic.end()
        self.watch.end()
        self._journal.durable.stop_reason = StopReason.EOS
        self.modes.dispatch(Event.END_SERVICE)
        self._halt(now_us)

    def fall_back(self, now_us: int) -> None:
        """Low battery: minimum rate until a clinician acts; the program is kept."""
        self._alarms.raise_(Code.LOW_BATTERY_RESET)
        self._journal.durable.minimum_rate = True
        self.dosing.cut(Code.LOW_BATTERY_RESET)
        if self.modes.mode in PUMPING:
            self.deliver(now_us)
        self._settle_when_idle(now_us)

    def start_bolus(self, kind: BolusKind, txn: int, plan: BolusPlan, now_us: int) -> None:
        """Begin a bolus that was checked and committed.

        It ends at once if the pump has stopped, or an alarm come, while its record was written.
        """
        blocking = self._alarms.blocking()
        suspends = kind is BolusKind.PATIENT and self.dosing.gives_way
        if blocking is not None or not (suspends or self.modes.mode in _BOLUS_FROM):
            self.dosing.refuse(kind, txn, plan, blocking or Code.STOPPED, now_us)
            self.save()
            return
        self._begin_bolus(kind, txn, plan, now_us)

    def _begin_bolus(self, kind: BolusKind, txn: int, plan: BolusPlan, now_us: int) -> None:
        assert self.stored is not None
        if not self.dosing.running:
            self.modes.dispatch(_STARTS.get(kind, Event.START_BOLUS))
        pauses = pauses_basal(kind, self.stored.therapy.bolus_basal)
        self.dosing.begin(kind, txn, plan, pauses, now_us)
        self.delivery.change(self.flow(), now_us)

    def start_bridge(self, stored: Stored, now_us: int) -> None:
        """Begin a bridge that was committed; a stopped pump owes it until it resumes."""
        self.load(stored)
        self.dosing.bolus = None
        self.bridging.begin()
        if self.modes.mode in PUMPING:
            self.deliver(now_us)
        self.save()

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
        self.dosing.missed(commanded - moved)
        self._to_threshold -= moved
        if self._to_threshold <= 0:
            self.look_at_reservoir(now_us)
        if self.dosing.running or self._when_idle:
            self._settle(now_us)
        if self.modes.mode is Mode.STALLED and moved:
            self._recovered(now_us)

    def service(self, now_us: int) -> None:
        """Do what is due: end a bolus, flag a stall, command strokes. Runs at every wake."""
        if now_us >= self.schedule.timer_us:
            self._by_the_clock(now_us)
        edge_us = self.dosing.edge_us
        if now_us >= edge_us and self.dosing.over(now_us):
            self._end_bolus()
            edge_us = self.dosing.edge_us
        if now_us >= self.bridging.end_us and self.bridging.over(now_us):
            self._end_bridge(now_us)
        if self.periodic.due_us <= now_us < edge_us:
            self._begin_periodic(now_us)
            edge_us = self.dosing.edge_us
        most, within_us = self._to_threshold, NEVER_US
        if edge_us != NEVER_US:
            # Short batches: a stall during a bolus is to be seen in strokes, not in minutes.
            within_us = self._config.bolus_stall_us
            most = min(most, self._config.bolus_stall_strokes)
        if self.stall.unconfirmed:
            self._judge_stall(now_us)
            most = 1
        edge_us = min(edge_us, self.bridging.end_us, self.schedule.change_us, self.periodic.due_us)
        self.delivery.advance(now_us, edge_us, most, within_us)
        if self.delivery.failed and self.modes.mode in PUMPING:
            self._alarms.raise_(Code.MEMORY_ERROR)
            self.stop(StopReason.MEMORY_ERROR, now_us)

    def look_at_reservoir(self, now_us: int) -> None:
        """A threshold or the time of a reading has come: judge, and end what may not go on."""
        self.judge_reservoir(anew=False)
        empty = not self.level.usable_pl(self.delivery.accounted())
        if empty and self.modes.mode in PUMPING:
            self.stop(StopReason.EMPTY_RESERVOIR, now_us)
        elif self.bolus_in_reserve and self.dosing.left_strokes(now_us):
            # The reserve is the basal's: no bolus is given from it.
            self.dosing.cut(Code.LOW_RESERVOIR)
            self._enter_basal(now_us)
            self.delivery.change(self.basal_flow(), now_us)
            self._settle_when_idle(now_us)

    def judge_reservoir(self, anew: bool = True) -> None:
        """Raise or end the reservoir's alarms; `anew`: by another record or clock than before."""
        accounted = self.delivery.accounted()
        self.watch.judge(self._clock.now_us(), accounted, anew)
        self._to_threshold = self.level.strokes_to_threshold(accounted)

    # --- inside ---------------------------------------------------------------------------------

    def _enter_basal(self, now_us: int) -> None:
        if self._journal.durable.minimum_rate:
            self.bridging.hold()
        elif self.bridging.owed and self.bridging.go_on(now_us):
            self.modes.dispatch(Event.DELIVER_BRIDGE)
            return
        self.modes.dispatch(Event.DELIVER_MINIMUM if self.at_minimum else Event.DELIVER_BASAL)

    def _halt(self, now_us: int) -> None:
        self.delivery.change(ZERO, now_us)
        self._settle_when_idle(now_us)

    def _settle_when_idle(self, now_us: int) -> None:
        self._when_idle = True
        if self.delivery.idle:
            self._settle(now_us)

    def _settle(self, now_us: int) -> None:
        """The stroke under way has ended: count the bolus, and finish what was cut short."""
        self.dosing.settle(now_us)
        if self._when_idle and self.delivery.idle:
            self._when_idle = False
            if self.modes.mode in (Mode.SAFE_STATE, Mode.END_OF_SERVICE):
                self._supply.cut()
            self.bridging.note()
            self.save()

    def _end_bolus(self) -> None:
        """Its whole volume was owed and commanded: back to the basal from that very instant."""
        self.changed = True
        end_us = self.dosing.end_us
        self.dosing.end()
        if not self.dosing.running:
            self._enter_basal(end_us)
        self.delivery.change(self.flow(), end_us)
        self.save()

    def _begin_periodic(self, now_us: int) -> None:
        """A bolus of the program is due; what forbids it is logged, and it is not made up for."""
        self.changed = True
        at_us = self.periodic.take(now_us)
        if self.modes.mode not in PUMPING or self.prescribed is None:
            return
        usable_pl = self.level.usable_pl(self.delivery.accounted())
        busy = self.dosing.running or self.bridge_runs
        blocking = self._alarms.blocking(self.level.program_ignores)
        able = busy or (self.modes.mode in _BOLUS_FROM and blocking is None)
        try:
            plan = self.periodic.plan(self.prescribed.therapy, usable_pl, at_us, able, busy)
        except Refused as refused:
            self._log.append(Code.BOLUS_REFUSED, refused.code)
            return
        self._begin_bolus(BolusKind.PERIODIC, OWN_TXN, plan, at_us)

    def _end_bridge(self, now_us: int) -> None:
        """The path is free of the old concentration: the program, from that very instant."""
        self.changed = True
        end_us = self.bridging.end_us
        if self.bridging.end(now_us):
            self._enter_basal(end_us)
            self.delivery.change(self.basal_flow(), end_us)
            self.save()

    def _by_the_clock(self, now_us: int) -> None:
        """An edge of the program, a scheduled change, or a look at the wall clock is due."""
        self.changed = True
        while now_us >= self.schedule.timer_us:
            at_us = self.schedule.step(now_us)
            if self.schedule.takeover:
                self._take_over(at_us)
            self._flow_as_due(at_us)

    def _take_over(self, at_us: int) -> None:
        """The scheduled change is in force from this instant on; `taken_over` is its record owed.

        What is stopped stays so, unless it is so by the program that ends. A bolus is finished.
        """
        before, reason = self.program, self._journal.durable.stop_reason
        assert self.stored is not None
        self.load(taken_over(self.stored, self.schedule.wall_s(at_us)), begin=True)
        self.taken_over = True
        if self.program is ProgramKind.STOPPED:
            self.stop(StopReason.COMMANDED, at_us)
        elif self.modes.mode in (Mode.BASAL, Mode.MINIMUM_RATE, Mode.BRIDGE):
            self._enter_basal(at_us)
        elif before is ProgramKind.STOPPED and reason in _PROGRAM_REASONS:
            self.deliver(at_us)

    def takeover(self, generation: int) -> Stored:
        """Return the record of the scheduled change in force, as that generation. Logs it."""
        assert self.stored is not None
        self.taken_over = False
        self.stored = replace(self.stored, generation=generation)
        self._log.append(Code.SCHEDULED_CHANGE, generation)
        return self.stored

    def not_kept(self) -> None:
        """A scheduled change in force could not be made durable: it is said, and it runs."""
        self._alarms.raise_(Code.MEMORY_ERROR)

    def _flow_as_due(self, at_us: int) -> None:
        """Deliver what is to flow since this instant, if that is not what flows."""
        if self.modes.mode in PUMPING and self.flow() != self.delivery.flow:
            self.delivery.change(self.flow(), at_us)

    def set_clock(self, wall_s: int, now_us: int) -> None:
        """Set the wall clock; the program is judged anew at once. Intervals do not move."""
        self.schedule.set_clock(wall_s, now_us)
        self._flow_as_due(now_us)
        self.judge_reservoir()
        self.changed = True

    def _judge_stall(self, now_us: int) -> None:
        mode = self.modes.mode
        if mode is Mode.STALLED:
            if self.stall.given_up(now_us):
                self.fail(StopReason.MOTOR_STALL, now_us)
        elif mode in PUMPING and self.stall.stalled(self.dosing.running, now_us):
            self._log.append(Code.STALL, self.stall.unconfirmed)
            self._alarms.raise_(Code.MOTOR_STALL)
            self.dosing.cut(Code.MOTOR_STALL)
            self.bridging.hold()
            self.modes.dispatch(Event.STALL)
            self.delivery.change(self.basal_flow(), now_us)
            self._settle_when_idle(now_us)

    def _recovered(self, now_us: int) -> None:
        self._log.append(Code.STALL_RECOVERED)
        self._alarms.end(Code.MOTOR_STALL)
        self._enter_basal(now_us)
        if self.delivery.flow != self.basal_flow():
            self.delivery.change(self.basal_flow(), now_us)
        self.save()

    def save(self, done: Done | None = None) -> None:
        """Make the present state durable; `done` hears when it is, or that it cannot be."""
        self._journal.durable.alarms = self._alarms.latched_bits()
        self._journal.write(done)
