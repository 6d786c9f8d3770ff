"""What the programmer writes: exact quantities, refusals in words, review, status and log."""

from dataclasses import replace
from fractions import Fraction

import pytest
from scripted_pump import BACLOFEN, DEVICE, STATUS

from protocol import codes
from protocol.codes import Code, Mode, StopReason, TxnState
from protocol.errors import ErrorCode, LimitId
from protocol.messages import (
    FILL_NOT_TOLD,
    AlarmEntry,
    Drug,
    LogRecord,
    Preview,
    ProgramParameters,
    Rate,
    Refusal,
)
from tools import pump_measures
from tools.programmer import doses, log_view, readings, refusals, review
from tools.programmer import format as text

PREVIEW = Preview(1, TxnState.PREPARED, 1, 30_000, b"", b"", 600, 150_000, 0, 40_000_000)
RUNNING = replace(
    STATUS,
    mode=Mode.BASAL,
    program=codes.ProgramKind.SIMPLE_CONTINUOUS,
    stop_reason=StopReason.NONE,
    rate_numerator_pl=6_250_000,
)


# --- quantities ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        (0, 4, "0"),
        (Fraction(3, 20), 4, "0.15"),
        (Fraction(1, 3), 4, "~0.3333"),
        (Fraction(-1, 8), 2, "~-0.12"),
        (Fraction(1, 100_000), 4, "~0"),
        (123_456_789_012_345_678_901, 4, "123456789012345678901"),
        (Fraction(5, 2), 0, "~2"),
    ],
)
def test_a_decimal_is_exact_or_marked(value: Fraction | int, places: int, shown: str) -> None:
    assert text.decimal(value, places) == shown


@pytest.mark.parametrize(
    ("pg", "shown"),
    [
        (0, "0 ug"),
        (300_000_000, "300 ug"),
        (9_999_999_999, "~10000 ug"),
        (25_000_000_000, "25 mg"),
        (9_000, "9 ng"),
        (10_000, "0.01 ug"),
    ],
)
def test_masses_are_in_the_unit_a_clinician_expects(pg: int, shown: str) -> None:
    assert text.mass(pg) == shown


def test_volumes_rates_times_and_dates() -> None:
    assert text.volume(10_000) == "10 uL"
    assert text.volume(1_500_000) == "1.5 mL"
    assert text.millilitres(35_500_001) == "35.500001 mL"
    assert text.rate(6_250_000) == "0.15 mL/day (6.25 uL/h)"
    assert text.duration(45_979_000_000) == "12 h 46 min"
    assert text.duration(1500) == "1.5 ms"
    assert text.seconds(0) == "0 s"
    assert text.date(0) is None
    assert text.date(852_368_400) == "2027-01-04T09:00:00"
    assert text.date_text(852_368_400) == "2027-01-04 09:00"


def test_json_numbers_are_the_decimal_they_stand_for() -> None:
    assert text.number(Fraction(71_000, 2)) == 35_500
    assert isinstance(text.number(Fraction(4, 2)), int)
    assert repr(text.number(Fraction(35_500_123, 1000))) == "35500.123"


# --- doses --------------------------------------------------------------------------------------


def test_worked_case_1() -> None:
    assert doses.basal_pl_h(BACLOFEN, DEVICE) == 6_250_000
    assert doses.strokes_per_day(BACLOFEN, DEVICE) == 600


def test_achievable_is_the_nearest_whole_stroke_halves_up() -> None:
    half = replace(
        BACLOFEN,
        rate=Rate(codes.RateBasis.VOLUME_PL, codes.RatePer.DAY, 600 * 250_000 + 125_000),
    )
    assert doses.strokes_per_day(half, DEVICE) == 601


def test_stopped_and_minimum_rate_have_their_own_flow() -> None:
    stopped = replace(BACLOFEN, program=codes.ProgramKind.STOPPED)
    minimum = replace(BACLOFEN, program=codes.ProgramKind.MINIMUM_RATE)
    assert doses.basal_pl_h(stopped, DEVICE) == 0
    assert doses.daily_pg(minimum, DEVICE) == {"baclofen": 12_000_000}


def test_a_secondary_drug_gets_the_rate_times_its_own_concentration() -> None:
    both = replace(BACLOFEN, drugs=(*BACLOFEN.drugs, Drug("clonidine", 100_000_000)))
    assert doses.daily_pg(both, DEVICE)["clonidine"] == 15_000_000


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [code for code in ErrorCode if code is not ErrorCode.OK])
def test_every_code_has_a_sentence(code: ErrorCode) -> None:
    sentence = refusals.sentence(code, Refusal(0, 5, 0))
    assert len(sentence.split()) >= 4
    assert sentence != "no reason given"


@pytest.mark.parametrize(
    ("limit", "value", "bound", "sentence"),
    [
        (
            LimitId.FLOW_MIN_PL_H, 1_000_000, 2_000_000,
            "flow 0.024 mL/day is below this pump's lowest rate, 0.048 mL/day",
        ),
        (
            LimitId.BOLUS_VOLUME_NL, 2_000_000, 1_000_000,
            "bolus volume 2 mL is above this pump's largest bolus, 1 mL",
        ),
        (
            LimitId.BOLUS_VOLUME_NL, 200, 250,
            "bolus volume 0.2 uL is less than one stroke, 0.25 uL",
        ),
        (
            LimitId.LOW_RESERVOIR_NL, 1_900_000, 2_000_000,
            "it would leave 1.9 mL in the reservoir, less than the low-reservoir volume, 2 mL",
        ),
        (
            LimitId.BOLUS_DURATION_S, 90_000, 86_400,
            "bolus duration 1 d 1 h is longer than the longest, 1 d",
        ),
    ],
)  # fmt: skip
def test_a_limit_says_quantity_and_bound(
    limit: LimitId, value: int, bound: int, sentence: str
) -> None:
    assert refusals.sentence(ErrorCode.LIMIT_HARD, Refusal(limit, value, bound)) == sentence


def test_every_limit_has_words() -> None:
    assert set(refusals.LIMITS) == set(LimitId) - {LimitId.NONE}


def test_a_limit_or_mode_from_a_newer_pump_is_still_told() -> None:
    assert "999" in refusals.sentence(ErrorCode.LIMIT_HARD, Refusal(999, 7, 5))
    assert "state" in refusals.sentence(ErrorCode.STATE, Refusal(999, 0, 0))


def test_lockout_and_state_tell_their_detail() -> None:
    assert "30 min" in refusals.sentence(ErrorCode.LOCKOUT, Refusal(0, 1800, 0))
    stalled = refusals.sentence(ErrorCode.STATE, Refusal(Mode.STALLED, Code.MOTOR_STALL, 0))
    assert stalled == "the motor is stalled; alarm MOTOR_STALL"


# --- review -------------------------------------------------------------------------------------


def test_review_shows_all_settings_and_marks_what_changes() -> None:
    pending = ProgramParameters(replace(BACLOFEN, patient_may_stop=1), FILL_NOT_TOLD)
    rows = review.lines(BACLOFEN, 40_000_000, pending, PREVIEW, DEVICE)
    assert [row.name for row in rows if row.changed] == ["patient may stop"]
    assert {"prescribed", "rate", "achievable", "catheter", "computed volume"} <= {
        row.name for row in rows
    }


def test_review_shows_what_disappears() -> None:
    both = replace(BACLOFEN, drugs=(*BACLOFEN.drugs, Drug("clonidine", 100_000_000)))
    pending = ProgramParameters(BACLOFEN, FILL_NOT_TOLD)
    rows = {r.name: r for r in review.lines(both, 40_000_000, pending, PREVIEW, DEVICE)}
    assert rows["drug 2"] == ("drug 2", "clonidine 100 ug/mL", "-")


def test_review_takes_the_achievable_dose_from_the_pump_not_from_the_tool() -> None:
    pending = ProgramParameters(BACLOFEN, FILL_NOT_TOLD)
    rows = review.lines(BACLOFEN, 40_000_000, pending, replace(PREVIEW, strokes=599), DEVICE)
    changed = {row.name: row.pending for row in rows if row.changed}
    assert changed["  baclofen"] == "299.5 ug/day"


def test_the_table_fits_100_columns_and_says_when_nothing_changes() -> None:
    long = replace(BACLOFEN, drugs=(Drug("x" * 24, 999_999_999_999),))
    pending = ProgramParameters(long, 40_000_000)
    table = review.table(review.lines(long, 40_000_000, pending, PREVIEW, DEVICE))
    assert max(map(len, table.splitlines())) <= 100
    same = ProgramParameters(BACLOFEN, FILL_NOT_TOLD)
    assert review.table(review.lines(BACLOFEN, 40_000_000, same, PREVIEW, DEVICE)).endswith(
        "nothing changes"
    )


def test_the_first_program_has_nothing_on_the_left() -> None:
    rows = review.lines(None, 0, ProgramParameters(BACLOFEN, 40_000_000), PREVIEW, DEVICE)
    assert {row.current for row in rows} == {"-", "0 mL"}


# --- status and log -----------------------------------------------------------------------------


@pytest.mark.requirement("R-253")
def test_a_running_pump_reads_plainly() -> None:
    report = readings.report(RUNNING, DEVICE, BACLOFEN)
    assert "Drug          baclofen 2000 ug/mL, prescribed 300 ug/day" in report
    assert "Alarms        none" in report
    assert max(map(len, report.splitlines())) <= 100


def test_alarms_and_uncertain_volume_stand_out() -> None:
    alarms = (
        AlarmEntry(Code.LOW_RESERVOIR, 1, 852_368_400),
        AlarmEntry(Code.MOTOR_STALL, 0, 852_368_400),
    )
    status = replace(RUNNING, alarms=alarms, uncertain_nl=250, eri=1)
    report = readings.report(status, DEVICE, BACLOFEN)
    assert "ALARMS        LOW_RESERVOIR since 2027-01-04 09:00\n" in report
    assert "MOTOR_STALL since 2027-01-04 09:00, its cause is over" in report
    assert "0.25 uL is unconfirmed" in report
    assert "replacement indicator reached" in report


@pytest.mark.requirement("R-253")
@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_has_a_headline(mode: Mode) -> None:
    assert readings.headline(replace(STATUS, mode=mode), BACLOFEN)


def test_a_headline_gives_a_daily_dose_only_for_a_steady_rate() -> None:
    assert readings.headline(RUNNING, BACLOFEN).endswith("baclofen 300 ug/day")
    assert "ug/day" not in readings.headline(replace(RUNNING, mode=Mode.BOLUS), BACLOFEN)


def test_measures_of_a_pump_without_therapy() -> None:
    values = pump_measures.said(STATUS, DEVICE, None)
    assert values["pump.stop_reason"] == "no_program"
    assert values["pump.achievable_dose_per_day_ug"] is None
    assert values["pump.refill_due"] is None


@pytest.mark.parametrize("code", list(Code))
def test_every_record_reads(code: Code) -> None:
    record = LogRecord(1, 1, code, 1_500_000, 852_368_400, 0xFFFF, 0xFFFF)
    line = log_view.line(record)
    assert code.name in line
    assert "2027-01-04 09:00:00" in line
    assert "1.5 s" in line


def test_details_are_in_words() -> None:
    record = LogRecord(1, 1, Code.BOLUS_ENDED_EARLY, 0, 0, 2_500, Code.RESET)
    assert log_view.details(record) == "2.5 uL given, RESET"
    assert log_view.values(record)["wall"] is None
    stopped = replace(record, code=Code.STOPPED, a=StopReason.EMPTY_RESERVOIR, b=0)
    assert log_view.details(stopped) == "empty_reservoir"
