"""The fault table: everything is checked before anything is touched, and everything ends."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from rig import HOUR_US, Rig

from emulator.faults import FAULTS, KINDS
from emulator.profile import Part, Profile

SENSED = Profile.load("sensed-40")
GOOD: Mapping[str, dict[str, Any]] = {
    "magnet_field": {"recovery": HOUR_US},
    "fav_reset": {},
    "reservoir.pocket_fill": {"fraction": "0.5"},
    "sensor.level_bias": {"by": -1_000_000},
    "sensor.level_stuck": {},
    "battery.drain": {"percent": 10},
    "link.noise": {"ber": "0.01"},
}
LASTING = sorted(name for name, fault in FAULTS.items() if fault.end is not None)


def _rig(name: str) -> Rig:
    """Return a pump that can have this fault."""
    return Rig(profile=SENSED) if FAULTS[name].needs is Part.LEVEL_SENSOR else Rig()


def test_every_fault_of_the_table_is_tried_here() -> None:
    assert set(GOOD) == set(FAULTS)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_and_parameter_says_what_it_is(name: str) -> None:
    assert FAULTS[name].doc
    for parameter in FAULTS[name].parameters.values():
        assert parameter.doc
        assert parameter.kind in KINDS


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_lasts_until_it_is_cleared(name: str) -> None:
    faults = _rig(name).board.faults
    faults.inject(name, GOOD[name])
    assert list(faults.active()) == [name]
    faults.clear(name)
    faults.clear(name)
    assert faults.active() == {}


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_ends_when_its_time_is_over(name: str) -> None:
    rig = _rig(name)
    rig.board.faults.inject(name, GOOD[name], HOUR_US)
    rig.world.run_until(HOUR_US - 1)
    assert list(rig.board.faults.active()) == [name]
    rig.world.run_until(HOUR_US)
    assert rig.board.faults.active() == {}


def test_injecting_again_replaces_the_fault_and_its_time() -> None:
    rig = Rig()
    rig.board.faults.inject("link.noise", {"ber": "0.01"}, HOUR_US)
    rig.board.faults.inject("link.noise", {"ber": "0.02"})
    rig.world.run_until(2 * HOUR_US)
    assert rig.board.faults.active() == {"link.noise": {"ber": "1/50"}}


def test_a_magnet_field_holds_the_rotor_until_its_recovery() -> None:
    rig = Rig()
    rig.board.faults.inject("magnet_field", {"recovery": 3 * HOUR_US}, HOUR_US)
    rig.run(2 * HOUR_US)
    assert rig.board.magnet.field_present().value == 0
    rig.pump(1)
    assert rig.plant.delivered_pl == 0
    rig.world.run_until(3 * HOUR_US)
    rig.pump(1)
    assert rig.plant.delivered_pl > 0


def test_a_drain_takes_charge_once() -> None:
    rig = Rig()
    full_nah = rig.board.battery.left_nah
    rig.board.faults.inject("battery.drain", {"percent": "12.5"})
    assert rig.board.battery.left_nah == full_nah * 7 // 8
    assert rig.board.faults.active() == {}


def test_noise_spoils_the_link_until_cleared() -> None:
    rig = Rig()
    rig.board.faults.inject("link.noise", {"ber": 0.05})
    rig.board.link.write(bytes(1000))
    assert rig.board.link.host_read() != bytes(1000)
    rig.board.faults.clear("link.noise")
    rig.board.link.write(bytes(1000))
    assert rig.board.link.host_read() == bytes(1000)


@pytest.mark.parametrize(
    ("name", "params", "for_us", "says"),
    [
        (
            "magnet",
            {},
            None,
            f'no fault "magnet"; there are {", ".join(sorted(FAULTS))}',
        ),
        ("magnet_field", {"tesla": 3}, None, 'has no parameter "tesla"; there are recovery'),
        ("magnet_field", {"recovery": -1}, None, "-1 is not within 0.."),
        ("magnet_field", {"recovery": "0.5"}, None, "not a whole number of us"),
        ("magnet_field", {"recovery": "long"}, None, '"long" is not a number'),
        ("magnet_field", {}, -1, "for: -1 is not within"),
        ("battery.drain", {}, None, 'needs the parameter "percent"'),
        ("battery.drain", {"percent": 101}, None, "101 is not within 0..100"),
        ("battery.drain", {"percent": 10}, HOUR_US, "happens once"),
        ("link.noise", {"ber": "1.01"}, None, "1.01 is not within 0..1"),
        ("link.noise", {"ber": "1/0"}, None, "is not a number"),
    ],
)
def test_what_is_wrong_is_refused_in_words_and_changes_nothing(
    name: str, params: dict[str, Any], for_us: int | None, says: str
) -> None:
    rig = Rig()
    full_nah = rig.board.battery.left_nah
    with pytest.raises(ValueError, match=re.escape(says)):
        rig.board.faults.inject(name, params, for_us)
    assert rig.board.faults.active() == {}
    assert not rig.board.magnet.present
    assert rig.board.battery.left_nah == full_nah


@pytest.mark.parametrize("name", ["battery.drain", "nothing"])
def test_what_cannot_be_cleared_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Rig().board.faults.clear(name)
