"""What a prescription gives in 24 hours: on the mean, and at most in any 24 hours. Exact.

Both are volumes, pL; a drug's dose is the volume times its concentration. The mean is that of the
program over its week or its interval. The most counts also what the patient may take. Drugs need a
concentration above 0; what is not a whole program gives what it gives, and is refused elsewhere.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Final

from firmware.flow import DAY_US
from firmware.program import DAY_S, Program, flex_edges, week_s
from protocol.codes import LockoutFrom, ProgramKind, RateBasis, RatePer
from protocol.messages import Rate, Therapy

_US_PER_S: Final = 1_000_000
_PL_PER_ML: Final = 10**9
_PER_DAY: Final = {RatePer.HOUR: 24, RatePer.DAY: 1}
NONE: Final = Fraction(0)


def mean_pl(therapy: Therapy, minimum_rate_pl_h: int) -> Fraction:
    """Return what the program gives per 24 h on the mean, pL; patient boluses are not counted."""
    if therapy.program is ProgramKind.MINIMUM_RATE:
        return Fraction(minimum_rate_pl_h * 24)
    if therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
        return _rate_pl(therapy, therapy.rate)
    if therapy.program is ProgramKind.FLEX:
        week = _week(therapy)
        return Fraction(*week.mean) * DAY_US if week else NONE
    if therapy.program is ProgramKind.PERIODIC:
        every_s = therapy.periodic.every_s
        return _periodic_pl(therapy, Fraction(DAY_S, every_s) if every_s else NONE)
    return NONE


def most_pl(therapy: Therapy, minimum_rate_pl_h: int) -> Fraction:
    """Return the most that any 24 h can bring, pL: program and patient boluses."""
    program = program_most_pl(therapy, minimum_rate_pl_h)
    both = program + _patient_pl(therapy)
    if not therapy.window_nl or not therapy.window_s:
        return both
    windows = -(-DAY_S // therapy.window_s)
    return max(program, min(both, Fraction(windows * therapy.window_nl * 1000)))


@lru_cache(maxsize=2)
def program_most_pl(therapy: Therapy, minimum_rate_pl_h: int) -> Fraction:
    """Return the most that the program alone gives in any 24 h, pL."""
    if therapy.program is ProgramKind.FLEX:
        week = _week(therapy)
        return largest_pl(week, DAY_US) if week else NONE
    if therapy.program is ProgramKind.PERIODIC and therapy.periodic.every_s:
        return _periodic_pl(therapy, Fraction(-(-DAY_S // therapy.periodic.every_s)))
    return mean_pl(therapy, minimum_rate_pl_h)


def _rate_pl(therapy: Therapy, rate: Rate) -> Fraction:
    return _volume_pl(therapy, rate.basis, rate.amount) * _PER_DAY[rate.per]


def _volume_pl(therapy: Therapy, basis: RateBasis, amount: int) -> Fraction:
    if basis is RateBasis.VOLUME_PL:
        return Fraction(amount)
    return Fraction(amount * _PL_PER_ML, therapy.drugs[0].concentration_pg_ml)


def _periodic_pl(therapy: Therapy, boluses: Fraction) -> Fraction:
    """Return what so many boluses bring in 24 h, and the background between them."""
    periodic = therapy.periodic
    given = _volume_pl(therapy, periodic.basis, periodic.amount) * boluses
    pause_s = periodic.over_s * boluses if periodic.amount else NONE
    between = max(NONE, 1 - pause_s / DAY_S)
    return given + _rate_pl(therapy, therapy.rate) * between


def _patient_pl(therapy: Therapy) -> Fraction:
    """Return what the patient may take in 24 h; without a maximum as often as the lockout lets."""
    patient = therapy.patient
    if not patient.amount:
        return NONE
    boluses = patient.max_per_24h
    if not boluses:
        from_end = patient.lockout_from is LockoutFrom.END
        both_s = patient.lockout_s + patient.over_s
        cycle_s = both_s if from_end else max(patient.lockout_s, patient.over_s)
        boluses = -(-DAY_S // max(1, cycle_s))
    return boluses * _volume_pl(therapy, patient.basis, patient.amount)


def _week(therapy: Therapy) -> Program | None:
    """Return the flex program; None while it has no steps on any day."""
    edges = list(flex_edges(therapy))
    return Program(edges) if edges else None


def largest_pl(program: Program, window_us: int) -> Fraction:
    """Return the most in any window of a week: one that begins or ends where the rate changes."""
    volumes = []
    for start_s in program.starts:
        edge_us = (start_s - week_s(0)) * _US_PER_S
        for from_us in (edge_us, edge_us - window_us):
            volumes.append(Fraction(*program.volume_pl(from_us, from_us + window_us)))
    return max(volumes)
