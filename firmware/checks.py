"""May this be done? Every limit the pump itself enforces, as pure functions.

Each check raises `Refused` with the first refusal that applies and changes nothing. What passes is
returned in the pump's own terms, ready to be done.
"""

from typing import NamedTuple

from firmware.bolus import bolus_flow
from firmware.device import DeviceConfig
from firmware.flow import (
    DAY_US,
    HOUR_US,
    ZERO,
    Flow,
    ceil_pl_h,
    exceeds,
    from_rate,
    minus,
    per_hour,
    plus,
    volume_pl,
)
from firmware.limits import Passed
from protocol.codes import BolusBasal, ProgramKind, RateBasis
from protocol.errors import ErrorCode, LimitId
from protocol.messages import FILL_NOT_TOLD, BolusParameters, ProgramParameters, Therapy

_US_PER_S = 1_000_000
_U64 = (1 << 64) - 1


class Refused(Exception):
    """A command is refused; nothing changed."""

    def __init__(self, code: ErrorCode, id_: int = 0, value: int = 0, limit: int = 0) -> None:
        """`id_`, `value` and `limit` are the wire's Refusal; a value beyond its 64 bits is clipped.

        What is refused can be any product of numbers that a tool may send.
        """
        super().__init__(code.name)
        self.code = code
        self.id = id_
        self.value = min(value, _U64)
        self.limit = limit


class BolusPlan(NamedTuple):
    """A bolus that may be given."""

    strokes: int
    flow: Flow
    duration_us: int


def program_flow(therapy: Therapy, config: DeviceConfig) -> Flow:
    """Return the exact flow a prescription asks for."""
    if therapy.program is ProgramKind.MINIMUM_RATE:
        return per_hour(config.minimum_rate_pl_h)
    if therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
        return from_rate(therapy.rate, therapy.drugs)
    return ZERO


def strokes_per_day(flow: Flow, config: DeviceConfig) -> int:
    """Return the nearest whole number of strokes per 24 h: what can be achieved."""
    per_stroke = flow.denominator * config.stroke_pl
    return (2 * flow.numerator * DAY_US + per_stroke) // (2 * per_stroke)


def check_program(parameters: ProgramParameters, config: DeviceConfig) -> Flow:
    """Check a whole prescription; return its flow."""
    therapy = parameters.therapy
    _check_form(therapy)
    flow = program_flow(therapy, config)
    if therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
        _check_flow(flow, config)
    if therapy.low_reservoir_nl >= config.capacity_nl:
        raise Refused(
            ErrorCode.LIMIT_HARD,
            LimitId.LOW_RESERVOIR_NL,
            therapy.low_reservoir_nl,
            config.capacity_nl,
        )
    if parameters.fill_nl != FILL_NOT_TOLD:
        check_fill(parameters.fill_nl, config)
    return flow


def check_fill(fill_nl: int, config: DeviceConfig) -> None:
    """Check a volume said to be in the reservoir."""
    if fill_nl > config.capacity_nl:
        raise Refused(ErrorCode.LIMIT_HARD, LimitId.RESERVOIR_NL, fill_nl, config.capacity_nl)


def check_limits(passed: list[Passed], override: int) -> tuple[Passed, ...]:
    """Refuse what passes a drug's limit; return the soft ones that the override lets pass."""
    for one in passed:
        if one.hard or not override:
            code = ErrorCode.LIMIT_HARD if one.hard else ErrorCode.LIMIT_SOFT
            raise Refused(code, one.id, one.value, one.limit)
    return tuple(passed)


def check_bolus(
    parameters: BolusParameters,
    therapy: Therapy,
    basal: Flow,
    computed_pl: int,
    config: DeviceConfig,
) -> BolusPlan:
    """Check a bolus against volume, reserve and flow; return what would be given."""
    if parameters.basis is RateBasis.MASS_PG and not therapy.drugs:
        raise Refused(ErrorCode.MALFORMED)
    numerator, denominator = volume_pl(parameters.basis, parameters.amount, therapy.drugs)
    volume_nl = numerator // denominator // 1000
    strokes = numerator // (denominator * config.stroke_pl)
    if strokes < 1:
        raise Refused(
            ErrorCode.LIMIT_HARD, LimitId.BOLUS_VOLUME_NL, volume_nl, config.stroke_pl // 1000
        )
    if numerator > config.bolus_max_nl * 1000 * denominator:
        raise Refused(ErrorCode.LIMIT_HARD, LimitId.BOLUS_VOLUME_NL, volume_nl, config.bolus_max_nl)
    given_pl = strokes * config.stroke_pl
    if computed_pl - given_pl < therapy.low_reservoir_nl * 1000:
        left_nl = max(0, computed_pl - given_pl) // 1000
        raise Refused(
            ErrorCode.LIMIT_HARD, LimitId.LOW_RESERVOIR_NL, left_nl, therapy.low_reservoir_nl
        )
    paused = therapy.bolus_basal is BolusBasal.PAUSE
    return _bolus_plan(strokes, parameters.duration_us, ZERO if paused else basal, config)


def _bolus_plan(strokes: int, duration_us: int, basal: Flow, config: DeviceConfig) -> BolusPlan:
    maximum = per_hour(config.flow_max_pl_h)
    if duration_us:
        bolus = bolus_flow(strokes, config.stroke_pl, duration_us)
        if exceeds(plus(bolus, basal), maximum):
            raise Refused(
                ErrorCode.LIMIT_HARD,
                LimitId.FLOW_MAX_PL_H,
                ceil_pl_h(plus(bolus, basal)),
                config.flow_max_pl_h,
            )
        return _within_a_day(BolusPlan(strokes, bolus, duration_us))
    bolus = minus(maximum, basal)
    if not bolus.numerator:
        raise Refused(
            ErrorCode.LIMIT_HARD, LimitId.FLOW_MAX_PL_H, ceil_pl_h(basal), config.flow_max_pl_h
        )
    volume = strokes * config.stroke_pl * bolus.denominator
    return _within_a_day(BolusPlan(strokes, bolus, -(-volume // bolus.numerator)))


def _within_a_day(plan: BolusPlan) -> BolusPlan:
    if plan.duration_us > DAY_US:
        raise Refused(
            ErrorCode.LIMIT_HARD,
            LimitId.BOLUS_DURATION_S,
            plan.duration_us // _US_PER_S,
            DAY_US // _US_PER_S,
        )
    return plan


def _check_form(therapy: Therapy) -> None:
    """A prescription names 1 to 5 drugs, each with a concentration, and one rate or none."""
    if not therapy.drugs or any(not drug.concentration_pg_ml for drug in therapy.drugs):
        raise Refused(ErrorCode.MALFORMED)
    if therapy.program is not ProgramKind.SIMPLE_CONTINUOUS and therapy.rate.amount:
        raise Refused(ErrorCode.MALFORMED)


def _check_flow(flow: Flow, config: DeviceConfig) -> None:
    for limit_id, limit_pl_h, broken in (
        (
            LimitId.FLOW_MIN_PL_H,
            config.flow_min_pl_h,
            exceeds(per_hour(config.flow_min_pl_h), flow),
        ),
        (
            LimitId.FLOW_MAX_PL_H,
            config.flow_max_pl_h,
            exceeds(flow, per_hour(config.flow_max_pl_h)),
        ),
    ):
        if broken:
            value_pl_h = flow.numerator * HOUR_US // flow.denominator
            raise Refused(ErrorCode.LIMIT_HARD, limit_id, value_pl_h, limit_pl_h)
