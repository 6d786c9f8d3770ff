"""The fluid path's arithmetic, against the worked cases and against exact fractions."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nurse import DRUG, therapy
from rig import PROFILE

from firmware import path
from firmware.flow import DAY_US, HOUR_US, Flow, exceeds, flow, from_rate, per_hour
from protocol import codec
from protocol.codes import BolusKind, RateBasis, RatePer
from protocol.messages import Drug, Rate

CONFIG = PROFILE.device
HALF = Drug(DRUG.name, 500_000_000)
CASE_4 = path.change(
    replace(therapy(), drugs=(HALF,)), flow(600_000_000, DAY_US), 1000
)  # 500 µg/mL at 0.600 mL/day, changed after 1000 strokes


@pytest.mark.requirement("R-057")
def test_worked_case_3_the_path_and_its_prime() -> None:
    assert path.path_pl(therapy(), CONFIG) == 319_300_000
    assert path.prime_pl(BolusKind.PRIME, therapy(), CONFIG) == 319_300_000
    assert path.prime_pl(BolusKind.PRIME_CATHETER, therapy(), CONFIG) == 179_300_000
    assert path.prime_flow(CONFIG) == per_hour(10**9)
    minutes = Fraction(path.time_us(319_300_000, path.prime_flow(CONFIG)), 60 * 10**6)
    assert round(float(minutes), 2) == 19.16


def test_a_prime_is_never_faster_than_the_pump() -> None:
    slow = replace(CONFIG, flow_max_pl_h=999)
    assert path.prime_flow(slow) == per_hour(999)


def test_worked_case_4_the_bridge() -> None:
    for basis, amount in (
        (RateBasis.MASS_PG, 300_000_000),  # 300 µg/day of 500 µg/mL
        (RateBasis.VOLUME_PL, 600_000_000),
        (RateBasis.MASS_PG, 0),  # the dose before the change
    ):
        rate = path.bridge_flow(basis, amount, CASE_4)
        assert rate == flow(600_000_000, DAY_US)
        # 12 h 46 min 19.2 s
        assert path.time_us(319_300_000, rate) == (12 * 3600 + 46 * 60 + 19) * 10**6 + 200_000


def test_a_path_nobody_told_is_not_taken_to_be_the_tubing() -> None:
    for unknown in (
        replace(therapy(), catheter_um=0),
        replace(therapy(), catheter_pl_cm=0),
    ):
        assert path.path_pl(unknown, CONFIG) == path.catheter_pl(unknown) == 0
        assert path.prime_pl(BolusKind.PRIME, unknown, CONFIG) == 0


def test_a_part_of_a_picolitre_of_the_catheter_is_dropped() -> None:
    odd = replace(therapy(), catheter_um=33_333, catheter_pl_cm=77_777)
    assert path.catheter_pl(odd) == 33_333 * 77_777 // 10_000


def test_what_has_left_the_pump_since_the_change_needs_no_bridge() -> None:
    assert path.undelivered_pl(319_300_000, CASE_4, 1000, 250_000) == 319_300_000
    assert path.undelivered_pl(319_300_000, CASE_4, 1400, 250_000) == 219_300_000
    assert path.undelivered_pl(319_300_000, CASE_4, 2278, 250_000) == 0


def test_a_bridge_owes_what_has_not_left_the_pump_since_it_was_committed() -> None:
    record = path.bridge(flow(600_000_000, DAY_US), 319_300_000, 5000)
    assert record.flow == flow(600_000_000, DAY_US)
    assert record.owed_pl(5000, 250_000) == 319_300_000
    assert record.owed_pl(6277, 250_000) == 50_000
    assert record.owed_pl(6278, 250_000) == 0


@pytest.mark.parametrize(
    ("new", "is_change"),
    [
        ((DRUG,), False),
        ((DRUG, Drug("morphine", 1)), False),
        ((HALF,), True),
        ((Drug("morphine", 2_000_000_000),), True),
        ((), False),
    ],
)
def test_another_first_drug_or_concentration_is_a_change(
    new: tuple[Drug, ...], is_change: bool
) -> None:
    assert path.changed(therapy(), replace(therapy(), drugs=new)) is is_change


def test_nothing_remembered_gives_no_flow() -> None:
    assert path.bridge_flow(RateBasis.MASS_PG, 0, path.NO_CHANGE).numerator == 0
    assert path.bridge_flow(RateBasis.MASS_PG, 300, path.NO_CHANGE).numerator == 0


@given(
    amount=st.integers(1, 10**13),
    concentration=st.integers(1, 10**11),
    per=st.sampled_from(RatePer),
)
def test_a_remembered_rate_is_the_rate_that_was(
    amount: int, concentration: int, per: RatePer
) -> None:
    """Exact, unless a term of the ratio does not fit 64 bits: then to 1 in 2^33."""
    old = replace(therapy(), drugs=(Drug("a", concentration),))
    rate = from_rate(Rate(RateBasis.MASS_PG, per, amount), old.drugs)
    assume(not exceeds(rate, per_hour(CONFIG.flow_max_pl_h)))
    remembered = codec.decode(path.Change, codec.encode(path.change(old, rate, 7)))
    again = path.bridge_flow(RateBasis.MASS_PG, 0, remembered)
    exact = Fraction(*rate)
    hourly = exact * HOUR_US
    if hourly.numerator < 1 << 64 and hourly.denominator < 1 << 64:
        assert again == rate
    else:
        assert abs(Fraction(*again) - exact) <= exact / (1 << 33)


@given(volume=st.integers(0, 10**12), top=st.integers(1, 10**9), bottom=st.integers(1, 10**13))
def test_the_time_of_a_volume_is_the_first_microsecond_at_which_it_is_owed(
    volume: int, top: int, bottom: int
) -> None:
    rate = Flow(top, bottom)
    at_us = path.time_us(volume, rate)
    assert Fraction(*rate) * at_us >= volume
    assert at_us == 0 or Fraction(*rate) * (at_us - 1) < volume
