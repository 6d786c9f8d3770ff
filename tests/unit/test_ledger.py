"""The books of a pump: what they find, and that a right pump violates nothing, whatever happens."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nurse import DRUG, MINUTE_US, STROKE_NL, Nurse, Refusals, bolus, volume_per_day
from path_nurse import CATHETER_PL, STRONG, WEAK, change, of, running, solute

from emulator.devices.motor import STROKE
from emulator.ledger import KEPT, DoseBook
from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import (
    BolusBasal,
    BolusKind,
    Code,
    LockoutFrom,
    ProgramKind,
    RateBasis,
    TxnOp,
    TxnState,
)
from protocol.messages import (
    AT_ONCE,
    BolusParameters,
    Drug,
    FlexStep,
    LogRecord,
    PatientBolus,
    Periodic,
    SetClockParameters,
    TxnResult,
)


def record(code: Code, a: int = 0, b: int = 0) -> LogRecord:
    return LogRecord(0, 1, code, 0, 0, a, b)


def told(*records: tuple[Code, int, int]) -> tuple[DoseBook, list[str]]:
    book = DoseBook()
    return book, [found for one in records for found in book.take(record(*one))]


STARTED, DONE, EARLY = Code.BOLUS_STARTED, Code.BOLUS_DONE, Code.BOLUS_ENDED_EARLY
SINGLE, PATIENT = BolusKind.SINGLE, BolusKind.PATIENT


def test_programmed_is_delivered_and_undelivered_and_what_runs() -> None:
    book, found = told(
        (STARTED, 500, SINGLE), (DONE, 500, 0), (STARTED, 1000, SINGLE), (EARLY, 250, 70),
        (Code.BOLUS_REFUSED, 1, 1), (STARTED, 700, PATIENT),
    )  # fmt: skip
    assert found == []
    assert (book.programmed_nl, book.delivered_nl, book.undelivered_nl) == (2200, 750, 750)
    assert (book.open_nl, book.refused) == (700, 1)


def test_a_patient_bolus_may_suspend_a_single_one() -> None:
    _, found = told((STARTED, 500, SINGLE), (STARTED, 100, PATIENT), (DONE, 100, 0), (DONE, 500, 0))
    assert found == []


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([(STARTED, 500, SINGLE), (DONE, 250, 0)], "said to be all"),
        ([(STARTED, 500, SINGLE), (EARLY, 501, 0)], "not begun"),
        ([(DONE, 500, 0)], "not begun"),
        ([(STARTED, 5, SINGLE), (DONE, 5, 0), (DONE, 5, 0)], "not begun"),
        ([(STARTED, 5, SINGLE), (STARTED, 5, SINGLE)], "beside"),
        ([(STARTED, 5, PATIENT), (STARTED, 5, PATIENT)], "beside"),
        ([(STARTED, 5, BolusKind.BRIDGE), (STARTED, 5, PATIENT)], "beside"),
    ],
)
def test_what_does_not_add_up_is_told(records: list[tuple[Code, int, int]], words: str) -> None:
    _, found = told(*records)
    assert words in " ".join(found)


def test_a_boot_may_close_a_bolus_whose_beginning_was_lost_with_the_power() -> None:
    _, found = told((Code.RESET, 0, 0), (EARLY, 250, 64))
    assert found == []


def test_a_bolus_that_could_not_begin_any_more_ends_with_nothing_given() -> None:
    book, found = told((EARLY, 0, Code.MOTOR_STALL))
    assert (found, book.programmed_nl) == ([], 0)


def test_a_leak_is_found_at_the_event_after_it() -> None:
    nurse = running()
    nurse.run(HOUR_US)
    nurse.board.plant._removed_pl -= 1
    nurse.world.run_until(HOUR_US + 10 * MINUTE_US)
    assert nurse.pump.books.count > 0
    assert "volume pL" in nurse.pump.books.violations[0]
    nurse.world.run_until(10 * DAY_US)
    assert len(nurse.pump.books.violations) == KEPT < nurse.pump.books.count


# --- random prescriptions and interruptions -------------------------------------------------------

DRUGS = (WEAK, STRONG, Drug(DRUG.name, 333_333_333), Drug("other", 7_000_000))
QUANTUM_NL = 10_000
"""What a power cut may leave uncertain."""
RATES_NL = st.integers(100_000, 6_000_000)
KINDS = (ProgramKind.SIMPLE_CONTINUOUS, ProgramKind.FLEX, ProgramKind.PERIODIC)
CHANGES = st.tuples(st.sampled_from(DRUGS), RATES_NL, st.sampled_from(KINDS))
DAY_S = 86_400
PATIENT_BOLUS = PatientBolus(RateBasis.VOLUME_PL, 20_000_000, 300, 600, LockoutFrom.START, 0)
EVENTS = st.one_of(
    st.tuples(st.just("run"), st.integers(1, MINUTE_US)),
    st.tuples(st.just("run"), st.integers(1, 24 * 60).map(lambda minutes: minutes * MINUTE_US)),
    st.tuples(st.just("bolus"), st.integers(250, 100_000)),
    st.tuples(st.just("prime"), st.sampled_from((BolusKind.PRIME, BolusKind.PRIME_CATHETER))),
    st.tuples(st.just("bridge"), st.sampled_from((0, 0, 10**8, 10**9))),
    st.tuples(st.just("long_bolus"), st.integers(1_000, 100_000)),
    st.tuples(st.just("patient"), st.just(0)),
    st.tuples(st.just("change"), CHANGES),
    st.tuples(st.just("bridged_change"), CHANGES),
    st.tuples(st.just("clock"), st.integers(-DAY_S, DAY_S)),
    st.tuples(st.just("stop"), st.just(0)),
    st.tuples(st.just("resume"), st.just(0)),
    st.tuples(st.just("reset"), st.sampled_from((ResetCause.WATCHDOG, ResetCause.COMMANDED))),
    st.tuples(st.just("cut"), st.integers(1, HOUR_US)),
    st.tuples(st.just("hold"), st.integers(1, 3 * HOUR_US)),
    st.tuples(st.just("clear"), st.sampled_from((Code.MOTOR_STALL, Code.EMPTY_RESERVOIR))),
)


def program(kind: ProgramKind, rate_nl: int) -> dict[str, object]:
    """What is special of a program of this kind, at about this rate a day."""
    rate = volume_per_day(rate_nl)
    if kind is ProgramKind.FLEX:
        steps = tuple(FlexStep(127, 720 * n, (n + 1) * rate_nl * 1000) for n in range(2))
        return {"program": kind, "rate": replace(rate, amount=0), "steps": steps}
    if kind is ProgramKind.PERIODIC:
        periodic = Periodic(RateBasis.VOLUME_PL, 10_000_000, 300, 7_200, AT_ONCE)
        return {"program": kind, "rate": rate, "periodic": periodic}
    return {"program": kind, "rate": rate}


class Auditor:
    """Does one thing after the other, and keeps its own account of what it asked for."""

    def __init__(self, basal: BolusBasal, low_nl: int) -> None:
        self.nurse = Nurse(drugs=(solute(WEAK),), catheter_pl=CATHETER_PL, path="saline")
        self._over: dict[str, object] = {
            "bolus_basal": basal, "low_reservoir_nl": low_nl, "patient": PATIENT_BOLUS,
        }  # fmt: skip
        self.nurse.program(of(WEAK, **self._over), 40_000_000)
        self.asked: dict[int, int] = {}
        """Strokes of each dose that was committed."""
        self.refused = 0
        self.cuts = 0

    def do(self, what: str, value: object) -> None:
        getattr(self, f"_{what}")(value)
        self.nurse.run(0)

    def _run(self, for_us: int) -> None:
        self.nurse.run(for_us)

    def _ask(self, wanted: BolusParameters) -> None:
        nurse = self.nurse
        before_nl = nurse.truth_delivered_nl
        try:
            preview = nurse.prepare(TxnOp.BOLUS, wanted)
        except Refusals:
            self.refused += 1
            assert nurse.truth_delivered_nl == before_nl
            return
        result = nurse.commit(preview)
        assert result.total_nl == preview.strokes * STROKE_NL
        self.asked[result.txn] = preview.strokes

    def _bolus(self, volume_nl: int) -> None:
        self._ask(bolus(volume_nl, again=True))

    def _long_bolus(self, volume_nl: int) -> None:
        self._ask(bolus(volume_nl, HOUR_US, again=True))

    def _patient(self, _: object) -> None:
        self._ask(replace(bolus(0), kind=BolusKind.PATIENT))

    def _prime(self, kind: BolusKind) -> None:
        self._ask(replace(bolus(0), kind=kind))

    def _bridge(self, amount: int) -> None:
        self._ask(replace(bolus(0), kind=BolusKind.BRIDGE, amount=amount * 1000))

    def _change(self, wanted: tuple[Drug, int, ProgramKind]) -> None:
        drug, rate_nl, kind = wanted
        over = self._over | program(kind, rate_nl)
        self._try(lambda: change(self.nurse, drug, **over))

    def _bridged_change(self, wanted: tuple[Drug, int, ProgramKind]) -> None:
        self._change(wanted)
        self._bridge(0)

    def _clock(self, by_s: int) -> None:
        wall_s = self.nurse.status.wall_s + by_s
        self._try(lambda: self.nurse.do(TxnOp.SET_CLOCK, SetClockParameters(wall_s)))

    def _stop(self, _: object) -> None:
        self._try(self.nurse.stop)

    def _resume(self, _: object) -> None:
        self._try(self.nurse.resume)

    def _clear(self, code: Code) -> None:
        self._try(lambda: self.nurse.clear(code))

    def _try(self, act: Callable[[], object]) -> None:
        with suppress(Refusals):
            act()

    def _reset(self, cause: ResetCause) -> None:
        self.nurse.board.reset(cause)

    def _cut(self, for_us: int) -> None:
        self.cuts += 1
        self.nurse.board.power_cut(for_us)
        self.nurse.run(for_us)

    def _hold(self, for_us: int) -> None:
        self.nurse.board.faults.clear("magnet_field")
        self.nurse.board.faults.inject("magnet_field", {}, for_us)

    def audit(self) -> None:
        nurse, books = self.nurse, self.nurse.pump.books
        books.check()
        assert books.violations == []
        book = books.doses
        assert book.programmed_nl == book.delivered_nl + book.undelivered_nl + book.open_nl
        assert book.refused >= self.refused
        for txn, strokes in self.asked.items():
            result: TxnResult = nurse.query(txn)
            if result.state is TxnState.UNKNOWN:
                continue
            given, rest = divmod(result.given_nl, STROKE_NL)
            assert rest == 0
            assert result.total_nl == strokes * STROKE_NL
            assert 0 <= given <= strokes
            assert (given == strokes) >= (result.state is TxnState.DONE)
        # All that the pump accounts for is what the rotor moved, and what a power cut hid.
        moved_nl = nurse.board.motor.position() * STROKE_NL // STROKE
        unseen_nl = nurse.status.delivered_nl - moved_nl
        assert -STROKE_NL < unseen_nl <= self.cuts * QUANTUM_NL


@settings(max_examples=60, deadline=None)
@given(
    basal=st.sampled_from(BolusBasal),
    low_nl=st.sampled_from((0, 2_000_000, 39_000_000)),
    events=st.lists(EVENTS, min_size=1, max_size=14),
)
def test_no_picolitre_picogram_or_stroke_is_lost_or_made(
    basal: BolusBasal, low_nl: int, events: list[tuple[str, object]]
) -> None:
    auditor = Auditor(basal, low_nl)
    for what, value in events:
        auditor.do(what, value)
        auditor.audit()
