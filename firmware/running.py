"""Running or standing: what starts delivery, ends it, and holds it at the minimum rate.

Mode, flow, alarms and what is durable change together here and always agree. What happens while the
pump runs - boluses, strokes, the wall clock - is the infusion's, which is built on this.
"""

from typing import Final

from firmware.alarms import AlarmManager
from firmware.device import DeviceConfig
from firmware.dose_limit import DoseLimit
from firmware.event_log import EventLog
from firmware.flash_queue import Done
from firmware.flow import ZERO
from firmware.journal import Journal
from firmware.modes import PUMPING, Event
from firmware.prescription import Stored
from firmware.regimen import Regimen
from firmware.reservoir_watch import ReservoirWatch
from firmware.stall import StallDetector
from firmware.stop_watch import StopWatch, stood_us
from hal.board import Board
from protocol.codes import Code, Mode, ProgramKind, StopReason

_FAULT_REASONS: Final = (StopReason.MOTOR_STALL,)
"""Stop reasons that hold the pump in safe state, over resets too."""

_PASSING_REASONS: Final = (StopReason.NONE, StopReason.SESSION_INCOMPLETE)
"""Of a pump that stands, but is about to start: a stop that comes meanwhile is said."""


class Running(Regimen):
    """Runs what is prescribed, or stands with a reason."""

    def __init__(
        self,
        board: Board,
        config: DeviceConfig,
        journal: Journal,
        log: EventLog,
        alarms: AlarmManager,
    ) -> None:
        super().__init__(board, config, journal, log, alarms)
        self._supply = board.supply
        self._rtc = board.rtc
        self.watch = ReservoirWatch(board, self.reservoir, self.level, alarms)
        self.stall = StallDetector(config)
        self.stop_watch = StopWatch(config, alarms)
        self.dose_limit = DoseLimit(self.window, alarms)
        self.changed = True
        """True when `timer_us` may be another than it was."""
        self.stops = 0
        """How often delivery was to end, for whatever reason: a commit under way looks at it."""
        self.taken_over = False
        """True when a scheduled change is in force and not durable yet."""
        self._to_threshold = 0
        self._when_idle = False
        """True: when the motor has ended its stroke, settle what ended and make it durable."""

    def load(self, stored: Stored, begin: bool = False) -> None:
        """Take a stored prescription over; `begin`: its program begins now. It starts nothing."""
        super().load(stored, begin)
        self.taken_over = False
        self._alarms.rest(self.out_of_service)
        self.stop_watch.look_again()
        self.judge_reservoir()

    # --- run and stand --------------------------------------------------------------------------

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
        self.stop_watch.end()
        if self.modes.mode is not Mode.STALLED:
            self._enter_basal(now_us)
        self.delivery.change(self.basal_flow(), now_us)

    def stop(self, reason: StopReason, now_us: int) -> None:
        """Finish the stroke and stop. What stands already goes on standing for its own reason."""
        self.stops += 1
        durable = self._journal.durable
        if self.modes.mode not in PUMPING and durable.stop_reason not in _PASSING_REASONS:
            return
        self.dosing.cut(Code.STOPPED)
        self.bridging.hold()
        # A pump that is told to stand still cannot be said to stall.
        self._alarms.end(Code.MOTOR_STALL)
        durable.stop_reason = reason
        self.modes.dispatch(Event.STOP)
        self._log.append(Code.STOPPED, reason, self.stop_watch.stood_s(now_us))
        self.stop_watch.begin(now_us)
        self._halt(now_us)

    def stop_as_prescribed(self, now_us: int) -> None:
        """The program in force now is `stopped`; a pump that stands already stands on."""
        stood = self.modes.mode is Mode.STOPPED
        self.stop(StopReason.COMMANDED, now_us)
        if stood:
            reason = self._journal.durable.stop_reason
            self._log.append(Code.STOPPED, reason, self.stop_watch.stood_s(now_us))
            self.stop_watch.begin(now_us)

    def fail(self, reason: StopReason, now_us: int) -> None:
        """Give delivery up: supply cut, safe state."""
        self.stops += 1
        self.stop_watch.end()
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
        self.stop_watch.end()
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

    def resume_from_boot(self, now_us: int) -> None:
        """After self-test: go on as before the reset. A bolus never resumes by itself."""
        reason = self._journal.durable.stop_reason
        if reason in _FAULT_REASONS:
            self.modes.dispatch(Event.FAULT)
        elif reason is StopReason.EOS:
            # For good: a clock that was lost, or a voltage that recovers, brings no service back.
            self.end_service(now_us)
        elif reason is StopReason.NONE:
            self.deliver(now_us)
        else:
            self.modes.dispatch(Event.STOP)
            if reason is not StopReason.NO_PROGRAM:
                self._stand_on(reason, now_us)

    def _stand_on(self, reason: StopReason, now_us: int) -> None:
        """After a reset: the stop watch goes on. A stop whose record was cut off is said now."""
        stood = stood_us(self._log, now_us, self._rtc.now_s())
        if stood is None:
            self._log.append(Code.STOPPED, reason)
        self.stop_watch.begin(now_us - (stood or 0))

    def without_prescription(self, program: ProgramKind, now_us: int) -> None:
        """No stored prescription can be trusted: the profile says what is safest then."""
        if program is ProgramKind.MINIMUM_RATE:
            self.deliver(now_us)
        else:
            self.stop(StopReason.MEMORY_ERROR, now_us)

    def save(self, done: Done | None = None) -> None:
        """Make the present state durable; `done` hears when it is, or that it cannot be."""
        self._journal.durable.alarms = self._alarms.latched_bits()
        self._journal.write(done)

    def judge_reservoir(self, anew: bool = True) -> None:
        """Raise or end the reservoir's alarms; `anew`: by another record or clock than before."""
        accounted = self.delivery.accounted()
        self.watch.judge(self._clock.now_us(), accounted, anew)
        self._to_threshold = self.level.strokes_to_threshold(accounted)

    # --- inside ---------------------------------------------------------------------------------

    def _enter_basal(self, now_us: int) -> None:
        if self.held:
            self.bridging.hold()
        elif self.bridging.owed and self.bridging.go_on(now_us):
            self.modes.dispatch(Event.DELIVER_BRIDGE)
            return
        self.modes.dispatch(Event.DELIVER_MINIMUM if self.at_minimum else Event.DELIVER_BASAL)

    def _flow_as_due(self, at_us: int) -> None:
        """Deliver what is to flow since this instant, if that is not what flows."""
        if self.modes.mode in PUMPING and self.flow() != self.delivery.flow:
            self.delivery.change(self.flow(), at_us)

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
