"""Runs a scenario in virtual time and judges it.

Order, as the format says: at one instant first what is due in firmware and physics, then the steps,
then the expectations, both in file order. Same file and seed: the same trace, byte for byte.
"""

import time
from collections.abc import Callable
from typing import TextIO

from tools.emulated import EmulatedPump, build_pump
from tools.scenario import measures
from tools.scenario.hands import Hands
from tools.scenario.invariants import Invariants
from tools.scenario.model import Scenario
from tools.scenario.result import Outcome, Result
from tools.scenario.view import Recorder, View

Sampler = Callable[[View, int], None]
"""Is shown the pump at regular instants (µs since t = 0) and at steps; must not touch it."""


def run(
    scenario: Scenario,
    seed: int | None = None,
    sink: TextIO | None = None,
    sampler: Sampler | None = None,
    sample_us: int = 0,
) -> Result:
    """Run a scenario from t = 0 to its end.

    Args:
        scenario: what to run.
        seed: in place of the file's own.
        sink: takes the trace, one JSON line per event.
        sampler: is shown the pump every `sample_us` and at each step; the trace is the same with
            and without it.
        sample_us: from one sample to the next, > 0 when there is a sampler.
    """
    began = time.monotonic()
    chosen = scenario.seed if seed is None else seed
    recorder = Recorder(sink)
    under_way = Run(scenario, chosen, recorder, sampler, sample_us)
    outcomes = under_way.to_end()
    view = under_way.view()
    return Result(
        scenario=scenario.name,
        profile=scenario.profile.device.model,
        seed=chosen,
        outcomes=outcomes,
        refusals=tuple(view.visits.refusals),
        final={one.name: one.read(view) for one in measures.every(scenario.drugs)},
        events=recorder.events,
        trace_sha256=recorder.sha256(),
        simulated_us=under_way.pump.world.now_us,
        wall_s=time.monotonic() - began,
    )


class Run:
    """One run under way."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        recorder: Recorder,
        sampler: Sampler | None = None,
        sample_us: int = 0,
    ) -> None:
        self._scenario = scenario
        self._recorder = recorder
        self._sampler = sampler
        self._sample_us = sample_us
        self._next_sample_us = 0
        self.pump: EmulatedPump = build_pump(
            scenario.profile,
            scenario.plant,
            seed,
            scenario.start_wall_s,
            recorder,
            scenario.implanted_wall_s,
        )
        self._invariants = Invariants(self.pump)
        self._invariants.watch()
        self._hands = Hands(self.pump, scenario.plant.drugs)

    def view(self) -> View:
        """Return how all stands now."""
        return View(self.pump, self._recorder, self._hands.visits, self._invariants)

    def to_end(self) -> tuple[Outcome, ...]:
        """Boot, program, do every step, judge every expectation; return them in file order."""
        self.pump.board.power_on()
        for program in self._scenario.programs:
            self._hands.program(program)
        outcomes: dict[int, Outcome] = {}
        for at_us in self._instants():
            self._advance(at_us)
            for step in self._scenario.steps:
                if step.at_us == at_us:
                    self._hands.do(step)
            self._hands.leave()
            view = self.view()
            self._sample(view, at_us)
            for index, expectation in enumerate(self._scenario.expectations):
                if expectation.at_us == at_us:
                    actual = expectation.measure.read(view)
                    outcomes[index] = Outcome(expectation, actual, tuple(expectation.judge(actual)))
        self._record_truth()
        return tuple(outcomes[index] for index in sorted(outcomes))

    def _record_truth(self) -> None:
        """End the trace with what is physically so: its hash vouches for the physics too."""
        plant, battery = self.pump.board.plant, self.pump.board.battery
        masses = {f"tip_pg.{drug}": plant.tip_pg(drug) for drug in plant.drugs}
        self.pump.world.record(
            "truth",
            "END",
            model=self._scenario.profile.device.model,
            delivered_pl=plant.delivered_pl,
            reservoir_pl=plant.reservoir_pl,
            battery_used_nah=battery.used_nah,
            **masses,
        )

    def _instants(self) -> list[int]:
        """Return every instant at which something is done or judged; the end is one."""
        planned = {step.at_us for step in self._scenario.steps}
        judged = {expectation.at_us for expectation in self._scenario.expectations}
        return sorted(planned | judged | {self._scenario.duration_us})

    def _advance(self, to_us: int) -> None:
        """Let time run; it may be there already, when a programmer had to wait for the link."""
        world = self.pump.world
        while self._sampler is not None and self._next_sample_us < to_us:
            world.run_until(max(self._next_sample_us, world.now_us))
            self._sample(self.view(), self._next_sample_us)
            self._next_sample_us += self._sample_us
        world.run_until(max(to_us, world.now_us))

    def _sample(self, view: View, at_us: int) -> None:
        if self._sampler is not None:
            self._sampler(view, at_us)
