"""The board itself: attach, wait, and pass on what it reports.

Every batch, program and switch is confirmed by a report; the reports are numbered and repeated by
`protocol.board_link`, so no interrupt is lost with a damaged frame and none is raised twice. An
interrupt and the samples of the same report become visible together.
"""

from collections.abc import Callable
from typing import Any, Final

from hal.errors import HalError, HalLost, HalMismatch
from hal.interfaces import ReservoirSensor
from hal.interrupts import ENCODER_LIMIT, LOW_VOLTAGE, MOTOR_DONE, NONE
from hal.serial_board import entropy as random_numbers
from hal.serial_board.clocks import SerialClock, SerialRtc, SerialWatchdog, reset_cause
from hal.serial_board.entropy import HostEntropy, RandomBytes
from hal.serial_board.flash import SerialFlash
from hal.serial_board.link import ATTACH_MAX_US, ControllerLink
from hal.serial_board.motion import SerialEncoder, SerialMotor, SerialSupply
from hal.serial_board.sensors import SerialBattery, SerialMagnet, SerialReservoirSensor
from hal.serial_board.sounder import SerialSounder
from hal.serial_board.stream import ByteStream
from hal.serial_board.telemetry import SerialTelemetry
from hal.serial_board.timing import LineQuality
from protocol.board_messages import (
    FLASH_PAGE_MAX,
    Attached,
    BoardCause,
    Capability,
    FlashData,
    LowerGuard,
    Report,
    Telemetry,
)
from protocol.codec import Message

_PASSED_ON: Final = MOTOR_DONE | ENCODER_LIMIT | LOW_VOLTAGE
"""Bits taken as the board reports them; flash and telemetry make their own at this end."""


class SerialBoard:
    """`hal.Board` at the far end of a `ByteStream`.

    Nothing works before `attach`; whatever raises HalLost after it, `attach` begins again.
    """

    def __init__(
        self,
        stream: ByteStream,
        baud: int = 115_200,
        entropy: RandomBytes = random_numbers.HOST,
        guard: tuple[int, int] | None = None,
    ) -> None:
        """Make a board that is not attached yet.

        Args:
            stream: the line.
            baud: of the line (8N1), for the repetition timer alone.
            entropy: where random numbers come from.
            guard: strokes in any hour and in any 24 h that the board's own rate guard is lowered
                to at every attach; None leaves it as it is.
        """
        self._stream = stream
        self._guard = guard
        self._link = link = ControllerLink(stream, baud)
        self._pending = NONE
        self._last: Report | None = None
        self._attached = False
        """True once an attach has ended well: the counts here are this board's."""
        self.identity: Attached | None = None
        """What the board said of itself when it was last attached."""
        self.clock = SerialClock(stream, link)
        self.rtc = SerialRtc(link, self.clock)
        self.motor = SerialMotor(link)
        self.encoder = SerialEncoder(link)
        self.supply = SerialSupply(link)
        self.battery = SerialBattery(link)
        self.magnet = SerialMagnet()
        self._level = SerialReservoirSensor()
        self.sounder = SerialSounder(link)
        self.flash = SerialFlash(link)
        self.entropy = HostEntropy(entropy)
        self.watchdog = SerialWatchdog(link, self.clock)
        self.telemetry = SerialTelemetry(link)
        self._handlers: dict[type[Message], Callable[[Any], int]] = {
            Report: self._report,
            FlashData: self._flash_data,
            Telemetry: self.telemetry.receive,
        }

    @property
    def reservoir_sensor(self) -> ReservoirSensor | None:
        """Level sensor; None where the board has said at attach that there is none, and before."""
        there = self.identity is not None and self.identity.capabilities & Capability.LEVEL
        return self._level if there else None

    @property
    def line(self) -> LineQuality:
        """The line as measured."""
        return self._link.quality

    def attach(self, session: int) -> None:
        """Reset the board and take it over; returns when all of it can be read.

        To be called where a controller boots, before anything else. The motor stops, the supply
        is cut and the telemetry queues are empty; flash, wall clock and the encoder's count are
        kept. Raises HalLost; HalMismatch for another board than before, or one that cannot do.

        Args:
            session: 0..2**32-1, another number than at any attach of late. It tells a board that
                heard it twice from one whose controller begins again.
        """
        try:
            board = self._link.attach(session)
            self._check(board)
            self.identity = board
            self._reset(board)
            self._exchange()
            until_us = self._stream.now_us() + ATTACH_MAX_US
            while not (self.flash.mirrored and self._last and self._link.timing.measured):
                if self._stream.now_us() >= until_us:
                    self._link.fail("the board does not say what its flash holds")
                self._link.wait(until_us)
                self._exchange()
        except HalError:
            self._link.give_up()
            raise
        self._link.lost = False
        self._attached = True
        self._pending = NONE
        self.clock.boot()
        self._sampled(self._last)

    def wait_for_interrupt(self, deadline_us: int) -> int:
        """Let time pass until an interrupt or the deadline; see `hal.Board`. Raises HalLost."""
        until_us = self.clock.origin_us + deadline_us
        try:
            self._exchange()
            while not self._pending and self._stream.now_us() < until_us:
                self._link.wait(until_us)
                self._exchange()
        except HalLost:
            self._link.give_up()
            raise
        pending, self._pending = self._pending, NONE
        return pending

    def _check(self, board: Attached) -> None:
        before = self.identity
        if before is not None and board.board_id != before.board_id:
            raise HalMismatch(f"this is board {board.board_id:016x}, not {before.board_id:016x}")
        if not (
            board.flash_bytes
            and board.sector_bytes
            and board.flash_bytes % board.sector_bytes == 0
            and 1 <= board.page_bytes <= FLASH_PAGE_MAX
        ):
            raise HalMismatch(
                f"board {board.board_id:016x} has no flash to work with: {board.flash_bytes} bytes,"
                f" sectors of {board.sector_bytes}, pages of {board.page_bytes}"
            )

    def _reset(self, board: Attached) -> None:
        """Be as after a boot, at this end of the line."""
        self._pending = NONE
        self._last = None
        lost = self._attached and self._link.lost
        self.watchdog.reset(reset_cause(board.cause, lost))
        if lost and board.cause is BoardCause.POWER_ON:
            self.encoder.carry(self.motor.outstanding)
        self.rtc.reset()
        self.motor.reset(board.lookahead_us)
        self.supply.reset()
        self.telemetry.reset()
        if self._guard is not None:
            self._link.send(LowerGuard(*self._guard))
        self.flash.reset(board)

    def _exchange(self) -> None:
        """Everything that crosses the line crosses it here."""
        for message in self._link.read():
            handle = self._handlers.get(type(message))
            if handle is None:
                self._link.fail(f"a board does not send {type(message).__name__}")
            self._pending |= handle(message)
        self._pending |= self.telemetry.send()
        self.watchdog.send()
        self._link.write()

    def _report(self, report: Report) -> int:
        self._believe(report)
        self._last = report
        self._sampled(report)
        self.motor.reported(report)
        self.supply.reported(report)
        self.telemetry.reported(report)
        return report.interrupts & _PASSED_ON | self.flash.reported(report)

    def _sampled(self, report: Report) -> None:
        """Take what is stamped with the clock; once more when the clock has begun again."""
        taken_us = self.clock.taken_us(report.board_us)
        self.rtc.reported(report, taken_us)
        self.encoder.reported(report, taken_us)
        self.battery.reported(report, taken_us)
        self.magnet.reported(report, taken_us)
        self._level.reported(report, taken_us)

    def _believe(self, report: Report) -> None:
        """Give up a board whose counts cannot be: it is not the one that was attached."""
        last = self._last or report
        if (
            report.board_us < last.board_us
            or report.moved < last.moved
            or report.commanded < last.commanded
            or not last.executed <= report.executed <= self._link.sent
        ):
            self._link.fail("the board's counts went back")

    def _flash_data(self, data: FlashData) -> int:
        self.flash.filled(data)
        return NONE
