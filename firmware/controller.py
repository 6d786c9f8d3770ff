"""The controller: `service(interrupts)` does all that is due and returns when to be called next.

Order of one service: flash completions, the motor's batch, battery, telemetry, timers, and last
the strokes that are due - so that whatever was decided holds for the strokes commanded after it.
A quiet wake is a batch that ended and the next one: nothing else is computed then.
"""

from collections.abc import Callable
from typing import Any, Final

from firmware import clock_commit
from firmware.acts import Acts
from firmware.alarms import NEVER_US, AlarmManager
from firmware.bridging import bridge_under_way
from firmware.checks import Refused
from firmware.device import DeviceConfig, Identity
from firmware.event_log import EventLog
from firmware.flash_queue import FlashQueue
from firmware.infusion import Infusion
from firmware.journal import Journal
from firmware.layout import END, SECTOR
from firmware.log_time import WARM
from firmware.prescription import Health, PrescriptionStore
from firmware.status import StatusReport
from firmware.supply import Supply
from firmware.telemetry import Reply, Telemetry
from firmware.transactions import Done, Transactions
from firmware.updates import Updates
from hal.board import Board
from hal.interfaces import ResetCause
from hal.interrupts import (
    FLASH_DONE,
    FLASH_FAILED,
    LOW_VOLTAGE,
    MOTOR_DONE,
    TELEMETRY_RX,
    TELEMETRY_TX,
)
from protocol.codec import Message
from protocol.codes import Code, Mode, Role, StopReason, TxnOp
from protocol.errors import ErrorCode
from protocol.messages import (
    Commit,
    DeviceInfo,
    Empty,
    LogPage,
    LogRead,
    LogRecord,
    Prepare,
    PrescriptionInfo,
    Refusal,
    Status,
    TxnRef,
)
from protocol.operations import Operation

_FLASH: Final = FLASH_DONE | FLASH_FAILED
_RESET_ALARMS: Final = {
    ResetCause.LINK_LOST: Code.BOARD_LINK_LOST,
    ResetCause.RATE_GUARD: Code.OVER_DELIVERY,
}
"""What a reset says of the time before it: over by now, so the alarm is latched at once."""
_LOG_PAGE: Final = 14
_AGAIN_US: Final = 1000


class Firmware:
    """One boot of the controller. A reset makes a new one on the same board."""

    def __init__(
        self,
        board: Board,
        config: DeviceConfig,
        who: Identity,
        on_record: Callable[[LogRecord], None] | None = None,
    ) -> None:
        """`on_record` is a debug tap on the event log; it changes nothing."""
        self._board = board
        self._config = config
        self._clock = board.clock
        self._watchdog = board.watchdog
        self._queue = FlashQueue(board.flash)
        self._journal = Journal(self._queue)
        self._log = EventLog(self._queue, board.clock, board.rtc, on_record)
        self._prescriptions = PrescriptionStore(self._queue)
        self._alarms = AlarmManager(
            board, self._log, config.critical_interval_us, config.non_critical_interval_us
        )
        self._infusion = Infusion(board, config, self._journal, self._log, self._alarms)
        self._supply = Supply(board.battery, board.rtc, self._alarms, config, who)
        acts = Acts(
            board, config, self._infusion, self._journal, self._log, self._alarms, self._supply
        )
        self._updates = Updates(config, self._infusion, self._journal, self._log, self._alarms)
        self._transactions = Transactions(
            board, config, self._infusion, self._journal, self._prescriptions, acts, self._updates
        )
        self._report = StatusReport(
            board, config, who, self._infusion, self._journal, self._log, self._alarms, self._supply
        )
        self._telemetry: Telemetry | None = None
        self._timer_us = 0

    # --- boot -----------------------------------------------------------------------------------

    def start(self) -> int:
        """Boot: recover, self-test, go on as before. Return the first deadline, µs.

        Raises ValueError on a board whose flash the layout does not fit.
        """
        flash = self._board.flash
        if flash.sector_bytes != SECTOR or flash.size_bytes < END:
            raise ValueError(f"flash needs sectors of {SECTOR} and {END} bytes in all")
        now_us = self._clock.now_us()
        self._log.recover()
        self._journal.recover()
        self._telemetry = Telemetry(
            self._board, self._config.model, self._log.boot_id, self._handlers(), self._refused
        )
        self._self_test(now_us)
        return self.service(0)

    def _self_test(self, now_us: int) -> None:
        journal, infusion = self._journal, self._infusion
        durable = journal.durable
        cause = self._board.watchdog.reset_cause()
        before = durable.accounted
        uncertain = infusion.delivery.recover(warm=cause in WARM)
        durable.uncertain_strokes += uncertain
        self._alarms.restore(durable.alarms)
        clock_commit.finish(journal, self._log, self._board.rtc, warm=cause in WARM)
        if not journal.blank:
            self._log.append(Code.RESET, cause, uncertain)
            self._alarm_of(cause)
        stored, health = self._prescriptions.recover(durable.generation)
        goes_on = bridge_under_way(stored, journal)
        self._close_open_doses(
            durable.accounted - before, _RESET_ALARMS.get(cause, Code.RESET), goes_on.txn
        )
        self._board.battery.arm_low_voltage(self._config.low_battery_mv)
        if stored is not None:
            infusion.load(stored)
        else:
            infusion.reservoir.forget(durable.accounted)
            infusion.judge_reservoir()
        infusion.recover_doses()
        if health is not Health.GOOD:
            self._alarms.raise_(Code.MEMORY_ERROR)
        if health is Health.REPAIRED:
            self._alarms.end(Code.MEMORY_ERROR)
        if health is Health.LOST and durable.stop_reason is StopReason.NONE:
            infusion.without_prescription(self._config.memory_error_program, now_us)
        else:
            infusion.resume_from_boot(now_us)
        self._updates.recover(now_us)
        if cause is ResetCause.LOW_VOLTAGE:
            infusion.fall_back(now_us)
        infusion.save()

    def _alarm_of(self, cause: ResetCause) -> None:
        """Raise what the reset itself is an alarm for; a guard that tripped stops the pump."""
        alarm = _RESET_ALARMS.get(cause)
        if alarm is None:
            return
        self._alarms.raise_(alarm)
        self._alarms.end(alarm)
        durable = self._journal.durable
        if cause is ResetCause.RATE_GUARD and durable.stop_reason is StopReason.NONE:
            durable.stop_reason = StopReason.OVER_DELIVERY
            self._log.append(Code.STOPPED, StopReason.OVER_DELIVERY)

    def _close_open_doses(self, strokes: int, why: Code, but: int) -> None:
        """A bolus never resumes by itself after a reset: say what of it was given.

        `strokes` were accounted for since the last record: they count as the bolus's. Transaction
        `but` is a bridge, which goes on as the basal does.
        """
        for txn in self._transactions.recover(strokes, but):
            given_nl = txn.given_strokes * self._config.stroke_pl // 1000
            self._log.append(Code.BOLUS_ENDED_EARLY, given_nl, why)
            self._journal.durable.txn = txn
            self._journal.write()

    # --- the loop -------------------------------------------------------------------------------

    def service(self, interrupts: int) -> int:
        """Do all that is due; return the boot time (µs) at which to be called again at the latest.

        `interrupts` are the bits of `hal.interrupts` since the last call.
        """
        now_us = self._clock.now_us()
        infusion = self._infusion
        if interrupts & MOTOR_DONE:
            infusion.motor_done(now_us)
        if interrupts & ~MOTOR_DONE:
            self._interrupted(interrupts, now_us)
        if now_us >= self._timer_us or interrupts & ~MOTOR_DONE:
            self._timers(now_us)
        infusion.service(now_us)
        if infusion.taken_over:
            self._transactions.keep_takeover()
        if infusion.changed:
            infusion.changed = False
            self._timer_us = self._next_timer_us()
        # A timer that has passed waits for a stroke about to end: look again shortly.
        deadline_us = self._timer_us
        if deadline_us < now_us + _AGAIN_US:
            deadline_us = now_us + _AGAIN_US
        self._watchdog.arm(deadline_us)
        return deadline_us

    def _interrupted(self, interrupts: int, now_us: int) -> None:
        assert self._telemetry is not None
        if interrupts & _FLASH:
            self._queue.service(interrupts)
        if interrupts & LOW_VOLTAGE and self._infusion.modes.mode is not Mode.END_OF_SERVICE:
            self._infusion.fall_back(now_us)
        if interrupts & TELEMETRY_RX:
            self._telemetry.receive()
        if interrupts & TELEMETRY_TX:
            self._telemetry.flush()

    def _timers(self, now_us: int) -> None:
        assert self._telemetry is not None
        self._infusion.stop_watch.service(now_us)
        self._updates.service(now_us)
        self._infusion.dose_limit.service(self._infusion.prescribed, now_us)
        self._alarms.service(now_us)
        if now_us >= self._infusion.watch.timer_us:
            self._infusion.look_at_reservoir(now_us)
        if now_us >= self._supply.next_check_us:
            self._check_supply(now_us)
        if now_us >= self._telemetry.timer_us:
            self._telemetry.service(now_us)
        self._infusion.changed = True

    def _check_supply(self, now_us: int) -> None:
        eri_before = self._journal.durable.eri_wall_s
        if self._supply.check(now_us, self._journal.durable):
            self._infusion.end_service(now_us)
        elif eri_before != self._journal.durable.eri_wall_s:
            self._infusion.save()

    def _next_timer_us(self) -> int:
        assert self._telemetry is not None
        return min(
            self._alarms.next_tone_us,
            self._supply.next_check_us if self._alive else NEVER_US,
            self._telemetry.timer_us,
            self._infusion.timer_us,
            self._updates.due_us,
        )

    @property
    def _alive(self) -> bool:
        return self._infusion.modes.mode is not Mode.END_OF_SERVICE

    @property
    def _role(self) -> Role:
        assert self._telemetry is not None
        return self._telemetry.role

    # --- requests -------------------------------------------------------------------------------

    def status(self) -> Status:
        """Return what a status reply would say now; takes no time, logs nothing."""
        return self._report.status()

    def device(self) -> DeviceInfo:
        """Return what a device reply would say."""
        return self._report.device()

    def prescription(self) -> PrescriptionInfo:
        """Return what a prescription reply would say now; takes no time."""
        return self._report.prescription()

    def log_records(self, first: int, maximum: int) -> tuple[LogRecord, ...]:
        """Return up to `maximum` log records from number `first` on; takes no time."""
        return self._log.read(first, maximum)

    def _handlers(self) -> dict[str, Callable[[Any, Reply], None]]:
        report = self._report
        return {
            "STATUS": lambda _, reply: reply(ErrorCode.OK, report.status()),
            "DEVICE": lambda _, reply: reply(ErrorCode.OK, report.device()),
            "PRESCRIPTION": lambda _, reply: reply(ErrorCode.OK, report.prescription()),
            "PENDING": lambda _, reply: reply(ErrorCode.OK, report.pending()),
            "LOG_READ": self._log_read,
            "INTERROGATE": self._interrogate,
            "PREPARE": self._prepare,
            "COMMIT": self._commit,
            "QUERY": self._query,
            "ABORT": self._abort,
            "STOP": self._stop,
        }

    def _log_read(self, request: LogRead, reply: Reply) -> None:
        records = self._log.read(request.first, min(request.maximum, _LOG_PAGE))
        reply(ErrorCode.OK, LogPage(self._log.first, self._log.next, records))

    def _interrogate(self, request: Empty, reply: Reply) -> None:
        self._log.append(Code.INTERROGATED)
        reply(ErrorCode.OK, self._report.status())

    def _prepare(self, request: Prepare, reply: Reply) -> None:
        self._transactions.prepare(request, self._role, _answers(reply))

    def _commit(self, request: Commit, reply: Reply) -> None:
        self._transactions.commit(request, self._role, _answers(reply))

    def _query(self, request: TxnRef, reply: Reply) -> None:
        reply(ErrorCode.OK, self._transactions.query(request, self._role))

    def _abort(self, request: TxnRef, reply: Reply) -> None:
        self._transactions.abort(request, self._role, _answers(reply))

    def _stop(self, request: Empty, reply: Reply) -> None:
        if self._role is Role.PATIENT and not self._infusion.patient_may_stop:
            raise Refused(ErrorCode.DENIED)
        if self._infusion.modes.mode in (Mode.SAFE_STATE, Mode.END_OF_SERVICE):
            raise Refused(ErrorCode.STATE, self._infusion.modes.mode)
        self._infusion.stop(StopReason.COMMANDED, self._clock.now_us())

        def recorded(ok: bool) -> None:
            if ok:
                reply(ErrorCode.OK, self._report.status())
            else:
                reply(ErrorCode.NVM_FAIL, Refusal(0, 0, 0))

        # The stroke under way may take its time: a reset must find the stop that was answered.
        self._infusion.save(recorded)

    def _refused(self, operation: Operation, code: ErrorCode, body: bytes) -> None:
        """A refusal changes nothing but the log."""
        if operation.kind == "READ" or code is ErrorCode.SESSION_GONE:
            return
        self._report.last_refusal = code
        if operation.name == "PREPARE":
            bolus = body[8:9] == bytes([TxnOp.BOLUS])
        else:
            bolus = self._transactions.is_bolus(int.from_bytes(body[:8], "little"))
        self._log.append(Code.BOLUS_REFUSED if bolus else Code.REFUSED, code, operation.opcode)


def _answers(reply: Reply) -> Done:
    """Return what answers a request when it is done."""

    def done(code: ErrorCode, answer: Message | None) -> None:
        reply(code, answer if answer is not None else Refusal(0, 0, 0))

    return done
