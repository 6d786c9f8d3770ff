"""The board link: in order and once, both ways at a time, over lines that lose and repeat."""

import random
from collections.abc import Callable

import pytest

from protocol.board_link import REPEAT_US, SENDS_MAX, WINDOW, BoardLink, TelemetryFlow
from protocol.board_messages import TELEMETRY_DATA_MAX, TELEMETRY_WINDOW, Telemetry
from protocol.errors import LocalError, RemoteError
from protocol.framing import Deframer, Flag, Frame, FrameType, encode
from protocol.link import LinkFailed

Line = Callable[[bytes], bytes]


def ends() -> tuple[BoardLink, BoardLink]:
    """Return a controller's and a board's end, both started."""
    host = BoardLink(FrameType.HAL_CMD, FrameType.HAL_RSP)
    board = BoardLink(FrameType.HAL_RSP, FrameType.HAL_CMD)
    host.restart()
    board.restart()
    return host, board


def receive(link: BoardLink, data: bytes, now_us: int = 0) -> list[bytes]:
    link.feed(data, now_us)
    payloads = []
    while frame := link.take():
        payloads.append(frame.payload)
    return payloads


def kinds(data: bytes) -> list[FrameType]:
    return [frame.type for frame in Deframer().feed(data, 0)]


def test_payloads_arrive_in_order() -> None:
    host, board = ends()
    for payload in (b"a", b"b", b"c"):
        host.send(payload)
    assert receive(board, host.outgoing(0)) == [b"a", b"b", b"c"]


def test_a_repetition_is_not_taken() -> None:
    host, board = ends()
    host.send(b"a")
    image = host.outgoing(0)
    assert receive(board, image + image) == [b"a"]
    assert receive(board, image) == []
    assert board.duplicates == 2


def test_what_follows_a_lost_frame_waits_for_it() -> None:
    host, board = ends()
    host.send(b"a")
    host.outgoing(0)
    host.send(b"b")
    assert receive(board, host.outgoing(0)) == []
    due_us = host.deadline_us
    assert due_us is not None
    assert receive(board, host.outgoing(due_us)) == [b"a", b"b"]


def test_nothing_is_repeated_once_it_is_acknowledged() -> None:
    host, board = ends()
    host.send(b"a")
    receive(board, host.outgoing(0))
    assert receive(host, board.outgoing(0)) == []
    assert host.deadline_us is None
    assert host.outgoing(10 * REPEAT_US) == b""


def test_an_end_with_nothing_to_say_acknowledges_once() -> None:
    host, board = ends()
    host.send(b"a")
    receive(board, host.outgoing(0))
    assert kinds(board.outgoing(0)) == [FrameType.ACK]
    assert board.outgoing(0) == b""


def test_an_end_that_speaks_acknowledges_with_it() -> None:
    host, board = ends()
    host.send(b"a")
    receive(board, host.outgoing(0))
    board.send(b"b")
    assert kinds(image := board.outgoing(0)) == [FrameType.HAL_RSP]
    assert receive(host, image) == [b"b"]
    assert host.deadline_us is None


def test_a_repetition_is_acknowledged_again() -> None:
    host, board = ends()
    host.send(b"a")
    receive(board, host.outgoing(0))
    board.outgoing(0)  # lost
    assert host.deadline_us is not None
    receive(board, host.outgoing(host.deadline_us))
    receive(host, board.outgoing(0))
    assert host.deadline_us is None


def test_the_window_is_bounded() -> None:
    host, _ = ends()
    for room in range(WINDOW, 0, -1):
        assert host.room == room
        host.send(b"a")
    assert host.room == 0
    with pytest.raises(LocalError):
        host.send(b"b")


def test_a_dead_line_is_given_up() -> None:
    host, _ = ends()
    host.send(b"a")
    now_us = 0
    for _ in range(SENDS_MAX):
        assert len(kinds(host.outgoing(now_us))) == 1
        assert host.deadline_us is not None
        assert host.deadline_us > now_us
        now_us = host.deadline_us
    with pytest.raises(LinkFailed):
        host.outgoing(now_us)
    assert host.room == 0
    assert host.outgoing(now_us) == b""


def test_an_acknowledgement_starts_the_count_of_sends_again() -> None:
    host, board = ends()
    now_us = 0
    for _ in range(3):
        host.send(b"a")
        for _ in range(SENDS_MAX):
            image = host.outgoing(now_us)
            assert host.deadline_us is not None
            now_us = host.deadline_us
        receive(board, image)
        receive(host, board.outgoing(now_us))
    assert host.room == WINDOW


@pytest.mark.parametrize("ack", [0, 2, 200, 255])
def test_an_acknowledgement_of_what_was_not_sent_is_ignored(ack: int) -> None:
    host, _ = ends()
    host.send(b"a")
    host.outgoing(0)
    receive(host, encode(Frame(FrameType.ACK, Flag.ACK_VALID, 0, 0, ack, b"")))
    assert host.room == WINDOW - 1


def test_an_end_that_is_not_started_takes_only_greetings() -> None:
    host, board = ends()
    host.shut()
    board.send(b"from before")
    board.send_once(FrameType.HELLO_RSP, b"hello")
    data = board.outgoing(0)
    board.send(b"more of it")
    assert receive(host, data + board.outgoing(0)) == [b"hello"]


def test_a_time_frame_is_sent_once_and_outside_the_numbers() -> None:
    host, board = ends()
    host.send_once(FrameType.HAL_TIME, b"tick")
    host.send(b"a")
    image = host.outgoing(0)
    assert kinds(image) == [FrameType.HAL_TIME, FrameType.HAL_CMD]
    assert receive(board, image) == [b"tick", b"a"]
    assert receive(board, image) == [b"tick"]
    assert host.deadline_us is not None
    assert kinds(host.outgoing(host.deadline_us)) == [FrameType.HAL_CMD]


def test_an_end_that_is_not_started_takes_no_time_frame() -> None:
    host, board = ends()
    host.shut()
    board.send_once(FrameType.HAL_TIME, b"tock")
    assert receive(host, board.outgoing(0)) == []


def test_what_cannot_be_used_is_counted() -> None:
    host, board = ends()
    host.send(b"a")
    image = bytearray(host.outgoing(0))
    image[5] ^= 0x80
    assert receive(board, bytes(image)) == []
    assert board.damaged == 1


def test_restarting_between_two_frames_of_one_read_numbers_the_second_from_0() -> None:
    host, board = ends()
    host.shut()
    board.send_once(FrameType.HELLO_RSP, b"hello")
    board.send(b"first")
    host.feed(board.outgoing(0), 0)
    assert (hello := host.take()) is not None
    assert hello.payload == b"hello"
    host.restart()
    assert (first := host.take()) is not None
    assert first.payload == b"first"


@pytest.mark.parametrize(
    "frame",
    [
        Frame(FrameType.HAL_CMD, Flag.ACK_VALID, 1, 0, 0, b"other channel"),
        Frame(FrameType.HAL_CMD, 0, 0, 0, 0, b"no acknowledgement"),
        Frame(FrameType.HAL_CMD, Flag.ACK_VALID | Flag.SECURED, 0, 0, 0, b"secured"),
        Frame(FrameType.HAL_RSP, Flag.ACK_VALID, 0, 0, 0, b"own echo"),
        Frame(FrameType.REQ, Flag.ACK_VALID, 0, 0, 0, b"a tool's"),
    ],
    ids=lambda frame: frame.payload.decode(),
)
def test_other_frames_are_not_taken(frame: Frame) -> None:
    _, board = ends()
    assert receive(board, encode(frame)) == []


@pytest.mark.parametrize("seed", range(10))
def test_a_bad_line_loses_and_repeats_nothing(seed: int) -> None:
    """Both ends send 600 payloads at once: the numbers go round twice and more."""
    rng = random.Random(seed)

    def bad(data: bytes) -> bytes:
        if data and rng.random() < 0.2:
            spoiled = bytearray(data)
            spoiled[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            data = bytes(spoiled)
        return data * rng.choice((0, 1, 1, 1, 2))

    host, board = ends()
    wanted = [index.to_bytes(2, "little") for index in range(600)]
    waiting = {host: list(wanted), board: list(wanted)}
    got: dict[BoardLink, list[bytes]] = {host: [], board: []}
    now_us = 0
    while min(len(got[host]), len(got[board])) < len(wanted):
        for end, other in ((host, board), (board, host)):
            while end.room and waiting[end]:
                end.send(waiting[end].pop(0))
            got[other] += receive(other, bad(end.outgoing(now_us)), now_us)
        now_us += 10_000
        assert now_us < 600_000_000
    assert got[host] == got[board] == wanted
    assert host.repeated
    assert host.duplicates


def test_telemetry_stops_at_the_window() -> None:
    flow, sent = TelemetryFlow(), 0
    while flow.credit:
        assert flow.credit <= TELEMETRY_DATA_MAX
        sent += len(flow.message(bytes(flow.credit)).data)
    assert sent == TELEMETRY_WINDOW


def test_telemetry_goes_on_when_the_other_end_has_taken_bytes() -> None:
    sender, receiver = TelemetryFlow(), TelemetryFlow()
    while sender.credit:
        receiver.receive(sender.message(bytes(sender.credit)))
    receiver.taken += TELEMETRY_WINDOW // 2 - 1
    assert not receiver.news
    receiver.taken += 1
    assert receiver.news
    sender.receive(receiver.message(b""))
    assert not receiver.news
    assert sender.credit == TELEMETRY_DATA_MAX


def test_telemetry_past_the_window_is_refused() -> None:
    receiver = TelemetryFlow()
    for _ in range(TELEMETRY_WINDOW // 128):
        receiver.receive(Telemetry(0, bytes(128)))
    with pytest.raises(RemoteError):
        receiver.receive(Telemetry(0, b"x"))


@pytest.mark.parametrize("taken", [11, 4])
def test_an_impossible_count_of_taken_telemetry_is_refused(taken: int) -> None:
    flow = TelemetryFlow()
    flow.message(bytes(10))
    flow.receive(Telemetry(5, b""))
    with pytest.raises(RemoteError):
        flow.receive(Telemetry(taken, b""))
