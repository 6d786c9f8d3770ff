"""Runs a scenario in virtual time and judges it.

Order, as the format says: at one instant first what is due in firmware and physics, then the steps,
then the expectations, both in file order. What a clinician does goes through the real client and
the real protocol, one session per step; a refusal is no error but a code in `refusals`. Same file
and seed: the same trace, byte for byte.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TextIO

from protocol.codec import Message
from protocol.codes import BolusKind, TxnOp
from protocol.errors import ErrorCode
from protocol.messages import (
    BolusParameters,
    ClearAlarmParameters,
    Empty,
    Preview,
    ProgramParameters,
    RefillParameters,
    Refusal,
)
from tools.emulated import EmulatedPump, build_pump
from tools.programmer.client import Client
from tools.programmer.errors import NoLink, Refused, Uncertain
from tools.scenario import measures, steps
from tools.scenario.expect import Expectation, value_json
from tools.scenario.measures import Value
from tools.scenario.model import Scenario, fluid
from tools.scenario.transport import WorldTransport
from tools.scenario.view import Recorder, View
from tools.toml_file import FileError

_NO_DETAIL: Final = Refusal(0, 0, 0)
Sampler = Callable[[View, int], None]
"""Is shown the pump at regular instants (µs since t = 0) and at steps; must not touch it."""


class RunError(Exception):
    """The pump did not keep a promise that every scenario relies on: a bug in itpump."""


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
        sampler: is shown the pump every `sample_us` and at each step; the trace is the same with and without it.
        sample_us: from one sample to the next, > 0 when there is a sampler.
    """
    began = time.monotonic()
    chosen = scenario.seed if seed is None else seed
    recorder = Recorder(sink)
    session = Run(scenario, chosen, recorder, sampler, sample_us)
    outcomes = session.to_end()
    view = session.view()
    return Result(
        scenario=scenario.name,
        profile=scenario.profile.device.model,
        seed=chosen,
        outcomes=outcomes,
        final={one.name: one.read(view) for one in measures.every(scenario.drugs)},
        events=recorder.events,
        trace_sha256=recorder.sha256(),
        simulated_us=session.pump.world.now_us,
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
        self.refusals: list[str] = []
        self.pump: EmulatedPump = build_pump(
            scenario.profile,
            scenario.plant,
            seed,
            scenario.start_wall_s,
            recorder,
            scenario.implanted_wall_s,
        )
        self._world = self.pump.world
        self._client = Client(
            WorldTransport(self.pump),
            port="the pump",
            random_bits=self._world.stream("programmer").getrandbits,
        )

    def view(self) -> View:
        """Return how all stands now."""
        return View(self.pump, self._recorder, self.refusals)

    def to_end(self) -> tuple[Outcome, ...]:
        """Boot, program, do every step, judge every expectation; return them in file order."""
        self.pump.board.power_on()
        if self._scenario.program is not None:
            program = self._scenario.program
            self._visit(lambda: self._program(program))
        outcomes: dict[int, Outcome] = {}
        for at_us in self._instants():
            self._advance(at_us)
            for step in self._scenario.steps:
                if step.at_us == at_us:
                    self.do(step)
            view = self.view()
            self._sample(view, at_us)
            for index, expectation in enumerate(self._scenario.expectations):
                if expectation.at_us == at_us:
                    actual = expectation.measure.read(view)
                    problems = tuple(expectation.judge(actual))
                    outcomes[index] = Outcome(expectation, actual, problems)
        return tuple(outcomes[index] for index in sorted(outcomes))

    def do(self, step: steps.Step) -> None:
        """Do one step now."""
        _DO[type(step)](self, step)

    def _instants(self) -> list[int]:
        """Return every instant at which something is done or judged; the end is one."""
        planned = {step.at_us for step in self._scenario.steps}
        judged = {expectation.at_us for expectation in self._scenario.expectations}
        return sorted(planned | judged | {self._scenario.duration_us})

    def _advance(self, to_us: int) -> None:
        """Let time run; it may be there already, when a programmer had to wait for the link."""
        while self._sampler is not None and self._next_sample_us < to_us:
            self._world.run_until(max(self._next_sample_us, self._world.now_us))
            self._sample(self.view(), self._next_sample_us)
            self._next_sample_us += self._sample_us
        self._world.run_until(max(to_us, self._world.now_us))

    def _sample(self, view: View, at_us: int) -> None:
        if self._sampler is not None:
            self._sampler(view, at_us)

    # --- the clinician --------------------------------------------------------------------------

    def _visit(self, act: Callable[[], None]) -> None:
        """Open a session, act, close it; what is refused or unanswered is noted by its code."""
        code = None
        try:
            self._client.open()
            act()
        except Refused as refused:
            code = refused.code.name
        except NoLink:
            code = "NO_LINK"
        except Uncertain:
            code = "UNCERTAIN"
        self._client.close()
        if code is not None:
            self.refusals.append(code)
            self._world.record("programmer", code)

    def _prepare(self, op: TxnOp, parameters: Message) -> Preview:
        return self._client.prepare(op, parameters, self._client.status().generation)

    def _transact(self, op: TxnOp, parameters: Message) -> None:
        self._client.commit(self._prepare(op, parameters))

    def _program(self, program: ProgramParameters) -> None:
        """Program and read back."""
        self._transact(TxnOp.PROGRAM, program)
        if self._client.prescription().therapy != program.therapy:
            raise RunError("the therapy read back differs from the one programmed")

    def _program_step(self, step: steps.Program) -> None:
        def act() -> None:
            current = self._client.prescription()
            therapy = current.therapy if current.therapy.drugs else None
            try:
                program = step.therapy.over(therapy)
            except FileError:
                # The file holds together; the pump lacks what an earlier, refused step would have
                # given it, and so the programmer cannot make a whole prescription of this one.
                raise Refused(ErrorCode.MALFORMED, _NO_DETAIL) from None
            self._program(program)

        self._visit(act)

    def _bolus(self, step: steps.Bolus) -> None:
        parameters = BolusParameters(
            BolusKind.SINGLE, step.basis, step.amount, step.duration_us, int(step.again)
        )
        self._visit(lambda: self._transact(TxnOp.BOLUS, parameters))

    def _stop(self, step: steps.Stop) -> None:
        self._visit(lambda: _ignore(self._client.stop()))

    def _resume(self, step: steps.Resume) -> None:
        self._visit(lambda: self._transact(TxnOp.RESUME, Empty()))

    def _interrogate(self, step: steps.Interrogate) -> None:
        self._visit(lambda: _ignore(self._client.interrogate()))

    def _clear_alarm(self, step: steps.ClearAlarm) -> None:
        parameters = ClearAlarmParameters(step.code)
        self._visit(lambda: self._transact(TxnOp.CLEAR_ALARM, parameters))

    def _refill(self, step: steps.Refill) -> None:
        """Fill only when the pump has not refused, as a clinician would; then confirm."""

        def act() -> None:
            preview = self._prepare(TxnOp.REFILL, RefillParameters(step.injected_nl))
            drugs = fluid(self._client.prescription().therapy.drugs) or self._scenario.plant.drugs
            self.pump.board.plant.refill(step.injected_nl * 1000, drugs)
            self._client.commit(preview)

        self._visit(act)

    # --- the bench ------------------------------------------------------------------------------

    def _reset(self, step: steps.Reset) -> None:
        self.pump.board.reset(step.cause)

    def _power_cut(self, step: steps.PowerCut) -> None:
        self.pump.board.power_cut(step.duration_us)

    def _inject(self, step: steps.Inject) -> None:
        self.pump.board.faults.inject(step.fault, step.parameters, step.for_us)

    def _clear(self, step: steps.Clear) -> None:
        self.pump.board.faults.clear(step.fault)


def _ignore(reply: Message) -> None:
    """An answer that only shows that the pump has acted."""


_DO: Final[dict[type[steps.Step], Callable[[Run, Any], None]]] = {
    steps.Program: Run._program_step,
    steps.Bolus: Run._bolus,
    steps.Stop: Run._stop,
    steps.Resume: Run._resume,
    steps.Interrogate: Run._interrogate,
    steps.Refill: Run._refill,
    steps.ClearAlarm: Run._clear_alarm,
    steps.Reset: Run._reset,
    steps.PowerCut: Run._power_cut,
    steps.Inject: Run._inject,
    steps.Clear: Run._clear,
}
"""Step -> what does it."""
