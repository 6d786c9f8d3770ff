"""A bolus asked for: its checks in the order in which they refuse, and its beginning.

The first that applies is said: STATE, BUSY_DELIVERING, LOCKOUT, WINDOW_MAX, LIMIT_HARD, LIMIT_SOFT,
DUPLICATE_INTENT. To what comes before them, MALFORMED, DENIED and GENERATION, the transaction has
seen.
"""

from collections.abc import Callable
from dataclasses import replace

from firmware.alarms import AlarmManager
from firmware.bolus import REPEAT_GUARD_US, Bolus
from firmware.checks import (
    BolusPlan,
    Refused,
    check_beside,
    check_bolus,
    check_limits,
    plan_bolus,
)
from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.flow import ZERO, exceeds
from firmware.grants import check_lockout, granted
from firmware.infusion import Infusion
from firmware.limits import Passed, bolus_limits
from firmware.path import NO_CHANGE
from firmware.path_checks import PRIMES, check_bridge, check_prime
from firmware.plan import Plan
from firmware.prescription import Stored
from firmware.primed import primed_limits
from hal.board import Board
from protocol.codes import BolusBasal, BolusKind, Code, Mode, Role
from protocol.errors import ErrorCode
from protocol.messages import BolusParameters, Therapy

_US_PER_S = 1_000_000
_READY = (Mode.BASAL, Mode.MINIMUM_RATE, Mode.BOLUS, Mode.PRIME, Mode.BRIDGE)
"""In the last three another dose runs: busy, not in the wrong state."""


def state(infusion: Infusion, alarm: Code | None = None) -> Refused:
    """Return the refusal of what the pump is in no state for."""
    return Refused(ErrorCode.STATE, infusion.modes.mode, alarm or 0)


def not_during_dose(infusion: Infusion) -> None:
    """Refuse while a bolus or a bridge runs: nothing is voided silently."""
    bolus, bridging = infusion.dosing.current, infusion.bridging
    if bolus is not None:
        given_pl, total_pl = bolus.given_pl, bolus.total_pl
    elif infusion.bridge_runs:
        given_pl, total_pl = bridging.given_pl, bridging.total_pl
    else:
        return
    raise Refused(ErrorCode.BUSY_DELIVERING, 0, given_pl // 1000, total_pl // 1000)


def room_beside_doses(infusion: Infusion, wall_s: int, now_us: int, config: DeviceConfig) -> None:
    """Refuse a clock by which the basal would leave a bolus that runs, or waits, no room."""
    dosing = infusion.dosing
    if not dosing.running:
        return
    most = infusion.most_at(wall_s * _US_PER_S, max(0, dosing.last_us - now_us))
    for bolus in (dosing.current, dosing.suspended):
        if bolus is not None and bolus.cut_short is None and not bolus.pauses_basal:
            check_beside(bolus.flow, most, config)


class BolusActs:
    """Plans and begins boluses, primes and bridges."""

    def __init__(
        self,
        board: Board,
        config: DeviceConfig,
        infusion: Infusion,
        log: EventLog,
        alarms: AlarmManager,
        next_stored: Callable[[Therapy, None], Stored],
    ) -> None:
        """`next_stored` returns the next generation of what is stored, the fill as it is."""
        self._clock = board.clock
        self._config = config
        self._infusion = infusion
        self._log = log
        self._alarms = alarms
        self._next_stored = next_stored

    def permit(self, role: Role, parameters: BolusParameters) -> None:
        """Refuse MALFORMED what cannot be a bolus, DENIED what the role may not ask for."""
        if role is Role.PATIENT and parameters.kind is not BolusKind.PATIENT:
            raise Refused(ErrorCode.DENIED)
        prescribed = self._infusion.prescribed
        if prescribed is not None:
            granted(parameters, prescribed.therapy)

    def plan(self, parameters: BolusParameters) -> Plan:
        """Check; return what would be given. Raises Refused."""
        infusion = self._infusion
        prescribed = infusion.prescribed
        if infusion.modes.mode not in _READY or prescribed is None:
            raise state(infusion)
        level = infusion.level
        bridge = parameters.kind is BolusKind.BRIDGE
        blocking = self._alarms.blocking(level.program_ignores if bridge else ())
        if blocking is not None:
            raise state(infusion, blocking)
        now_us = self._clock.now_us()
        suspends = self._suspends(parameters.kind, now_us)
        if suspends is None:
            not_during_dose(infusion)
        if bridge:
            return self._plan_bridge(parameters, prescribed)
        accounted = infusion.delivery.accounted()
        computed_pl, lower_pl = infusion.reservoir.computed_pl(accounted), level.lower_pl(accounted)
        if parameters.kind in PRIMES:
            bolus = check_prime(parameters, prescribed.therapy, lower_pl, self._config)
            limits = primed_limits(self._log, parameters.kind, prescribed.therapy, self._config)
            passed = check_limits(limits, parameters.override)
            return self._plan(bolus, computed_pl)._replace(passed=passed)
        if suspends is not None:
            owed_pl = suspends.total_pl - suspends.given_pl
            computed_pl, lower_pl = computed_pl - owed_pl, lower_pl - owed_pl
        bolus = self._plan_dose(parameters, prescribed.therapy, suspends, lower_pl, now_us)
        beside_pl = 0 if suspends is None else suspends.total_pl
        limits = self._drug_limits(prescribed.therapy, bolus, beside_pl, now_us)
        if parameters.kind is BolusKind.PATIENT:
            # His soft limits were passed with the prescription; no hard one ever is.
            check_limits([one for one in limits if one.hard], 0)
            return self._plan(bolus, computed_pl)
        passed = check_limits(limits, parameters.override)
        self._not_by_mistake(bolus.strokes, parameters, now_us)
        return self._plan(bolus, computed_pl)._replace(passed=passed)

    def perform(self, txn: int, parameters: BolusParameters, plan: Plan) -> None:
        """Begin what was planned and is committed now."""
        now_us = self._clock.now_us()
        if plan.stored is not None:
            self._infusion.start_bridge(plan.stored, now_us)
            return
        assert plan.bolus is not None
        self._infusion.start_bolus(parameters.kind, txn, plan.bolus, now_us)

    # --- doses ----------------------------------------------------------------------------------

    def _suspends(self, kind: BolusKind, now_us: int) -> Bolus | None:
        """Return the bolus that would be suspended for one of this kind."""
        dosing = self._infusion.dosing
        gives_way = kind is BolusKind.PATIENT and dosing.gives_way
        return dosing.given(now_us) if gives_way else None

    def _plan_dose(
        self,
        parameters: BolusParameters,
        therapy: Therapy,
        suspends: Bolus | None,
        lower_pl: int,
        now_us: int,
    ) -> BolusPlan:
        infusion, config = self._infusion, self._config
        if parameters.kind is BolusKind.PATIENT:
            check_lockout(infusion.doses, now_us)
        asked = granted(parameters, therapy)
        paused = therapy.bolus_basal is BolusBasal.PAUSE
        basal = ZERO if paused else infusion.basal_flow()
        bolus = plan_bolus(asked.basis, asked.amount, asked.duration_us, therapy, basal, config)
        # The basal may rise while it runs; beside the higher one it may last longer still.
        while not paused and exceeds(most := infusion.most(now_us, bolus.duration_us), basal):
            basal = most
            bolus = plan_bolus(asked.basis, asked.amount, asked.duration_us, therapy, basal, config)
        assert infusion.stored is not None
        infusion.window.check_dose(infusion.stored, bolus, now_us, suspends)
        check_bolus(bolus, (asked.basis, asked.amount), therapy, basal, lower_pl, config)
        if suspends is not None and not suspends.pauses_basal:
            # What is suspended comes later than planned: perhaps beside a higher basal.
            rest_us = bolus.duration_us + suspends.end_us - now_us
            check_beside(suspends.flow, infusion.most(now_us, rest_us), config)
        return bolus

    def _plan(self, bolus: BolusPlan, computed_pl: int) -> Plan:
        volume_pl = bolus.strokes * self._config.stroke_pl
        left_nl = (computed_pl - volume_pl) // 1000
        return Plan(bolus.strokes, volume_pl // 1000, bolus.duration_us, left_nl, bolus=bolus)

    def _drug_limits(
        self, therapy: Therapy, bolus: BolusPlan, beside_pl: int, now_us: int
    ) -> list[Passed]:
        """Return what it passes with the boluses of the last 24 h, and `beside_pl` that runs."""
        volume_pl = bolus.strokes * self._config.stroke_pl
        recent_pl = -(-self._infusion.doses.extra_24h_pl(now_us) // 1) + beside_pl
        return bolus_limits(therapy, volume_pl, recent_pl, self._config.minimum_rate_pl_h)

    def _not_by_mistake(self, strokes: int, parameters: BolusParameters, now_us: int) -> None:
        """A like dose within minutes is what a tool that crashed would ask for again."""
        volume_nl = strokes * self._config.stroke_pl // 1000
        since_us = self._infusion.doses.since_like_us(volume_nl, now_us)
        if since_us is not None and not parameters.again:
            raise Refused(
                ErrorCode.DUPLICATE_INTENT, 0, since_us // _US_PER_S, REPEAT_GUARD_US // _US_PER_S
            )

    # --- bridge ---------------------------------------------------------------------------------

    def _plan_bridge(self, parameters: BolusParameters, now: Stored) -> Plan:
        if now.change == NO_CHANGE:
            raise state(self._infusion)
        infusion = self._infusion
        accounted = infusion.delivery.accounted()
        record, strokes, duration_us = check_bridge(
            parameters, now, accounted, infusion.level.usable_pl(accounted), self._config
        )
        stored = replace(self._next_stored(now.therapy, None), bridge=record)
        left_nl = (infusion.reservoir.computed_pl(accounted) - record.volume_pl) // 1000
        return Plan(strokes, record.volume_pl // 1000, duration_us, left_nl, stored)
