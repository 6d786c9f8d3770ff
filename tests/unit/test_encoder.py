"""The encoder against the rotor's truth: whole strokes, and a limit that cuts in hardware."""

from rig import STROKE_PL, Rig

from hal.interfaces import ResetCause
from hal.interrupts import ENCODER_LIMIT

INTERVAL_US = 1_000_000


def test_a_part_of_a_stroke_is_not_counted() -> None:
    rig = Rig()
    rig.board.supply.enable()
    rig.board.motor.dispense(3, INTERVAL_US)
    rig.run(INTERVAL_US * 7 // 4)
    assert rig.board.encoder.moved().value == 1
    assert rig.plant.delivered_pl == STROKE_PL * 3 // 2


def test_the_limit_cuts_the_supply_at_the_crossing() -> None:
    rig = Rig()
    rig.board.supply.enable()
    rig.board.encoder.arm(4)
    rig.board.motor.dispense(100, INTERVAL_US)
    assert rig.run(200 * INTERVAL_US) & ENCODER_LIMIT
    assert not rig.board.supply.enabled
    assert rig.plant.delivered_pl == 5 * STROKE_PL


def test_a_limit_that_is_passed_already_cuts_at_once() -> None:
    rig = Rig()
    rig.pump(3)
    rig.board.encoder.arm(2)
    assert rig.run(1) & ENCODER_LIMIT
    assert not rig.board.supply.enabled


def test_the_limit_guards_after_power_is_given_again_only_when_armed_again() -> None:
    rig = Rig()
    rig.board.encoder.arm(0)
    rig.pump(1)
    rig.pump(5)
    assert rig.board.encoder.moved().value == 6


def test_a_reset_disarms_the_limit() -> None:
    rig = Rig()
    rig.board.encoder.arm(0)
    rig.board.reset(ResetCause.COMMANDED)
    rig.pump(5)
    assert rig.board.supply.enabled


def test_after_a_power_cut_in_mid_stroke_the_count_begins_with_the_next_mark() -> None:
    rig = Rig()
    rig.board.supply.enable()
    rig.board.motor.dispense(3, INTERVAL_US)
    rig.run(INTERVAL_US * 7 // 4)
    rig.board.power_cut(INTERVAL_US)
    rig.world.run_until(rig.world.now_us + INTERVAL_US)
    assert rig.board.encoder.moved().value == 0
    rig.pump(1)
    assert rig.board.encoder.moved().value == 1
    assert rig.plant.delivered_pl == STROKE_PL * 5 // 2
