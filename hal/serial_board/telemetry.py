"""The telemetry radio at the far end of a line: its bytes travel between other messages."""

from typing import Final

from hal.interrupts import NONE, TELEMETRY_RX, TELEMETRY_TX
from hal.serial_board.link import ControllerLink
from protocol.board_link import TelemetryFlow
from protocol.board_messages import TELEMETRY_WINDOW, Report, Telemetry
from protocol.errors import RemoteError

QUEUE_MAX_BYTES: Final = TELEMETRY_WINDOW
"""To be sent: what the line can have under way waits once more here. Received: the window."""


class SerialTelemetry:
    """`hal.TelemetryLink`."""

    def __init__(self, link: ControllerLink) -> None:
        self._link = link
        self.reset()

    def reset(self) -> None:
        """Lose what waits in both queues."""
        self._flow = TelemetryFlow()
        self._to_board = bytearray()
        self._received = bytearray()
        self._refused = False
        self._field_present = False

    @property
    def field_present(self) -> bool:
        """True while a programmer's head is near, as last reported."""
        return self._field_present

    def read(self, max_bytes: int) -> bytes:
        """Take up to `max_bytes` received bytes."""
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        self._flow.taken += len(data)
        return data

    def write(self, data: bytes) -> int:
        """Queue bytes for sending; return how many were taken."""
        taken = data[: QUEUE_MAX_BYTES - len(self._to_board)]
        self._refused = len(taken) < len(data)
        self._to_board += taken
        return len(taken)

    def reported(self, report: Report) -> None:
        """Take what the board says."""
        self._field_present = bool(report.field_present)

    def receive(self, message: Telemetry) -> int:
        """Take bytes from the board; return TELEMETRY_RX when there are any."""
        try:
            data = self._flow.receive(message)
        except RemoteError as error:
            self._link.fail(str(error))
        self._received += data
        return TELEMETRY_RX if data else NONE

    def send(self) -> int:
        """Queue what the line has room for; return TELEMETRY_TX when that is to be told."""
        while self._link.room and (data := self._to_board[: self._flow.credit]):
            self._link.send(self._flow.message(bytes(data)))
            del self._to_board[: len(data)]
        if self._link.room and self._flow.news:
            self._link.send(self._flow.message(b""))
        if self._refused and len(self._to_board) < QUEUE_MAX_BYTES:
            self._refused = False
            return TELEMETRY_TX
        return NONE
