"""Rates as exact ratios: picolitres per microsecond, never rounded.

A rate is kept as it was given (mass per day and mass per millilitre, or volume per time) and its
volume per time is the exact ratio of two integers.
"""

from math import gcd
from typing import Final, NamedTuple

from protocol.codes import RateBasis, RatePer
from protocol.messages import Drug, Rate

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
_PER_US: Final = {RatePer.HOUR: HOUR_US, RatePer.DAY: DAY_US}
_PL_PER_ML: Final = 10**9
_U64: Final = 1 << 64


class Flow(NamedTuple):
    """`numerator / denominator` pL per µs, in lowest terms; numerator >= 0, denominator >= 1."""

    numerator: int
    denominator: int


ZERO: Final = Flow(0, 1)


def flow(numerator: int, denominator: int) -> Flow:
    """Return the ratio in lowest terms."""
    divisor = gcd(numerator, denominator)
    return Flow(numerator // divisor, denominator // divisor)


def from_rate(rate: Rate, drugs: tuple[Drug, ...]) -> Flow:
    """Return a prescribed rate's flow; a mass is the first drug's (concentration > 0)."""
    period_us = _PER_US[rate.per]
    if rate.basis is RateBasis.VOLUME_PL:
        return flow(rate.amount, period_us)
    return flow(rate.amount * _PL_PER_ML, drugs[0].concentration_pg_ml * period_us)


def per_hour(pl_h: int) -> Flow:
    """Return the flow of so many pL per hour."""
    return flow(pl_h, HOUR_US)


def volume_pl(basis: RateBasis, amount: int, drugs: tuple[Drug, ...]) -> tuple[int, int]:
    """Return a dose's volume as an exact ratio (numerator, denominator) in pL."""
    if basis is RateBasis.VOLUME_PL:
        return amount, 1
    return amount * _PL_PER_ML, drugs[0].concentration_pg_ml


def plus(a: Flow, b: Flow) -> Flow:
    """Return a + b."""
    return flow(
        a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator
    )


def minus(a: Flow, b: Flow) -> Flow:
    """Return a - b, but never below zero."""
    difference = a.numerator * b.denominator - b.numerator * a.denominator
    return flow(max(0, difference), a.denominator * b.denominator)


def exceeds(a: Flow, b: Flow) -> bool:
    """Return a > b, exactly."""
    return a.numerator * b.denominator > b.numerator * a.denominator


def ceil_pl_h(a: Flow) -> int:
    """Return the flow in pL per hour, rounded up."""
    return -(-a.numerator * HOUR_US // a.denominator)


def hourly_ratio(a: Flow) -> tuple[int, int]:
    """Return the flow as (pL, h), both in 64 bits: exact unless a term would not fit."""
    return _ratio(a, HOUR_US)


def daily_ratio(a: Flow) -> tuple[int, int]:
    """Return the flow as (pL, 24 h), both in 64 bits: exact unless a term would not fit."""
    return _ratio(a, DAY_US)


def _ratio(a: Flow, period_us: int) -> tuple[int, int]:
    numerator, denominator = flow(a.numerator * period_us, a.denominator)
    while numerator >= _U64 or denominator >= _U64:
        numerator, denominator = numerator >> 1, denominator >> 1
    return numerator, max(1, denominator)
