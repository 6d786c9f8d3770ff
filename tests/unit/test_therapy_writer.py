"""A prescription written as a `[therapy]` table is read as the same prescription, exactly."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_therapy_file import THERAPY, WHOLE, asked

from protocol.codes import LockoutFrom, ProgramKind, RateBasis, RatePer
from protocol.messages import (
    AT_ONCE,
    NO_PATIENT_BOLUS,
    Drug,
    FlexStep,
    PatientBolus,
    Periodic,
    Rate,
    Therapy,
)
from tools import therapy_writer

AMOUNTS = st.integers(1, 10**12)
SECONDS = st.integers(1, 366 * 86_400)
RATES = st.builds(Rate, st.sampled_from(RateBasis), st.sampled_from(RatePer), AMOUNTS)
LETTERS = st.characters(codec="utf-8", exclude_categories=("Lu", "Lt", "C", "Z"))
NAMES = st.text(LETTERS, min_size=1, max_size=6).filter(lambda name: name == name.strip().lower())
DRUGS = st.lists(
    st.builds(Drug, NAMES, AMOUNTS), min_size=1, max_size=5, unique_by=lambda drug: drug.name
).map(tuple)
PATIENTS = st.one_of(
    st.just(NO_PATIENT_BOLUS),
    st.builds(
        PatientBolus, st.sampled_from(RateBasis), AMOUNTS, st.integers(0, 3600), SECONDS,
        st.sampled_from(LockoutFrom), st.integers(0, 255),
    ),
)  # fmt: skip


@st.composite
def steps(draw: st.DrawFn) -> tuple[FlexStep, ...]:
    """Steps in groups of weekdays, in the order of the wire."""
    first = draw(st.integers(1, 127))
    groups = [days for days in (first, 127 & ~first) if days]
    found = [
        FlexStep(days, minute, draw(AMOUNTS))
        for days in groups
        for minute in draw(st.sets(st.integers(0, 1439), min_size=1, max_size=6))
    ]
    return tuple(sorted(found, key=lambda step: (step.days & -step.days, step.from_min)))


def with_program(therapy: Therapy, draw: st.DrawFn) -> Therapy:
    rate = draw(RATES)
    if therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
        return replace(therapy, rate=rate)
    if therapy.program is ProgramKind.FLEX:
        return replace(therapy, rate=replace(rate, amount=0), steps=draw(steps()))
    if therapy.program is ProgramKind.PERIODIC:
        every_s = draw(st.integers(2, 86_400))
        first_min = draw(st.one_of(st.just(AT_ONCE), st.integers(0, 1439)))
        boluses = Periodic(draw(st.sampled_from(RateBasis)), draw(AMOUNTS),
                           draw(st.integers(0, every_s - 1)), every_s, first_min)  # fmt: skip
        return replace(therapy, rate=rate, periodic=boluses)
    return replace(therapy, rate=Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0))


@st.composite
def therapies(draw: st.DrawFn) -> Therapy:
    window_nl = draw(st.integers(0, 10**6))
    therapy = replace(
        THERAPY,
        drugs=draw(DRUGS),
        program=draw(st.sampled_from(ProgramKind)),
        low_reservoir_nl=draw(st.integers(0, 40_000_000)),
        stability_days=draw(st.integers(0, 36_525)),
        catheter_um=draw(st.integers(0, 10**7)),
        catheter_pl_cm=draw(st.integers(0, 10**9)),
        patient=draw(PATIENTS),
        patient_may_stop=draw(st.integers(0, 1)),
        window_nl=window_nl,
        window_s=draw(SECONDS) if window_nl else 0,
    )
    return with_program(therapy, draw)


@settings(max_examples=60, deadline=None)
@given(therapies())
def test_every_prescription_of_a_table_is_written_and_read_to_the_picogram(
    therapy: Therapy,
) -> None:
    table = therapy_writer.lines(therapy)
    assert table is not None
    assert therapy_writer.read(table) == (therapy, None, 0)


def test_it_reads_as_people_write_it() -> None:
    table = therapy_writer.lines(asked(WHOLE).therapy)
    assert table is not None
    assert 'drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]' in table
    assert 'rate = "300 ug/day"' in table
    assert 'catheter = { length = "81.5 cm", volume = "0.0022 mL/cm" }' in table
    assert 'low_reservoir_alarm = "3 mL"' in table


def test_over_another_therapy_it_takes_away_what_it_does_not_have() -> None:
    patient = PatientBolus(RateBasis.MASS_PG, 20_000_000, 300, 7200, LockoutFrom.END, 4)
    before = replace(THERAPY, patient=patient, window_nl=200_000, window_s=86_400)
    table = therapy_writer.lines(THERAPY)
    assert table is not None
    assert asked("\n".join(table), before).therapy == THERAPY


def test_a_scheduled_change_is_written_whole() -> None:
    later = replace(THERAPY, rate=replace(THERAPY.rate, amount=330_000_001))
    table = therapy_writer.lines(THERAPY, later, 852_368_400)
    assert table is not None
    assert "at = 2027-01-04T09:00:00" in table
    assert 'rate = "330000001 pg/day"' in table
    assert therapy_writer.read(table) == (THERAPY, later, 852_368_400)


@pytest.mark.parametrize(
    "therapy",
    [
        replace(THERAPY, drugs=(Drug("Baclofen", 10**9),)),
        replace(THERAPY, patient_may_stop=2),
        replace(
            THERAPY,
            program=ProgramKind.FLEX,
            rate=replace(THERAPY.rate, amount=0),
            steps=(FlexStep(1, 0, 5), FlexStep(127, 60, 6)),
        ),
    ],
)
def test_what_no_table_says_is_not_written_as_something_near(therapy: Therapy) -> None:
    assert therapy_writer.lines(therapy) is None
