"""May this be done? Every limit the pump itself enforces, as pure functions.

Each check raises `Refused` with the first refusal that applies and changes nothing. What passes is
returned in the pump's own terms, ready to be done.
"""

from typing import NamedTuple

from firmware.bolus import bolus_flow
from firmware.device import DeviceConfig
from firmware.flow import (
    DAY_US,
    Flow,
    ceil_pl_h,
    exceeds,
    minus,
    per_hour,
    plus,
    volume_pl,
)
from firmware.limits import Passed
from protocol.codes import RateBasis
from protocol.errors import ErrorCode, LimitId
from protocol.messages import Therapy

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


def check_limits(passed: list[Passed], override: int) -> tuple[Passed, ...]:
    """Refuse what passes a drug's limit; return the soft ones that the override lets pass."""
    for one in passed:
        if one.hard or not override:
            code = ErrorCode.LIMIT_HARD if one.hard else ErrorCode.LIMIT_SOFT
            raise Refused(code, one.id, one.value, one.limit)
    return tuple(passed)


def plan_bolus(
    basis: RateBasis,
    amount: int,
    duration_us: int,
    therapy: Therapy,
    basal: Flow,
    config: DeviceConfig,
) -> BolusPlan:
    """Return what would be given, in whole strokes; its volume and flow are not judged yet.

    `basal` flows beside it. Without a duration it runs as fast as the pump can; refused where the
    basal leaves it no flow.
    """
    if basis is RateBasis.MASS_PG and not therapy.drugs:
        raise Refused(ErrorCode.MALFORMED)
    numerator, denominator = volume_pl(basis, amount, therapy.drugs)
    strokes = numerator // (denominator * config.stroke_pl)
    if duration_us:
        return BolusPlan(strokes, bolus_flow(strokes, config.stroke_pl, duration_us), duration_us)
    bolus = minus(per_hour(config.flow_max_pl_h), basal)
    if not bolus.numerator:
        raise Refused(
            ErrorCode.LIMIT_HARD, LimitId.FLOW_MAX_PL_H, ceil_pl_h(basal), config.flow_max_pl_h
        )
    volume = strokes * config.stroke_pl * bolus.denominator
    return BolusPlan(strokes, bolus, -(-volume // bolus.numerator))


def check_reserve(volume_pl: int, therapy: Therapy, reservoir_pl: int) -> None:
    """Refuse a dose that would be taken from the reserve."""
    left_pl = reservoir_pl - volume_pl
    if left_pl < therapy.low_reservoir_nl * 1000:
        raise Refused(
            ErrorCode.LIMIT_HARD,
            LimitId.LOW_RESERVOIR_NL,
            max(0, left_pl) // 1000,
            therapy.low_reservoir_nl,
        )


def check_beside(bolus: Flow, basal: Flow, config: DeviceConfig) -> None:
    """Refuse a bolus that with the basal beside it is more than the pump can give."""
    both = plus(bolus, basal)
    if exceeds(both, per_hour(config.flow_max_pl_h)):
        raise Refused(
            ErrorCode.LIMIT_HARD, LimitId.FLOW_MAX_PL_H, ceil_pl_h(both), config.flow_max_pl_h
        )


def check_bolus(
    plan: BolusPlan,
    wanted: tuple[RateBasis, int],
    therapy: Therapy,
    basal: Flow,
    reservoir_pl: int,
    config: DeviceConfig,
) -> None:
    """Check a bolus of so much, as it was planned, against volume, reserve and flow."""
    strokes = plan.strokes
    numerator, denominator = volume_pl(*wanted, therapy.drugs)
    volume_nl = numerator // denominator // 1000
    if strokes < 1:
        raise Refused(
            ErrorCode.LIMIT_HARD, LimitId.BOLUS_VOLUME_NL, volume_nl, config.stroke_pl // 1000
        )
    if numerator > config.bolus_max_nl * 1000 * denominator:
        raise Refused(ErrorCode.LIMIT_HARD, LimitId.BOLUS_VOLUME_NL, volume_nl, config.bolus_max_nl)
    check_reserve(strokes * config.stroke_pl, therapy, reservoir_pl)
    check_beside(plan.flow, basal, config)
    if plan.duration_us > DAY_US:
        raise Refused(
            ErrorCode.LIMIT_HARD,
            LimitId.BOLUS_DURATION_S,
            plan.duration_us // _US_PER_S,
            DAY_US // _US_PER_S,
        )
