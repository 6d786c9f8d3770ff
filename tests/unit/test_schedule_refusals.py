"""Schedules that make no sense: refused by the pump, and the old one goes on."""

from dataclasses import replace

import pytest
from nurse import (
    START_WALL_S,
    STROKE_NL,
    Nurse,
    Refusals,
    therapy,
    volume_per_day,
)
from week import CASE_5, EVERY_DAY, PERIODIC, SECOND_US, WEEKEND, WORKING_DAYS, flex, owed_nl

from firmware.flow import DAY_US
from protocol import codec
from protocol.codes import TxnOp
from protocol.errors import ErrorCode, LimitId
from protocol.messages import (
    FILL_NOT_TOLD,
    Drug,
    FlexStep,
    Prepare,
    ProgramParameters,
    Therapy,
)
from protocol.operations import SCHEMA_ID

START_US = START_WALL_S * SECOND_US


def programmed(wanted: Therapy = CASE_5) -> Nurse:
    nurse = Nurse()
    nurse.program(wanted, 40_000_000)
    return nurse


def periodic(**over: int) -> Therapy:
    return replace(PERIODIC, periodic=replace(PERIODIC.periodic, **over))


@pytest.mark.requirement("R-043")
@pytest.mark.requirement("R-248")
@pytest.mark.parametrize(
    ("wanted", "limit", "value"),
    [
        (flex((EVERY_DAY, 1440, 5)), LimitId.SCHEDULE_MIN, 1440),
        (flex((EVERY_DAY, 600, 5), (EVERY_DAY, 500, 6)), LimitId.SCHEDULE_MIN, 500),
        (flex((EVERY_DAY, 600, 5), (WEEKEND, 600, 6)), LimitId.SCHEDULE_MIN, 600),
        (flex((WEEKEND, 600, 5), (WORKING_DAYS, 700, 6)), LimitId.SCHEDULE_MIN, 700),
        (flex((WORKING_DAYS, 600, 5)), LimitId.SCHEDULE_STEPS, 5),
        (flex(), LimitId.SCHEDULE_STEPS, 0),
        (flex((EVERY_DAY, 600, 5), (EVERY_DAY, 601, 3)), LimitId.FLOW_MIN_PL_H, 1_500_000),
        (flex((EVERY_DAY, 0, 2001)), LimitId.FLOW_MAX_PL_H, 1_000_500_000),
        (periodic(every_s=299), LimitId.PERIODIC_S, 299),
        (periodic(every_s=0), LimitId.PERIODIC_S, 0),
        (periodic(over_s=0, every_s=35), LimitId.PERIODIC_S, 35),
        (periodic(amount=249_999), LimitId.BOLUS_VOLUME_NL, 249),
        (periodic(amount=0), LimitId.BOLUS_VOLUME_NL, 0),
        (periodic(amount=2_000_001_000), LimitId.BOLUS_VOLUME_NL, 2_000_001),
        (periodic(over_s=35), LimitId.FLOW_MAX_PL_H, 1_028_571_428),
        (periodic(first_min=1440), LimitId.SCHEDULE_MIN, 1440),
        (replace(PERIODIC, rate=volume_per_day(5_999)), LimitId.FLOW_MIN_PL_H, 249_958),
    ],
)  # fmt: skip
def test_a_schedule_that_makes_no_sense_is_refused_and_the_old_one_goes_on(
    wanted: Therapy, limit: LimitId, value: int
) -> None:
    nurse = programmed(therapy())
    with pytest.raises(Refusals) as refused:
        nurse.program(wanted)
    assert refused.value.code is ErrorCode.LIMIT_HARD
    assert (refused.value.refusal.id, refused.value.refusal.value) == (limit, value)
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == 150_000


@pytest.mark.requirement("R-248")
@pytest.mark.parametrize(
    "wanted",
    [
        replace(therapy(), steps=CASE_5.steps),
        replace(CASE_5, rate=volume_per_day(1)),
        replace(CASE_5, steps=(FlexStep(0, 0, 1),)),
        replace(CASE_5, steps=(FlexStep(128, 0, 1),)),
        replace(CASE_5, periodic=PERIODIC.periodic),
    ],
)
def test_parts_of_another_program_are_malformed(wanted: Therapy) -> None:
    nurse = Nurse()
    with pytest.raises(Refusals, match="MALFORMED"):
        nurse.program(wanted)


@pytest.mark.parametrize("name", ["", " ", "baclofen\nachievable 0", "\x1b[8mbaclofen"])
def test_a_drug_whose_name_nobody_can_read_at_a_review_is_malformed(name: str) -> None:
    nurse = programmed(therapy())
    with pytest.raises(Refusals, match="MALFORMED"):
        nurse.program(replace(therapy(), drugs=(Drug(name, 2_000_000_000),)))


def test_thirteen_steps_run_and_a_fourteenth_is_refused() -> None:
    steps = [(EVERY_DAY, 60 * hour, 5 + hour) for hour in range(14)]
    nurse = programmed(flex(*steps[:13]))
    nurse.run(DAY_US)
    expected_nl = owed_nl(flex(*steps[:13]), START_US, START_US + DAY_US)
    assert abs(nurse.truth_delivered_nl - expected_nl) <= STROKE_NL
    wire = codec.encode(ProgramParameters(flex(*steps[:13]), FILL_NOT_TOLD))
    known = b"".join(codec.encode(step) for step in flex(*steps[:13]).steps)
    more = codec.encode(flex(*steps[13:]).steps[0])
    assert wire.count(b"\x0d" + known) == 1
    wire = wire.replace(b"\x0d" + known, b"\x0e" + known + more)
    request = Prepare(9, TxnOp.PROGRAM, SCHEMA_ID, nurse.status.generation, wire)
    with pytest.raises(Refusals, match="MALFORMED"):
        nurse.ask("PREPARE", request)
