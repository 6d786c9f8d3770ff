"""The residual at a refill against what the pump expects: worked case 8, and nonsense."""

from dataclasses import replace
from fractions import Fraction

import pytest
from scripted_pump import DEVICE, STATUS

from tools.programmer import residual, warnings
from tools.programmer.residual import Residual
from tools.programmer.warnings import Warn

ML = 10**6
"""nL."""
FILL, EXPECTED = 20 * ML, 4_200_000
PUMP = replace(STATUS, fill_nl=FILL, computed_nl=EXPECTED)


def judged(actual_nl: int) -> Residual:
    return residual.judge(PUMP, DEVICE, actual_nl)


def codes(actual_nl: int) -> list[Warn]:
    return [caution.code for caution in warnings.of_residual(judged(actual_nl))]


@pytest.mark.requirement("R-022")
@pytest.mark.parametrize(
    ("actual_nl", "percent", "expected"),
    [
        (4_200_000, "0.00", []),
        (3_000_000, "7.59", []),
        (1_500_000, "17.09", [Warn.DISCREPANCY_OVER]),
        (7_000_000, "-17.72", [Warn.DISCREPANCY_UNDER]),
    ],
)
def test_worked_case_8(actual_nl: int, percent: str, expected: list[Warn]) -> None:
    found = judged(actual_nl).discrepancy
    assert found is not None
    assert round(found * 100, 2) == Fraction(percent)
    assert codes(actual_nl) == expected


def test_the_gate_of_worked_case_8_is_itself_within() -> None:
    assert (judged(0).low_nl, judged(0).high_nl) == (1_909_000, 6_491_000)
    assert codes(1_909_000) == codes(6_491_000) == []
    assert codes(1_908_999) == [Warn.DISCREPANCY_OVER]
    assert codes(6_491_001) == [Warn.DISCREPANCY_UNDER]


def test_more_than_was_filled_is_implausible() -> None:
    assert codes(FILL) == [Warn.DISCREPANCY_UNDER]
    assert codes(FILL + 1) == [Warn.DISCREPANCY_UNDER, Warn.RESIDUAL_IMPLAUSIBLE]


def test_before_anything_is_given_there_is_no_discrepancy() -> None:
    full = replace(PUMP, computed_nl=FILL)
    assert residual.judge(full, DEVICE, FILL).discrepancy is None
    assert warnings.of_residual(residual.judge(full, DEVICE, FILL)) == []


def test_the_gate_does_not_go_below_nothing() -> None:
    nearly_dry = residual.judge(replace(PUMP, computed_nl=100), DEVICE, 0)
    assert nearly_dry.low_nl == 0
    assert not nearly_dry.over
