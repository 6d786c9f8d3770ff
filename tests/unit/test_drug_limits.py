"""The drug table, and each limit at its boundary: reached is allowed, one unit beyond is not."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nurse import therapy

from firmware import daily
from firmware.drugs import DRUGS, DrugLimits
from firmware.limits import Passed, bolus_limits, program_limits
from protocol.codes import LockoutFrom, ProgramKind, RateBasis, RatePer
from protocol.errors import LimitId
from protocol.messages import AT_ONCE, Drug, FlexStep, PatientBolus, Periodic, Rate, Therapy

UG = 10**6
MG = 10**9
MINIMUM_PL_H = 250_000
CONTINUOUS = ProgramKind.SIMPLE_CONTINUOUS


def prescribed(pg_day: int, *drugs: Drug, program: ProgramKind = CONTINUOUS) -> Therapy:
    """So much of the first drug per day."""
    rate = Rate(RateBasis.MASS_PG, RatePer.DAY, pg_day)
    return replace(therapy(program=program), rate=rate, drugs=drugs)


BACLOFEN = Drug("baclofen", 2000 * UG)
ZICONOTIDE = Drug("ziconotide", 25 * UG)
MORPHINE = Drug("morphine", 10 * MG)
PATIENT = PatientBolus(RateBasis.MASS_PG, 20 * UG, 300, 7200, LockoutFrom.START, 4)


def passed(new: Therapy, current: Therapy | None = None) -> list[Passed]:
    return program_limits(new, current, MINIMUM_PL_H)


def ids(new: Therapy, current: Therapy | None = None) -> list[tuple[LimitId, bool, int]]:
    return [(one.id, one.hard, one.drug) for one in passed(new, current)]


# --- dose per day -------------------------------------------------------------------------------


@pytest.mark.requirement("R-241")
@pytest.mark.requirement("R-242")
@pytest.mark.parametrize("row", DRUGS.values(), ids=lambda row: row.name)
def test_the_daily_dose_is_soft_then_hard_one_picogram_beyond(row: DrugLimits) -> None:
    drug = Drug(row.name, row.concentration_max_pg_ml.value)
    soft, hard = row.day_soft_pg.value, row.day_hard_pg.value
    day = LimitId.DOSE_PER_DAY_PG

    def found(pg_day: int) -> list[Passed]:
        return [one for one in passed(prescribed(pg_day, drug)) if one.id is day]

    assert found(soft) == []
    if soft < hard:
        assert found(soft + 1) == [Passed(day, False, 1, soft + 1, soft)]
        assert found(hard) == [Passed(day, False, 1, hard, soft)]
    assert found(hard + 1) == [Passed(day, True, 1, hard + 1, hard)]


def test_a_secondary_drug_is_judged_by_its_own_concentration() -> None:
    # 1.5 mg/day of 10 mg/mL are 0.15 mL/day; 600 ug/day of clonidine then need 4 mg/mL.
    clonidine = Drug("clonidine", 4 * MG)
    mix = prescribed(1_500 * UG, MORPHINE, clonidine)
    assert [one for one in passed(mix) if one.id is LimitId.DOSE_PER_DAY_PG] == []
    beyond = prescribed(1_500 * UG, MORPHINE, replace(clonidine, concentration_pg_ml=4 * MG + 1))
    assert Passed(LimitId.DOSE_PER_DAY_PG, False, 2, 600 * UG + 1, 600 * UG) in passed(beyond)


def test_all_drugs_of_a_mix_are_named_hard_ones_first() -> None:
    mix = prescribed(21 * MG, MORPHINE, Drug("bupivacaine", 20 * MG))
    assert ids(mix) == [
        (LimitId.DOSE_PER_DAY_PG, True, 2),
        (LimitId.DOSE_PER_DAY_PG, False, 1),
    ]


def test_one_drug_under_two_names_is_one_dose() -> None:
    half = prescribed(600 * UG, BACLOFEN, Drug("baclofen pf", 2000 * UG))
    assert ids(half) == [(LimitId.DOSE_PER_DAY_PG, False, 1)]


def test_a_drug_that_is_not_in_the_table_has_no_dose_limit() -> None:
    assert passed(prescribed(10**15, Drug("test drug", 1))) == []


@pytest.mark.parametrize("program", [ProgramKind.STOPPED, ProgramKind.MINIMUM_RATE])
def test_giving_less_is_never_refused_for_its_dose(program: ProgramKind) -> None:
    strong = Drug("ziconotide", 100 * UG)
    quiet = prescribed(0, strong, program=program)
    assert passed(quiet, prescribed(19_200_000, strong)) == []


def test_a_minimum_rate_that_is_a_large_dose_is_judged_as_one() -> None:
    """An external pump keeps its line open with 2.4 mL/day: 24 mg of morphine in place of 1."""
    line_pl_h = 100_000_000
    quiet = prescribed(0, MORPHINE, program=ProgramKind.MINIMUM_RATE)
    ids = [
        [(one.id, one.hard) for one in program_limits(quiet, before, line_pl_h)]
        for before in (None, prescribed(1 * MG, MORPHINE), prescribed(24 * MG, MORPHINE))
    ]
    most, rise = (LimitId.DOSE_PER_DAY_PG, False), (LimitId.DOSE_RISE_PERCENT, False)
    assert ids == [[most], [most, rise], []]


# --- programs over the day ----------------------------------------------------------------------


def flex(*steps: tuple[int, int, int], drug: Drug = BACLOFEN) -> Therapy:
    """Steps of (days, hour, pg per hour)."""
    whole = replace(therapy(), program=ProgramKind.FLEX, drugs=(drug,))
    rate = Rate(RateBasis.MASS_PG, RatePer.HOUR, 0)
    written = tuple(FlexStep(days, hour * 60, amount) for days, hour, amount in steps)
    return replace(whole, rate=rate, steps=written)


EVERY_DAY, WEEKDAYS, SATURDAY, SUNDAY = 127, 31, 32, 64


def test_worked_case_5_flex_counts_what_the_day_brings() -> None:
    program = flex((EVERY_DAY, 6, 10 * UG), (EVERY_DAY, 18, 20 * UG), (EVERY_DAY, 22, 5 * UG))
    assert daily.mean_pl(program, 0) == 120_000_000  # 240 ug of 2000 ug/mL
    assert daily.most_pl(program, 0) == 120_000_000


def test_flex_is_judged_by_its_largest_24_hours_not_by_its_mean() -> None:
    # Saturday noon to Sunday noon is the most: no calendar day has as much.
    program = flex((WEEKDAYS, 0, 20 * UG), (SATURDAY, 12, 42 * UG), (SUNDAY, 12, 20 * UG))
    assert daily.most_pl(program, 0) == 24 * 42 * UG * 10**9 // (2000 * UG)
    assert ids(program) == [(LimitId.DOSE_PER_DAY_PG, False, 1)]
    less = flex((WEEKDAYS, 0, 20 * UG), (SATURDAY, 12, 41 * UG), (SUNDAY, 12, 20 * UG))
    assert passed(less) == []


def test_a_flex_program_without_steps_gives_nothing() -> None:
    assert daily.mean_pl(flex(), 0) == daily.most_pl(flex(), 0) == 0


@given(
    st.lists(
        st.tuples(st.integers(1, 127), st.integers(0, 23), st.integers(0, 10**9)),
        min_size=1, max_size=13, unique_by=lambda step: step[1],
    )
)  # fmt: skip
def test_the_largest_24_hours_are_those_of_an_hour_by_hour_count(
    steps: list[tuple[int, int, int]],
) -> None:
    program = flex(*steps)
    week: list[int] = []
    changes = {
        (day * 24 + hour): amount for days, hour, amount in steps for day in range(7)
        if days >> day & 1
    }  # fmt: skip
    now = changes[max(changes)]
    for hour in range(168):
        now = changes.get(hour, now)
        week.append(now)
    windows = [sum((week * 2)[hour : hour + 24]) for hour in range(168)]
    assert daily.most_pl(program, 0) == Fraction(max(windows) * 10**9, 2000 * UG)
    assert daily.mean_pl(program, 0) == Fraction(sum(week) * 10**9, 2000 * UG * 7)


def periodic(every_s: int, over_s: int = 600) -> Therapy:
    """20 ug every so often over a background of 0.048 mL/day."""
    whole = replace(therapy(), program=ProgramKind.PERIODIC, drugs=(BACLOFEN,))
    boluses = Periodic(RateBasis.MASS_PG, 20 * UG, over_s, every_s, AT_ONCE)
    rate = Rate(RateBasis.VOLUME_PL, RatePer.DAY, 48_000_000)
    return replace(whole, rate=rate, periodic=boluses)


def test_periodic_boluses_count_with_the_background_that_pauses_for_them() -> None:
    program = periodic(7200)
    pause = Fraction(12 * 600, 86_400)
    assert daily.mean_pl(program, 0) == 12 * 10_000_000 + 48_000_000 * (1 - pause)
    assert daily.most_pl(program, 0) == daily.mean_pl(program, 0)
    # Every 7 h: 3.43 a day on the mean, but four begin within some 24 h.
    assert daily.most_pl(periodic(25_200), 0) > daily.mean_pl(periodic(25_200), 0)
    assert daily.most_pl(periodic(25_200, 0), 0) == 4 * 10_000_000 + 48_000_000


def test_all_that_the_patient_may_take_counts() -> None:
    whole = replace(prescribed(920 * UG, BACLOFEN), patient=PATIENT)
    assert passed(whole) == []
    assert ids(replace(whole, patient=replace(PATIENT, max_per_24h=5))) == [
        (LimitId.DOSE_PER_DAY_PG, False, 1)
    ]


@pytest.mark.parametrize(
    ("patient", "boluses"),
    [
        (PATIENT, 4),
        (replace(PATIENT, max_per_24h=0), 12),
        (replace(PATIENT, max_per_24h=0, lockout_from=LockoutFrom.END), 12),  # 11.52
        (replace(PATIENT, max_per_24h=0, lockout_s=0), 288),
        (replace(PATIENT, max_per_24h=0, lockout_s=0, over_s=0), 86_400),
        (replace(PATIENT, amount=0), 0),
    ],
)
def test_without_a_maximum_the_lockout_says_how_often(patient: PatientBolus, boluses: int) -> None:
    whole = replace(prescribed(300 * UG, BACLOFEN), patient=patient)
    assert daily.most_pl(whole, 0) == 150_000_000 + boluses * 10_000_000
    assert daily.mean_pl(whole, 0) == 150_000_000


def test_a_window_limit_holds_the_patient_back_but_not_the_program() -> None:
    whole = replace(prescribed(300 * UG, BACLOFEN), patient=PATIENT, window_s=86_400)
    assert daily.most_pl(replace(whole, window_nl=160_000), 0) == 160_000_000
    assert daily.most_pl(replace(whole, window_nl=100_000), 0) == 150_000_000
    assert daily.most_pl(replace(whole, window_nl=100_000, window_s=43_200), 0) == 190_000_000


# --- changes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pg_day", "limit"),
    [
        (420 * UG, None),
        (420 * UG + 1, Passed(LimitId.DOSE_RISE_PERCENT, False, 1, 41, 40)),
        (600 * UG, Passed(LimitId.DOSE_RISE_PERCENT, False, 1, 100, 40)),
        (240 * UG, None),
        (240 * UG - 1, Passed(LimitId.DOSE_FALL_PERCENT, False, 1, 21, 20)),
    ],
)
def test_baclofen_changes_by_at_most_so_many_percent(pg_day: int, limit: Passed | None) -> None:
    found = passed(prescribed(pg_day, BACLOFEN), prescribed(300 * UG, BACLOFEN))
    assert found == ([] if limit is None else [limit])


def test_ziconotide_starts_and_steps_by_2_4_micrograms() -> None:
    start = LimitId.DOSE_START_PG
    assert passed(prescribed(2_400_000, ZICONOTIDE)) == []
    assert passed(prescribed(2_400_001, ZICONOTIDE)) == [
        Passed(start, False, 1, 2_400_001, 2_400_000)
    ]
    running = prescribed(4_000_000, ZICONOTIDE)
    assert passed(prescribed(6_400_000, ZICONOTIDE), running) == []
    assert passed(prescribed(6_400_001, ZICONOTIDE), running) == [
        Passed(LimitId.DOSE_STEP_PG, False, 1, 2_400_001, 2_400_000)
    ]
    assert passed(prescribed(1, ZICONOTIDE), running) == []
    stopped = prescribed(0, ZICONOTIDE, program=ProgramKind.STOPPED)
    assert ids(prescribed(4_000_000, ZICONOTIDE), stopped) == [(start, False, 1)]


def test_a_drug_that_joins_a_mix_starts() -> None:
    # 0.15 mL/day of 16 ug/mL are 2.4 ug/day.
    joined = prescribed(1_500 * UG, MORPHINE, Drug("ziconotide", 16 * UG))
    assert passed(joined, prescribed(1_500 * UG, MORPHINE)) == []
    more = prescribed(1_500 * UG, MORPHINE, Drug("ziconotide", 16 * UG + 10))
    assert ids(more, prescribed(1_500 * UG, MORPHINE)) == [(LimitId.DOSE_START_PG, False, 2)]


# --- concentration and flow ---------------------------------------------------------------------


@pytest.mark.requirement("R-247")
@pytest.mark.parametrize(
    ("ug_ml", "found"),
    [
        (Fraction(2000), None),
        (Fraction(2_000_000_001, 10**6), False),
        (Fraction(20_000), False),
        (Fraction(20_000_000_001, 10**6), True),
        (Fraction(50), None),
        (Fraction(49_999_999, 10**6), False),
        (Fraction(5), False),
        (Fraction(4_999_999, 10**6), True),
    ],
)
def test_a_concentration_is_soft_outside_its_range_and_hard_ten_times_outside(
    ug_ml: Fraction, found: bool | None
) -> None:
    concentration = int(ug_ml * UG)
    drug = Drug("baclofen", concentration)
    limit = (50 if ug_ml <= 50 else 2000) * UG
    expected = Passed(LimitId.CONCENTRATION_PG_ML, bool(found), 1, concentration, limit)
    assert passed(prescribed(300 * UG, drug)) == ([] if found is None else [expected])


def test_a_concentration_that_is_in_the_pump_already_is_not_judged_again() -> None:
    weak = prescribed(300 * UG, Drug("baclofen", 40 * UG))
    assert passed(weak, weak) == []


def test_worked_case_12_a_concentration_of_50_typed_for_500() -> None:
    current = prescribed(300 * UG, Drug("baclofen", 500 * UG))
    slip = prescribed(300 * UG, Drug("baclofen", 50 * UG))
    # 0.6 mL/day are 25 uL/h, 6.0 mL/day are 250 uL/h; up to 125 uL/h would be plausible.
    assert daily.mean_pl(current, 0) == 600_000_000
    assert daily.mean_pl(slip, 0) == 6_000_000_000
    assert passed(slip, current) == [
        Passed(LimitId.FLOW_JUMP_PL_H, True, 1, 250_000_000, 125_000_000)
    ]
    assert ids(current, slip) == [(LimitId.FLOW_JUMP_PL_H, True, 1)]


def test_the_usual_changes_of_concentration_are_plausible_up_to_a_factor_of_five() -> None:
    def at(ug_ml: int) -> Therapy:
        return prescribed(300 * UG, Drug("baclofen", ug_ml * UG))

    for before, after in ((500, 2000), (2000, 500), (400, 2000), (2000, 400)):
        assert passed(at(after), at(before)) == []
    assert ids(at(399), at(2000)) == ids(at(2000), at(399)) == [(LimitId.FLOW_JUMP_PL_H, True, 1)]


def test_a_jump_is_one_of_the_same_drug_and_of_a_running_program() -> None:
    slip = prescribed(300 * UG, Drug("test drug", 50 * UG))
    current = prescribed(300 * UG, Drug("test drug", 500 * UG))
    assert ids(slip, current) == [(LimitId.FLOW_JUMP_PL_H, True, 1)]
    assert passed(slip, replace(current, program=ProgramKind.STOPPED)) == []
    assert passed(slip, prescribed(300 * UG, Drug("other drug", 500 * UG))) == []
    assert passed(replace(slip, drugs=current.drugs), current) == []


# --- boluses ------------------------------------------------------------------------------------


def test_a_bolus_counts_with_the_program_and_what_was_given_lately() -> None:
    running = prescribed(300 * UG, BACLOFEN)
    room_pl = 350_000_000  # 700 ug of 2000 ug/mL up to the soft limit
    assert bolus_limits(running, room_pl, 0, MINIMUM_PL_H) == []
    assert bolus_limits(running, room_pl - 10**6, 10**6, MINIMUM_PL_H) == []
    soft = Passed(LimitId.DOSE_PER_DAY_PG, False, 1, 1_000_000_002, 1_000_000_000)
    assert bolus_limits(running, room_pl, 1, MINIMUM_PL_H) == [soft]
    hard = bolus_limits(running, room_pl + 500_000_001, 0, MINIMUM_PL_H)
    assert [(one.hard, one.limit) for one in hard] == [(True, 2000 * UG)]


def test_what_the_patient_has_not_taken_does_not_stand_in_the_way_of_a_bolus() -> None:
    running = replace(prescribed(900 * UG, BACLOFEN), patient=PATIENT)
    assert bolus_limits(running, 50_000_000, 0, MINIMUM_PL_H) == []


# --- robustness ---------------------------------------------------------------------------------


@given(
    st.integers(0, 2**64 - 1),
    st.integers(1, 2**64 - 1),
    st.integers(1, 2**64 - 1),
    st.sampled_from(sorted(DRUGS)),
    st.sampled_from(list(ProgramKind)),
)
def test_any_numbers_are_judged_and_a_limit_is_never_equal_to_what_passes_it(
    amount: int, concentration: int, other: int, name: str, program: ProgramKind
) -> None:
    new = prescribed(amount, Drug(name, concentration), program=program)
    for one in passed(new, prescribed(amount, Drug(name, other))):
        assert one.value != one.limit
        assert min(one.value, one.limit) >= 0
