"""The agent: the small program on a real board that serves a controller at the end of a line.

Here it runs on the emulated board, installed as its controller, so every interrupt wakes it in the
world's order. It decides nothing: it does what the line says, says what the board has done, and
resets the board when a controller attaches. The link lets every message act once; a batch is
guarded by its number besides.

A command that the board refuses ends at once: MOTOR_DONE without a stroke, FLASH_FAILED. A message
that it does not understand ends the session: it falls silent, and the controller notices that.
"""

from collections.abc import Callable
from typing import Any, Final

from emulator.board import EmulatedBoard
from emulator.board_line import BoardLine
from emulator.world import World
from hal.errors import HalUsageError
from hal.interfaces import ResetCause
from hal.interrupts import ENCODER_LIMIT, FLASH_DONE, FLASH_FAILED, MOTOR_DONE, NONE
from protocol import board_messages, codec
from protocol.board_link import BoardLink, TelemetryFlow
from protocol.board_messages import (
    FLASH_DATA_MAX,
    FLASH_PAGE_MAX,
    REPORT_INTERVAL_US,
    ArmEncoder,
    Attach,
    Attached,
    Dispense,
    FlashData,
    FlashErase,
    FlashProgram,
    FlashRead,
    Report,
    StopMotor,
    SwitchSupply,
    Telemetry,
)
from protocol.codec import Message
from protocol.crc import crc32c
from protocol.errors import RemoteError
from protocol.framing import Frame, FrameType

LOOKAHEAD_US: Final = 2_000_000
"""Longest batch over a line: what a board can still deliver that has lost its controller."""
_SLEEP_US: Final = 1 << 62
"""As the emulated board's controller the agent asks for no wake but interrupts."""
_REPORTED: Final = MOTOR_DONE | ENCODER_LIMIT | FLASH_DONE | FLASH_FAILED


class BoardAgent:
    """Serves one controller at a time. To be made before the board's `power_on`."""

    def __init__(self, world: World, board: EmulatedBoard, line: BoardLine) -> None:
        self._world = world
        self._board = board
        self._line = line
        self._link = BoardLink(FrameType.HAL_RSP, FrameType.HAL_CMD)
        self._timer = world.timer(self._turn)
        self._session: int | None = None
        self._execute: dict[type[Message], tuple[Callable[[Any], None], int]] = {
            Dispense: (self._dispense, MOTOR_DONE),
            StopMotor: (lambda _: board.motor.stop(), NONE),
            ArmEncoder: (lambda message: board.encoder.arm(message.limit), NONE),
            SwitchSupply: (self._switch_supply, NONE),
            FlashRead: (self._flash_read, NONE),
            FlashProgram: (self._flash_program, FLASH_FAILED),
            FlashErase: (self._flash_erase, FLASH_FAILED),
            Telemetry: (self._telemetry, NONE),
        }
        """What to do with each message, and the interrupt that tells when the board refuses it."""
        line.connect(self._receive)
        board.install(lambda: self)

    # The controller of the emulated board

    def start(self) -> int:
        """Boot: wait for a controller to attach."""
        self._link.shut()
        self._timer.cancel()
        self._session = None
        self._pending = NONE
        self._report_us = 0
        self._executed = 0
        self._batch = 0
        self._flash_span = (0, 0)
        self._flash_crc = 0
        self._flash_data: FlashData | None = None
        self._flow = TelemetryFlow()
        self._to_radio = bytearray()
        return _SLEEP_US

    def service(self, interrupts: int) -> int:
        """Pass on what the board has raised."""
        if interrupts & FLASH_DONE:
            self._flash_crc = crc32c(self._board.flash.read(*self._flash_span))
        self._pending |= interrupts & _REPORTED
        self._turn()
        return _SLEEP_US

    # The line

    def _receive(self, data: bytes) -> None:
        if not self._board.powered:
            return
        self._link.feed(data, self._world.now_us)
        while frame := self._link.take():
            if frame.type is FrameType.HELLO:
                self._attach(frame)
            elif frame.type is FrameType.HAL_CMD:
                self._command(frame)
        self._turn()

    def _turn(self) -> None:
        """Say what there is to say and sleep until there may be more."""
        if not self._board.powered:
            return
        if self._session is not None:
            self._telemetry_to_radio()
            self._send_due()
            self._telemetry_from_radio()
        try:
            self._line.board_write(self._link.outgoing(self._world.now_us))
        except RemoteError:
            self._detach()
        self._sleep()

    def _sleep(self) -> None:
        due = [self._link.deadline_us] if self._link.deadline_us is not None else []
        if self._link.room:
            due.append(self._report_us)
        if due:
            self._timer.set(max(self._world.now_us, min(due)))
        else:
            self._timer.cancel()

    def _send(self, message: Message) -> None:
        self._link.send(board_messages.encode(message))

    def _attach(self, frame: Frame) -> None:
        try:
            session = codec.decode(Attach, frame.payload).session
        except RemoteError:
            return
        if session != self._session:
            self._board.reset(ResetCause.COMMANDED)
            self._link.restart()
            self._session = session
            self._report_us = self._world.now_us
        flash = self._board.flash
        page_bytes = min(flash.page_bytes, FLASH_PAGE_MAX)
        self._link.greet(
            FrameType.HELLO_RSP,
            codec.encode(
                Attached(session, LOOKAHEAD_US, flash.size_bytes, flash.sector_bytes, page_bytes)
            ),
        )

    def _detach(self) -> None:
        self._session = None
        self._link.shut()

    def _command(self, frame: Frame) -> None:
        try:
            message = board_messages.decode(frame.payload)
            execute, refused = self._execute[type(message)]
        except (RemoteError, KeyError):
            self._detach()
            return
        self._executed += 1
        try:
            execute(message)
        except HalUsageError:
            self._pending |= refused

    # Commands

    def _dispense(self, message: Dispense) -> None:
        if message.batch <= self._batch:
            return
        self._batch = message.batch
        if message.strokes > 1 and message.strokes * message.interval_us > LOOKAHEAD_US:
            raise HalUsageError("the batch passes the lookahead")
        self._board.motor.dispense(message.strokes, message.interval_us)

    def _switch_supply(self, message: SwitchSupply) -> None:
        if message.on:
            self._board.supply.enable()
        else:
            self._board.supply.cut()

    def _flash_program(self, message: FlashProgram) -> None:
        self._board.flash.program(message.address, message.data)
        self._flash_span = (message.address, len(message.data))

    def _flash_erase(self, message: FlashErase) -> None:
        self._board.flash.erase(message.address)
        self._flash_span = (message.address, self._board.flash.sector_bytes)

    def _flash_read(self, message: FlashRead) -> None:
        """Find content and the erased run after it."""
        flash = self._board.flash
        start, size = message.address, flash.size_bytes
        data = flash.read(start, max(0, min(FLASH_DATA_MAX, size - start))).rstrip(b"\xff")
        end = start + len(data)
        erased = 0
        while end + erased < size:
            part = flash.read(end + erased, min(flash.sector_bytes, size - end - erased))
            run = len(part) - len(part.lstrip(b"\xff"))
            erased += run
            if run < len(part):
                break
        self._flash_data = FlashData(start, data, erased)

    # Reports and telemetry

    def _send_due(self) -> None:
        if self._flash_data is not None and self._link.room:
            self._send(self._flash_data)
            self._flash_data = None
        if (self._pending or self._world.now_us >= self._report_us) and self._link.room:
            self._send(self._report())
            self._pending = NONE
            self._report_us = self._world.now_us + REPORT_INTERVAL_US

    def _report(self) -> Report:
        board = self._board
        return Report(
            interrupts=self._pending,
            executed=self._executed,
            board_us=board.clock.now_us(),
            commanded=board.motor.strokes_commanded(),
            moved=board.encoder.moved().value,
            supply_enabled=int(board.supply.enabled),
            field_present=int(board.telemetry.field_present),
            flash_crc=self._flash_crc,
        )

    def _telemetry(self, message: Telemetry) -> None:
        try:
            self._to_radio += self._flow.receive(message)
        except RemoteError:
            self._detach()

    def _telemetry_to_radio(self) -> None:
        taken = self._board.telemetry.write(bytes(self._to_radio))
        del self._to_radio[:taken]
        self._flow.taken += taken

    def _telemetry_from_radio(self) -> None:
        while self._link.room and (data := self._board.telemetry.read(self._flow.credit)):
            self._send(self._flow.message(data))
        if self._link.room and self._flow.news:
            self._send(self._flow.message(b""))
