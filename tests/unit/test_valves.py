"""A field forces the valves of a pressurised reservoir open; a flow-activated valve shuts them."""

import json
from fractions import Fraction
from typing import Any

import pytest
from rig import BACLOFEN, HOUR_US, ML_PL, SECOND_US, Rig, setup

from emulator.board import EmulatedBoard
from emulator.devices.plant import PlantSetup
from emulator.profile import Profile

VALVE = Profile.load("valve-40")
PACKET_PL = VALVE.device.stroke_pl
DUMP_PL_H = VALVE.plant.dump_pl_h
LEAK_PL = VALVE.plant.fav_leak_pl
TRIP_US = -(-LEAK_PL * HOUR_US // DUMP_PL_H)


def _pump(plant: PlantSetup | None = None) -> Rig:
    return Rig(plant, profile=VALVE)


def _field(rig: Rig, for_us: int | None = None, **params: Any) -> None:
    rig.board.faults.inject("magnet_field", params, for_us)


def test_the_reservoir_empties_while_the_field_is_on() -> None:
    rig = _pump()
    _field(rig, HOUR_US // 2)
    rig.run(2 * HOUR_US)
    assert rig.plant.delivered_pl == DUMP_PL_H // 2
    assert rig.plant.reservoir_pl == 40 * ML_PL - DUMP_PL_H // 2
    assert rig.board.encoder.moved().value == 0
    assert rig.plant.ledger_violations() == []


def test_twenty_millilitres_are_gone_within_a_day() -> None:
    rig = _pump(setup(fill_pl=20 * ML_PL))
    _field(rig)
    rig.run(23 * HOUR_US + HOUR_US // 2)
    assert rig.plant.reservoir_pl > 0
    rig.run(HOUR_US // 2)
    assert rig.plant.reservoir_pl == 0
    rig.run(24 * HOUR_US)
    assert rig.plant.delivered_pl == 20 * ML_PL
    assert rig.plant.ledger_violations() == []


def test_what_is_dumped_leaves_the_tip_as_drug() -> None:
    rig = _pump()
    _field(rig, HOUR_US)
    rig.run(HOUR_US)
    assert rig.plant.tip_pg("baclofen") == DUMP_PL_H * 2
    assert rig.plant.path_pg("baclofen") == (140_000_000 + 179_300_000) * 2


def test_packets_come_on_top_of_the_dump_and_are_counted() -> None:
    rig = _pump()
    _field(rig)
    rig.pump(100)
    assert rig.plant.delivered_pl == 100 * PACKET_PL + DUMP_PL_H * 100 // 3600
    assert rig.board.encoder.moved().value == 100
    assert rig.plant.ledger_violations() == []


def test_the_flow_of_the_last_hour_is_what_left_in_it() -> None:
    rig = _pump()
    rig.run(HOUR_US)
    _field(rig, HOUR_US // 2)
    rig.pump(5)
    at_us = rig.world.now_us
    assert rig.plant.flow_pl_h == 5 * PACKET_PL + DUMP_PL_H * (at_us - HOUR_US) // HOUR_US
    rig.world.run_until(HOUR_US * 9 // 4)
    quarter_pl = Fraction(DUMP_PL_H, 4)
    assert abs(rig.plant.flow_pl_h - quarter_pl) <= 1
    rig.world.run_until(HOUR_US * 5 // 2)
    assert rig.plant.flow_pl_h == 0


def test_a_refill_in_the_field_is_dumped_too() -> None:
    rig = _pump(setup(fill_pl=DUMP_PL_H // 2))
    _field(rig)
    rig.run(HOUR_US)
    assert rig.plant.refill(ML_PL, (BACLOFEN,)) == 0
    rig.run(HOUR_US // 2)
    assert rig.plant.reservoir_pl == ML_PL - DUMP_PL_H // 2
    assert rig.plant.ledger_violations() == []


@pytest.mark.parametrize("for_us", [HOUR_US, None])
def test_a_flow_activated_valve_lets_no_more_than_its_leak_out(for_us: int | None) -> None:
    rig = _pump()
    _field(rig, for_us, fav=True)
    rig.run(TRIP_US - SECOND_US)
    assert rig.plant.delivered_pl < LEAK_PL
    rig.run(5 * HOUR_US)
    assert rig.plant.delivered_pl == LEAK_PL == 10_000_000
    rig.pump(3)
    assert rig.plant.delivered_pl == LEAK_PL
    assert rig.board.encoder.moved().value == 0


def test_a_valve_that_has_shut_stays_shut_until_it_is_reset_by_hand() -> None:
    rig = _pump()
    _field(rig, HOUR_US, fav=True)
    rig.run(2 * HOUR_US)
    _field(rig, HOUR_US)  # a field that finds it shut
    rig.run(2 * HOUR_US)
    assert rig.plant.delivered_pl == LEAK_PL
    rig.board.faults.inject("fav_reset", {})
    rig.pump(3)
    assert rig.plant.delivered_pl == LEAK_PL + 3 * PACKET_PL
    assert rig.board.encoder.moved().value == 3


def test_a_reset_in_the_field_leaks_once_more() -> None:
    rig = _pump()
    _field(rig, fav=True)
    rig.run(HOUR_US)
    rig.board.faults.inject("fav_reset", {})
    rig.run(HOUR_US)
    assert rig.plant.delivered_pl == 2 * LEAK_PL


def test_a_field_too_short_for_the_valve_leaves_it_open() -> None:
    rig = _pump()
    _field(rig, SECOND_US, fav=True)
    rig.run(HOUR_US)
    assert rig.plant.delivered_pl == DUMP_PL_H // 3600
    rig.pump(1)
    assert rig.board.encoder.moved().value == 1


@pytest.mark.parametrize("fav", [False, True])
@pytest.mark.parametrize("ran_us", [SECOND_US, HOUR_US])
def test_a_restored_pump_goes_on_like_the_one_that_was_saved(fav: bool, ran_us: int) -> None:
    rig = _pump()
    rig.pump(2)
    _field(rig, 2 * HOUR_US, fav=fav)
    rig.run(ran_us + 12_345)
    other = _pump()
    other.board = EmulatedBoard(other.world, VALVE, setup())
    other.board.restore(json.loads(json.dumps(rig.board.save())))
    assert other.board.save() == rig.board.save()
    for each in (rig.world, other.world):
        each.run_until(3 * HOUR_US)
    assert other.board.plant.delivered_pl == rig.board.plant.delivered_pl
    assert other.board.plant.ledger() == rig.board.plant.ledger()


def test_the_books_balance_at_every_instant_of_fields_packets_and_refills() -> None:
    rig = _pump(setup(fill_pl=2 * ML_PL, flow_bias_ppm=12_345))
    rig.board.supply.enable()
    tip_pg = 0
    for day in range(30):
        if day % 5 == 3:
            rig.plant.refill(day % 3 * ML_PL, (BACLOFEN,))
        if day % 2:
            _field(rig, 30_000_001, fav=day % 4 == 3)
        if day % 6 == 5:
            rig.board.faults.inject("fav_reset", {})
        rig.board.motor.dispense(77, 777_777)
        for _ in range(5):
            rig.run(13_131_313)
            assert rig.plant.ledger_violations() == []
            assert rig.plant.tip_pg("baclofen") >= tip_pg
            tip_pg = rig.plant.tip_pg("baclofen")
    assert tip_pg > 0


@pytest.mark.parametrize(
    ("model", "name", "params", "says"),
    [
        (
            "rotor-40",
            "magnet_field",
            {"fav": True},
            "magnet_field fav: only for a pump with valves",
        ),
        (
            "valve-40",
            "magnet_field",
            {"recovery": 1},
            "magnet_field recovery: only for a pump with a rot",
        ),
        (
            "rotor-40",
            "fav_reset",
            {},
            "fav_reset: only for a pump with valves that a magnetic field",
        ),
        (
            "sensed-40",
            "magnet_field",
            {"recovery": 1},
            "only for a pump with a rotor that a magnetic",
        ),
        ("valve-40", "magnet_field", {"fav": "yes"}, '"yes" is not true or false'),
        ("valve-40", "magnet_field", {"tesla": 3}, 'no parameter "tesla"; there are fav'),
    ],
)
def test_what_a_model_has_no_use_for_is_refused(
    model: str, name: str, params: dict[str, Any], says: str
) -> None:
    rig = Rig(profile=Profile.load(model))
    with pytest.raises(ValueError, match=says) as refusal:
        rig.board.faults.inject(name, params)
    assert "\n" not in str(refusal.value)
    assert rig.board.faults.active() == {}
    assert not rig.board.magnet.present


@pytest.mark.parametrize("model", ["sensed-40", "trial-external"])
def test_a_field_does_nothing_to_a_mechanism_without_magnets(model: str) -> None:
    profile = Profile.load(model)
    rig = Rig(profile=profile)
    _field(rig)
    rig.pump(10)
    assert rig.board.magnet.field_present().value == 1
    assert rig.plant.delivered_pl == 10 * profile.device.stroke_pl
