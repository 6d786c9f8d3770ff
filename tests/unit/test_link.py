"""The tool's end of the link, and both ends together, case by case."""

import pytest
from link_pair import (
    CHANNEL,
    DAMAGED,
    GONE,
    SmallPump,
    hello,
    kinds,
    opened,
    reply_to,
    request,
    sent,
)

from protocol.errors import LocalError
from protocol.framing import DELIMITER, Flag, Frame, FrameType, encode
from protocol.link import Initiator, LinkFailed, TransportError
from protocol.link.end import IDLE_US, XERR_BODY
from protocol.link.initiator import (
    BUSY_MAX_MS,
    MAX_SENDS,
    RTO_MAX_SLOW_US,
    RTO_MAX_US,
    RTO_MIN_US,
)

REQ = FrameType.REQ
RSP = FrameType.RSP
HELLO = FrameType.HELLO


def asked(seq: int = 0) -> tuple[Initiator, bytes]:
    """Return an initiator with a request in flight, and the bytes it sent."""
    tool = Initiator(seq=seq)
    tool.request(REQ, CHANNEL, b"question", 0)
    return tool, tool.outgoing()


def answer(ack: int, payload: bytes = b"!", channel: int = CHANNEL, kind: FrameType = RSP) -> bytes:
    return encode(Frame(kind, Flag.ACK_VALID, channel, 0, ack, payload))


def wait(tool: Initiator) -> None:
    """Let the timer run, without an answer, until the tool gives up."""
    while tool.deadline_us is not None:
        tool.service(tool.deadline_us)
        tool.outgoing()


# --- both ends together -------------------------------------------------------------------------


def test_requests_and_replies_go_through() -> None:
    tool, pump = Initiator(), SmallPump()
    tool.request(HELLO, 0, hello(), 0)
    pump.receive(tool.outgoing(), 1)
    assert tool.receive(pump.link.outgoing(), 2) is not None
    for number in range(600):  # round the 8-bit sequence twice
        payload = number.to_bytes(2, "little")
        tool.request(REQ, CHANNEL, payload, number)
        pump.receive(tool.outgoing(), number)
        reply = tool.receive(pump.link.outgoing(), number)
        assert reply is not None
        assert reply.payload == reply_to(payload)
    assert len(pump.acted) == 600
    assert tool.statistics.repeated == 0
    assert pump.link.statistics.duplicates == 0


def test_a_rebooted_pump_does_not_act_for_the_session_of_its_past() -> None:
    pump = opened()
    tool, data = asked(seq=1)
    pump.receive(data, 1)
    assert pump.acted == [b"question"]
    pump.link.outgoing()  # the reply is lost and the pump starts again
    pump = SmallPump(pump.acted)
    assert tool.deadline_us is not None
    tool.service(tool.deadline_us)
    pump.receive(tool.outgoing(), 2)
    reply = tool.receive(pump.link.outgoing(), 3)
    assert reply is not None
    assert reply.payload == GONE
    assert pump.acted == [b"question"]
    assert pump.link.statistics.strays == 1


# --- initiator ----------------------------------------------------------------------------------


def test_the_request_is_repeated_byte_for_byte_on_a_growing_timer() -> None:
    tool, data = asked()
    waits, last_us = [], 0
    for _ in range(MAX_SENDS - 1):
        assert tool.deadline_us is not None
        waits.append(tool.deadline_us - last_us)
        last_us = tool.deadline_us
        tool.service(last_us - 1)
        assert tool.outgoing() == b""
        tool.service(last_us)
        assert tool.outgoing() == data
    assert waits[:6] == [60_000, 90_000, 135_000, 202_500, 303_750, 455_625]
    assert set(waits[6:]) == {RTO_MAX_US}


def test_it_gives_up_after_24_sends_and_goes_on_with_the_next_request() -> None:
    tool, _ = asked()
    with pytest.raises(LinkFailed, match="no answer to REQ after 24 sends"):
        wait(tool)
    assert tool.statistics.sent == MAX_SENDS
    assert tool.deadline_us is None
    tool.request(REQ, CHANNEL, b"next", 0)
    assert [frame.seq for frame in sent(tool.outgoing())] == [1]


@pytest.mark.parametrize(
    ("baud", "first_us", "longest_us"),
    [(115_200, RTO_MIN_US, RTO_MAX_US), (9_600, 207_332, RTO_MAX_SLOW_US)],
)
def test_the_timer_follows_the_speed_of_the_line(baud: int, first_us: int, longest_us: int) -> None:
    tool = Initiator(baud)
    tool.request(REQ, CHANNEL, b"question", 0)
    # 24 bytes out and 64 back: 2 × 91.7 ms + 24 ms at 9,600 baud.
    assert tool.deadline_us == first_us
    wait_us = 0
    for _ in range(12):
        assert tool.deadline_us is not None
        now_us = tool.deadline_us
        tool.service(now_us)
        wait_us = tool.deadline_us - now_us
    assert wait_us == longest_us


def test_the_timer_learns_how_long_answers_are() -> None:
    tool = Initiator(9_600)
    tool.request(REQ, CHANNEL, b"q", 0)
    first_us = tool.deadline_us
    assert first_us is not None
    assert tool.receive(answer(1, bytes(400)), 0) is not None
    tool.request(REQ, CHANNEL, b"q", 0)
    assert tool.deadline_us is not None
    assert tool.deadline_us > first_us + 600_000


def test_an_answer_is_returned_once() -> None:
    tool, _ = asked()
    reply = answer(1)
    frame = tool.receive(reply + reply[1:], 1)
    assert frame is not None
    assert frame.payload == b"!"
    assert tool.deadline_us is None
    assert tool.receive(reply, 2) is None
    assert tool.statistics.unexpected == 2


@pytest.mark.parametrize(
    "other",
    [
        answer(0),
        answer(2),
        answer(1, channel=CHANNEL + 1),
        answer(1, kind=FrameType.PONG),
        answer(1, kind=FrameType.HELLO_RSP),
        encode(Frame(RSP, 0, CHANNEL, 0, 1, b"no ack flag")),
        answer(1, kind=FrameType.EVT),
    ],
)
def test_what_answers_something_else_is_not_the_answer(other: bytes) -> None:
    tool, _ = asked()
    assert tool.receive(other, 1) is None
    assert tool.deadline_us is not None
    assert tool.statistics.unexpected == 1


def test_one_request_at_a_time() -> None:
    tool, _ = asked()
    with pytest.raises(LocalError):
        tool.request(REQ, CHANNEL, b"second", 1)
    tool.cancel()
    tool.request(REQ, CHANNEL, b"second", 1)


def test_only_requests_can_be_asked() -> None:
    with pytest.raises(LocalError):
        Initiator().request(RSP, CHANNEL, b"", 0)


@pytest.mark.parametrize("kind", [FrameType.NAK, FrameType.LRST])
def test_a_nak_or_reset_repeats_the_request_once_in_each_run_of_the_timer(
    kind: FrameType,
) -> None:
    tool, data = asked()
    nak = encode(Frame(kind, 0, 0, 0, 0, b""))
    for now_us in range(1_000, 5_000, 100):
        assert tool.receive(nak, now_us) is None
    assert tool.outgoing() == data[1:]
    assert tool.deadline_us == 60_000
    tool.service(60_000)
    tool.outgoing()
    tool.receive(nak, 61_000)
    assert tool.outgoing() == data[1:]


def test_forged_naks_do_not_use_up_the_sends() -> None:
    tool, _ = asked()
    nak = encode(Frame(FrameType.NAK, 0, 0, 0, 0, b""))
    for now_us in range(0, 60_000, 10):
        tool.receive(nak, now_us)
        tool.outgoing()
    assert tool.deadline_us == 60_000
    assert tool.receive(answer(1), 60_000) is not None


def test_busy_puts_the_repetition_off_but_not_for_ever() -> None:
    tool, _ = asked()
    busy = encode(Frame(FrameType.XERR, 0, 0, 0, 0, XERR_BODY.pack(TransportError.BUSY, 60_000)))
    tool.receive(busy, 10_000)
    assert tool.deadline_us == 10_000 + BUSY_MAX_MS * 1000
    tool.receive(busy, 400_000)
    assert tool.deadline_us == 10_000 + BUSY_MAX_MS * 1000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (XERR_BODY.pack(TransportError.VERSION, 0x0202), "VERSION 514"),
        (XERR_BODY.pack(99, 7), "99 7"),
    ],
)
def test_a_complaint_of_the_pump_is_told_when_all_else_fails(body: bytes, words: str) -> None:
    tool, _ = asked()
    tool.receive(encode(Frame(FrameType.XERR, 0, 0, 0, 0, body)), 1)
    with pytest.raises(LinkFailed, match=words):
        wait(tool)


def test_a_damaged_answer_is_asked_for_again() -> None:
    tool, _ = asked(seq=4)
    tool.receive(DAMAGED, 1_000)
    assert [(f.type, f.seq) for f in sent(tool.outgoing())] == [(FrameType.NAK, 4)]
    tool.receive(DAMAGED, 2_000)
    assert tool.outgoing() == b""
    tool.cancel()
    tool.receive(DAMAGED, 100_000)
    assert tool.outgoing() == b""


# --- delimiters ---------------------------------------------------------------------------------


def test_one_more_delimiter_goes_first_after_10_ms_of_silence() -> None:
    tool, data = asked()
    image = encode(Frame(REQ, 0, CHANNEL, 0, 0, b"question"))
    assert data == DELIMITER + image
    for wait_us, expected in [(IDLE_US - 1, 0), (IDLE_US, 1)]:
        tool = Initiator()
        tool.request(REQ, CHANNEL, b"question", 0)
        tool.outgoing()
        tool.cancel()
        tool.request(REQ, CHANNEL, b"question", wait_us)
        data = tool.outgoing()
        assert len(data) - len(data.lstrip(DELIMITER)) == 1 + expected


def test_frames_written_together_share_a_delimiter() -> None:
    pump = opened()
    pump.receive(request(1, b"a", kind=FrameType.PING) + request(2, b"b", kind=FrameType.PING), 1)
    data = pump.link.outgoing()
    assert data.strip(DELIMITER).count(DELIMITER) == 1
    assert kinds(data) == [FrameType.PONG, FrameType.PONG]
