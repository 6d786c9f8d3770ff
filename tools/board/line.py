"""The board's end of the line, on a real port: in the host's time, or in lock-step.

Both hand the agent what comes and send what it says, like `emulator.board_line.BoardLine` in a
world of its own. In lock-step what comes is kept until a Grant follows it; then it arrives in one
piece, so that the board does the same however the bytes were cut on their way.
"""

import selectors
from collections.abc import Callable

from emulator.board_line import Spoil
from emulator.ports import Port
from emulator.server import HORIZON_US
from emulator.world import World
from hal.serial_board.lockstep import time_frame, time_message
from protocol.board_messages import Grant, Reached
from protocol.framing import Deframer, encode


class PortLine:
    """The line in real time: bytes arrive when they come."""

    def __init__(self, world: World, port: Port, host_us: Callable[[], int]) -> None:
        self._world = world
        self._port = port
        self._host_us = host_us
        self._receive: Callable[[bytes], None] = lambda data: None
        self.spoil()

    def spoil(self, to_board: Spoil = bytes, to_host: Spoil = bytes) -> None:
        """Let these say what arrives of what is sent; without arguments the line is good again."""
        self._to_board = to_board
        self._to_host = to_host

    def attach(self, selector: selectors.BaseSelector) -> None:
        """Join the loop that serves the port."""
        self._port.attach(selector, self._ready)

    def connect(self, receive: Callable[[bytes], None]) -> None:
        """Give the agent's receiver."""
        self._receive = receive

    def board_write(self, data: bytes) -> None:
        """Send to the controller; what a port that nobody reads cannot hold is lost."""
        self._send(self._to_host(data))

    def _send(self, data: bytes) -> None:
        self._port.send(data[: self._port.room], self._host_us())

    def _ready(self) -> None:
        data = self._port.receive()
        if data:
            self._arrived(data)

    def _arrived(self, data: bytes) -> None:
        self._receive(self._to_board(data))


class LockstepLine(PortLine):
    """The line in virtual time: the world moves only by a Grant, from here."""

    def __init__(self, world: World, port: Port, host_us: Callable[[], int]) -> None:
        super().__init__(world, port, host_us)
        self._deframer = Deframer()
        self._held = b""
        self._spoken = False
        """Something was sent since the last Reached."""

    def board_write(self, data: bytes) -> None:
        """Send to the controller."""
        self._spoken = self._spoken or bool(data)
        super().board_write(data)

    def _arrived(self, data: bytes) -> None:
        for frame in self._deframer.feed(data, self._host_us()):
            message = time_message(frame)
            if isinstance(message, Grant):
                self._go(message.until_us)
            else:
                self._held += encode(frame)

    def _go(self, until_us: int) -> None:
        """Run to `until_us`, or to the end of the instant at which the agent says something."""
        world = self._world
        held, self._held = self._held, b""
        if held:
            self._receive(self._to_board(held))
        until_us = max(min(until_us, HORIZON_US), world.now_us)
        while not self._spoken and not world.run_some(until_us, 1):
            pass
        world.run_until(world.now_us)
        self._send(time_frame(Reached(world.now_us)))
        self._spoken = False
