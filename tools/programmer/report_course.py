"""The programmed rate as steps in time: what the picture of a report is drawn from.

A flex program repeats after a week, a periodic one after the time between two of its boluses;
every other rate is the same all day. This is what is prescribed, whether or not the pump delivers.
"""

from fractions import Fraction
from typing import Final, NamedTuple

from protocol.codes import ProgramKind
from protocol.messages import DeviceInfo, Therapy
from tools.programmer import doses
from tools.programmer import format as text

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Step(NamedTuple):
    """One rate and when it begins."""

    from_min: Fraction
    rate_pl_h: Fraction


class Course(NamedTuple):
    """The rate over one repetition of a program."""

    title: str
    span_min: Fraction
    steps: list[Step]
    """In order of time, the first at 0."""
    ticks: list[tuple[Fraction, str]]
    """Minute and name of each mark on the time axis."""


def of(therapy: Therapy, device: DeviceInfo) -> Course:
    """Return the course of a therapy."""
    if therapy.program is ProgramKind.FLEX and therapy.steps:
        return _week(therapy)
    if therapy.program is ProgramKind.PERIODIC and therapy.periodic.every_s:
        return _interval(therapy, device)
    rate_pl_h = doses.basal_pl_h(therapy, device)
    ticks = [(Fraction(hour * 60), f"{hour:02}:00") for hour in range(0, 25, 6)]
    title = "Programmed rate, the same all day"
    return Course(title, Fraction(doses.DAY_MIN), [Step(Fraction(0), rate_pl_h)], ticks)


def _week(therapy: Therapy) -> Course:
    changes = doses.week(therapy)
    steps = [Step(Fraction(at), doses.step_pl_h(therapy, step)) for at, step in changes]
    if steps[0].from_min:  # Sunday's last step goes on into Monday
        steps.insert(0, Step(Fraction(0), steps[-1].rate_pl_h))
    ticks = [(Fraction(day * doses.DAY_MIN), name) for day, name in enumerate(_DAYS)]
    return Course("Programmed rate over the week", Fraction(doses.WEEK_MIN), steps, ticks)


def _interval(therapy: Therapy, device: DeviceInfo) -> Course:
    boluses = therapy.periodic
    volume_pl = doses.volume_pl(therapy, boluses.basis, boluses.amount)
    every_min = Fraction(boluses.every_s, 60)
    background = Step(Fraction(0), doses.flow_pl_h(therapy, therapy.rate))
    steps = [background]
    if volume_pl:
        over_h = Fraction(boluses.over_s, 3600) or volume_pl / device.flow_max_pl_h
        steps = [Step(Fraction(0), volume_pl / over_h), background._replace(from_min=over_h * 60)]
    ticks = [
        (every_min * quarter / 4, text.seconds(round(every_min * 15 * quarter)))
        for quarter in range(5)
    ]
    title = "Programmed rate from the start of one periodic bolus to the next"
    return Course(title, every_min, steps, ticks)
