"""Drafts grow old, slips of the pen are caught, and the pump tells its dates before it begins."""

from dataclasses import replace
from typing import Any

import pytest
from nurse import START_WALL_S, Nurse, Refusals, bolus, therapy, volume_per_day

from firmware.flow import DAY_US, HOUR_US
from protocol import codec
from protocol.codes import BolusKind, RateBasis, RatePer, TxnOp
from protocol.errors import ErrorCode
from protocol.messages import (
    FILL_NOT_TOLD,
    BolusParameters,
    Drug,
    ProgramParameters,
    Rate,
    SetClockParameters,
    Therapy,
)

UG = 10**6
BACLOFEN = Drug("baclofen", 2000 * UG)


def of(ug_day: int) -> Therapy:
    rate = Rate(RateBasis.MASS_PG, RatePer.DAY, ug_day * UG)
    return replace(therapy(), rate=rate, drugs=(BACLOFEN,))


def delivering(wanted: Therapy | None = None) -> Nurse:
    nurse = Nurse()
    nurse.program(wanted or of(300), 40_000_000)
    return nurse


def answer(nurse: Nurse, op: TxnOp, wanted: Any) -> ErrorCode:
    try:
        nurse.prepare(op, wanted)
    except Refusals as refused:
        return refused.code
    return ErrorCode.OK


# --- drafts -------------------------------------------------------------------------------------


@pytest.mark.requirement("R-055")
@pytest.mark.requirement("R-237")
@pytest.mark.parametrize(("idle_s", "lives"), [(179, True), (181, False)])
def test_a_session_of_three_idle_minutes_is_over(idle_s: int, lives: bool) -> None:
    nurse = delivering()
    staged = nurse.prepare(TxnOp.BOLUS, bolus(10_000))
    channel = nurse.channel
    nurse.run(idle_s * 1_000_000)
    nurse.ask("STATUS")
    assert (nurse.channel == channel) is lives
    with pytest.raises(Refusals, match="EXPIRED"):
        nurse.commit(staged)
    nurse.run(DAY_US - idle_s * 1_000_000)
    assert nurse.truth_delivered_nl == 150_000


# --- slips --------------------------------------------------------------------------------------


@pytest.mark.requirement("R-059")
@pytest.mark.requirement("R-254")
@pytest.mark.parametrize(
    ("ug_day", "code"),
    [
        (30, ErrorCode.LIMIT_HARD),
        (150, ErrorCode.LIMIT_SOFT),
        (600, ErrorCode.LIMIT_SOFT),
        (3000, ErrorCode.LIMIT_HARD),
    ],
)
def test_a_tenth_half_twice_or_ten_times_the_dose_is_not_taken(
    ug_day: int, code: ErrorCode
) -> None:
    nurse = delivering()
    assert answer(nurse, TxnOp.PROGRAM, ProgramParameters(of(ug_day), FILL_NOT_TOLD)) is code
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == 150_000


@pytest.mark.requirement("R-242")
@pytest.mark.parametrize("kind", [BolusKind.SINGLE, BolusKind.LOADING])
@pytest.mark.parametrize(
    ("ug", "override", "code"),
    [
        (699, 0, ErrorCode.OK),
        (700, 0, ErrorCode.OK),
        (701, 0, ErrorCode.LIMIT_SOFT),
        (701, 1, ErrorCode.OK),
        (1700, 1, ErrorCode.OK),
        (1701, 1, ErrorCode.LIMIT_HARD),
    ],
)
def test_single_and_loading_doses_count_to_the_limits_of_a_day(
    kind: BolusKind, ug: int, override: int, code: ErrorCode
) -> None:
    """Beside 300 ug/day; 1000 ug are soft and 2000 hard."""
    wanted = BolusParameters(kind, RateBasis.MASS_PG, ug * UG, HOUR_US, 0, override)
    assert answer(delivering(), TxnOp.BOLUS, wanted) is code


# --- told before it begins ----------------------------------------------------------------------


@pytest.mark.requirement("R-060")
@pytest.mark.requirement("R-062")
@pytest.mark.requirement("R-072")
def test_volume_and_dates_are_there_before_the_first_stroke_and_new_with_each_program() -> None:
    nurse = delivering()
    reserve_nl = 38_000_000
    for daily_nl in (150_000, 300_000, 75_000):
        before_nl = nurse.truth_delivered_nl
        other = replace(therapy(volume_per_day(daily_nl)), drugs=(Drug(f"of {daily_nl}", UG),))
        nurse.program(other)
        assert nurse.truth_delivered_nl == before_nl == 0
        assert nurse.status.computed_nl == 40_000_000
        low_s = nurse.status.low_reservoir_wall_s - START_WALL_S
        assert abs(low_s - reserve_nl * 86_400 // daily_nl) <= 1
        assert nurse.status.refill_due_wall_s == nurse.status.low_reservoir_wall_s


# --- what nobody can change ---------------------------------------------------------------------


@pytest.mark.requirement("R-252")
def test_nothing_that_a_clinician_does_changes_what_the_pump_is() -> None:
    nurse = Nurse()
    before = codec.encode(nurse.ask("DEVICE"))
    nurse.program(of(300), 40_000_000)
    nurse.bolus(10_000)
    nurse.run(HOUR_US)
    nurse.hello()
    nurse.refill(30_000_000)
    nurse.do(TxnOp.SET_CLOCK, SetClockParameters(nurse.status.wall_s + 3600))
    nurse.stop()
    nurse.resume()
    assert codec.encode(nurse.ask("DEVICE")) == before


@pytest.mark.requirement("R-170")
@pytest.mark.requirement("R-171")
@pytest.mark.requirement("R-204")
def test_prescription_and_log_survive_a_thousand_hours_without_power() -> None:
    nurse = delivering()
    nurse.bolus(10_000)
    nurse.run(HOUR_US)
    prescribed, log = codec.encode(nurse.ask("PRESCRIPTION")), nurse.log
    nurse.board.power_cut(1000 * HOUR_US)
    nurse.run(1001 * HOUR_US)
    nurse.hello()
    assert codec.encode(nurse.ask("PRESCRIPTION")) == prescribed
    assert nurse.log[: len(log)] == log
