"""The operations: which request has which response, its number, its roles; and the schema id.

A request frame (REQ) carries `opcode u16, req_id u16, body`; its response frame (RSP) carries
`opcode u16, req_id u16, result u16` and then the response body, or a `Refusal` when the result is
not OK. `SCHEMA_ID` is the CRC-32C of the table's canonical text: two ends whose tables differ may
read, but not program.
"""

import struct
from dataclasses import dataclass
from typing import Final

from protocol import codec
from protocol.codec import Message
from protocol.codes import Role, TxnOp
from protocol.crc import crc32c
from protocol.errors import ErrorCode, RemoteError
from protocol.hello import Hello, HelloResponse
from protocol.messages import (
    BolusParameters,
    ClearAlarmParameters,
    Commit,
    DeviceInfo,
    Empty,
    LogPage,
    LogRead,
    Prepare,
    PrescriptionInfo,
    Preview,
    ProgramParameters,
    RefillParameters,
    Refusal,
    SetClockParameters,
    Status,
    TxnRef,
    TxnResult,
)

PROTOCOL_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Operation:
    """One row: a request, its response and who may send it."""

    opcode: int
    name: str
    kind: str
    request: type[Message]
    response: type[Message]
    roles: frozenset[Role]
    doc: str


_ALL: Final = frozenset({Role.PATIENT, Role.CLINICIAN, Role.SERVICE})
_DOSERS: Final = frozenset({Role.PATIENT, Role.CLINICIAN})
"""Of transactions the patient has only those of a patient bolus; the pump sees to that."""
_READERS: Final = frozenset({Role.CLINICIAN, Role.SERVICE})

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(0x0001, "CLOSE", "SESSION", Empty, Empty, _ALL, "End this session."),
    Operation(0x0101, "STATUS", "READ", Empty, Status, _ALL, "Read the status."),
    Operation(0x0102, "DEVICE", "READ", Empty, DeviceInfo, _ALL, "Read what the pump is."),
    Operation(
        0x0103, "PRESCRIPTION", "READ", Empty, PrescriptionInfo, _READERS, "Read the prescription."
    ),
    Operation(0x0104, "LOG_READ", "READ", LogRead, LogPage, _READERS, "Read a range of the log."),
    Operation(
        0x0105, "INTERROGATE", "READ", Empty, Status, _READERS,
        "Read the status at the start of a visit; the pump logs INTERROGATED.",
    ),
    Operation(
        0x0106, "PENDING", "READ", Empty, PrescriptionInfo, _READERS,
        "Read the scheduled change that has yet to take over; generation 0: none.",
    ),
    Operation(0x0201, "PREPARE", "TXN", Prepare, Preview, _DOSERS, "Stage a transaction."),
    Operation(0x0202, "COMMIT", "TXN", Commit, TxnResult, _DOSERS, "Do it, once."),
    Operation(0x0203, "QUERY", "TXN", TxnRef, TxnResult, _DOSERS, "Ask how far it is."),
    Operation(0x0204, "ABORT", "TXN", TxnRef, TxnResult, _DOSERS, "Forget what was prepared."),
    Operation(
        0x0210, "STOP", "ACT", Empty, Status, _DOSERS,
        "Finish the stroke and stop. Idempotent: no transaction, acts on the first frame. The "
        "patient only where the prescription lets him.",
    ),
)  # fmt: skip

BY_OPCODE: Final = {operation.opcode: operation for operation in OPERATIONS}
BY_NAME: Final = {operation.name: operation for operation in OPERATIONS}
PARAMETERS: Final[dict[TxnOp, type[Message]]] = {
    TxnOp.PROGRAM: ProgramParameters,
    TxnOp.BOLUS: BolusParameters,
    TxnOp.RESUME: Empty,
    TxnOp.REFILL: RefillParameters,
    TxnOp.CLEAR_ALARM: ClearAlarmParameters,
    TxnOp.SET_CLOCK: SetClockParameters,
}

REQUEST_HEADER: Final = struct.Struct("<HH")
RESPONSE_HEADER: Final = struct.Struct("<HHH")


def encode_request(operation: Operation, req_id: int, body: Message) -> bytes:
    """Return the payload of a REQ frame. `req_id` is 0..65535."""
    return REQUEST_HEADER.pack(operation.opcode, req_id) + codec.encode(body)


def encode_response(opcode: int, req_id: int, result: ErrorCode, body: Message) -> bytes:
    """Return the payload of a RSP frame; `body` is a Refusal unless the result is OK."""
    return RESPONSE_HEADER.pack(opcode, req_id, result) + codec.encode(body)


def split_request(payload: bytes) -> tuple[int, int, bytes]:
    """Return (opcode, req_id, body bytes) of a REQ payload. Raises RemoteError."""
    if len(payload) < REQUEST_HEADER.size:
        raise RemoteError(f"request of {len(payload)} bytes")
    opcode, req_id = REQUEST_HEADER.unpack_from(payload)
    return opcode, req_id, payload[REQUEST_HEADER.size :]


def split_response(payload: bytes) -> tuple[int, int, ErrorCode, bytes]:
    """Return (opcode, req_id, result, body bytes) of a RSP payload. Raises RemoteError."""
    if len(payload) < RESPONSE_HEADER.size:
        raise RemoteError(f"response of {len(payload)} bytes")
    opcode, req_id, result = RESPONSE_HEADER.unpack_from(payload)
    try:
        code = ErrorCode(result)
    except ValueError:
        raise RemoteError(f"unknown result 0x{result:04x}") from None
    return opcode, req_id, code, payload[RESPONSE_HEADER.size :]


def _schema_lines(message: type[Message], seen: dict[str, list[str]]) -> None:
    if message.__name__ in seen:
        return
    lines = seen[message.__name__] = []
    for name, spec in codec.fields(message):
        values = [f"{v.name}={v.value}" for v in spec.enum] if spec.enum else []
        item = spec.item.__name__ if spec.item else ""
        lines.append(f"{name}:{spec.kind}:{spec.unit}:{spec.maximum}:{item}:{','.join(values)}")
        if spec.item:
            _schema_lines(spec.item, seen)


def schema_text() -> str:
    """Return the canonical text of the whole table: equal text, equal wire."""
    seen: dict[str, list[str]] = {}
    rows = []
    for operation in OPERATIONS:
        rows.append(
            f"{operation.opcode:#06x} {operation.name} "
            f"{operation.request.__name__} {operation.response.__name__}"
        )
        _schema_lines(operation.request, seen)
        _schema_lines(operation.response, seen)
    for op, parameters in PARAMETERS.items():
        rows.append(f"{op.value} {op.name} {parameters.__name__}")
        _schema_lines(parameters, seen)
    for extra in (Refusal, Hello, HelloResponse):
        _schema_lines(extra, seen)
    for name, lines in sorted(seen.items()):
        rows.append(f"{name} {' '.join(lines)}")
    return "\n".join(rows) + "\n"


SCHEMA_ID: Final = crc32c(schema_text().encode())
