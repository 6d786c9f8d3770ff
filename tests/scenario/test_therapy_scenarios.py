"""Scenarios of the whole therapy: what was typed, what was filled, and what left the tip."""

from fractions import Fraction

import pytest
from test_scenario_runs import THERAPY, expect, problems, run, step

NEW = 'drugs = [{ name = "baclofen", concentration = "1000 ug/mL" }]'
CATHETER = 'catheter = { length = "81.5 cm", volume = "0.0022 mL/cm" }\n'
GRANTED = 'patient_bolus = { dose = "20 ug", over = "5 min", lockout = "2 h", max_per_24h = 4 }\n'
FLEX = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "flex"
steps = [{ from = "09:00", rate = "10 ug/h" }, { from = "12:00", rate = "20 ug/h" }]
reservoir_fill = "40 mL"
"""
PERIODIC = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "periodic"
background = "0.006 mL/day"
bolus = "20 ug"
over = "5 min"
every = "2 h"
first = "10:00"
reservoir_fill = "40 mL"
"""


# --- modes --------------------------------------------------------------------------------------


def test_a_periodic_program_gives_its_boluses_over_the_background() -> None:
    result = run(
        "1d",
        expect("59 min", "pump.bolus", 'is = "none"'),
        expect("1h", "pump.bolus", 'is = "periodic"'),
        expect("1h 5min", "pump.bolus", 'is = "none"'),
        expect(
            "1h 5min",
            "truth.delivered_ul",
            'equals = "10.25"',
        ),
        expect("3h", "pump.bolus", 'is = "periodic"'),
        therapy=PERIODIC,
    )
    assert problems(result) == []
    given = result.final["truth.delivered_ul"]
    # 12 boluses; 0.25 uL/h in the 23 h between them
    assert isinstance(given, Fraction)
    assert abs(given - Fraction("125.75")) <= Fraction("0.25")
    assert result.final["pump.program"] == "periodic"


def test_a_change_takes_over_at_its_instant_and_is_a_new_generation_only_then() -> None:
    change = (
        "scheduled_change = { at = 2027-01-04T12:00:00, therapy = { dose_per_day = '400 ug' } }\n"
    )
    result = run(
        "6h",
        expect("2h 59min 59s", "pump.dose_per_day_ug.baclofen", "equals = 300"),
        expect("3h", "pump.dose_per_day_ug.baclofen", "equals = 400"),
        expect("3h", "truth.delivered_ul", 'equals = "18.75"'),
        therapy=THERAPY + change,
    )
    assert problems(result) == []
    assert result.final["programmer.refusals"] == ()
    assert result.final["event.first.SCHEDULED_CHANGE"] == 10_800
    assert result.final["truth.delivered_ul"] == Fraction("43.75")


def test_a_step_may_schedule_a_change_and_a_later_program_voids_it() -> None:
    change = (
        "therapy = { scheduled_change = { at = 2027-01-04T12:00:00, "
        "therapy = { dose_per_day = '330 ug' } } }"
    )
    taken = run("6h", step("1h", "program", change))
    assert taken.final["pump.dose_per_day_ug.baclofen"] == 330
    voided = run(
        "6h", step("1h", "program", change), step("2h", "program", 'therapy = { stability = "9d" }')
    )
    assert voided.final["pump.dose_per_day_ug.baclofen"] == 300
    assert voided.final["programmer.refusals"] == ()
    late = run("6h", step("4h", "program", change))
    assert late.final["programmer.refusals"] == ("LIMIT_HARD",)


def test_setting_the_clock_moves_the_steps_and_no_lockout() -> None:
    result = run(
        "3h",
        step("1h", "set_clock", "to = 2027-01-04T12:30:00"),
        expect("1h", "pump.rate_ul_h", "equals = 10"),
        expect("1h", "pump.lockout_s", "equals = 3600"),
        therapy=FLEX + GRANTED,
    )
    assert problems(result) == []
    assert result.final["programmer.warnings"] == ("CLOCK_CHANGES_DOSE",)
    assert result.final["truth.delivered_ul"] == 25
    constant = run("3h", step("1h", "set_clock", 'by = "-2h"'))
    assert constant.final["programmer.warnings"] == ()
    assert constant.final["truth.delivered_ul"] == Fraction("18.75")


# --- boluses ------------------------------------------------------------------------------------


def test_only_the_catheter_is_primed_where_the_tubing_holds_drug() -> None:
    result = run("1h", step("0s", "bolus", 'kind = "prime_catheter"'), therapy=THERAPY + CATHETER)
    assert result.final["programmer.prime_ul"] == Fraction("179.25")
    assert result.final["pump.bolus_given_ul"] == Fraction("179.25")


def test_a_bridge_may_have_a_dose_of_its_own() -> None:
    visit = (
        step("1h", "refill", 'injected = "40 mL"', NEW),
        step("1h", "program", f"therapy = {{ {NEW}, dose_per_day = '300 ug' }}"),
        step("1h", "bolus", 'kind = "bridge"', 'dose = "600 ug/day"'),
    )
    result = run("2h", *visit, therapy=THERAPY + CATHETER)
    assert result.final["programmer.refusals"] == ()
    assert result.final["pump.rate_ul_h"] == Fraction("12.5")  # of 2000 ug/mL
    assert result.final["programmer.bridge_s"] == Fraction("91958.4")
    assert result.final["programmer.warnings"] == ("REFILLED_AGAIN", "CONCENTRATION_CHANGED")


def test_a_bridge_that_is_left_out_or_comes_later_is_warned_of() -> None:
    program = step("1h", "program", f"therapy = {{ {NEW} }}")
    bridge = step("1h 1s", "bolus", 'kind = "bridge"')
    for later in ((), (bridge,)):
        warnings = run("2h", program, *later, therapy=THERAPY + CATHETER).final
        assert warnings["programmer.warnings"] == ("CONCENTRATION_CHANGED", "BRIDGE_OMITTED")


def test_a_refused_bridge_is_no_bridge() -> None:
    visit = (
        step("1h", "program", f"therapy = {{ {NEW} }}"),
        step("1h", "bolus", 'kind = "bridge"'),
    )
    final = run("2h", *visit).final  # without a catheter nobody knows its volume
    assert final["programmer.refusals"] == ("LIMIT_HARD",)
    assert final["programmer.warnings"] == ("CONCENTRATION_CHANGED", "BRIDGE_OMITTED")


def test_a_loading_dose_is_a_clinicians_like_a_single_one() -> None:
    final = run("2h", step("1h", "bolus", 'kind = "loading"', 'dose = "40 ug"')).final
    assert final["truth.delivered_ul"] == Fraction("32.5")


def test_a_patient_without_a_grant_is_denied() -> None:
    final = run("2h", step("1h", "patient_bolus")).final
    assert final["programmer.refusals"] == ("DENIED",)
    assert final["truth.delivered_ul"] == Fraction("12.5")


# --- refill -------------------------------------------------------------------------------------


def test_the_wrong_concentration_in_the_reservoir_shows_at_the_tip_alone() -> None:
    wrong = 'drugs = [{ name = "baclofen", concentration = "500 ug/mL" }]'
    result = run("2d", step("1d", "refill", 'injected = "40 mL"', wrong))
    assert result.final["pump.dose_per_day_ug.baclofen"] == 300
    assert result.final["programmer.warnings"] == ()
    # The path of 0.140 mL holds the old solution for 22.4 h more.
    assert result.final["truth.tip_ug.baclofen"] == 300 + 280 + 5


def test_a_drug_that_only_a_refill_brings_has_its_measure() -> None:
    both = (
        'drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }, '
        '{ name = "clonidine", concentration = "100 ug/mL" }]'
    )
    result = run("4d", step("1d", "refill", 'injected = "40 mL"', both))
    assert result.final["truth.tip_ug.clonidine"] == 31
    assert result.final["pump.dose_per_day_ug.clonidine"] is None


def test_what_is_typed_is_what_the_pump_believes() -> None:
    result = run("2d", step("1d", "refill", 'injected = "20 mL"', 'entered = "40 mL"'))
    assert result.final["pump.computed_ul"] == 39_850
    assert result.final["truth.reservoir_ul"] == 19_850
    assert result.final["ledger.violations"] == 0


def test_a_refill_that_the_pump_is_not_told_of() -> None:
    result = run("2d", step("1d", "refill", 'injected = "20 mL"', 'entered = "none"'))
    assert result.final["pump.computed_ul"] == 39_700
    assert result.final["truth.reservoir_ul"] == 19_850
    assert result.final["pump.log_count.REFILLED"] == 0


def test_a_reservoir_takes_no_more_than_it_holds() -> None:
    result = run("1d", step("1d", "refill", 'injected = "45 mL"', 'entered = "40 mL"'))
    assert result.final["truth.reservoir_ul"] == 40_000
    assert result.final["ledger.violations"] == 0


@pytest.mark.requirement("R-022")
def test_a_pump_that_gives_more_than_it_believes_is_found_at_the_refill() -> None:
    biased = "[plant]\nflow_bias_percent = 20\n"
    result = run("100d", biased, step("100d", "refill", 'injected = "40 mL"'))
    assert result.final["programmer.refill_discrepancy_percent"] == 20
    assert result.final["programmer.warnings"] == ("DISCREPANCY_OVER",)


def test_drugs_that_are_too_old_are_warned_of_at_each_visit() -> None:
    result = run(
        "9d",
        step("4d", "interrogate"),
        step("5d", "interrogate"),
        step("6d", "refill", 'injected = "40 mL"'),
        step("7d", "interrogate"),
        therapy=THERAPY + 'stability = "5d"\n',
    )
    assert result.final["programmer.warnings"] == ("STABILITY_PASSED", "STABILITY_PASSED")


# --- limits and links ---------------------------------------------------------------------------


def test_a_soft_limit_is_passed_only_on_purpose() -> None:
    double = 'therapy = { dose_per_day = "600 ug" }'
    refused = run("2h", step("1h", "program", double)).final
    assert refused["programmer.refusals"] == ("LIMIT_SOFT",)
    assert refused["programmer.warnings"] == ("DOSE_CHANGE",)
    meant = run("2h", step("1h", "program", double, "override = true")).final
    assert meant["programmer.refusals"] == ()
    assert meant["pump.dose_per_day_ug.baclofen"] == 600


def test_a_link_that_drops_after_the_commit_leaves_the_new_program_running() -> None:
    result = run(
        "3h",
        step("1h", "disconnect", 'after = "COMMIT"'),
        step("1h", "program", 'therapy = { dose_per_day = "360 ug" }'),
        step("2h", "interrogate"),
    )
    assert result.final["programmer.refusals"] == ("NO_LINK",)
    assert result.final["pump.dose_per_day_ug.baclofen"] == 360
    assert result.final["programmer.warnings"] == ()
    assert result.final["pump.log_count.INTERROGATED"] == 1


def test_a_link_drops_once_and_takes_no_time() -> None:
    result = run(
        "3h",
        step("1h", "disconnect", 'after = "PREPARE"'),
        step("1h", "bolus", 'dose = "20 ug"'),
        step("1h", "bolus", 'dose = "20 ug"'),
    )
    assert result.final["programmer.refusals"] == ("UNCERTAIN",)
    assert result.final["programmer.warnings"] == ("OPEN_TRANSACTION",)
    assert result.final["event.first.BOLUS_STARTED"] == 3600
    assert result.final["truth.delivered_ul"] == Fraction("28.75")
