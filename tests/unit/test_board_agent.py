"""The agent on its board, spoken to frame by frame: what it does once, and what it refuses."""

import itertools
from collections.abc import Callable

import pytest
from rig import PROFILE, setup

from emulator.board import EmulatedBoard
from emulator.board_agent import AGENT, LOOKAHEAD_US, BoardAgent
from emulator.board_line import DELAY_US, BoardLine
from emulator.devices.motor import STROKE
from emulator.trace import Trace
from emulator.world import World
from hal.interfaces import TonePattern
from hal.interrupts import FLASH_FAILED, LOW_VOLTAGE, MOTOR_DONE
from protocol import board_messages, codec
from protocol.board_link import BoardLink
from protocol.board_messages import (
    DICTIONARY_ID,
    NO_GUARD,
    TICK_INTERVAL_US,
    ArmLowVoltage,
    ArmWatchdog,
    Attach,
    Attached,
    BoardCause,
    Dispense,
    FlashErase,
    FlashProgram,
    LowerGuard,
    Report,
    SetWallClock,
    Sound,
    StopMotor,
    SwitchSupply,
    Tick,
    Tock,
)
from protocol.codec import Message
from protocol.framing import FrameType

INTERVAL_US = 100_000
SECOND_US = 1_000_000


class Controller:
    """The simplest other end: it writes messages, keeps the reports, and lives while it runs."""

    def __init__(self, seed: int = 1) -> None:
        self.world = World(seed)
        self.world.trace = self.trace = Trace(keep_max=100)
        self.board = EmulatedBoard(self.world, PROFILE, setup())
        self.line = BoardLine(self.world)
        BoardAgent(self.world, self.board, self.line)
        self.board.power_on()
        self.link = BoardLink(FrameType.HAL_CMD, FrameType.HAL_RSP)
        self.attached: list[Attached] = []
        self.reports: list[Report] = []
        self.tocks: list[Tock] = []
        self.tick_us: int | None = None
        """When the next Tick is due; None sends none."""

    def attach(self, session: int, dictionary: int = DICTIONARY_ID) -> None:
        self.tick_us = self.world.now_us
        self.link.send_once(FrameType.HELLO, codec.encode(Attach(session, dictionary)))
        self.run(10_000)

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.link.send(board_messages.encode(message))

    def run(self, for_us: int = 1_000_000) -> int:
        """Let time pass; return the interrupts of it."""
        first = len(self.reports)
        until_us = self.world.now_us + for_us
        while True:
            self._tick()
            self.line.write(self.link.outgoing(self.world.now_us))
            if self.world.now_us == until_us:
                break
            due = [t_us for t_us in (self.link.deadline_us, self.tick_us) if t_us is not None]
            self.line.wait(min(until_us, *due, until_us))
            self._take()
        bits = 0
        for report in self.reports[first:]:
            bits |= report.interrupts
        return bits

    @property
    def turned(self) -> int:
        return self.board.motor.position() // STROKE

    @property
    def boots(self) -> int:
        return sum(event["code"] == "BOOT" for event in self.trace.events)

    def _tick(self) -> None:
        if self.tick_us is not None and self.world.now_us >= self.tick_us:
            tick = board_messages.encode(Tick(self.world.now_us))
            self.link.send_once(FrameType.HAL_TIME, tick)
            self.tick_us = self.world.now_us + TICK_INTERVAL_US

    def _take(self) -> None:
        self.link.feed(self.line.read(4096), self.world.now_us)
        while frame := self.link.take():
            if frame.type is FrameType.HELLO_RSP:
                self.attached.append(codec.decode(Attached, frame.payload))
                if len(self.attached) == 1 or self.attached[-1] != self.attached[-2]:
                    self.link.restart()
            else:
                message = board_messages.decode(frame.payload)
                if isinstance(message, Report):
                    self.reports.append(message)
                elif isinstance(message, Tock):
                    self.tocks.append(message)


@pytest.fixture
def controller() -> Controller:
    controller = Controller()
    controller.attach(1)
    return controller


def test_a_board_without_a_controller_is_silent() -> None:
    controller = Controller()
    controller.run(10_000_000)
    assert not controller.attached
    assert not controller.reports


def test_attaching_tells_what_the_board_is(controller: Controller) -> None:
    (attached,) = controller.attached
    assert attached == Attached(
        session=1,
        dictionary=DICTIONARY_ID,
        board_id=attached.board_id,
        agent=AGENT,
        capabilities=31,
        cause=BoardCause.POWER_ON,
        lookahead_us=LOOKAHEAD_US,
        guard_hour=NO_GUARD,
        guard_day=NO_GUARD,
        flash_bytes=576 * 1024,
        sector_bytes=4096,
        page_bytes=128,
    )


def test_a_board_has_one_id_for_its_life_and_another_has_another() -> None:
    ids = []
    for seed in (1, 1, 2):
        controller = Controller(seed)
        controller.attach(1)
        ids.append(controller.attached[0].board_id)
    assert ids[0] == ids[1] != ids[2]


def test_a_controller_of_another_dictionary_is_answered_and_takes_nothing(
    controller: Controller,
) -> None:
    controller.send(SwitchSupply(1), Dispense(1, 5, INTERVAL_US))
    controller.run(250_000)
    boots = controller.boots
    controller.attach(2, dictionary=DICTIONARY_ID ^ 1)
    assert controller.attached[-1].session == 2
    assert controller.attached[-1].dictionary == DICTIONARY_ID
    assert controller.boots == boots
    assert controller.board.motor.running


def test_the_same_session_again_resets_nothing(controller: Controller) -> None:
    controller.send(SwitchSupply(1), Dispense(1, 5, INTERVAL_US))
    controller.run(250_000)
    boots = controller.boots
    controller.attach(1)
    controller.run()
    assert controller.boots == boots
    assert controller.turned == 5


def test_another_session_stops_the_motor_and_cuts_its_supply(controller: Controller) -> None:
    controller.send(SwitchSupply(1), Dispense(1, 5, INTERVAL_US))
    controller.run(250_000)
    controller.attach(2)
    controller.run()
    assert controller.turned == 2
    assert not controller.board.supply.enabled


@pytest.mark.parametrize("again", [1, 0])
def test_a_batch_number_that_does_not_rise_is_not_acted_on(
    controller: Controller, again: int
) -> None:
    controller.send(SwitchSupply(1), Dispense(1, 5, INTERVAL_US))
    controller.run()
    controller.send(Dispense(again, 5, INTERVAL_US))
    assert not controller.run() & MOTOR_DONE
    assert controller.turned == 5
    controller.send(Dispense(2, 3, INTERVAL_US))
    assert controller.run() & MOTOR_DONE
    assert controller.turned == 8


@pytest.mark.parametrize(
    "message",
    [
        Dispense(1, 3, LOOKAHEAD_US // 2),
        Dispense(1, 0, INTERVAL_US),
        Dispense(1, 1, 999),
    ],
    ids=["past the lookahead", "no strokes", "too fast"],
)
def test_a_batch_the_board_refuses_ends_at_once(controller: Controller, message: Dispense) -> None:
    controller.send(SwitchSupply(1), message)
    assert controller.run(10_000) & MOTOR_DONE
    controller.run(10_000_000)
    assert controller.turned == 0
    assert controller.reports[-1].commanded == 0


@pytest.mark.parametrize(
    "message",
    [FlashErase(1), FlashErase(576 * 1024), FlashProgram(0, b""), FlashProgram(255, b"ab")],
    ids=str,
)
def test_a_flash_operation_the_board_refuses_fails(
    controller: Controller, message: Message
) -> None:
    controller.send(message)
    assert controller.run() & FLASH_FAILED
    assert not controller.board.flash.busy


def test_it_reports_20_times_a_second_without_being_asked(controller: Controller) -> None:
    first = len(controller.reports)
    controller.run(1_000_000)
    reports = controller.reports[first:]
    assert len(reports) == 20
    gaps = {b.board_us - a.board_us for a, b in itertools.pairwise(reports)}
    assert gaps == {50_000}


def test_a_report_says_how_things_are(controller: Controller) -> None:
    board = controller.board
    controller.send(SetWallClock(86_400), SwitchSupply(1), Dispense(1, 4, INTERVAL_US))
    board.faults.inject("battery.drain", {"percent": 40})
    board.link.near_field = False
    controller.run(SECOND_US)
    report = controller.reports[-1]
    assert (report.commanded, report.moved, report.supply_enabled) == (4, 4, 1)
    assert (report.rest_mv, report.loaded_mv) == (
        board.battery.rest_mv().value,
        board.battery.loaded_mv().value,
    )
    assert (report.wall_s, report.battery_present) == (86_400, 1)
    assert (report.field_present, report.magnet) == (0, 0)
    board.faults.inject("magnet_field", {})
    controller.run(SECOND_US)
    assert (controller.reports[-1].magnet, controller.reports[-1].wall_s) == (1, 86_401)


def test_a_wall_clock_past_its_end_stands_still(controller: Controller) -> None:
    controller.send(SetWallClock(2**32 - 1))
    controller.run(3 * SECOND_US)
    assert controller.reports[-1].wall_s == 2**32 - 1


def test_a_low_voltage_is_told_when_it_was_asked_for(controller: Controller) -> None:
    threshold_mv = controller.board.battery.loaded_mv().value - 50
    controller.send(ArmLowVoltage(threshold_mv))
    assert not controller.run() & LOW_VOLTAGE
    controller.board.faults.inject("battery.drain", {"percent": 95})
    assert controller.run() & LOW_VOLTAGE


@pytest.mark.parametrize(
    ("pattern", "sounds"),
    [(1, TonePattern.CRITICAL), (2, TonePattern.NON_CRITICAL), (0, None), (77, None)],
)
def test_it_plays_the_patterns_there_are(
    controller: Controller, pattern: int, sounds: TonePattern | None
) -> None:
    controller.send(Sound(2), Sound(pattern))
    controller.run(10_000)
    assert controller.board.sounder.active is sounds


def test_a_tick_is_answered_at_once_with_both_clocks(controller: Controller) -> None:
    controller.run(SECOND_US)
    origin_us = controller.board.clock.boot_us
    assert len(controller.tocks) == 10 + 1  # and that of the attach
    for tock in controller.tocks:
        assert origin_us + tock.board_us == tock.host_us + DELAY_US


@pytest.mark.parametrize("payload", [b"", b"\x11", b"\x11\x01", b"\x0f\x00\x00\x00\x00", b"\xff"])
def test_a_time_frame_it_does_not_know_is_nothing(controller: Controller, payload: bytes) -> None:
    tocks = len(controller.tocks)
    controller.link.send_once(FrameType.HAL_TIME, payload)
    controller.tick_us = None
    controller.run(10_000)
    assert len(controller.tocks) == tocks
    assert len(controller.reports) > 0
    first = len(controller.reports)
    controller.run(100_000)
    assert len(controller.reports) > first


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        (lambda controller: controller.link.send(b"\xff"), BoardCause.LINE),
        (lambda controller: controller.send(ArmWatchdog(0)), BoardCause.WATCHDOG),
        (lambda controller: setattr(controller, "tick_us", None), BoardCause.SILENCE),
        (
            lambda controller: controller.send(LowerGuard(3, 100), Dispense(9, 4, INTERVAL_US)),
            BoardCause.RATE_GUARD,
        ),
        (lambda controller: controller.board.power_cut(1), BoardCause.POWER_ON),
        (lambda controller: None, BoardCause.COMMANDED),
    ],
    ids=lambda value: value.name if isinstance(value, BoardCause) else "",
)
def test_the_next_attach_is_told_why_the_session_ended(
    controller: Controller, how: Callable[[Controller], None], cause: BoardCause
) -> None:
    controller.run(SECOND_US)
    how(controller)
    controller.run(1_200_000)
    controller.attach(2)
    assert controller.attached[-1].cause is cause
    controller.attach(2)
    assert controller.attached[-1].cause is cause
    controller.attach(3)
    assert controller.attached[-1].cause is BoardCause.COMMANDED


def test_it_counts_what_it_has_executed(controller: Controller) -> None:
    controller.send(SwitchSupply(1), StopMotor())
    controller.run()
    assert controller.reports[-1].executed == 2


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\x02\x01", b"\x0b"])
def test_a_message_it_does_not_understand_ends_the_session(
    controller: Controller, payload: bytes
) -> None:
    controller.link.send(payload)
    controller.run(100_000)
    first = len(controller.reports)
    controller.run(1_000_000)
    assert len(controller.reports) == first


def test_it_gives_up_a_controller_that_does_not_acknowledge(controller: Controller) -> None:
    sizes: list[int] = []

    def pulled(data: bytes) -> bytes:
        sizes.append(len(data))
        return b""

    controller.line.spoil(to_host=pulled)
    controller.run(10_000_000)
    sent = sum(map(bool, sizes))
    controller.run(60_000_000)
    assert sum(map(bool, sizes)) == sent > 0
    controller.line.spoil()
    controller.attach(2)
    assert controller.attached[-1].cause is BoardCause.LINE


def test_a_board_without_power_says_nothing(controller: Controller) -> None:
    controller.board.power_cut(5_000_000)
    first = len(controller.reports)
    controller.run(1_000)  # what was on its way
    on_its_way = len(controller.reports) - first
    controller.run(10_000_000)
    assert len(controller.reports) == first + on_its_way
    controller.attach(2)
    assert controller.attached[-1].session == 2
