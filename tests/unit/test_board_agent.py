"""The agent on its board, spoken to frame by frame: what it does once, and what it refuses."""

import itertools

import pytest
from rig import PROFILE, setup

from emulator.board import EmulatedBoard
from emulator.board_agent import AGENT, LOOKAHEAD_US, BoardAgent
from emulator.board_line import BoardLine
from emulator.devices.motor import STROKE
from emulator.trace import Trace
from emulator.world import World
from hal.interrupts import FLASH_FAILED, MOTOR_DONE
from protocol import board_messages, codec
from protocol.board_link import BoardLink
from protocol.board_messages import (
    DICTIONARY_ID,
    NO_GUARD,
    TICK_INTERVAL_US,
    Attach,
    Attached,
    BoardCause,
    Dispense,
    FlashErase,
    FlashProgram,
    Report,
    StopMotor,
    SwitchSupply,
    Tick,
    Tock,
)
from protocol.codec import Message
from protocol.framing import FrameType

INTERVAL_US = 100_000


class Controller:
    """The simplest other end: it writes messages, keeps the reports, and lives while it runs."""

    def __init__(self) -> None:
        self.world = World(1)
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

    def attach(self, session: int) -> None:
        self.tick_us = self.world.now_us
        self.link.send_once(FrameType.HELLO, codec.encode(Attach(session, DICTIONARY_ID)))
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
