"""The windowed maximum: more than that never leaves the pump in any window, by the plant's truth.

The defect that is to be impossible: a limit that is looked at in hindsight, so that the basal alone
carries the volume over it after the boluses were granted.
"""

from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nurse import MINUTE_US, STROKE_NL, Nurse, Refusals, bolus, therapy, volume_per_day
from patient import REQUEST

from hal.interfaces import ResetCause
from protocol.codec import Message
from protocol.codes import (
    BolusKind,
    LockoutFrom,
    Mode,
    ProgramKind,
    RateBasis,
    RatePer,
    Role,
    TxnOp,
)
from protocol.errors import ErrorCode, LimitId
from protocol.messages import (
    AT_ONCE,
    FlexStep,
    PatientBolus,
    Periodic,
    ProgramParameters,
    Rate,
    Refusal,
)

S = 1_000_000
STEPS = 48
"""So often a window's length is looked at."""


class Act(NamedTuple):
    """Something that happens after a wait; `strokes` over `over_s` where it is a bolus."""

    wait_s: int
    what: str
    strokes: int
    over_s: int


class Watch:
    """Runs a pump and remembers what had left it one window ago."""

    def __init__(self, pump: Nurse, window_us: int) -> None:
        self.pump = pump
        self._step_us = window_us // STEPS
        self._next_us = pump.world.now_us
        self._seen: deque[int] = deque(maxlen=STEPS + 1)
        self.most_nl = 0

    def run(self, for_us: int) -> None:
        end_us = self.pump.world.now_us + for_us
        while self._next_us <= end_us:
            self.pump.world.run_until(self._next_us)
            self._seen.append(self.pump.truth_delivered_nl)
            self.most_nl = max(self.most_nl, self._seen[-1] - self._seen[0])
            self._next_us += self._step_us
        self.pump.world.run_until(end_us)


def act(pump: Nurse, watch: Watch, it: Act) -> None:
    watch.run(it.wait_s * S)
    if it.what == "reset":
        pump.board.reset(ResetCause.WATCHDOG)
    elif it.what == "power cut":
        pump.board.power_cut(it.over_s * S)
        watch.run(it.over_s * S + 1)
    elif it.what == "stop":
        pump.hello()
        pump.stop()
        watch.run(it.over_s * S)
        with suppress(Refusals):
            pump.resume()
    else:
        request(pump, it)


def request(pump: Nurse, it: Act) -> None:
    pump.hello(Role.PATIENT if it.what == "patient" else Role.CLINICIAN)
    body = REQUEST
    if it.what != "patient":
        kind = BolusKind.LOADING if it.what == "loading" else BolusKind.SINGLE
        body = replace(bolus(it.strokes * STROKE_NL, it.over_s * S, again=True), kind=kind)
    with suppress(Refusals):
        pump.do(TxnOp.BOLUS, body)


acts = st.builds(
    Act,
    st.integers(1, 2400),
    st.sampled_from(["patient", "single", "loading", "stop", "reset", "power cut"]),
    st.integers(1, 40),
    st.integers(10, 3600),
)


@pytest.mark.requirement("R-027")
@pytest.mark.requirement("R-030")
@settings(max_examples=60, deadline=None)
@example(  # an earlier dose is left behind only while the next is given: the peak is before its end
    10_000, 3600, 44, 12, 60,
    [Act(1, "single", 40, 60), Act(2100, "single", 40, 1800)],
)  # fmt: skip
@example(  # what was granted to a suspended dose is still to come
    10_000, 3600, 50, 40, 600,
    [Act(1, "single", 40, 1800), Act(10, "patient", 0, 0), Act(10, "patient", 0, 0)],
)  # fmt: skip
@given(
    basal_nl_h=st.integers(2_000, 40_000),
    window_s=st.integers(600, 7200),
    room=st.integers(0, 60),
    patient=st.integers(1, 40),
    over_s=st.integers(40, 1200),
    happenings=st.lists(acts, max_size=8),
)
def test_no_window_holds_more_than_the_maximum(
    basal_nl_h: int, window_s: int, room: int, patient: int, over_s: int, happenings: list[Act]
) -> None:
    window_nl = -(-basal_nl_h * window_s // 3600) + room * STROKE_NL
    grant = PatientBolus(
        RateBasis.VOLUME_PL, patient * STROKE_NL * 1000, over_s, 0, LockoutFrom.START, 0
    )
    pump = Nurse()
    pump.program(
        replace(
            therapy(Rate(RateBasis.VOLUME_PL, RatePer.HOUR, basal_nl_h * 1000)),
            patient=grant,
            window_nl=window_nl,
            window_s=window_s,
        )
    )
    watch = Watch(pump, window_s * S)
    for it in happenings:
        act(pump, watch, it)
    watch.run((2 * window_s + 3600) * S)
    assert watch.most_nl <= window_nl + STROKE_NL


def refusal(pump: Nurse, op: TxnOp, wanted: Message) -> Refusals | None:
    """What the pump has against it; it is done when that is nothing."""
    pump.hello()
    try:
        pump.do(op, wanted)
    except Refusals as refused:
        return refused
    return None


def over_window(pump: Nurse, volume_nl: int, duration_us: int = 0) -> bool:
    """Ask for a bolus; return True when the window forbids it."""
    refused = refusal(pump, TxnOp.BOLUS, bolus(volume_nl, duration_us, again=True))
    assert refused is None or refused.code is ErrorCode.WINDOW_MAX
    return refused is not None


def limited(window_nl: int, **over: Any) -> Nurse:
    """10 µL/h, and so much in any hour."""
    pump = Nurse()
    wanted = replace(therapy(volume_per_day(240_000)), window_nl=window_nl, window_s=3600)
    pump.program(replace(wanted, **over))
    return pump


@pytest.mark.requirement("R-027")
@pytest.mark.requirement("R-029")
def test_a_request_is_judged_by_what_it_would_bring_and_granted_when_it_reaches_it() -> None:
    assert not over_window(limited(15_000), 20 * STROKE_NL)
    refused = refusal(limited(15_000), TxnOp.BOLUS, bolus(21 * STROKE_NL))
    assert refused is not None
    assert refused.code is ErrorCode.WINDOW_MAX
    assert refused.refusal == Refusal(LimitId.WINDOW_NL, 15_250, 15_000)


def test_the_window_survives_a_power_cut_and_time_without_power_frees_nothing() -> None:
    pump = limited(15_000)
    pump.bolus(4_000, 60 * S)
    pump.run(2 * MINUTE_US)
    pump.board.power_cut(5 * 3600 * S)
    pump.run(5 * 3600 * S + 10 * MINUTE_US)
    assert over_window(pump, 2_000, 60 * S)
    pump.run(50 * MINUTE_US)
    assert not over_window(pump, 2_000, 60 * S)


def test_a_day_schedule_fills_the_window_with_its_highest_hours() -> None:
    """20 µL/h from 18:00 to 20:00, 5 µL/h else: a bolus before 18:00 counts with what comes."""
    pump = limited(
        30_000,
        program=ProgramKind.FLEX,
        rate=Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0),
        steps=(FlexStep(127, 18 * 60, 20_000_000), FlexStep(127, 20 * 60, 5_000_000)),
    )
    watch = Watch(pump, 3600 * S)
    watch.run(8 * 3600 * S + 50 * MINUTE_US)
    assert over_window(pump, 10_250, 5 * MINUTE_US)
    assert not over_window(pump, 10_000, 5 * MINUTE_US)
    watch.run(4 * 3600 * S)
    assert 26_000 <= watch.most_nl <= 30_000 + STROKE_NL


@pytest.mark.requirement("R-248")
@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"window_nl": 9_999}, ErrorCode.LIMIT_HARD),
        ({"window_s": 0}, ErrorCode.MALFORMED),
        ({"window_nl": 0}, ErrorCode.MALFORMED),
    ],
)
def test_a_prescription_whose_basal_passes_its_own_window_is_refused(
    over: dict[str, Any], code: ErrorCode
) -> None:
    pump = limited(10_000)
    assert pump.status.mode is Mode.BASAL
    assert pump.pump.firmware.prescription().therapy.window_nl == 10_000
    wanted = replace(pump.pump.firmware.prescription().therapy, **over)
    refused = refusal(pump, TxnOp.PROGRAM, ProgramParameters(wanted, 40_000_000))
    assert refused is not None
    assert refused.code is code


def test_periodic_boluses_obey_it_too() -> None:
    boluses = Periodic(RateBasis.VOLUME_PL, 10_000_000, 60, 1800, AT_ONCE)
    pump = limited(
        14_000, program=ProgramKind.PERIODIC, periodic=boluses, rate=volume_per_day(48_000)
    )
    watch = Watch(pump, 3600 * S)
    watch.run(6 * 3600 * S)
    assert 11_000 < watch.most_nl <= 14_000 + STROKE_NL


@pytest.mark.parametrize("booted", [False, True])
def test_a_window_longer_than_the_last_boot_has_looked_back_counts_all_the_same(
    booted: bool,
) -> None:
    """90 + 80 µL are in the 48 h before, and 2 × 48 µL of basal: 100 µL more are too much."""
    pump = Nurse()
    wanted = therapy(volume_per_day(48_000))
    pump.program(wanted, 40_000_000)
    for volume_nl in (90_000, 80_000):
        pump.bolus(volume_nl, 10 * MINUTE_US)
        pump.run(20 * MINUTE_US)
    pump.ask("INTERROGATE")
    pump.run(30 * 3600 * S)
    if booted:
        pump.board.reset(ResetCause.WATCHDOG)
    pump.program(replace(wanted, window_nl=350_000, window_s=2 * 86_400))
    with pytest.raises(Refusals) as refused:
        pump.bolus(100_000, 10 * MINUTE_US)
    assert refused.value.code is ErrorCode.WINDOW_MAX
    assert pump.bolus(84_000, 10 * MINUTE_US).total_nl == 84_000
