"""Primes of the fluid path, judged by what left pump and catheter."""

import pytest
from nurse import MINUTE_US, STROKE_NL, Nurse, Refusals
from path_nurse import FILL_NL, PATH_NL, STRONG, dose, of, running

from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import (
    BolusKind,
    Code,
    Mode,
    RateBasis,
    TxnOp,
    TxnState,
)
from protocol.errors import ErrorCode, LimitId
from protocol.messages import BolusParameters, Refusal


@pytest.mark.requirement("R-056")
@pytest.mark.requirement("R-057")
def test_worked_case_3_a_prime_takes_19_minutes_and_fills_the_path_to_its_last_stroke() -> None:
    nurse = running(path="empty")
    result = dose(nurse, BolusKind.PRIME)
    assert (result.state, result.total_nl) == (TxnState.DELIVERING, 319_250)
    assert (nurse.status.mode, nurse.status.bolus) == (Mode.PRIME, BolusKind.PRIME)
    assert nurse.status.rate_numerator_pl == 10**9 * nurse.status.rate_denominator_h
    nurse.run(1_149_300_000 - 1)
    assert nurse.status.mode is Mode.PRIME
    nurse.run(2_000)
    assert nurse.status.mode is Mode.BASAL
    assert nurse.truth_delivered_nl == 319_250, "the basal paused"
    assert nurse.board.plant.tip_pg(STRONG.name) == 0
    nurse.run(144_000_000)
    assert nurse.board.plant.tip_pg(STRONG.name) == (319_500 - PATH_NL) * 2_000
    assert nurse.query(result.txn).given_nl == 319_250
    records = [record for record in nurse.log if record.code.name.startswith("BOLUS")]
    assert [(r.code, r.a) for r in records] == [
        (Code.BOLUS_STARTED, 319_250),
        (Code.BOLUS_DONE, 319_250),
    ]
    assert records[0].b == BolusKind.PRIME


@pytest.mark.requirement("R-057")
def test_a_prime_of_the_catheter_leaves_the_tubing_out() -> None:
    nurse = running()
    assert dose(nurse, BolusKind.PRIME_CATHETER).total_nl == 179_250


@pytest.mark.requirement("R-057")
def test_the_program_goes_on_after_a_prime_with_the_part_of_a_stroke_it_was_at() -> None:
    nurse = running()
    nurse.run(HOUR_US + 100_000_000)
    dose(nurse, BolusKind.PRIME)
    nurse.run(1_149_300_000)
    nurse.run(10 * DAY_US)
    expected_nl = 319_250 + (10 * 24 + 1) * 6_250 + 173
    assert abs(nurse.truth_delivered_nl - expected_nl) <= STROKE_NL


@pytest.mark.parametrize("kind", [BolusKind.PRIME, BolusKind.PRIME_CATHETER])
@pytest.mark.parametrize(("amount", "duration_us"), [(1, 0), (0, 1)])
def test_a_prime_that_says_its_own_amount_or_time_is_malformed(
    kind: BolusKind, amount: int, duration_us: int
) -> None:
    nurse = running()
    with pytest.raises(Refusals, match="MALFORMED"):
        dose(nurse, kind, amount, duration_us)


@pytest.mark.requirement("R-024")
@pytest.mark.parametrize(
    ("over", "kind", "limit"),
    [
        ({"catheter_um": 0}, BolusKind.PRIME, LimitId.PATH_NL),
        ({"catheter_um": 0}, BolusKind.PRIME_CATHETER, LimitId.PATH_NL),
        ({"catheter_um": 100}, BolusKind.PRIME_CATHETER, LimitId.PATH_NL),
        ({"catheter_um": 0xFFFFFFFF}, BolusKind.PRIME, LimitId.BOLUS_VOLUME_NL),
        ({"low_reservoir_nl": 39_900_000}, BolusKind.PRIME, LimitId.LOW_RESERVOIR_NL),
    ],
)
def test_a_prime_outside_a_limit_is_refused(
    over: dict[str, int], kind: BolusKind, limit: LimitId
) -> None:
    nurse = Nurse()
    nurse.program(of(STRONG, **over), FILL_NL)
    with pytest.raises(Refusals) as refused:
        dose(nurse, kind)
    assert (refused.value.code, refused.value.refusal.id) == (ErrorCode.LIMIT_HARD, limit)
    nurse.run(HOUR_US)
    assert nurse.truth_delivered_nl == 6_250


@pytest.mark.requirement("R-056")
def test_a_prime_stalls_like_a_bolus_and_ends_early() -> None:
    nurse = running()
    txn = dose(nurse, BolusKind.PRIME).txn
    nurse.run(5 * MINUTE_US)
    nurse.board.faults.inject("magnet_field", {}, 10 * MINUTE_US)
    given_nl = nurse.truth_delivered_nl
    nurse.run(62_000_000)
    assert nurse.status.mode is Mode.STALLED
    result = nurse.query(txn)
    assert (result.state, result.cause) == (TxnState.ENDED_EARLY, Code.MOTOR_STALL)
    assert abs(result.given_nl - given_nl) <= STROKE_NL
    nurse.run(15 * MINUTE_US)
    assert nurse.status.mode is Mode.BASAL


@pytest.mark.parametrize("how", ["stop", "reset", "cut"])
def test_a_prime_that_was_interrupted_is_over(how: str) -> None:
    nurse = running()
    txn = dose(nurse, BolusKind.PRIME).txn
    nurse.run(5 * MINUTE_US)
    if how == "stop":
        nurse.stop()
        nurse.run(MINUTE_US)
        nurse.resume()
    elif how == "reset":
        nurse.board.reset(ResetCause.WATCHDOG)
    else:
        nurse.board.power_cut(MINUTE_US)
        nurse.run(MINUTE_US)
    nurse.run(0)
    assert nurse.status.mode is Mode.BASAL
    given_nl = nurse.truth_delivered_nl
    result = nurse.query(txn)
    assert result.state is TxnState.ENDED_EARLY
    uncertain_nl = 10_000 if how == "cut" else 0
    assert -STROKE_NL <= result.given_nl - given_nl <= uncertain_nl
    nurse.run(DAY_US)
    assert abs(nurse.truth_delivered_nl - given_nl - 150_000) <= STROKE_NL


def again(nurse: Nurse, kind: BolusKind = BolusKind.PRIME, override: int = 0) -> Refusals | None:
    """Ask for a prime; what the pump has against it."""
    nurse.hello()
    try:
        nurse.do(TxnOp.BOLUS, BolusParameters(kind, RateBasis.VOLUME_PL, 0, 0, 0, override))
    except Refusals as refused:
        return refused
    return None


def primed() -> Nurse:
    nurse = running(path="empty")
    assert again(nurse) is None
    nurse.run(DAY_US)
    return nurse


@pytest.mark.parametrize("kind", [BolusKind.PRIME, BolusKind.PRIME_CATHETER])
def test_a_path_that_was_primed_is_primed_again_only_on_purpose(kind: BolusKind) -> None:
    nurse = primed()
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    refused = again(nurse, kind)
    assert refused is not None
    assert refused.code is ErrorCode.LIMIT_SOFT
    volume_nl = PATH_NL if kind is BolusKind.PRIME else PATH_NL - 140_000
    assert refused.refusal == Refusal(LimitId.PRIMED_NL, volume_nl, 0)
    assert again(nurse, kind, override=1) is None
    assert nurse.status.mode is Mode.PRIME
    overridden = [record for record in nurse.log if record.code is Code.LIMIT_OVERRIDDEN]
    assert [record.a for record in overridden] == [LimitId.PRIMED_NL]


def test_a_prime_that_was_cut_short_a_refill_and_another_catheter_ask_for_no_override() -> None:
    nurse = running(path="empty")
    assert again(nurse) is None
    nurse.run(5 * MINUTE_US)
    nurse.stop()
    nurse.resume()
    assert again(nurse) is None
    nurse = primed()
    nurse.refill(FILL_NL)
    assert again(nurse) is None
    nurse = primed()
    nurse.program(of(STRONG, catheter_um=700_000))
    assert again(nurse) is None
