"""May the path be primed or bridged? The limits of both, as pure functions.

Each check raises `Refused` and changes nothing; what passes is returned ready to be done.
"""

from typing import NamedTuple

from firmware.checks import BolusPlan, Refused, check_limits, check_reserve
from firmware.device import DeviceConfig
from firmware.flow import Flow, ceil_pl_h, exceeds, per_hour
from firmware.limits import bridge_limits
from firmware.path import (
    Bridge,
    bridge,
    bridge_flow,
    path_pl,
    prime_flow,
    prime_pl,
    time_us,
    undelivered_pl,
)
from firmware.prescription import Stored
from firmware.program_checks import AHEAD_MAX_S
from protocol.codes import BolusKind
from protocol.errors import ErrorCode, LimitId
from protocol.messages import BolusParameters, Therapy

PRIMES = (BolusKind.PRIME, BolusKind.PRIME_CATHETER)
BRIDGE_MAX_S = AHEAD_MAX_S
"""A bridge of more than a year is a rate that nobody meant, where a pump's range begins at 0."""
_US_PER_S = 1_000_000


class BridgePlan(NamedTuple):
    """A bridge that may be given."""

    record: Bridge
    strokes: int
    duration_us: int


def check_form(parameters: BolusParameters) -> None:
    """Refuse a prime that says its own volume, and a prime or bridge that says its own time."""
    prime = parameters.kind in PRIMES
    if (prime and parameters.amount) or (
        (prime or parameters.kind is BolusKind.BRIDGE) and parameters.duration_us
    ):
        raise Refused(ErrorCode.MALFORMED)


def check_prime(
    parameters: BolusParameters, therapy: Therapy, reservoir_pl: int, config: DeviceConfig
) -> BolusPlan:
    """Check a prime; return it in whole strokes, no more than the path."""
    path = prime_pl(parameters.kind, therapy, config)
    strokes = path // config.stroke_pl
    if not strokes:
        raise Refused(ErrorCode.LIMIT_HARD, LimitId.PATH_NL, path // 1000, config.stroke_pl // 1000)
    if path > config.bolus_max_nl * 1000:
        raise Refused(
            ErrorCode.LIMIT_HARD, LimitId.BOLUS_VOLUME_NL, path // 1000, config.bolus_max_nl
        )
    check_reserve(strokes * config.stroke_pl, therapy, reservoir_pl)
    rate = prime_flow(config)
    return BolusPlan(strokes, rate, time_us(strokes * config.stroke_pl, rate))


def check_bridge(
    parameters: BolusParameters,
    stored: Stored,
    accounted: int,
    reservoir_pl: int,
    config: DeviceConfig,
) -> BridgePlan:
    """Check a bridge against path, flow and reserve. A change of concentration is remembered."""
    path = path_pl(stored.therapy, config)
    left_pl = undelivered_pl(path, stored.change, accounted, config.stroke_pl)
    if not left_pl:
        raise Refused(ErrorCode.LIMIT_HARD, LimitId.PATH_NL, 0, path // 1000)
    rate = bridge_flow(parameters.basis, parameters.amount, stored.change)
    _within_flow(rate, config)
    before = bridge_flow(parameters.basis, 0, stored.change)
    check_limits(bridge_limits(rate, before), parameters.override)
    check_reserve(left_pl, stored.therapy, reservoir_pl)
    record = bridge(rate, left_pl, accounted)
    duration_us = time_us(left_pl, record.flow)
    if duration_us > BRIDGE_MAX_S * _US_PER_S:
        raise Refused(
            ErrorCode.LIMIT_HARD, LimitId.BOLUS_DURATION_S, duration_us // _US_PER_S, BRIDGE_MAX_S
        )
    return BridgePlan(record, left_pl // config.stroke_pl, duration_us)


def _within_flow(rate: Flow, config: DeviceConfig) -> None:
    lowest, highest = config.flow_min_pl_h, config.flow_max_pl_h
    if exceeds(rate, per_hour(highest)):
        raise Refused(ErrorCode.LIMIT_HARD, LimitId.FLOW_MAX_PL_H, ceil_pl_h(rate), highest)
    if exceeds(per_hour(lowest), rate) or not rate.numerator:
        raise Refused(ErrorCode.LIMIT_HARD, LimitId.FLOW_MIN_PL_H, ceil_pl_h(rate), lowest)
