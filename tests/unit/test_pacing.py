"""Pacing: how far the world may go, with host time as a plain number."""

import pytest

from emulator.pacing import (
    CATCH_UP_US,
    MAX,
    PENDING_LIMIT_US,
    SESSION_IDLE_US,
    STEP,
    ClientWatch,
    Hold,
    Pacer,
    parse_speed,
    speed_name,
)
from protocol import codec
from protocol.codes import Role
from protocol.errors import ErrorCode
from protocol.framing import Frame, FrameType, encode
from protocol.hello import HelloResponse
from protocol.messages import Empty
from protocol.operations import BY_NAME, encode_request, encode_response

MS = 1_000
S = 1_000_000
CHANNEL = 7


def wire(kind: FrameType, payload: bytes = b"", channel: int = 0) -> bytes:
    return encode(Frame(kind, 0, channel, 1, 1, payload))


def hello_response(result: ErrorCode = ErrorCode.OK) -> bytes:
    body = HelloResponse(result, 1, 0, Role.CLINICIAN, CHANNEL, 1, 1, 480, 0, "rotor-40", 1, 2)
    return wire(FrameType.HELLO_RSP, codec.encode(body))


def request(name: str) -> bytes:
    return wire(FrameType.REQ, encode_request(BY_NAME[name], 1, Empty()), CHANNEL)


def response(name: str, result: ErrorCode = ErrorCode.OK) -> bytes:
    payload = encode_response(BY_NAME[name].opcode, 1, result, Empty())
    return wire(FrameType.RSP, payload, CHANNEL)


@pytest.fixture
def watch() -> ClientWatch:
    return ClientWatch()


def open_session(watch: ClientWatch, host_us: int = 0, world_us: int = 0) -> None:
    watch.to_pump(wire(FrameType.HELLO), host_us, world_us)
    watch.to_client(hello_response(), host_us, world_us)
    watch.drained()


# --- speeds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "speed"), [("step", STEP), ("1", 1), ("3600", 3600), ("max", MAX)]
)
def test_speeds_have_one_name_each(text: str, speed: int) -> None:
    assert parse_speed(text) == speed
    assert speed_name(speed) == text


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "fast", "1e3", "٣", "9999999999"])
def test_other_speeds_are_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match="give 1, a whole factor"):
        parse_speed(text)


# --- the pacer ----------------------------------------------------------------------------------


def test_real_time_follows_host_time_exactly() -> None:
    pacer = Pacer(1, host_us=500, world_us=40)
    world_us = pacer.limit_us(Hold.FREE, 500, 40)
    for host_us in range(500, 500 + 3 * S, 77_777):
        world_us = pacer.limit_us(Hold.FREE, host_us, world_us)
        assert world_us == 40 + host_us - 500


def test_a_factor_multiplies_and_tells_when_an_instant_is_reached() -> None:
    pacer = Pacer(60, 0, 0)
    pacer.limit_us(Hold.FREE, 0, 0)
    assert pacer.limit_us(Hold.FREE, 10 * MS, 0) == 600 * MS
    due_us = pacer.host_us(600 * MS + 1)
    assert due_us == 10 * MS + 1
    assert pacer.limit_us(Hold.FREE, due_us, 600 * MS) >= 600 * MS + 1


def test_step_and_pause_stand_still_and_never_wake() -> None:
    for speed, paused in ((STEP, False), (MAX, True), (1, True)):
        pacer = Pacer(speed, 0, 0)
        pacer.paused = paused
        assert pacer.limit_us(Hold.FREE, 5 * S, 123) == 123
        assert pacer.host_us(124) is None


def test_max_lets_the_world_go_at_once() -> None:
    pacer = Pacer(MAX, 0, 0)
    pacer.limit_us(Hold.FREE, 0, 0)
    assert pacer.limit_us(Hold.FREE, 1, 0) >= 86_400 * S
    assert pacer.host_us(3600 * S) == 1


def test_a_hold_caps_the_speed_and_lifting_it_restores_the_speed() -> None:
    pacer = Pacer(1000, 0, 0)
    pacer.limit_us(Hold.FREE, 0, 0)
    assert pacer.limit_us(Hold.FREE, MS, 0) == S
    assert pacer.limit_us(Hold.REAL_TIME, MS, S) == S
    assert pacer.limit_us(Hold.REAL_TIME, 6 * MS, S) == S + 5 * MS
    assert pacer.limit_us(Hold.STILL, 9 * MS, S + 5 * MS) == S + 5 * MS
    assert pacer.limit_us(Hold.FREE, 10 * MS, S + 5 * MS) == S + 5 * MS
    assert pacer.limit_us(Hold.FREE, 11 * MS, S + 5 * MS) == S + 5 * MS + S


def test_a_hold_never_speeds_a_slow_world_up() -> None:
    pacer = Pacer(STEP, 0, 0)
    assert pacer.limit_us(Hold.REAL_TIME, 5 * S, 0) == 0


def test_lost_time_stays_lost() -> None:
    pacer = Pacer(1, 0, 0)
    pacer.limit_us(Hold.FREE, 0, 0)
    after_stop_us = pacer.limit_us(Hold.FREE, 3600 * S, 0)
    assert after_stop_us == CATCH_UP_US
    assert pacer.limit_us(Hold.FREE, 3600 * S + 10, after_stop_us) == CATCH_UP_US + 10


def test_a_rest_is_no_lag() -> None:
    pacer = Pacer(60, 0, 0)
    pacer.limit_us(Hold.FREE, 0, 0)
    pacer.rest(S)
    assert pacer.limit_us(Hold.FREE, S + 5 * MS, 0) == 60 * (S + 5 * MS)


def test_what_is_lost_after_a_rest_stays_lost() -> None:
    pacer = Pacer(1, 0, 0)
    pacer.limit_us(Hold.FREE, 0, 0)
    pacer.rest(2 * S)
    assert pacer.limit_us(Hold.FREE, 3600 * S, 0) == 2 * S + CATCH_UP_US


def test_a_jump_of_the_world_is_kept_and_time_goes_on_from_there() -> None:
    pacer = Pacer(1, 0, 0)
    pacer.limit_us(Hold.FREE, 0, 0)
    assert pacer.limit_us(Hold.FREE, 10, 3600 * S) == 3600 * S
    assert pacer.limit_us(Hold.FREE, 25, 3600 * S) == 3600 * S + 15


# --- the client watch ---------------------------------------------------------------------------


def test_without_a_client_time_is_free(watch: ClientWatch) -> None:
    assert watch.hold(0, 0) is Hold.FREE


def test_the_first_byte_of_a_frame_holds_until_the_frame_is_dropped(watch: ClientWatch) -> None:
    watch.to_pump(b"\0", 0, 0)
    assert watch.hold(0, 0) is Hold.FREE
    watch.to_pump(b"\x05", 10, 0)
    assert watch.hold(10, 0) is Hold.REAL_TIME
    assert watch.hold(10 + 2 * S - 1, 0) is Hold.REAL_TIME
    assert watch.hold(10 + 2 * S, 0) is Hold.FREE


def test_a_request_holds_until_its_reply_is_drained(watch: ClientWatch) -> None:
    watch.to_pump(wire(FrameType.PING), 0, 0)
    assert watch.hold(0, 0) is Hold.REAL_TIME
    assert watch.pending
    watch.to_client(wire(FrameType.PONG), 5, 0)
    assert watch.hold(5, 0) is Hold.STILL
    assert watch.pending
    watch.drained()
    assert watch.hold(5, 0) is Hold.FREE
    assert not watch.pending


def test_an_event_is_no_reply(watch: ClientWatch) -> None:
    watch.to_pump(wire(FrameType.PING), 0, 0)
    watch.to_client(wire(FrameType.EVT), 1, 0)
    assert watch.hold(1, 0) is Hold.REAL_TIME


def test_a_request_that_stays_unanswered_gives_up(watch: ClientWatch) -> None:
    watch.to_pump(wire(FrameType.REQ, b"\1\1\0\0", 99), 0, 0)
    assert watch.hold(PENDING_LIMIT_US, 0) is Hold.REAL_TIME
    assert watch.hold(PENDING_LIMIT_US + 1, 0) is Hold.FREE


def test_a_reply_that_nobody_takes_gives_up(watch: ClientWatch) -> None:
    watch.to_pump(wire(FrameType.PING), 0, 0)
    watch.to_client(wire(FrameType.PONG), 0, 0)
    assert watch.hold(PENDING_LIMIT_US, 0) is Hold.STILL
    assert watch.hold(PENDING_LIMIT_US + 1, 0) is Hold.FREE


def test_a_client_that_never_reads_stops_time_only_once(watch: ClientWatch) -> None:
    watch.to_pump(wire(FrameType.PING), 0, 0)
    watch.to_client(wire(FrameType.PONG), 0, 0)
    late_us = PENDING_LIMIT_US + 1
    watch.hold(late_us, 0)
    watch.to_pump(wire(FrameType.PING), late_us, 0)
    watch.to_client(wire(FrameType.PONG), late_us, 0)
    assert watch.hold(late_us, 0) is Hold.FREE
    watch.drained()
    watch.to_pump(wire(FrameType.PING), late_us, 0)
    watch.to_client(wire(FrameType.PONG), late_us, 0)
    assert watch.hold(late_us, 0) is Hold.STILL


def test_a_damaged_request_is_no_request(watch: ClientWatch) -> None:
    damaged = bytearray(wire(FrameType.PING))
    damaged[3] ^= 0x10
    watch.to_pump(bytes(damaged), 0, 0)
    assert not watch.pending
    assert watch.hold(0, 0) is Hold.FREE


def test_a_session_runs_at_real_time_until_close_is_answered(watch: ClientWatch) -> None:
    open_session(watch)
    assert watch.hold(60 * S, 60 * S) is Hold.REAL_TIME
    watch.to_pump(request("CLOSE"), 61 * S, 61 * S)
    assert watch.session_open
    watch.to_client(response("CLOSE"), 61 * S, 61 * S)
    watch.drained()
    assert watch.hold(61 * S, 61 * S) is Hold.FREE


def test_a_session_ends_after_its_idle_limit_of_pump_time(watch: ClientWatch) -> None:
    open_session(watch)
    watch.to_pump(request("STATUS"), 100 * S, 100 * S)
    watch.to_client(response("STATUS"), 100 * S, 100 * S)
    watch.drained()
    assert watch.hold(0, 100 * S + SESSION_IDLE_US) is Hold.REAL_TIME
    assert watch.hold(0, 100 * S + SESSION_IDLE_US + 1) is Hold.FREE


def test_a_ping_keeps_no_session_open(watch: ClientWatch) -> None:
    open_session(watch)
    watch.to_pump(wire(FrameType.PING), 100 * S, 100 * S)
    watch.to_client(wire(FrameType.PONG), 100 * S, 100 * S)
    watch.drained()
    assert watch.hold(181 * S, SESSION_IDLE_US + 1) is Hold.FREE


def test_a_refused_hello_opens_no_session(watch: ClientWatch) -> None:
    watch.to_pump(wire(FrameType.HELLO), 0, 0)
    watch.to_client(hello_response(ErrorCode.TOO_NEW), 0, 0)
    watch.drained()
    assert watch.hold(0, 0) is Hold.FREE


def test_a_session_the_pump_has_lost_holds_nothing(watch: ClientWatch) -> None:
    open_session(watch)
    watch.to_pump(request("STATUS"), 1, 1)
    watch.to_client(response("STATUS", ErrorCode.SESSION_GONE), 1, 1)
    watch.drained()
    assert watch.hold(1, 1) is Hold.FREE


def test_a_restart_of_the_pump_ends_everything(watch: ClientWatch) -> None:
    open_session(watch)
    watch.to_pump(request("STATUS"), 1, 1)
    watch.pump_restarted()
    assert watch.hold(1, 1) is Hold.FREE


def test_another_channels_close_ends_nothing(watch: ClientWatch) -> None:
    open_session(watch)
    other = encode_response(BY_NAME["CLOSE"].opcode, 1, ErrorCode.OK, Empty())
    watch.to_client(wire(FrameType.RSP, other, CHANNEL + 1), 1, 1)
    assert watch.hold(1, 1) is Hold.REAL_TIME


def test_unreadable_answers_open_nothing(watch: ClientWatch) -> None:
    watch.to_client(wire(FrameType.HELLO_RSP, b"\0\0"), 0, 0)
    assert watch.hold(0, 0) is Hold.FREE
