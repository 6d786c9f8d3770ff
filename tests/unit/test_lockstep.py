"""Lock-step: both ends at the same instants, however the bytes are cut."""

import selectors
from collections.abc import Callable

import pytest

from emulator.world import World
from hal.errors import HalLost
from hal.serial_board.lockstep import ANSWER_US, LockstepStream
from protocol.framing import Frame, FrameType, encode
from tools.board.line import LockstepLine

HELLO = encode(Frame(FrameType.HELLO, 0, 0, 0, 0, b"hello"))
ANSWER = encode(Frame(FrameType.HELLO_RSP, 0, 0, 0, 0, b"answer"))
TOCK = encode(Frame(FrameType.HAL_TIME, 0, 0, 0, 0, b"\x12" + bytes(16)))


class Wire:
    """A port's both ends in one process; each crossing is cut into `cut` bytes."""

    url = "wire"
    room = 65536

    def __init__(self, cut: int) -> None:
        self.cut = cut
        self.to_board = b""
        self.to_host = b""
        self.host_us = 0
        self._ready: Callable[[], None] = lambda: None

    # hal.serial_board.stream.Line

    def open(self) -> None:
        self.to_host = b""

    def now_us(self) -> int:
        return self.host_us

    def write(self, data: bytes) -> int:
        taken = data[: self.cut]
        self.to_board += taken
        return len(taken)

    def read(self, max_bytes: int) -> bytes:
        data, self.to_host = self.to_host[: self.cut], self.to_host[self.cut :]
        return data

    def wait(self, until_us: int) -> None:
        if self.to_board:
            self._ready()
        elif not self.to_host:
            self.host_us = until_us

    # emulator.ports.Port

    def attach(self, selector: selectors.BaseSelector, ready: Callable[[], None]) -> None:
        self._ready = ready

    def receive(self) -> bytes:
        data, self.to_board = self.to_board[: self.cut], self.to_board[self.cut :]
        return data

    def send(self, data: bytes, host_us: int) -> None:
        self.to_host += data

    def flush(self, host_us: int) -> bool:
        return True

    def close(self) -> None:
        pass


class Rig:
    """A board that answers 30 us after each arrival, and speaks every 1000 us once started."""

    def __init__(self, cut: int = 4096, start_us: int = 0) -> None:
        self.world = World(1)
        self.world.run_until(start_us)
        self.wire = Wire(cut)
        self.line = LockstepLine(self.world, self.wire, lambda: 0)
        self.line.attach(selectors.DefaultSelector())
        self.arrived: list[tuple[int, bytes]] = []
        self.line.connect(self._receive)
        self._answer = self.world.timer(lambda: self.line.board_write(ANSWER))

    def _receive(self, data: bytes) -> None:
        self.arrived.append((self.world.now_us, data))
        self._answer.set(self.world.now_us + 30)


def test_time_begins_where_the_board_is() -> None:
    rig = Rig(start_us=5_000)
    assert LockstepStream(rig.wire).now_us() == 5_000


def test_a_silent_board_goes_as_far_as_granted() -> None:
    rig = Rig()
    stream = LockstepStream(rig.wire)
    stream.wait(250_000)
    assert stream.now_us() == rig.world.now_us == 250_000
    assert stream.read(100) == b""
    stream.wait(10)  # the past
    assert stream.now_us() == 250_000


@pytest.mark.parametrize("cut", [1, 7, 4096])
def test_the_board_stops_where_it_speaks_however_the_bytes_are_cut(cut: int) -> None:
    rig = Rig(cut)
    stream = LockstepStream(rig.wire)
    stream.wait(1_000)
    assert stream.write(HELLO + HELLO) == 2 * len(HELLO)
    stream.wait(10_000)
    assert rig.arrived == [(1_000, HELLO + HELLO)]
    assert stream.now_us() == rig.world.now_us == 1_030
    assert stream.read(5) + stream.read(1000) == ANSWER


def test_no_time_passes_while_there_is_something_to_read() -> None:
    rig = Rig()
    stream = LockstepStream(rig.wire)
    stream.write(HELLO)
    stream.wait(10_000)
    stream.wait(10_000)
    assert stream.now_us() == 30
    assert stream.read(1000) == ANSWER
    stream.wait(10_000)
    assert stream.now_us() == 10_000


def test_what_is_due_at_the_same_instant_is_done_before_the_answer() -> None:
    rig = Rig()
    done: list[int] = []
    stream = LockstepStream(rig.wire)
    stream.write(HELLO)
    rig.world.timer(lambda: done.append(1)).set(0)
    rig.world.timer(lambda: rig.line.board_write(TOCK)).set(0)
    rig.world.timer(lambda: done.append(2)).set(0)
    stream.wait(10_000)
    assert stream.now_us() == 0
    assert done == [1, 2]


def test_other_messages_about_time_and_damage_pass_or_go_but_never_answer() -> None:
    rig = Rig()
    stream = LockstepStream(rig.wire)
    rig.line.board_write(b"\x00noise\x00" + TOCK)
    stream.wait(10_000)
    assert stream.read(1000) == TOCK


def test_a_line_opened_again_begins_with_nothing_received() -> None:
    rig = Rig()
    stream = LockstepStream(rig.wire)
    stream.write(HELLO)
    stream.wait(10_000)
    stream.open()
    assert stream.read(1000) == b""
    assert stream.now_us() == 30


def test_a_board_that_does_not_answer_is_lost() -> None:
    rig = Rig()
    stream = LockstepStream(rig.wire)
    rig.line.attach(selectors.DefaultSelector())
    rig.wire._ready = lambda: rig.wire.receive() and None
    with pytest.raises(HalLost, match="no board in lock-step"):
        stream.wait(10_000)
    assert rig.wire.host_us <= 2 * ANSWER_US
