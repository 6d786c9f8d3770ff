"""The window and a basal that changes: scheduled, lowered, raised, moved with the clock.

Judged by what left the pump in any window. Judged prospectively it is the pump that must know what
is to come, and what was given before the program in force.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nurse import MINUTE_US, START_WALL_S, STROKE_NL, Nurse, Refusals, bolus, therapy
from patient import REQUEST
from test_window import Watch, over_window, refusal

from emulator.profile import Profile
from firmware.daily import largest_pl
from firmware.doses import Span, within_pl
from firmware.program import program_of
from firmware.window import across_pl
from hal.interfaces import ResetCause
from protocol.codes import (
    BolusKind,
    Code,
    LockoutFrom,
    Mode,
    ProgramKind,
    RateBasis,
    RatePer,
    Role,
    TxnOp,
)
from protocol.errors import ErrorCode, LimitId
from protocol.messages import (
    FILL_NOT_TOLD,
    FlexStep,
    PatientBolus,
    ProgramParameters,
    Rate,
    Refusal,
    SetClockParameters,
    Therapy,
)

S = 1_000_000
HOUR_S = 3600
HOUR_US = HOUR_S * S


def ul_h(*rates: int, window_nl: int, window_s: int = HOUR_S, **over: Any) -> Therapy:
    """So many µL/h; more than one in turn, each for its part of the day."""
    rate = Rate(RateBasis.VOLUME_PL, RatePer.HOUR, rates[0] * 10**6)
    wanted = replace(therapy(rate), window_nl=window_nl, window_s=window_s, **over)
    if len(rates) == 1:
        return wanted
    each_min = 1440 // len(rates)
    steps = tuple(FlexStep(127, each_min * i, ul * 10**6) for i, ul in enumerate(rates))
    flat = replace(rate, amount=0)
    return replace(wanted, program=ProgramKind.FLEX, rate=flat, steps=steps)


def programmed(wanted: Therapy) -> Nurse:
    pump = Nurse()
    pump.program(wanted, 40_000_000)
    return pump


def change(wanted: Therapy, at_s: int = 0) -> ProgramParameters:
    """The program: now, or so long after the test began."""
    return ProgramParameters(wanted, FILL_NOT_TOLD, at_s and START_WALL_S + at_s)


# --- a change that is scheduled -----------------------------------------------------------------


def test_a_bolus_leaves_room_for_the_change_that_comes_while_it_counts() -> None:
    """10 µL/h, 20 from the second hour on, 22 µL in any hour: a bolus at 1:40 may give 5.33 µL.

    The hour from 1:40 on has 20 min of 10 µL/h and 40 of 20.
    """
    pump = programmed(ul_h(10, window_nl=22_000))
    pump.do(TxnOp.PROGRAM, change(ul_h(20, window_nl=22_000), 2 * HOUR_S))
    watch = Watch(pump, HOUR_US)
    watch.run(100 * MINUTE_US)
    refused = refusal(pump, TxnOp.BOLUS, bolus(5_500, 60 * S))
    assert refused is not None
    assert (refused.code, refused.refusal.limit) == (ErrorCode.WINDOW_MAX, 22_000)
    assert not over_window(pump, 5_250, 60 * S)
    watch.run(3 * HOUR_US)
    assert 21_500 <= watch.most_nl <= 22_000 + STROKE_NL


def test_a_bolus_that_no_longer_counts_then_is_not_held_back() -> None:
    pump = programmed(ul_h(10, window_nl=22_000))
    pump.do(TxnOp.PROGRAM, change(ul_h(20, window_nl=22_000), 2 * HOUR_S))
    assert not over_window(pump, 12_000, 60 * S)
    pump.run(58 * MINUTE_US)
    assert over_window(pump, 1_000, 2 * MINUTE_US)


def test_the_limit_that_comes_with_the_change_holds_for_what_is_given_before_it() -> None:
    pump = programmed(ul_h(10, window_nl=0, window_s=0))
    pump.do(TxnOp.PROGRAM, change(ul_h(10, window_nl=14_000), HOUR_S + 180))
    assert not over_window(pump, 20_000, 120 * S)
    pump.run(30 * MINUTE_US)
    assert over_window(pump, 4_250, 60 * S)
    assert not over_window(pump, 4_000, 60 * S)


# --- a program that changes now -----------------------------------------------------------------


@pytest.mark.parametrize(("at_s", "most_nl"), [(0, 22_167), (3 * HOUR_S, 20_500)])
def test_a_program_that_rises_is_refused_while_boluses_fill_its_window(
    at_s: int, most_nl: int
) -> None:
    """8 µL, and in the same hour 10 or 30 min of 10 µL/h and the rest of 15."""
    pump = programmed(ul_h(10, window_nl=20_000))
    pump.run(max(0, at_s - 30 * 60) * S)
    pump.bolus(8_000, 60 * S)
    pump.run(10 * MINUTE_US)
    refused = refusal(pump, TxnOp.PROGRAM, change(ul_h(15, window_nl=20_000), at_s))
    assert refused is not None
    assert refused.code is ErrorCode.WINDOW_MAX
    assert refused.refusal == Refusal(LimitId.WINDOW_NL, most_nl, 20_000)
    watch = Watch(pump, HOUR_US)
    assert refusal(pump, TxnOp.PROGRAM, change(ul_h(12, window_nl=20_000), at_s)) is None
    watch.run(4 * HOUR_US)
    assert watch.most_nl <= 20_000 + STROKE_NL


def test_less_is_never_refused() -> None:
    pump = programmed(ul_h(10, window_nl=20_000))
    pump.bolus(10_000, 60 * S)
    pump.run(2 * MINUTE_US)
    assert refusal(pump, TxnOp.PROGRAM, change(ul_h(9, window_nl=12_000))) is None
    assert over_window(pump, STROKE_NL, 60 * S)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("at_s", [0, 5 * HOUR_S])
def test_a_rate_that_was_lowered_can_be_restored_at_once(at_s: int, restart: bool) -> None:
    """Also where the window has just room for it: no hour gets more than if it had stayed."""
    pump = programmed(ul_h(20, window_nl=22_000))
    watch = Watch(pump, HOUR_US)
    watch.run(4 * HOUR_US)
    pump.hello()
    pump.program(ul_h(5, window_nl=22_000))
    watch.run(20 * MINUTE_US)
    if restart:
        pump.board.reset(ResetCause.COMMANDED)
        watch.run(0)
    pump.hello()
    assert refusal(pump, TxnOp.PROGRAM, change(ul_h(20, window_nl=22_000), at_s)) is None
    assert over_window(pump, 20_000, 60 * S)
    watch.run(2 * HOUR_US)
    assert watch.most_nl <= 22_000 + STROKE_NL


def test_a_schedule_committed_again_with_another_bolus_of_the_patient_holds_no_bolus_back() -> None:
    """Its basal stays what it is: nothing was given above it."""
    rates, limit = (20, 2) * 6, {"window_nl": 48_000, "window_s": 4 * HOUR_S}
    pump = programmed(ul_h(*rates, **limit))
    pump.run(9 * HOUR_US)
    pump.hello()
    grant = PatientBolus(RateBasis.VOLUME_PL, 2 * 10**6, 60, 0, LockoutFrom.START, 0)
    pump.program(ul_h(*rates, patient=grant, **limit))
    assert Code.BASAL_BEFORE not in pump.codes
    assert not over_window(pump, 3_000, 60 * S)


def test_two_schedules_that_are_each_within_the_limit_are_judged_together() -> None:
    """Both give 44 µL in any four hours; one after the other, at ten, they would give 80."""
    limit = {"window_nl": 50_000, "window_s": 4 * HOUR_S}
    pump = programmed(ul_h(*(20, 2) * 6, **limit))
    pump.run(HOUR_US)
    refused = refusal(pump, TxnOp.PROGRAM, change(ul_h(*(2, 20) * 6, **limit)))
    assert refused is not None
    assert refused.refusal == Refusal(LimitId.WINDOW_NL, 80_000, 50_000)


@pytest.mark.parametrize("restart", [False, True])
def test_what_a_program_gave_before_it_was_lowered_counts_until_it_is_past(restart: bool) -> None:
    pump = programmed(ul_h(20, window_nl=25_000))
    watch = Watch(pump, HOUR_US)
    watch.run(2 * HOUR_US)
    pump.hello()
    pump.program(ul_h(5, window_nl=25_000))
    if restart:
        pump.board.reset(ResetCause.COMMANDED)
    watch.run(20 * MINUTE_US)
    # When the bolus ends: 39 min of 20 µL/h and 21 min of 5, 14.75 µL.
    assert over_window(pump, 10_500, 60 * S)
    assert not over_window(pump, 10_250, 60 * S)
    watch.run(4 * HOUR_US)
    assert watch.most_nl <= 25_000 + STROKE_NL
    assert not over_window(pump, 20_000, 120 * S)


# --- a clock that is set ------------------------------------------------------------------------

DOUBLE = ul_h(*(20, 2) * 6, window_nl=55_000, window_s=4 * HOUR_S)
"""20 and 2 µL/h in turn for two hours, 44 µL in any four; the test begins in a high hour, at 9."""


def test_hours_that_come_twice_count_twice() -> None:
    pump = programmed(DOUBLE)
    watch = Watch(pump, 4 * HOUR_US)
    watch.run(24 * HOUR_US + 58 * MINUTE_US)
    pump.hello()
    pump.do(TxnOp.SET_CLOCK, SetClockParameters(pump.status.wall_s - 58 * 60))
    assert over_window(pump, STROKE_NL, 60 * S)
    watch.run(4 * HOUR_US)
    assert watch.most_nl > 55_000, "the basal alone; nobody gives on top of it"
    watch.run(HOUR_US)
    assert not over_window(pump, 11_000, 60 * S)


def test_a_clock_set_under_a_bolus_cuts_it_and_the_alarm_stands_until_there_is_room() -> None:
    pump = programmed(DOUBLE)
    txn = pump.bolus(8_000, 40 * MINUTE_US).txn
    pump.run(20 * MINUTE_US)
    pump.do(TxnOp.SET_CLOCK, SetClockParameters(START_WALL_S - HOUR_S))
    pump.run(0)
    assert pump.alarms == {Code.DOSE_LIMIT: True}
    assert pump.status.mode is Mode.BASAL
    assert abs(pump.query(txn).given_nl - 4_000) <= STROKE_NL
    ended = [record for record in pump.log if record.code is Code.BOLUS_ENDED_EARLY]
    assert [record.b for record in ended] == [Code.DOSE_LIMIT]
    with pytest.raises(Refusals, match="STATE"):
        pump.bolus(STROKE_NL, 60 * S)
    pump.run(4 * HOUR_US - 2 * MINUTE_US)
    assert pump.alarms == {Code.DOSE_LIMIT: True}
    pump.run(2 * MINUTE_US)
    assert pump.alarms == {}


def test_a_change_that_a_clock_brings_near_cuts_the_bolus_too() -> None:
    pump = programmed(ul_h(10, window_nl=22_000))
    pump.do(TxnOp.PROGRAM, change(ul_h(20, window_nl=22_000), 10 * HOUR_S))
    watch = Watch(pump, HOUR_US)
    pump.bolus(12_000, 60 * MINUTE_US)
    watch.run(10 * MINUTE_US)
    pump.hello()
    pump.do(TxnOp.SET_CLOCK, SetClockParameters(START_WALL_S + 10 * HOUR_S - 60))
    assert pump.alarms == {Code.DOSE_LIMIT: True}
    watch.run(HOUR_US)
    assert watch.most_nl <= 22_000 + STROKE_NL


def test_a_clock_that_changes_no_basal_cuts_nothing() -> None:
    pump = programmed(ul_h(10, window_nl=18_000))
    pump.bolus(8_000, 40 * MINUTE_US)
    pump.run(20 * MINUTE_US)
    pump.do(TxnOp.SET_CLOCK, SetClockParameters(START_WALL_S - 2 * HOUR_S))
    pump.run(HOUR_US)
    assert Code.DOSE_LIMIT not in pump.codes
    assert Code.BOLUS_DONE in pump.codes


# --- whatever happens ---------------------------------------------------------------------------

rates = st.lists(st.integers(2, 30), min_size=1, max_size=6)


spans_s = st.lists(
    st.tuples(st.integers(0, 9 * 24 * HOUR_S), st.integers(0, HOUR_S), st.integers(1, 10**7)),
    max_size=4,
)


@given(rates, rates, st.integers(0, 7 * 24 * HOUR_S), st.integers(1, 20 * 24 * HOUR_S), spans_s)
@settings(max_examples=25, deadline=None)
def test_the_most_across_a_change_is_that_of_every_window(
    before: list[int],
    after: list[int],
    at_s: int,
    window_s: int,
    given_s: list[tuple[int, int, int]],
) -> None:
    device = Profile.load("rotor-40").device
    one, other = (program_of(ul_h(*x, window_nl=1), device) for x in (before, after))
    at_us, window_us = at_s * S, window_s * S
    spans = [
        Span((at_s - s) * S, (at_s - s + for_s) * S, volume_pl) for s, for_s, volume_pl in given_s
    ]
    most = across_pl(one, other, at_us, window_us, spans)
    step_us = max(60 * S, window_us // 500)
    for start_us in range(at_us - window_us, at_us, step_us):
        across = one.volume_pl(start_us, at_us)[0] / one.volume_pl(0, 1)[1]
        across += other.volume_pl(at_us, start_us + window_us)[0] / other.volume_pl(0, 1)[1]
        across += float(within_pl(spans, start_us, start_us + window_us))
        assert across <= most * (1 + 1e-12)
    assert most >= largest_pl(other, window_us)


PRESS = (70, "patient", [2], 0)
happenings = st.lists(
    st.tuples(
        st.integers(1, 3000),
        st.sampled_from(["patient", "single", "program", "schedule", "reset", "power cut"]),
        st.lists(st.integers(2, 30), min_size=1, max_size=4),
        st.integers(0, 7200),
    ),
    max_size=10,
)


@settings(max_examples=25, deadline=None)
@example(3600, 60, [10], [*[PRESS] * 3, (70, "program", [25], 0)])
@example(3600, 60, [10], [(1, "schedule", [25], 600), *[PRESS] * 3])
@example(3600, 60, [20], [(3600, "program", [3], 0), *[PRESS] * 8])
@given(st.integers(600, 7200), st.integers(0, 80), rates, happenings)
def test_no_window_holds_more_than_the_maximum_however_the_program_changes(
    window_s: int, room: int, first: list[int], acts: list[tuple[int, str, list[int], int]]
) -> None:
    window_nl = -(-max(first) * 1000 * window_s // HOUR_S) + room * STROKE_NL
    grant = PatientBolus(RateBasis.VOLUME_PL, 20 * STROKE_NL * 1000, 60, 0, LockoutFrom.START, 0)
    limit = {"window_nl": window_nl, "window_s": window_s, "patient": grant}
    pump = programmed(ul_h(*first, **limit))
    watch = Watch(pump, window_s * S)
    for wait_s, what, wanted, later_s in acts:
        watch.run(wait_s * S)
        if what == "reset":
            pump.board.reset(ResetCause.WATCHDOG)
            continue
        if what == "power cut":
            pump.board.power_cut(later_s * S + 1)
            watch.run(later_s * S + 2)
            continue
        pump.hello(Role.PATIENT if what == "patient" else Role.CLINICIAN)
        at_s = pump.status.wall_s - START_WALL_S + later_s
        with suppress(Refusals):
            if what == "patient":
                pump.do(TxnOp.BOLUS, REQUEST)
            elif what == "single":
                body = bolus(wanted[0] * STROKE_NL, later_s * S, again=True)
                pump.do(TxnOp.BOLUS, replace(body, kind=BolusKind.SINGLE))
            else:
                scheduled = at_s + 1 if what == "schedule" else 0
                pump.do(TxnOp.PROGRAM, change(ul_h(*wanted, **limit), scheduled))
    watch.run((3 * window_s + 7200) * S)
    assert watch.most_nl <= window_nl + STROKE_NL
