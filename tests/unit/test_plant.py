"""The physical truth of one pump, against arithmetic done by hand."""

from fractions import Fraction

import pytest
from rig import BACLOFEN, DAY_US, HOUR_US, ML_PL, SECOND_US, STROKE_PL, Rig, setup

from emulator.devices.fluid import Drug
from emulator.devices.plant import PlantSetup

PATH_PL = 140_000_000 + 179_300_000
MORPHINE = Drug("morphine", 10_000_000_000)


def test_each_stroke_takes_one_stroke_volume_from_the_reservoir() -> None:
    rig = Rig()
    rig.pump(1000)
    assert rig.plant.delivered_pl == 1000 * STROKE_PL
    assert rig.plant.reservoir_pl == 40 * ML_PL - 1000 * STROKE_PL


def test_a_worked_month_ends_at_the_worked_volume() -> None:
    """40 mL at 0.150 mL/day for 30 days leaves 35.500 mL: 18,000 strokes of 144 s."""
    rig = Rig()
    rig.pump(18_000, 144 * SECOND_US)
    assert rig.board.clock.now_us() == 30 * DAY_US
    assert rig.plant.reservoir_pl == 35_500_000_000


def test_volume_is_linear_within_a_stroke() -> None:
    rig = Rig()
    rig.board.supply.enable()
    rig.board.motor.dispense(1, 1_600_000)
    rig.run(800_000 + 200_000)
    assert rig.plant.delivered_pl == STROKE_PL // 4


def test_a_dry_pump_turns_and_moves_nothing() -> None:
    rig = Rig(setup(fill_pl=10 * STROKE_PL + 100))
    rig.pump(20)
    assert rig.plant.delivered_pl == 10 * STROKE_PL + 100
    assert rig.plant.reservoir_pl == 0
    assert rig.board.encoder.moved().value == 20
    assert rig.plant.ledger_violations() == []


def test_a_dry_pump_delivers_again_after_a_refill() -> None:
    rig = Rig(setup(fill_pl=5 * STROKE_PL))
    rig.pump(20)
    assert rig.plant.refill(ML_PL, (BACLOFEN,)) == 0
    rig.pump(3)
    assert rig.plant.delivered_pl == 8 * STROKE_PL
    assert rig.plant.reservoir_pl == ML_PL - 3 * STROKE_PL


@pytest.mark.parametrize("bias_ppm", [-100_000, 1, 33_333, 145_000])
def test_a_biased_pump_delivers_that_much_more_per_stroke(bias_ppm: int) -> None:
    rig = Rig(setup(flow_bias_ppm=bias_ppm))
    rig.pump(997)
    exact = Fraction(997 * STROKE_PL * (1_000_000 + bias_ppm), 1_000_000)
    assert rig.plant.delivered_pl == exact // 1
    assert rig.board.encoder.moved().value == 997


def test_a_primed_path_delivers_drug_at_once() -> None:
    rig = Rig()
    rig.pump(600)  # one day of worked case 1: 0.150 mL, 300 ug
    assert rig.plant.tip_pg("baclofen") == 300_000_000
    assert rig.plant.path_pg("baclofen") == PATH_PL * 2


@pytest.mark.parametrize("path", ["saline", "empty"])
def test_a_path_without_drug_delays_it_by_its_volume(path: str) -> None:
    rig = Rig(setup(path=path))
    rig.pump(PATH_PL // STROKE_PL)  # 1277.2 strokes: the drug is about to come
    assert rig.plant.tip_pg("baclofen") == 0
    rig.pump(1)
    assert rig.plant.tip_pg("baclofen") == (1278 * STROKE_PL - PATH_PL) * 2


def test_a_refill_gives_back_the_residual_and_reports_both_drugs() -> None:
    rig = Rig()
    rig.pump(4000)
    assert rig.plant.refill(20 * ML_PL, (MORPHINE,)) == 39 * ML_PL
    assert rig.plant.reservoir_pl == 20 * ML_PL
    assert rig.plant.reservoir_pg("morphine") == 20 * 10**10
    assert rig.plant.reservoir_pg("baclofen") == 0
    assert rig.plant.drugs == ("baclofen", "morphine")
    rig.pump(1278)
    assert rig.plant.tip_pg("morphine") == (1278 * STROKE_PL - PATH_PL) * 10
    assert rig.plant.ledger_violations() == []


@pytest.mark.parametrize("volume_pl", [-1, 40 * ML_PL + 1])
def test_a_fill_that_does_not_fit_is_refused_and_changes_nothing(volume_pl: int) -> None:
    rig = Rig()
    rig.pump(10)
    with pytest.raises(ValueError, match="capacity"):
        rig.plant.refill(volume_pl, (MORPHINE,))
    assert rig.plant.reservoir_pl == 40 * ML_PL - 10 * STROKE_PL
    assert rig.plant.drugs == ("baclofen",)
    assert rig.plant.ledger_violations() == []


def test_the_ledger_balances_at_every_instant_of_an_eventful_life() -> None:
    rig = Rig(setup(fill_pl=2 * ML_PL, flow_bias_ppm=12_345))
    rig.board.supply.enable()
    for day in range(40):
        if day % 7 == 6:
            rig.plant.refill((day % 3) * ML_PL, (BACLOFEN, MORPHINE)[: day % 2 + 1])
        rig.board.motor.dispense(77, 777_777)
        for _ in range(5):
            rig.run(13_131_313)
            assert rig.plant.ledger_violations() == []
    assert rig.plant.tip_pg("morphine") > 0


def test_a_ledger_that_does_not_balance_is_told() -> None:
    rig = Rig()
    rig.plant._filled_pl += 1
    rig.plant._given_pg["baclofen"] -= 1
    volume, mass = rig.plant.ledger_violations()
    assert volume.startswith("volume pL: 40319300001 went in, 40319300000 are found")
    assert mass.startswith("baclofen pg")


def test_the_accounts_say_where_all_of_it_is() -> None:
    rig = Rig(setup(fill_pl=2 * ML_PL))
    rig.pump(2000)
    rig.plant.refill(ML_PL, ())
    rig.pump(400)
    ledger = rig.plant.ledger()
    assert ledger["volume pL"] == (
        2 * ML_PL + ML_PL + PATH_PL, 2400 * STROKE_PL, PATH_PL, ML_PL - 400 * STROKE_PL,
        2 * ML_PL - 2000 * STROKE_PL,
    )  # fmt: skip
    assert ledger["baclofen pg"] == (
        2 * (2 * ML_PL + PATH_PL), 2 * 2400 * STROKE_PL, 2 * (PATH_PL - 400 * STROKE_PL), 0,
        2 * (2 * ML_PL - 2000 * STROKE_PL),
    )  # fmt: skip


def test_flow_is_the_volume_of_the_trailing_hour() -> None:
    rig = Rig()
    rig.pump(25, 144 * SECOND_US)
    assert rig.plant.flow_pl_h == 25 * STROKE_PL  # 6.25 uL/h
    rig.run(HOUR_US // 2)
    assert rig.plant.flow_pl_h == 13 * STROKE_PL  # at 1800 s, 12 of 25 strokes had been driven
    rig.run(HOUR_US // 2)
    assert rig.plant.flow_pl_h == 0


def test_flow_of_a_pump_that_ran_dry_counts_fluid_not_strokes() -> None:
    rig = Rig(setup(fill_pl=7 * STROKE_PL))
    rig.pump(20)
    assert rig.plant.flow_pl_h == 7 * STROKE_PL


def test_flow_looks_past_a_refill() -> None:
    rig = Rig(setup(fill_pl=7 * STROKE_PL))
    rig.pump(20)
    rig.plant.refill(ML_PL, ())
    rig.pump(4)
    assert rig.plant.flow_pl_h == 11 * STROKE_PL


def test_the_rotor_turns_with_the_strokes() -> None:
    rig = Rig()
    rig.pump(10)
    assert rig.plant.rotor_deg == 60  # what the fluoroscopic check looks for
    rig.pump(51)
    assert rig.plant.rotor_deg == 6


def test_a_look_costs_nothing_and_changes_nothing() -> None:
    looked, unseen = Rig(setup(fill_pl=ML_PL)), Rig(setup(fill_pl=ML_PL))
    for rig in (looked, unseen):
        rig.board.supply.enable()
        rig.board.motor.dispense(200, 1_234_567)
        for _ in range(50):
            rig.run(4_999_999)
            if rig is looked:
                rig.plant.tip_pg("baclofen")
                assert rig.plant.flow_pl_h == rig.plant.delivered_pl
    assert looked.plant.save() == unseen.plant.save()
    assert looked.plant.tip_pg("baclofen") == unseen.plant.tip_pg("baclofen")


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "full"},
        {"tubing_pl": -1},
        {"catheter_pl": -1},
        {"flow_bias_ppm": -1_000_000},
        {"flow_bias_ppm": 10_000_001},
        {"battery_percent": 101},
        {"battery_percent": -1},
    ],
)
def test_a_setup_that_is_not_physical_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        PlantSetup(**({"fill_pl": 0} | wrong))  # type: ignore[arg-type]
