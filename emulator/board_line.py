"""A serial line in virtual time, from a controller on the host to the emulated board's agent.

Each write arrives whole, `delay_us` later and in order. What a bench wants to go wrong is a
function from the bytes written to the bytes that arrive, one for each direction.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from emulator.world import World

Spoil = Callable[[bytes], bytes]

DELAY_US: Final = 1_000
"""One way of the line: a frame of this link takes 3 ms at 115,200 baud, 0.4 ms at 1 Mbaud."""


class AgentLine(Protocol):
    """The board's end of any line."""

    def connect(self, receive: Callable[[bytes], None]) -> None:
        """Give the line the agent's receiver."""
        ...

    def board_write(self, data: bytes) -> None:
        """Send bytes to the controller's end; b"" is nothing."""
        ...


class _Way:
    """One direction."""

    def __init__(self, world: World, delay_us: int, arrive: Callable[[bytes], None]) -> None:
        self._world = world
        self._delay_us = delay_us
        self._arrive = arrive
        self._travelling: deque[tuple[int, bytes]] = deque()
        self._timer = world.timer(self._arrived)
        self.spoil: Spoil = bytes
        self.stalled_us = 0
        """Nothing written from now on arrives before this."""

    def write(self, data: bytes) -> None:
        """Send bytes on their way."""
        data = self.spoil(data)
        if data:
            at_us = max(self._world.now_us + self._delay_us, self.stalled_us)
            self._travelling.append((at_us, data))
            if self._timer.at_us is None:
                self._timer.set(self._travelling[0][0])

    def _arrived(self) -> None:
        _, data = self._travelling.popleft()
        if self._travelling:
            self._timer.set(self._travelling[0][0])
        self._arrive(data)


class BoardLine:
    """Both ends: the host's is a `hal.serial_board.ByteStream`, the board's has `board_` methods.

    `wait` is the host's, and lets the world run: the host lives in the same world.
    """

    def __init__(self, world: World, delay_us: int = DELAY_US) -> None:
        self._world = world
        self._received = bytearray()
        self._to_host = _Way(world, delay_us, self._received.extend)
        self._to_board = _Way(world, delay_us, self._board_receives)
        self._on_receive: Callable[[bytes], None] = lambda data: None

    # hal.serial_board.ByteStream

    def now_us(self) -> int:
        """World time."""
        return self._world.now_us

    def write(self, data: bytes) -> int:
        """Send bytes to the board; all are taken."""
        self._to_board.write(data)
        return len(data)

    def read(self, max_bytes: int) -> bytes:
        """Return up to `max_bytes` received bytes."""
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        return data

    def wait(self, until_us: int) -> None:
        """Let the world run until bytes have come or `until_us`."""
        until_us = max(until_us, self._world.now_us)
        while not self._received and not self._world.run_some(until_us, 1):
            pass

    # The board's end

    def connect(self, receive: Callable[[bytes], None]) -> None:
        """Give the board's end its receiver."""
        self._on_receive = receive

    def board_write(self, data: bytes) -> None:
        """Send bytes to the host."""
        self._to_host.write(data)

    # A bench's hands

    def spoil(self, to_board: Spoil = bytes, to_host: Spoil = bytes) -> None:
        """Let these say what arrives of each write; without arguments the line is good again."""
        self._to_board.spoil = to_board
        self._to_host.spoil = to_host

    def stall(self, for_us: int) -> None:
        """Hold what is written from now on, both ways; it arrives in order when this is over."""
        self._to_board.stalled_us = self._to_host.stalled_us = self._world.now_us + for_us

    def _board_receives(self, data: bytes) -> None:
        self._on_receive(data)
