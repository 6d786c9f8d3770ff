"""What a prescription gives in 24 hours: on the mean, and at most in any 24 hours. Exact.

Both are volumes, pL; a drug's dose is the volume times its concentration. The mean is that of the
program over its week or its interval. The most counts also what the patient may take. Drugs need a
concentration above 0; what is not a whole program gives what it gives, and is refused elsewhere.
"""

from fractions import Fraction
from itertools import pairwise
from typing import Final

from protocol.codes import LockoutFrom, ProgramKind, RateBasis, RatePer
from protocol.messages import Rate, Therapy

DAY_S: Final = 86_400
_DAY_MIN: Final = 1440
_WEEK_MIN: Final = 7 * _DAY_MIN
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
        return _Week(therapy).mean_pl()
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


def program_most_pl(therapy: Therapy, minimum_rate_pl_h: int) -> Fraction:
    """Return the most that the program alone gives in any 24 h, pL."""
    if therapy.program is ProgramKind.FLEX:
        return _Week(therapy).most_pl()
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


class _Week:
    """A flex program over one week, amount × minutes; the week repeats."""

    def __init__(self, therapy: Therapy) -> None:
        steps = sorted(
            (day * _DAY_MIN + step.from_min, step.amount)
            for step in therapy.steps
            for day in range(7)
            if step.days >> day & 1
        )
        last = steps[-1][1] if steps else 0
        self._steps = [(0, last), *steps]
        """From which minute on how much; before the first step the last one of the week rules."""
        self._unit_pl = _rate_pl(therapy, Rate(therapy.rate.basis, therapy.rate.per, 1)) / _DAY_MIN

    def mean_pl(self) -> Fraction:
        return self._until(_WEEK_MIN) * self._unit_pl / 7

    def most_pl(self) -> Fraction:
        """The largest window of 24 h begins or ends where the rate changes."""
        starts = [at for at, _ in self._steps]
        starts += [(at - _DAY_MIN) % _WEEK_MIN for at in starts]
        return max(self._until(at + _DAY_MIN) - self._until(at) for at in starts) * self._unit_pl

    def _until(self, minute: int) -> int:
        """Return amount × minutes from Monday 00:00 until a minute of this week or the next."""
        weeks, rest = divmod(minute, _WEEK_MIN)
        return weeks * self._within(_WEEK_MIN) + self._within(rest)

    def _within(self, minute: int) -> int:
        ends = [*self._steps, (_WEEK_MIN, 0)]
        return sum(
            amount * (min(until, minute) - at)
            for (at, amount), (until, _) in pairwise(ends)
            if at < minute
        )
