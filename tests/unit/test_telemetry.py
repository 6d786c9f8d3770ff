"""Sessions and requests: who may do what, and what a bad request does (nothing)."""

import itertools
from dataclasses import replace

import pytest
from nurse import Nurse, Refusals, therapy

from firmware.flow import DAY_US
from protocol import codec
from protocol.codes import Code, RateBasis, RatePer, Role
from protocol.errors import ErrorCode, LimitId
from protocol.framing import FrameType
from protocol.hello import Hello, HelloResponse
from protocol.messages import (
    Drug,
    Empty,
    LogPage,
    LogRead,
    Rate,
    Refusal,
)
from protocol.operations import OPERATIONS, Operation, encode_request, split_response


def raw(nurse: Nurse, payload: bytes) -> tuple[ErrorCode, Refusal]:
    frame = nurse.exchange(FrameType.REQ, nurse.channel, payload)
    _, _, code, body = split_response(frame.payload)
    return code, codec.decode(Refusal, body)


ROLES = (Role.PATIENT, Role.CLINICIAN, Role.SERVICE)


@pytest.mark.parametrize(("role", "operation"), list(itertools.product(ROLES, OPERATIONS)))
def test_roles_are_granted_what_the_table_says(role: Role, operation: Operation) -> None:
    nurse = Nurse()
    nurse.hello(role)
    payload = encode_request(operation, 1, Empty()) + bytes(40)
    code = split_response(nurse.exchange(FrameType.REQ, nurse.channel, payload).payload)[2]
    # The body is junk: who may ask is told so, who may not is told nothing.
    assert code is (ErrorCode.MALFORMED if role in operation.roles else ErrorCode.DENIED)


def test_hello_of_another_version_or_suite_opens_nothing() -> None:
    nurse = Nurse()
    assert nurse.hello(version=9).result is ErrorCode.TOO_NEW
    assert nurse.hello(version=0).result is ErrorCode.TOO_OLD
    hello = Hello(1, 1, 1, Role.CLINICIAN, 480, 0, 99)
    frame = nurse.exchange(FrameType.HELLO, 0, codec.encode(hello))
    response = codec.decode(HelloResponse, frame.payload)
    assert (response.result, response.channel) == (ErrorCode.UNSUPPORTED, 0)


@pytest.mark.parametrize("role", [Role.NONE, Role.EMERGENCY])
def test_roles_that_need_more_than_hello_open_nothing(role: Role) -> None:
    assert Nurse().hello(role).result is ErrorCode.UNSUPPORTED


def test_a_closed_session_is_gone() -> None:
    nurse = Nurse()
    nurse.hello()
    nurse.ask("CLOSE")
    code, _ = raw(nurse, encode_request(OPERATIONS[1], 1, Empty()))
    assert code is ErrorCode.SESSION_GONE


def test_a_new_hello_ends_the_old_session() -> None:
    nurse = Nurse()
    old = nurse.hello().channel
    new = nurse.hello().channel
    assert old != new
    nurse.channel = old
    code, _ = raw(nurse, encode_request(OPERATIONS[1], 1, Empty()))
    assert code is ErrorCode.SESSION_GONE


@pytest.mark.requirement("R-246")
def test_unknown_opcode_and_short_request_are_refused() -> None:
    nurse = Nurse()
    nurse.hello()
    assert raw(nurse, bytes([0xEE, 0xEE, 1, 0]))[0] is ErrorCode.UNSUPPORTED
    assert raw(nurse, bytes(3))[0] is ErrorCode.MALFORMED
    assert nurse.codes == [Code.REFUSED] or nurse.codes == []


def test_the_log_is_read_in_pages_and_interrogate_is_logged() -> None:
    nurse = Nurse()
    nurse.program(therapy(), 40_000_000)
    for _ in range(30):
        nurse.ask("INTERROGATE")
    records, first = [], 0
    while True:
        page: LogPage = nurse.ask("LOG_READ", LogRead(first, 255))
        if not page.records:
            break
        records += page.records
        first = page.records[-1].seq + 1
    assert [record.seq for record in records] == list(range(31))
    assert [record.code for record in records[1:]] == [Code.INTERROGATED] * 30


@pytest.mark.requirement("R-216")
@pytest.mark.requirement("R-221")
def test_garbage_at_the_port_changes_nothing() -> None:
    nurse = Nurse()
    nurse.program(therapy(), 40_000_000)
    stream = nurse.world.stream("garbage")
    for _ in range(200):
        nurse.board.link.host_write(stream.getrandbits(8 * 1000).to_bytes(1000, "little"))
        nurse.run(0)
        nurse.board.link.host_read()
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == 150_000
    nurse.hello()
    assert nurse.ask("STATUS").computed_nl == 39_850_000


@pytest.mark.requirement("R-129")
def test_refused_requests_are_logged_and_nothing_else_changes() -> None:
    nurse = Nurse()
    before = nurse.status
    with pytest.raises(Refusals, match="STATE"):
        nurse.resume()
    after = nurse.status
    assert nurse.codes == [Code.REFUSED]
    assert after.last_refusal is ErrorCode.STATE
    assert (after.mode, after.stop_reason, after.generation) == (
        before.mode,
        before.stop_reason,
        before.generation,
    )


def test_what_is_beyond_every_field_is_refused_with_a_clipped_value() -> None:
    nurse = Nurse()
    far = (1 << 64) - 1
    dilute = Drug("baclofen", 1)
    with pytest.raises(Refusals) as refused:
        nurse.program(replace(therapy(Rate(RateBasis.MASS_PG, RatePer.HOUR, far)), drugs=(dilute,)))
    assert refused.value.refusal == Refusal(LimitId.FLOW_MAX_PL_H, far, 1_000_000_000)


def test_a_date_after_the_end_of_the_wall_clock_is_said_as_its_end() -> None:
    nurse = Nurse()
    nurse.program(replace(therapy(), stability_days=0xFFFF), 40_000_000)
    nurse.stop()
    assert nurse.ask("STATUS").refill_due_wall_s == 0xFFFFFFFF
