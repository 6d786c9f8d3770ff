"""A serial board that is lost, and attached again: judged by the rotor."""

import pytest
from serial_rig import INTERVAL_US, SECOND_US, SerialRig, drop, lose, twice

from emulator.board_line import DELAY_US
from hal.errors import HalLost
from hal.serial_board import SerialBoard
from hal.serial_board.link import COMMANDS_MAX, LOST_US
from protocol.framing import Frame, FrameType, encode

# --- loss ---


def test_a_pulled_cable_is_noticed_and_the_motor_ends_by_the_dead_man() -> None:
    rig = SerialRig()
    rig.board.supply.enable()
    rig.board.motor.dispense(20, INTERVAL_US)
    rig.run(SECOND_US)
    rig.line.spoil(lose, lose)
    pulled_us = rig.world.now_us
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    assert rig.world.now_us - pulled_us <= LOST_US + DELAY_US
    assert not rig.emulated.motor.running
    assert not rig.emulated.supply.enabled
    rig.world.run_until(rig.world.now_us + 60 * SECOND_US)
    assert rig.turned == 15


def test_a_lost_board_takes_no_command_until_it_is_attached_again() -> None:
    rig = SerialRig()
    rig.deliver(4)
    rig.line.spoil(lose, lose)
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    for command in (
        lambda: rig.board.motor.dispense(1, INTERVAL_US),
        rig.board.supply.cut,
        lambda: rig.board.encoder.arm(1),
        lambda: rig.board.flash.erase(0),
        lambda: rig.board.wait_for_interrupt(0),
    ):
        with pytest.raises(HalLost):
            command()
    rig.line.spoil()
    rig.board.attach(2)
    assert rig.board.encoder.moved().value == 4
    rig.deliver(3)
    assert rig.turned == rig.board.encoder.moved().value == 7


def test_commands_that_never_get_through_are_noticed_too() -> None:
    rig = SerialRig()
    rig.line.spoil(to_board=lose)
    rig.board.supply.enable()
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    assert not rig.emulated.supply.enabled


def test_a_board_that_lost_its_power_is_noticed() -> None:
    rig = SerialRig()
    rig.emulated.power_cut(SECOND_US)
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    rig.board.attach(2)
    assert rig.board.encoder.moved().value == 0


def test_a_controller_that_was_busy_for_400_ms_has_not_lost_its_board() -> None:
    rig = SerialRig()
    rig.run(SECOND_US)
    rig.world.run_until(rig.world.now_us + 400_000)
    rig.deliver(5)
    assert rig.turned == 5


def test_commands_without_a_wait_have_an_end() -> None:
    rig = SerialRig()
    for _ in range(COMMANDS_MAX):
        rig.board.encoder.arm(5)
    with pytest.raises(HalLost):
        rig.board.encoder.arm(5)


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"\x03", b"\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00"]
)
def test_a_board_that_talks_nonsense_is_given_up(payload: bytes) -> None:
    rig = SerialRig()
    forged = [encode(Frame(FrameType.HAL_RSP, 8, 0, seq, 0, payload)) for seq in range(256)]
    rig.line.spoil(to_host=lambda data: b"".join(forged))
    with pytest.raises(HalLost):
        rig.run(SECOND_US)


# --- attaching ---


def test_nothing_works_before_attaching() -> None:
    rig = SerialRig(attach=False)
    with pytest.raises(HalLost):
        rig.board.motor.dispense(1, INTERVAL_US)
    with pytest.raises(HalLost):
        rig.board.wait_for_interrupt(SECOND_US)


def test_attaching_over_a_noisy_line_resets_the_board_once() -> None:
    rig = SerialRig(attach=False)
    boots = len(rig.trace.events)
    rig.line.spoil(twice, drop(2))
    rig.board.attach(1)
    assert [event["code"] for event in rig.trace.events[boots:]] == ["BOOT"]
    rig.deliver(5)
    assert rig.turned == 5


def test_a_line_with_nobody_at_its_end_is_lost() -> None:
    rig = SerialRig(attach=False)
    rig.line.spoil(to_board=lose)
    with pytest.raises(HalLost):
        rig.board.attach(1)


def test_a_new_controller_takes_over_from_one_that_died() -> None:
    rig = SerialRig()
    rig.board.supply.enable()
    rig.board.motor.dispense(20, INTERVAL_US)
    rig.run(550_000)
    new = SerialBoard(rig.line)
    new.attach(2)
    assert not new.supply.enabled
    assert not new.motor.running
    assert new.encoder.moved().value == 5
    rig.world.run_until(rig.world.now_us + 1_000_000)
    assert rig.turned == 5
