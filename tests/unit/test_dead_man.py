"""A board that loses its controller stops by itself, and says why: judged by the rotor."""

import random

import pytest
from serial_rig import SECOND_US, SerialRig, lose

from emulator.board_agent import LOOKAHEAD_US, WATCHDOG_BITE_US
from emulator.board_line import DELAY_US
from emulator.devices.motor import STROKE
from hal.errors import HalLost
from hal.interfaces import ResetCause
from hal.interrupts import MOTOR_DONE
from hal.serial_board.link import LOST_US
from protocol.board_messages import SILENCE_US, TICK_INTERVAL_US, BoardCause

INTERVAL_US = 100_000
POINTS = 334
"""Of each of three kinds: 1,000 in all."""


def _start_batch(rig: SerialRig, rng: random.Random) -> None:
    """A batch of up to the look-ahead, and sometimes none or one slow stroke."""
    rig.board.supply.enable()
    interval_us = rng.choice((2_000, 10_000, 37_000, 100_000, 400_000, 1_900_000))
    if rng.random() < 0.95:
        rig.board.motor.dispense(max(1, LOOKAHEAD_US // interval_us), interval_us)


def _pull(rig: SerialRig, how: str) -> None:
    """Lose the line, or the controller, and let 3 s pass."""
    if how == "hang":
        rig.world.run_until(rig.world.now_us + 3 * SECOND_US)
        return
    rig.line.spoil(lose, lose if how == "cable" else bytes)
    pulled_us = rig.world.now_us
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    assert rig.world.now_us - pulled_us <= SECOND_US
    rig.world.run_until(pulled_us + 3 * SECOND_US)
    rig.line.spoil()


@pytest.mark.parametrize("how", ["cable", "one way", "hang"])
def test_silence_at_any_instant_begins_no_stroke_after_the_dead_mans_time(how: str) -> None:
    """At seeded points from before a batch to after it (P46)."""
    rng = random.Random(how)
    rig = SerialRig()
    motor = rig.emulated.motor
    in_mid_batch = 0
    for point in range(POINTS):
        _start_batch(rig, rng)
        rig.run(rng.randrange(2 * SECOND_US))
        pulled_us = rig.world.now_us
        mid_batch = motor.running
        _pull(rig, how)
        begun = -(-motor.position_before(pulled_us + SILENCE_US + DELAY_US) // STROKE)
        assert rig.position == begun * STROKE
        assert not rig.emulated.supply.enabled
        in_mid_batch += mid_batch and not motor.running
        rig.board.attach(2 + point)
        assert rig.board.watchdog.reset_cause() is ResetCause.LINK_LOST
        assert rig.board.encoder.moved().value == rig.turned
    assert in_mid_batch > POINTS // 2


def test_the_stroke_under_way_is_finished_with_power() -> None:
    rig = SerialRig()
    rig.board.supply.enable()
    rig.board.motor.dispense(1, 1_600_000)  # driven from 0.8 s to 1.6 s
    rig.run(500_000)
    rig.world.run_until(rig.world.now_us + SILENCE_US)
    assert 0 < rig.position < STROKE
    assert rig.emulated.supply.enabled
    rig.world.run_until(rig.world.now_us + SECOND_US)
    assert rig.position == STROKE
    assert not rig.emulated.supply.enabled


def test_a_slow_stroke_that_has_not_begun_to_move_does_not() -> None:
    rig = SerialRig()
    rig.board.supply.enable()
    rig.board.motor.dispense(1, 60 * SECOND_US)
    rig.run(SECOND_US)
    rig.world.run_until(rig.world.now_us + 120 * SECOND_US)
    assert rig.position == 0
    assert not rig.emulated.motor.running


def test_a_controller_that_only_waits_keeps_its_board() -> None:
    rig = SerialRig()
    rig.board.supply.enable()
    assert rig.run(60 * SECOND_US) == []
    assert rig.emulated.supply.enabled


@pytest.mark.parametrize("lost", [1, 3])
def test_up_to_three_lost_ticks_in_a_row_are_nothing(lost: int) -> None:
    rig = SerialRig()
    for _ in range(20):
        rig.line.spoil(to_board=lose)
        rig.run(lost * TICK_INTERVAL_US)
        rig.line.spoil()
        rig.run(TICK_INTERVAL_US)
    rig.board.supply.enable()
    rig.board.motor.dispense(3, INTERVAL_US)
    rig.wait(MOTOR_DONE)
    assert rig.turned == 3


def test_ticks_from_before_are_no_sign_of_life() -> None:
    """A line that repeats for ever what it once carried does not keep the motor running."""
    rig = SerialRig()
    heard: list[bytes] = []
    rig.line.spoil(to_board=lambda data: heard.append(data) or data)  # type: ignore[func-returns-value]
    rig.run(SECOND_US)
    rig.board.supply.enable()
    rig.board.motor.dispense(1, 1_900_000)
    rig.run(10_000)
    rig.line.spoil()
    for _ in range(60):
        for data in heard:
            rig.line.write(data)
        rig.world.run_until(rig.world.now_us + 50_000)
    assert rig.position == 0
    assert not rig.emulated.supply.enabled


# --- what is told afterwards ---


def test_a_board_that_is_attached_in_time_was_asked_for_it() -> None:
    rig = SerialRig()
    rig.run(SECOND_US)
    rig.board.attach(2)
    assert rig.board.watchdog.reset_cause() is ResetCause.COMMANDED


def test_a_loss_that_only_the_controller_noticed_is_a_lost_link() -> None:
    rig = SerialRig()
    rig.line.spoil(to_host=lambda data: b"\x00" * 10)
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    rig.line.spoil()
    rig.board.attach(2)
    assert rig.board.watchdog.reset_cause() is ResetCause.LINK_LOST


def test_the_cause_waits_for_a_controller_that_hears_it() -> None:
    """The answer to the first Attach is lost, with all of its session: it was no session."""
    rig = SerialRig(attach=False)
    rig.line.spoil(to_host=lose)
    with pytest.raises(HalLost):
        rig.board.attach(1)
    rig.line.spoil()
    rig.board.attach(2)
    assert rig.board.watchdog.reset_cause() is ResetCause.POWER_ON


def test_lost_power_is_a_lost_board_to_the_controller_that_lived_through_it() -> None:
    rig = SerialRig()
    rig.emulated.power_cut(SECOND_US)
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    rig.board.attach(2)
    assert rig.board.identity is not None
    assert rig.board.identity.cause is BoardCause.POWER_ON
    assert rig.board.watchdog.reset_cause() is ResetCause.LINK_LOST


def test_a_low_supply_is_told() -> None:
    rig = SerialRig()
    rig.emulated.reset(ResetCause.LOW_VOLTAGE)
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    rig.board.attach(2)
    assert rig.board.watchdog.reset_cause() is ResetCause.LOW_VOLTAGE


# --- the watchdog ---


def test_a_missed_deadline_ends_the_session_and_keeps_the_count() -> None:
    rig = SerialRig()
    rig.board.supply.enable()
    rig.board.motor.dispense(7, INTERVAL_US)
    rig.wait(MOTOR_DONE)
    rig.board.motor.dispense(1, 1_990_000)
    rig.board.watchdog.arm(rig.board.clock.now_us() + 300_000)
    armed_us = rig.world.now_us
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    assert rig.world.now_us <= armed_us + 300_000 + WATCHDOG_BITE_US + LOST_US + DELAY_US
    rig.world.run_until(rig.world.now_us + 5 * SECOND_US)
    rig.board.attach(2)
    assert rig.board.watchdog.reset_cause() is ResetCause.WATCHDOG
    assert rig.board.encoder.moved().value == rig.turned
    assert rig.position % STROKE == 0


def test_only_the_last_deadline_of_a_wait_crosses_the_line() -> None:
    rig = SerialRig()
    rig.run(SECOND_US)
    for seconds in range(1000):
        rig.board.watchdog.arm(seconds * SECOND_US)
    sizes: list[int] = []
    rig.line.spoil(to_board=lambda data: sizes.append(len(data)) or data)  # type: ignore[func-returns-value]
    rig.run(10_000)
    assert sum(sizes) < 100
    rig.run(20 * SECOND_US)
