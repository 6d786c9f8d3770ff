"""What each transaction does: its checks, what it would do, and doing it.

One row of `_ACTS` per operation. Planning changes nothing; performing happens once, after the
journal record that commits it is durable, and cannot be refused any more.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from firmware import clock_commit
from firmware.alarms import AlarmManager
from firmware.bolus_acts import BolusActs, not_during_dose, room_beside_doses, state
from firmware.checks import Refused, check_limits
from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.flow import Flow
from firmware.infusion import Infusion
from firmware.journal import Journal
from firmware.limits import program_limits
from firmware.modes import PUMPING
from firmware.path import NO_BRIDGE, NO_CHANGE, Change, change, changed
from firmware.plan import Plan
from firmware.prescription import NOTHING_PRESCRIBED, Stored
from firmware.program import first_periodic_s, mean_flow
from firmware.program_checks import (
    check_clock,
    check_fill,
    check_program,
    check_scheduled,
    strokes_per_day,
)
from firmware.supply import Supply
from hal.board import Board
from protocol.codec import Message
from protocol.codes import (
    Code,
    Mode,
    ProgramKind,
    Role,
    StopReason,
    TxnOp,
)
from protocol.errors import ErrorCode
from protocol.messages import (
    FILL_NOT_TOLD,
    BolusParameters,
    ClearAlarmParameters,
    ProgramParameters,
    RefillParameters,
    SetClockParameters,
    Therapy,
)

_SECOND_US: Final = 1_000_000
_WALL_MAX_S: Final = 0xFFFFFFFF


class Acts:
    """Plans and performs."""

    def __init__(
        self,
        board: Board,
        config: DeviceConfig,
        infusion: Infusion,
        journal: Journal,
        log: EventLog,
        alarms: AlarmManager,
        supply: Supply,
    ) -> None:
        self._clock = board.clock
        self._rtc = board.rtc
        self._battery = board.battery
        self._config = config
        self._infusion = infusion
        self._journal = journal
        self._log = log
        self._alarms = alarms
        self._supply = supply
        self._boluses = BolusActs(board, config, infusion, log, alarms, self._next)

    def permit(self, role: Role, op: TxnOp, parameters: Message) -> None:
        """Refuse what the role may not do; for the patient that is all but a patient bolus."""
        if isinstance(parameters, BolusParameters):
            self._boluses.permit(role, parameters)
        elif role is Role.PATIENT:
            raise Refused(ErrorCode.DENIED)

    def plan(self, op: TxnOp, parameters: Message) -> Plan:
        """Check; return what would be done. Raises Refused."""
        if self._infusion.modes.mode in (Mode.SAFE_STATE, Mode.END_OF_SERVICE):
            raise state(self._infusion)
        return _ACTS[op][0](self, parameters)

    def perform(self, op: TxnOp, txn: int, parameters: Message, plan: Plan) -> None:
        """Do what was planned and is committed now."""
        _ACTS[op][1](self, txn, parameters, plan)

    # --- program and refill ---------------------------------------------------------------------

    def _plan_program(self, parameters: ProgramParameters) -> Plan:
        not_during_dose(self._infusion)
        flow = check_program(parameters, self._config)
        before = self._infusion.prescribed.therapy if self._infusion.prescribed else None
        if parameters.at_wall_s:
            now_s = self._rtc.now_s()
            check_scheduled(parameters.at_wall_s, parameters.therapy, before, now_s)
        now_us = self._clock.now_us()
        self._infusion.window.check_change(parameters.therapy, parameters.at_wall_s, now_us)
        passed = check_limits(
            program_limits(parameters.therapy, before, self._config.minimum_rate_pl_h),
            parameters.override,
        )
        told = parameters.fill_nl != FILL_NOT_TOLD
        stored = self._programmed(parameters, parameters.fill_nl if told else None)
        strokes = strokes_per_day(flow, self._config)
        volume_nl = strokes * self._config.stroke_pl // 1000
        computed_nl = self._computed_nl(stored)
        return Plan(strokes, volume_nl, 0, computed_nl, stored, told, passed=passed)

    def _program(self, txn: int, parameters: ProgramParameters, plan: Plan) -> None:
        assert plan.stored is not None
        now_us = self._clock.now_us()
        self._log.append(Code.PROGRAM_COMMITTED, plan.stored.generation, parameters.at_wall_s)
        self._log_overridden(plan)
        if parameters.at_wall_s:
            self._keep(plan.stored)
            return
        self._infusion.bridging.close(Code.PROGRAM_COMMITTED)
        self._alarms.end(Code.MEMORY_ERROR)
        self._infusion.load(plan.stored, begin=True)
        self._leave_minimum_rate()
        if parameters.therapy.program is ProgramKind.STOPPED:
            self._infusion.stop_as_prescribed(now_us)
        else:
            self._start(now_us)
        self._infusion.save()

    def _plan_refill(self, parameters: RefillParameters) -> Plan:
        not_during_dose(self._infusion)
        check_fill(parameters.injected_nl, self._config)
        before = self._infusion.stored
        therapy = before.therapy if before else NOTHING_PRESCRIBED
        stored = self._next(therapy, parameters.injected_nl)
        return Plan(0, parameters.injected_nl, 0, parameters.injected_nl, stored, True)

    def _refill(self, txn: int, parameters: RefillParameters, plan: Plan) -> None:
        assert plan.stored is not None
        self._log.append(Code.REFILLED, parameters.injected_nl)
        self._keep(plan.stored)

    def _keep(self, stored: Stored) -> None:
        """Take a record over whose program is the one that runs."""
        self._infusion.load(stored)
        if self._infusion.modes.mode in PUMPING:
            self._infusion.deliver(self._clock.now_us())
        self._infusion.save()

    def _programmed(self, parameters: ProgramParameters, fill_nl: int | None) -> Stored:
        """Return the record of a program that begins with its commit, or at an instant to come."""
        therapy, before = parameters.therapy, self._infusion.stored
        if parameters.at_wall_s:
            stored = self._next(before.therapy if before else NOTHING_PRESCRIBED, fill_nl)
            return replace(stored, pending_wall_s=parameters.at_wall_s, pending=therapy)
        stored = self._next(therapy, fill_nl)
        return replace(
            stored,
            refilled=0,
            change=self._change(stored),
            bridge=NO_BRIDGE,
            periodic_wall_s=first_periodic_s(therapy.periodic, stored.written_wall_s),
            pending_wall_s=0,
            pending=NOTHING_PRESCRIBED,
        )

    def _next(self, therapy: Therapy, fill_nl: int | None) -> Stored:
        """Return the generation after the one that counts."""
        before, reservoir = self._infusion.stored, self._infusion.reservoir
        wall_s = self._rtc.now_s()
        told = fill_nl is not None
        return Stored(
            generation=self._journal.durable.generation + 1,
            written_wall_s=wall_s,
            prescribed=int(therapy is not NOTHING_PRESCRIBED and bool(therapy.drugs)),
            therapy=therapy,
            fill_nl=fill_nl if fill_nl is not None else reservoir.fill_pl // 1000,
            fill_accounted=(
                self._infusion.delivery.accounted() if told else reservoir.fill_accounted
            ),
            fill_wall_s=wall_s if told else reservoir.fill_wall_s,
            refilled=int(told or (before is not None and before.refilled)),
            change=before.change if before else NO_CHANGE,
            bridge=before.bridge if before else NO_BRIDGE,
            periodic_wall_s=before.periodic_wall_s if before else 0,
            pending_wall_s=before.pending_wall_s if before else 0,
            pending=before.pending if before else NOTHING_PRESCRIBED,
        )

    def _change(self, after: Stored) -> Change:
        """Return what to remember of the solution that the path holds when `after` is committed."""
        before = self._infusion.prescribed
        if before is None or not changed(before.therapy, after.therapy):
            return after.change
        # The new solution has been drawn since the needle, not since the programming.
        filled = before.refilled or after.fill_accounted != before.fill_accounted
        accounted = after.fill_accounted if filled else self._infusion.delivery.accounted()
        return change(before.therapy, mean_flow(before.therapy, self._config), accounted)

    def _computed_nl(self, stored: Stored) -> int:
        given = self._infusion.delivery.accounted() - stored.fill_accounted
        return max(0, stored.fill_nl - given * self._config.stroke_pl // 1000)

    # --- bolus ----------------------------------------------------------------------------------

    def _plan_bolus(self, parameters: BolusParameters) -> Plan:
        return self._boluses.plan(parameters)

    def _bolus(self, txn: int, parameters: BolusParameters, plan: Plan) -> None:
        self._boluses.perform(txn, parameters, plan)
        self._log_overridden(plan)

    # --- resume, clear --------------------------------------------------------------------------

    def _plan_resume(self, parameters: Message) -> Plan:
        infusion = self._infusion
        not_during_dose(self._infusion)
        accounted = infusion.delivery.accounted()
        computed_pl = infusion.reservoir.computed_pl(accounted)
        if (
            infusion.modes.mode is not Mode.STOPPED
            or infusion.program is ProgramKind.STOPPED
            or not infusion.level.usable_pl(accounted)
        ):
            raise state(self._infusion)
        strokes = strokes_per_day(self._mean(), self._config)
        return Plan(strokes, strokes * self._config.stroke_pl // 1000, 0, computed_pl // 1000)

    def _resume(self, txn: int, parameters: Message, plan: Plan) -> None:
        self._log.append(Code.RESUMED)
        self._start(self._clock.now_us())
        self._infusion.save()

    def _plan_clear(self, parameters: ClearAlarmParameters) -> Plan:
        standing = self._alarms.standing.get(parameters.code)
        if standing is None or standing.active:
            raise state(self._infusion, parameters.code)
        return Plan()

    def _clear(self, txn: int, parameters: ClearAlarmParameters, plan: Plan) -> None:
        self._alarms.clear(parameters.code)
        if parameters.code is Code.LOW_BATTERY_RESET and self._leave_minimum_rate():
            self._infusion.deliver(self._clock.now_us())
        self._infusion.save()

    # --- clock ----------------------------------------------------------------------------------

    def _plan_clock(self, parameters: SetClockParameters) -> Plan:
        """Where monotonic periodic boluses stand on the wall clock moves with it."""
        implanted_s = self._supply.implanted_wall_s
        check_clock(parameters.wall_s, implanted_s, self._supply.eos_wall_s(self._journal.durable))
        now_us = self._clock.now_us()
        room_beside_doses(self._infusion, parameters.wall_s, now_us, self._config)
        stored = self._infusion.stored
        if stored is None or stored.therapy.program is not ProgramKind.PERIODIC:
            return Plan()
        generation = self._journal.durable.generation + 1
        return Plan(stored=self._moved(stored, parameters.wall_s, generation))

    def _moved(self, stored: Stored, wall_s: int, generation: int) -> Stored:
        """By the cadence, not by the shift in whole seconds: many of those would add up."""
        cadence, now_us = self._infusion.schedule.cadence, self._clock.now_us()
        first_s = stored.periodic_wall_s
        if cadence is not None:
            ahead_s = (cadence.next_us(now_us) - now_us) // _SECOND_US
            first_s = min(wall_s + ahead_s, _WALL_MAX_S)
        return replace(stored, generation=generation, periodic_wall_s=first_s)

    def _set_clock(self, txn: int, parameters: SetClockParameters, plan: Plan) -> None:
        stored = self._infusion.stored
        if stored is not None and (plan.stored is not None or self._infusion.taken_over):
            # Not the plan's own: a scheduled change may have taken over while it was written.
            generation = self._journal.durable.generation
            self._infusion.stored = self._moved(stored, parameters.wall_s, generation)
        self._infusion.set_clock(parameters.wall_s, self._clock.now_us())
        # Before: as its record has it, also when a second has passed since.
        known = self._journal.txns[txn]
        self._log.append(Code.CLOCK_SET, parameters.wall_s, known.given_strokes)
        self._journal.durable.txn = clock_commit.done(known)
        self._journal.write()
        self._supply.next_check_us = 0

    # --- shared ---------------------------------------------------------------------------------

    def _log_overridden(self, plan: Plan) -> None:
        for passed in plan.passed:
            self._log.append(Code.LIMIT_OVERRIDDEN, passed.id, passed.drug)

    def _start(self, now_us: int) -> None:
        """Deliver, unless the pump has been stopped while the record was written."""
        if self._journal.durable.stop_reason is StopReason.NONE:
            self._infusion.deliver(now_us)

    def _leave_minimum_rate(self) -> bool:
        """End the low-battery fall-back if the battery carries again; return True if so."""
        durable = self._journal.durable
        held = durable.minimum_rate
        if held and self._battery.loaded_mv().value > self._config.low_battery_mv:
            durable.minimum_rate = False
            self._alarms.end(Code.LOW_BATTERY_RESET)
        return held and not durable.minimum_rate and self._infusion.modes.mode in PUMPING

    def _mean(self) -> Flow:
        """What the pump would give on the mean, were it running."""
        stored = self._infusion.prescribed
        if stored is None or self._infusion.held:
            return self._infusion.basal_flow()
        return mean_flow(stored.therapy, self._config)


_ACTS: Final[dict[TxnOp, tuple[Callable[..., Plan], Callable[..., Any]]]] = {
    TxnOp.PROGRAM: (Acts._plan_program, Acts._program),
    TxnOp.BOLUS: (Acts._plan_bolus, Acts._bolus),
    TxnOp.RESUME: (Acts._plan_resume, Acts._resume),
    TxnOp.REFILL: (Acts._plan_refill, Acts._refill),
    TxnOp.CLEAR_ALARM: (Acts._plan_clear, Acts._clear),
    TxnOp.SET_CLOCK: (Acts._plan_clock, Acts._set_clock),
}
