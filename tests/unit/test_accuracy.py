"""How exact the flow is over the whole range, hour by hour and stroke by stroke.

Method: shot pumps are judged over windows of whole strokes, continuous ones over hours (public
descriptions of IEC 60601-2-24). What is judged is the plant, never the pump's own count.
"""

from itertools import pairwise

import pytest
from nurse import STROKE_NL, Nurse, Refusals, therapy

from firmware.flow import DAY_US, HOUR_US
from protocol.codes import Code, RateBasis, RatePer, TxnState
from protocol.errors import ErrorCode
from protocol.messages import Rate

LOWEST_PL_H, HIGHEST_PL_H = 2_000_000, 1_000_000_000
GRID = (LOWEST_PL_H, 2 * LOWEST_PL_H, 40_000_000, HIGHEST_PL_H // 2, HIGHEST_PL_H)
FULL_NL = 40_000_000


def at(pl_h: int) -> Rate:
    return Rate(RateBasis.VOLUME_PL, RatePer.HOUR, pl_h)


def delivering(pl_h: int) -> Nurse:
    nurse = Nurse()
    nurse.program(therapy(at(pl_h)), FULL_NL)
    return nurse


@pytest.mark.requirement("R-001")
@pytest.mark.requirement("R-002")
@pytest.mark.requirement("R-009")
@pytest.mark.requirement("R-010")
@pytest.mark.requirement("R-011")
@pytest.mark.parametrize("pl_h", GRID)
def test_every_rate_is_read_back_and_given_in_each_hour_of_three_days(pl_h: int) -> None:
    nurse = delivering(pl_h)
    assert nurse.ask("PRESCRIPTION").therapy == therapy(at(pl_h))
    given_nl, hour_nl = 0, pl_h // 1000
    for hour in range(1, 73):
        nurse.run(HOUR_US)
        before_nl, given_nl = given_nl, nurse.truth_delivered_nl
        assert abs(given_nl - before_nl - hour_nl) <= STROKE_NL
        assert abs(given_nl - hour * hour_nl) <= STROKE_NL
        counted = nurse.board.encoder.moved().value
        assert counted == given_nl // STROKE_NL
        if hour % 24 == 0:
            nurse.hello()
            nurse.refill(FULL_NL)


@pytest.mark.requirement("R-002")
@pytest.mark.parametrize("pl_h", [LOWEST_PL_H - 1, HIGHEST_PL_H + 1])
def test_a_picolitre_an_hour_outside_the_range_is_refused_and_logged(pl_h: int) -> None:
    nurse = delivering(GRID[2])
    with pytest.raises(Refusals) as refused:
        nurse.program(therapy(at(pl_h)))
    assert refused.value.code is ErrorCode.LIMIT_HARD
    assert (nurse.log[-1].code, nurse.log[-1].a) == (Code.REFUSED, ErrorCode.LIMIT_HARD)
    nurse.run(HOUR_US)
    assert nurse.truth_delivered_nl == GRID[2] // 1000


@pytest.mark.requirement("R-003")
def test_at_the_lowest_rate_strokes_come_one_by_one_at_their_time() -> None:
    nurse = delivering(LOWEST_PL_H)
    interval_us = HOUR_US * STROKE_NL * 1000 // LOWEST_PL_H
    for stroke in range(1, 2 * DAY_US // interval_us + 1):
        nurse.run(interval_us * 9 // 10)
        assert nurse.truth_delivered_nl == (stroke - 1) * STROKE_NL
        nurse.run(interval_us // 10)
        assert nurse.truth_delivered_nl == stroke * STROKE_NL


@pytest.mark.requirement("R-013")
@pytest.mark.parametrize("pl_h", [LOWEST_PL_H, 40_000_000, HIGHEST_PL_H])
def test_every_window_of_strokes_from_start_up_on_is_exact_to_one(pl_h: int) -> None:
    """A trumpet curve whose mouth is one stroke: windows of 1, 2, 5, 11, 19 and 31 intervals."""
    nurse = delivering(pl_h)
    interval_us = HOUR_US * STROKE_NL * 1000 // pl_h
    given_nl = [0]
    for _ in range(100):
        nurse.run(interval_us)
        given_nl.append(nurse.truth_delivered_nl)
    for window in (1, 2, 5, 11, 19, 31):
        errors = [
            b - a - window * STROKE_NL for a, b in zip(given_nl, given_nl[window:], strict=False)
        ]
        assert len(errors) == 101 - window
        assert max(map(abs, errors)) <= STROKE_NL
    assert all(later > earlier for earlier, later in pairwise(given_nl[2:]))


@pytest.mark.requirement("R-013")
@pytest.mark.parametrize(("volume_nl", "shots"), [(STROKE_NL, 25), (2_000_000, 3)])
def test_the_smallest_and_the_largest_bolus_are_whole_each_time(volume_nl: int, shots: int) -> None:
    nurse = delivering(LOWEST_PL_H)
    start_nl = 0
    for shot in range(1, shots + 1):
        result = nurse.bolus(volume_nl, again=True)
        nurse.run(3 * HOUR_US)
        nurse.hello()
        assert nurse.query(result.txn).state is TxnState.DONE
        basal_nl = shot * 3 * LOWEST_PL_H // 1000
        given_nl = nurse.truth_delivered_nl - start_nl
        assert abs(given_nl - basal_nl - shot * volume_nl) <= STROKE_NL


@pytest.mark.requirement("R-020")
def test_no_batch_asks_the_motor_for_more_than_the_highest_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nurse = delivering(LOWEST_PL_H)
    asked: list[tuple[int, int]] = []
    dispense = nurse.board.motor.dispense

    def watched(strokes: int, interval_us: int) -> None:
        asked.append((strokes, interval_us))
        dispense(strokes, interval_us)

    monkeypatch.setattr(nurse.board.motor, "dispense", watched)
    nurse.run(HOUR_US)
    nurse.bolus(100_000)
    nurse.run(HOUR_US)
    nurse.program(therapy(at(HIGHEST_PL_H)))
    nurse.run(HOUR_US)
    fastest_us = HOUR_US * STROKE_NL * 1000 // HIGHEST_PL_H
    assert min(interval_us for _, interval_us in asked) == fastest_us
    assert max(strokes * interval_us for strokes, interval_us in asked) <= (
        nurse.board.motor.lookahead_us
    )
