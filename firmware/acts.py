"""What each transaction does: its checks, what it would do, and doing it.

One row of `_ACTS` per operation. Planning changes nothing; performing happens once, after the
journal record that commits it is durable, and cannot be refused any more.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from firmware.alarms import AlarmManager
from firmware.bolus import REPEAT_GUARD_US
from firmware.checks import (
    BolusPlan,
    Refused,
    check_bolus,
    check_fill,
    check_limits,
    check_program,
    strokes_per_day,
)
from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.flow import ZERO, Flow
from firmware.infusion import Infusion
from firmware.journal import Journal
from firmware.limits import Passed, bolus_limits, program_limits
from firmware.modes import PUMPING
from firmware.path import NO_BRIDGE, NO_CHANGE, Change, change, changed
from firmware.path_checks import PRIMES, check_bridge, check_prime
from firmware.prescription import NOTHING_PRESCRIBED, Stored
from firmware.program import mean_flow
from hal.board import Board
from protocol.codec import Message
from protocol.codes import (
    BolusKind,
    Code,
    Mode,
    ProgramKind,
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
    Therapy,
)


class Plan(NamedTuple):
    """What would be done."""

    strokes: int = 0
    volume_nl: int = 0
    duration_us: int = 0
    computed_nl: int = 0
    stored: Stored | None = None
    """A new generation of the stored prescription, to be staged before the commit."""
    fill_told: bool = False
    """The volume in the reservoir is told with it: what was uncertain before is past."""
    bolus: BolusPlan | None = None
    """A bolus; None where a bridge is meant."""
    passed: tuple[Passed, ...] = ()
    """Soft limits that the override lets pass."""

    def of(self, txn: int) -> "Plan":
        """Return it as that transaction's: a bridge is known by the number it was committed as."""
        stored = self.stored
        if stored is None or not stored.bridge.volume_pl or stored.bridge.txn:
            return self
        return self._replace(stored=replace(stored, bridge=replace(stored.bridge, txn=txn)))


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
    ) -> None:
        self._clock = board.clock
        self._rtc = board.rtc
        self._battery = board.battery
        self._config = config
        self._infusion = infusion
        self._journal = journal
        self._log = log
        self._alarms = alarms
        self._last_bolus: tuple[int, int] | None = None
        """Strokes of the last clinician bolus and when it began."""

    def plan(self, op: TxnOp, parameters: Message) -> Plan:
        """Check; return what would be done. Raises Refused."""
        if self._infusion.modes.mode in (Mode.SAFE_STATE, Mode.END_OF_SERVICE):
            raise self._state()
        return _ACTS[op][0](self, parameters)

    def perform(self, op: TxnOp, txn: int, parameters: Message, plan: Plan) -> None:
        """Do what was planned and is committed now."""
        _ACTS[op][1](self, txn, parameters, plan)

    # --- program and refill ---------------------------------------------------------------------

    def _plan_program(self, parameters: ProgramParameters) -> Plan:
        self._not_during_bolus()
        flow = check_program(parameters, self._config)
        before = self._infusion.prescribed
        passed = check_limits(
            program_limits(
                parameters.therapy,
                before.therapy if before else None,
                self._config.minimum_rate_pl_h,
            ),
            parameters.override,
        )
        told = parameters.fill_nl != FILL_NOT_TOLD
        stored = self._next(parameters.therapy, parameters.fill_nl if told else None)
        stored = replace(stored, refilled=0, change=self._change(stored), bridge=NO_BRIDGE)
        strokes = strokes_per_day(flow, self._config)
        volume_nl = strokes * self._config.stroke_pl // 1000
        computed_nl = self._computed_nl(stored)
        return Plan(strokes, volume_nl, 0, computed_nl, stored, told, passed=passed)

    def _program(self, txn: int, parameters: ProgramParameters, plan: Plan) -> None:
        assert plan.stored is not None
        now_us = self._clock.now_us()
        self._log.append(Code.PROGRAM_COMMITTED, plan.stored.generation)
        self._log_overridden(plan)
        self._infusion.bridging.close(Code.PROGRAM_COMMITTED)
        self._alarms.end(Code.MEMORY_ERROR)
        self._infusion.load(plan.stored)
        self._leave_minimum_rate()
        if parameters.therapy.program is ProgramKind.STOPPED:
            self._infusion.stop(StopReason.COMMANDED, now_us)
        else:
            self._start(now_us)
        self._infusion.save()

    def _plan_refill(self, parameters: RefillParameters) -> Plan:
        self._not_during_bolus()
        check_fill(parameters.injected_nl, self._config)
        before = self._infusion.stored
        therapy = before.therapy if before else NOTHING_PRESCRIBED
        stored = self._next(therapy, parameters.injected_nl)
        return Plan(0, parameters.injected_nl, 0, parameters.injected_nl, stored, True)

    def _refill(self, txn: int, parameters: RefillParameters, plan: Plan) -> None:
        assert plan.stored is not None
        self._log.append(Code.REFILLED, parameters.injected_nl)
        self._infusion.load(plan.stored)
        if self._infusion.modes.mode in PUMPING:
            self._infusion.deliver(self._clock.now_us())
        self._infusion.save()

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
        infusion = self._infusion
        self._not_during_bolus()
        blocking = self._alarms.blocking()
        prescribed = infusion.prescribed
        if infusion.modes.mode not in (Mode.BASAL, Mode.MINIMUM_RATE) or prescribed is None:
            raise self._state()
        if blocking is not None:
            raise self._state(blocking)
        computed_pl = infusion.reservoir.computed_pl(infusion.delivery.accounted())
        if parameters.kind is BolusKind.BRIDGE:
            return self._plan_bridge(parameters, prescribed, computed_pl)
        if parameters.kind in PRIMES:
            bolus = check_prime(parameters, prescribed.therapy, computed_pl, self._config)
            return self._bolus_plan(bolus, computed_pl)
        bolus = check_bolus(
            parameters, prescribed.therapy, infusion.basal_flow(), computed_pl, self._config
        )
        volume_pl = bolus.strokes * self._config.stroke_pl
        passed = check_limits(
            bolus_limits(prescribed.therapy, volume_pl, 0, self._config.minimum_rate_pl_h),
            parameters.override,
        )
        self._not_by_mistake(bolus.strokes, parameters)
        return self._bolus_plan(bolus, computed_pl)._replace(passed=passed)

    def _bolus_plan(self, bolus: BolusPlan, computed_pl: int) -> Plan:
        volume_pl = bolus.strokes * self._config.stroke_pl
        left_nl = (computed_pl - volume_pl) // 1000
        return Plan(bolus.strokes, volume_pl // 1000, bolus.duration_us, left_nl, bolus=bolus)

    def _plan_bridge(self, parameters: BolusParameters, now: Stored, computed_pl: int) -> Plan:
        if now.change == NO_CHANGE:
            raise self._state()
        accounted = self._infusion.delivery.accounted()
        record, strokes, duration_us = check_bridge(
            parameters, now, accounted, computed_pl, self._config
        )
        stored = replace(self._next(now.therapy, None), bridge=record)
        left_nl = (computed_pl - record.volume_pl) // 1000
        return Plan(strokes, record.volume_pl // 1000, duration_us, left_nl, stored)

    def _bolus(self, txn: int, parameters: BolusParameters, plan: Plan) -> None:
        now_us = self._clock.now_us()
        if plan.stored is not None:
            self._infusion.start_bridge(plan.stored, now_us)
            return
        assert plan.bolus is not None
        self._last_bolus = (plan.strokes, now_us)
        self._infusion.start_bolus(parameters.kind, txn, plan.bolus, now_us)
        self._log_overridden(plan)

    def _not_by_mistake(self, strokes: int, parameters: BolusParameters) -> None:
        """A like dose within minutes is what a tool that crashed would ask for again."""
        if self._last_bolus is None or parameters.again:
            return
        last_strokes, start_us = self._last_bolus
        since_us = self._clock.now_us() - start_us
        if strokes == last_strokes and since_us < REPEAT_GUARD_US:
            raise Refused(
                ErrorCode.DUPLICATE_INTENT, 0, since_us // 1_000_000, REPEAT_GUARD_US // 1_000_000
            )

    # --- resume, clear --------------------------------------------------------------------------

    def _plan_resume(self, parameters: Message) -> Plan:
        infusion = self._infusion
        self._not_during_bolus()
        computed_pl = infusion.reservoir.computed_pl(infusion.delivery.accounted())
        if (
            infusion.modes.mode is not Mode.STOPPED
            or infusion.program is ProgramKind.STOPPED
            or not computed_pl
        ):
            raise self._state()
        strokes = strokes_per_day(self._flow(), self._config)
        return Plan(strokes, strokes * self._config.stroke_pl // 1000, 0, computed_pl // 1000)

    def _resume(self, txn: int, parameters: Message, plan: Plan) -> None:
        self._log.append(Code.RESUMED)
        self._start(self._clock.now_us())
        self._infusion.save()

    def _plan_clear(self, parameters: ClearAlarmParameters) -> Plan:
        standing = self._alarms.standing.get(parameters.code)
        if standing is None or standing.active:
            raise self._state(parameters.code)
        return Plan()

    def _clear(self, txn: int, parameters: ClearAlarmParameters, plan: Plan) -> None:
        self._alarms.clear(parameters.code)
        if parameters.code is Code.LOW_BATTERY_RESET and self._leave_minimum_rate():
            self._infusion.deliver(self._clock.now_us())
        self._infusion.save()

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

    def _flow(self) -> Flow:
        return self._infusion.basal_flow() if self._infusion.stored else ZERO

    def _not_during_bolus(self) -> None:
        bolus = self._infusion.dosing.current
        if bolus is not None:
            raise Refused(
                ErrorCode.BUSY_DELIVERING, 0, bolus.given_pl // 1000, bolus.total_pl // 1000
            )
        bridging = self._infusion.bridging
        if self._infusion.bridge_runs:
            given_nl, total_nl = bridging.given_pl // 1000, bridging.total_pl // 1000
            raise Refused(ErrorCode.BUSY_DELIVERING, 0, given_nl, total_nl)

    def _state(self, alarm: Code | None = None) -> Refused:
        return Refused(ErrorCode.STATE, self._infusion.modes.mode, alarm or 0)


_ACTS: Final[dict[TxnOp, tuple[Callable[..., Plan], Callable[..., Any]]]] = {
    TxnOp.PROGRAM: (Acts._plan_program, Acts._program),
    TxnOp.BOLUS: (Acts._plan_bolus, Acts._bolus),
    TxnOp.RESUME: (Acts._plan_resume, Acts._resume),
    TxnOp.REFILL: (Acts._plan_refill, Acts._refill),
    TxnOp.CLEAR_ALARM: (Acts._plan_clear, Acts._clear),
}
