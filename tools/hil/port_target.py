"""A board on a serial port, in real time; with a bench socket also the hands of an emulated one."""

import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

from hal.board import Board
from hal.errors import HalLost
from hal.serial_board import ByteStream, SerialBoard
from hal.serial_board.port import SerialPort
from tools.bench import NoBench, ask
from tools.hil.target import Hand, Target

SESSION_BITS: Final = 32
POWER_OFF_US: Final = 1_000_000
POWER_BACK_US: Final = 1_200_000
_READ_MAX: Final = 4096


class StreamTarget(Target):
    """A board at the far end of a byte stream whose time is the kit's."""

    hands: frozenset[Hand] = frozenset({Hand.LINE})

    def __init__(self, stream: ByteStream, baud: int = 115_200, bench: str | None = None) -> None:
        """Make it; nothing is sent before `attach`. `bench` is an emulated board's socket."""
        self._stream = stream
        self._baud = baud
        self._bench = bench
        self.serial = SerialBoard(stream, baud)
        self.board: Board = self.serial
        if bench is not None:
            self.hands |= {Hand.POWER, Hand.BATTERY, Hand.RESERVOIR, Hand.MAGNET}

    def now_us(self) -> int:
        """Return the stream's time."""
        return self._stream.now_us()

    def attach(self) -> None:
        """Attach with a fresh session."""
        self.serial.attach(secrets.randbits(SESSION_BITS))

    def attach_guarded(self, hour: int, day: int) -> Board:
        """Attach as another controller, which lowers the guard."""
        board = SerialBoard(self._stream, self._baud, guard=(hour, day))
        board.attach(secrets.randbits(SESSION_BITS))
        return board

    def hang(self, for_us: int) -> None:
        """Let the stream's time pass; what comes meanwhile is lost, as in a full UART."""
        end_us = self.now_us() + for_us
        while self.now_us() < end_us:
            self._stream.wait(end_us)
            self._stream.read(_READ_MAX)

    # Hands of a bench socket

    def truth_strokes(self) -> int | None:
        """Return what the bench says."""
        return None if self._bench is None else int(self._ask("status")["truth.strokes"])

    def power_cycle(self) -> None:
        """Let the bench cut the power."""
        self._ask("power-cut", duration_us=POWER_OFF_US)
        self.hang(POWER_BACK_US)
        self.attach()

    def magnet(self, present: bool) -> None:
        """Let the bench bring a field."""
        if present:
            self._ask("inject", fault="magnet_field")
        else:
            self._ask("clear", fault="magnet_field")

    def drain(self, percent: int) -> None:
        """Let the bench drain the battery."""
        self._ask("inject", fault="battery.drain", parameters={"percent": str(percent)})

    def fill(self, volume_nl: int) -> None:
        """Let the bench fill the reservoir."""
        self._ask("refill", volume_nl=volume_nl)

    def _ask(self, command: str, **fields: Any) -> Mapping[str, Any]:
        assert self._bench is not None
        answer = ask(self._bench, {"command": command, **fields})
        if not answer.get("ok"):
            raise NoBench(str(answer.get("error")))
        result: Mapping[str, Any] = answer["result"]
        return result


class PortTarget(StreamTarget):
    """A board on a port, and perhaps its radio on another."""

    def __init__(
        self, port: str, baud: int = 115_200, telemetry: str | None = None, bench: str | None = None
    ) -> None:
        """Open the ports. Raises HalLost, HalUsageError."""
        self._port = SerialPort(port, baud)
        super().__init__(self._port, baud, bench)
        self._radio = None if telemetry is None else SerialPort(telemetry, baud)
        if self._radio is not None:
            self.hands |= {Hand.RADIO}

    def attach(self) -> None:
        """Attach; a port that was closed under the board is opened again."""
        try:
            super().attach()
        except HalLost:
            self._port.open()
            super().attach()

    def hang(self, for_us: int) -> None:
        """Sleep."""
        time.sleep(for_us / 1e6)

    def close(self) -> None:
        """Close the ports."""
        self._port.close()
        if self._radio is not None:
            self._radio.close()

    def host_write(self, data: bytes) -> None:
        """Send on the radio's port."""
        assert self._radio is not None
        while data := data[self._radio.write(data) :]:
            self._radio.wait(self.now_us() + POWER_OFF_US)

    def host_read(self) -> bytes:
        """Take from the radio's port."""
        assert self._radio is not None
        received = b""
        while data := self._radio.read(_READ_MAX):
            received += data
        return received
