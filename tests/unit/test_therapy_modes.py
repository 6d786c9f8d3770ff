"""Schedules, periodic and patient boluses, windows and scheduled changes of a [therapy] table."""

from dataclasses import replace
from fractions import Fraction

import pytest
from test_therapy_file import DEVICE, DRUGS, NO_RATE, THERAPY, asked, error_of

from emulator.profile import Profile
from firmware.program import mean_flow
from firmware.program_checks import strokes_per_day
from protocol.codes import LockoutFrom, ProgramKind, RateBasis, RatePer
from protocol.messages import (
    AT_ONCE,
    FILL_NOT_TOLD,
    NO_PATIENT_BOLUS,
    FlexStep,
    PatientBolus,
    Periodic,
    ProgramParameters,
    Rate,
    Therapy,
)
from tools import therapy_file, therapy_parts
from tools.programmer import doses
from tools.toml_file import FileError, parse

FLEX = f"""\
[therapy]
{DRUGS}
mode = "flex"
steps = [
    {{ from = "18:00", rate = "20 ug/h" }},
    {{ from = "22:00", rate = "5 ug/h" }},
    {{ from = "06:00", rate = "10 ug/h" }},
]
"""
PERIODIC = f"""\
[therapy]
{DRUGS}
mode = "periodic"
background = "0.006 mL/day"
bolus = "20 ug"
over = "5 min"
every = "2 h"
first = "08:00"
"""
START_S = 852_368_400
"""2027-01-04T09:00:00, a Monday."""


def programs(lines: str, current: Therapy | None = None) -> tuple[ProgramParameters, ...]:
    table = parse("t.toml", lines).table("therapy")
    assert table is not None
    return therapy_file.read(table).programs(current, DEVICE, START_S)


def refused(lines: str, current: Therapy | None = None) -> str:
    with pytest.raises(FileError) as caught:
        programs(lines, current)
    return str(caught.value)


# --- flex ---------------------------------------------------------------------------------------


def test_steps_are_sorted_and_rule_every_day() -> None:
    therapy = asked(FLEX).therapy
    assert therapy.rate == Rate(RateBasis.MASS_PG, RatePer.HOUR, 0)
    assert therapy.steps == (
        FlexStep(0x7F, 360, 10 * 10**6),
        FlexStep(0x7F, 1080, 20 * 10**6),
        FlexStep(0x7F, 1320, 5 * 10**6),
    )


def test_worked_case_5_gives_240_ug_a_day() -> None:
    therapy = asked(FLEX).therapy
    assert doses.daily_pg(therapy, DEVICE) == {"baclofen": 240 * 10**6}
    assert doses.basal_pl_h(therapy, DEVICE) * 24 == 120 * 10**6
    assert doses.strokes_per_day(therapy, DEVICE) == 480


def test_groups_of_days_share_the_week() -> None:
    therapy = asked(
        f'[therapy]\n{DRUGS}\nmode = "flex"\n'
        'days = [{ on = "mon-fri", steps = [{ from = "00:00", rate = "0.24 mL/day" }] },\n'
        '{ on = "sat,sun", steps = [{ from = "12:00", rate = "0.48 mL/day" }] }]'
    ).therapy
    assert therapy.steps == (FlexStep(0x1F, 0, 240_000_000), FlexStep(0x60, 720, 480_000_000))
    # The working days' rate lasts until Saturday noon, the weekend's until Monday.
    low, high = Fraction(11, 14), Fraction(3, 14)
    assert doses.basal_pl_h(therapy, DEVICE) == low * 10_000_000 + high * 20_000_000


@pytest.mark.parametrize(
    ("after_s", "minute"),
    [(0, 0), (5 * 86_400 - 32_400 + 43_199, 0), (5 * 86_400 - 32_400 + 43_200, 720)],
)
def test_the_step_of_an_instant_is_the_newest_one(after_s: int, minute: int) -> None:
    steps = (FlexStep(0x1F, 0, 1), FlexStep(0x60, 720, 2))
    therapy = replace(THERAPY, program=ProgramKind.FLEX, steps=steps)
    assert doses.step_at(therapy, START_S + after_s).from_min == minute


def test_before_the_first_step_of_the_week_the_last_one_rules() -> None:
    therapy = asked(FLEX).therapy
    monday_3_00 = START_S - 6 * 3600
    assert doses.step_at(therapy, monday_3_00).from_min == 1320


def test_steps_per_hour_and_per_day_may_be_mixed() -> None:
    therapy = asked(FLEX.replace("20 ug/h", "480 ug/day")).therapy
    assert therapy.rate.per is RatePer.DAY
    assert [step.amount for step in therapy.steps] == [240 * 10**6, 480 * 10**6, 120 * 10**6]


@pytest.mark.parametrize(
    ("text", "bits", "name"),
    [
        ("mon", 1, "mon"),
        ("mon-fri", 0x1F, "mon-fri"),
        ("sat,sun", 0x60, "sat,sun"),
        ("fri-mon", 0x71, "mon,fri-sun"),
        ("mon, wed-fri", 0x1D, "mon,wed-fri"),
        ("mon-sun", 0x7F, "every day"),
    ],
)
def test_weekdays(text: str, bits: int, name: str) -> None:
    assert therapy_parts.weekdays(text) == bits
    assert therapy_parts.day_names(bits) == name


def steps(count: int) -> str:
    return ", ".join(f'{{ from = "{hour:02}:00", rate = "1 ug/h" }}' for hour in range(count))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (f"steps = [{steps(14)}]", "steps: 14 steps; a flex program has 1 to 13"),
        ("steps = []", "steps: 0 steps; a flex program has 1 to 13"),
        (
            f'days = [{{ on = "mon-fri", steps = [{steps(13)}] }},'
            f' {{ on = "sat,sun", steps = [{steps(1)}] }}]',
            "days: 14 steps; a flex program has 1 to 13",
        ),
        (
            f'days = [{{ on = "mon-fri", steps = [{steps(1)}] }}]',
            "days: nothing is said for sat, sun",
        ),
        (
            f'days = [{{ on = "mon-sun", steps = [{steps(1)}] }},'
            f' {{ on = "sun", steps = [{steps(1)}] }}]',
            "on: sun in two groups",
        ),
        ('days = [{ on = "mon-sun", steps = [] }]', "steps: a group of days needs a step"),
        (
            f'days = [{{ on = "Monday", steps = [{steps(1)}] }}]',
            'on: "Monday": weekdays are such as "mon-fri" or "sat,sun"; known are mon, tue, wed, '
            "thu, fri, sat, sun",
        ),
        (
            'steps = [{ from = "6:00", rate = "1 ug/h" }]',
            'from: "6:00": a time of day is needed, "00:00" to "23:59"',
        ),
        (
            'steps = [{ from = "24:00", rate = "1 ug/h" }]',
            'from: "24:00": a time of day is needed, "00:00" to "23:59"',
        ),
        (
            'steps = [{ from = "06:00", rate = "1 ug/h" }, { from = "06:00", rate = "2 ug/h" }]',
            "from: two steps at 06:00",
        ),
        (
            'steps = [{ from = "06:00", rate = "1 ug/h" }, { from = "08:00", rate = "1 uL/h" }]',
            "rate: all steps are a mass, or all are a volume",
        ),
        (
            'steps = [{ from = "06:00", rate = "10 ug" }]',
            'rate: "10 ug": ug is a mass; a rate is needed here, e.g. "0.15 mL/day"',
        ),
        ("", 'mode "flex" needs steps or days'),
        (f'steps = [{steps(1)}]\ndose_per_day = "1 ug"', 'dose_per_day: mode "flex" has no rate; '
            "leave it out"),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_meant_is_one_line(lines: str, message: str) -> None:
    found = error_of(f'[therapy]\n{DRUGS}\nmode = "flex"\n{lines}')
    assert found.split(": ", 1)[1] == message


def test_each_step_must_be_within_the_pump() -> None:
    found = error_of(FLEX.replace("5 ug/h", "3 ug/h"), None, DEVICE)
    assert found == (
        "t.toml:4: steps: from 22:00 0.036 mL/day: rotor-40 gives 0.048 mL/day to 24 mL/day"
    )


# --- periodic -----------------------------------------------------------------------------------


def test_a_periodic_program() -> None:
    therapy = asked(PERIODIC).therapy
    assert therapy.rate == Rate(RateBasis.VOLUME_PL, RatePer.DAY, 6_000_000)
    assert therapy.periodic == Periodic(RateBasis.MASS_PG, 20 * 10**6, 300, 7200, 480)
    assert asked(PERIODIC.replace('first = "08:00"', "")).therapy.periodic.first_min == AT_ONCE


def test_its_dose_per_day_is_boluses_and_the_background_between_them() -> None:
    therapy = asked(PERIODIC).therapy
    # 12 boluses of 10 uL; 250 pL/h for 23 h.
    volume_pl = 120 * 10**6 + 250_000 * 23
    assert doses.basal_pl_h(therapy, DEVICE) * 24 == volume_pl


def test_a_partial_periodic_table_keeps_the_rest() -> None:
    therapy = asked(PERIODIC).therapy
    more = asked('[therapy]\nevery = "3 h"', therapy).therapy
    assert more == replace(therapy, periodic=replace(therapy.periodic, every_s=10_800))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("bolus = ", "# "), 'mode "periodic" needs bolus'),
        (("20 ug", "0 ug"), 'bolus: 0 is none; mode "periodic" needs one'),
        (("2 h", "5 min"), "over: a bolus would last until the next one or longer"),
        (("5 min", "500 ms"), 'over: "500 ms": whole seconds only'),
        (("background", "rate"), 'rate: mode "periodic" has no rate; leave it out'),
    ],
)
def test_a_periodic_program_that_cannot_be_meant(change: tuple[str, str], message: str) -> None:
    assert error_of(PERIODIC.replace(*change)).split(": ", 1)[1] == message


def test_a_new_mode_keeps_nothing_of_the_old_one() -> None:
    flex, periodic = asked(FLEX).therapy, asked(PERIODIC).therapy
    assert asked('[therapy]\nmode = "stopped"', flex).therapy.steps == ()
    assert asked('[therapy]\nmode = "stopped"', periodic).therapy.rate == NO_RATE
    assert error_of('[therapy]\nmode = "periodic"', flex) == (
        't.toml:2: mode "periodic" needs background and bolus and every'
    )
    assert error_of('[therapy]\nmode = "simple_continuous"', periodic) == (
        't.toml:2: mode "simple_continuous" needs dose_per_day or rate'
    )


def test_its_background_may_be_as_low_as_the_pump_can_go() -> None:
    asked(PERIODIC, None, DEVICE)
    assert error_of(PERIODIC.replace("0.006", "0.005"), None, DEVICE) == (
        "t.toml:4: background: 0.005 mL/day: rotor-40 gives 0.006 mL/day to 24 mL/day"
    )


@pytest.mark.parametrize("over", ['over = "5 min"', 'over = "30 min"', ""])
@pytest.mark.parametrize("bolus", ["20 ug", "20.3 ug", "7.77 uL"])
@pytest.mark.parametrize("every", ["2 h", "7 h", "100 min"])
def test_the_pump_reckons_the_same_strokes_a_day(over: str, bolus: str, every: str) -> None:
    text = PERIODIC.replace('over = "5 min"', over).replace("20 ug", bolus).replace("2 h", every)
    therapy = asked(text).therapy
    config = Profile.load("rotor-40").device
    assert doses.strokes_per_day(therapy, DEVICE) == strokes_per_day(
        mean_flow(therapy, config), config
    )


# --- boluses and window -------------------------------------------------------------------------


def test_a_patient_bolus_and_a_window() -> None:
    therapy = asked(
        '[therapy]\npatient_bolus = { dose = "20 ug", over = "5 min", lockout = "120 min",'
        ' lockout_from = "end", max_per_24h = 4 }\n'
        'window_limit = { volume = "200 uL", window = "24 h" }',
        THERAPY,
    ).therapy
    assert therapy.patient == PatientBolus(
        RateBasis.MASS_PG, 20 * 10**6, 300, 7200, LockoutFrom.END, 4
    )
    assert (therapy.window_nl, therapy.window_s) == (200_000, 86_400)
    kept = asked('[therapy]\ndose_per_day = "200 ug"', therapy).therapy
    assert (kept.patient, kept.window_nl) == (therapy.patient, 200_000)
    gone = asked("[therapy]\npatient_bolus = { }\nwindow_limit = { }", therapy).therapy
    assert (gone.patient, gone.window_nl, gone.window_s) == (NO_PATIENT_BOLUS, 0, 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('patient_bolus = { lockout = "2 h" }', 'key "dose" is missing'),
        (
            'patient_bolus = { dose = "20 ug" }',
            "a patient bolus needs a lockout, or max_per_24h",
        ),
        (
            'patient_bolus = { dose = "0 ug", lockout = "2 h" }',
            "dose: 0 is no bolus; an empty table takes the permission away",
        ),
        (
            'patient_bolus = { dose = "20 ug", lockout = "2 h", max_per_24h = 0 }',
            "max_per_24h: 0: must be 1 to 255",
        ),
        (
            'window_limit = { volume = "0 uL", window = "1 h" }',
            "volume: 0 is no limit; an empty table takes the limit away",
        ),
        ('window_limit = { volume = "1 uL" }', 'key "window" is missing'),
    ],
)
def test_what_the_patient_may_have_must_be_plain(line: str, message: str) -> None:
    assert error_of(f"[therapy]\n{line}", THERAPY).split(": ", 1)[1] == message


# --- scheduled change ---------------------------------------------------------------------------

LATER = (
    "scheduled_change = { at = 2027-01-11T08:00:00, therapy = "
    '{ mode = "simple_continuous", dose_per_day = "330 ug" } }'
)


def test_a_scheduled_change_alone_leaves_the_therapy_that_runs() -> None:
    (change,) = programs(f"[therapy]\n{LATER}", THERAPY)
    assert change.at_wall_s == START_S + 7 * 86_400 - 3600
    assert change.therapy == replace(THERAPY, rate=replace(THERAPY.rate, amount=330 * 10**6))
    assert change.fill_nl == FILL_NOT_TOLD


def test_with_a_therapy_it_follows_that_one() -> None:
    now, change = programs(f"{FLEX}\n{LATER}")
    assert (now.at_wall_s, now.therapy.program) == (0, ProgramKind.FLEX)
    assert change.therapy.program is ProgramKind.SIMPLE_CONTINUOUS
    assert change.therapy.steps == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("2027-01-11", "2027-01-03"),
            "at: in the past; the pump's clock says 2027-01-04T09:00:00",
        ),
        (("2027-01-11", "2028-01-11"), "at: more than 366 days ahead"),
        (
            ("330 ug", "330 mg"),
            "dose_per_day: 165 mL/day: rotor-40 gives 0.048 mL/day to 24 mL/day",
        ),
        (
            ('"330 ug"', '"1 ug", reservoir_fill = "40 mL"'),
            "reservoir_fill: a fill cannot be told in advance",
        ),
        (
            ('"330 ug"', '"330 ug", drugs = [{ name = "baclofen", concentration = "1 mg/mL" }]'),
            "drugs: what is in the reservoir does not change by itself",
        ),
        (
            ('"330 ug"', '"1 ug", scheduled_change = { }'),
            "scheduled_change: one at a time; it cannot hold another",
        ),
    ],
)  # fmt: skip
def test_a_change_that_cannot_take_over(change: tuple[str, str], message: str) -> None:
    found = refused("[therapy]\n" + LATER.replace(*change), THERAPY)
    assert found.split(": ", 1)[1] == message
