"""Does the steps of a scenario: what clinicians do, and what a bench does to the board.

A clinician's act goes through the real client and the real protocol, one session per step. What is
refused, by the pump or by the programmer, is no error: its code is kept, and marked in the trace.
An act that met no answer is kept as NO_LINK, or as UNCERTAIN when it may have been done.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from emulator.devices.fluid import Drug
from protocol.codec import Message
from protocol.codes import BolusKind, RateBasis, Role, TxnOp
from protocol.errors import ErrorCode
from protocol.messages import (
    BolusParameters,
    ClearAlarmParameters,
    Empty,
    Preview,
    ProgramParameters,
    RefillParameters,
    Refusal,
    SetClockParameters,
    Therapy,
)
from tools.emulated import EmulatedPump
from tools.programmer import before, plausible, read_back, residual, warnings
from tools.programmer.client import Client
from tools.programmer.errors import NoLink, Refused, Uncertain
from tools.programmer.warnings import Caution, Warn
from tools.scenario import steps, view
from tools.scenario.expect import NO_LINK, UNCERTAIN
from tools.scenario.model import fluid
from tools.scenario.transport import WorldTransport
from tools.toml_file import FileError

_NO_DETAIL: Final = Refusal(0, 0, 0)


class RunError(Exception):
    """The pump did not keep a promise that every scenario relies on: a bug in itpump."""


class Hands:
    """Acts on one pump; `drugs` are what fills a pump that has no therapy."""

    def __init__(self, pump: EmulatedPump, drugs: tuple[Drug, ...]) -> None:
        self.visits = view.Visits()
        self._board = pump.board
        self._world = pump.world
        self._drugs = drugs
        self._transport = WorldTransport(pump)
        self._client = Client(
            self._transport,
            port="the pump",
            random_bits=pump.world.stream("programmer").getrandbits,
        )
        self._client.answered = self._answered
        self._cut_after: str | None = None
        """Name of the request after whose answer the link drops."""
        self._open_left = False
        """True when a transaction may have been left open."""
        self._act = "therapy"
        """What is being done, as the file names it."""
        self._unbridged = False
        """True when a new concentration was programmed and no bridge has followed yet."""

    def do(self, step: steps.Step) -> None:
        """Do one step now."""
        self._act = step.name
        _DO[type(step)](self, step)

    def program(self, program: ProgramParameters) -> None:
        """Program what the scenario starts from, and read it back; soft limits are passed."""
        self._visit(lambda: self._program(replace(program, override=1)))

    # --- the clinician --------------------------------------------------------------------------

    def _visit(self, act: Callable[[], None], role: Role = Role.CLINICIAN) -> None:
        """Open a session, act, close it; what is refused or unanswered is noted by its code."""
        code, at_us = None, self._world.now_us
        self._transport.cut = False
        try:
            self._client.open(role)
            self._settle()
            act()
        except Refused as refused:
            code = refused.code.name
        except NoLink:
            code = NO_LINK
        except Uncertain:
            code = UNCERTAIN
            self._open_left = True
        self._client.close()
        if code is not None:
            self.visits.refusals.append(view.Refusal(code, at_us, self._act))
            self._world.record("programmer", code)

    def _settle(self) -> None:
        """Close what an earlier session left open, as the tool does when it starts."""
        if self._open_left:
            self._open_left = False
            for _ in self._client.settle():
                self._note(Warn.OPEN_TRANSACTION)

    def _answered(self, name: str) -> None:
        if name == self._cut_after:
            self._cut_after = None
            self._transport.cut = True

    def _warn(self, cautions: Iterable[Caution]) -> None:
        for caution in cautions:
            self._note(caution.code)

    def _note(self, warning: Warn) -> None:
        self.visits.warnings.append(warning.name)
        self._world.record("programmer", warning.name)

    def leave(self) -> None:
        """All steps of an instant are done: say what a clinician has left out."""
        if self._unbridged:
            self._unbridged = False
            self._note(Warn.BRIDGE_OMITTED)

    def _therapy(self) -> Therapy | None:
        therapy = self._client.prescription().therapy
        return therapy if therapy.drugs else None

    def _prepare(self, op: TxnOp, parameters: Message) -> Preview:
        return self._client.prepare(op, parameters, self._client.status().generation)

    def _transact(self, op: TxnOp, parameters: Message) -> Preview:
        preview = self._prepare(op, parameters)
        self._client.commit(preview)
        return preview

    def _program(self, program: ProgramParameters) -> None:
        self._transact(TxnOp.PROGRAM, program)
        if not read_back.equal(self._client, program):
            raise RunError("the therapy read back differs from the one programmed")

    def _program_step(self, step: steps.Program) -> None:
        def act() -> None:
            therapy = self._therapy()
            low_nl = self._client.device().low_reservoir_nl
            try:
                programs = step.therapy.programs(therapy, low_nl=low_nl)
            except FileError:
                # The file holds together; the pump lacks what an earlier, refused step would have
                # given it, and so the programmer cannot make a whole prescription of this one.
                raise Refused(ErrorCode.MALFORMED, _NO_DETAIL) from None
            for program in programs:
                status, device = self._client.status(), self._client.device()
                self._warn(warnings.of_program(therapy, program.therapy, status, device))
                self._warn(plausible.of_program(therapy, program, status, device))
                self._program(replace(program, override=int(step.override)))
                if not program.at_wall_s:
                    changed = warnings.path_changes(therapy, program.therapy)
                    self._unbridged = self._unbridged or changed
                    therapy = program.therapy

        self._visit(act)

    def _bolus(self, step: steps.Bolus) -> None:
        def act() -> None:
            preview = self._prepare(TxnOp.BOLUS, step.parameters)
            volume_ul = Fraction(preview.volume_nl, 1000)
            if step.parameters.kind is BolusKind.BRIDGE:
                self.visits.bridge_ul = volume_ul
                self.visits.bridge_s = Fraction(preview.duration_us, 10**6)
            elif step.parameters.kind in (BolusKind.PRIME, BolusKind.PRIME_CATHETER):
                self.visits.prime_ul = volume_ul
            self._client.commit(preview)
            if step.parameters.kind is BolusKind.BRIDGE:
                self._unbridged = False

        self._visit(act)

    def _patient_bolus(self, step: steps.PatientBolus) -> None:
        parameters = BolusParameters(BolusKind.PATIENT, RateBasis.VOLUME_PL, 0, 0, 0)
        self._visit(lambda: _ignore(self._transact(TxnOp.BOLUS, parameters)), Role.PATIENT)

    def _set_clock(self, step: steps.SetClock) -> None:
        def act() -> None:
            held, device = before.read(self._client, self._client.status()), self._client.device()
            now_s = held.status.wall_s
            wall_s = now_s + step.by_s if step.to_s is None else step.to_s
            self._warn(warnings.of_clock(held, device, wall_s))
            self._transact(TxnOp.SET_CLOCK, SetClockParameters(wall_s))

        self._visit(act)

    def _disconnect(self, step: steps.Disconnect) -> None:
        self._cut_after = step.after

    def _stop(self, step: steps.Stop) -> None:
        self._visit(lambda: _ignore(self._client.stop()))

    def _resume(self, step: steps.Resume) -> None:
        self._visit(lambda: _ignore(self._transact(TxnOp.RESUME, Empty())))

    def _interrogate(self, step: steps.Interrogate) -> None:
        def act() -> None:
            self._warn(warnings.of_visit(self._client.interrogate(), self._therapy()))

        self._visit(act)

    def _clear_alarm(self, step: steps.ClearAlarm) -> None:
        parameters = ClearAlarmParameters(step.code)
        self._visit(lambda: _ignore(self._transact(TxnOp.CLEAR_ALARM, parameters)))

    def _refill(self, step: steps.Refill) -> None:
        """Fill only when the pump has not refused, as a clinician would; then confirm."""

        def act() -> None:
            status, therapy = self._client.status(), self._therapy()
            self._warn(warnings.of_visit(status, therapy))
            plant = self._board.plant
            typed = step.residual_nl
            actual_nl = plant.reservoir_pl // 1000 if typed is None else typed
            judged = residual.judge(status, self._client.device(), actual_nl)
            found = judged.discrepancy
            self.visits.discrepancy_percent = None if found is None else found * 100
            self._warn(warnings.of_residual(judged))
            prescribed = therapy.drugs if therapy else ()
            drugs = fluid(step.drugs or prescribed) or self._drugs
            if step.entered_nl is not None:
                self._warn(plausible.of_refill(status, therapy, step.entered_nl))
            told, held_nl = step.entered_nl, self._client.device().capacity_nl
            preview = None if told is None else self._prepare(TxnOp.REFILL, RefillParameters(told))
            plant.refill(min(step.injected_nl, held_nl) * 1000, drugs)
            if preview is not None:
                self._client.commit(preview)
                self._warn(warnings.of_sensor(self._client.status()))

        self._visit(act)

    # --- the bench ------------------------------------------------------------------------------

    def _reset(self, step: steps.Reset) -> None:
        self._board.reset(step.cause)

    def _power_cut(self, step: steps.PowerCut) -> None:
        self._board.power_cut(step.duration_us)

    def _inject(self, step: steps.Inject) -> None:
        self._board.faults.inject(step.fault, step.parameters, step.for_us)

    def _clear(self, step: steps.Clear) -> None:
        self._board.faults.clear(step.fault)


def _ignore(reply: Message) -> None:
    """An answer that only shows that the pump has acted."""


_DO: Final[dict[type[steps.Step], Callable[["Hands", Any], None]]] = {
    steps.Program: Hands._program_step,
    steps.Bolus: Hands._bolus,
    steps.PatientBolus: Hands._patient_bolus,
    steps.SetClock: Hands._set_clock,
    steps.Disconnect: Hands._disconnect,
    steps.Stop: Hands._stop,
    steps.Resume: Hands._resume,
    steps.Interrogate: Hands._interrogate,
    steps.Refill: Hands._refill,
    steps.ClearAlarm: Hands._clear_alarm,
    steps.Reset: Hands._reset,
    steps.PowerCut: Hands._power_cut,
    steps.Inject: Hands._inject,
    steps.Clear: Hands._clear,
}
"""Step -> what does it."""
