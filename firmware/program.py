"""Infusion programs: what flows when, as pure functions of the wall clock.

A program repeats every week. It is kept as the week's edges: from such a second of the week on,
such a flow. A flex step holds from its minute of each of its weekdays until the next step, over
midnight and over the end of the week, so on every instant the newest step before it counts. A
constant program is one edge.

All volumes are integers over one common denominator of the flows: nothing is rounded, and spans of
years cost no more than a day, because whole weeks are counted as such. Weekdays, minutes and the
24 h of a wall-clock day are the pump's local wall clock, which knows no summer time: whoever sets
the clock for it moves to another place of the week.

Periodic boluses are counted from their first one in monotonic time (`Cadence`); of such a program
the week's edges hold the background alone.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import lcm
from typing import Final, NamedTuple

from firmware.device import DeviceConfig
from firmware.flow import (
    DAY_US,
    HOUR_US,
    ZERO,
    Flow,
    exceeds,
    flow,
    from_rate,
    per_hour,
    plus,
    volume_pl,
)
from protocol.codes import LockoutFrom, ProgramKind
from protocol.messages import AT_ONCE, Periodic, Rate, Therapy

DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
WEEK_US: Final = 7 * DAY_US
_SECOND_US: Final = 1_000_000
_MONDAY_S: Final = 5 * DAY_S
"""The wall clock's second 0, 2000-01-01T00:00:00, is so far into a week: a Saturday."""


def week_s(wall_s: int) -> int:
    """Return the second of the week, 0 on Monday at midnight."""
    return (wall_s + _MONDAY_S) % WEEK_S


class Cycle:
    """Flows that repeat: from such an instant of the cycle on, such a flow."""

    __slots__ = ("_amounts", "_cycle_us", "_denominator", "_edges_us", "_flows", "_origin_us",
                 "_through")  # fmt: skip

    def __init__(self, edges: Iterable[tuple[int, Flow]], cycle_us: int, origin_us: int) -> None:
        """`edges` are (µs of the cycle, flow from then on), in order, the first at 0.

        One cycle begins at `origin_us`, wall clock.
        """
        steps = list(edges)
        self._edges_us = [at_us for at_us, _ in steps]
        self._flows = [flow_ for _, flow_ in steps]
        self._cycle_us, self._origin_us = cycle_us, origin_us
        self._denominator = lcm(*(flow_.denominator for flow_ in self._flows))
        # pL × denominator: per microsecond, and from the cycle's begin until each edge and its end.
        self._amounts = [f.numerator * (self._denominator // f.denominator) for f in self._flows]
        self._through = [0]
        for (start_us, end_us), amount in zip(
            pairwise([*self._edges_us, cycle_us]), self._amounts, strict=True
        ):
            self._through.append(self._through[-1] + amount * (end_us - start_us))

    @property
    def mean(self) -> Flow:
        """The mean flow, exact."""
        return flow(self._through[-1], self._denominator * self._cycle_us)

    def volume_pl(self, from_us: int, to_us: int) -> tuple[int, int]:
        """Return what flows between two instants (wall-clock µs): numerator, denominator in pL."""
        return self._until(to_us) - self._until(from_us), self._denominator

    def reach_us(self, from_us: int, numerator: int, denominator: int = 1) -> int | None:
        """Return the first wall-clock µs by which so many pL have flowed since `from_us`.

        The volume is a ratio; None where it is never reached.
        """
        if numerator <= 0:
            return from_us
        total = self._through[-1]
        if not total:
            return None
        # Everything over `denominator` as well, so that the volume is whole.
        wanted = self._until(from_us) * denominator + numerator * self._denominator
        cycles, rest = divmod(wanted, total * denominator)
        if not rest:
            cycles, rest = cycles - 1, total * denominator
        # The last edge before which less than the rest has flowed: its flow is not zero.
        step = bisect_right(self._through, (rest - 1) // denominator) - 1
        inside = rest - self._through[step] * denominator
        step_us = -(-inside // (self._amounts[step] * denominator))
        return self._origin_us + cycles * self._cycle_us + self._edges_us[step] + step_us

    def with_extra(self, extra: Flow) -> "Cycle":
        """Return it with a constant flow on top."""
        flows = [plus(flow_, extra) for flow_ in self._flows]
        return Cycle(zip(self._edges_us, flows, strict=True), self._cycle_us, self._origin_us)

    def _until(self, wall_us: int) -> int:
        """Volume since the origin."""
        cycles, here_us = divmod(wall_us - self._origin_us, self._cycle_us)
        step = bisect_right(self._edges_us, here_us) - 1
        inside = self._amounts[step] * (here_us - self._edges_us[step])
        return cycles * self._through[-1] + self._through[step] + inside


class Program(Cycle):
    """Flows over the wall-clock week."""

    __slots__ = ("starts",)

    def __init__(self, edges: Iterable[tuple[int, Flow]]) -> None:
        """`edges` are (second of the week, flow from then on), in order, at least one."""
        steps = list(edges)
        if steps[0][0]:
            steps.insert(0, (0, steps[-1][1]))
        super().__init__(
            ((start * _SECOND_US, flow_) for start, flow_ in steps),
            WEEK_US,
            -_MONDAY_S * _SECOND_US,
        )
        self.starts = [start for start, _ in steps]

    def flow_at(self, wall_s: int) -> Flow:
        """Return what flows at a wall-clock second."""
        return self._flows[self._index(week_s(wall_s))]

    @property
    def lowest(self) -> Flow:
        """The lowest flow of the week."""
        return min(self._flows, key=lambda flow_: Fraction(*flow_))

    def next_edge_s(self, wall_s: int) -> int | None:
        """Return the first wall-clock second after this one with another flow; None: never."""
        here = week_s(wall_s)
        index = self._index(here)
        now = self._flows[index]
        for ahead in range(index + 1, index + len(self._flows)):
            weeks, step = divmod(ahead, len(self._flows))
            if self._flows[step] != now:
                return wall_s - here + weeks * WEEK_S + self.starts[step]
        return None

    def highest(self, from_us: int, to_us: int) -> Flow:
        """Return the highest flow between two instants, wall-clock µs."""
        found = self.flow_at(from_us // _SECOND_US)
        edge_s = self.next_edge_s(from_us // _SECOND_US)
        last_us = min(to_us, from_us + WEEK_US)
        while edge_s is not None and edge_s * _SECOND_US < last_us:
            here = self.flow_at(edge_s)
            if exceeds(here, found):
                found = here
            edge_s = self.next_edge_s(edge_s)
        return found

    def _index(self, week_second: int) -> int:
        return bisect_right(self.starts, week_second) - 1


def constant(flow_: Flow) -> Program:
    """Return the program that always gives one flow."""
    return Program([(0, flow_)])


@lru_cache(maxsize=2)
def program_of(therapy: Therapy, config: DeviceConfig) -> Program:
    """Return a prescription's basal; for `periodic` the background, for `stopped` nothing.

    Kept for the prescription in force and one to come: every bolus is judged beside its week.
    """
    kind = therapy.program
    if kind is ProgramKind.MINIMUM_RATE:
        return constant(per_hour(config.minimum_rate_pl_h))
    if kind is ProgramKind.FLEX:
        return Program(flex_edges(therapy))
    if kind is ProgramKind.STOPPED:
        return constant(ZERO)
    return constant(from_rate(therapy.rate, therapy.drugs))


def flex_edges(therapy: Therapy) -> Iterator[tuple[int, Flow]]:
    """Yield the week's edges of a flex prescription, in order."""
    rate = therapy.rate
    for day in range(7):
        for step in sorted(therapy.steps, key=lambda step: step.from_min):
            if step.days >> day & 1:
                amount = Rate(rate.basis, rate.per, step.amount)
                yield day * DAY_S + step.from_min * 60, from_rate(amount, therapy.drugs)


def mean_flow(therapy: Therapy, config: DeviceConfig) -> Flow:
    """Return what a prescription gives on the mean, its periodic boluses counted, exact."""
    if therapy.program is ProgramKind.PERIODIC:
        return periodic_cycle(therapy, config, 0).mean
    return program_of(therapy, config).mean


def periodic_cycle(therapy: Therapy, config: DeviceConfig, origin_us: int) -> Cycle:
    """Return a periodic prescription: a bolus, then the background, which pauses meanwhile.

    `origin_us` is the instant of one of its boluses, wall clock.
    """
    strokes, over_us = periodic_dose(therapy, config)
    every_us = therapy.periodic.every_s * _SECOND_US
    edges = [(0, flow(strokes * config.stroke_pl, over_us))]
    if over_us < every_us:
        edges.append((over_us, from_rate(therapy.rate, therapy.drugs)))
    return Cycle(edges, every_us, origin_us)


def periodic_dose(therapy: Therapy, config: DeviceConfig) -> tuple[int, int]:
    """Return the whole strokes of each periodic bolus, and how long it takes, µs.

    Without a time of its own it runs as fast as allowed: the background pauses.
    """
    periodic = therapy.periodic
    numerator, denominator = volume_pl(periodic.basis, periodic.amount, therapy.drugs)
    strokes = numerator // (denominator * config.stroke_pl)
    fastest_us = -(-strokes * config.stroke_pl * HOUR_US // config.flow_max_pl_h)
    return strokes, periodic.over_s * _SECOND_US or fastest_us


def allotted_flow(therapy: Therapy, config: DeviceConfig) -> Flow:
    """Return what every allotted patient bolus adds, spread evenly; whole strokes each.

    Allotted are `max_per_24h`, and no more than the lockout leaves room for; without either limit
    nobody can say how many, and none is counted.
    """
    patient = therapy.patient
    if not patient.amount or not therapy.drugs:
        return ZERO
    numerator, denominator = volume_pl(patient.basis, patient.amount, therapy.drugs)
    strokes = numerator // (denominator * config.stroke_pl)
    volume = strokes * config.stroke_pl
    apart_s = patient.lockout_s
    if patient.lockout_from is LockoutFrom.END:
        apart_s += patient.over_s
    limits = []
    if patient.max_per_24h:
        limits.append(flow(volume * patient.max_per_24h, DAY_US))
    if apart_s:
        limits.append(flow(volume, apart_s * _SECOND_US))
    return min(limits, key=lambda limit: Fraction(*limit), default=ZERO)


class Cadence(NamedTuple):
    """The instants of periodic boluses, in one monotonic time."""

    first_us: int
    every_us: int

    def next_us(self, from_us: int) -> int:
        """Return the first instant at or after this one."""
        return self.first_us + max(0, -(-(from_us - self.first_us) // self.every_us)) * (
            self.every_us
        )


def first_periodic_s(periodic: Periodic, wall_s: int) -> int:
    """Return the wall-clock second of the first bolus of a program that begins at `wall_s`."""
    if periodic.first_min == AT_ONCE:
        return wall_s
    return wall_s + (periodic.first_min * 60 - wall_s) % DAY_S
