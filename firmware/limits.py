"""The drug limits of a prescription or bolus: every one that it passes, hard ones first.

The pump refuses by them; the programmer shows them before it asks. Both use these functions and the
table of `firmware.drugs`, with numbers they have each read for themselves. Reaching a limit is
allowed; passing it by any amount is not. A program that stops is never refused for its dose, nor is
one at minimum rate that gives no more than what runs: it must always be possible to give less. The
minimum rate of a pump that keeps a line open can be a large dose.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from firmware import daily
from firmware.drugs import CONCENTRATION_FACTOR, FLOW_JUMP_FACTOR, DrugLimits, Known, find
from firmware.flow import HOUR_US, Flow
from protocol.codes import ProgramKind
from protocol.errors import LimitId
from protocol.messages import Drug, Therapy

_PL_PER_ML: Final = 10**9
_QUIET: Final = (ProgramKind.STOPPED, ProgramKind.MINIMUM_RATE)


class Passed(NamedTuple):
    """A limit that would be passed."""

    id: LimitId
    hard: bool
    drug: int
    """Which of the mix, 1: the primary; 0: the whole."""
    value: int
    limit: int


def program_limits(new: Therapy, current: Therapy | None, minimum_rate_pl_h: int) -> list[Passed]:
    """Return the limits that a prescription passes; `current` is the one that it replaces."""
    found = _concentrations(new, current)
    before = None if current is None or current.program in _QUIET else current
    if not _less(new, before, minimum_rate_pl_h):
        if new.program not in _QUIET:
            found += _flow_jump(new, before, minimum_rate_pl_h)
        for row, drug, mix in _known(new):
            found += _doses(row, drug, mix, new, before, minimum_rate_pl_h)
    return _in_order(found)


def bolus_limits(
    therapy: Therapy, volume_pl: int, recent_pl: int, minimum_rate_pl_h: int
) -> list[Passed]:
    """Return the limits that a clinician's bolus passes.

    Counted with it are the program's largest 24 h and `recent_pl`, the boluses of the last 24 h.
    """
    total_pl = daily.program_most_pl(therapy, minimum_rate_pl_h) + volume_pl + recent_pl
    found = []
    for row, drug, mix in _known(therapy):
        found += _most(row, drug, _mass_pg(total_pl, mix))
    return _in_order(found)


def bridge_limits(rate: Flow, before: Flow) -> list[Passed]:
    """Return the limits that a bridge passes: it goes on with about the rate before."""
    now, then = (Fraction(*one) * HOUR_US for one in (rate, before))
    return _jump(now, then)


def _less(new: Therapy, before: Therapy | None, minimum_rate_pl_h: int) -> bool:
    """Is this a way to stop, or minimum rate with no more of any drug than what runs?"""
    if new.program is not ProgramKind.MINIMUM_RATE:
        return new.program is ProgramKind.STOPPED
    now = _means(new, minimum_rate_pl_h)
    then = {} if before is None else _means(before, minimum_rate_pl_h)
    return all(dose_pg <= then.get(name, 0) for name, dose_pg in now.items())


def _means(therapy: Therapy, minimum_rate_pl_h: int) -> dict[str, Fraction]:
    """Return the mean dose per 24 h of each drug of the table, pg."""
    mean_pl = daily.mean_pl(therapy, minimum_rate_pl_h)
    return {row.name: _mass_pg(mean_pl, mix) for row, _, mix in _known(therapy)}


def _in_order(found: list[Passed]) -> list[Passed]:
    return sorted(found, key=lambda passed: not passed.hard)


def _known(therapy: Therapy) -> Iterator[tuple[DrugLimits, int, int]]:
    """Yield the table's row, number in the mix and concentration of each drug.

    A drug that is listed twice under two spellings counts as one.
    """
    seen: dict[str, tuple[DrugLimits, int, int]] = {}
    for number, drug in enumerate(therapy.drugs, 1):
        if (row := find(drug.name)) is not None:
            _, first, mix = seen.get(row.name, (row, number, 0))
            seen[row.name] = row, first, mix + drug.concentration_pg_ml
    yield from seen.values()


def _mass_pg(volume_pl: Fraction, concentration_pg_ml: int) -> Fraction:
    return volume_pl * concentration_pg_ml / _PL_PER_ML


# --- concentration and flow ---------------------------------------------------------------------


def _concentrations(new: Therapy, current: Therapy | None) -> list[Passed]:
    """Judge each concentration that is not in the pump already."""
    unchanged = current.drugs if current is not None else ()
    found = []
    for number, drug in enumerate(new.drugs, 1):
        if (row := find(drug.name)) is not None and drug not in unchanged:
            found += _concentration(row, number, drug)
    return found


def _concentration(row: DrugLimits, number: int, drug: Drug) -> list[Passed]:
    value = drug.concentration_pg_ml
    low, high = row.concentration_min_pg_ml.value, row.concentration_max_pg_ml.value
    limit = low if value < low else high
    if low <= value <= high:
        return []
    hard = value * CONCENTRATION_FACTOR < low or value > high * CONCENTRATION_FACTOR
    return [Passed(LimitId.CONCENTRATION_PG_ML, hard, number, value, limit)]


def _flow_jump(new: Therapy, before: Therapy | None, minimum_rate_pl_h: int) -> list[Passed]:
    """An edited concentration that moves the flow out of reason was mistyped, or the old one was.

    A change that is meant is programmed in two steps, `stopped` with the new drug first.
    """
    if before is None or not before.drugs:
        return []
    drug, was = new.drugs[0], before.drugs[0]
    if drug.name != was.name or drug.concentration_pg_ml == was.concentration_pg_ml:
        return []
    now, then = (daily.mean_pl(one, minimum_rate_pl_h) / 24 for one in (new, before))
    return _jump(now, then)


def _jump(now_pl_h: Fraction, then_pl_h: Fraction) -> list[Passed]:
    """Judge a flow against the one it follows, where both are some."""
    highest, lowest = then_pl_h * FLOW_JUMP_FACTOR, then_pl_h / FLOW_JUMP_FACTOR
    if not now_pl_h or not then_pl_h or lowest <= now_pl_h <= highest:
        return []
    limit = highest if now_pl_h > highest else lowest
    return [Passed(LimitId.FLOW_JUMP_PL_H, True, 1, *_apart(now_pl_h, limit))]


# --- doses --------------------------------------------------------------------------------------


def _doses(
    row: DrugLimits, number: int, mix: int, new: Therapy, before: Therapy | None, minimum: int
) -> list[Passed]:
    """Judge the dose of one drug."""
    most = _mass_pg(daily.most_pl(new, minimum), mix)
    found = _most(row, number, most)
    had = next((old for known, _, old in _known(before) if known is row), 0) if before else 0
    if before is None or not had:
        return found + _above(LimitId.DOSE_START_PG, number, most, row.start_pg)
    added = most - _mass_pg(daily.most_pl(before, minimum), had)
    found += _above(LimitId.DOSE_STEP_PG, number, added, row.step_pg)
    now = _mass_pg(daily.mean_pl(new, minimum), mix)
    then = _mass_pg(daily.mean_pl(before, minimum), had)
    if then:
        percent = (now - then) * 100 / then
        found += _above(LimitId.DOSE_RISE_PERCENT, number, percent, row.rise_percent)
        found += _above(LimitId.DOSE_FALL_PERCENT, number, -percent, row.fall_percent)
    return found


def _most(row: DrugLimits, number: int, dose_pg: Fraction) -> list[Passed]:
    """Judge a dose per 24 h: the hard limit, else the soft one."""
    for hard, limit in ((True, row.day_hard_pg), (False, row.day_soft_pg)):
        if dose_pg > limit.value:
            value, bound = _apart(dose_pg, Fraction(limit.value))
            return [Passed(LimitId.DOSE_PER_DAY_PG, hard, number, value, bound)]
    return []


def _above(id_: LimitId, number: int, value: Fraction, limit: Known | None) -> list[Passed]:
    if limit is None or value <= limit.value:
        return []
    return [Passed(id_, False, number, *_apart(value, Fraction(limit.value)))]


def _apart(value: Fraction, limit: Fraction) -> tuple[int, int]:
    """Return both in whole units, rounded away from each other, so that they are never equal."""
    if value > limit:
        return -(-value.numerator // value.denominator), limit.numerator // limit.denominator
    return value.numerator // value.denominator, -(-limit.numerator // limit.denominator)
