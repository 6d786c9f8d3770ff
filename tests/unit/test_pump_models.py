"""Every pump model that is shipped runs: programmed over the wire, judged by what left the pump."""

import pytest
from nurse import MINUTE_US, Nurse, therapy, volume_per_day

from emulator.profile import Profile
from firmware.device import DeviceConfig
from hal.interfaces import ResetCause
from protocol.codes import Code, Mode, ProgramKind

DAY_US = 1440 * MINUTE_US
MODELS = ("rotor-20", "valve-20", "valve-40", "sensed-20", "sensed-40", "trial-external")
NO_FLOW = ("valve-20", "trial-external")


def _device(model: str) -> DeviceConfig:
    return Profile.load(model).device


def _pump(model: str) -> Nurse:
    """Return a full pump of this model."""
    device = _device(model)
    return Nurse(model, fill_nl=device.capacity_nl, tubing_pl=device.tubing_nl * 1000)


def _rates_nl_day(model: str) -> tuple[int, ...]:
    """Return the lowest rate there is, a usual one and the highest, as a clinician writes them."""
    device = _device(model)
    lowest, highest = (rate * 24 / 1000 for rate in (device.flow_min_pl_h, device.flow_max_pl_h))
    return round(lowest), 400_000, round(highest)


@pytest.mark.requirement("R-001")
@pytest.mark.requirement("R-011")
@pytest.mark.parametrize("model", MODELS)
def test_every_model_gives_what_it_is_programmed_to_give(model: str) -> None:
    """Half a day at each rate: whole strokes, at most one of them owed."""
    device = _device(model)
    for rate_nl_day in _rates_nl_day(model):
        pump = _pump(model)
        pump.program(therapy(volume_per_day(rate_nl_day)), device.capacity_nl)
        hours = min(12, device.capacity_nl * 20 // max(1, rate_nl_day))
        pump.run(hours * 60 * MINUTE_US)
        owed_nl = rate_nl_day * hours // 24
        assert 0 <= owed_nl - pump.truth_delivered_nl <= device.stroke_nl
        assert pump.status.computed_nl == pump.truth_reservoir_nl
        assert pump.alarms == {}
        assert pump.status.mode is Mode.BASAL


@pytest.mark.parametrize("model", MODELS)
def test_every_model_knows_its_minimum_rate_and_gives_a_bolus_at_it(model: str) -> None:
    device = _device(model)
    pump = _pump(model)
    pump.program(therapy(program=ProgramKind.MINIMUM_RATE), device.capacity_nl)
    pump.run(DAY_US)
    owed_nl = device.minimum_rate_pl_h * 24 // 1000
    assert 0 <= owed_nl - pump.truth_delivered_nl <= device.stroke_nl
    pump.bolus(20_000, 200 * MINUTE_US)
    pump.run(DAY_US)
    assert 0 <= 2 * owed_nl + 20_000 - pump.truth_delivered_nl <= device.stroke_nl
    assert pump.alarms == {}


@pytest.mark.parametrize("model", MODELS)
def test_at_the_highest_rate_the_flow_of_the_last_hour_is_whole(model: str) -> None:
    """Nothing of the hour is forgotten, however short the batches."""
    device = _device(model)
    pump = _pump(model)
    pump.program(therapy(volume_per_day(_rates_nl_day(model)[-1])), device.capacity_nl)
    pump.run(90 * MINUTE_US)
    flow_pl_h = pump.board.plant.flow_pl_h
    assert abs(flow_pl_h - device.flow_max_pl_h) <= device.stroke_pl


@pytest.mark.parametrize("model", NO_FLOW)
def test_a_rate_of_nothing_is_a_quiet_pump(model: str) -> None:
    """It is not stalled, not stopped, not low; it survives what every pump survives."""
    pump = _pump(model)
    pump.program(therapy(volume_per_day(0)), _device(model).capacity_nl)
    pump.run(5 * DAY_US)
    pump.stop()
    pump.resume()
    pump.run(DAY_US)
    pump.board.reset(ResetCause.WATCHDOG)
    pump.run(DAY_US)
    pump.board.power_cut(10_000_000)
    pump.run(DAY_US)
    status = pump.status
    assert (status.mode, pump.alarms) == (Mode.BASAL, {})
    assert (status.rate_numerator_pl, status.refill_due_wall_s) == (0, 0)
    assert pump.truth_delivered_nl == 0
    assert Code.STALL not in pump.codes


@pytest.mark.parametrize("model", NO_FLOW)
def test_a_pump_without_flow_gives_a_bolus_and_goes_on_to_a_rate(model: str) -> None:
    pump = _pump(model)
    pump.program(therapy(volume_per_day(0)), _device(model).capacity_nl)
    pump.run(DAY_US)
    pump.bolus(20_000)
    pump.run(DAY_US)
    assert pump.truth_delivered_nl == 20_000
    pump.program(therapy(volume_per_day(200_000)))
    pump.run(DAY_US)
    assert pump.truth_delivered_nl == 220_000
    pump.program(therapy(volume_per_day(0)))
    pump.run(DAY_US)
    assert pump.truth_delivered_nl == 220_000
    assert pump.alarms == {}


def test_a_valve_pump_that_falls_back_gives_nothing() -> None:
    """Its minimum rate is none: a low battery ends the flow, not the service."""
    pump = _pump("valve-20")
    pump.program(therapy(volume_per_day(400_000)), 20_000_000)
    pump.board.faults.inject("battery.drain", {"percent": "97.5"})
    pump.run(DAY_US)
    delivered_nl = pump.truth_delivered_nl
    pump.run(5 * DAY_US)
    assert Code.LOW_BATTERY_RESET in pump.alarms
    assert pump.status.mode is Mode.MINIMUM_RATE
    assert pump.truth_delivered_nl == delivered_nl
    assert Code.MOTOR_STALL not in pump.alarms


def test_a_dump_is_nothing_that_the_controller_can_see() -> None:
    pump = _pump("valve-40")
    pump.program(therapy(volume_per_day(400_000)), 40_000_000)
    pump.board.faults.inject("magnet_field", {}, 60 * MINUTE_US)
    pump.run(DAY_US)
    assert pump.truth_delivered_nl == 400_000 + 840_000
    assert pump.status.computed_nl == 40_000_000 - 400_000
    assert pump.alarms == {}


def test_a_valve_that_has_shut_is_a_stall_until_it_is_reset() -> None:
    pump = _pump("valve-40")
    pump.program(therapy(volume_per_day(400_000)), 40_000_000)
    pump.board.faults.inject("magnet_field", {"fav": True}, 60 * MINUTE_US)
    pump.run(DAY_US)
    assert pump.status.mode is Mode.STALLED
    assert pump.alarms == {Code.MOTOR_STALL: True}
    assert pump.truth_delivered_nl == 10_000
    pump.board.faults.inject("fav_reset", {})
    pump.run(DAY_US)
    assert pump.status.mode is Mode.BASAL
    assert 400_000 - 2_000 <= pump.truth_delivered_nl - 10_000 <= 400_000


def test_a_stall_of_a_pump_without_basal_does_not_end_its_service() -> None:
    """No stroke is due, so nothing says that the valve is still shut: it waits for somebody."""
    pump = _pump("valve-40")
    pump.program(therapy(volume_per_day(0)), 40_000_000)
    pump.board.faults.inject("magnet_field", {"fav": True}, 60 * MINUTE_US)
    pump.run(60 * MINUTE_US)
    pump.bolus(40_000)
    pump.run(5 * DAY_US)
    assert (pump.status.mode, pump.alarms) == (Mode.STALLED, {Code.MOTOR_STALL: True})
    pump.board.faults.inject("fav_reset", {})
    pump.hello()
    pump.stop()
    pump.clear(Code.MOTOR_STALL)
    pump.resume()
    pump.bolus(40_000)
    pump.run(DAY_US)
    assert pump.truth_delivered_nl == 10_000 + 40_000
    assert pump.alarms == {}


def test_a_dump_during_a_bolus_leaves_the_bolus_what_it_was() -> None:
    pump = _pump("valve-40")
    pump.program(therapy(volume_per_day(400_000)), 40_000_000)
    pump.bolus(100_000, 30 * MINUTE_US)
    pump.board.faults.inject("magnet_field", {}, 60 * MINUTE_US)
    pump.run(DAY_US)
    assert pump.truth_delivered_nl == 400_000 + 100_000 + 840_000
    assert pump.status.delivered_nl == 500_000
    assert pump.codes.count(Code.BOLUS_DONE) == 1
