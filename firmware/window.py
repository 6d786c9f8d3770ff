"""The windowed maximum: no more than so much in any window, boluses and every basal of it counted.

It is judged prospectively, as if the basal filled the window: a limit that is looked at only when
it has been passed comes too late, because basal alone can then carry the volume over it. What
boluses give within any window that ends while the requested dose is given, and the most that the
basal can bring into one, must stay at or below the limit. Judged are the windows that end with the
dose, and those before in which an earlier bolus is about to be left behind: the volume can be
higher there than at the end.

The basal of a window is not only that of the program in force. A scheduled change may take over
while the dose still counts: then its own limit is judged as well, by the windows that lie across
its instant or behind it. And a program that has ended, or a clock that was moved, may have given
more than the program in force ever does: that excess counts as a bolus that was given.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

from firmware.bolus import Bolus
from firmware.checks import BolusPlan, Refused
from firmware.daily import largest_pl
from firmware.device import DeviceConfig
from firmware.doses import UNCOUNTED, DoseHistory, Span, within_pl
from firmware.dosing import Dosing
from firmware.flow import Flow, exceeds
from firmware.prescription import Stored
from firmware.program import WEEK_US, Program, program_of
from firmware.schedule import Schedule
from protocol.errors import ErrorCode, LimitId
from protocol.messages import Therapy

_US_PER_S: Final = 1_000_000


class Window:
    """Judges doses and changes of the program by what surrounds them."""

    def __init__(self, config: DeviceConfig, doses: DoseHistory, schedule: Schedule) -> None:
        self._config = config
        self._doses = doses
        self._schedule = schedule

    # --- checks ---------------------------------------------------------------------------------

    def check_dose(
        self, stored: Stored, plan: BolusPlan, now_us: int, suspends: Bolus | None = None
    ) -> None:
        """Refuse a dose with which more could be given in a window than is prescribed."""
        end_us = now_us + plan.duration_us
        planned = [Span(now_us, end_us, plan.strokes * self._config.stroke_pl)]
        given_pl = []
        if suspends is not None:
            given_pl = [suspends.given_pl]
            left_us = suspends.end_us - now_us
            planned.append(Span(end_us, end_us + left_us, suspends.left_pl))
        self._judge(stored, given_pl, planned, now_us)

    def check_running(self, stored: Stored, dosing: Dosing, now_us: int) -> None:
        """Refuse that what runs goes on, if more could be given now than is prescribed."""
        bolus, waits = dosing.given(now_us), dosing.suspended
        if bolus is None or not bolus.running or bolus.kind in UNCOUNTED:
            return
        planned = [Span(now_us, max(now_us, bolus.end_us), bolus.left_pl)]
        given_pl = [bolus.given_pl]
        if waits is not None:
            planned.append(Span(planned[0].end_us, dosing.last_us, waits.left_pl))
            given_pl.append(waits.given_pl)
        self._judge(stored, given_pl, planned, now_us)

    def check_change(self, therapy: Therapy, at_wall_s: int, now_us: int) -> None:
        """Refuse a program that would pass its own window together with what was given before it.

        `at_wall_s`: when it takes over; 0: now. One that never gives more than the program in force
        is not refused: it must always be possible to give less.
        """
        if not therapy.window_nl:
            return
        window_us = therapy.window_s * _US_PER_S
        self._doses.reach(window_us)
        wall_us = self._schedule.wall.wall_us(now_us)
        at_wall_us = at_wall_s * _US_PER_S or wall_us
        before, after = self._schedule.program, program_of(therapy, self._config)
        if rises(before, after, at_wall_us, window_us):
            given = self._doses.spans(now_us)
            _hold(self._across_pl(given, after, at_wall_us, window_us, now_us), therapy)

    # --- inside ---------------------------------------------------------------------------------

    def _judge(self, stored: Stored, given_pl: list[int], planned: list[Span], now_us: int) -> None:
        """`given_pl`: what the boluses that run, or are suspended, have given."""
        self._doses.reach(max(stored.therapy.window_s, stored.pending.window_s) * _US_PER_S)
        given = self._doses.spans(now_us, given_pl)
        end_us = max((span.end_us for span in planned), default=now_us)
        therapy, program = stored.therapy, self._schedule.program
        if therapy.window_nl:
            window_us = therapy.window_s * _US_PER_S
            spans = [*given, *planned, *self._excess(now_us, window_us)]
            most_pl = peak_pl(spans, now_us, end_us, window_us)
            _hold(most_pl + largest_pl(program, window_us), therapy)
        pending, at_us = stored.pending, max(now_us, self._schedule.pending_us)
        window_us = pending.window_s * _US_PER_S
        if stored.pending_wall_s and pending.window_nl and at_us <= end_us + window_us:
            after = program_of(pending, self._config)
            at_wall_us = max(stored.pending_wall_s * _US_PER_S, self._schedule.wall.wall_us(now_us))
            spans = [*given, *planned]
            _hold(self._across_pl(spans, after, at_wall_us, window_us, now_us), pending)

    def _across_pl(
        self, doses: list[Span], after: Program, at_wall_us: int, window_us: int, now_us: int
    ) -> Fraction:
        """Return the most in any window that another program takes part in, from that instant on.

        The earlier basals count beside what the program in force gives in the very same window: who
        restores a rate that was lowered an hour ago gives no more than if it had stayed.
        """
        program = self._schedule.program
        spans = [*doses, *self._doses.excess(program.lowest, Fraction(), now_us, window_us)]
        shift_us = self._schedule.wall.wall_us(now_us) - now_us
        moved = [span.moved(shift_us) for span in spans]
        return across_pl(program, after, at_wall_us, window_us, moved)

    def _excess(self, now_us: int, window_us: int) -> list[Span]:
        """Return what was given above the least of the program in force, by what came before it."""
        program = self._schedule.program
        largest = largest_pl(program, window_us)
        return self._doses.excess(program.lowest, largest, now_us, window_us)


def peak_pl(spans: Sequence[Span], from_us: int, to_us: int, window_us: int) -> Fraction:
    """Return the most that spans give in any window which ends between two instants.

    The amount rises and falls in straight lines: a peak is where a span ends, or where a window
    begins to leave a span behind.
    """
    ends = {from_us, *(span.end_us for span in spans)}
    ends.update(span.start_us + window_us for span in spans)
    return max(within_pl(spans, end - window_us, end) for end in ends if from_us <= end <= to_us)


def across_pl(
    before: Program, after: Program, at_us: int, window_us: int, spans: Sequence[Span] = ()
) -> Fraction:
    """Return the most in any window that lies across the instant at which one follows another.

    Or that lies behind it. Wall clock, of `spans` too, which come on top. What is in between whole
    weeks only adds in one direction, so the first week of such windows and the last have the
    largest; with spans, of windows longer than a week, both are taken at their worst.
    """
    last_us = max([at_us, *(span.end_us for span in spans)]) + window_us
    if spans and window_us > WEEK_US:
        most_pl = peak_pl(spans, at_us, last_us, window_us)
        return most_pl + across_pl(before, after, at_us, window_us)
    starts = {at_us - window_us, at_us}
    starts.update(span.end_us - window_us for span in spans)
    starts.update(span.start_us for span in spans)
    week_us = min(window_us, WEEK_US)
    for low_us in {at_us - window_us, at_us - week_us}:
        starts.update(_edges_us(before, low_us, low_us + week_us))
        edges = _edges_us(after, low_us + window_us, low_us + window_us + week_us)
        starts.update(edge_us - window_us for edge_us in edges)
    across = max(
        within_pl(spans, start_us, start_us + window_us)
        + Fraction(*before.volume_pl(start_us, at_us))
        + Fraction(*after.volume_pl(at_us, start_us + window_us))
        for start_us in starts
        if at_us - window_us <= start_us <= at_us
    )
    behind = peak_pl(spans, at_us + window_us, last_us, window_us)
    return max(across, behind + largest_pl(after, window_us))


def _edges_us(program: Program, from_us: int, to_us: int) -> Iterator[int]:
    edge_s = program.next_edge_s(from_us // _US_PER_S)
    while edge_s is not None and edge_s * _US_PER_S < to_us:
        yield edge_s * _US_PER_S
        edge_s = program.next_edge_s(edge_s)


def rises(before: Program, after: Program, from_us: int, for_us: int) -> bool:
    """Return True when `after` ever gives more than `before` would have, in that time."""
    to_us = from_us + min(for_us, WEEK_US)
    instants = [from_us, *_edges_us(before, from_us, to_us), *_edges_us(after, from_us, to_us)]
    return any(_more(after, before, at_us // _US_PER_S) for at_us in instants)


def _more(one: Program, other: Program, wall_s: int) -> bool:
    flow: Flow = one.flow_at(wall_s)
    return exceeds(flow, other.flow_at(wall_s))


def _hold(most_pl: Fraction, therapy: Therapy) -> None:
    if most_pl > therapy.window_nl * 1000:
        value_nl = -(-most_pl.numerator // (most_pl.denominator * 1000))
        raise Refused(ErrorCode.WINDOW_MAX, LimitId.WINDOW_NL, value_nl, therapy.window_nl)
