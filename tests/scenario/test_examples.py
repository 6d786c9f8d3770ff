"""Every example runs, holds what it expects, and leaves the recorded trace.

The worked cases of the therapy design are among them: basal (1), full-to-dry (2), prime (3),
bridge (4), flex (5), patient-bolus (6), refill-date (7), refill-discrepancy (8), mri (9),
torn-update and torn-update-legacy (10), service-life (11), implausible-flow (12).
"""

import tomllib
from pathlib import Path

import pytest
from golden import EXAMPLES, golden, result


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_holds_and_leaves_its_golden_trace(example: Path) -> None:
    found = result(example)
    problems = [
        f"{outcome.expectation.place}: {outcome.expectation.measure.name} {problem}"
        for outcome in found.outcomes
        for problem in outcome.problems
    ]
    assert problems == []
    assert found.final["invariants.violations"] == 0
    assert found.outcomes, "an example without expectations shows nothing"
    assert found.trace_sha256 == golden().get(example.name), (
        "the trace has changed; if that is meant: python -m tests.scenario.golden"
    )


def test_every_golden_hash_has_its_example() -> None:
    assert sorted(golden()) == [example.name for example in EXAMPLES]


@pytest.mark.parametrize("name", ["noisy-link", "power-cut-bolus"])
def test_the_same_seed_is_the_same_run_and_another_is_another(name: str) -> None:
    example = next(path for path in EXAMPLES if path.stem == name)
    first, again, other = (result(example, seed) for seed in (5, 5, 6))
    assert (first.trace_sha256, first.final) == (again.trace_sha256, again.final)
    assert first.events == again.events
    if name == "noisy-link":  # chance decides only there
        assert first.trace_sha256 != other.trace_sha256


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_shows(example: Path) -> None:
    text = example.read_text()
    assert text.startswith("# ")
    assert tomllib.loads(text)["duration"]
