"""What came of a scenario, and how `--json` says it."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tools.pump_measures import Value
from tools.scenario.expect import Expectation, value_json
from tools.scenario.view import Refusal


@dataclass(frozen=True, slots=True)
class Outcome:
    """An expectation and what was found."""

    expectation: Expectation
    actual: Value
    problems: tuple[str, ...]
    """Why it failed; nothing when it holds."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a scenario."""

    scenario: str
    profile: str
    seed: int
    outcomes: tuple[Outcome, ...]
    """In file order."""
    refusals: tuple[Refusal, ...]
    """What the programmer met, oldest first."""
    final: dict[str, Value]
    """Every measure at the end."""
    events: list[Any]
    trace_sha256: str
    simulated_us: int
    wall_s: float

    @property
    def passed(self) -> bool:
        """True when every expectation holds."""
        return not any(outcome.problems for outcome in self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "scenario": self.scenario,
            "profile": self.profile,
            "seed": self.seed,
            "passed": self.passed,
            "expectations": [
                {
                    "at": outcome.expectation.at,
                    "that": outcome.expectation.measure.name,
                    "actual": value_json(outcome.actual),
                    "passed": not outcome.problems,
                }
                for outcome in self.outcomes
            ],
            "final": {name: value_json(value) for name, value in self.final.items()},
            "events": self.events,
            "trace_sha256": self.trace_sha256,
            "simulated_s": value_json(Fraction(self.simulated_us, 10**6)),
            "wall_s": round(self.wall_s, 3),
        }
