"""The dose history: a fold over the event log, in powered time."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.doses import KEPT, DoseHistory, Span
from firmware.flow import DAY_US
from firmware.window import peak_pl
from hal.interfaces import ResetCause
from protocol.codes import BolusKind, Code, LockoutFrom, RateBasis
from protocol.messages import LogRecord, PatientBolus

S = 1_000_000
HOUR = 3600
PATIENT = PatientBolus(RateBasis.VOLUME_PL, 1, 0, 2 * HOUR, LockoutFrom.START, 4)


class Book:
    """An event log that a test writes."""

    first = 0

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self.boot_id = 1
        self.booted_wall_s = 1000
        self.live = DoseHistory()

    def write(self, at_s: int, code: Code, a: int = 0, b: int = 0) -> None:
        """A record at so many seconds of this boot."""
        record = LogRecord(
            len(self.records), self.boot_id, code, at_s * S, self.booted_wall_s + at_s, a, b
        )
        self.records.append(record)
        self.live.take(record)

    def bolus(self, at_s: int, kind: BolusKind, nl: int, for_s: int, given_nl: int = -1) -> None:
        self.write(at_s, Code.BOLUS_STARTED, nl, kind)
        self.write(at_s + for_s, Code.BOLUS_DONE, nl if given_nl < 0 else given_nl)

    def reset(self, cause: ResetCause, at_s: int, off_s: int = 0) -> None:
        """A reset after so many seconds of this boot; `off_s` without power."""
        self.boot_id += 1
        self.booted_wall_s += at_s + off_s
        self.write(0, Code.RESET, cause)

    def newest_first(self) -> list[LogRecord]:
        return self.records[::-1]

    def again(self, patient: PatientBolus = PATIENT, horizon_us: int = 0) -> DoseHistory:
        """What a boot makes of it."""
        history = DoseHistory()
        history.patient = patient
        history.recover(self, horizon_us)  # type: ignore[arg-type]
        return history


def given_pl(history: DoseHistory, now_us: int, window_us: int) -> Fraction | int:
    """What ended boluses gave in the window that ends now."""
    return sum(span.within(now_us - window_us, now_us) for span in history._spans)


# --- lockout and count ---------------------------------------------------------------------------


def test_the_lockout_runs_from_the_start_or_from_the_end() -> None:
    book = Book()
    book.bolus(100, BolusKind.PATIENT, 10_000, 300)
    assert book.again().wait_us(400 * S) == (100 + 2 * HOUR - 400) * S
    from_end = replace(PATIENT, lockout_from=LockoutFrom.END)
    assert book.again(from_end).wait_us(400 * S) == 2 * HOUR * S


def test_only_the_patients_own_boluses_lock_him_out() -> None:
    book = Book()
    for kind in (BolusKind.SINGLE, BolusKind.LOADING, BolusKind.PERIODIC, BolusKind.PRIME):
        book.bolus(100, kind, 10_000, 10)
    assert book.again().wait_us(200 * S) == 0
    assert book.again().begun_24h(200 * S) == 0


def test_program_refill_and_scheduled_change_restart_the_lockout() -> None:
    for code in (Code.PROGRAM_COMMITTED, Code.REFILLED, Code.SCHEDULED_CHANGE):
        book = Book()
        book.write(500, code)
        assert book.again().wait_us(500 * S) == 2 * HOUR * S


@pytest.mark.requirement("R-049")
def test_the_count_frees_exactly_24_h_after_the_oldest_began() -> None:
    book = Book()
    for hour in (0, 3, 6, 9):
        book.bolus(hour * HOUR, BolusKind.PATIENT, 10_000, 60)
    history = book.again()
    assert history.wait_us(20 * HOUR * S) == 4 * HOUR * S
    assert history.wait_us(DAY_US - 1) == 1
    assert history.begun_24h(DAY_US - 1) == 4
    assert history.wait_us(DAY_US) == 0
    assert history.begun_24h(DAY_US) == 3


def test_nothing_granted_means_no_lockout() -> None:
    book = Book()
    book.write(500, Code.PROGRAM_COMMITTED)
    assert book.again(replace(PATIENT, amount=0)).wait_us(500 * S) == 0


# --- resets --------------------------------------------------------------------------------------


def test_a_reset_restarts_a_lockout_that_runs_and_leaves_one_that_is_over() -> None:
    for after_s, wait_s in ((2 * HOUR - 1, 2 * HOUR), (2 * HOUR + 2, 0)):
        book = Book()
        book.bolus(0, BolusKind.PATIENT, 10_000, 60)
        book.reset(ResetCause.WATCHDOG, after_s)
        assert book.again().wait_us(0) == wait_s * S


def test_time_without_power_counts_for_nothing() -> None:
    book = Book()
    book.bolus(0, BolusKind.PATIENT, 10_000, 60)
    book.reset(ResetCause.POWER_ON, 60, off_s=30 * HOUR)
    history = book.again()
    assert history.begun_24h(23 * HOUR * S) == 1
    assert history.begun_24h(24 * HOUR * S) == 0
    assert history.wait_us(0) == 2 * HOUR * S


def test_over_a_warm_reset_the_wall_clock_tells_what_passed_less_a_second() -> None:
    book = Book()
    book.bolus(0, BolusKind.PATIENT, 10_000, 60)
    book.reset(ResetCause.WATCHDOG, 10 * HOUR)
    history = book.again()
    assert history.begun_24h((14 * HOUR + 1) * S - 1) == 1
    assert history.begun_24h((14 * HOUR + 1) * S) == 0


def test_a_clock_that_was_set_before_the_reset_ages_nothing() -> None:
    book = Book()
    book.bolus(0, BolusKind.PATIENT, 10_000, 60)
    ahead_s = 20 * HOUR
    wall_s = book.booted_wall_s + 100
    book.write(100, Code.CLOCK_SET, wall_s + ahead_s, wall_s)
    book.booted_wall_s += ahead_s
    book.reset(ResetCause.WATCHDOG, 200)
    assert book.again().begun_24h(23 * HOUR * S) == 1


def test_a_bolus_whose_beginning_the_power_cut_took_counts_as_the_patients() -> None:
    book = Book()
    book.reset(ResetCause.POWER_ON, 60)
    book.write(0, Code.BOLUS_ENDED_EARLY, 2_000, Code.RESET)
    history = book.again()
    assert history.begun_24h(S) == 1
    assert history.wait_us(0) == 2 * HOUR * S
    assert given_pl(history, S, HOUR * S) == 2_000_000


def test_a_bolus_whose_end_the_power_cut_took_counts_in_full() -> None:
    book = Book()
    book.write(0, Code.BOLUS_STARTED, 8_000, BolusKind.SINGLE)
    book.reset(ResetCause.POWER_ON, 60)
    book.bolus(60, BolusKind.SINGLE, 1_000, 60)
    assert given_pl(book.again(), 120 * S, HOUR * S) == 9_000_000


def test_an_unknown_past_is_taken_to_hold_a_lockout() -> None:
    book = Book()
    book.first = 700
    book.write(0, Code.INTERROGATED)
    assert book.again().wait_us(0) == 2 * HOUR * S


def test_no_more_of_the_log_is_read_than_can_matter() -> None:
    book = Book()
    for day in range(50):
        book.bolus(day * 86_400, BolusKind.SINGLE, 1_000, 60)
    read = 0

    class Counted:
        first = 0

        def newest_first(self) -> "Counted":
            return self

        def __iter__(self):  # type: ignore[no-untyped-def]
            nonlocal read
            for record in book.newest_first():
                read += 1
                yield record

    boot = [LogRecord(100, 2, Code.RESET, 0, 50 * 86_400 + 1000, ResetCause.WATCHDOG, 0)]
    book.records += boot
    history = DoseHistory()
    history.recover(Counted(), 3 * DAY_US)  # type: ignore[arg-type]
    assert given_pl(history, 0, 3 * DAY_US) >= 2_000_000
    assert read < 12


# --- volumes -------------------------------------------------------------------------------------


def test_a_suspended_bolus_counts_where_it_ran() -> None:
    book = Book()
    book.write(0, Code.BOLUS_STARTED, 3_000, BolusKind.SINGLE)
    book.write(600, Code.BOLUS_STARTED, 500, BolusKind.PATIENT)
    book.write(700, Code.BOLUS_DONE, 500)
    book.write(1900, Code.BOLUS_DONE, 3_000)
    history = book.again()
    assert given_pl(history, 600 * S, 600 * S) == 1_000_000
    assert given_pl(history, 700 * S, 100 * S) == 500_000
    assert given_pl(history, 1900 * S, 1200 * S) == 2_000_000


def test_what_fills_the_path_is_no_dose() -> None:
    book = Book()
    for kind in (BolusKind.PRIME, BolusKind.PRIME_CATHETER, BolusKind.BRIDGE):
        book.bolus(0, kind, 300_000, 60)
    assert given_pl(book.again(), 100 * S, HOUR * S) == 0


def test_a_bridge_that_goes_on_over_a_reset_hides_no_dose() -> None:
    book = Book()
    book.write(0, Code.BOLUS_STARTED, 300_000, BolusKind.BRIDGE)
    book.reset(ResetCause.WATCHDOG, 60)
    book.write(500, Code.BOLUS_DONE, 300_000)
    book.bolus(600, BolusKind.SINGLE, 1_000, 60)
    assert given_pl(book.again(), 700 * S, HOUR * S) == 1_000_000


def test_the_history_is_bounded_and_never_forgets_volume_in_a_window() -> None:
    book = Book()
    for number in range(3 * KEPT):
        book.bolus(number * 10, BolusKind.LOADING, 1_000, 5)
    end_us = 3 * KEPT * 10 * S
    assert len(book.live._spans) <= KEPT
    assert given_pl(book.live, end_us, end_us) == 3 * KEPT * 1_000_000
    assert given_pl(book.live, end_us, 1000 * S) == 100 * 1_000_000


spans = st.builds(
    lambda start, length, volume: Span(start, start + length, volume),
    st.integers(-500, 500), st.integers(1, 200), st.integers(1, 1000),
)  # fmt: skip


def swept(all_spans: list[Span], from_us: int, to_us: int) -> Fraction:
    """What lies in a window, microsecond by microsecond."""
    rates = [(span, Fraction(span.volume_pl, span.end_us - span.start_us)) for span in all_spans]
    return sum(
        (
            rate * len(range(max(span.start_us, from_us), min(span.end_us, to_us)))
            for span, rate in rates
        ),
        Fraction(),
    )


@given(st.lists(spans, max_size=6), st.lists(spans, min_size=1, max_size=2), st.integers(1, 400))
def test_the_peak_is_that_of_every_window_that_ends_while_the_dose_is_given(
    past: list[Span], planned: list[Span], window_us: int
) -> None:
    history = DoseHistory()
    now_us = min(span.start_us for span in planned)
    before = [Span(*span) for span in past if span.end_us <= now_us]
    history._spans.extend(before)
    last_us = max(span.end_us for span in planned)
    brute = max(
        swept([*before, *planned], end - window_us, end) for end in range(now_us, last_us + 1)
    )
    spans = [*history.spans(now_us), *planned]
    assert peak_pl(spans, now_us, last_us, window_us) == brute


@given(st.data())
def test_a_boot_learns_from_the_log_what_the_boot_before_knew(data: st.DataObject) -> None:
    book = Book()
    book.live.patient = PATIENT
    at_s = 0
    for _ in range(data.draw(st.integers(0, 12))):
        at_s += data.draw(st.integers(1, 4 * HOUR))
        kind = data.draw(st.sampled_from([BolusKind.SINGLE, BolusKind.PATIENT, BolusKind.LOADING]))
        nl = data.draw(st.integers(1, 10_000))
        for_s = data.draw(st.integers(1, 3 * HOUR))
        book.bolus(at_s, kind, nl, for_s, data.draw(st.integers(0, nl)))
        at_s += for_s
        if data.draw(st.booleans()):
            book.write(at_s, data.draw(st.sampled_from([Code.REFILLED, Code.STOPPED])))
    again = book.again(horizon_us=3 * DAY_US)
    now_us = (at_s + 60) * S
    assert again.wait_us(now_us) == book.live.wait_us(now_us)
    assert again.begun_24h(now_us) == book.live.begun_24h(now_us)
    assert given_pl(again, now_us, DAY_US) == given_pl(book.live, now_us, DAY_US)


# --- how far back a boot reads -------------------------------------------------------------------


def test_of_a_bolus_that_ended_within_the_horizon_the_beginning_is_read_too() -> None:
    book = Book()
    book.write(0, Code.BOLUS_STARTED, 400_000, BolusKind.SINGLE)
    book.write(HOUR, Code.INTERROGATED)
    book.write(23 * HOUR, Code.BOLUS_DONE, 400_000)
    book.reset(ResetCause.WATCHDOG, 40 * HOUR)
    history = book.again()
    assert history.begun_24h(0) == 0
    assert given_pl(history, 0, DAY_US) == Fraction(400_000_000 * (7 * HOUR + 1), 23 * HOUR)


def test_a_bridge_that_began_before_the_horizon_is_not_taken_for_the_patients_when_it_ends() -> (
    None
):
    book = Book()
    book.write(0, Code.BOLUS_STARTED, 300_000, BolusKind.BRIDGE)
    book.write(HOUR, Code.INTERROGATED)
    book.reset(ResetCause.WATCHDOG, 40 * HOUR)
    history = DoseHistory()
    history.patient = PATIENT
    history.recover(book, 0, bridge=True)  # type: ignore[arg-type]
    history.take(LogRecord(9, 2, Code.BOLUS_DONE, 5 * S, 0, 300_000, 0))
    assert (history.wait_us(5 * S), history.begun_24h(5 * S)) == (0, 0)
    assert given_pl(history, 5 * S, DAY_US) == 0
