"""Messages to bytes and back: every message of the table, every cut, every wrong value."""

import struct
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import codec, operations
from protocol.codec import BLOB, LIST, LONG, STRUCT, TEXT, Message, Wire, wire
from protocol.codes import Role, TxnOp
from protocol.crc import crc32c
from protocol.errors import ErrorCode, LocalError, RemoteError
from protocol.hello import Hello, HelloResponse
from protocol.messages import (
    MAX_PAYLOAD,
    Drug,
    Empty,
    LogPage,
    LogRead,
    Prepare,
    Refusal,
    Status,
    Therapy,
    TxnRef,
)
from protocol.operations import (
    BY_NAME,
    BY_OPCODE,
    OPERATIONS,
    PARAMETERS,
    REQUEST_HEADER,
    RESPONSE_HEADER,
    SCHEMA_ID,
    encode_request,
    encode_response,
    schema_text,
    split_request,
    split_response,
)

_TOP = {Hello, HelloResponse, Refusal, *PARAMETERS.values()}
_TOP |= {kind for row in OPERATIONS for kind in (row.request, row.response)}
MESSAGES = sorted(_TOP, key=lambda kind: kind.__name__)
every_message = pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)


def values(spec: Wire) -> st.SearchStrategy[Any]:
    """Return the values that a field can carry."""
    if spec.kind == TEXT:
        return st.text(max_size=spec.maximum).filter(lambda t: len(t.encode()) <= spec.maximum)
    if spec.kind in (BLOB, LONG):
        return st.binary(max_size=spec.maximum)
    if spec.kind == STRUCT and spec.item is not None:
        return messages(spec.item)
    if spec.kind == LIST and spec.item is not None:
        return st.lists(messages(spec.item), max_size=min(spec.maximum, 4)).map(tuple)
    if spec.enum is not None:
        return st.sampled_from(spec.enum)
    bits = 8 * struct.calcsize("<" + spec.kind)
    low = -(1 << bits - 1) if spec.kind.islower() else 0
    return st.integers(low, low + (1 << bits) - 1)


def messages(kind: type[Message]) -> st.SearchStrategy[Message]:
    return st.builds(kind, *[values(spec) for _, spec in codec.fields(kind)])


def largest(kind: type[Message]) -> int:
    """Return the most bytes that a message can take."""
    return sum(_largest(spec) for _, spec in codec.fields(kind))


def _largest(spec: Wire) -> int:
    if spec.kind in (TEXT, BLOB):
        return 1 + spec.maximum
    if spec.kind == LONG:
        return 2 + spec.maximum
    if spec.kind == STRUCT and spec.item is not None:
        return largest(spec.item)
    if spec.kind == LIST and spec.item is not None:
        return 1 + spec.maximum * largest(spec.item)
    return struct.calcsize("<" + spec.kind)


# --- every message ------------------------------------------------------------------------------


@every_message
@settings(derandomize=True, max_examples=20)
@given(data=st.data())
def test_round_trip(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(kind))
    encoded = codec.encode(message)
    assert len(encoded) <= largest(kind)
    assert codec.decode(kind, encoded) == message


@every_message
@settings(derandomize=True, max_examples=10)
@given(data=st.data())
def test_every_cut_and_every_trailing_byte_is_refused(
    kind: type[Message], data: st.DataObject
) -> None:
    encoded = codec.encode(data.draw(messages(kind)))
    for length in range(len(encoded)):
        with pytest.raises(RemoteError):
            codec.decode(kind, encoded[:length])
    with pytest.raises(RemoteError, match="1 bytes too many"):
        codec.decode(kind, encoded + b"\0")


@every_message
@settings(derandomize=True, max_examples=80)
@given(data=st.binary(max_size=MAX_PAYLOAD))
def test_decoding_is_total_and_has_one_form(kind: type[Message], data: bytes) -> None:
    try:
        message = codec.decode(kind, data)
    except RemoteError:
        return
    assert codec.encode(message) == data


@every_message
def test_every_field_says_what_it_is(kind: type[Message]) -> None:
    for name, spec in codec.fields(kind):
        assert spec.doc
        assert 0 < spec.maximum <= (400 if spec.kind == LONG else 255)
        ending = name.rsplit("_", 1)[-1]
        if ending in ("nl", "pl", "us", "ms", "mv", "um", "days", "ppm"):
            assert spec.unit


# --- fields -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part(Message):
    code: ErrorCode = wire("H", values=ErrorCode, doc="an enum")
    delta: int = wire("h", doc="a signed number")


@dataclass(frozen=True, slots=True)
class _Whole(Message):
    first: int = wire("B", doc="a number")
    name: str = wire(TEXT, maximum=4, doc="text")
    data: bytes = wire(BLOB, maximum=3, doc="bytes")
    part: _Part = wire(STRUCT, item=_Part, doc="a message")
    parts: tuple[_Part, ...] = wire(LIST, item=_Part, maximum=2, doc="messages")
    last: int = wire("I", doc="a number")


_WHOLE = _Whole(
    1, "aµ", b"\xff\0", _Part(ErrorCode.HASH, -2), (_Part(ErrorCode.OK, 3),), 0x01020304
)
_BYTES = "01 03 61 c2 b5 02 ff 00 07 03 fe ff 01 00 00 03 00 04 03 02 01"


def test_the_layout_is_the_documented_one() -> None:
    assert codec.encode(_WHOLE).hex(" ") == _BYTES
    assert codec.decode(_Whole, bytes.fromhex(_BYTES)) == _WHOLE


@pytest.mark.parametrize(
    "damage",
    [
        (1, 0x05),  # text longer than its maximum
        (3, 0xFF),  # not UTF-8
        (5, 0x04),  # bytes longer than their maximum
        (8, 0xFF),  # no such error code
        (12, 0x03),  # more parts than their maximum
        (12, 0x02),  # a part that is not there
        (14, 0xFF),  # no such error code inside a list
    ],
)
def test_a_field_out_of_its_range_is_refused(damage: tuple[int, int]) -> None:
    place, value = damage
    data = bytearray.fromhex(_BYTES)
    data[place] = value
    with pytest.raises(RemoteError, match=r"_Whole|_Part"):
        codec.decode(_Whole, bytes(data))


@pytest.mark.parametrize(
    "changes",
    [
        {"first": 256},
        {"first": -1},
        {"name": "abcde"},
        {"name": "µµµ"},
        {"data": b"1234"},
        {"part": _Part(ErrorCode.OK, 0x8000)},
        {"parts": (_Part(ErrorCode.OK, 0),) * 3},
        {"last": 1 << 32},
    ],
)
def test_a_value_that_does_not_fit_is_our_own_fault(changes: dict[str, Any]) -> None:
    with pytest.raises(LocalError):
        codec.encode(replace(_WHOLE, **changes))


def test_an_enum_comes_back_as_its_member() -> None:
    part = codec.decode(_Part, bytes.fromhex("07 03 00 00"))
    assert part.code is ErrorCode.HASH


def test_a_list_field_must_name_its_items() -> None:
    @dataclass(frozen=True, slots=True)
    class Nameless(Message):
        parts: tuple[Message, ...] = wire(LIST, doc="of what?")

    with pytest.raises(LocalError, match="names its item class"):
        codec.encode(Nameless(()))


# --- operations ---------------------------------------------------------------------------------


def test_numbers_and_names_are_unique() -> None:
    assert len(BY_OPCODE) == len(BY_NAME) == len(OPERATIONS)
    assert set(PARAMETERS) == set(TxnOp)


def test_whatever_doses_is_for_clinician_and_patient_only() -> None:
    """Which of it is the patient's, the pump decides: see test_patient_role."""
    for row in OPERATIONS:
        assert Role.NONE not in row.roles
        assert Role.EMERGENCY not in row.roles
        if row.kind in ("TXN", "ACT"):
            assert row.roles == {Role.CLINICIAN, Role.PATIENT}


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_the_largest_request_and_response_fit_one_frame(row: operations.Operation) -> None:
    assert REQUEST_HEADER.size + largest(row.request) <= MAX_PAYLOAD
    assert RESPONSE_HEADER.size + largest(row.response) <= MAX_PAYLOAD


@pytest.mark.parametrize("op", PARAMETERS)
def test_the_largest_parameters_fit_a_prepare(op: TxnOp) -> None:
    room = dict(codec.fields(Prepare))["parameters"].maximum
    assert largest(PARAMETERS[op]) <= room


def test_requests_round_trip() -> None:
    payload = encode_request(BY_NAME["LOG_READ"], 0xBEEF, LogRead(7, 14))
    assert payload.hex(" ") == "04 01 ef be 07 00 00 00 0e"
    opcode, req_id, body = split_request(payload)
    assert (opcode, req_id) == (0x0104, 0xBEEF)
    assert codec.decode(LogRead, body) == LogRead(7, 14)


def test_responses_round_trip() -> None:
    payload = encode_response(0x0203, 5, ErrorCode.STATE, Refusal(1, 2, 3))
    opcode, req_id, result, body = split_response(payload)
    assert (opcode, req_id, result) == (0x0203, 5, ErrorCode.STATE)
    assert codec.decode(Refusal, body) == Refusal(1, 2, 3)


@pytest.mark.parametrize("length", range(4))
def test_a_request_without_its_header_is_refused(length: int) -> None:
    with pytest.raises(RemoteError, match="request of"):
        split_request(bytes(length))


@pytest.mark.parametrize("length", range(6))
def test_a_response_without_its_header_is_refused(length: int) -> None:
    with pytest.raises(RemoteError, match="response of"):
        split_response(bytes(length))


def test_an_unknown_result_is_refused() -> None:
    with pytest.raises(RemoteError, match="unknown result 0x9999"):
        split_response(RESPONSE_HEADER.pack(1, 2, 0x9999))


# --- schema id ----------------------------------------------------------------------------------


def test_the_schema_id_is_that_of_the_text() -> None:
    assert crc32c(schema_text().encode()) == SCHEMA_ID
    assert schema_text() == schema_text()


@pytest.mark.parametrize("kind", [Status, Therapy, Drug, LogPage, Hello, TxnRef, Refusal])
def test_the_schema_text_has_every_field(kind: type[Message]) -> None:
    (line,) = [row for row in schema_text().split("\n") if row.startswith(f"{kind.__name__} ")]
    for name, spec in codec.fields(kind):
        assert f" {name}:{spec.kind}:{spec.unit}:{spec.maximum}:" in line


def test_another_table_has_another_schema_id(monkeypatch: pytest.MonkeyPatch) -> None:
    renumbered = replace(OPERATIONS[0], opcode=0x0002)
    monkeypatch.setattr(operations, "OPERATIONS", (renumbered, *OPERATIONS[1:]))
    assert crc32c(schema_text().encode()) != SCHEMA_ID


def test_a_message_without_fields_is_no_bytes() -> None:
    assert codec.encode(Empty()) == b""
    assert codec.decode(Empty, b"") == Empty()
