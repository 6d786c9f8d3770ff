"""The programmer's end of the telemetry of an emulated pump, in virtual time.

An answer takes no simulated time: what the pump says at the present instant is handed over at once.
Only when it stays silent does time run, event by event, until it speaks or the time-out is over;
so a retry, and nothing else, lets therapy go on while the programmer waits.
"""

from tools.emulated import EmulatedPump
from tools.programmer.errors import NoLink


class WorldTransport:
    """`tools.programmer.transport.Transport` over a board's own telemetry link."""

    def __init__(self, pump: EmulatedPump) -> None:
        self._world = pump.world
        self._link = pump.board.link
        self.cut = False
        """True while the link is down, which the programmer's end notices at once."""

    def write(self, data: bytes) -> None:
        """Send all of `data`; where the queue is full the world runs until the pump has read."""
        self._check()
        while data := data[self._link.host_write(data) :]:
            due_us = self._world.next_event_us()
            if due_us is None:
                return  # nobody will ever read it: the same as bytes lost on the air
            self._world.run_some(due_us, 1)

    def read(self, timeout_us: int) -> bytes:
        """Return what the pump has sent, or b"" after `timeout_us` of simulated time."""
        self._check()
        until_us = self._world.now_us + timeout_us
        while not (data := self._link.host_read()):
            if self._world.run_some(until_us, 1):
                return self._link.host_read()
        return data

    def now_us(self) -> int:
        """Return the world's time."""
        return self._world.now_us

    def close(self) -> None:
        """Do nothing: there is no port."""

    def _check(self) -> None:
        if self.cut:
            raise NoLink("the link is down")
