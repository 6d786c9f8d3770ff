"""The board itself: attach, wait, and pass on what it reports.

Every batch, program and switch is confirmed by a report; the reports are numbered and repeated by
`protocol.board_link`, so no interrupt is lost with a damaged frame and none is raised twice. An
interrupt and the samples of the same report become visible together.
"""

from collections.abc import Callable
from typing import Any, Final

from hal.interrupts import ENCODER_LIMIT, MOTOR_DONE, NONE
from hal.serial_board.flash import SerialFlash
from hal.serial_board.link import LOST_US, ControllerLink
from hal.serial_board.motion import SerialClock, SerialEncoder, SerialMotor, SerialSupply
from hal.serial_board.stream import ByteStream
from hal.serial_board.telemetry import SerialTelemetry
from protocol.board_messages import FlashData, Report, Telemetry
from protocol.codec import Message

_PASSED_ON: Final = MOTOR_DONE | ENCODER_LIMIT
"""Bits taken as the board reports them; flash and telemetry make their own at this end."""


class SerialBoard:
    """Motor, encoder, supply, flash and telemetry of a board on a `ByteStream`.

    Nothing works before `attach`; whatever raises HalLost after it, `attach` begins again.
    """

    def __init__(self, stream: ByteStream, baud: int = 115_200) -> None:
        """`baud` (8N1) is for the repetition timer alone."""
        self._stream = stream
        self._link = ControllerLink(stream, baud)
        self._pending = NONE
        self._reported = False
        self.clock = SerialClock(stream)
        self.motor = SerialMotor(self._link)
        self.encoder = SerialEncoder(self._link, self.clock)
        self.supply = SerialSupply(self._link)
        self.flash = SerialFlash(self._link)
        self.telemetry = SerialTelemetry(self._link)
        self._handlers: dict[type[Message], Callable[[Any], int]] = {
            Report: self._report,
            FlashData: self._flash_data,
            Telemetry: self.telemetry.receive,
        }

    def attach(self, session: int) -> None:
        """Reset the board and take it over; returns when all of it can be read. Raises HalLost.

        To be called where a controller boots, before anything else. The motor stops, the supply
        is cut and the telemetry queues are empty; flash and the encoder's count are kept.

        Args:
            session: 0..2**32-1, another number than at any attach of late. It tells a board that
                heard it twice from one whose controller begins again.
        """
        board = self._link.attach(session)
        self._pending = NONE
        self._reported = False
        self.clock.forget_board()
        self.motor.reset(board.lookahead_us)
        self.supply.reset()
        self.telemetry.reset()
        self.flash.reset(board)
        self._exchange()
        while not (self.flash.mirrored and self._reported):
            self._link.wait(self._stream.now_us() + LOST_US)
            self._exchange()
        self._pending = NONE
        self.clock.boot()

    def wait_for_interrupt(self, deadline_us: int) -> int:
        """Let time pass until an interrupt or the deadline; see `hal.Board`. Raises HalLost."""
        until_us = self.clock.origin_us + deadline_us
        self._exchange()
        while not self._pending and self._stream.now_us() < until_us:
            self._link.wait(until_us)
            self._exchange()
        pending, self._pending = self._pending, NONE
        return pending

    def _exchange(self) -> None:
        """Everything that crosses the line crosses it here."""
        for message in self._link.read():
            handle = self._handlers.get(type(message))
            if handle is None:
                self._link.fail(f"a board does not send {type(message).__name__}")
            self._pending |= handle(message)
        self._pending |= self.telemetry.send()
        self._link.write()

    def _report(self, report: Report) -> int:
        self._reported = True
        self.motor.reported(report)
        self.encoder.reported(report)
        self.supply.reported(report)
        self.telemetry.reported(report)
        return report.interrupts & _PASSED_ON | self.flash.reported(report)

    def _flash_data(self, data: FlashData) -> int:
        self.flash.filled(data)
        return NONE
