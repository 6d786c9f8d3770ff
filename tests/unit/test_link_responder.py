"""The pump's end of the link: each numbered rule, and what it says by itself."""

import pytest
from link_pair import CHANNEL, DAMAGED, GONE, SmallPump, granted, hello, opened, request, sent

from protocol import cobs
from protocol.crc import crc32c
from protocol.errors import ErrorCode, LocalError
from protocol.framing import CHECK_BYTES, Flag, Frame, FrameType, encode, spread_crc
from protocol.link import Responder, TransportError
from protocol.link.end import NAK_INTERVAL_US, OUT_MAX, XERR_BODY
from protocol.link.responder import XERR_INTERVAL_US

REQ = FrameType.REQ
RSP = FrameType.RSP
HELLO = FrameType.HELLO


# --- responder: the numbered rules --------------------------------------------------------------


def test_rule_1_a_repeated_hello_gets_the_first_reply() -> None:
    pump = SmallPump()
    pump.receive(request(9, hello(), 0, HELLO), 0)
    first = sent(pump.link.outgoing())
    pump.receive(request(9, hello(), 0, HELLO), 1)
    assert sent(pump.link.outgoing()) == first
    assert pump.channel == CHANNEL


def test_rule_1_a_hello_from_before_the_last_request_does_not_end_the_session() -> None:
    pump = opened()
    pump.receive(request(1, b"one"), 1)
    pump.link.outgoing()
    pump.receive(request(0, hello(), 0, HELLO), 2)
    assert _xerr(pump.link.outgoing()) == (TransportError.BAD, 0)
    pump.receive(request(2, b"two"), 3)
    assert pump.acted == [b"one", b"two"]


def test_rule_2_a_new_hello_is_taken_at_any_seq() -> None:
    pump = opened()
    pump.receive(request(1, b"one"), 1)
    pump.receive(request(1, hello(nonce=2), 0, HELLO), 2)
    assert pump.channel == CHANNEL + 1
    pump.receive(request(2, b"two", CHANNEL + 1), 3)
    assert pump.acted == [b"one", b"two"]


def test_rule_2_a_hello_displaces_what_is_pending() -> None:
    link = Responder()
    (unreadable,) = link.receive(request(0, b"unreadable", 0, HELLO), 0)
    (first,) = link.receive(request(0, hello(), 0, HELLO), 1)
    assert unreadable.payload != first.payload
    link.answer(FrameType.HELLO_RSP, 0, granted(CHANNEL))
    (slow,) = link.receive(request(1, b"slow"), 2)
    link.outgoing()
    (second,) = link.receive(request(7, hello(nonce=2), 0, HELLO), 3)
    link.answer(RSP, slow.channel, b"too late")
    assert link.outgoing() == b""
    assert link.statistics.late_answers == 1
    link.answer(FrameType.HELLO_RSP, second.channel, granted(CHANNEL + 1))
    assert [frame.ack for frame in sent(link.outgoing())] == [8]


def test_rule_2_of_a_request_and_a_hello_in_one_piece_only_the_hello_counts() -> None:
    pump = opened()
    frames = pump.link.receive(request(1, b"one") + request(2, hello(nonce=2), 0, HELLO), 1)
    assert [frame.type for frame in frames] == [HELLO]


def test_rule_3_a_repeated_request_acts_once_and_gets_the_first_reply() -> None:
    pump = opened()
    pump.receive(request(1, b"bolus"), 1)
    first = sent(pump.link.outgoing())
    for now_us in range(2, 7):
        pump.receive(request(1, b"bolus"), now_us)
        assert sent(pump.link.outgoing()) == first
    assert pump.acted == [b"bolus"]
    assert pump.link.statistics.duplicates == 5


def test_rule_3_a_repetition_is_silent_while_the_reply_is_made() -> None:
    pump = opened()
    (frame,) = pump.link.receive(request(1, b"slow"), 1)
    assert pump.link.receive(request(1, b"slow"), 2) == []
    assert pump.link.outgoing() == b""
    pump.link.answer(RSP, frame.channel, b"done")
    assert [reply.payload for reply in sent(pump.link.outgoing())] == [b"done"]


def test_rule_4_another_request_waits_for_the_reply() -> None:
    pump = opened()
    (frame,) = pump.link.receive(request(1, b"one") + request(2, b"two"), 1)
    assert frame.payload == b"one"
    assert pump.link.statistics.busy == 1
    pump.serve(frame)
    pump.receive(request(2, b"two"), 2)
    assert pump.acted == [b"one", b"two"]


def test_rule_5_a_stray_request_neither_acts_nor_disturbs() -> None:
    pump = opened()
    pump.receive(request(1, b"one"), 1)
    first = sent(pump.link.outgoing())
    pump.receive(request(40, b"stray", CHANNEL + 9), 2)
    (reply,) = sent(pump.link.outgoing())
    assert (reply.payload, reply.channel, reply.ack) == (GONE, CHANNEL + 9, 41)
    pump.receive(request(1, b"one"), 3)
    repeated = sent(pump.link.outgoing())
    assert repeated == first
    pump.receive(request(2, b"two"), 4)
    assert pump.acted == [b"one", b"two"]


def test_rule_5_before_the_first_hello_every_request_is_stray() -> None:
    pump = SmallPump()
    pump.receive(request(0, b"one", 0), 0)
    assert [frame.payload for frame in sent(pump.link.outgoing())] == [GONE]
    assert pump.acted == []


@pytest.mark.parametrize("ahead", [1, 2, 127])
def test_rule_6_the_sequence_may_run_ahead(ahead: int) -> None:
    pump = opened()
    pump.receive(request(1, b"one"), 1)
    pump.receive(request(1 + ahead, b"two"), 2)
    assert pump.acted == [b"one", b"two"]


@pytest.mark.parametrize("behind", [1, 2, 127, 128])
def test_rule_7_an_old_request_is_dropped(behind: int) -> None:
    pump = opened()
    pump.receive(request(100, b"one"), 1)
    pump.receive(request(200, b"two"), 2)
    pump.link.outgoing()
    pump.receive(request(200 - behind, b"one"), 3)
    assert pump.acted == [b"one", b"two"]
    assert pump.link.outgoing() == b""
    assert pump.link.statistics.stale == 1


def test_rule_8_the_last_seq_with_another_content_is_refused() -> None:
    pump = opened()
    pump.receive(request(1, b"one"), 1)
    pump.link.outgoing()
    pump.receive(request(1, b"other"), 2)
    assert pump.acted == [b"one"]
    assert _xerr(pump.link.outgoing()) == (TransportError.BAD, 0)
    assert pump.link.statistics.conflicts == 1


def test_a_reset_lets_the_sequence_begin_anew_but_not_the_last_request_again() -> None:
    pump = opened()
    pump.receive(request(100, b"one"), 1)
    first = sent(pump.link.outgoing())
    pump.receive(request(3, b"", 0, FrameType.LRST), 2)
    assert [(f.type, f.ack) for f in sent(pump.link.outgoing())] == [(FrameType.ACK, 4)]
    pump.receive(request(100, b"one"), 3)
    assert sent(pump.link.outgoing()) == first
    pump.receive(request(4, b"two"), 4)
    assert pump.acted == [b"one", b"two"]
    pump.receive(request(3, b"three"), 5)
    assert pump.acted == [b"one", b"two"]


def test_a_refused_hello_opens_no_channel() -> None:
    link = Responder()
    link.receive(request(0, hello(), 0, HELLO), 0)
    link.answer(FrameType.HELLO_RSP, 0, granted(CHANNEL, ErrorCode.TOO_OLD))
    link.receive(request(1, b"one"), 1)
    assert link.statistics.strays == 1


def test_the_reply_to_hello_must_be_readable() -> None:
    link = Responder()
    link.receive(request(0, hello(), 0, HELLO), 0)
    with pytest.raises(LocalError):
        link.answer(FrameType.HELLO_RSP, 0, b"no such message")


@pytest.mark.parametrize("flag", [Flag.SECURED, Flag.MORE_FRAGMENTS])
def test_what_is_not_in_clear_and_whole_is_not_read(flag: Flag) -> None:
    pump = opened()
    pump.receive(encode(Frame(REQ, flag, CHANNEL, 1, 0, b"one")), 1)
    assert pump.acted == []
    assert pump.link.statistics.unexpected == 1


@pytest.mark.parametrize("kind", sorted(set(FrameType) - {0, 3, 4, 5, 16}))
def test_frames_that_are_not_for_a_pump_are_not_answered(kind: FrameType) -> None:
    pump = opened()
    pump.receive(request(1, b"x", kind=kind), 1)
    assert pump.link.outgoing() == b""
    assert pump.acted == []


# --- responder: what it says by itself ----------------------------------------------------------


def _xerr(data: bytes) -> tuple[int, int]:
    (frame,) = sent(data)
    assert frame.type is FrameType.XERR
    code, detail = XERR_BODY.unpack(frame.payload)
    return code, detail


def test_ping_is_answered_outside_the_sequence() -> None:
    pump = opened()
    pump.receive(request(77, b"echo", 5, FrameType.PING), 1)
    (pong,) = sent(pump.link.outgoing())
    assert (pong.type, pong.channel, pong.ack, pong.payload) == (FrameType.PONG, 5, 78, b"echo")
    pump.receive(request(1, b"one"), 2)
    assert pump.acted == [b"one"]


def test_damage_is_answered_with_one_nak_in_20_ms() -> None:
    pump = opened()
    pump.receive(request(6, b"one"), 0)
    pump.link.outgoing()
    now_us = 1_000_000
    for after_us, expected in [
        (0, [FrameType.NAK]),
        (NAK_INTERVAL_US - 1, []),
        (NAK_INTERVAL_US, [FrameType.NAK]),
    ]:
        pump.receive(DAMAGED, now_us + after_us)
        frames = sent(pump.link.outgoing())
        assert [frame.type for frame in frames] == expected
        assert all((frame.ack, frame.channel) == (7, CHANNEL) for frame in frames)


def test_short_noise_is_not_worth_a_nak() -> None:
    pump = opened()
    pump.receive(b"\0abc\0de\0f\0", 1)
    assert pump.link.outgoing() == b""


def test_a_nak_brings_the_reply_again_once_in_20_ms() -> None:
    pump = opened()
    pump.receive(request(1, b"one"), 1)
    first = sent(pump.link.outgoing())
    nak = request(1, b"", kind=FrameType.NAK)
    pump.receive(nak + nak[1:], 2)
    assert sent(pump.link.outgoing()) == first
    pump.receive(nak, 2 + NAK_INTERVAL_US)
    assert sent(pump.link.outgoing()) == first
    pump.receive(request(0, b"", kind=FrameType.NAK), 10 * NAK_INTERVAL_US)
    assert pump.link.outgoing() == b""


def test_another_frame_version_is_answered_once_a_second() -> None:
    pump = opened()
    other = _with_version(request(1, b"one"), 2)
    pump.receive(other, 1)
    assert _xerr(pump.link.outgoing()) == (TransportError.VERSION, 0x0101)
    pump.receive(other, XERR_INTERVAL_US)
    assert pump.link.outgoing() == b""
    pump.receive(other, 1 + XERR_INTERVAL_US)
    assert _xerr(pump.link.outgoing()) == (TransportError.VERSION, 0x0101)
    assert pump.link.statistics.frames.version == 3
    assert pump.acted == []


def _with_version(image: bytes, version: int) -> bytes:
    data = bytearray(cobs.decode(image[1 : -1 - CHECK_BYTES]))
    data[0] = data[0] & 0x1F | version << 5
    body = cobs.encode(bytes(data))
    return b"\0" + body + spread_crc(crc32c(body)).to_bytes(CHECK_BYTES, "little") + b"\0"


def test_a_flood_of_garbage_costs_at_most_a_nak_in_20_ms() -> None:
    pump = opened()
    written = 0
    for now_us in range(0, 1_000_000, 1_000):
        pump.receive(DAMAGED * 5, now_us)
        written += len(pump.link.outgoing())
    assert written <= 50 * 17
    pump.receive(request(1, b"one"), 1_000_000)
    assert pump.acted == [b"one"]


def test_output_that_nobody_takes_is_bounded() -> None:
    pump = opened()
    for seq in range(100):
        pump.receive(request(seq, bytes(400), kind=FrameType.PING), seq)
    assert len(pump.link.outgoing()) <= OUT_MAX
    assert pump.link.statistics.unsent > 90


def test_the_pumps_deadline_is_that_of_an_unfinished_frame() -> None:
    link = Responder()
    assert link.deadline_us is None
    link.receive(request(0, hello(), 0, HELLO)[:10], 5)
    assert link.deadline_us == 2_000_005
    link.service(2_000_005)
    assert link.deadline_us is None
    assert link.statistics.frames.expired == 1
