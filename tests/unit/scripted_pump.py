"""A pump in a hundred lines, at the other end of an in-memory line with its own clock.

It is a `Transport`: what the tool writes is handled at once, and `read` lets the time-out pass when
there is nothing to read. `doses` is the truth: the transactions that have acted, in order. Tests
cut the line, lose replies, reboot it or make it refuse.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from protocol import codec, codes
from protocol.codes import Code, Role, TxnOp, TxnState
from protocol.errors import ErrorCode
from protocol.framing import Frame, FrameType
from protocol.hello import Hello, HelloResponse
from protocol.link import Responder
from protocol.messages import (
    Commit,
    DeviceInfo,
    Drug,
    Empty,
    LogPage,
    LogRead,
    LogRecord,
    Prepare,
    PrescriptionInfo,
    Preview,
    ProgramParameters,
    Rate,
    Refusal,
    Status,
    Therapy,
    TxnRef,
    TxnResult,
)
from protocol.operations import BY_OPCODE, PARAMETERS, SCHEMA_ID, encode_response, split_request
from tools.programmer.errors import NoLink

DEVICE = DeviceInfo(
    model="rotor-40",
    serial="E00000001",
    firmware="0.1.0",
    stroke_pl=250_000,
    capacity_nl=40_000_000,
    flow_min_pl_h=2_000_000,
    flow_max_pl_h=1_000_000_000,
    minimum_rate_pl_h=250_000,
    bolus_max_nl=1_000_000,
    tubing_nl=140_000,
    accuracy_ppm=145_000,
    implanted_wall_s=852_000_000,
    service_days=2557,
)
NOTHING = Therapy(
    (), codes.ProgramKind.STOPPED, Rate(codes.RateBasis.VOLUME_PL, codes.RatePer.DAY, 0),
    0, 0, 0, 0, codes.BolusBasal.CONTINUE, codes.EmergencyAction.STOP, 0,
)  # fmt: skip
BACLOFEN = replace(
    NOTHING,
    drugs=(Drug("baclofen", 2_000_000_000),),
    program=codes.ProgramKind.SIMPLE_CONTINUOUS,
    rate=Rate(codes.RateBasis.MASS_PG, codes.RatePer.DAY, 300_000_000),
    low_reservoir_nl=2_000_000,
)
STATUS = Status(
    boot_id=1, uptime_us=1_000_000, wall_s=852_195_600, generation=0, mode=codes.Mode.STOPPED,
    program=codes.ProgramKind.STOPPED, stop_reason=codes.StopReason.NO_PROGRAM,
    bolus=codes.BolusKind.NONE, bolus_given_nl=0, bolus_total_nl=0, rate_numerator_pl=0,
    rate_denominator_h=1, computed_nl=40_000_000, delivered_nl=0, uncertain_nl=0,
    fill_nl=40_000_000, fill_wall_s=852_195_600, battery_mv=2900, eri=0, eri_wall_s=1_072_915_200,
    eos_wall_s=1_080_691_200, refill_due_wall_s=0, low_reservoir_wall_s=0, alarms=(),
    last_refusal=ErrorCode.OK, log_first=0, log_next=30, last_txn=0,
)  # fmt: skip


class Refuse(Exception):
    """The handler refuses."""

    def __init__(self, code: ErrorCode, *detail: int) -> None:
        self.code = code
        self.refusal = Refusal(*(*detail, 0, 0, 0)[:3])


class ScriptedPump:
    """A pump that does as it is told, on a line that fails as it is told."""

    def __init__(self) -> None:
        self.schema_id = SCHEMA_ID
        self.role = Role.CLINICIAN
        self.status = STATUS
        self.therapy = NOTHING
        self.doses: list[tuple[TxnOp, int]] = []
        self.asked: list[str] = []
        """Requests that reached the pump, by name."""
        self.plan = 0
        """What else the preview depends on."""
        self.unplugged = False
        self.mute: Counter[str] = Counter()
        """Name -> how many requests of it get no reply through, however often repeated."""
        self.deaf: Counter[str] = Counter()
        """Name -> how many requests of it never reach the pump."""
        self.refuse: dict[str, Refuse] = {}
        self.before: dict[str, Callable[[], None]] = {}
        """Name -> what happens, once, when such a request comes."""
        self._now_us = 0
        self._done: dict[int, TxnResult] = {}
        self._channel = 0
        self._to_tool = b""
        self.reboot()

    def reboot(self) -> None:
        """Lose what is in RAM: the session and what was prepared."""
        self._link = Responder()
        self._draft: tuple[Prepare, bytes] | None = None
        self._session = 0
        self._muted = False

    # --- the line -------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self.unplugged:
            raise NoLink("port scripted was closed at the other end or unplugged")
        for frame in self._link.receive(data, self._now_us):
            self._handle(frame)
        out = self._link.outgoing()
        self._to_tool += b"" if self._muted else out

    def read(self, timeout_us: int) -> bytes:
        if self.unplugged:
            raise NoLink("port scripted was closed at the other end or unplugged")
        data, self._to_tool = self._to_tool, b""
        self._now_us += 100 if data else timeout_us
        return data

    def now_us(self) -> int:
        return self._now_us

    def close(self) -> None:
        self.unplugged = True

    # --- the pump -------------------------------------------------------------------------------

    def _handle(self, frame: Frame) -> None:
        if frame.type is FrameType.HELLO:
            self._hello(codec.decode(Hello, frame.payload))
            return
        opcode, req_id, body = split_request(frame.payload)
        operation = BY_OPCODE[opcode]
        name = operation.name
        if self.deaf[name]:
            self.deaf[name] -= 1
            self._muted = True  # nothing happened, and nothing will be answered
            return
        boot = self._link
        self.before.pop(name, lambda: None)()
        if self._link is not boot:
            return
        self.asked.append(name)
        code, answer = self._answer(name, frame.channel, codec.decode(operation.request, body))
        self._muted = bool(self.mute[name])
        self.mute[name] -= self._muted
        payload = encode_response(opcode, req_id, code, answer)
        self._link.answer(FrameType.RSP, frame.channel, payload)

    def _hello(self, hello: Hello) -> None:
        self._muted = bool(self.mute["HELLO"])
        self.mute["HELLO"] -= self._muted
        self._session += 1
        self._channel = 0x100 * self.status.boot_id + self._session
        response = HelloResponse(
            ErrorCode.OK, 1, 0, self.role, self._channel, self.status.boot_id, 1, 480,
            self.schema_id, DEVICE.model, hello.nonce, 7,
        )  # fmt: skip
        self._link.answer(FrameType.HELLO_RSP, 0, codec.encode(response))

    def _answer(self, name: str, channel: int, request: Any) -> tuple[ErrorCode, Any]:
        try:
            if channel != self._channel or not self._session:
                raise Refuse(ErrorCode.SESSION_GONE)
            if name in self.refuse:
                raise self.refuse.pop(name)
            return ErrorCode.OK, getattr(self, f"_{name.lower()}")(request)
        except Refuse as refuse:
            return refuse.code, refuse.refusal

    def _close(self, request: Empty) -> Empty:
        self._session = 0
        return request

    def _status(self, request: Empty) -> Status:
        return self.status

    _interrogate = _status

    def _stop(self, request: Empty) -> Status:
        self.status = replace(self.status, stop_reason=codes.StopReason.COMMANDED)
        return self.status

    def _device(self, request: Empty) -> DeviceInfo:
        return DEVICE

    def _prescription(self, request: Empty) -> PrescriptionInfo:
        return PrescriptionInfo(self.status.generation, 0, self.therapy)

    def _log_read(self, request: LogRead) -> LogPage:
        last = min(request.first + request.maximum, self.status.log_next)
        records = tuple(
            LogRecord(seq, 1, Code.RESET, seq * 1000, STATUS.wall_s, 0, 0)
            for seq in range(request.first, last)
        )
        return LogPage(0, self.status.log_next, records)

    def _prepare(self, request: Prepare) -> Preview:
        if request.txn in self._done:
            state = self._done[request.txn].state
            return Preview(request.txn, state, 0, 0, b"", b"", 0, 0, 0, 0)
        if request.generation != self.status.generation:
            raise Refuse(ErrorCode.GENERATION)
        known = f"{request.op} {request.parameters.hex()} {self.status.generation} {self.plan}"
        digest = hashlib.sha256(known.encode()).digest()[:16]
        self._draft = (request, digest)
        return Preview(
            request.txn, TxnState.PREPARED, 5, 30_000, digest, request.parameters, 40, 10_000,
            300_000_000, 40_000_000,
        )  # fmt: skip

    def _commit(self, request: Commit) -> TxnResult:
        if request.txn in self._done:
            return self._done[request.txn]
        if self._draft is None or self._draft[0].txn != request.txn:
            raise Refuse(ErrorCode.EXPIRED)
        prepared, digest = self._draft
        if digest != request.hash:
            raise Refuse(ErrorCode.HASH)
        parameters = codec.decode(PARAMETERS[prepared.op], prepared.parameters)
        generation = self.status.generation
        if isinstance(parameters, ProgramParameters):
            self.therapy, generation = parameters.therapy, generation + 1
        self.status = replace(self.status, generation=generation, last_txn=request.txn)
        self.doses.append((prepared.op, request.txn))
        result = TxnResult(request.txn, TxnState.DONE, prepared.op, 0, 0, 0, generation)
        self._done[request.txn] = result
        return result

    def _query(self, request: TxnRef) -> TxnResult:
        if request.txn in self._done:
            return self._done[request.txn]
        drafted = self._draft is not None and self._draft[0].txn == request.txn
        state = TxnState.PREPARED if drafted else TxnState.UNKNOWN
        return TxnResult(request.txn, state, 0, 0, 0, 0, self.status.generation)

    def _abort(self, request: TxnRef) -> TxnResult:
        self._draft = None
        return self._query(request)
