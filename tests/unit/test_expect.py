"""Expectations: exact comparison, and failures that say by how much."""

from fractions import Fraction
from typing import Any

import pytest

from tools.pump_measures import Value
from tools.scenario import expect
from tools.scenario.expect import Expectation
from tools.toml_file import FileError, parse

END_US = 1_000_000


def instant(value: Any) -> int:
    assert isinstance(value, str)
    return 7


def expectation(lines: str) -> Expectation:
    table = parse("s.toml", f"[[expect]]\n{lines}").tables("expect")[0]
    return expect.read(table, instant, END_US, ["baclofen"])


def error_of(lines: str) -> str:
    with pytest.raises(FileError) as caught:
        expectation(lines)
    return str(caught.value)


NUMBER = 'that = "pump.computed_ul"\n'
LIST = 'that = "pump.alarms"\n'
TEXT = 'that = "pump.mode"\n'
FLAG = 'that = "pump.eri"\n'
DATE = 'that = "pump.refill_due"\n'


@pytest.mark.parametrize(
    ("lines", "actual", "problem"),
    [
        (NUMBER + "equals = 35500", Fraction(35500), None),
        (
            NUMBER + "equals = 35500",
            Fraction(35500) - Fraction(1, 10**12),
            "is 35499.999999999999, not 35500 (off by -0.000000000001)",
        ),
        (NUMBER + 'equals = 35500\nwithin = "0.25"', Fraction("35500.25"), None),
        (NUMBER + 'equals = 35500\nwithin = "0.25"', Fraction("35499.75"), None),
        (
            NUMBER + 'equals = 35500\nwithin = "0.25"',
            Fraction("35500.2501"),
            "is 35500.2501, not 35500 ± 0.25 (off by 0.2501)",
        ),
        (NUMBER + 'equals = "25/3"', Fraction(25, 3), None),
        (NUMBER + 'equals = "8.33"', Fraction(25, 3), "is 25/3, not 8.33 (off by 1/300)"),
        (NUMBER + "equals = 0", None, "is null, not 0"),
        (NUMBER + "min = 3", Fraction(3), None),
        (NUMBER + "min = 3", Fraction("2.9"), "is 2.9, below 3"),
        (NUMBER + "max = 3", Fraction(3), None),
        (NUMBER + 'max = "3.5"', Fraction("3.6"), "is 3.6, above 3.5"),
        (NUMBER + "min = 3", None, "is null, below 3"),
        (NUMBER + 'is = "null"', None, None),
        (NUMBER + 'is = "null"', Fraction(1), "is 1, not null"),
        (LIST + 'contains = "ERI"', ("EOS", "ERI"), None),
        (LIST + 'contains = "ERI"', ("EOS",), "is [EOS], without ERI"),
        (LIST + 'lacks = "ERI"', (), None),
        (LIST + 'lacks = "ERI"', ("ERI",), "is [ERI], with ERI in it"),
        (LIST + 'lacks = "ERI"', None, "is null, with ERI in it"),
        (LIST + 'equals = ["ERI", "EOS"]', ("ERI", "EOS"), None),
        (LIST + 'equals = ["ERI", "EOS"]', ("EOS", "ERI"), "is [EOS, ERI], not [ERI, EOS]"),
        (LIST + "equals = []", (), None),
        (TEXT + 'is = "basal"', "basal", None),
        (TEXT + 'is = "basal"', "bolus", "is bolus, not basal"),
        (TEXT + 'is = "null"', None, None),
        (FLAG + "is = true", True, None),
        (FLAG + "is = false", True, "is true, not false"),
        (DATE + 'is = "2027-09-14T17:00:00"', "2027-09-14T17:00:00", None),
        (DATE + "is = 2027-09-14T17:00:00", "2027-09-14T17:00:00", None),
    ],
)
def test_a_comparator_holds_or_says_why_not(lines: str, actual: Value, problem: str | None) -> None:
    assert expectation(lines).judge(actual) == ([problem] if problem else [])


def test_all_comparators_of_one_expectation_must_hold() -> None:
    both = expectation(NUMBER + "min = 3\nmax = 5")
    assert both.judge(Fraction(4)) == []
    assert both.judge(Fraction(6)) == ["is 6, above 5"]
    assert both.wanted_text() == ">= 3, <= 5"


def test_without_an_instant_the_end_is_meant() -> None:
    assert (expectation(NUMBER + "min = 3").at_us, expectation(NUMBER + "min = 3").at) == (
        END_US,
        "end",
    )
    assert expectation('at = "1d"\n' + NUMBER + "min = 3").at == "1d"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("equals = 3", 's.toml:1: key "that" is missing'),
        (
            'that = "pump.computed_ml"\nequals = 3',
            's.toml:2: that: "pump.computed_ml": unknown measure; did you mean "pump.computed_ul"?',
        ),
        (
            'that = "truth.tip_ug.morphine"\nequals = 3',
            's.toml:2: that: "truth.tip_ug.morphine": no such drug; known are baclofen',
        ),
        (
            'that = "event.first.LOW_RESERVIOR"\nequals = 3',
            's.toml:2: that: "event.first.LOW_RESERVIOR": no such code; '
            'did you mean "LOW_RESERVOIR"?',
        ),
        (NUMBER, "s.toml:1: nothing is compared; pump.computed_ul takes equals, min or max"),
        (NUMBER + "equals = true", 's.toml:3: equals: true: a number is needed here, '
            'e.g. 35500 or "0.25"'),
        (NUMBER + 'contains = "ERI"', "s.toml:3: contains: pump.computed_ul is a number; "
            "use equals, min or max"),
        (NUMBER + 'is = "3"', "s.toml:3: is: pump.computed_ul is a number; use equals, min or max"),
        (TEXT + 'equals = "basal"', 's.toml:3: equals: pump.mode is a text; use is = "..."'),
        (TEXT + 'is = "basel"', 's.toml:3: is: "basel": pump.mode is never that; '
            'did you mean "basal"?'),
        (FLAG + 'is = "true"', 's.toml:3: is: "true": true or false is needed, without quotes'),
        (LIST + 'equals = "ERI"', 's.toml:3: equals: "ERI": a list of codes is needed, '
            'e.g. ["LOW_RESERVOIR"]'),
        (LIST + 'contains = "ERRI"', 's.toml:3: contains: "ERRI": no such code in this version; '
            'did you mean "ERI"?'),
        (NUMBER + 'min = 3\nwithin = "1"\nis = "null"', "s.toml:4: within: it goes with equals "
            "and a number"),
        (NUMBER + 'equals = 3\nwithin = "-1"', 's.toml:4: within: "-1": a margin is not negative'),
        (NUMBER + "equal = 3", 's.toml:3: unknown key "equal"; did you mean "equals"?'),
    ],
)  # fmt: skip
def test_an_expectation_that_cannot_be_meant_is_one_line(lines: str, message: str) -> None:
    assert error_of(lines) == message


def test_json_keeps_numbers_exact() -> None:
    values = (Fraction(35500), Fraction(1, 4), Fraction(25, 3), ("ERI",), True, None, "basal")
    assert [expect.value_json(value) for value in values] == [
        35500, "0.25", "25/3", ["ERI"], True, None, "basal",
    ]  # fmt: skip
