"""The published traces of the Open PCA requirements, replayed on a profile with their numbers.

Events hold to one second, volumes to one stroke. Where the requirements contradict themselves on
low drug, their other reading stands in `test_open_pca_keep_open`.
"""

from collections.abc import Iterator

import pytest
from open_pca import ML, STROKE_NL, WINDOW, Bed, refused

from protocol.codes import (
    Code,
    Mode,
    StopReason,
    TxnState,
)
from protocol.errors import ErrorCode
from protocol.messages import TxnResult


@pytest.mark.requirement("R-078")
def test_uc1_the_basal_starts_runs_and_is_stopped() -> None:
    """Published with the stop at 6000, for which the reservoir does not last: it shows no more."""
    bed = Bed()
    bed.stop(1000)
    bed.until(1060)
    assert abs(bed.given_nl() - 94 * ML) <= STROKE_NL
    assert bed.events(Code.PROGRAM_COMMITTED, Code.STOPPED, Code.RESUMED) == [
        (Code.PROGRAM_COMMITTED, 60.0, 1),
        (Code.STOPPED, 1000.0, StopReason.COMMANDED),
    ]


@pytest.mark.requirement("R-033")
@pytest.mark.requirement("R-054")
@pytest.mark.requirement("R-048")
def test_uc2_a_request_is_given_in_a_minute_and_the_basal_goes_on_at_that_instant() -> None:
    bed = Bed()
    bed.request(120)
    bed.until(121)
    assert abs(bed.given_nl() - (6.1 * ML + ML)) <= STROKE_NL
    bed.until(181)
    assert bed.boluses == [(Code.BOLUS_STARTED, 120.0, ML), (Code.BOLUS_DONE, 121.0, ML)]
    assert abs(bed.given_nl() - (12.1 * ML + ML)) <= STROKE_NL
    assert bed.nurse.status.mode is Mode.BASAL


@pytest.mark.requirement("R-033")
@pytest.mark.requirement("R-026")
def test_uc3a_a_clinician_gives_it_over_half_an_hour() -> None:
    bed = Bed()
    bed.square(120)
    bed.until(135)
    assert abs(bed.given_nl() - (7.5 * ML + ML // 2)) <= STROKE_NL
    bed.until(180)
    assert bed.boluses == [(Code.BOLUS_STARTED, 120.0, ML), (Code.BOLUS_DONE, 150.0, ML)]
    assert abs(bed.given_nl() - (12 * ML + ML)) <= STROKE_NL


@pytest.mark.requirement("R-037")
@pytest.mark.requirement("R-038")
def test_uc3b_the_patient_goes_first_and_the_square_goes_on_with_its_remainder() -> None:
    bed = Bed()
    square = bed.square(120)
    assert isinstance(square, TxnResult)
    bed.until(130)
    before = bed.given_nl()
    request = bed.request(130)
    assert isinstance(request, TxnResult)
    bed.until(131)
    # While the patient's runs nothing flows of the square: basal and 1 mL.
    assert abs(bed.given_nl() - before - (ML // 10 + ML)) <= STROKE_NL
    bed.nurse.hello()
    third = bed.nurse.query(square.txn)
    assert third.state is TxnState.DELIVERING
    assert abs(third.given_nl - ML // 3) <= STROKE_NL
    bed.until(160)
    assert bed.boluses == [
        (Code.BOLUS_STARTED, 120.0, ML),
        (Code.BOLUS_STARTED, 130.0, ML),
        (Code.BOLUS_DONE, 131.0, ML),
        (Code.BOLUS_DONE, 151.0, ML),
    ]
    assert abs(bed.given_nl() - (10 * ML + 2 * ML)) <= STROKE_NL
    bed.nurse.hello()
    for given in (square, request):
        result = bed.nurse.query(given.txn)
        assert (result.state, result.given_nl) == (TxnState.DONE, ML)


@pytest.mark.requirement("R-078")
@pytest.mark.requirement("R-051")
@pytest.mark.parametrize("before", ["basal", "patient", "square"])
def test_uc7_a_resume_restarts_the_basal_only(before: str) -> None:
    bed = Bed()
    bolus_nl = 0
    if before == "patient":
        assert isinstance(bed.request(119.5), TxnResult)
        bolus_nl = ML // 2
    elif before == "square":
        assert isinstance(bed.square(118), TxnResult)
        bolus_nl = ML * 2 // 30
    bed.stop(120)
    stopped_nl = 6 * ML + bolus_nl
    bed.until(240)
    assert abs(bed.given_nl() - stopped_nl) <= STROKE_NL
    bed.resume(240)
    bed.until(300)
    assert abs(bed.given_nl() - stopped_nl - 6 * ML) <= 2 * STROKE_NL
    assert bed.events(Code.STOPPED, Code.RESUMED) == [
        (Code.STOPPED, 120.0, StopReason.COMMANDED),
        (Code.RESUMED, 240.0, 0),
    ]
    ended = bed.events(Code.BOLUS_DONE, Code.BOLUS_ENDED_EARLY)
    assert [(code, minute) for code, minute, _ in ended] == (
        [(Code.BOLUS_ENDED_EARLY, 120.0)] if bolus_nl else []
    )
    assert all(abs(given - bolus_nl) <= STROKE_NL for _, _, given in ended)
    assert bed.nurse.status.mode is Mode.BASAL


@pytest.mark.requirement("R-044")
def test_ec1_a_request_within_the_lockout_is_refused_and_nothing_changes() -> None:
    bed = Bed()
    bed.request(120)
    answer = bed.request(123)
    assert refused(answer) is ErrorCode.LOCKOUT
    assert answer.refusal.value == 28 * 60  # type: ignore[union-attr]
    bed.until(130)
    assert bed.boluses == [(Code.BOLUS_STARTED, 120.0, ML), (Code.BOLUS_DONE, 121.0, ML)]
    assert abs(bed.given_nl() - (7 * ML + ML)) <= STROKE_NL
    assert bed.events(Code.BOLUS_REFUSED) == [(Code.BOLUS_REFUSED, 123.0, ErrorCode.LOCKOUT)]


@pytest.mark.requirement("R-045")
@pytest.mark.parametrize(("second", "granted"), [(-1, False), (0, True), (1, True)])
def test_the_lockout_counts_from_the_end_of_the_bolus(second: int, granted: bool) -> None:
    bed = Bed()
    bed.request(120)
    assert isinstance(bed.request(151 + second / 60), TxnResult) is granted


def most_in_a_window(bed: Bed, minutes: Iterator[float]) -> int:
    """The most that left the pump in any window, looked at once in a while."""
    seen: list[tuple[float, int]] = []
    for minute in minutes:
        bed.until(minute)
        seen.append((minute, bed.given_nl()))
    volumes = dict(seen)
    return max(
        given - volumes[minute - WINDOW] for minute, given in seen if minute - WINDOW in volumes
    )


@pytest.mark.requirement("R-030")
def test_ec13a_the_limit_holds_although_basal_alone_would_reach_it() -> None:
    """Published: three boluses granted, and the basal carries the sum over the limit at 295."""
    bed = Bed()
    assert isinstance(bed.request(100), TxnResult)
    assert isinstance(bed.request(140), TxnResult)
    assert refused(bed.request(180)) is ErrorCode.WINDOW_MAX
    most = most_in_a_window(bed, (step / 2 for step in range(2 * 180, 2 * 480)))
    assert most <= 26 * ML + STROKE_NL


@pytest.mark.requirement("R-029")
def test_ec13b_the_third_request_is_refused_and_the_basal_goes_on() -> None:
    bed = Bed()
    assert isinstance(bed.request(300), TxnResult)
    assert isinstance(bed.request(340), TxnResult)
    assert refused(bed.request(380)) is ErrorCode.WINDOW_MAX
    assert bed.nurse.status.mode is Mode.BASAL
    bed.until(400)
    assert abs(bed.given_nl() - (34 * ML + 2 * ML)) <= STROKE_NL


@pytest.mark.requirement("R-029")
def test_ec13c_the_third_square_is_refused_before_it_begins_not_cut_in_the_middle() -> None:
    bed = Bed()
    assert isinstance(bed.square(300), TxnResult)
    assert isinstance(bed.square(340), TxnResult)
    assert refused(bed.square(380)) is ErrorCode.WINDOW_MAX
    bed.until(420)
    assert abs(bed.given_nl() - (36 * ML + 2 * ML)) <= STROKE_NL


def test_a_request_that_reaches_the_limit_exactly_is_granted_and_a_second_before_is_not() -> None:
    """At 540.5 half of the first bolus, given 300 to 301, has left the window of 240 min."""
    for second, granted in ((-1, False), (0, True)):
        bed = Bed()
        bed.request(300)
        bed.request(340)
        answer = bed.request(539.5 + second / 60)
        assert isinstance(answer, TxnResult) is granted


@pytest.mark.requirement("R-064")
def test_ec20a_low_comes_at_120_once_and_the_basal_goes_on() -> None:
    bed = Bed(7 * ML)
    bed.until(129)
    assert bed.events(Code.LOW_RESERVOIR) == [(Code.LOW_RESERVOIR, 120.0, 0)]
    assert bed.nurse.status.mode is Mode.BASAL
    assert abs(bed.given_nl() - 6.9 * ML) <= STROKE_NL


@pytest.mark.requirement("R-068")
@pytest.mark.requirement("R-050")
@pytest.mark.requirement("R-069")
def test_ec20b_a_bolus_that_the_reserve_cannot_give_does_not_begin() -> None:
    bed = Bed(7_500_000)
    answer = bed.request(119.5)
    assert refused(answer) is ErrorCode.LIMIT_HARD
    bed.until(130)
    assert bed.boluses == []
    assert bed.events(Code.LOW_RESERVOIR) == [(Code.LOW_RESERVOIR, 125.0, 0)]


@pytest.mark.requirement("R-068")
@pytest.mark.requirement("R-051")
def test_ec20c_a_bolus_that_reaches_the_reserve_is_cut_and_the_basal_goes_on() -> None:
    bed = Bed(7_500_000)
    bed.square(105)
    bed.until(125)
    assert bed.events(Code.LOW_RESERVOIR) == [(Code.LOW_RESERVOIR, 120.0, 0)]
    assert bed.boluses[1][:2] == (Code.BOLUS_ENDED_EARLY, 120.0)
    assert abs(bed.boluses[1][2] - ML // 2) <= STROKE_NL
    assert abs(bed.given_nl() - (6.5 * ML + ML // 2)) <= STROKE_NL
    assert bed.nurse.status.mode is Mode.BASAL
