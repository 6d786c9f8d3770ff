"""The battery: order and direction first, then the charge to the femtocoulomb."""

import pytest
from rig import DAY_US, PROFILE, SECOND_US, Rig, setup

from emulator.devices.battery import BatteryModel
from emulator.devices.motor import NEVER
from hal.interfaces import ResetCause
from hal.interrupts import LOW_VOLTAGE

MODEL = PROFILE.plant.battery
FC_PER_NAH = 3_600_000_000
YEAR_DAYS = 365.25


def _used_mah_after(days: float, strokes_per_day: int) -> float:
    return days * (MODEL.rest_na * 24 + strokes_per_day * MODEL.stroke_nah) / 1e6


def _day_of(used_nah: float, strokes_per_day: int) -> float:
    return used_nah / (MODEL.rest_na * 24 + strokes_per_day * MODEL.stroke_nah)


def _used_at_mv(rest_mv: int) -> float:
    return MODEL.used_when(rest_mv) / FC_PER_NAH


def test_resting_uses_the_rest_current() -> None:
    rig = Rig()
    rig.world.run_until(10 * DAY_US)
    assert rig.board.battery.used_nah == 10 * 24 * MODEL.rest_na


def test_each_powered_stroke_uses_its_charge() -> None:
    rig = Rig()
    rig.pump(3600)
    assert rig.board.battery.used_nah == 3600 * MODEL.stroke_nah + MODEL.rest_na


def test_a_held_rotor_uses_charge_and_an_unpowered_motor_does_not() -> None:
    rig = Rig()
    rig.board.faults.inject("magnet_field", {})
    rig.pump(600)
    assert rig.board.battery.used_nah == 600 * MODEL.stroke_nah + MODEL.rest_na // 6
    rig.board.supply.cut()
    before_nah = rig.board.battery.used_nah
    rig.board.motor.dispense(600, SECOND_US)
    rig.run(600 * SECOND_US)
    assert rig.board.battery.used_nah - before_nah <= MODEL.rest_na // 6 + 1


def test_voltage_falls_with_every_point_of_the_curve_and_between() -> None:
    steps = 200
    voltages = [
        MODEL.rest_mv(MODEL.capacity_nah * FC_PER_NAH * step // steps) for step in range(steps + 1)
    ]
    assert voltages == sorted(voltages, reverse=True)
    assert (voltages[0], voltages[-1]) == (MODEL.curve[0][1], MODEL.curve[-1][1])


def test_an_overdrawn_battery_stays_at_its_lowest() -> None:
    assert MODEL.rest_mv(2 * MODEL.capacity_nah * FC_PER_NAH) == MODEL.curve[-1][1]


def test_a_larger_battery_falls_slower() -> None:
    larger = BatteryModel(
        2 * MODEL.capacity_nah,
        MODEL.rest_na,
        MODEL.stroke_nah,
        MODEL.resistance_mohm,
        MODEL.drive_ua,
        tuple((2 * used, mv) for used, mv in MODEL.curve),
    )
    for part in range(1, 10):
        used_fc = MODEL.capacity_nah * FC_PER_NAH * part // 10
        assert larger.rest_mv(used_fc) > MODEL.rest_mv(used_fc)


@pytest.mark.parametrize("rest_mv", [3_649, 3_600, 3_333, 3_000, 2_777, 2_600, 2_001, 2_000])
def test_the_charge_of_a_voltage_is_the_first_that_has_it(rest_mv: int) -> None:
    used_fc = MODEL.used_when(rest_mv)
    assert MODEL.rest_mv(used_fc) <= rest_mv < MODEL.rest_mv(used_fc - 1)


def test_a_voltage_out_of_the_curve_is_reached_at_once_or_never() -> None:
    assert MODEL.used_when(9_999) == 0
    assert MODEL.used_when(1_999) == NEVER


def test_a_part_full_battery_begins_part_used() -> None:
    rig = Rig(setup(battery_percent=40))
    assert rig.board.battery.left_nah == MODEL.capacity_nah * 40 // 100


def test_a_drain_takes_its_part_of_the_capacity() -> None:
    rig = Rig()
    rig.board.battery.drain(250_000)
    assert rig.board.battery.left_nah == MODEL.capacity_nah * 3 // 4
    rig.board.battery.drain(1_000_000)
    assert rig.board.battery.left_nah == 0


def test_calibration_seven_years_at_half_a_millilitre_a_day() -> None:
    """The service cap, not the battery, ends service: ERI by voltage comes after ERI by date."""
    device = PROFILE.device
    assert device.service_days == round(7 * YEAR_DAYS) - 1  # 2020-06-13 to 2027-06-13
    eri_day = _day_of(_used_at_mv(device.eri_mv), 2_000)
    assert eri_day >= device.service_days - device.eri_days
    assert _used_mah_after(device.service_days, 2_000) * 1e6 < _used_at_mv(device.eos_mv)


def test_calibration_five_years_at_one_and_a_half_millilitres_a_day() -> None:
    device = PROFILE.device
    eri_day = _day_of(_used_at_mv(device.eri_mv), 6_000)
    end_day = eri_day + device.eri_days
    assert 5 * YEAR_DAYS <= end_day <= 5.2 * YEAR_DAYS
    assert _used_mah_after(end_day, 6_000) * 1e6 < _used_at_mv(device.eos_mv)


def test_the_comparator_comes_before_the_end_and_after_eri() -> None:
    device = PROFILE.device
    low_used = _used_at_mv(device.low_battery_mv + MODEL.sag_mv)
    assert _used_at_mv(device.eri_mv) < low_used < _used_at_mv(device.eos_mv)


def _run_to_low_voltage(rig: Rig, threshold_mv: int, strokes: int, days: int) -> int:
    """Deliver batches every 10 minutes until the comparator speaks; return when it did."""
    board = rig.board
    board.supply.enable()
    board.battery.arm_low_voltage(threshold_mv)
    for batch in range(days * 144):
        if strokes and not board.motor.running:
            board.motor.dispense(strokes, 600 * SECOND_US // strokes)
        end_us = (batch + 1) * 600 * SECOND_US
        while rig.world.now_us < end_us:
            if board.wait_for_interrupt(end_us) & LOW_VOLTAGE:
                return rig.world.now_us
    raise AssertionError("the comparator said nothing")


@pytest.mark.parametrize("strokes", [0, 1, 14, 600])
def test_the_comparator_speaks_at_the_crossing_to_the_microsecond(strokes: int) -> None:
    """At rest, at two usual rates, and with the motor running without a pause."""
    rig = Rig(setup(battery_percent=8))
    crossing_us = _run_to_low_voltage(rig, 2_600, strokes, 400)
    battery = rig.board.battery
    assert battery.loaded_mv().value <= 2_600
    assert battery._used_fc(crossing_us) >= MODEL.used_when(2_600 + MODEL.sag_mv)
    assert battery._used_fc(crossing_us - 1) < MODEL.used_when(2_600 + MODEL.sag_mv)


def test_a_far_threshold_costs_next_to_nothing() -> None:
    rig = Rig()
    rig.board.battery.arm_low_voltage(2_400)
    events = 0
    while not rig.world.run_some(7 * 365 * DAY_US, 1):
        events += 1
    assert events < 20


def test_a_drain_across_the_threshold_is_told_at_that_instant() -> None:
    rig = Rig()
    rig.board.battery.arm_low_voltage(2_400)
    rig.run(DAY_US)
    rig.board.battery.drain(990_000)
    now_us = rig.world.now_us
    assert rig.board.wait_for_interrupt(now_us + 1) & LOW_VOLTAGE
    assert rig.world.now_us == now_us


def test_a_reset_disarms_the_comparator() -> None:
    rig = Rig()
    rig.board.battery.arm_low_voltage(2_400)
    rig.board.reset(ResetCause.COMMANDED)
    rig.board.battery.drain(990_000)
    assert not rig.run(DAY_US) & LOW_VOLTAGE
