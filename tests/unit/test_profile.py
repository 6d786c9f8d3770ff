"""Profiles: shipped ones are whole, and a wrong one is refused in one line."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from emulator.profile import DEVICE_RANGES, FOLDER, Profile, ProfileError, names
from firmware.device import DeviceConfig
from protocol.codes import ProgramKind


def _edited(tmp_path: Path, pattern: str, replacement: str) -> Path:
    """Return a copy of rotor-40 with one place changed."""
    text = (FOLDER / "rotor-40.toml").read_text(encoding="utf-8")
    changed, count = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE)
    assert count == 1
    path = tmp_path / "mine.toml"
    path.write_text(changed, encoding="utf-8")
    return path


def test_these_pumps_are_shipped() -> None:
    assert names() == [
        "open-pca",
        "rotor-20",
        "rotor-40",
        "rotor-40-legacy",
        "sensed-20",
        "sensed-40",
        "trial-external",
        "valve-20",
        "valve-40",
    ]


@pytest.mark.parametrize("name", ["rotor-20", "rotor-40"])
def test_a_shipped_profile_is_the_pump_it_names(name: str) -> None:
    profile = Profile.load(name)
    assert profile.device.model == name
    assert profile.device.capacity_nl == int(name[-2:]) * 1_000_000
    assert profile.device.stroke_pl == 250_000
    assert profile.device.memory_error_program is ProgramKind.MINIMUM_RATE
    assert profile.plant.battery.curve[0] == (0, 3_650)


@pytest.mark.parametrize("mechanism", ["rotor", "valve", "sensed"])
def test_the_two_pumps_of_a_mechanism_differ_in_size_only(mechanism: str) -> None:
    small, large = Profile.load(f"{mechanism}-20"), Profile.load(f"{mechanism}-40")
    assert differing(small, large) - {"level_tolerance_nl"} == {"model", "capacity_nl"}


def test_the_legacy_pump_differs_in_that_option_only() -> None:
    legacy, usual = Profile.load("rotor-40-legacy"), Profile.load("rotor-40")
    assert differing(legacy, usual) == {"model", "legacy_update"}


def differing(one: Profile, other: Profile) -> set[str]:
    """Names of what differs, of two with the same physics."""
    assert one.plant == other.plant
    return {
        field.name
        for field in fields(DeviceConfig)
        if getattr(one.device, field.name) != getattr(other.device, field.name)
    }


DAY_NL = {  # nL/day: lowest, highest, minimum rate; then the stroke, nL
    "rotor-40": (48_000, 24_000_000, 6_000, 250),
    "valve-40": (0, 28_800_000, 0, 2_000),
    "sensed-40": (100_000, 4_000_000, 6_000, 1_000),
    "trial-external": (0, 240_000_000, 2_400_000, 500),
}


@pytest.mark.parametrize("name", DAY_NL)
def test_the_rates_are_those_of_the_table(name: str) -> None:
    """A rate of a whole number of nL per day may be no whole number of pL per hour."""
    device = Profile.load(name).device
    rates = (device.flow_min_pl_h, device.flow_max_pl_h, device.minimum_rate_pl_h)
    assert (*(round(rate * 24 / 1000) for rate in rates), device.stroke_nl) == DAY_NL[name]


@pytest.mark.parametrize("name", [n for n in names() if not n.startswith("rotor")])
def test_a_stroke_takes_at_most_half_of_its_interval(name: str) -> None:
    profile = Profile.load(name)
    device = profile.device
    interval_us = device.stroke_pl * 3_600_000_000 // device.flow_max_pl_h
    assert 2 * profile.plant.stroke_us <= interval_us


@pytest.mark.parametrize(
    ("name", "volume_nl_day", "days"),
    [
        ("rotor-40", 500_000, 2_556),
        ("rotor-40", 1_500_000, 1_856),
        ("valve-40", 500_000, 3_652),
        ("valve-40", 1_500_000, 2_506),
        ("sensed-40", 500_000, 2_922),
        ("sensed-40", 1_500_000, 1_994),
        ("trial-external", 2_400_000, 19),
        ("trial-external", 240_000_000, 4),
    ],
)
def test_a_battery_lasts_as_its_profile_reckons(name: str, volume_nl_day: int, days: int) -> None:
    profile = Profile.load(name)
    device, battery = profile.device, profile.plant.battery
    day_nah = battery.rest_na * 24 + volume_nl_day // device.stroke_nl * battery.stroke_nah
    eri_day = battery.used_when(device.eri_mv) // (day_nah * 3_600_000_000)
    eos_day = min(eri_day + device.eri_days, device.service_days)
    assert eos_day == days
    if name != "trial-external" or volume_nl_day < 100_000_000:
        assert battery.rest_mv(eos_day * day_nah * 3_600_000_000) > device.eos_mv


def test_only_a_model_with_valves_says_how_much_they_dump(tmp_path: Path) -> None:
    path = _edited(tmp_path, r"^rotor_deg", "dump_pl_h = 1\nrotor_deg")
    with pytest.raises(ProfileError, match=r"\[plant\] dump_pl_h: is unknown"):
        Profile.load(path)
    path = _edited(tmp_path, r'^magnet = "stall"', 'magnet = "dump"')
    with pytest.raises(ProfileError, match=r"\[plant\] dump_pl_h: is missing"):
        Profile.load(path)


@pytest.mark.parametrize("name", names())
def test_every_value_of_a_shipped_profile_has_its_evidence_mark(name: str) -> None:
    for line in (
        (FOLDER / f"{name}.toml")
        .read_text(encoding="utf-8")
        .split("# Battery, all D")[0]
        .splitlines()
    ):
        if " = " in line and not line.startswith(("#", "model")):
            assert re.search(r"# [VRD]\b", line), line


def test_a_copy_is_read_by_its_path(tmp_path: Path) -> None:
    path = _edited(tmp_path, r"^stroke_nl = 250", "stroke_nl = 125")
    assert Profile.load(path).device.stroke_pl == 125_000
    assert Profile.load(str(path)).device.model == "rotor-40"


@pytest.mark.parametrize("key", sorted(DEVICE_RANGES))
@pytest.mark.parametrize("value", ["-1", '"x"', "1.5", "true", "99999999999999999"])
def test_an_impossible_value_names_file_and_key(tmp_path: Path, key: str, value: str) -> None:
    path = _edited(tmp_path, rf"^{key} = [\d_]+", f"{key} = {value}")
    with pytest.raises(ProfileError, match=rf"mine\.toml: \[device\] {key}: ") as refusal:
        Profile.load(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("pattern", "replacement", "says"),
    [
        (r"^stroke_nl = .*$", "", "[device] stroke_nl: is missing"),
        (r"^stroke_us = .*$", "", "[plant] stroke_us: is missing"),
        (r"^stroke_nl", "stroke_ml = 1\nstroke_nl", "[device] stroke_ml: is unknown"),
        (r"^rotor_deg", "wheels = 4\nrotor_deg", "[plant] wheels: is unknown"),
        (r"^\[device\]", "colour = 1\n[device]", "unknown key colour"),
        (r"^\[plant\]", "[plants]", "unknown key plants"),
        (r"^model = .*$", 'model = ""', "[device] model: '' is not a name"),
        (r'"minimum_rate"', '"bolus"', "memory_error_program: 'bolus' is not one of minimum_rate"),
        (r'^magnet = "stall"', 'magnet = "melt"', "magnet: 'melt' is not one of stall, dump, none"),
        (r"^flow_min_pl_h = \S+", "flow_min_pl_h = 2_000_000_000", "is above flow_max_pl_h"),
        (
            r"^minimum_rate_pl_h = \S+",
            "minimum_rate_pl_h = 2_000_000_000",
            "is above flow_max_pl_h",
        ),
        (r"^bolus_max_nl = \S+", "bolus_max_nl = 41_000_000", "is above capacity_nl"),
        (r"^low_reservoir_nl = \S+", "low_reservoir_nl = 40_000_000", "is not below capacity"),
        (r"^eos_mv = \S+", "eos_mv = 3_000", "is not below eri_mv"),
        (r"^eri_days = \S+", "eri_days = 2_556", "is not below service_days"),
        (r"^quantum_strokes = \S+", "quantum_strokes = 41", "is above 10000 nL"),
        (r"^    \[0, 3_650\]", "    [1, 3_650]", "does not go from 0"),
        (r"^    \[800_000_000, 2_000\],", "", "does not go from 0"),
        (r"^    \[40_000_000, 3_600\]", "    [40_000_000, 3_700]", "not further and lower"),
        (r"^    \[40_000_000, 3_600\]", "    [0, 3_600]", "not further and lower"),
        (r"^    \[0, 3_650\]", "    [0, 3.65]", "is not a list of at least two"),
        (r"^stroke_nl = 250", "stroke_nl = = 250", "mine.toml: "),
    ],
)
def test_a_profile_that_cannot_be_is_refused_in_one_line(
    tmp_path: Path, pattern: str, replacement: str, says: str
) -> None:
    path = _edited(tmp_path, pattern, replacement)
    with pytest.raises(ProfileError, match=re.escape(says)) as refusal:
        Profile.load(path)
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)


def test_a_profile_without_tables_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("", encoding="utf-8")
    with pytest.raises(ProfileError, match=r"\[device\] is missing"):
        Profile.load(path)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        ProfileError, match="no profile rotor-80; there are open-pca, rotor-20, rotor-40, rotor-40-"
    ):
        Profile.load("rotor-80")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"absent\.toml"):
        Profile.load(tmp_path / "absent.toml")
