"""The controller's loop on a board at the end of a line, in virtual time."""

from collections.abc import Callable

import pytest
from nurse import START_WALL_S
from rig import PROFILE, setup
from serial_rig import lose

from emulator.board import EmulatedBoard
from emulator.board_agent import BoardAgent
from emulator.board_line import BoardLine
from emulator.devices import flash
from emulator.world import World
from hal.errors import HalLost, HalMismatch
from hal.interfaces import ResetCause
from protocol.codes import Code
from tools.serial_pump import RETRY_MAX_US, WALL_EARLIEST_S, SerialPump, rate_guard

SECOND_US = 1_000_000


class Line(BoardLine):
    """A line that can be unplugged."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.opened = 0
        self.refuse_opens = 0
        self.unplugged = False

    def open(self) -> None:
        if self.refuse_opens:
            self.refuse_opens -= 1
            raise HalLost("port line: no such file or directory")
        self.opened += 1
        self.unplugged = False

    def read(self, max_bytes: int) -> bytes:
        if self.unplugged:
            raise HalLost("port line: unplugged")
        return super().read(max_bytes)


class Rig:
    """A pump, its board in the same world, and what its loop says."""

    def __init__(self, wall_s: int = START_WALL_S, seed: int = 1) -> None:
        self.world = World(seed)
        self.line = Line(self.world)
        self.new_board(wall_s)
        self.slept: list[float] = []
        self.notes: list[str] = []
        self.looks: list[int] = []
        self.look: Callable[[], None] = lambda: None
        self.pump = SerialPump(
            self.line,
            PROFILE.device,
            wall_s=lambda: START_WALL_S,
            random_bits=lambda bits: 7,
            sleep=self._sleep,
        )

    def new_board(self, wall_s: int = START_WALL_S) -> None:
        self.emulated = EmulatedBoard(self.world, PROFILE, setup(start_wall_s=wall_s))
        BoardAgent(self.world, self.emulated, self.line)
        self.emulated.power_on()

    def run(self, for_us: int, period_us: int = SECOND_US) -> None:
        until_us = self.world.now_us + for_us
        self.pump.run(until_us, period_us, self._looked, self.notes.append)

    def _looked(self) -> None:
        self.looks.append(self.world.now_us)
        self.look()

    def _sleep(self, for_s: float) -> None:
        self.slept.append(for_s)
        self.world.run_until(self.world.now_us + int(for_s * 1e6))

    @property
    def alarms(self) -> set[Code]:
        assert self.pump.firmware is not None
        return {alarm.code for alarm in self.pump.firmware.status().alarms}


# --- the guard ----------------------------------------------------------------------------------


def test_the_guard_is_what_the_pump_model_can_owe() -> None:
    hour, day = rate_guard(PROFILE.device)
    # 1 mL/h in strokes of 250 nL: 4000 an hour, of 61 min, and a quantum of 40.
    assert hour == 4066 + 1 + 40
    assert day == 97_000 + 1 + 40


def test_the_board_gets_the_guard_at_every_attach() -> None:
    rig = Rig()
    rig.pump.attach()
    rig.run(SECOND_US)
    rig.pump.attach()
    told = rig.pump.identity
    assert (told.guard_hour, told.guard_day) == rate_guard(PROFILE.device)


# --- attach -------------------------------------------------------------------------------------


def test_a_board_without_a_wall_clock_gets_the_host_s() -> None:
    rig = Rig(wall_s=WALL_EARLIEST_S - 100)
    rig.pump.attach()
    rig.run(2_500_000)
    assert rig.emulated.rtc.now_s() == START_WALL_S + 2
    assert rig.pump.firmware is not None
    assert rig.pump.firmware.device().implanted_wall_s == START_WALL_S


def test_a_board_with_a_wall_clock_keeps_it() -> None:
    rig = Rig(wall_s=START_WALL_S + 5000)
    rig.pump.attach()
    rig.run(SECOND_US)
    assert rig.emulated.rtc.now_s() == START_WALL_S + 5001


def test_a_first_attach_without_a_board_is_lost() -> None:
    rig = Rig()
    rig.line.spoil(lose, lose)
    with pytest.raises(HalLost, match="no board answered"):
        rig.pump.attach()
    assert rig.pump.firmware is None


# --- the loop -----------------------------------------------------------------------------------


def test_the_loop_ends_on_time_and_looks_at_every_period() -> None:
    rig = Rig()
    rig.pump.attach()
    from_us = rig.world.now_us
    rig.run(5 * SECOND_US)
    assert rig.world.now_us == from_us + 5 * SECOND_US
    assert rig.looks == [from_us + second * SECOND_US for second in range(5)]
    assert rig.notes == []


def test_a_lost_line_is_opened_again_with_a_longer_pause_each_time() -> None:
    rig = Rig()
    rig.pump.attach()
    before = rig.pump.firmware

    def unplug() -> None:
        if len(rig.looks) == 2:
            rig.line.unplugged = True
            rig.line.refuse_opens = 7

    rig.look = unplug
    rig.run(20 * SECOND_US)
    assert rig.notes == ["board lost: port line: unplugged", "board back: LINK_LOST"]
    assert rig.slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, RETRY_MAX_US / SECOND_US]
    assert rig.line.opened == 1
    assert rig.pump.firmware is not before
    assert rig.alarms == {Code.BOARD_LINK_LOST}
    assert len(rig.looks) > 10


def test_the_time_may_be_over_while_the_board_is_lost() -> None:
    rig = Rig()
    rig.pump.attach()
    rig.line.unplugged = True
    rig.line.refuse_opens = 10**6
    rig.run(10 * SECOND_US)
    assert rig.pump.firmware is None
    assert rig.notes == ["board lost: port line: unplugged"]
    assert 10 <= sum(rig.slept) <= 11


def test_another_board_ends_the_loop() -> None:
    rig = Rig()
    rig.pump.attach()
    before = rig.pump.identity.board_id

    def swap() -> None:
        if len(rig.looks) == 2:
            rig.world.seed += 1
            rig.new_board()

    rig.look = swap
    with pytest.raises(HalMismatch, match=f"not {before:016x}"):
        rig.run(20 * SECOND_US)
    assert rig.pump.firmware is None


def test_a_board_whose_flash_does_not_fit_is_a_mismatch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash, "SIZE_BYTES", 2 * flash.SECTOR_BYTES)
    rig = Rig()
    with pytest.raises(HalMismatch, match="flash needs sectors"):
        rig.pump.attach()


def test_sessions_in_a_row_differ_though_chance_repeats() -> None:
    rig = Rig()
    rig.pump.attach()
    first = rig.pump.identity.session
    rig.pump.attach()
    assert rig.pump.identity.session != first
    assert rig.pump.board.watchdog.reset_cause() is ResetCause.COMMANDED
