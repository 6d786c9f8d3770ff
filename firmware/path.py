"""The fluid path from reservoir to catheter tip: its volume, and what has to be done about it.

What leaves the pump leaves the tip one path volume later. So an empty path is primed: its volume is
pushed through quickly. And after a change of concentration the path still holds the old drug: a
bridge goes on at the rate that is right for the old concentration until the path has been emptied
of it, and only then the new program's rate is right at the tip.

    path   = pump tubing + implanted length × catheter volume per length
    prime  = the path, or the catheter alone where the tubing holds drug already, at most 1 mL/h
    bridge = bridging dose / old concentration, until the path less what left the pump since the
             change is owed

Everything is exact: whole picolitres and ratios of integers.
"""

from typing import Final

from firmware.device import DeviceConfig
from firmware.flow import DAY_US, HOUR_US, ZERO, Flow, flow, hourly_ratio, per_hour
from protocol.codec import Message, message, wire
from protocol.codes import BolusKind, RateBasis
from protocol.messages import Therapy

PRIME_PL_H: Final = 1_000_000_000
"""Fastest prime: 1 mL/h, as the worked cases of implantable rotor pumps have it."""
_UM_PER_CM: Final = 10_000
_PL_PER_ML: Final = 10**9


@message
class Change(Message):
    """The last change of concentration: what the path may still hold, and how it was given."""

    old_pg_ml: int = wire("Q", unit="pg/mL", doc="primary drug's concentration before; 0: none yet")
    rate_pl: int = wire("Q", unit="pL", doc="mean rate before, together with rate_h")
    rate_h: int = wire("Q", unit="h", doc="see rate_pl")
    accounted: int = wire("I", doc="strokes accounted for when the new solution was drawn first")


@message
class Bridge(Message):
    """A bridge that was committed; it is over when its transaction is, or nothing is owed."""

    txn: int = wire("Q", doc="its transaction; 0: none")
    rate_pl: int = wire("Q", unit="pL", doc="its rate, together with rate_h")
    rate_h: int = wire("Q", unit="h", doc="see rate_pl")
    volume_pl: int = wire("Q", unit="pL", doc="what it owes in all")
    accounted: int = wire("I", doc="strokes accounted for when it was committed")

    @property
    def flow(self) -> Flow:
        """Its rate."""
        return flow(self.rate_pl, self.rate_h * HOUR_US)

    def owed_pl(self, accounted: int, stroke_pl: int) -> int:
        """Return what it still owes; whatever left the pump since emptied the path as well."""
        return max(0, self.volume_pl - (accounted - self.accounted) * stroke_pl)


NO_CHANGE: Final = Change(0, 0, 1, 0)
NO_BRIDGE: Final = Bridge(0, 0, 1, 0, 0)


def catheter_pl(therapy: Therapy) -> int:
    """Return the implanted catheter's volume; 0 where it was not given."""
    return therapy.catheter_um * therapy.catheter_pl_cm // _UM_PER_CM


def path_pl(therapy: Therapy, config: DeviceConfig) -> int:
    """Return the volume between reservoir and tip; 0 where the catheter was not given.

    Half a path would be a wrong number that looks right.
    """
    catheter = catheter_pl(therapy)
    return config.tubing_nl * 1000 + catheter if catheter else 0


def prime_pl(kind: BolusKind, therapy: Therapy, config: DeviceConfig) -> int:
    """Return the volume of a PRIME or PRIME_CATHETER; 0 where the catheter was not given."""
    if kind is BolusKind.PRIME_CATHETER:
        return catheter_pl(therapy)
    return path_pl(therapy, config)


def prime_flow(config: DeviceConfig) -> Flow:
    """Return how fast to prime."""
    return per_hour(min(PRIME_PL_H, config.flow_max_pl_h))


def changed(old: Therapy, new: Therapy) -> bool:
    """Return True when the new primary drug is not the solution that the path holds."""
    return bool(old.drugs and new.drugs) and old.drugs[0] != new.drugs[0]


def change(old: Therapy, mean: Flow, accounted: int) -> Change:
    """Return what to remember of a therapy whose concentration changes.

    `mean` is its rate, averaged over what it repeats in; exact unless a term needs more than 64
    bits.
    """
    rate_pl, rate_h = hourly_ratio(mean)
    return Change(old.drugs[0].concentration_pg_ml, rate_pl, rate_h, accounted)


def bridge_flow(basis: RateBasis, per_day: int, before: Change) -> Flow:
    """Return the rate of a bridge: bridging dose / old concentration.

    `per_day` is the bridging dose, in pg or pL as `basis` says; 0 is the dose before the change.
    """
    if not per_day:
        return flow(before.rate_pl, before.rate_h * HOUR_US)
    if basis is RateBasis.VOLUME_PL:
        return flow(per_day, DAY_US)
    if not before.old_pg_ml:
        return ZERO
    return flow(per_day * _PL_PER_ML, before.old_pg_ml * DAY_US)


def undelivered_pl(path: int, before: Change, accounted: int, stroke_pl: int) -> int:
    """Return how much of a path of `path` pL the old solution still fills."""
    return max(0, path - (accounted - before.accounted) * stroke_pl)


def bridge(rate: Flow, volume_pl: int, accounted: int) -> Bridge:
    """Return the record of a bridge that would be committed now, without its transaction."""
    rate_pl, rate_h = hourly_ratio(rate)
    return Bridge(0, rate_pl, rate_h, volume_pl, accounted)


def time_us(volume_pl: int, rate: Flow) -> int:
    """Return the first whole microsecond at which a volume is owed. Needs a flow."""
    return -(-volume_pl * rate.denominator // rate.numerator)
