"""Periodic boluses on a whole pump: at their instants, each once, never made up for."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nurse import MINUTE_US, START_WALL_S, STROKE_NL, Nurse, Refusals, therapy, volume_per_day

from hal.interfaces import ResetCause
from protocol.codes import BolusKind, Code, Mode, ProgramKind, RateBasis, TxnOp
from protocol.errors import ErrorCode
from protocol.messages import AT_ONCE, Periodic, SetClockParameters, Therapy

HOUR_US = 60 * MINUTE_US
DOSE_NL = 10_000
BACKGROUND_NL_H = 2_000
EVERY_S = 7200
OVER_S = 300


def program(first_min: int = AT_ONCE, **over: Any) -> Therapy:
    boluses = Periodic(RateBasis.VOLUME_PL, DOSE_NL * 1000, OVER_S, EVERY_S, first_min)
    return replace(
        therapy(volume_per_day(24 * BACKGROUND_NL_H)),
        program=ProgramKind.PERIODIC,
        periodic=boluses,
        **over,
    )


def running(first_min: int = AT_ONCE, **over: Any) -> Nurse:
    pump = Nurse()
    pump.program(program(first_min, **over))
    return pump


def begun_s(pump: Nurse) -> list[int]:
    """When each began, seconds since the pump began, by its wall clock."""
    return [
        record.wall_s - START_WALL_S
        for record in pump.log
        if record.code is Code.BOLUS_STARTED and record.b == BolusKind.PERIODIC
    ]


def test_they_come_at_their_instants_with_the_background_paused() -> None:
    pump = running()
    pump.run(4 * HOUR_US)
    assert begun_s(pump) == [0, EVERY_S, 2 * EVERY_S]
    given = 2 * DOSE_NL + BACKGROUND_NL_H * (4 * 3600 - 2 * OVER_S) // 3600
    assert abs(pump.truth_delivered_nl - given) <= STROKE_NL
    pump.run(OVER_S * 1_000_000)
    assert abs(pump.truth_delivered_nl - given - DOSE_NL) <= STROKE_NL
    done = [r for r in pump.log if r.code is Code.BOLUS_DONE]
    assert [r.tick_us for r in done] == [(n * EVERY_S + OVER_S) * 1_000_000 for n in range(3)]
    assert all(record.a == DOSE_NL for record in done)


def test_the_first_comes_at_its_minute_of_the_day() -> None:
    pump = running(first_min=14 * 60)
    pump.run(8 * HOUR_US)
    assert begun_s(pump) == [5 * 3600, 7 * 3600]


def test_a_stop_ends_the_one_that_runs_and_the_cadence_goes_on() -> None:
    pump = running()
    pump.run(EVERY_S * 1_000_000 + 150_000_000)
    assert pump.status.bolus is BolusKind.PERIODIC
    pump.stop()
    pump.run(10 * MINUTE_US)
    ended = next(r for r in pump.log if r.code is Code.BOLUS_ENDED_EARLY)
    assert (ended.b, abs(ended.a - DOSE_NL // 2) <= STROKE_NL) == (Code.STOPPED, True)
    before = pump.truth_delivered_nl
    pump.run(2 * HOUR_US)
    assert pump.truth_delivered_nl == before
    pump.resume()
    pump.run(2 * HOUR_US)
    # The one of hour 4 fell into the stop: it is not made up for.
    assert begun_s(pump) == [0, EVERY_S, 3 * EVERY_S]


@pytest.mark.parametrize("off_us", [None, 1, 1_000_000, 90_000_000])
def test_a_reset_while_one_runs_ends_it_and_gives_it_no_second_time(off_us: int | None) -> None:
    for into_us in (1, 400_000, 150_000_000):
        pump = running()
        pump.run(EVERY_S * 1_000_000 + into_us)
        assert pump.status.bolus is BolusKind.PERIODIC
        if off_us is None:
            pump.board.reset(ResetCause.WATCHDOG)
        else:
            pump.board.power_cut(off_us)
        pump.run(3 * HOUR_US)
        # To the second of the wall clock, which is all that a boot is told of it.
        begun = begun_s(pump)
        assert len(begun) == 3
        assert begun[:2] == [0, EVERY_S]
        assert 2 * EVERY_S <= begun[2] <= 2 * EVERY_S + 1
        ended = [r for r in pump.log if r.code is Code.BOLUS_ENDED_EARLY]
        assert [r.b for r in ended] == [Code.RESET]


def test_a_reset_before_the_first_one_of_a_new_program_keeps_it() -> None:
    """The last one of the program before began less than half an interval earlier."""
    pump = running()
    pump.run(10 * MINUTE_US)
    pump.program(program(9 * 60 + 50))
    pump.run(10 * MINUTE_US)
    pump.board.reset(ResetCause.WATCHDOG)
    pump.run(3 * HOUR_US)
    assert begun_s(pump) == [0, 3000, 3000 + EVERY_S]


def test_a_clock_that_is_set_moves_none() -> None:
    pump = running(first_min=14 * 60)
    pump.run(6 * HOUR_US)
    pump.do(TxnOp.SET_CLOCK, SetClockParameters(START_WALL_S + 6 * 3600 - 7200))
    pump.run(4 * HOUR_US)
    ticks = [r.tick_us // 1_000_000 for r in pump.log if r.code is Code.BOLUS_STARTED]
    assert ticks == [5 * 3600, 7 * 3600, 9 * 3600]
    pump.board.reset(ResetCause.WATCHDOG)
    pump.run(2 * HOUR_US)
    assert pump.codes.count(Code.BOLUS_STARTED) == 4


def refused(pump: Nurse) -> list[int]:
    return [r.a for r in pump.log if r.code is Code.BOLUS_REFUSED and r.b == 0]


def test_a_clock_that_is_set_often_moves_none_over_a_reset() -> None:
    """Each time in the middle of a second, of which the wall clock tells nothing."""
    pump = running()
    pump.run(10 * MINUTE_US)
    for _ in range(8):
        pump.run(1_700_000)
        pump.do(TxnOp.SET_CLOCK, SetClockParameters(pump.status.wall_s - 60))
    pump.board.reset(ResetCause.WATCHDOG)
    boot_us = pump.world.now_us
    pump.run(2 * HOUR_US)
    (begun,) = (r for r in pump.log if r.code is Code.BOLUS_STARTED and r.boot_id == 2)
    assert abs(boot_us + begun.tick_us - EVERY_S * 1_000_000) <= 1_000_000


def test_one_at_a_time_a_clinicians_bolus_displaces_the_one_that_is_due() -> None:
    pump = running()
    pump.run(EVERY_S * 1_000_000 - 10 * MINUTE_US)
    pump.bolus(20_000, 20 * MINUTE_US)
    pump.run(3 * HOUR_US)
    assert refused(pump) == [ErrorCode.BUSY_DELIVERING]
    assert begun_s(pump) == [0, 2 * EVERY_S]


def test_one_that_runs_refuses_others() -> None:
    pump = running()
    pump.run(MINUTE_US)
    with pytest.raises(Refusals) as busy:
        pump.bolus(20_000, 20 * MINUTE_US)
    assert busy.value.code is ErrorCode.BUSY_DELIVERING


def test_window_and_reserve_hold_for_it_too() -> None:
    pump = running(window_nl=BACKGROUND_NL_H + DOSE_NL + 5_000, window_s=3600)
    pump.run(110 * MINUTE_US)
    pump.bolus(8_000, 60_000_000)
    pump.run(HOUR_US)
    assert refused(pump) == [ErrorCode.WINDOW_MAX]
    pump = running(low_reservoir_nl=39_985_000)
    pump.run(3 * HOUR_US)
    assert refused(pump) == [ErrorCode.LIMIT_HARD]


def test_it_asks_for_no_transaction_and_shows_none() -> None:
    pump = running()
    shown = pump.status.last_txn
    pump.run(MINUTE_US)
    assert pump.status.bolus is BolusKind.PERIODIC
    assert pump.status.last_txn == shown
    pump.board.reset(ResetCause.WATCHDOG)
    pump.run(3 * HOUR_US)
    assert pump.status.last_txn == shown
    assert pump.status.mode is Mode.BASAL


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5 * 3600 * 10**6), st.sampled_from("wpst")), max_size=4))
def test_none_is_ever_given_twice(happenings: list[tuple[int, str]]) -> None:
    """At most one begins in any stretch shorter than the interval, by world time."""
    pump = running()
    begun = [0]

    def watch(for_us: int) -> None:
        end_us = pump.world.now_us + for_us
        while pump.world.now_us < end_us:
            before = pump.codes.count(Code.BOLUS_STARTED)
            pump.run(min(5 * MINUTE_US, end_us - pump.world.now_us))
            more = pump.codes.count(Code.BOLUS_STARTED) - before
            assert more <= 1
            begun.extend([pump.world.now_us] * more)

    for wait_us, what in happenings:
        watch(wait_us)
        if what == "w":
            pump.board.reset(ResetCause.WATCHDOG)
        elif what == "p":
            pump.board.power_cut(wait_us // 7 + 1)
            watch(wait_us // 7 + 2)
        elif what == "s" and pump.status.mode is not Mode.STOPPED:
            pump.stop()
        elif pump.status.mode is Mode.STOPPED:
            pump.resume()
    watch(3 * HOUR_US)
    apart = [b - a for a, b in pairwise(begun)]
    assert all(us >= EVERY_S * 1_000_000 - 6 * MINUTE_US for us in apart)
    most = len(begun) * DOSE_NL + BACKGROUND_NL_H * pump.world.now_us // HOUR_US
    assert pump.truth_delivered_nl <= most + STROKE_NL
