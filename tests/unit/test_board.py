"""The board: how the controller is woken, and what survives what."""

import json
from collections.abc import Callable

import pytest
from rig import BACLOFEN, DAY_US, HOUR_US, ML_PL, PROFILE, SECOND_US, STROKE_PL, Rig, setup

from emulator.board import EmulatedBoard
from emulator.trace import Trace
from emulator.world import World
from hal.board import Board
from hal.errors import HalUsageError
from hal.interfaces import ResetCause, TonePattern
from hal.interrupts import FLASH_DONE, MOTOR_DONE, TELEMETRY_RX

NEVER_US = 10_000 * DAY_US


class Script:
    """A controller that does what each test tells it, and remembers how it was called."""

    def __init__(self, board: EmulatedBoard) -> None:
        self.board = board
        self.calls: list[tuple[int, int]] = []
        self.at_start: Callable[[], int] = lambda: NEVER_US
        self.at_service: Callable[[int], int] = lambda interrupts: NEVER_US
        self.boots: list[ResetCause] = []

    def start(self) -> int:
        self.boots.append(self.board.watchdog.reset_cause())
        return self.at_start()

    def service(self, interrupts: int) -> int:
        self.calls.append((self.board.clock.now_us(), interrupts))
        return self.at_service(interrupts)


def _scripted() -> tuple[World, EmulatedBoard, Script]:
    world = World(1)
    board = EmulatedBoard(world, PROFILE, setup())
    script = Script(board)
    board.install(lambda: script)
    return world, board, script


def test_the_emulated_board_is_a_board() -> None:
    board: Board = _scripted()[1]
    assert board.clock.now_us() == 0


def test_the_controller_is_called_at_its_deadlines() -> None:
    world, board, script = _scripted()
    script.at_start = lambda: 100
    script.at_service = lambda _: script.calls[-1][0] + 250
    board.power_on()
    world.run_until(900)
    assert script.calls == [(100, 0), (350, 0), (600, 0), (850, 0)]


def test_an_interrupt_wakes_the_controller_at_its_instant() -> None:
    world, board, script = _scripted()
    board.power_on()
    board.motor.dispense(1, 5_000)
    world.run_until(DAY_US)
    assert script.calls == [(5_000, MOTOR_DONE)]


def test_interrupts_of_one_instant_come_together() -> None:
    world, board, script = _scripted()
    board.power_on()
    board.motor.dispense(1, 5_000)
    world.run_until(4_999)
    world.timer(lambda: board.link.host_write(b"a") and None).set(5_000)
    world.run_until(DAY_US)
    assert script.calls == [(5_000, MOTOR_DONE | TELEMETRY_RX)]


def test_a_chain_of_flash_operations_takes_no_time() -> None:
    world, board, script = _scripted()
    left = iter(range(5))

    def program_next(_: int) -> int:
        for page in left:
            board.flash.program(page * 256, b"x")
            break
        return NEVER_US

    script.at_start = lambda: program_next(0)
    script.at_service = program_next
    board.power_on()
    world.run_until(0)
    assert script.calls == [(0, FLASH_DONE)] * 5


def test_an_interrupt_raised_within_service_is_not_lost() -> None:
    world, board, script = _scripted()

    def stop_a_batch(interrupts: int) -> int:
        if not interrupts:
            board.motor.dispense(1, 10_000)
            board.motor.stop()
        return NEVER_US

    script.at_start = lambda: 100
    script.at_service = stop_a_batch
    board.power_on()
    world.run_until(DAY_US)
    assert script.calls == [(100, 0), (100, MOTOR_DONE)]


def test_a_controller_that_never_sleeps_is_an_error() -> None:
    world, board, script = _scripted()
    script.at_service = lambda _: 0
    script.at_start = lambda: 0
    board.power_on()
    with pytest.raises(RuntimeError, match="never sleeps"):
        world.run_until(1)


def test_a_controller_that_breaks_its_own_watchdog_is_reset() -> None:
    world, board, script = _scripted()

    def arm_short(_: int = 0) -> int:
        board.watchdog.arm(board.clock.now_us() + 5 * SECOND_US)
        return board.clock.now_us() + HOUR_US

    script.at_start = arm_short
    board.power_on()
    world.run_until(20 * SECOND_US)
    bites = [ResetCause.WATCHDOG] * 3  # at 6, 12 and 18 s
    assert script.boots == [ResetCause.POWER_ON, *bites]
    assert board.clock.now_us() == 2 * SECOND_US


def test_each_boot_makes_a_new_controller() -> None:
    world = World(1)
    board = EmulatedBoard(world, PROFILE, setup())
    made: list[Script] = []

    def boot() -> Script:
        made.append(Script(board))
        return made[-1]

    board.install(boot)
    board.power_on()
    world.run_until(77)
    board.reset(ResetCause.COMMANDED)
    board.link.host_write(b"a")
    world.run_until(99)
    assert [script.calls for script in made] == [[], [(0, TELEMETRY_RX)]]


def test_a_reset_within_service_ends_that_life() -> None:
    world, board, script = _scripted()

    def reset_once(_: int) -> int:
        if len(script.boots) == 1:
            board.reset(ResetCause.COMMANDED)
        return 200

    script.at_start = lambda: 100
    script.at_service = reset_once
    board.power_on()
    world.run_until(150)
    assert (script.boots, script.calls) == ([ResetCause.POWER_ON, ResetCause.COMMANDED], [(100, 0)])
    world.run_until(200)
    assert script.calls[1:] == [(100, 0)]  # the second life's own first deadline


def test_a_power_cut_is_dark_until_power_comes_back() -> None:
    world, board, script = _scripted()
    script.at_service = lambda _: board.clock.now_us() + SECOND_US
    script.at_start = lambda: SECOND_US
    board.power_on()
    world.run_until(3 * SECOND_US)
    board.power_cut(HOUR_US)
    board.link.host_write(b"lost")
    world.run_until(HOUR_US + 3 * SECOND_US - 1)
    assert len(script.calls) == 3
    assert not board.powered
    world.run_until(HOUR_US + 4 * SECOND_US)
    assert script.boots == [ResetCause.POWER_ON] * 2
    assert script.calls[3:] == [(SECOND_US, 0)]


def test_a_power_cut_within_service_ends_that_life() -> None:
    world, board, script = _scripted()

    def cut_once(_: int) -> int:
        board.power_cut(50)
        return 200

    script.at_start = lambda: 100
    script.at_service = cut_once
    board.power_on()
    world.run_until(149)
    assert len(script.calls) == 1
    world.run_until(150)
    assert script.boots == [ResetCause.POWER_ON] * 2


def test_an_installed_controller_is_the_one_that_waits() -> None:
    _, board, _ = _scripted()
    board.power_on()
    with pytest.raises(HalUsageError):
        board.wait_for_interrupt(100)


def test_the_wall_clock_runs_through_a_power_cut() -> None:
    rig = Rig(setup(start_wall_s=1000))
    rig.board.power_cut(60 * SECOND_US)
    rig.world.run_until(60 * SECOND_US)
    assert rig.board.rtc.now_s() == 1060


def _lived() -> Rig:
    """Return a board with a past: delivery, refill, flash, faults, a part of a stroke."""
    rig = Rig(setup(path="saline", flow_bias_ppm=10_000, start_wall_s=86_400))
    rig.pump(1500)
    rig.plant.refill(20 * ML_PL, (BACLOFEN,))
    rig.pump(100)
    rig.board.flash.program(0, b"record")
    rig.run(0)
    rig.board.entropy.read(11)
    rig.board.sounder.play(TonePattern.CRITICAL)
    rig.board.faults.inject("battery.drain", {"percent": 20})
    rig.board.faults.inject("link.noise", {"ber": "0.25"}, HOUR_US)
    rig.board.motor.dispense(4, SECOND_US)
    rig.run(7 * SECOND_US // 4)
    return rig


def _restored(rig: Rig) -> Rig:
    other = Rig.__new__(Rig)
    other.world = World(1)
    other.board = EmulatedBoard(other.world, PROFILE, setup())
    other.plant = other.board.plant
    other.board.restore(json.loads(json.dumps(rig.board.save())))
    other.board.power_on()
    return other


def test_a_saved_board_comes_back_as_it_was() -> None:
    rig = _lived()
    other = _restored(rig)
    assert other.world.now_us == rig.world.now_us
    assert other.board.save() == rig.board.save()
    assert other.board.rtc.now_s() == rig.board.rtc.now_s()
    assert other.board.encoder.moved().value == rig.board.encoder.moved().value == 1601
    assert other.plant.delivered_pl == rig.plant.delivered_pl
    assert other.plant.tip_pg("baclofen") == rig.plant.tip_pg("baclofen") > 0
    assert other.board.battery.left_nah == rig.board.battery.left_nah
    assert other.board.entropy.read(8) == rig.board.entropy.read(8)
    assert other.board.faults.active() == rig.board.faults.active()


def test_a_restored_board_boots_as_after_a_commanded_reset() -> None:
    other = _restored(_lived())
    assert other.board.watchdog.reset_cause() is ResetCause.COMMANDED
    assert other.board.clock.now_us() == 0
    assert not other.board.supply.enabled
    assert not other.board.motor.running


def test_a_restored_board_goes_on_like_the_one_that_was_reset() -> None:
    rig = _lived()
    other = _restored(rig)
    rig.board.reset(ResetCause.COMMANDED)
    for each in (rig, other):
        each.pump(777)
        each.world.run_until(each.world.now_us + DAY_US)
        assert each.plant.ledger_violations() == []
    assert other.board.save() == rig.board.save()
    assert other.plant.delivered_pl > 2000 * STROKE_PL


@pytest.mark.parametrize("field_us", [None, HOUR_US])
def test_a_held_rotor_is_held_after_a_restore(field_us: int | None) -> None:
    rig = Rig()
    rig.board.faults.inject("magnet_field", {"recovery": 10 * HOUR_US}, field_us)
    rig.run(2 * HOUR_US)
    other = _restored(rig)
    assert other.board.magnet.present is (field_us is None)
    other.pump(1)
    assert other.plant.delivered_pl == 0
    if field_us is None:
        other.board.faults.clear("magnet_field")
    other.world.run_until(10 * HOUR_US)
    other.pump(1)
    assert other.plant.delivered_pl == STROKE_PL


def test_a_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 99"):
        Rig().board.restore({"version": 99})


def test_two_runs_of_one_seed_are_one_trace() -> None:
    hashes = set()
    for _ in range(2):
        world = World(1)
        trace = world.trace = Trace(keep_max=100)
        board = EmulatedBoard(world, PROFILE, setup())
        board.power_on()
        board.supply.enable()
        board.motor.dispense(3, SECOND_US)
        board.faults.inject("magnet_field", {"recovery": HOUR_US}, SECOND_US)
        world.run_until(2 * HOUR_US)
        board.reset(ResetCause.COMMANDED)
        hashes.add(trace.sha256())
        codes = [event["code"] for event in trace.events]
    assert len(hashes) == 1
    assert codes == ["FILL", "BOOT", "SUPPLY_ON", "INJECTED", "CLEARED", "ROTOR_FREE", "BOOT"]


def test_starts_of_tones_are_counted_for_the_life_of_the_pump() -> None:
    board = Rig().board
    for pattern in (TonePattern.CRITICAL, TonePattern.NON_CRITICAL, TonePattern.CRITICAL):
        board.sounder.play(pattern)
    board.reset(ResetCause.COMMANDED)
    assert board.sounder.starts == {TonePattern.CRITICAL: 2, TonePattern.NON_CRITICAL: 1}
