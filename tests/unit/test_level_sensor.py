"""The level sensor shows the truth in its steps, or what a fault makes of it; refills that miss."""

import json
from typing import Any

import pytest
from rig import BACLOFEN, HOUR_US, ML_PL, Rig, setup

from emulator.board import EmulatedBoard
from emulator.profile import Profile

SENSED = Profile.load("sensed-40")
STEP_NL = 100_000
ML_NL = 1_000_000


def _pump(fill_pl: int = 20 * ML_PL, **changes: object) -> Rig:
    return Rig(setup(fill_pl=fill_pl, **changes), profile=SENSED)


def _shown_nl(rig: Rig) -> int:
    assert rig.board.reservoir_sensor is not None
    return rig.board.reservoir_sensor.level_nl().value


@pytest.mark.requirement("R-010")
@pytest.mark.parametrize(
    ("fill_pl", "shown_nl"),
    [
        (0, 0),
        (STEP_NL * 1000 - 1, 0),
        (STEP_NL * 1000, STEP_NL),
        (20 * ML_PL - 1, 20 * ML_NL - STEP_NL),
        (40 * ML_PL, 40 * ML_NL),
    ],
)
def test_the_sensor_shows_the_truth_in_whole_steps(fill_pl: int, shown_nl: int) -> None:
    assert _shown_nl(_pump(fill_pl)) == shown_nl


def test_a_sample_says_when_it_was_taken() -> None:
    rig = _pump()
    rig.run(HOUR_US)
    assert rig.board.reservoir_sensor is not None
    assert rig.board.reservoir_sensor.level_nl().taken_us == HOUR_US


def test_the_sensor_sees_what_no_count_can_see() -> None:
    rig = _pump(flow_bias_ppm=1_000_000)
    rig.pump(100)  # 0.1 mL by the count, 0.2 mL in truth
    assert _shown_nl(rig) == 20 * ML_NL - 2 * STEP_NL


@pytest.mark.parametrize("model", ["rotor-40", "valve-40", "open-pca"])
def test_a_model_without_a_sensor_has_none(model: str) -> None:
    rig = Rig(profile=Profile.load(model))
    assert rig.board.reservoir_sensor is None
    for name, params in (("sensor.level_bias", {"by": 1}), ("sensor.level_stuck", {})):
        with pytest.raises(ValueError, match=f"{name}: only for a pump with a level sensor"):
            rig.board.faults.inject(name, params)


@pytest.mark.parametrize(
    ("by_nl", "shown_nl"),
    [
        (3 * ML_NL, 23 * ML_NL),
        (-3 * ML_NL, 17 * ML_NL),
        (-1, 20 * ML_NL - STEP_NL),
        (-30 * ML_NL, 0),
    ],
)
def test_a_bias_is_shown_on_top_of_the_truth_until_it_is_cleared(by_nl: int, shown_nl: int) -> None:
    rig = _pump()
    rig.board.faults.inject("sensor.level_bias", {"by": by_nl})
    assert _shown_nl(rig) == shown_nl
    assert rig.plant.reservoir_pl == 20 * ML_PL
    rig.board.faults.clear("sensor.level_bias")
    assert _shown_nl(rig) == 20 * ML_NL


def test_a_stuck_sensor_shows_the_same_until_it_comes_free() -> None:
    rig = _pump()
    rig.board.faults.inject("sensor.level_stuck", {}, HOUR_US)
    rig.plant.refill(5 * ML_PL, (BACLOFEN,))
    assert _shown_nl(rig) == 20 * ML_NL
    rig.run(HOUR_US)
    assert _shown_nl(rig) == 5 * ML_NL


def test_what_the_sensor_shows_outlives_the_process() -> None:
    rig = _pump()
    rig.board.faults.inject("sensor.level_bias", {"by": ML_NL}, 2 * HOUR_US)
    rig.board.faults.inject("sensor.level_stuck", {}, HOUR_US)
    rig.plant.refill(5 * ML_PL, (BACLOFEN,))
    other = _pump()
    other.board = EmulatedBoard(other.world, SENSED, setup())
    other.board.restore(json.loads(json.dumps(rig.board.save())))
    for shown_nl in (21 * ML_NL, 6 * ML_NL, 5 * ML_NL):
        assert _shown_nl(other) == shown_nl
        other.world.run_until(other.world.now_us + HOUR_US)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, 'needs the parameter "by"'),
        ({"by": "0.5"}, "not a whole number of nL"),
        ({"by": 10**10}, "is not within"),
    ],
)
def test_a_bias_that_is_none_is_refused(params: dict[str, Any], says: str) -> None:
    rig = _pump()
    with pytest.raises(ValueError, match=says):
        rig.board.faults.inject("sensor.level_bias", params)
    assert _shown_nl(rig) == 20 * ML_NL


@pytest.mark.parametrize("model", ["rotor-40", "sensed-40"])
def test_a_fill_that_misses_is_lost_beside_the_reservoir(model: str) -> None:
    rig = Rig(profile=Profile.load(model))
    rig.board.faults.inject("reservoir.pocket_fill", {"fraction": "0.75"})
    assert rig.plant.refill(20 * ML_PL, (BACLOFEN,)) == 40 * ML_PL
    assert rig.plant.reservoir_pl == 5 * ML_PL
    assert rig.plant.reservoir_pg("baclofen") == 5 * 2 * 10**9
    volume, mass = rig.plant.ledger()["volume pL"], rig.plant.ledger()["baclofen pg"]
    assert volume.lost == 40 * ML_PL + 15 * ML_PL
    assert mass.lost == (40 + 15) * 2 * 10**9
    assert rig.plant.ledger_violations() == []


def test_a_needle_that_hits_again_fills_the_reservoir() -> None:
    rig = _pump()
    rig.board.faults.inject("reservoir.pocket_fill", {})
    rig.plant.refill(20 * ML_PL, (BACLOFEN,))
    assert rig.plant.reservoir_pl == 0
    rig.board.faults.clear("reservoir.pocket_fill")
    rig.plant.refill(20 * ML_PL, (BACLOFEN,))
    assert rig.plant.reservoir_pl == 20 * ML_PL
    assert rig.plant.ledger_violations() == []
