"""The loop of the live emulator, with a port in memory and a host clock that the test moves."""

import selectors
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from emulator.pacing import MAX, STEP
from emulator.server import AWAKE_US, BURST_BYTES, HORIZON_US, Server
from emulator.world import World
from protocol.framing import Deframer, Frame, FrameType, encode

S = 1_000_000
PING = encode(Frame(FrameType.PING, 0, 0, 1, 0, b""))
PONG = encode(Frame(FrameType.PONG, 0, 0, 1, 0, b""))


class HostClock:
    """Host time, moved by hand; each look takes a microsecond, as on a real host."""

    def __init__(self) -> None:
        self.now_us = 0

    def __call__(self) -> int:
        self.now_us += 1
        return self.now_us


class MemoryPort:
    """What the client sends and gets, as bytes."""

    def __init__(self) -> None:
        self.url = "memory"
        self.room = 1 << 16
        self.from_client = b""
        self.to_client = b""
        self.takes = True

    def attach(self, selector: selectors.BaseSelector, ready: Callable[[], None]) -> None:
        self.ready = ready

    def receive(self) -> bytes:
        data, self.from_client = self.from_client, b""
        return data

    def send(self, data: bytes, host_us: int) -> bool:
        self.to_client += data
        return self.takes

    def close(self) -> None:
        pass


class Echo:
    """A controller that answers PING after `delay_us` of pump time."""

    def __init__(self, world: World, delay_us: int = 0) -> None:
        self._world = world
        self._delay_us = delay_us
        self._deframer = Deframer()
        self._timer = world.timer(self._answer)
        self._out = b""
        self.answered_at_us: list[int] = []

    def host_write(self, data: bytes) -> int:
        for _ in self._deframer.feed(data, self._world.now_us):
            self._timer.set(self._world.now_us + self._delay_us)
        return len(data)

    def host_read(self) -> bytes:
        data, self._out = self._out, b""
        return data

    def _answer(self) -> None:
        self._out += PONG
        self.answered_at_us.append(self._world.now_us)


class Rig:
    """A server whose loop the test turns by hand."""

    def __init__(self, speed: int, delay_us: int = 0) -> None:
        self.world = World(1)
        self.clock = HostClock()
        self.port = MemoryPort()
        self.echo = Echo(self.world, delay_us)
        self.server = Server(self.world, self.echo, self.port, speed, self.clock)

    def turns(self, count: int, host_us: int = 100) -> None:
        """Turn the loop `count` times, each taking `host_us`."""
        left = count

        def tick() -> None:
            nonlocal left
            self.clock.now_us += host_us
            left -= 1
            if left <= 0:
                self.server.stop()
            else:
                self.server.call(tick)

        self.server._stopping = False
        self.server.call(tick)
        self.server.run()

    def sleep_through(self, host_us: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Run for that long with nothing ready: each wait takes as long as the loop asks for."""
        end_us = self.clock.now_us + host_us

        def wait(timeout_s: float) -> list[object]:
            self.clock.now_us += round(timeout_s * 1e6)
            if self.clock.now_us >= end_us:
                self.server.stop()
            return []

        monkeypatch.setattr(self.server.selector, "select", wait)
        self.server.run()

    def client_sends(self, data: bytes) -> None:
        self.port.from_client += data
        self.server.call(self.port.ready)


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(speed: int, delay_us: int = 0) -> Rig:
        made.append(Rig(speed, delay_us))
        return made[-1]

    yield make
    for each in made:
        each.server.close()


Make = Callable[..., Rig]


@pytest.mark.parametrize("speed", [1, 3600])
def test_an_idle_pump_loses_no_time(speed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(speed)
    rig.server.every(S, lambda: None)
    rig.sleep_through(10 * S, monkeypatch)
    behind_us = rig.clock.now_us * speed - rig.world.now_us
    assert 0 <= behind_us < 1_100_000 * speed, "at most the last second, which was not yet served"


def test_real_time_follows_the_host(rig: Make) -> None:
    live = rig(1)
    live.turns(50, host_us=1000)
    assert 49_000 <= live.world.now_us <= 60_000


def test_a_reply_that_needs_no_time_comes_in_the_same_turn(rig: Make) -> None:
    for speed in (STEP, 1, MAX):
        live = rig(speed)
        live.client_sends(PING)
        live.turns(1)
        assert live.port.to_client == PONG


def test_the_loop_stays_awake_for_a_client_that_has_just_asked_and_then_sleeps(
    rig: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = rig(1)
    look_us = 10
    waits_s: list[float] = []

    def wait(timeout_s: float) -> list[tuple[object, int]]:
        waits_s.append(timeout_s)
        live.clock.now_us += look_us
        if len(waits_s) == 1:
            return [(SimpleNamespace(data=live.port.ready), selectors.EVENT_READ)]
        if timeout_s:
            live.server.stop()
        return []

    monkeypatch.setattr(live.server.selector, "select", wait)
    live.port.from_client = PING
    live.server.run()
    asleep_first, *awake, asleep_again = waits_s
    assert asleep_first > 0, "nobody has asked"
    assert not any(awake)
    assert asleep_again > 0, "nobody asks any more"
    assert AWAKE_US - 100 < len(awake) * look_us <= AWAKE_US


def test_in_step_a_reply_takes_no_time_at_all(rig: Make) -> None:
    live = rig(STEP)
    live.client_sends(PING)
    live.turns(5)
    assert live.port.to_client == PONG
    assert live.world.now_us == 0


def test_at_max_a_reply_that_needs_time_comes_at_real_time(rig: Make) -> None:
    live = rig(MAX, delay_us=5_000)
    live.server.gate_closed = True  # so that the world has not run away before the request
    live.client_sends(PING)
    live.turns(40, host_us=100)
    assert live.port.to_client == b""
    live.turns(40, host_us=100)
    assert live.port.to_client == PONG
    assert live.echo.answered_at_us == [5_000]


def test_a_closed_gate_holds_the_world(rig: Make) -> None:
    live = rig(MAX)
    live.server.gate_closed = True
    live.turns(10)
    assert live.world.now_us == 0
    live.server.gate_closed = False
    live.turns(2)
    assert live.world.now_us > 86_400 * S


def test_time_stands_while_a_reply_waits_to_be_taken(rig: Make) -> None:
    live = rig(MAX)
    live.server.gate_closed = True
    live.port.takes = False
    live.client_sends(PING)
    live.turns(2)
    live.server.gate_closed = False
    live.turns(10)
    assert live.world.now_us == 0
    live.port.takes = True
    live.turns(3)
    assert live.world.now_us > 0


def test_an_advance_passes_over_pause_and_arrives_exactly(rig: Make) -> None:
    live = rig(STEP)
    arrived: list[int] = []
    live.server.advance(3 * 86_400 * S + 7, lambda: arrived.append(live.world.now_us))
    assert live.server.advancing
    live.turns(10)
    assert arrived == [3 * 86_400 * S + 7]
    assert not live.server.advancing


def test_an_advance_waits_for_a_request_that_is_being_answered(rig: Make) -> None:
    live = rig(1, delay_us=1_000)
    live.client_sends(PING)
    live.server.call(lambda: live.server.advance(86_400 * S, lambda: None))
    live.turns(5, host_us=100)
    assert live.world.now_us < 1_000
    live.turns(20, host_us=100)
    assert live.echo.answered_at_us == [pytest.approx(1_000, abs=500)]
    assert live.world.now_us > 86_400 * S


def test_the_end_is_reached_exactly(rig: Make) -> None:
    live = rig(MAX)
    live.server.end_us = 40 * 86_400 * S + 1
    live.server.run()
    assert live.world.now_us == 40 * 86_400 * S + 1


def test_a_world_without_events_ends_at_the_horizon(rig: Make) -> None:
    live = rig(MAX)
    live.world.resume_at(HORIZON_US - 365 * 86_400 * S)
    live.server.run()
    assert live.world.now_us == HORIZON_US


def test_a_busy_world_yields_between_its_events(rig: Make) -> None:
    live = rig(MAX)
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(live.world.now_us)
        timer.set(live.world.now_us + 1)

    timer = live.world.timer(tick)
    timer.set(1)
    live.turns(1)
    assert 0 < len(ticks) <= 100


def test_a_full_port_holds_back_what_the_pump_sends(rig: Make) -> None:
    live = rig(STEP)
    live.port.room = BURST_BYTES - 1
    live.client_sends(PING)
    live.turns(3)
    assert live.port.to_client == b""
    live.port.room = BURST_BYTES
    live.turns(1)
    assert live.port.to_client == PONG


def test_chores_come_in_host_time(rig: Make) -> None:
    live = rig(STEP)
    done: list[int] = []
    live.server.every(1_000, lambda: done.append(live.clock.now_us))
    live.turns(100, host_us=100)
    assert 9 <= len(done) <= 11
