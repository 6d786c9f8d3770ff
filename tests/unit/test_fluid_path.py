"""Reservoir and path as a tape of plugs: what is read at the tip is what was drawn, exactly."""

import random

import pytest

from emulator.devices.catheter import FluidPath
from emulator.devices.fluid import Drug, Plug, masses_pg
from emulator.devices.reservoir import Reservoir


def test_a_solution_holds_concentration_times_volume() -> None:
    drugs = (Drug("a", 2_000_000_000), Drug("b", 1))
    assert masses_pg(40 * 10**9, drugs) == {"a": 80_000_000_000, "b": 40}


def test_the_mass_of_a_plug_is_even_along_it() -> None:
    plug = Plug(100, 1000, {"a": 10})
    assert [plug.mass_until_pg("a", place) for place in (0, 100, 199, 200, 600, 1100, 9999)] == [
        0, 0, 0, 1, 5, 10, 10,
    ]  # fmt: skip
    assert plug.mass_until_pg("unknown", 600) == 0


def test_an_empty_plug_holds_nothing() -> None:
    assert Plug(0, 0, {"a": 0}).mass_until_pg("a", 10) == 0


def test_the_tip_reads_what_left_the_pump_one_path_before() -> None:
    path = FluidPath(300, {})
    path.begin(Plug(0, 1000, {"a": 1000}))
    assert [path.left_tip_pg("a", place) for place in (0, 300, 301, 1000)] == [0, 0, 1, 700]


def test_a_primed_path_gives_its_drug_from_the_first_stroke() -> None:
    path = FluidPath(300, {"a": 600})
    path.begin(Plug(0, 1000, {"a": 1000}))
    assert [path.left_tip_pg("a", place) for place in (0, 10, 300, 310)] == [0, 20, 600, 610]


def test_a_new_fill_reaches_the_tip_after_the_old_one() -> None:
    path = FluidPath(300, {})
    path.begin(Plug(0, 1000, {"a": 1000}))
    path.begin(Plug(400, 1000, {"b": 2000}))  # refilled when 400 had been drawn
    assert (path.left_tip_pg("a", 700), path.left_tip_pg("b", 700)) == (400, 0)
    assert (path.left_tip_pg("a", 800), path.left_tip_pg("b", 800)) == (400, 200)


def test_a_path_without_volume_gives_at_once() -> None:
    path = FluidPath(0, {})
    path.begin(Plug(0, 1000, {"a": 1000}))
    assert path.left_tip_pg("a", 1) == 1


def test_fills_that_were_never_drawn_leave_no_trace() -> None:
    path = FluidPath(300, {})
    for volume in range(100):
        path.begin(Plug(0, volume, {"a": volume}))
    assert path.left_pump_pg("a", 0) == 0
    assert len(path.save()["plugs"]) == 2  # the path itself, and the last fill


@pytest.mark.parametrize("seed", range(10))
def test_no_picogram_is_lost_or_made_over_many_fills(seed: int) -> None:
    chance = random.Random(seed)
    path = FluidPath(chance.randint(0, 5000), {})
    place, drawn = 0, {"a": 0, "b": 0}
    for _ in range(200):
        volume, drug = chance.randint(1, 10_000), chance.choice("ab")
        plug = Plug(place, volume, {drug: chance.randint(0, 10**6)})
        path.begin(plug)
        place += chance.randint(0, volume)
        drawn[drug] += plug.mass_until_pg(drug, place)
        assert {name: path.left_pump_pg(name, place) for name in drawn} == drawn
        assert all(path.left_tip_pg(name, place) <= drawn[name] for name in drawn)
    flushed = place + path.volume_pl
    assert {name: path.left_tip_pg(name, flushed) for name in drawn} == drawn


def test_what_has_left_the_tip_takes_no_memory() -> None:
    path = FluidPath(300, {"a": 1})
    for fill in range(1000):
        path.begin(Plug(fill * 100, 100, {"a": 7}))
    assert len(path.save()["plugs"]) <= 300 // 100 + 2
    assert path.left_tip_pg("a", 1000 * 100) == 1 + 7 * 997


def test_a_path_goes_on_where_it_was_saved() -> None:
    path, other = FluidPath(300, {"a": 9}), FluidPath(0, {})
    path.begin(Plug(0, 1000, {"a": 1000}))
    path.begin(Plug(700, 1000, {"b": 1000}))
    other.restore(path.save())
    for drug in "ab":
        for place in (700, 1100, 1700):
            assert other.left_tip_pg(drug, place) == path.left_tip_pg(drug, place)


def test_a_reservoir_holds_what_was_put_in_less_what_was_drawn() -> None:
    reservoir = Reservoir(1000)
    reservoir.replace(50, 1000, (Drug("a", 10**9),))
    assert (reservoir.volume_pl(50), reservoir.mass_pg("a", 50)) == (1000, 1000)
    assert (reservoir.volume_pl(300), reservoir.mass_pg("a", 300)) == (750, 750)


@pytest.mark.parametrize("volume_pl", [-1, 1001])
def test_what_does_not_fit_is_refused_and_changes_nothing(volume_pl: int) -> None:
    reservoir = Reservoir(1000)
    reservoir.replace(0, 1000, ())
    with pytest.raises(ValueError, match="capacity"):
        reservoir.replace(400, volume_pl, ())
    assert reservoir.volume_pl(400) == 600
