"""The live pump: one thread, one loop, that serves the port and the bench and moves the world.

Each turn of the loop brings the world to where host time says (at most `EVENTS_PER_TURN` events, so
that a client never waits long), hands out what the pump has sent, and waits for bytes or for the
host time of the next event. How fast the world may go, and when it has to wait for a client, is
decided in `emulator.pacing`.

Other descriptors join the loop through `selector`: the `data` of each key is the callable to run
when it is ready. It runs between events, at the present instant of the world.
"""

import contextlib
import os
import selectors
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from emulator.pacing import ClientWatch, Hold, Pacer
from emulator.ports import BUFFER_BYTES, READ_BYTES, Port
from emulator.world import World

EVENTS_PER_TURN: Final = 32
"""Events between two looks at the port: well under a millisecond of a busy pump."""
STRETCH_US: Final = 86_400_000_000
"""The longest step in one turn, so that a world without events does not leap away."""
HORIZON_US: Final = 100 * 365 * 86_400_000_000
"""Where time ends: the pump's wall clock (32 bits of seconds) must not run over."""
BURST_BYTES: Final = 16 * 1024
"""The most the pump can have waiting to be sent: what the port must have room for."""
BACKLOG_LOOK_US: Final = 1_000
"""While the port has a backlog, try again this often: 64 MB/s at its buffer's size."""
SLEEP_MAX_US: Final = 3_600_000_000
"""Longest wait in one turn; the system's own limit is 24 days."""
AWAKE_US: Final = 300
"""How long after a client's bytes the loop stays awake for its next ones: the client's turn.

A core that has slept takes as long to come back as a pump takes to answer. A client that asks each
second costs 0.03 % of a core like this, and a pump that nobody asks nothing.
"""
HELD_LOOK_US: Final = 250_000
"""While a client holds time back, look this often whether it still does."""


class TelemetryEnd(Protocol):
    """The outside of the pump's telemetry link."""

    def host_write(self, data: bytes) -> int:
        """Send bytes to the pump; return how many were taken."""
        ...

    def host_read(self) -> bytes:
        """Take all that the pump has sent."""
        ...


@dataclass(slots=True)
class _Chore:
    """Something to do again and again in host time."""

    period_us: int
    due_us: int
    work: Callable[[], None]


class Server:
    """Serves one world and its telemetry on `port` until told to stop.

    `host_us` is a monotonic clock in microseconds.
    """

    def __init__(
        self,
        world: World,
        telemetry: TelemetryEnd,
        port: Port,
        speed: int,
        host_us: Callable[[], int],
    ) -> None:
        self.world = world
        self.selector = selectors.DefaultSelector()
        self.pacer = Pacer(speed, host_us(), world.now_us)
        self.watch = ClientWatch()
        self.end_us = HORIZON_US
        """World time at which `run` returns by itself."""
        self.gate_closed = False
        """True holds the world at its instant, unless a request needs time for its reply."""
        self._telemetry = telemetry
        self._port = port
        self._host_us = host_us
        self._held = Hold.FREE
        self._awake_until_us = 0
        self._stopping = False
        self._jump: tuple[int, Callable[[], None]] | None = None
        self._chores: list[_Chore] = []
        self._calls: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self.selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        port.attach(self.selector, self._port_ready)

    @property
    def advancing(self) -> bool:
        """True while an `advance` is under way."""
        return self._jump is not None

    def every(self, period_us: int, work: Callable[[], None]) -> None:
        """Run `work` every `period_us` of host time, or when the loop next comes round."""
        self._chores.append(_Chore(period_us, self._host_us() + period_us, work))

    def advance(self, duration_us: int, arrived: Callable[[], None]) -> None:
        """Move the world on by `duration_us` as fast as possible, then call `arrived`.

        An order of the bench: it passes over pause, speed and an open session, but waits for a
        request that is being answered. One at a time: look at `advancing` first.
        """
        self._jump = (min(self.world.now_us + duration_us, self.end_us), arrived)

    def stop(self) -> None:
        """Make `run` return after this turn. From any thread or a signal handler."""
        self._stopping = True
        self._wake()

    def call(self, work: Callable[[], None]) -> None:
        """Run `work` in the loop, between events. From any thread or a signal handler."""
        self._calls.append(work)
        self._wake()

    def run(self) -> None:
        """Serve until `stop`, or until the world is at `end_us`."""
        while not self._stopping and self.world.now_us < self.end_us:
            host_us = self._host_us()
            idle = self._move(host_us)
            self._carry_out(host_us)
            ready = self._wait(self._wake_us(idle, host_us))
            host_us = self._host_us()
            if ready:
                self._move(host_us)
            for key, _ in ready:
                key.data()
            self._do_chores(host_us)
        self._carry_out(self._host_us())

    def close(self) -> None:
        """Close the port and the loop."""
        self._port.close()
        self.selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _wait(self, wake_us: int) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait until `wake_us` for something to be ready; for `AWAKE_US` without sleeping.

        The core is left to whoever else has work: the client, and the kernel's side of a PTY.
        """
        awake_until_us = min(self._awake_until_us, wake_us)
        while (host_us := self._host_us()) < awake_until_us:
            os.sched_yield()
            if ready := self.selector.select(0):
                return ready
        return self.selector.select(max(0, wake_us - host_us) / 1e6)

    # --- time

    def _move(self, host_us: int) -> bool:
        """Bring the world on by one turn; True when it is where it may be."""
        idle = self.world.run_some(self._limit_us(host_us), EVENTS_PER_TURN)
        if self._jump is not None and idle and self.world.now_us >= self._jump[0]:
            arrived = self._jump[1]
            self._jump = None
            arrived()
        return idle

    def _limit_us(self, host_us: int) -> int:
        world_us = self.world.now_us
        self._held = self._hold(host_us)
        limit_us = self.pacer.limit_us(self._held, host_us, world_us)
        if self._jump is not None and not self.watch.pending:
            limit_us = self._jump[0]
        return min(limit_us, world_us + STRETCH_US, self.end_us)

    def _hold(self, host_us: int) -> Hold:
        if self.gate_closed and not self.watch.pending:
            return Hold.STILL
        return self.watch.hold(host_us, self.world.now_us)

    def _wake_us(self, idle: bool, host_us: int) -> int:
        """Return until when only the outside can make a difference; that long is no lag."""
        hold = self._hold(host_us)
        another_rate = hold is not self._held  # by what was just handed out
        if not idle or another_rate or self._stopping or self._jump is not None:
            self.pacer.rest(host_us)
            return host_us
        wakes_us = [host_us + self._look_us(hold), *[chore.due_us for chore in self._chores]]
        event_us = self.world.next_event_us()
        reached_us = self.pacer.host_us(
            self.end_us if event_us is None else min(event_us, self.end_us)
        )
        if reached_us is not None:
            wakes_us.append(reached_us)
        wake_us = max(host_us, min(wakes_us))
        self.pacer.rest(wake_us)
        return wake_us

    def _look_us(self, hold: Hold) -> int:
        """Return how long nothing needs to be looked at that does not wake the loop by itself."""
        if self._port.room < BUFFER_BYTES:
            return BACKLOG_LOOK_US
        return SLEEP_MAX_US if hold is Hold.FREE else HELD_LOOK_US

    def _do_chores(self, host_us: int) -> None:
        for chore in self._chores:
            if host_us >= chore.due_us:
                chore.due_us = host_us + chore.period_us
                chore.work()

    # --- bytes

    def _port_ready(self) -> None:
        """Hand bytes to the pump, and its answer back at once when that takes no pump time.

        The watch looks at both afterwards: time has not moved, and the client need not wait.
        """
        data = self._port.receive()
        if data:
            world_us = self.world.now_us
            self._telemetry.host_write(data)  # what does not fit is lost, as in any receiver
            self.world.run_some(world_us, EVENTS_PER_TURN)
            host_us = self._host_us()
            self._awake_until_us = host_us + AWAKE_US
            sent, drained = self._send(host_us)
            self.watch.to_pump(data, host_us, world_us)
            self._watch_sent(sent, drained, host_us)

    def _carry_out(self, host_us: int) -> None:
        """Hand out what the pump has sent by itself, or has taken time for."""
        self._watch_sent(*self._send(host_us), host_us)

    def _send(self, host_us: int) -> tuple[bytes, bool]:
        """Hand what the pump has sent to the port, if that has room.

        Return it, and whether the port has passed on all it was ever given.
        """
        has_room = self._port.room >= BURST_BYTES
        data = self._telemetry.host_read() if has_room else b""
        return data, self._port.send(data, host_us)

    def _watch_sent(self, data: bytes, drained: bool, host_us: int) -> None:
        if data:
            self.watch.to_client(data, host_us, self.world.now_us)
        if drained:
            self.watch.drained()

    # --- other threads

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it will wake anyway
            os.write(self._wake_write, b"\0")

    def _woken(self) -> None:
        os.read(self._wake_read, READ_BYTES)
        for _ in range(len(self._calls)):  # a call made meanwhile has its own wake
            self._calls.popleft()()
