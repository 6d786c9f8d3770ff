"""A field holds the rotor; the rotor may come free later than the field goes."""

from rig import HOUR_US, STROKE_PL, Rig

from emulator.devices.magnet import Field


def _moves(rig: Rig) -> bool:
    before = rig.plant.delivered_pl
    rig.pump(2)
    moved = rig.plant.delivered_pl - before
    assert moved in (0, 2 * STROKE_PL)
    return moved > 0


def test_the_rotor_is_held_while_the_field_is_on() -> None:
    rig = Rig()
    assert _moves(rig)
    rig.board.magnet.field_on()
    assert not _moves(rig)
    rig.board.magnet.field_off()
    assert rig.board.magnet.field_present().value == 0
    rig.run(0)
    assert _moves(rig)


def test_a_late_recovery_counts_from_field_on() -> None:
    rig = Rig()
    rig.board.magnet.field_on(Field(24 * HOUR_US))
    rig.run(HOUR_US // 2)
    rig.board.magnet.field_off()
    rig.run(23 * HOUR_US)
    assert not _moves(rig)
    rig.world.run_until(24 * HOUR_US)
    assert _moves(rig)


def test_a_field_outlasts_a_short_recovery() -> None:
    rig = Rig()
    rig.board.magnet.field_on(Field(HOUR_US))
    rig.run(2 * HOUR_US)
    assert not _moves(rig)
    rig.board.magnet.field_off()
    rig.run(0)
    assert _moves(rig)


def test_a_second_field_does_not_shorten_the_recovery_of_the_first() -> None:
    rig = Rig()
    rig.board.magnet.field_on(Field(24 * HOUR_US))
    rig.board.magnet.field_off()
    rig.board.magnet.field_on()
    rig.board.magnet.field_off()
    rig.run(HOUR_US)
    assert not _moves(rig)
    rig.world.run_until(24 * HOUR_US)
    assert _moves(rig)


def test_a_field_caught_in_mid_stroke_stops_the_stroke_there() -> None:
    rig = Rig()
    rig.board.supply.enable()
    rig.board.motor.dispense(3, 1_000_000)
    rig.run(1_750_000)
    rig.board.magnet.field_on()
    rig.run(5_000_000)
    assert rig.plant.delivered_pl == STROKE_PL * 3 // 2
    assert rig.board.motor.strokes_commanded() == 3
