"""Quantities as people write them: exact, or one line that says what is wrong."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codes import RateBasis, RatePer
from protocol.messages import Rate
from tools import bench, quantity
from tools.quantity import QuantityError

VOLUME, MASS = RateBasis.VOLUME_PL, RateBasis.MASS_PG
HOUR, DAY = RatePer.HOUR, RatePer.DAY


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (quantity.volume_pl, "40 mL", 40 * 10**9),
        (quantity.volume_pl, "0.25uL", 250_000),
        (quantity.volume_pl, "  7 nL ", 7_000),
        (quantity.volume_pl, "1 µL", 10**6),
        (quantity.volume_pl, "1 μL", 10**6),
        (quantity.volume_pl, "2 ml", 2 * 10**9),
        (quantity.volume_nl, "0.000001 mL", 1),
        (quantity.mass_pg, "300 ug", 300 * 10**6),
        (quantity.mass_pg, "300 mcg", 300 * 10**6),
        (quantity.mass_pg, "0.1 mg", 10**8),
        (quantity.mass_pg, "5 ng", 5_000),
        (quantity.mass_pg, "5 pg", 5),
        (quantity.length_um, "81.5 cm", 815_000),
        (quantity.concentration_pg_ml, "2000 ug/mL", 2 * 10**9),
        (quantity.concentration_pg_ml, "2 mg/ml", 2 * 10**9),
        (quantity.volume_per_length_pl_cm, "0.0022 mL/cm", 2_200_000),
        (quantity.rate, "0.15 mL/day", Rate(VOLUME, DAY, 150_000_000)),
        (quantity.rate, "0.15 mL/d", Rate(VOLUME, DAY, 150_000_000)),
        (quantity.rate, "10 ug/h", Rate(MASS, HOUR, 10_000_000)),
        (quantity.rate, "6.25 uL / h", Rate(VOLUME, HOUR, 6_250_000)),
        (quantity.dose, "20 ug", (MASS, 20_000_000)),
        (quantity.dose, "10 uL", (VOLUME, 10_000_000)),
        (quantity.duration_us, "2d 6h", 54 * 3600 * 10**6),
        (quantity.duration_us, "2d6h", 54 * 3600 * 10**6),
        (quantity.duration_us, "1w 1d 1h 1min 1s 1ms 1us", 694_861_001_001),
        (quantity.duration_us, "1.5 h", 5400 * 10**6),
        (quantity.duration_us, "90 µs", 90),
        (quantity.duration_us, "0 s", 0),
        (quantity.number, 35500, Fraction(35500)),
        (quantity.number, "0.25", Fraction(1, 4)),
        (quantity.number, "-3", Fraction(-3)),
        (quantity.number, "25/3", Fraction(25, 3)),
        (quantity.number, "1e-4", Fraction(1, 10_000)),
        (quantity.number, "-2.5E+3", Fraction(-2500)),
        (quantity.number, Decimal("1e-4"), Fraction(1, 10_000)),
        (quantity.number, Decimal("0.1"), Fraction(1, 10)),
    ],
)
def test_a_quantity_is_read_exactly(read: Callable[[Any], Any], text: Any, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        # A number alone does not say what it counts.
        (quantity.volume_pl, 40, '40: a volume needs a unit, e.g. "40 mL"'),
        (quantity.volume_pl, Decimal("0.5"), '0.5: a volume needs a unit, e.g. "40 mL"'),
        (quantity.volume_pl, "40", '"40": a volume needs a unit, e.g. "40 mL"'),
        (quantity.duration_us, 5, '5: a time needs a unit, e.g. "2d 6h"'),
        (quantity.rate, "0.15", '"0.15": a rate needs a unit, e.g. "0.15 mL/day"'),
        # The wrong kind of unit is named.
        (
            quantity.volume_pl,
            "40 mg",
            '"40 mg": mg is a mass; a volume is needed here, e.g. "40 mL"',
        ),
        (
            quantity.mass_pg,
            "0.15 mL",
            '"0.15 mL": mL is a volume; a mass is needed here, e.g. "300 ug"',
        ),
        (
            quantity.volume_pl,
            "40 mL/day",
            '"40 mL/day": mL/day is a rate; a volume is needed here, e.g. "40 mL"',
        ),
        (
            quantity.rate,
            "300 ug",
            '"300 ug": ug is a mass; a rate is needed here, e.g. "0.15 mL/day"',
        ),
        (
            quantity.duration_us,
            "5 mL",
            '"5 mL": mL is a volume; a time is needed here, e.g. "2d 6h"',
        ),
        (
            quantity.concentration_pg_ml,
            "2000 ug",
            '"2000 ug": ug is a mass; a concentration is needed here, e.g. "2000 ug/mL"',
        ),
        # The right kind, put together wrongly.
        (
            quantity.rate,
            "300 ml/min",
            '"300 ml/min": a rate is per h or per day, e.g. "0.15 mL/day"',
        ),
        (
            quantity.concentration_pg_ml,
            "2000 ug/uL",
            '"2000 ug/uL": a concentration is a mass per mL, e.g. "2000 ug/mL"',
        ),
        # A unit nobody knows.
        (
            quantity.volume_pl,
            "40 ML",
            '"40 ML": unknown unit "ML"; a volume is in nL, uL or mL, e.g. "40 mL"',
        ),
        (
            quantity.duration_us,
            "2 days",
            '"2 days": unknown unit "days"; a time is in us, ms, s, min, h, d or w, e.g. "2d 6h"',
        ),
        (
            quantity.duration_us,
            "5 m",
            '"5 m": unknown unit "m"; a time is in us, ms, s, min, h, d or w, e.g. "2d 6h"',
        ),
        # Numbers that could be misread.
        (quantity.volume_pl, "-3 mL", '"-3 mL": a volume is not negative'),
        (quantity.volume_pl, ".5 mL", '".5 mL": a digit stands before the point: "0.5 mL"'),
        (
            quantity.volume_pl,
            "1,5 mL",
            '"1,5 mL": no commas in a number; the decimal point is ".", e.g. "40 mL"',
        ),
        (
            quantity.volume_pl,
            "1e3 mL",
            '"1e3 mL": unknown unit "e3 mL"; a volume is in nL, uL or mL, e.g. "40 mL"',
        ),
        # What cannot be kept exactly.
        (quantity.volume_pl, "0.0001 nL", '"0.0001 nL": finer than 1 pL'),
        (quantity.volume_nl, "0.5 nL", '"0.5 nL": finer than 1 nL'),
        (quantity.mass_pg, "0.5 pg", '"0.5 pg": finer than 1 pg'),
        (quantity.duration_us, "0.1 us", '"0.1 us": finer than 1 us'),
        (quantity.rate, "0.5 pg/h", '"0.5 pg/h": finer than 1 pg'),
        (quantity.volume_pl, "1001 mL", '"1001 mL": too large for a volume'),
        (quantity.duration_us, "40000 d", '"40000 d": too large for a time'),
        (quantity.duration_us, "20000d 20000d", '"20000d 20000d": longer than 100 years'),
        # Nothing that is a quantity at all.
        (quantity.volume_pl, "", '"": a volume is needed here, e.g. "40 mL"'),
        (quantity.volume_pl, "full", '"full": a volume is needed here, e.g. "40 mL"'),
        (quantity.volume_pl, True, 'true: a volume is needed here, e.g. "40 mL"'),
        (quantity.volume_pl, ["40 mL"], 'a list: a volume is needed here, e.g. "40 mL"'),
        (quantity.volume_pl, "a\nb", '"a\\nb": a volume is needed here, e.g. "40 mL"'),
        (quantity.number, "x", '"x": a number is needed here, e.g. 35500 or "0.25"'),
        (quantity.number, True, 'true: a number is needed here, e.g. 35500 or "0.25"'),
        (
            quantity.number,
            "1e100",
            '"1e100": a number is needed here, e.g. 35500 or "0.25"',
        ),
        (
            quantity.number,
            Decimal("1e999999999"),
            '1E+999999999: a number is needed here, e.g. 35500 or "0.25"',
        ),
        (quantity.number, "1/0", '"1/0": a number is needed here, e.g. 35500 or "0.25"'),
        (
            quantity.number,
            Decimal("Infinity"),
            'Infinity: a number is needed here, e.g. 35500 or "0.25"',
        ),
    ],
)
def test_a_bad_quantity_says_what_is_wrong_in_one_line(
    read: Callable[[Any], Any], text: Any, message: str
) -> None:
    with pytest.raises(QuantityError) as caught:
        read(text)
    assert str(caught.value) == message


def test_an_endless_text_is_cut_short() -> None:
    with pytest.raises(QuantityError) as caught:
        quantity.volume_pl("9" * 10_000)
    assert len(str(caught.value)) < 100


UNITS = {"nL": 10**3, "uL": 10**6, "mL": 10**9}


@pytest.mark.requirement("R-018")
@given(st.integers(0, 10**12), st.sampled_from(sorted(UNITS)))
def test_every_volume_survives_being_written_and_read(volume_pl: int, unit: str) -> None:
    text = quantity.exact_text(Fraction(volume_pl, UNITS[unit]))
    assert quantity.volume_pl(f"{text} {unit}") == volume_pl


@pytest.mark.requirement("R-018")
@given(st.integers(0, 10**15), st.sampled_from(["pg/h", "pg/day", "pg/d"]))
def test_every_rate_survives_being_written_and_read(amount: int, unit: str) -> None:
    assert quantity.rate(f"{amount} {unit}").amount == amount


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from("wdhs")), min_size=1, max_size=6))
def test_a_sum_of_times_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    whole = quantity.duration_us(" ".join(f"{count}{unit}" for count, unit in parts))
    assert whole == sum(quantity.duration_us(f"{count}{unit}") for count, unit in parts)


@given(st.fractions(max_denominator=10**6))
def test_exact_text_loses_nothing(value: Fraction) -> None:
    assert quantity.number(quantity.exact_text(value)) == value


@given(st.text(max_size=80))
def test_any_text_is_a_volume_or_one_line_of_error(text: str) -> None:
    try:
        outcome = str(quantity.volume_pl(text))
    except QuantityError as error:
        outcome = str(error)
    assert outcome
    assert "\n" not in outcome


def test_exact_text_keeps_every_digit_of_a_long_number() -> None:
    assert quantity.exact_text(Fraction(10**30 + 1)) == str(10**30 + 1)
    assert quantity.exact_text(Fraction(-(10**30 + 1), 10)) == f"-1{'0' * 29}.1"


def test_a_volume_by_which_something_differs_may_be_below_0() -> None:
    assert quantity.volume_shift_nl("1.5 mL") == 1_500_000
    assert quantity.volume_shift_nl("-2 uL") == -2_000
    with pytest.raises(QuantityError, match=r'^"-2": a volume needs a unit'):
        quantity.volume_shift_nl("-2")
    with pytest.raises(QuantityError, match=r'^"--2 mL": a volume is not negative'):
        quantity.volume_shift_nl("--2 mL")


@pytest.mark.parametrize(
    ("fault", "text", "value"),
    [
        ("magnet_field", "recovery=2min", 120_000_000),
        ("magnet_field", "fav=true", "true"),
        ("sensor.level_bias", "by=-1 mL", -1_000_000),
        ("reservoir.pocket_fill", "fraction=0.5", "0.5"),
    ],
)
def test_the_bench_reads_a_faults_parameter_by_its_kind(
    fault: str, text: str, value: int | str
) -> None:
    assert bench._parameter(fault, text) == (text.split("=")[0], value)
