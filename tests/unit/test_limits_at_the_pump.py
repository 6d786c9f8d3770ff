"""The pump keeps the drug limits by itself, whatever a tool has checked; judged by its doses."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from nurse import MINUTE_US, START_WALL_S, Nurse, Refusals, therapy
from path_nurse import WEAK, change, dose
from path_nurse import running as running_on

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
    TxnState,
)
from protocol.errors import ErrorCode, LimitId
from protocol.messages import (
    AT_ONCE,
    FILL_NOT_TOLD,
    BolusParameters,
    Drug,
    FlexStep,
    PatientBolus,
    Periodic,
    ProgramParameters,
    Rate,
    Therapy,
)

UG = 10**6
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
BACLOFEN = Drug("baclofen", 2000 * UG)


def of(pg_day: int, *drugs: Drug) -> Therapy:
    """So much of the first drug per day."""
    rate = Rate(RateBasis.MASS_PG, RatePer.DAY, pg_day)
    return replace(therapy(), rate=rate, drugs=drugs or (BACLOFEN,))


def program(nurse: Nurse, wanted: Therapy, override: int = 0, at_wall_s: int = 0) -> None:
    parameters = ProgramParameters(wanted, FILL_NOT_TOLD, at_wall_s, override)
    nurse.do(TxnOp.PROGRAM, parameters)


def bolus(nurse: Nurse, pg: int, override: int = 0, over_us: int = 0) -> None:
    single = BolusParameters(BolusKind.SINGLE, RateBasis.MASS_PG, pg, over_us, 1, override)
    nurse.do(TxnOp.BOLUS, single)


def overridden(nurse: Nurse) -> list[tuple[int, int]]:
    return [(one.a, one.b) for one in nurse.log if one.code is Code.LIMIT_OVERRIDDEN]


def refused(act: Any, *args: Any, **kwargs: Any) -> tuple[ErrorCode, int, int, int]:
    with pytest.raises(Refusals) as error:
        act(*args, **kwargs)
    detail = error.value.refusal
    return error.value.code, detail.id, detail.value, detail.limit


def dose_pg(nurse: Nurse, span_us: int, drug: Drug = BACLOFEN) -> int:
    """Return what the plant gives of a drug in a while."""
    before_nl = nurse.truth_delivered_nl
    nurse.run(span_us)
    return (nurse.truth_delivered_nl - before_nl) * drug.concentration_pg_ml // 10**6


@pytest.fixture
def nurse() -> Nurse:
    return Nurse()


@pytest.fixture
def running() -> Nurse:
    """300 ug/day of baclofen."""
    nurse = Nurse()
    program(nurse, of(300 * UG))
    return nurse


# --- dose per day -------------------------------------------------------------------------------


@pytest.mark.requirement("R-242")
@pytest.mark.requirement("R-243")
@pytest.mark.parametrize(
    ("pg_day", "override", "answer"),
    [
        (1000 * UG, 0, None),
        (1000 * UG + 1, 0, ErrorCode.LIMIT_SOFT),
        (1000 * UG + 1, 1, None),
        (2000 * UG, 1, None),
        (2000 * UG + 1, 0, ErrorCode.LIMIT_HARD),
        (2000 * UG + 1, 1, ErrorCode.LIMIT_HARD),
    ],
)
def test_a_dose_per_day_up_to_the_limit_and_one_picogram_beyond(
    nurse: Nurse, pg_day: int, override: int, answer: ErrorCode | None
) -> None:
    if answer is None:
        program(nurse, of(pg_day), override)
        assert abs(dose_pg(nurse, 10 * DAY_US) - 10 * pg_day) <= 500_000  # one stroke
        return
    limit = (2000 if answer is ErrorCode.LIMIT_HARD else 1000) * UG
    expected = (answer, LimitId.DOSE_PER_DAY_PG, pg_day, limit)
    assert refused(program, nurse, of(pg_day), override) == expected
    assert dose_pg(nurse, DAY_US) == 0


def test_ziconotide_stops_at_19_2_micrograms_a_day_whatever_is_overridden(nurse: Nurse) -> None:
    drug = Drug("ziconotide", 100 * UG)
    expected = (ErrorCode.LIMIT_HARD, LimitId.DOSE_PER_DAY_PG, 19_200_001, 19_200_000)
    assert refused(program, nurse, of(19_200_001, drug), 1) == expected
    program(nurse, of(19_200_000, drug), 1)
    assert overridden(nurse) == [(LimitId.DOSE_START_PG, 1)]
    assert abs(dose_pg(nurse, 10 * DAY_US, drug) - 192_000_000) <= 25_000


def test_a_secondary_drug_that_would_be_too_much_is_refused(nurse: Nurse) -> None:
    morphine = Drug("morphine", 10**10)
    mix = of(1500 * UG, morphine, Drug("clonidine", 4 * 10**9))
    expected = (ErrorCode.LIMIT_SOFT, LimitId.CONCENTRATION_PG_ML, 4 * 10**9, 10**9)
    assert refused(program, nurse, mix) == expected
    program(nurse, mix, 1)
    assert overridden(nurse) == [(LimitId.CONCENTRATION_PG_ML, 2)]
    more = of(1500 * UG + 1, *mix.drugs)
    expected = (ErrorCode.LIMIT_SOFT, LimitId.DOSE_PER_DAY_PG, 600 * UG + 1, 600 * UG)
    assert refused(program, nurse, more) == expected


def test_flex_counts_its_largest_day_and_the_patient_all_he_may_take(nurse: Nurse) -> None:
    def flex(ug_h: Sequence[int], boluses: int = 0) -> Therapy:
        steps = tuple(FlexStep(127, 720 * i, one * UG) for i, one in enumerate(ug_h))
        patient = PatientBolus(RateBasis.MASS_PG, 20 * UG, 300, 7200, LockoutFrom.START, boluses)
        return replace(
            of(0),
            program=ProgramKind.FLEX,
            rate=Rate(RateBasis.MASS_PG, RatePer.HOUR, 0),
            steps=steps,
            patient=patient if boluses else therapy().patient,
        )

    # 12 h × 40 + 12 h × 35 = 900 ug, and five boluses of 20 ug are 1000 ug.
    program(nurse, flex((40, 35), boluses=5))
    assert abs(dose_pg(nurse, DAY_US) - 900 * UG) <= 500_000
    expected = (ErrorCode.LIMIT_SOFT, LimitId.DOSE_PER_DAY_PG, 1020 * UG, 1000 * UG)
    assert refused(program, nurse, flex((40, 35), boluses=6)) == expected


# --- changes ------------------------------------------------------------------------------------


@pytest.mark.requirement("R-059")
@pytest.mark.requirement("R-210")
@pytest.mark.requirement("R-244")
@pytest.mark.parametrize(
    ("ug_day", "limit", "value"),
    [(421, LimitId.DOSE_RISE_PERCENT, 41), (239, LimitId.DOSE_FALL_PERCENT, 21)],
)
def test_a_step_beyond_the_usual_needs_the_override_and_is_logged(
    running: Nurse, ug_day: int, limit: LimitId, value: int
) -> None:
    most = 40 if limit is LimitId.DOSE_RISE_PERCENT else 20
    assert refused(program, running, of(ug_day * UG)) == (
        ErrorCode.LIMIT_SOFT, limit, value, most,
    )  # fmt: skip
    assert abs(dose_pg(running, DAY_US) - 300 * UG) <= 500_000
    program(running, of(ug_day * UG), 1)
    assert overridden(running) == [(limit, 1)]
    assert running.codes.index(Code.LIMIT_OVERRIDDEN) > running.codes.index(Code.PROGRAM_COMMITTED)
    assert abs(dose_pg(running, 10 * DAY_US) - 10 * ug_day * UG) <= 500_000


def test_an_override_without_need_leaves_no_record(running: Nurse) -> None:
    program(running, of(420 * UG), 1)
    assert overridden(running) == []


def test_a_prepare_alone_logs_no_override(running: Nurse) -> None:
    running.prepare(TxnOp.PROGRAM, ProgramParameters(of(600 * UG), FILL_NOT_TOLD, 0, 1))
    assert overridden(running) == []


def test_a_scheduled_change_is_judged_when_it_is_programmed(running: Nurse) -> None:
    tomorrow = START_WALL_S + 86_400
    assert refused(program, running, of(600 * UG), 0, tomorrow)[:2] == (
        ErrorCode.LIMIT_SOFT, LimitId.DOSE_RISE_PERCENT,
    )  # fmt: skip
    program(running, of(600 * UG), 1, tomorrow)
    assert overridden(running) == [(LimitId.DOSE_RISE_PERCENT, 1)]


def test_stopping_and_going_to_minimum_rate_are_never_refused(running: Nurse) -> None:
    program(running, of(1900 * UG), 1)
    for kind in (ProgramKind.MINIMUM_RATE, ProgramKind.STOPPED):
        program(running, replace(therapy(program=kind), drugs=(BACLOFEN,)))
    assert dose_pg(running, DAY_US) <= 500_000


# --- worked case 12 -----------------------------------------------------------------------------


def test_worked_case_12_exactly(nurse: Nurse) -> None:
    """300 ug/day of 500 ug/mL are 0.6 mL/day; of 50 typed for 500 it would be 6.0 mL/day."""
    program(nurse, of(300 * UG, Drug("baclofen", 500 * UG)))
    slip = of(300 * UG, Drug("baclofen", 50 * UG))
    for override in (0, 1):
        assert refused(program, nurse, slip, override) == (
            ErrorCode.LIMIT_HARD, LimitId.FLOW_JUMP_PL_H, 250_000_000, 125_000_000,
        )  # fmt: skip
    before_nl = nurse.truth_delivered_nl
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl - before_nl == 600_000
    assert nurse.status.last_refusal is ErrorCode.LIMIT_HARD
    assert nurse.codes.count(Code.PROGRAM_COMMITTED) == 1


def test_a_change_that_is_meant_takes_two_steps(nurse: Nurse) -> None:
    program(nurse, of(300 * UG, Drug("baclofen", 500 * UG)))
    weak = of(300 * UG, Drug("baclofen", 50 * UG))
    quiet = replace(therapy(program=ProgramKind.STOPPED), drugs=weak.drugs)
    program(nurse, quiet)
    program(nurse, weak)
    before_nl = nurse.truth_delivered_nl
    nurse.run(DAY_US)
    assert abs(nurse.truth_delivered_nl - before_nl - 6_000_000) <= 250


# --- boluses ------------------------------------------------------------------------------------


def test_a_bolus_counts_with_the_program_of_a_day(running: Nurse) -> None:
    room = 700 * UG  # up to the soft limit of 1000 ug
    expected = (ErrorCode.LIMIT_SOFT, LimitId.DOSE_PER_DAY_PG, 1000 * UG + 500_000, 1000 * UG)
    assert refused(bolus, running, room + 500_000) == expected
    assert running.truth_delivered_nl == 0
    bolus(running, room, over_us=HOUR_US)
    assert overridden(running) == []
    running.run(HOUR_US)
    given_pg = running.truth_delivered_nl * 2000
    assert abs(given_pg - room - 12_500_000) <= 500_000


def test_boluses_of_the_last_24_hours_count_together(running: Nurse) -> None:
    bolus(running, 400 * UG, over_us=HOUR_US)
    running.run(2 * HOUR_US)
    expected = (ErrorCode.LIMIT_SOFT, LimitId.DOSE_PER_DAY_PG, 1100 * UG, 1000 * UG)
    assert refused(bolus, running, 400 * UG, over_us=HOUR_US) == expected
    bolus(running, 300 * UG, over_us=HOUR_US)
    running.run(23 * HOUR_US + MINUTE_US)  # the first one is a day old
    bolus(running, 400 * UG, over_us=HOUR_US)
    assert overridden(running) == []


@pytest.mark.requirement("R-031")
def test_a_patient_bolus_after_a_clinicians_never_passes_the_hard_limit(nurse: Nurse) -> None:
    """900 ug/day, four of 200 ug granted: 1700. A clinician's 400 leaves the patient three."""
    grant = PatientBolus(RateBasis.MASS_PG, 200 * UG, 1200, 600, LockoutFrom.START, 4)
    program(nurse, replace(of(900 * UG), patient=grant), override=1)
    bolus(nurse, 400 * UG, override=1, over_us=60 * MINUTE_US)
    wanted = BolusParameters(BolusKind.PATIENT, RateBasis.VOLUME_PL, 0, 0, 0)
    for _ in range(3):
        nurse.run(25 * MINUTE_US)
        nurse.hello(Role.PATIENT)
        nurse.do(TxnOp.BOLUS, wanted)
    nurse.run(25 * MINUTE_US)
    nurse.hello(Role.PATIENT)
    with pytest.raises(Refusals) as refused:
        nurse.do(TxnOp.BOLUS, wanted)
    assert (refused.value.code, refused.value.refusal.id) == (
        ErrorCode.LIMIT_HARD,
        LimitId.DOSE_PER_DAY_PG,
    )
    nurse.run(DAY_US)
    nurse.hello(Role.PATIENT)
    nurse.do(TxnOp.BOLUS, wanted)


@pytest.mark.requirement("R-031")
@pytest.mark.requirement("R-210")
@pytest.mark.requirement("R-242")
def test_a_bolus_beyond_the_soft_limit_is_given_and_logged_with_the_override(
    running: Nurse,
) -> None:
    bolus(running, 800 * UG, override=1, over_us=HOUR_US)
    assert overridden(running) == [(LimitId.DOSE_PER_DAY_PG, 1)]
    assert refused(bolus, running, 1701 * UG, override=1)[0] is ErrorCode.BUSY_DELIVERING
    running.run(DAY_US)
    assert refused(bolus, running, 1701 * UG, override=1)[:2] == (
        ErrorCode.LIMIT_HARD, LimitId.DOSE_PER_DAY_PG,
    )  # fmt: skip


def test_a_limit_of_the_pump_itself_comes_before_a_soft_one(running: Nurse) -> None:
    """The largest bolus of the pump is 2 mL, 4000 ug."""
    assert refused(bolus, running, 4001 * UG, override=1)[:2] == (
        ErrorCode.LIMIT_HARD, LimitId.BOLUS_VOLUME_NL,
    )  # fmt: skip
    wild = of(50_000 * UG)  # 25 mL/day
    assert refused(program, running, wild)[:2] == (ErrorCode.LIMIT_HARD, LimitId.FLOW_MAX_PL_H)


def test_a_periodic_program_counts_once_beside_a_bolus(nurse: Nurse) -> None:
    """Twelve boluses of 40 ug and 96 ug of background less their pauses: a little under 576 ug."""
    periodic = Periodic(RateBasis.MASS_PG, 40 * UG, 600, 7200, AT_ONCE)
    rate = Rate(RateBasis.VOLUME_PL, RatePer.DAY, 48_000_000)
    wanted = replace(of(0), program=ProgramKind.PERIODIC, rate=rate, periodic=periodic)
    program(nurse, wanted)
    pg_day = dose_pg(nurse, DAY_US)
    assert abs(pg_day - 568 * UG) <= 500_000
    nurse.run(HOUR_US // 2)  # between two of them
    bolus(nurse, 432 * UG, over_us=HOUR_US)
    assert overridden(nurse) == []
    nurse.run(DAY_US + 2 * HOUR_US)  # the bolus is a day old
    assert refused(bolus, nurse, 433 * UG, over_us=HOUR_US)[:2] == (
        ErrorCode.LIMIT_SOFT, LimitId.DOSE_PER_DAY_PG,
    )  # fmt: skip


# --- bridges ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "above"), [(5, True), (1 / 5, False)])
def test_a_bridging_dose_keeps_to_the_rate_before(factor: float, above: bool) -> None:
    """300 ug/day before: from 60 to 1500 ug/day are plausible, one picogram beyond is not."""
    nurse = running_on(WEAK)
    change(nurse)
    bound = int(300 * UG * factor)
    value, limit = (refused(dose, nurse, BolusKind.BRIDGE, bound + (1 if above else -1)))[2:]
    assert limit == (125_000_000 if above else 5_000_000)
    assert (value > limit) is above
    assert nurse.status.mode is Mode.BASAL
    assert dose(nurse, BolusKind.BRIDGE, bound).state is TxnState.DELIVERING
