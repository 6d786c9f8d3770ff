"""Builds `wire.json`, the golden vectors of the wire.

Nothing runs it but a person:

    python tests/vectors/wire_vectors.py

Do that only for a change of the protocol that is meant, and read the difference it makes. Another
implementation may take the file as its own test: `decode(wire)` gives the fields, `encode(fields)`
gives the wire. Numbers are numbers, enums too; bytes are hex; every frame has both its delimiters.
"""

import enum
import json
import struct
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

from protocol import cobs, codec
from protocol.codec import BLOB, LIST, LONG, STRUCT, TEXT, Message, Wire
from protocol.codes import TxnOp
from protocol.crc import crc32c
from protocol.errors import ErrorCode
from protocol.framing import (
    BROADCAST,
    CHECK_BYTES,
    FRAME_VERSION,
    HEADER,
    SESSION_MAX_CHANNEL,
    Flag,
    Frame,
    FrameType,
    encode,
    spread_crc,
)
from protocol.hello import Hello, HelloResponse
from protocol.link import TransportError
from protocol.link.end import XERR_BODY
from protocol.messages import Refusal
from protocol.operations import OPERATIONS, PARAMETERS, encode_request, encode_response

PATH: Final = Path(__file__).with_name("wire.json")
LENGTHS: Final = (0, 1, 2, 253, 254, 255, 256, 480)
CHANNEL: Final = 0x4321
REQ_ID: Final = 0x0A0B

Json = dict[str, Any]


# --- sample messages ----------------------------------------------------------------------------


def message_types() -> list[type[Message]]:
    """Return every message class of the table, by name."""
    found: set[type[Message]] = {Hello, HelloResponse, Refusal, *PARAMETERS.values()}
    found |= {part for row in OPERATIONS for part in (row.request, row.response)}
    waiting = list(found)
    while waiting:
        parts = {spec.item for _, spec in codec.fields(waiting.pop()) if spec.item is not None}
        waiting += parts - found
        found |= parts
    return sorted(found, key=lambda kind: kind.__name__)


def counting(kind: type[Message]) -> Message:
    """Return a message whose integer bytes count 1, 2, 3 ... on the wire; enums: last member."""
    return _counting(kind, count(1))


def _counting(kind: type[Message], byte: Iterator[int]) -> Message:
    return kind(*[_value(spec, byte) for _, spec in codec.fields(kind)])


def _value(spec: Wire, byte: Iterator[int]) -> Any:
    if spec.kind == TEXT:
        return "pump µ"
    if spec.kind in (BLOB, LONG):
        return bytes(range(min(spec.maximum, 16)))
    if spec.kind == STRUCT and spec.item is not None:
        return _counting(spec.item, byte)
    if spec.kind == LIST and spec.item is not None:
        return tuple(_counting(spec.item, byte) for _ in range(min(spec.maximum, 2)))
    size = struct.calcsize("<" + spec.kind)
    data = bytes(number & 0x7F for number in islice(byte, size))
    return list(spec.enum)[-1] if spec.enum else struct.unpack("<" + spec.kind, data)[0]


def least(kind: type[Message]) -> Message:
    """Return the message of zeros, empty parts and first members."""
    return kind(*[_least_value(spec) for _, spec in codec.fields(kind)])


def _least_value(spec: Wire) -> Any:
    empty: dict[str, Any] = {TEXT: "", BLOB: b"", LONG: b"", LIST: ()}
    if spec.kind == STRUCT and spec.item is not None:
        return least(spec.item)
    return empty.get(spec.kind, next(iter(spec.enum)) if spec.enum else 0)


def plain(value: Any) -> Any:
    """Return a message as JSON can say it."""
    if isinstance(value, Message):
        return {name: plain(getattr(value, name)) for name, _ in codec.fields(type(value))}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return int(value) if isinstance(value, enum.IntEnum) else value


# --- vectors ------------------------------------------------------------------------------------


def frame_fields(frame: Frame) -> Json:
    """Return a frame as JSON can say it."""
    return {
        "type": int(frame.type),
        "flags": int(frame.flags),
        "channel": frame.channel,
        "seq": frame.seq,
        "ack": frame.ack,
        "payload": frame.payload.hex(),
    }


def _frame(name: str, frame: Frame, **more: Any) -> Json:
    return {"name": name, **more, "frame": frame_fields(frame), "wire": encode(frame).hex()}


def _patterns(length: int) -> Json:
    return {
        "zeros": bytes(length),
        "no zeros": b"\x11" * length,
        "counting": bytes(number & 0xFF for number in range(length)),
        "zero last": (b"\xff" * length)[:-1] + bytes(min(length, 1)),
    }


def cobs_vectors() -> list[Json]:
    """Return data and its COBS, at the edges of the blocks."""
    return [
        {"name": f"{length} {name}", "data": data.hex(), "encoded": cobs.encode(data).hex()}
        for length in (*LENGTHS, 488)
        for name, data in _patterns(length).items()
    ]


def frame_vectors() -> list[Json]:
    """Return frames of every type, flag, edge of a field and edge of a length."""
    ping = FrameType.PING
    return [
        *[_frame(kind.name, Frame(kind, 0, CHANNEL, 1, 0, b"")) for kind in FrameType],
        *[_frame(f"flag {flag.name}", Frame(ping, flag, 0, 1, 2, b"")) for flag in Flag],
        *[
            _frame(f"channel {channel:#06x}", Frame(ping, 0, channel, 0, 0, b""))
            for channel in (0, 1, SESSION_MAX_CHANNEL, BROADCAST)
        ],
        *[
            _frame(f"seq {seq} ack {ack}", Frame(ping, Flag.ACK_VALID, 1, seq, ack, b""))
            for seq, ack in ((0, 0), (0, 255), (255, 0), (255, 255))
        ],
        *[
            _frame(f"payload {length} {name}", Frame(FrameType.BULK, 0, 1, 2, 3, data))
            for length in LENGTHS
            for name, data in _patterns(length).items()
        ],
    ]


def message_vectors() -> list[Json]:
    """Return every message of the table, twice, and its bytes."""
    return [
        {
            "message": kind.__name__,
            "sample": name,
            "fields": plain(message),
            "bytes": codec.encode(message).hex(),
        }
        for kind in message_types()
        for name, message in (("least", least(kind)), ("counting", counting(kind)))
    ]


def exchange_vectors() -> list[Json]:
    """Return HELLO, and each operation's request and response, as whole frames."""
    hello, granted = counting(Hello), counting(HelloResponse)
    vectors = [
        _hello("HELLO", FrameType.HELLO, hello),
        _hello("HELLO_RSP", FrameType.HELLO_RSP, granted),
    ]
    for row in OPERATIONS:
        request, response = counting(row.request), counting(row.response)
        asked = encode_request(row, REQ_ID, request)
        answered = encode_response(row.opcode, REQ_ID, ErrorCode.OK, response)
        vectors += [
            _frame(
                f"{row.name} request",
                Frame(FrameType.REQ, Flag.ACK_VALID, CHANNEL, 4, 9, asked),
                message=row.request.__name__,
                header={"opcode": row.opcode, "req_id": REQ_ID},
                fields=plain(request),
            ),
            _frame(
                f"{row.name} response",
                Frame(FrameType.RSP, Flag.ACK_VALID, CHANNEL, 9, 5, answered),
                message=row.response.__name__,
                header={"opcode": row.opcode, "req_id": REQ_ID, "result": 0},
                fields=plain(response),
            ),
        ]
    return vectors


def _hello(name: str, kind: FrameType, message: Message) -> Json:
    frame = Frame(kind, 0, 0, 3, 0, codec.encode(message))
    return _frame(name, frame, message=type(message).__name__, header={}, fields=plain(message))


def parameter_vectors() -> list[Json]:
    """Return the parameters that PREPARE carries, for each op."""
    return [
        {
            "op": int(op),
            "name": TxnOp(op).name,
            "message": kind.__name__,
            "fields": plain(counting(kind)),
            "bytes": codec.encode(counting(kind)).hex(),
        }
        for op, kind in PARAMETERS.items()
    ]


def error_vectors() -> list[Json]:
    """Return a refusal with each error code, and each transport error."""
    refusal = Refusal(1, 1_000_000, 999_999)
    refusals = [
        _frame(
            code.name,
            Frame(
                FrameType.RSP,
                Flag.ACK_VALID,
                CHANNEL,
                9,
                5,
                encode_response(0x0202, REQ_ID, code, refusal),
            ),
            message="Refusal",
            header={"opcode": 0x0202, "req_id": REQ_ID, "result": int(code)},
            fields=plain(refusal),
        )
        for code in ErrorCode
        if code is not ErrorCode.OK
    ]
    transport = [
        _frame(
            f"XERR {code.name}",
            Frame(FrameType.XERR, Flag.ACK_VALID, CHANNEL, 9, 5, XERR_BODY.pack(code, 0x0101)),
            message="XERR",
            header={},
            fields={"code": int(code), "detail": 0x0101},
        )
        for code in TransportError
    ]
    return refusals + transport


# --- what must be refused -----------------------------------------------------------------------


def _sealed(data: bytes) -> bytes:
    body = cobs.encode(data)
    return b"\0" + body + spread_crc(crc32c(body)).to_bytes(CHECK_BYTES, "little") + b"\0"


def _headed(first: int, flags: int, length: int, payload: bytes) -> bytes:
    return _sealed(HEADER.pack(first, flags, CHANNEL, 1, 0, length) + payload)


def refused_vectors() -> list[Json]:
    """Return wire images that no receiver may take, and the check that stops each."""
    version = FRAME_VERSION << 5
    good = encode(Frame(FrameType.REQ, 0, CHANNEL, 1, 0, b"abc"))
    overrun = b"\x20" + b"\x11" * 8
    check = spread_crc(crc32c(overrun)).to_bytes(CHECK_BYTES, "little")
    images = [
        ("length", "13 bytes", b"\0" + b"\x85" * 13 + b"\0"),
        ("length", "496 bytes", b"\0" + b"\x85" * 496 + b"\0"),
        ("length", "last byte missing, short", good[:12] + b"\0"),
        ("check_form", "bit 7 of K clear", good[:-6] + b"\x01" + good[-5:]),
        ("check_form", "spare bit of K set", good[:-2] + bytes([good[-2] | 0x40]) + b"\0"),
        ("crc", "one bit of E", good[:3] + bytes([good[3] ^ 1]) + good[4:]),
        ("crc", "one bit of K", good[:-3] + bytes([good[-3] ^ 1]) + good[-2:]),
        ("cobs", "block over the end", b"\0" + overrun + check + b"\0"),
        *[
            ("version", f"version {number}", _headed(number << 5 | 16, 0, 0, b""))
            for number in range(8)
            if number != FRAME_VERSION
        ],
        *[
            ("type", f"type {number}", _headed(version | number, 0, 0, b""))
            for number in sorted(set(range(32)) - set(FrameType))
        ],
        *[("flags", f"flag {bit:#x}", _headed(version | 16, bit, 0, b"")) for bit in (32, 64, 128)],
        ("length_field", "one too many", _headed(version | 16, 0, 4, b"abc")),
        ("length_field", "one too few", _headed(version | 16, 0, 2, b"abc")),
        ("length_field", "65535", _headed(version | 16, 0, 65535, b"abc")),
    ]
    return [{"refused": step, "name": name, "wire": image.hex()} for step, name, image in images]


def build() -> Json:
    """Return all vectors."""
    return {
        "cobs": cobs_vectors(),
        "frames": frame_vectors(),
        "messages": message_vectors(),
        "parameters": parameter_vectors(),
        "exchanges": exchange_vectors(),
        "errors": error_vectors(),
        "refused": refused_vectors(),
    }


def render() -> str:
    """Return the text of `wire.json`: one vector a line, so that a difference is readable."""
    sections = []
    for name, vectors in build().items():
        lines = ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors)
        sections.append(f"{json.dumps(name)}: [\n{lines}\n]")
    return "{\n" + ",\n".join(sections) + "\n}\n"


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
