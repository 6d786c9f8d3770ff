"""The agent: the small program on a real board that serves a controller at the end of a line.

Here it runs on the emulated board, installed as its controller, so every interrupt wakes it in the
world's order. It decides nothing: it does what the line says, says what the board has done, and
resets the board when a controller attaches. The link lets every message act once; a batch is
guarded by its number besides.

A command that the board refuses ends at once: MOTOR_DONE without a stroke, FLASH_FAILED.

The session ends when the controller is not heard for SILENCE_US, misses its watchdog deadline,
asks for more than the rate guard allows, or says what cannot be understood. Then no further stroke
begins, the supply is cut when the one under way is finished, and the agent is silent until the
next Attach, whose answer says the cause. Cause and rate guard are lost with the power alone.
"""

from collections.abc import Callable
from typing import Any, Final

from emulator.board import EmulatedBoard
from emulator.board_line import AgentLine
from emulator.rate_guard import RateGuard
from emulator.world import World
from hal.errors import HalUsageError
from hal.interfaces import ResetCause, TonePattern
from hal.interrupts import (
    ENCODER_LIMIT,
    FLASH_DONE,
    FLASH_FAILED,
    LOW_VOLTAGE,
    MOTOR_DONE,
    NONE,
)
from protocol import board_messages, codec
from protocol.board_link import BoardLink, TelemetryFlow
from protocol.board_messages import (
    DICTIONARY_ID,
    FLASH_DATA_MAX,
    FLASH_PAGE_MAX,
    NO_LEVEL,
    REPORT_INTERVAL_US,
    SILENCE_US,
    ArmEncoder,
    ArmLowVoltage,
    ArmWatchdog,
    Attach,
    Attached,
    BoardCause,
    Capability,
    Dispense,
    FlashData,
    FlashErase,
    FlashProgram,
    FlashRead,
    LowerGuard,
    Report,
    SetWallClock,
    Sound,
    StopMotor,
    SwitchSupply,
    Telemetry,
    Tick,
    Tock,
)
from protocol.codec import Message
from protocol.crc import crc32c
from protocol.errors import RemoteError
from protocol.framing import Frame, FrameType

LOOKAHEAD_US: Final = 2_000_000
"""Longest batch over a line, so that a controller is never far from its strokes."""
AGENT: Final = "itpump emulated board, agent 1"
WATCHDOG_BITE_US: Final = 1_000_000
"""From the missed deadline to the end of the session (`hal.Watchdog`)."""
_ALWAYS: Final = (
    Capability.RADIO
    | Capability.MAGNET
    | Capability.SOUNDER
    | Capability.ENCODER_CUT
    | Capability.LOW_VOLTAGE
)
_PATTERNS: Final = frozenset(TonePattern)
_WALL_MAX_S: Final = 2**32 - 1
_SLEEP_US: Final = 1 << 62
"""As the emulated board's controller the agent asks for no wake but interrupts."""
_REPORTED: Final = MOTOR_DONE | ENCODER_LIMIT | LOW_VOLTAGE | FLASH_DONE | FLASH_FAILED
_CAUSES: Final = {
    ResetCause.POWER_ON: BoardCause.POWER_ON,
    ResetCause.LOW_VOLTAGE: BoardCause.LOW_VOLTAGE,
}
"""What a reset of the board itself means for a session; any other was asked for."""


class BoardAgent:
    """Serves one controller at a time. To be made before the board's `power_on`."""

    def __init__(self, world: World, board: EmulatedBoard, line: AgentLine) -> None:
        self._world = world
        self._board = board
        self._line = line
        self._link = BoardLink(FrameType.HAL_RSP, FrameType.HAL_CMD)
        self._board_id = world.stream("board_id").getrandbits(64)
        self._timer = world.timer(self._turn)
        self._dead_man = world.timer(lambda: self._end(BoardCause.SILENCE))
        self._watchdog = world.timer(lambda: self._end(BoardCause.WATCHDOG))
        self._session: int | None = None
        self._heard = False
        self._guard = RateGuard()
        self._cause = BoardCause.COMMANDED  # unless the first boot is a power-on
        self._execute: dict[type[Message], tuple[Callable[[Any], None], int]] = {
            Dispense: (self._dispense, MOTOR_DONE),
            StopMotor: (lambda _: board.motor.stop(), NONE),
            ArmEncoder: (lambda message: board.encoder.arm(message.limit), NONE),
            SwitchSupply: (self._switch_supply, NONE),
            FlashRead: (self._flash_read, NONE),
            FlashProgram: (self._flash_program, FLASH_FAILED),
            FlashErase: (self._flash_erase, FLASH_FAILED),
            Telemetry: (self._telemetry, NONE),
            ArmLowVoltage: (lambda message: board.battery.arm_low_voltage(message.threshold_mv), 0),
            Sound: (self._sound, NONE),
            ArmWatchdog: (self._arm_watchdog, NONE),
            SetWallClock: (lambda message: board.rtc.set_s(message.wall_s), NONE),
            LowerGuard: (lambda message: self._guard.lower(message.hour, message.day), NONE),
        }
        """What to do with each message, and the interrupt that tells when the board refuses it."""
        line.connect(self._receive)
        board.install(lambda: self)

    # The controller of the emulated board

    def start(self) -> int:
        """Boot: wait for a controller to attach."""
        self._link.shut()
        for timer in (self._timer, self._dead_man, self._watchdog):
            timer.cancel()
        self._over(BoardCause.COMMANDED)
        self._cause = _CAUSES.get(self._board.watchdog.reset_cause(), self._cause)
        if self._cause is BoardCause.POWER_ON:
            self._guard = RateGuard()
        self._heard = False
        """The controller has been heard since its Attach."""
        self._tick_us = -1
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
        if self._session is None and interrupts & MOTOR_DONE:
            self._board.supply.cut()
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
            elif frame.type is FrameType.HAL_TIME:
                self._tick(frame)
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
            self._end(BoardCause.LINE)
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
            attach = codec.decode(Attach, frame.payload)
        except RemoteError:
            return
        if attach.session != self._session and attach.dictionary == DICTIONARY_ID:
            self._take_over(attach.session)
        flash = self._board.flash
        answer = Attached(
            session=attach.session,
            dictionary=DICTIONARY_ID,
            board_id=self._board_id,
            agent=AGENT,
            capabilities=_ALWAYS | (Capability.LEVEL if self._board.reservoir_sensor else 0),
            cause=self._cause,
            lookahead_us=LOOKAHEAD_US,
            guard_hour=self._guard.hour,
            guard_day=self._guard.day,
            flash_bytes=flash.size_bytes,
            sector_bytes=flash.sector_bytes,
            page_bytes=min(flash.page_bytes, FLASH_PAGE_MAX),
        )
        self._link.send_once(FrameType.HELLO_RSP, codec.encode(answer))

    def _take_over(self, session: int) -> None:
        """Reset the board and begin a session."""
        self._board.reset(ResetCause.COMMANDED)
        self._session = session
        self._link.restart()
        self._report_us = self._world.now_us
        self._dead_man.set(self._world.now_us + SILENCE_US)

    def _end(self, cause: BoardCause) -> None:
        """End the session: no further stroke, and no power once the one under way is finished."""
        if self._session is None or not self._board.powered:
            return
        self._world.record("agent", "SESSION_END", cause=cause.name)
        self._over(cause)
        self._link.shut()
        for timer in (self._timer, self._dead_man, self._watchdog):
            timer.cancel()
        self._board.motor.stop()
        if not self._board.motor.running:
            self._board.supply.cut()

    def _over(self, cause: BoardCause) -> None:
        """The session has ended. If it was heard of nothing but Attach, the cause stays."""
        if self._session is not None and self._heard:
            self._cause = cause
        self._session = None

    def _hear(self) -> None:
        """The controller lives."""
        self._heard = True
        self._dead_man.set(self._world.now_us + SILENCE_US)

    def _tick(self, frame: Frame) -> None:
        """Answer a Tick; an old one again is no sign of life."""
        try:
            message = board_messages.decode(frame.payload)
        except RemoteError:
            return
        if isinstance(message, Tick) and message.host_us > self._tick_us:
            self._tick_us = message.host_us
            self._hear()
            tock = Tock(message.host_us, self._board.clock.now_us())
            self._link.send_once(FrameType.HAL_TIME, board_messages.encode(tock))

    def _command(self, frame: Frame) -> None:
        self._hear()
        try:
            message = board_messages.decode(frame.payload)
            execute, refused = self._execute[type(message)]
        except (RemoteError, KeyError):
            self._end(BoardCause.LINE)
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
        now_us = self._world.now_us
        if not self._guard.allows(message.strokes, now_us):
            self._end(BoardCause.RATE_GUARD)
            return
        self._board.motor.dispense(message.strokes, message.interval_us)
        self._guard.count(message.strokes, now_us)

    def _switch_supply(self, message: SwitchSupply) -> None:
        if message.on:
            self._board.supply.enable()
        else:
            self._board.supply.cut()

    def _sound(self, message: Sound) -> None:
        if message.pattern in _PATTERNS:
            self._board.sounder.play(TonePattern(message.pattern))
        else:
            self._board.sounder.silence()

    def _arm_watchdog(self, message: ArmWatchdog) -> None:
        self._watchdog.set(self._world.now_us + message.within_us + WATCHDOG_BITE_US)

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
        board, sensor = self._board, self._board.reservoir_sensor
        return Report(
            interrupts=self._pending,
            executed=self._executed,
            board_us=board.clock.now_us(),
            commanded=board.motor.strokes_commanded(),
            moved=board.encoder.moved().value,
            supply_enabled=int(board.supply.enabled),
            field_present=int(board.telemetry.field_present),
            magnet=board.magnet.field_present().value,
            battery_present=int(board.battery.present()),
            rest_mv=board.battery.rest_mv().value,
            loaded_mv=board.battery.loaded_mv().value,
            wall_s=min(board.rtc.now_s(), _WALL_MAX_S),
            flash_crc=self._flash_crc,
            level_nl=NO_LEVEL if sensor is None else sensor.level_nl().value,
        )

    def _telemetry(self, message: Telemetry) -> None:
        try:
            self._to_radio += self._flow.receive(message)
        except RemoteError:
            self._end(BoardCause.LINE)

    def _telemetry_to_radio(self) -> None:
        taken = self._board.telemetry.write(bytes(self._to_radio))
        del self._to_radio[:taken]
        self._flow.taken += taken

    def _telemetry_from_radio(self) -> None:
        while self._link.room and (data := self._board.telemetry.read(self._flow.credit)):
            self._send(self._flow.message(data))
        if self._link.room and self._flow.news:
            self._send(self._flow.message(b""))
