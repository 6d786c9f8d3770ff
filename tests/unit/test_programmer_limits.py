"""The programmer's look at the drug limits: what it says, what it asks, what the pump then logs.

Over the real controller; what was refused is judged by the pump's own log and status.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from desk import Person
from emulated_line import EmulatedLine
from scripted_pump import BACLOFEN, DEVICE

from firmware.limits import Passed
from protocol.codes import Code, RateBasis
from protocol.errors import ErrorCode, LimitId
from protocol.messages import BolusParameters, Drug, Rate
from tools.programmer import limits
from tools.programmer.errors import OutsideLimits

UG = 10**6
HEAD = '[therapy]\ndrugs = [{ name = "baclofen", concentration = "500 ug/mL" }]\n'
START = f'{HEAD}mode = "simple_continuous"\ndose_per_day = "300 ug"\nreservoir_fill = "40 mL"\n'
Program = Callable[..., int]


@pytest.fixture
def program(run: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    """A pump that gives 300 ug/day of 500 ug/mL; programs what it is told then."""

    def program(text: str, *words: str) -> int:
        path = tmp_path / "therapy.toml"
        path.write_text(text)
        return run("program", str(path), *words)

    assert program(START, "--yes") == 0
    capsys.readouterr()
    return program


def details(line: EmulatedLine, code: Code) -> list[tuple[int, int]]:
    records = line.pump.firmware.log_records(0, 255)
    return [(record.a, record.b) for record in records if record.code is code]


def generation(line: EmulatedLine) -> int:
    return line.pump.firmware.status().generation


def rate_ul_h(line: EmulatedLine) -> float:
    status = line.pump.firmware.status()
    return status.rate_numerator_pl / status.rate_denominator_h / 1e6


CONCENTRATION = '[therapy]\ndrugs = [{{ name = "baclofen", concentration = "{}" }}]\n'
DOSE = '[therapy]\ndose_per_day = "{}"\n'


# --- hard ---------------------------------------------------------------------------------------


@pytest.mark.requirement("R-243")
@pytest.mark.requirement("R-254")
def test_worked_case_12_is_blocked_before_the_pump_is_asked(
    program: Program, line: EmulatedLine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rate_ul_h(line) == 25  # 0.6 mL/day
    for words in ((), ("--override",)):
        assert program(CONCENTRATION.format("50 ug/mL"), "--yes", *words) == 3
        shown = capsys.readouterr()
        assert "IMPLAUSIBLE_FLOW" in shown.out
        assert "from 0.6 mL/day to 6 mL/day" in shown.out
        assert shown.err.count("\n") == 1
        assert "refused by the programmer: LIMIT_HARD: baclofen: " in shown.err
        assert "the flow would jump to 6 mL/day, more than 3 mL/day: implausible" in shown.err
    assert (generation(line), rate_ul_h(line)) == (1, 25)
    assert details(line, Code.REFUSED) == []


@pytest.mark.requirement("R-018")
@pytest.mark.requirement("R-243")
@pytest.mark.requirement("R-254")
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (DOSE.format("300 mg"), "dose 300 mg/day is above the drug's limit, 2000 ug; a thousandth"),
        (CONCENTRATION.format("500 mg/mL"), "concentration 500 mg/mL is above the highest in use"),
        (
            CONCENTRATION.format("0.5 ug/mL"),
            "a thousand times as much would be usual: was ug typed",
        ),
    ],
)
def test_milligrams_for_micrograms_are_one_line_that_names_the_unit(
    program: Program,
    line: EmulatedLine,
    text: str,
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert program(text, "--yes", "--override") == 3
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert complaint in err
    assert "LIMIT_HARD: baclofen: " in err
    assert err.count(" typed for ") == 1
    assert (generation(line), rate_ul_h(line)) == (1, 25)


def test_a_slip_of_ten_is_not_said_to_be_one_of_units() -> None:
    wild = replace(BACLOFEN, rate=Rate(RateBasis.MASS_PG, BACLOFEN.rate.per, 3000 * UG))
    (passed,) = limits.of_program(wild, None, DEVICE)
    assert limits.sentence(passed, wild.drugs) == (
        "baclofen: dose 3000 ug/day is above the drug's limit, 2000 ug"
    )


# --- soft ---------------------------------------------------------------------------------------


@pytest.mark.requirement("R-244")
def test_a_soft_limit_needs_the_override(
    program: Program, line: EmulatedLine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program(DOSE.format("600 ug"), "--yes") == 3
    err = capsys.readouterr().err
    assert "LIMIT_SOFT: baclofen: the dose would rise by 100 %, more than 40 % at once" in err
    assert "--override" in err
    assert (generation(line), details(line, Code.REFUSED)) == (1, [])


@pytest.mark.requirement("R-244")
@pytest.mark.parametrize(
    ("typed", "code"), [("override\n", 0), ("y\n", 1), ("yes\n", 1), ("\n", 1)]
)
def test_beyond_a_soft_limit_only_the_word_itself_is_a_yes(
    program: Program,
    line: EmulatedLine,
    typed: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", Person(typed))
    assert program(DOSE.format("600 ug"), "--override") == code
    shown = capsys.readouterr()
    assert "! beyond a soft limit: baclofen: the dose would rise by 100 %" in shown.out
    assert '"override"' in shown.err
    done = code == 0
    assert rate_ul_h(line) == (50 if done else 25)
    assert details(line, Code.LIMIT_OVERRIDDEN) == (
        [(LimitId.DOSE_RISE_PERCENT, 1)] if done else []
    )


def test_an_override_that_is_not_needed_is_not_sent(program: Program, line: EmulatedLine) -> None:
    assert program(DOSE.format("420 ug"), "--yes", "--override") == 0
    assert rate_ul_h(line) == 35
    assert details(line, Code.LIMIT_OVERRIDDEN) == []


def test_every_soft_limit_that_is_passed_is_shown_and_logged(
    program: Program, line: EmulatedLine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program(DOSE.format("1100 ug"), "--yes", "--override") == 0
    out = capsys.readouterr().out
    assert out.count("! beyond a soft limit: baclofen: ") == 2
    assert details(line, Code.LIMIT_OVERRIDDEN) == [
        (LimitId.DOSE_PER_DAY_PG, 1),
        (LimitId.DOSE_RISE_PERCENT, 1),
    ]


@pytest.mark.requirement("R-244")
def test_the_log_says_which_limit_of_which_drug(
    program: Program, run: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program(DOSE.format("600 ug"), "--yes", "--override") == 0
    capsys.readouterr()
    assert run("log") == 0
    assert "LIMIT_OVERRIDDEN      DOSE_RISE_PERCENT, drug 1" in capsys.readouterr().out


# --- boluses ------------------------------------------------------------------------------------


def test_a_bolus_beyond_the_day_s_soft_limit_needs_the_override(
    program: Program, run: Program, line: EmulatedLine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("bolus", "701ug", "--over", "4h", "--yes") == 3
    assert "LIMIT_SOFT: baclofen: dose 1001 ug/day" in capsys.readouterr().err
    assert run("bolus", "701ug", "--over", "4h", "--yes", "--override") == 0
    assert details(line, Code.LIMIT_OVERRIDDEN) == [(LimitId.DOSE_PER_DAY_PG, 1)]
    assert run("stop") == 0


def test_a_bolus_of_milligrams_is_one_line_that_names_the_unit(
    program: Program, run: Program, line: EmulatedLine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("bolus", "20mg", "--yes", "--override") == 3
    err = capsys.readouterr().err
    assert "LIMIT_HARD: baclofen: dose 20.3 mg/day" in err
    assert "was mg typed for ug?" in err
    assert details(line, Code.BOLUS_STARTED) == []


def test_what_only_the_pump_knows_of_is_shown_too_before_it_is_passed(
    program: Program,
    run: Program,
    line: EmulatedLine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The second 400 ug of a day: the programmer does not know of the first, the pump does."""
    assert run("bolus", "400ug", "--over", "2h", "--yes") == 0
    line.pass_time(4 * 3600 * 10**6)
    assert run("bolus", "400ug", "--over", "2h", "--yes", "--again") == 3
    assert "refused by the pump: LIMIT_SOFT" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", Person("yes\noverride\n"))
    assert run("bolus", "400ug", "--over", "2h", "--override") == 1
    assert "! beyond a soft limit: dose 1100 ug/day" in capsys.readouterr().out
    assert run("bolus", "400ug", "--over", "2h", "--override") == 0
    assert details(line, Code.LIMIT_OVERRIDDEN) == [(LimitId.DOSE_PER_DAY_PG, 1)]


def test_a_bolus_of_a_drug_without_concentration_is_left_to_the_pump() -> None:
    therapy = replace(BACLOFEN, drugs=(Drug("baclofen", 0),))
    parameters = BolusParameters(1, RateBasis.MASS_PG, UG, 0, 0)  # type: ignore[arg-type]
    assert limits.of_bolus(parameters, therapy, DEVICE) == []


# --- words --------------------------------------------------------------------------------------


def test_an_error_names_the_first_limit_and_says_all_of_its_kind() -> None:
    passed = [
        Passed(LimitId.DOSE_PER_DAY_PG, True, 1, 2001 * UG, 2000 * UG),
        Passed(LimitId.DOSE_PER_DAY_PG, True, 2, 3 * UG, 2 * UG),
        Passed(LimitId.DOSE_RISE_PERCENT, False, 1, 50, 40),
    ]
    mix = replace(BACLOFEN, drugs=(*BACLOFEN.drugs, Drug("clonidine", UG)))
    with pytest.raises(OutsideLimits) as refused:
        limits.check(passed, mix, override=True)
    error = refused.value
    assert (error.code, error.exit_code) == (ErrorCode.LIMIT_HARD, 3)
    assert (error.refusal.id, error.refusal.value) == (LimitId.DOSE_PER_DAY_PG, 2001 * UG)
    assert "baclofen: dose 2001 ug/day" in str(error)
    assert "clonidine: dose 3 ug/day" in str(error)
    assert "rise" not in str(error)
    assert "--override" not in str(error)


def test_nothing_passed_is_nothing_said() -> None:
    assert limits.check([], BACLOFEN, override=False) == []
