"""PREPARE, COMMIT, QUERY, ABORT: everything that doses or changes the prescription acts once.

PREPARE checks and answers with what would be done, in the pump's own values; it changes nothing
(but see `updates` for the legacy option) and lives in RAM only. COMMIT must carry the token and the
hash of that answer; it checks again, makes one journal record durable - the act's only commit point
- and then acts. A COMMIT that comes again finds the record and is answered from it. A program or
fill is first written beside the one that counts, so the record names something that is already
whole.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from firmware import clock_commit
from firmware.acts import Acts
from firmware.checks import Refused
from firmware.device import DeviceConfig
from firmware.infusion import Infusion
from firmware.journal import OWN_TXN, Journal, Txn
from firmware.plan import Plan
from firmware.prescription import PrescriptionStore
from firmware.updates import Updates
from hal.board import Board
from protocol import codec
from protocol.codec import Message
from protocol.codes import BolusKind, Code, ProgramKind, Role, StopReason, TxnOp, TxnState
from protocol.errors import ErrorCode, RemoteError
from protocol.messages import (
    BolusParameters,
    Commit,
    Prepare,
    Preview,
    ProgramParameters,
    SetClockParameters,
    TxnRef,
    TxnResult,
)
from protocol.operations import PARAMETERS, SCHEMA_ID

TOKEN_LIFE_US: Final = 30_000_000
"""A token is good for 30 s of monotonic time (protocol rule)."""
_HASH_BYTES: Final = 16
_TAKEOVER: Final = -1
_DIGEST_BYTES: Final = 8

Done = Callable[[ErrorCode, Message | None], None]
"""Told once how a request ended: OK and its answer, or a code."""


class _Prepared(NamedTuple):
    txn: int
    op: TxnOp
    parameters: Message
    token: int
    hash: bytes
    expires_us: int


class Transactions:
    """One prepared transaction in RAM, the committed ones in the journal."""

    def __init__(
        self,
        board: Board,
        config: DeviceConfig,
        infusion: Infusion,
        journal: Journal,
        prescriptions: PrescriptionStore,
        acts: Acts,
        updates: Updates,
    ) -> None:
        self._clock = board.clock
        self._rtc = board.rtc
        self._entropy = board.entropy
        self._config = config
        self._infusion = infusion
        self._journal = journal
        self._prescriptions = prescriptions
        self._acts = acts
        self._updates = updates
        self._prepared: _Prepared | None = None
        self._committing = 0
        """Whose record is being written; 0: none, -1: a scheduled change."""

    def prepare(self, request: Prepare, role: Role, done: Done) -> None:
        """Stage; `done` hears what COMMIT would do. Raises Refused."""
        known = self._known(request.txn, role)
        if known is not None:
            done(ErrorCode.OK, Preview(request.txn, known.state, 0, 0, b"", b"", 0, 0, 0, 0))
            return
        if self._committing:
            raise Refused(ErrorCode.BUSY)
        if request.txn in (0, OWN_TXN):
            raise Refused(ErrorCode.MALFORMED)
        if request.schema_id != SCHEMA_ID:
            raise Refused(ErrorCode.SCHEMA, 0, request.schema_id, SCHEMA_ID)
        try:
            parameters = codec.decode(PARAMETERS[request.op], request.parameters)
        except RemoteError:
            raise Refused(ErrorCode.MALFORMED) from None
        self._acts.permit(role, request.op, parameters)
        generation = self._journal.durable.generation
        if request.generation != generation:
            raise Refused(ErrorCode.GENERATION, 0, request.generation, generation)
        plan = self._acts.plan(request.op, parameters)
        preview = self._stage(request, parameters, plan)
        stopped = self._updates.begin(request.txn, request.op, parameters, self._clock.now_us())
        self._answer(preview, stopped, done)

    def _answer(self, answer: Message, to_save: bool, done: Done) -> None:
        """Answer; where the pump was stopped, started or its clock set, once that is durable."""
        if not to_save:
            done(ErrorCode.OK, answer)
            return

        def recorded(ok: bool) -> None:
            done(ErrorCode.OK if ok else ErrorCode.NVM_FAIL, answer if ok else None)

        self._infusion.save(recorded)

    def _stage(self, request: Prepare, parameters: Message, plan: Plan) -> Preview:
        canonical = codec.encode(parameters)
        digest = hashlib.sha256(bytes([request.op]) + canonical)
        digest.update(f"{plan.strokes} {plan.volume_nl} {plan.duration_us}".encode())
        digest.update(f" {self._journal.durable.generation}".encode())
        hash_ = digest.digest()[:_HASH_BYTES]
        token = int.from_bytes(self._entropy.read(4), "little") or 1
        expires_us = self._clock.now_us() + TOKEN_LIFE_US
        self._prepared = _Prepared(request.txn, request.op, parameters, token, hash_, expires_us)
        return Preview(
            txn=request.txn,
            state=TxnState.PREPARED,
            token=token,
            expires_ms=TOKEN_LIFE_US // 1000,
            hash=hash_,
            parameters=canonical,
            strokes=plan.strokes,
            volume_nl=plan.volume_nl,
            duration_us=plan.duration_us,
            computed_nl=plan.computed_nl,
        )

    def commit(self, request: Commit, role: Role, done: Done) -> None:
        """Act, once; `done` hears when the record is durable and the act begun. Raises Refused."""
        known = self._known(request.txn, role)
        if known is not None:
            if known.digest != request.hash[:_DIGEST_BYTES]:
                raise Refused(ErrorCode.HASH)
            done(ErrorCode.OK, self.result(request.txn))
            return
        if self._committing:
            raise Refused(ErrorCode.BUSY)
        prepared = self._claim(request)
        plan = self._acts.plan(prepared.op, prepared.parameters).of(prepared.txn)
        self._prepared = None
        self._committing = prepared.txn
        stops = self._infusion.stops
        if plan.stored is None:
            self._record(prepared, plan, stops, done)
            return

        def staged(ok: bool) -> None:
            if ok:
                self._record(prepared, plan, stops, done)
            else:
                self._committing = 0
                done(ErrorCode.NVM_FAIL, None)

        self._prescriptions.stage(plan.stored, staged)

    def keep_takeover(self) -> None:
        """Make a scheduled change durable that is in force already; after a commit under way.

        Until then a reset finds it scheduled, for an instant that has passed, and takes it over.
        """
        if self._committing:
            return
        infusion = self._infusion
        generation = self._journal.durable.generation + 1
        stored = infusion.takeover(generation)
        self._committing = _TAKEOVER
        self._prepared = None

        def recorded(ok: bool) -> None:
            self._committing = 0
            if ok:
                self._prescriptions.committed(stored)
            else:
                self._journal.durable.generation = generation - 1
                infusion.not_kept()

        def staged(ok: bool) -> None:
            if ok:
                self._journal.durable.generation = generation
                infusion.save(recorded)
            else:
                self._committing = 0
                infusion.not_kept()

        self._prescriptions.stage(stored, staged)

    def query(self, request: TxnRef, role: Role) -> TxnResult:
        """Return how far a transaction is; UNKNOWN is an answer too. Raises Refused."""
        self._known(request.txn, role)
        return self.result(request.txn)

    def abort(self, request: TxnRef, role: Role, done: Done) -> None:
        """Forget what was prepared under this number; what is committed stays. Raises Refused."""
        self._known(request.txn, role)
        if self._prepared is not None and self._prepared.txn == request.txn:
            self._prepared = None
        # No update is the patient's: his tool neither ends one nor starts what stands for it.
        clinician = role is not Role.PATIENT
        goes_on = clinician and self._updates.abort(request.txn, self._clock.now_us())
        self._answer(self.result(request.txn), goes_on, done)

    def is_bolus(self, txn: int) -> bool:
        """Return True when a transaction of this number is known, and is a bolus."""
        prepared, known = self._prepared, self._journal.txns.get(txn)
        if known is not None:
            return known.op is TxnOp.BOLUS
        return prepared is not None and prepared.txn == txn and prepared.op is TxnOp.BOLUS

    def result(self, txn: int) -> TxnResult:
        """Return the present state of a transaction."""
        generation = self._journal.durable.generation
        known = self._journal.txns.get(txn)
        if known is None:
            prepared = self._prepared
            if prepared is not None and prepared.txn == txn:
                return TxnResult(txn, TxnState.PREPARED, prepared.op, 0, 0, 0, generation)
            return TxnResult(txn, TxnState.UNKNOWN, 0, 0, 0, 0, generation)
        given = known.given_strokes
        bolus = self._infusion.dosing.find(txn, self._clock.now_us())
        if bolus is not None:
            given = bolus.given_strokes
        if txn == self._infusion.bridging.txn:
            given = self._infusion.bridging.given_strokes
        stroke_pl = self._config.stroke_pl
        return TxnResult(
            txn,
            known.state,
            known.op or 0,
            given * stroke_pl // 1000,
            known.total_strokes * stroke_pl // 1000,
            known.cause,
            generation,
        )

    def _known(self, txn: int, role: Role) -> Txn | None:
        """Return what the journal says of a transaction; None where it is not there.

        Raises Refused BUSY while its record is being written: neither yes nor no would be true.
        And DENIED where it is not the patient's, for that role.
        """
        if txn and txn == self._committing:
            raise Refused(ErrorCode.BUSY)
        known, prepared = self._journal.txns.get(txn), self._prepared
        if known is not None:
            kind = known.kind
        elif prepared is not None and prepared.txn == txn:
            kind = _kind(prepared.parameters)
        else:
            return None
        if role is Role.PATIENT and kind is not BolusKind.PATIENT:
            raise Refused(ErrorCode.DENIED)
        return known

    def _claim(self, request: Commit) -> _Prepared:
        """Return what was prepared, if the commit fits it."""
        prepared = self._prepared
        if prepared is None or prepared.txn != request.txn:
            raise Refused(ErrorCode.EXPIRED)
        if self._clock.now_us() > prepared.expires_us:
            self._prepared = None
            raise Refused(ErrorCode.EXPIRED)
        if prepared.token != request.token or prepared.hash != request.hash:
            raise Refused(ErrorCode.HASH)
        return prepared

    def _record(self, prepared: _Prepared, plan: Plan, stops: int, done: Done) -> None:
        """Write the one record that commits; act when it is durable.

        `stops` is the count when the COMMIT came: a stop since then came last, and holds.
        """
        durable = self._journal.durable
        if plan.stored is not None:
            self._infusion.note_basal(plan.stored.therapy)
        self._infusion.delivery.account()
        self._infusion.dosing.note(self._clock.now_us())
        before = durable.txn, durable.generation, durable.stop_reason, durable.uncertain_strokes
        bolus = prepared.op is TxnOp.BOLUS
        durable.txn = Txn(
            prepared.txn,
            prepared.op,
            TxnState.DELIVERING if bolus else TxnState.DONE,
            total_strokes=plan.strokes if bolus else 0,
            digest=prepared.hash[:_DIGEST_BYTES],
            kind=_kind(prepared.parameters),
        )
        if isinstance(prepared.parameters, SetClockParameters):
            now_s, wall_s = self._rtc.now_s(), prepared.parameters.wall_s
            durable.txn = clock_commit.begun(durable.txn, now_s, wall_s)
        if plan.stored is not None:
            durable.generation = plan.stored.generation
        if plan.fill_told:
            durable.uncertain_strokes = 0
        if self._infusion.stops == stops:
            durable.stop_reason = _reason_after(prepared, durable.stop_reason)

        def recorded(ok: bool) -> None:
            self._committing = 0
            if not ok:
                durable.txn, durable.generation, reason, durable.uncertain_strokes = before
                if self._infusion.stops == stops:
                    durable.stop_reason = reason
                self._journal.txns.pop(prepared.txn, None)
                done(ErrorCode.NVM_FAIL, None)
                return
            self._journal.last_txn = prepared.txn
            if plan.stored is not None:
                self._prescriptions.committed(plan.stored)
            self._acts.perform(prepared.op, prepared.txn, prepared.parameters, plan)
            self._updates.committed(prepared.op)
            sets_clock = prepared.op is TxnOp.SET_CLOCK
            self._answer(self.result(prepared.txn), sets_clock, done)

        self._journal.write(recorded)

    def recover(self, strokes: int, but: int) -> list[Txn]:
        """After a reset: a dose that was under way has ended; return each as it ended.

        Transaction `but`, a bridge, goes on. `strokes` were accounted for since the last record:
        they were the newest dose's, which had suspended any other.
        """
        ended = []
        for txn in reversed(list(self._journal.txns.values())):
            if txn.state is TxnState.DELIVERING and txn.txn != but:
                given = min(txn.total_strokes, txn.given_strokes + strokes)
                strokes = 0
                after = replace(
                    txn, state=TxnState.ENDED_EARLY, cause=Code.RESET, given_strokes=given
                )
                self._journal.txns[txn.txn] = after
                ended.append(after)
        return ended


def _kind(parameters: Message) -> BolusKind:
    return parameters.kind if isinstance(parameters, BolusParameters) else BolusKind.NONE


def _reason_after(prepared: _Prepared, before: StopReason) -> StopReason:
    """The stop reason the committing record carries: a reset right after it finds it true."""
    parameters = prepared.parameters
    if isinstance(parameters, ProgramParameters) and not parameters.at_wall_s:
        stops = parameters.therapy.program is ProgramKind.STOPPED
        return StopReason.COMMANDED if stops else StopReason.NONE
    return StopReason.NONE if prepared.op is TxnOp.RESUME else before
