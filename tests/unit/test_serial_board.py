"""A board at the far end of a line that loses, damages and repeats: judged by the rotor."""

import dataclasses
import random
from collections.abc import Callable
from typing import Final

import pytest
from serial_rig import INTERVAL_US, SECOND_US, SerialRig, drop, lose, twice

from emulator.board_line import DELAY_US
from emulator.profile import Profile
from hal.interfaces import TonePattern
from hal.interrupts import ENCODER_LIMIT, FLASH_DONE, FLASH_FAILED, MOTOR_DONE, TELEMETRY_RX
from hal.serial_board import SerialBoard
from hal.serial_board.sensors import SerialReservoirSensor
from protocol.board_link import REPEAT_US
from protocol.board_messages import NO_LEVEL, Report

CALLS: Final[dict[str, Callable[[SerialBoard], object]]] = {
    "clock.now_us": lambda board: board.clock.now_us(),
    "motor.lookahead_us": lambda board: board.motor.lookahead_us,
    "motor.running": lambda board: board.motor.running,
    "motor.dispense": lambda board: board.motor.dispense(1, INTERVAL_US),
    "motor.stop": lambda board: (board.motor.dispense(1, INTERVAL_US), board.motor.stop()),
    "motor.strokes_commanded": lambda board: board.motor.strokes_commanded(),
    "encoder.moved": lambda board: board.encoder.moved(),
    "encoder.arm": lambda board: board.encoder.arm(1),
    "supply.enabled": lambda board: board.supply.enabled,
    "supply.enable": lambda board: board.supply.enable(),
    "supply.cut": lambda board: board.supply.cut(),
    "flash.size_bytes": lambda board: board.flash.size_bytes,
    "flash.read": lambda board: board.flash.read(0, 100),
    "flash.program": lambda board: board.flash.program(0, b"a"),
    "flash.erase": lambda board: board.flash.erase(0),
    "rtc.now_s": lambda board: board.rtc.now_s(),
    "rtc.set_s": lambda board: board.rtc.set_s(1),
    "battery.rest_mv": lambda board: board.battery.rest_mv(),
    "battery.loaded_mv": lambda board: board.battery.loaded_mv(),
    "battery.present": lambda board: board.battery.present(),
    "battery.arm_low_voltage": lambda board: board.battery.arm_low_voltage(2000),
    "magnet.field_present": lambda board: board.magnet.field_present(),
    "sounder.play": lambda board: board.sounder.play(TonePattern.CRITICAL),
    "sounder.silence": lambda board: board.sounder.silence(),
    "entropy.read": lambda board: board.entropy.read(16),
    "watchdog.arm": lambda board: board.watchdog.arm(SECOND_US),
    "watchdog.reset_cause": lambda board: board.watchdog.reset_cause(),
    "line": lambda board: board.line,
    "telemetry.field_present": lambda board: board.telemetry.field_present,
    "telemetry.read": lambda board: board.telemetry.read(100),
    "telemetry.write": lambda board: board.telemetry.write(b"abc"),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_call_touches_the_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = SerialRig()
    touched: list[str] = []
    for method in ("read", "write", "wait"):
        monkeypatch.setattr(rig.line, method, lambda *_, method=method: touched.append(method))
    now_us = rig.world.now_us
    CALLS[name](rig.board)
    assert touched == []
    assert rig.world.now_us == now_us


# --- each batch acts once ---


def test_a_batch_repeated_on_the_line_acts_once() -> None:
    rig = SerialRig()
    rig.line.spoil(twice, twice)
    rig.deliver(5)
    assert rig.run(3 * SECOND_US) == []
    assert rig.turned == rig.board.encoder.moved().value == 5


def test_a_lost_batch_is_repeated_and_acts_once() -> None:
    rig = SerialRig()
    rig.line.spoil(to_board=drop(1))
    start_us = rig.board.clock.now_us()
    late_us = rig.deliver(5) - start_us - 5 * INTERVAL_US
    assert REPEAT_US < late_us < 2 * REPEAT_US
    assert rig.run(3 * SECOND_US) == []
    assert rig.turned == 5


def test_a_batch_whose_confirmation_is_lost_acts_once() -> None:
    rig = SerialRig()
    rig.line.spoil(to_host=drop(8))
    rig.deliver(5)
    assert rig.run(3 * SECOND_US) == []
    assert rig.turned == rig.board.encoder.moved().value == 5


def test_a_line_that_stalls_for_200_ms_loses_nothing() -> None:
    rig = SerialRig()
    rig.board.supply.enable()
    rig.board.motor.dispense(5, INTERVAL_US)
    rig.run(INTERVAL_US)
    rig.line.spoil(lose, lose)
    rig.run(200_000)
    rig.line.spoil()
    rig.wait(MOTOR_DONE)
    assert rig.turned == rig.board.encoder.moved().value == 5


@pytest.mark.parametrize("seed", range(5))
def test_batches_over_a_noisy_line_deliver_every_stroke_once(seed: int) -> None:
    rig = SerialRig(seed)
    rig.noise(300_000)  # 3e-4: one frame in eight is damaged
    rng = random.Random(seed)
    total = 0
    for _ in range(40):
        strokes = rng.randrange(1, 16)
        rig.deliver(strokes)
        total += strokes
        assert rig.turned == rig.board.encoder.moved().value == total
        assert rig.board.motor.strokes_commanded() == total
    assert rig.run(3 * SECOND_US) == []


def test_the_same_seed_gives_the_same_run() -> None:
    def run() -> tuple[str, int]:
        rig = SerialRig(3)
        rig.noise(300_000)
        for strokes in range(1, 10):
            rig.deliver(strokes)
        return rig.trace.sha256(), rig.world.now_us

    assert run() == run()


def test_noise_between_the_frames_is_nothing() -> None:
    rig = SerialRig()
    rig.line.spoil(lambda data: b"\x55\x00noise" + data, lambda data: b"\xff\x00\x00" + data)
    rig.deliver(5)
    assert rig.turned == 5


def test_bytes_may_come_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that takes three bytes, and has room for more 260 us later."""
    rig = SerialRig()
    read, write, wait = rig.line.read, rig.line.write, rig.line.wait
    monkeypatch.setattr(rig.line, "read", lambda max_bytes: read(1))
    monkeypatch.setattr(rig.line, "write", lambda data: write(data[:3]))
    monkeypatch.setattr(
        rig.line, "wait", lambda until_us: wait(min(until_us, rig.world.now_us + 260))
    )
    rig.deliver(5)
    assert rig.turned == 5


# --- what the controller reads ---


def test_a_sample_is_stamped_within_one_way_of_the_line() -> None:
    rig = SerialRig()
    rig.board.supply.enable()
    rig.board.motor.dispense(200, 10_000)
    boot_us = rig.world.now_us - rig.board.clock.now_us()
    for _ in range(40):
        rig.run(41_000)
        moved = rig.board.encoder.moved()
        stamp_us = boot_us + moved.taken_us
        before, after = (
            rig.emulated.motor.position_before(at_us) // 1_000_000
            for at_us in (stamp_us - DELAY_US, stamp_us)
        )
        assert before <= moved.value <= after
        assert rig.world.now_us - stamp_us <= 50_000 + DELAY_US


def test_a_supply_that_the_encoder_has_cut_reads_as_cut() -> None:
    rig = SerialRig()
    rig.board.encoder.arm(2)
    rig.board.supply.enable()
    rig.board.motor.dispense(10, INTERVAL_US)
    assert rig.board.supply.enabled
    rig.wait(ENCODER_LIMIT)
    assert not rig.board.supply.enabled
    rig.wait(MOTOR_DONE)
    assert rig.turned == 3


def test_a_report_from_before_a_command_does_not_undo_it() -> None:
    rig = SerialRig()
    rig.line.spoil(to_board=drop(1))  # the command; reports go on meanwhile
    rig.board.supply.enable()
    for _ in range(30):
        rig.run(10_000)
        assert rig.board.supply.enabled
    assert rig.emulated.supply.enabled


def test_an_interrupt_comes_with_its_own_samples() -> None:
    rig = SerialRig()
    for batch in range(1, 6):
        rig.deliver(3)
        assert rig.board.motor.strokes_commanded() == 3 * batch


# --- flash ---


def test_the_mirror_holds_what_the_flash_held() -> None:
    rig = SerialRig(attach=False)
    flash, rng = rig.emulated.flash, random.Random(1)
    for address in (0, 256, 4096 + 512, 8 * 4096, flash.size_bytes - 256):
        flash.program(address, rng.randbytes(256))
        rig.world.run_until(rig.world.now_us)
    flash.program(20 * 4096 + 77, b"\x00")
    rig.world.run_until(rig.world.now_us)
    rig.board.attach(1)
    size = flash.size_bytes
    assert rig.board.flash.read(0, size) == flash.read(0, size)


def test_the_mirror_follows_what_is_written_over_a_noisy_line() -> None:
    rig = SerialRig()
    rig.noise(300_000)
    flash, rng = rig.board.flash, random.Random(1)
    for _ in range(60):
        address = rng.randrange(0, 4 * 4096, 32)
        if rng.random() < 0.2:
            flash.erase(address - address % flash.sector_bytes)
        else:
            flash.program(address, rng.randbytes(rng.randrange(1, 33)))
        rig.wait(FLASH_DONE)
    assert flash.read(0, flash.size_bytes) == rig.emulated.flash.read(0, flash.size_bytes)


def test_a_program_that_left_something_else_has_failed() -> None:
    rig = SerialRig()
    rig.emulated.flash.flip_bit(1, 0)  # a bit that reads 0 where the mirror has 1
    rig.board.flash.program(0, b"\xa1\xa1")
    rig.wait(FLASH_FAILED)
    assert rig.run(SECOND_US) == []
    assert not rig.board.flash.busy
    assert rig.board.flash.read(0, 2) == b"\xff\xff"


# --- telemetry ---


@pytest.mark.parametrize("ber_ppb", [0, 100_000])  # at 3e-4 a line as busy as this breaks down
def test_telemetry_passes_both_ways_through_small_queues(ber_ppb: int) -> None:
    rig = SerialRig()
    if ber_ppb:
        rig.noise(ber_ppb)
    rng = random.Random(1)
    up, down = rng.randbytes(20_000), rng.randbytes(20_000)
    unsent_up, unsent_down, got_up, got_down = up, down, b"", b""
    telemetry, radio = rig.board.telemetry, rig.emulated.link
    while len(got_up) < len(up) or len(got_down) < len(down):
        unsent_up = unsent_up[telemetry.write(unsent_up) :]
        unsent_down = unsent_down[radio.host_write(unsent_down[:500]) :]
        rig.run(5_000)
        got_up += radio.host_read()
        got_down += telemetry.read(rng.randrange(700))
        assert rig.world.now_us < 600 * SECOND_US
    assert (got_up, got_down) == (up, down)


def test_telemetry_that_nobody_reads_holds_nothing_else_up() -> None:
    rig = SerialRig()
    rig.emulated.link.host_write(bytes(range(256)) * 40)
    rig.wait(TELEMETRY_RX)
    start_us = rig.board.clock.now_us()
    assert rig.deliver(5) <= start_us + 5 * INTERVAL_US + 2 * DELAY_US
    got = b""
    while part := rig.board.telemetry.read(1000):
        got += part
        rig.run(10_000)
    assert got == bytes(range(256)) * 40


# --- level sensor ---


def test_a_level_sensor_is_there_once_the_board_has_said_so() -> None:
    rig = SerialRig(profile=Profile.load("sensed-40"))
    sensor = rig.board.reservoir_sensor
    assert sensor is not None
    rig.emulated.plant.refill(12_340_000_000, ())
    rig.run(200_000)
    assert sensor.level_nl().value == 12_300_000
    assert rig.board.clock.now_us() - sensor.level_nl().taken_us <= 100_000
    rig.board.attach(2)
    assert rig.board.reservoir_sensor is sensor


def test_a_board_without_a_level_sensor_has_none() -> None:
    rig = SerialRig()
    assert rig.board.reservoir_sensor is None
    assert SerialBoard(rig.line).reservoir_sensor is None


def test_a_level_that_cannot_be_read_is_the_last_one_and_older() -> None:
    sensor = SerialReservoirSensor()
    report = Report(0, 0, 0, 0, 0, 0, 0, 0, 1, 3600, 3400, 0, 0, level_nl=7)
    sensor.reported(report, 10)
    sensor.reported(dataclasses.replace(report, level_nl=NO_LEVEL), 20)
    assert sensor.level_nl() == (7, 10)
