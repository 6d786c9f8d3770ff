"""What setting the wall clock does to the dose: hours of the schedule skipped or given again.

Two things go by the wall clock: the steps of a flex program and the instant of a scheduled change.
Whatever else the pump gives, lockouts, windows and periodic boluses, goes by time that passes, and
a clock does not move it. So the dose over any time is the integral of what is prescribed between
two readings of the clock, and the effect on the next 24 h is the difference of two such integrals,
exact. A scheduled periodic program counts at its mean. It is what is prescribed, whether or not the
pump delivers.
"""

from fractions import Fraction
from typing import Final, NamedTuple

from protocol.codes import ProgramKind
from protocol.messages import DeviceInfo, PrescriptionInfo, Therapy
from tools.programmer import doses
from tools.programmer import format as text

_DAY_S: Final = 86_400
_MINUTE_S: Final = 60
_WEEK_S: Final = 7 * _DAY_S
_MONDAY_S: Final = 5 * _DAY_S
"""2000-01-01 was a Saturday: so long after a Monday began the pump's wall clock."""


class Prescribed(NamedTuple):
    """What a pump is to give, by the wall clock."""

    therapy: Therapy
    scheduled: PrescriptionInfo | None
    """Change that takes over at its instant; None: there is none."""
    device: DeviceInfo

    def volume_pl(self, from_s: int, to_s: int) -> Fraction:
        """Return the volume between two readings of the clock."""
        if self.scheduled is None:
            return _volume_pl(self.therapy, self.device, from_s, to_s)
        at_s = min(max(from_s, self.scheduled.pending_wall_s), to_s)
        first_pl = _volume_pl(self.therapy, self.device, from_s, at_s)
        return first_pl + _volume_pl(self.scheduled.therapy, self.device, at_s, to_s)


class Effect(NamedTuple):
    """What a new wall clock changes."""

    skipped: bool
    """The hours are skipped; else they are given a second time."""
    from_s: int
    to_s: int
    hours_pl: Fraction
    """What is prescribed in those hours."""
    unchanged_pl: Fraction
    """Over the next 24 h, had the clock been left alone."""
    changed_pl: Fraction
    """Over the next 24 h with the new clock."""


def of(prescribed: Prescribed, before_s: int, after_s: int) -> Effect | None:
    """Return the effect of setting a clock from one reading to another; None: there is none."""
    by_the_clock = prescribed.therapy.program is ProgramKind.FLEX or prescribed.scheduled
    if not by_the_clock or before_s == after_s:
        return None
    from_s, to_s = sorted((before_s, after_s))
    return Effect(
        after_s > before_s,
        from_s,
        to_s,
        prescribed.volume_pl(from_s, to_s),
        prescribed.volume_pl(before_s, before_s + _DAY_S),
        prescribed.volume_pl(after_s, after_s + _DAY_S),
    )


def sentence(effect: Effect, therapy: Therapy) -> str:
    """Return an effect in words, doses those of the primary drug."""
    from_, to = text.date_text(effect.from_s), text.date_text(effect.to_s)
    if from_[:10] == to[:10]:
        to = to[11:]
    more_pl = effect.changed_pl - effect.unchanged_pl
    changed, unchanged = _mass(effect.changed_pl, therapy), _mass(effect.unchanged_pl, therapy)
    beside = (
        f"in place of {unchanged}, {_mass(abs(more_pl), therapy)} {_word(more_pl)}"
        if more_pl
        else "as with an unchanged clock"
    )
    day = f"the next 24 h give {therapy.drugs[0].name} {changed}, {beside}"
    if therapy.program is not ProgramKind.FLEX:  # what flows all day has no hours to skip
        return day
    how = "skipped" if effect.skipped else "given a second time"
    return f"{from_} to {to} by the schedule, {_mass(effect.hours_pl, therapy)}, is {how}; {day}"


def _word(more_pl: Fraction) -> str:
    return "more" if more_pl > 0 else "less"


def _mass(volume_pl: Fraction, therapy: Therapy) -> str:
    return text.mass(doses.mass_pg(volume_pl, therapy.drugs[0].concentration_pg_ml))


def _volume_pl(therapy: Therapy, device: DeviceInfo, from_s: int, to_s: int) -> Fraction:
    if therapy.program is ProgramKind.FLEX:
        return _since_monday_pl(therapy, to_s) - _since_monday_pl(therapy, from_s)
    return doses.basal_pl_h(therapy, device) * Fraction(to_s - from_s, 3600)


def _since_monday_pl(therapy: Therapy, wall_s: int) -> Fraction:
    """Return what a flex program gives from the Monday before the clock's first day on."""
    weeks, second = divmod(wall_s + _MONDAY_S, _WEEK_S)
    changes = doses.week(therapy)
    if changes[0][0]:  # Sunday's last step goes on into Monday
        changes.insert(0, (0, changes[-1][1]))
    ends = [at * _MINUTE_S for at, _ in changes[1:]] + [_WEEK_S]
    whole_pl = part_pl = Fraction(0)
    for (at_min, step), end_s in zip(changes, ends, strict=True):
        at_s, flow_pl_s = at_min * _MINUTE_S, doses.step_pl_h(therapy, step) / 3600
        whole_pl += flow_pl_s * (end_s - at_s)
        part_pl += flow_pl_s * max(0, min(second, end_s) - at_s)
    return weeks * whole_pl + part_pl
