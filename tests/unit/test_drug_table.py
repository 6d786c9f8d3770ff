"""The drug table: each number has its evidence, soft is within hard, and names are found."""

from dataclasses import replace
from fractions import Fraction

import pytest

from firmware.drugs import DRUGS, SOURCES, DrugLimits, Evidence, Known, find

UG = 10**6
MG = 10**9


def _numbers(row: DrugLimits) -> list[Known]:
    values = (getattr(row, field) for field in row.__dataclass_fields__)
    return [value for value in values if isinstance(value, Known)]


@pytest.mark.requirement("R-241")
@pytest.mark.parametrize("row", DRUGS.values(), ids=lambda row: row.name)
def test_every_number_has_its_evidence_and_every_default_says_so(row: DrugLimits) -> None:
    assert find(row.name) is row
    for known in _numbers(row):
        assert known.value > 0
        assert (known.evidence is Evidence.DEFAULT) == (known.source == "")
        assert known.source in ("", *SOURCES)


@pytest.mark.requirement("R-241")
@pytest.mark.parametrize("row", DRUGS.values(), ids=lambda row: row.name)
def test_soft_is_within_hard_and_units_are_those_of_the_drug(row: DrugLimits) -> None:
    low, high = row.concentration_min_pg_ml.value, row.concentration_max_pg_ml.value
    assert 5 * UG <= low < high <= 50 * MG
    assert row.day_soft_pg.value <= row.day_hard_pg.value <= 100 * MG
    # At the highest concentration the soft dose is a flow that a pump can give.
    assert Fraction(48, 10**6) < Fraction(row.day_soft_pg.value, high) < 24


def test_a_row_out_of_order_cannot_be_made() -> None:
    row = DRUGS["baclofen"]
    with pytest.raises(ValueError, match="doses out of order"):
        replace(row, day_soft_pg=replace(row.day_hard_pg, value=row.day_hard_pg.value + 1))
    with pytest.raises(ValueError, match="concentrations out of order"):
        replace(row, concentration_min_pg_ml=row.concentration_max_pg_ml)


def test_the_published_numbers() -> None:
    ziconotide, baclofen = DRUGS["ziconotide"], DRUGS["baclofen"]
    assert ziconotide.day_hard_pg.value == 19_200_000
    assert ziconotide.start_pg is not None
    assert ziconotide.step_pg is not None
    assert (ziconotide.start_pg.value, ziconotide.step_pg.value) == (2_400_000, 2_400_000)
    assert baclofen.day_soft_pg.value == 1000 * UG


@pytest.mark.parametrize("name", ["Morphine", "morphine sulfate", " morphine  (infumorph) "])
def test_case_and_salt_do_not_hide_a_drug(name: str) -> None:
    assert find(name) is DRUGS["morphine"]


@pytest.mark.parametrize("name", ["", " ", "saline", "xmorphine"])
def test_other_names_are_not_in_the_table(name: str) -> None:
    assert find(name) is None
