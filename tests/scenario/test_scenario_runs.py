"""The exact semantics of a scenario: order at one instant, refusals, and looking without touching.

Judged by the plant's physical truth.
"""

import io
import json
from fractions import Fraction
from typing import Any

import pytest

from tools.scenario import measures, model, runner
from tools.scenario.result import Result
from tools.scenario.view import View
from tools.toml_file import parse

HEAD = 'profile = "rotor-40"\nstart = 2027-01-04T09:00:00\n'
THERAPY = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "simple_continuous"
dose_per_day = "300 ug"
reservoir_fill = "40 mL"
low_reservoir_alarm = "2 mL"
"""


def scenario(duration: str, *tables: str, therapy: str = THERAPY) -> model.Scenario:
    text = f'{HEAD}duration = "{duration}"\n{therapy}' + "".join(f"\n{one}\n" for one in tables)
    return model.read(parse("s.toml", text))


def step(at: str, do: str, *lines: str) -> str:
    return f'[[step]]\nat = "{at}"\ndo = "{do}"\n' + "\n".join(lines)


def expect(at: str, that: str, comparison: str) -> str:
    return f'[[expect]]\nat = "{at}"\nthat = "{that}"\n{comparison}'


def run(duration: str, *tables: str, therapy: str = THERAPY) -> Result:
    return runner.run(scenario(duration, *tables, therapy=therapy))


def problems(result: Result) -> list[str]:
    return [problem for outcome in result.outcomes for problem in outcome.problems]


def test_at_one_instant_physics_come_first_then_steps_then_expectations() -> None:
    # The stroke of 144 s is due at the instant of the stop, so it is given before it; the
    # expectation, though first in the file, sees the pump stopped.
    result = run(
        "1h",
        expect("144 s", "pump.mode", 'is = "stopped"'),
        expect("144 s", "truth.delivered_ul", 'equals = "0.25"'),
        step("144 s", "stop"),
    )
    assert problems(result) == []
    assert result.final["truth.delivered_ul"] == Fraction(1, 4)


def test_steps_of_one_instant_are_done_in_file_order() -> None:
    order = [step("1h", "stop"), step("1h", "resume")]
    assert run("2h", *order).final["pump.mode"] == "basal"
    backwards = run("2h", *reversed(order))
    assert backwards.final["pump.mode"] == "stopped"
    assert backwards.final["programmer.refusals"] == ("STATE",)


def test_expectations_are_reported_in_file_order_whatever_their_instant() -> None:
    result = run(
        "2h",
        expect("2h", "truth.delivered_ul", 'equals = "12.5"'),
        expect("1h", "truth.delivered_ul", 'equals = "6.25"'),
    )
    assert [outcome.expectation.at for outcome in result.outcomes] == ["2h", "1h"]
    assert result.passed


def test_an_expectation_that_does_not_hold_fails_the_run() -> None:
    result = run("1h", expect("1h", "truth.delivered_ul", "equals = 6"))
    assert not result.passed
    assert problems(result) == ["is 6.25, not 6 (off by 0.25)"]


def test_without_a_therapy_the_pump_is_stopped_and_full() -> None:
    final = run("1d", therapy="").final
    assert (final["pump.mode"], final["pump.stop_reason"]) == ("stopped", "no_program")
    assert final["pump.computed_ul"] == 40_000
    assert final["truth.delivered_ul"] == 0


def test_a_refusal_changes_nothing_and_is_listed_by_its_code() -> None:
    result = run(
        "2h",
        step("1h", "program", 'therapy = { rate = "0.01 mL/day" }'),
        step("1h", "bolus", 'volume = "3 mL"'),
        step("1h", "refill", 'injected = "41 mL"'),
        step("1h", "resume"),
    )
    assert result.final["programmer.refusals"] == (
        "LIMIT_HARD", "LIMIT_HARD", "LIMIT_HARD", "STATE",
    )  # fmt: skip
    assert result.final["truth.delivered_ul"] == Fraction("12.5")
    assert result.final["truth.reservoir_ul"] == Fraction("39987.5")
    assert result.final["pump.last_refusal"] == "STATE"


def test_a_refused_refill_leaves_the_reservoir_as_it_is() -> None:
    result = run(
        "2h",
        step("1h", "bolus", 'dose = "20 ug"', 'over = "30 min"'),
        step("1h 10min", "refill", 'injected = "20 mL"'),
    )
    assert result.final["programmer.refusals"] == ("BUSY_DELIVERING",)
    assert result.final["truth.reservoir_ul"] == Fraction("39977.5")


def test_a_refill_takes_out_the_residual_and_puts_in_what_the_therapy_holds() -> None:
    result = run(
        "2d",
        step("1d", "refill", 'injected = "20 mL"'),
        expect("1d", "truth.reservoir_ul", "equals = 20000"),
        expect("1d", "pump.computed_ul", "equals = 20000"),
    )
    assert problems(result) == []
    assert result.final["truth.reservoir_ul"] == 19_850
    assert result.final["ledger.violations"] == 0


def test_a_partial_program_needs_the_therapy_that_was_refused_before() -> None:
    too_much = THERAPY.replace("300 ug", "300 mg").replace("[therapy]", "[step.therapy]")
    result = run(
        "3h",
        step("0s", "program", too_much),
        step("1h", "program", 'therapy = { dose_per_day = "600 ug" }'),
        therapy="",
    )
    assert result.final["programmer.refusals"] == ("LIMIT_HARD", "MALFORMED")
    assert result.final["truth.delivered_ul"] == 0


def test_a_pump_without_power_says_nothing_while_the_truth_goes_on_being_true() -> None:
    result = run(
        "3h",
        step("1h", "power_cut", 'for = "1h"'),
        step("90 min", "interrogate"),
        expect("90 min", "pump.computed_ul", 'is = "null"'),
        expect("90 min", "truth.delivered_ul", 'equals = "6.25"'),
        expect("2h", "pump.mode", 'is = "basal"'),
    )
    assert problems(result) == []
    assert result.final["programmer.refusals"] == ("NO_LINK",)


@pytest.mark.requirement("R-221")
def test_a_link_of_pure_noise_gives_no_link_and_no_dose() -> None:
    result = run(
        "3h",
        step("1h", "inject", 'fault = "link.noise"', 'ber = "0.5"'),
        step("1h", "bolus", 'dose = "20 ug"'),
    )
    assert result.final["programmer.refusals"] == ("NO_LINK",)
    assert result.final["truth.delivered_ul"] == Fraction("18.75")


def test_a_fault_lasts_until_cleared() -> None:
    result = run(
        "4h",
        step("1h", "inject", 'fault = "magnet_field"'),
        step("2h", "clear", 'fault = "magnet_field"'),
        expect("2h", "truth.delivered_ul", 'equals = "6.25"'),
        expect("2h", "pump.mode", 'is = "stalled"'),
    )
    assert problems(result) == []
    assert result.final["truth.delivered_ul"] == Fraction("18.75")
    assert result.final["pump.mode"] == "basal"


def test_a_latched_alarm_ends_when_a_clinician_clears_it() -> None:
    stall = [
        step("1h", "inject", 'fault = "magnet_field"', 'for = "1h"'),
        step("90 min", "clear_alarm", 'code = "MOTOR_STALL"'),  # still true: refused
        step("3h", "clear_alarm", 'code = "MOTOR_STALL"'),
        expect("2h 59min", "pump.alarms", 'equals = ["MOTOR_STALL"]'),
        expect("3h", "pump.alarms", "equals = []"),
        expect("3h", "sound.active", 'is = "none"'),
    ]
    result = run("4h", *stall)
    assert problems(result) == []
    assert result.final["programmer.refusals"] == ("STATE",)


def test_a_commanded_stop_survives_a_reset() -> None:
    result = run("3h", step("1h", "stop"), step("2h", "reset"))
    assert (result.final["pump.mode"], result.final["pump.stop_reason"]) == (
        "stopped",
        "commanded",
    )
    assert result.final["event.first.RESET"] == 7200
    assert result.final["truth.delivered_ul"] == Fraction("6.25")


def test_only_interrogate_is_logged_as_a_visit() -> None:
    quiet = run("1h", step("30 min", "program", 'therapy = { dose_per_day = "300 ug" }'))
    assert quiet.final["pump.log"] == ("PROGRAM_COMMITTED", "PROGRAM_COMMITTED")
    visit = run("1h", step("30 min", "interrogate"))
    assert visit.final["pump.log"] == ("PROGRAM_COMMITTED", "INTERROGATED")


BUSY = (
    step("1h", "bolus", 'dose = "20 ug"', 'over = "20 min"'),
    step("3h", "inject", 'fault = "magnet_field"', 'for = "1h"'),
    step("5h", "power_cut", 'for = "10 min"'),
    step("6h", "inject", 'fault = "link.noise"', 'ber = "0.0003"'),
    step("7h", "program", 'therapy = { dose_per_day = "900 ug" }'),
)


def test_looking_changes_nothing() -> None:
    plain = run("8h", *BUSY)
    seen: list[Any] = []

    def look(view: View, at_us: int) -> None:
        seen.append((at_us, [one.read(view) for one in measures.every(["baclofen"])]))

    watched = runner.run(scenario("8h", *BUSY), sampler=look, sample_us=37_000_000)
    assert len(seen) > 700
    assert watched.trace_sha256 == plain.trace_sha256
    assert watched.final == plain.final


def test_expectations_change_nothing() -> None:
    asked = [expect(f"{minute} min", "pump.mode", 'is = "null"') for minute in range(1, 480)]
    assert run("8h", *BUSY, *asked).trace_sha256 == run("8h", *BUSY).trace_sha256


def test_the_result_is_json_with_every_measure_exact() -> None:
    sink = io.StringIO()
    result = runner.run(
        scenario("100 s", expect("100 s", "truth.delivered_ul", "max = 1")), sink=sink
    )
    found = json.loads(json.dumps(result.to_json()))
    assert list(found) == [
        "scenario", "profile", "seed", "passed", "expectations", "final", "events",
        "trace_sha256", "simulated_s", "wall_s",
    ]  # fmt: skip
    assert found["expectations"][0].keys() == {"at", "that", "actual", "passed"}
    names = [one.name for one in measures.every(["baclofen"])]
    assert list(found["final"]) == names
    # A stroke lasts 0.8 s and ends at 144 s: nothing has moved yet.
    assert found["final"]["truth.delivered_ul"] == 0
    assert found["final"]["pump.rate_ul_h"] == "6.25"
    assert found["simulated_s"] == 100
    assert all(set(event) == {"t_us", "source", "code", "detail"} for event in found["events"])
    lines = sink.getvalue().splitlines()
    assert all(json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")) == line
               for line in lines)  # fmt: skip


def test_the_trace_hash_sees_the_physics() -> None:
    """A plant that gives more than the rotor says is another run, though no event differs."""
    biased = "[plant]\nflow_bias_percent = 10\n"
    assert run("2h").trace_sha256 != run("2h", biased).trace_sha256
