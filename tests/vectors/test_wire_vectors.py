"""The golden vectors: the code still writes exactly these bytes, and reads them back."""

import json
from typing import Any

import pytest
from wire_vectors import PATH, frame_fields, message_types, plain, render

from protocol import cobs, codec
from protocol.errors import ErrorCode
from protocol.framing import Deframer, Frame, FrameType, encode
from protocol.link.end import XERR_BODY
from protocol.operations import (
    BY_OPCODE,
    OPERATIONS,
    PARAMETERS,
    REQUEST_HEADER,
    RESPONSE_HEADER,
    split_request,
    split_response,
)

_VECTORS: dict[str, list[dict[str, Any]]] = json.loads(PATH.read_text(encoding="utf-8"))
_MESSAGES = {kind.__name__: kind for kind in message_types()}
_REGENERATE = "the wire has changed: is that meant? python tests/vectors/wire_vectors.py"


def _id(vector: dict[str, Any]) -> str:
    return " ".join(str(vector[key]) for key in ("message", "sample", "name") if key in vector)


def _section(*names: str) -> pytest.MarkDecorator:
    vectors = [vector for name in names for vector in _VECTORS[name]]
    return pytest.mark.parametrize("vector", vectors, ids=_id)


def _read(vector: dict[str, Any]) -> Frame:
    (frame,) = Deframer().feed(bytes.fromhex(vector["wire"]), 0)
    assert frame_fields(frame) == vector["frame"]
    assert encode(frame).hex() == vector["wire"]
    return frame


def test_the_code_writes_exactly_the_recorded_bytes() -> None:
    assert render() == PATH.read_text(encoding="utf-8"), _REGENERATE


def test_nothing_is_missing() -> None:
    exchanges = {vector["name"] for vector in _VECTORS["exchanges"]}
    for row in OPERATIONS:
        assert {f"{row.name} request", f"{row.name} response"} <= exchanges
    assert {vector["frame"]["type"] for vector in _VECTORS["frames"]} == set(FrameType)
    results = {vector["header"].get("result") for vector in _VECTORS["errors"]} - {None}
    assert results == set(ErrorCode) - {ErrorCode.OK}
    assert {vector["op"] for vector in _VECTORS["parameters"]} == set(PARAMETERS)
    assert {vector["message"] for vector in _VECTORS["messages"]} == set(_MESSAGES)
    assert sum(map(len, _VECTORS.values())) >= 200


@_section("cobs")
def test_cobs(vector: dict[str, Any]) -> None:
    data, encoded = bytes.fromhex(vector["data"]), bytes.fromhex(vector["encoded"])
    assert cobs.encode(data) == encoded
    assert cobs.decode(encoded) == data


@_section("frames")
def test_frames(vector: dict[str, Any]) -> None:
    _read(vector)


@_section("messages", "parameters")
def test_messages(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bytes"])
    message = codec.decode(_MESSAGES[vector["message"]], data)
    assert plain(message) == vector["fields"]
    assert codec.encode(message) == data


@_section("exchanges", "errors")
def test_exchanges(vector: dict[str, Any]) -> None:
    frame = _read(vector)
    if frame.type is FrameType.XERR:
        code, detail = XERR_BODY.unpack(frame.payload)
        assert {"code": code, "detail": detail} == vector["fields"]
        return
    body = frame.payload
    if frame.type is FrameType.REQ:
        opcode, req_id, body = split_request(frame.payload)
        assert {"opcode": opcode, "req_id": req_id} == vector["header"]
        assert _MESSAGES[vector["message"]] is BY_OPCODE[opcode].request
        assert len(body) == len(frame.payload) - REQUEST_HEADER.size
    elif frame.type is FrameType.RSP:
        opcode, req_id, result, body = split_response(frame.payload)
        assert {"opcode": opcode, "req_id": req_id, "result": result} == vector["header"]
        assert len(body) == len(frame.payload) - RESPONSE_HEADER.size
    assert plain(codec.decode(_MESSAGES[vector["message"]], body)) == vector["fields"]


@_section("refused")
def test_refused(vector: dict[str, Any]) -> None:
    deframer = Deframer()
    assert deframer.feed(bytes.fromhex(vector["wire"]), 0) == []
    assert getattr(deframer.counters, vector["refused"]) == 1
    assert deframer.counters.accepted == 0
