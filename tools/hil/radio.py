"""A radio of the kit's own: the programmer stands beside the controller, not beside the board.

The controller sees the board under test with this radio in place of the board's, so that a board
without one, or a bench without a second cable, is programmed all the same.
"""

from collections.abc import Callable
from typing import Final

from hal.board import Board
from hal.interrupts import NONE, TELEMETRY_RX

QUEUE_MAX_BYTES: Final = 4096


class LocalRadio:
    """`hal.TelemetryLink` to the controller, a byte queue each way to the programmer."""

    def __init__(self) -> None:
        self._to_pump = bytearray()
        self._to_tool = bytearray()
        self._raised = NONE

    # The controller's side

    @property
    def field_present(self) -> bool:
        """A programmer is always near."""
        return True

    def read(self, max_bytes: int) -> bytes:
        """Take received bytes."""
        return _take(self._to_pump, max_bytes)

    def write(self, data: bytes) -> int:
        """Queue bytes for the programmer; all that fit are taken."""
        taken = data[: QUEUE_MAX_BYTES - len(self._to_tool)]
        self._to_tool += taken
        return len(taken)

    # The other side

    def tool_write(self, data: bytes) -> None:
        """Send bytes to the pump."""
        self._to_pump += data
        self._raised = TELEMETRY_RX

    def tool_read(self) -> bytes:
        """Take what the pump has sent."""
        return _take(self._to_tool, QUEUE_MAX_BYTES)

    def interrupts(self) -> int:
        """Return and clear what this radio has raised."""
        raised, self._raised = self._raised, NONE
        return raised


class RadioTransport:
    """`tools.programmer.transport.Transport` over a `LocalRadio`; waiting lets the pump run."""

    def __init__(
        self, radio: LocalRadio, now_us: Callable[[], int], step: Callable[[int], None]
    ) -> None:
        """`step(until_us)` lets the pump run a little, at most until then."""
        self._radio = radio
        self._now_us = now_us
        self._step = step

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        self._radio.tool_write(data)

    def read(self, timeout_us: int) -> bytes:
        """Return what the pump has sent, or b"" after the time-out."""
        until_us = self._now_us() + timeout_us
        while not (data := self._radio.tool_read()) and self._now_us() < until_us:
            self._step(until_us)
        return data

    def now_us(self) -> int:
        """Return the kit's time."""
        return self._now_us()

    def close(self) -> None:
        """Do nothing: there is no port."""


class BoardWithRadio:
    """`hal.Board`: the board under test, with another radio."""

    def __init__(self, board: Board, radio: LocalRadio) -> None:
        self._board = board
        self.clock = board.clock
        self.rtc = board.rtc
        self.motor = board.motor
        self.encoder = board.encoder
        self.supply = board.supply
        self.battery = board.battery
        self.magnet = board.magnet
        self.reservoir_sensor = None  # the reservoir of a bench is not what the kit's pump was told
        self.sounder = board.sounder
        self.flash = board.flash
        self.entropy = board.entropy
        self.watchdog = board.watchdog
        self.telemetry = radio

    def wait_for_interrupt(self, deadline_us: int) -> int:
        """Wait on the board."""
        return self._board.wait_for_interrupt(deadline_us)


def _take(queue: bytearray, max_bytes: int) -> bytes:
    data = bytes(queue[:max_bytes])
    del queue[:max_bytes]
    return data
