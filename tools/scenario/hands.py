"""Does the steps of a scenario: what clinicians do, and what a bench does to the board.

A clinician's act goes through the real client and the real protocol, one session per step. What is
refused, by the pump or by the programmer, is no error: its code is kept, and marked in the trace.
An act that met no answer is kept as NO_LINK, or as UNCERTAIN when it may have been done.
"""

from collections.abc import Callable
from typing import Any, Final

from emulator.devices.fluid import Drug
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
from tools.emulated import EmulatedPump
from tools.programmer.client import Client
from tools.programmer.errors import NoLink, Refused, Uncertain
from tools.scenario import steps
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
        self.refusals: list[str] = []
        """Code of each act that was refused or not answered, oldest first."""
        self._board = pump.board
        self._world = pump.world
        self._drugs = drugs
        self._client = Client(
            WorldTransport(pump),
            port="the pump",
            random_bits=pump.world.stream("programmer").getrandbits,
        )

    def do(self, step: steps.Step) -> None:
        """Do one step now."""
        _DO[type(step)](self, step)

    def program(self, program: ProgramParameters) -> None:
        """Program a therapy and read it back."""
        self._visit(lambda: self._program(program))

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
            code = NO_LINK
        except Uncertain:
            code = UNCERTAIN
        self._client.close()
        if code is not None:
            self.refusals.append(code)
            self._world.record("programmer", code)

    def _prepare(self, op: TxnOp, parameters: Message) -> Preview:
        return self._client.prepare(op, parameters, self._client.status().generation)

    def _transact(self, op: TxnOp, parameters: Message) -> None:
        self._client.commit(self._prepare(op, parameters))

    def _program(self, program: ProgramParameters) -> None:
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
            drugs = fluid(self._client.prescription().therapy.drugs) or self._drugs
            self._board.plant.refill(step.injected_nl * 1000, drugs)
            self._client.commit(preview)

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
