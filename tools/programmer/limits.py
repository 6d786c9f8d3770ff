"""The programmer's own look at the drug limits, before the pump is asked.

It judges what is about to be sent by the pump's own table and functions, with what it has read from
the pump, and so can name the drug and say all that is wrong at once. The pump judges it again.
"""

from collections.abc import Sequence
from typing import Final

from firmware import limits
from firmware.drugs import find
from firmware.limits import Passed
from protocol.codes import RateBasis
from protocol.errors import ErrorCode, LimitId
from protocol.messages import BolusParameters, DeviceInfo, Drug, Refusal, Therapy
from tools.programmer import doses, refusals
from tools.programmer.errors import OutsideLimits

WORD: Final = "override"
"""What a person types to go beyond soft limits."""
_THOUSAND: Final = 1000
_TOO_LARGE: Final = "; a thousandth of it would be usual: was mg typed for ug?"
_TOO_SMALL: Final = "; a thousand times as much would be usual: was ug typed for mg?"


def of_program(pending: Therapy, current: Therapy | None, device: DeviceInfo) -> list[Passed]:
    """Return the limits that a prescription passes."""
    return limits.program_limits(pending, current, device.minimum_rate_pl_h)


def of_bolus(parameters: BolusParameters, therapy: Therapy, device: DeviceInfo) -> list[Passed]:
    """Return the limits that a bolus passes by itself.

    The pump counts those of the last 24 h with it.
    """
    if parameters.basis is RateBasis.MASS_PG and not therapy.drugs[0].concentration_pg_ml:
        return []
    strokes = doses.volume_pl(therapy, parameters.basis, parameters.amount) // device.stroke_pl
    return limits.bolus_limits(therapy, strokes * device.stroke_pl, 0, device.minimum_rate_pl_h)


def check(passed: Sequence[Passed], therapy: Therapy, override: bool, where: str = "") -> list[str]:
    """Return the soft limits that are passed on purpose, a line each. Raises OutsideLimits.

    `where` is what the message begins with.
    """
    check_hard(passed, therapy, where)
    if passed and not override:
        raise _outside(ErrorCode.LIMIT_SOFT, passed, therapy, where)
    return [_line(sentence(one, therapy.drugs)) for one in passed]


def check_hard(passed: Sequence[Passed], therapy: Therapy, where: str = "") -> None:
    """Raise OutsideLimits where a hard limit is passed."""
    if hard := [one for one in passed if one.hard]:
        raise _outside(ErrorCode.LIMIT_HARD, hard, therapy, where)


def beyond(refusal: Refusal) -> str:
    """Return the line for a soft limit that only the pump could know of."""
    return _line(refusals.limit_sentence(refusal))


def _line(words: str) -> str:
    return f"! beyond a soft limit: {words}"


def _outside(
    code: ErrorCode, passed: Sequence[Passed], therapy: Therapy, where: str
) -> OutsideLimits:
    first = passed[0]
    words = where + "; ".join(sentence(one, therapy.drugs) for one in passed)
    return OutsideLimits(code, Refusal(first.id, first.value, first.limit), words)


def sentence(passed: Passed, drugs: tuple[Drug, ...]) -> str:
    """Return what is passed, in words; names the drug, and a likely mistake of unit."""
    words = refusals.limit_sentence(Refusal(passed.id, passed.value, passed.limit))
    if not passed.drug:
        return words
    drug = drugs[passed.drug - 1]
    return f"{drug.name}: {words}{_unit_mistake(passed, drug)}"


def _unit_mistake(passed: Passed, drug: Drug) -> str:
    row = find(drug.name)
    if row is None or not passed.hard:
        return ""
    value = passed.value
    if passed.id is LimitId.DOSE_PER_DAY_PG:
        usual = row.day_soft_pg.value * _THOUSAND
        return _TOO_LARGE if usual // 100 <= value <= usual else ""
    low, high = row.concentration_min_pg_ml.value, row.concentration_max_pg_ml.value
    if passed.id is LimitId.CONCENTRATION_PG_ML and low * _THOUSAND <= value <= high * _THOUSAND:
        return _TOO_LARGE
    if passed.id is LimitId.CONCENTRATION_PG_ML and low <= value * _THOUSAND <= high:
        return _TOO_SMALL
    return ""
