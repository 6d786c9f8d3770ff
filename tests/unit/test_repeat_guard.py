"""The same bolus twice within ten minutes: refused unless meant, whatever has reset the pump since.

The plant is the judge. Only time under power counts.
"""

import json
from collections.abc import Callable
from functools import partial

import pytest
from nurse import (
    MINUTE_US,
    START_WALL_S,
    STROKE_NL,
    Nurse,
    Refusals,
    bolus,
    therapy,
    volume_per_day,
)

from emulator.devices.plant import PlantSetup
from emulator.profile import Profile
from firmware.flow import HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import BolusKind, Code, RateBasis, TxnOp, TxnState
from protocol.link import Initiator
from protocol.messages import BolusParameters
from tools.emulated import build_pump

BOLUS_NL = 10_000
LOADING = BolusParameters(BolusKind.LOADING, RateBasis.VOLUME_PL, BOLUS_NL * 1000, 0, 0)
RESETS = (ResetCause.WATCHDOG, ResetCause.COMMANDED, ResetCause.LINK_LOST)


def reset(nurse: Nurse, cause: ResetCause = ResetCause.WATCHDOG) -> None:
    """A warm reset, and its alarm cleared."""
    nurse.board.reset(cause)
    nurse.run(0)
    for code in nurse.alarms:
        nurse.clear(code)


def power_cut(nurse: Nurse, for_us: int = MINUTE_US) -> None:
    nurse.board.power_cut(for_us)
    nurse.run(for_us)


def restart(nurse: Nurse) -> None:
    """The process ends, and another goes on from what it has saved."""
    saved = json.loads(json.dumps(nurse.board.save()))
    pump = build_pump(Profile.load("rotor-40"), PlantSetup(0), 1, START_WALL_S)
    pump.board.restore(saved)
    nurse.pump, nurse.world, nurse.board = pump, pump.world, pump.board
    nurse.link, nurse.channel = Initiator(), 0
    pump.board.power_on()
    nurse.run(0)


def several(nurse: Nurse) -> None:
    reset(nurse)
    power_cut(nurse)
    reset(nurse)


BETWEEN: dict[str, Callable[[Nurse], None]] = {
    "nothing": lambda nurse: None,
    **{cause.name: partial(reset, cause=cause) for cause in RESETS},
    "a power cut": power_cut,
    "an hour without power": partial(power_cut, for_us=HOUR_US),
    "a restart from a saved state": restart,
    "several resets": several,
}


def nurse_at_a_pump() -> Nurse:
    """Beside a basal so low that a bolus is told apart in the plant."""
    nurse = Nurse()
    nurse.program(therapy(volume_per_day(48_000)), 40_000_000)
    return nurse


def refused(nurse: Nurse) -> None:
    """It is refused, and what then flows within the hour is the basal alone."""
    with pytest.raises(Refusals, match="DUPLICATE_INTENT"):
        nurse.bolus(BOLUS_NL)
    before_nl = nurse.truth_delivered_nl
    nurse.run(HOUR_US)
    assert abs(nurse.truth_delivered_nl - before_nl - 2_000) <= 2 * STROKE_NL


def given(nurse: Nurse, again: bool = False) -> None:
    """It is taken, and flows."""
    before_nl = nurse.truth_delivered_nl
    assert nurse.bolus(BOLUS_NL, again=again).state is TxnState.DELIVERING
    nurse.run(HOUR_US)
    assert abs(nurse.truth_delivered_nl - before_nl - BOLUS_NL - 2_000) <= 2 * STROKE_NL


def finished(nurse: Nurse) -> None:
    """Five minutes after it began, the bolus is over."""
    nurse.run(5 * MINUTE_US)
    assert nurse.codes[-1] is Code.BOLUS_DONE


@pytest.mark.requirement("R-254")
@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
def test_a_like_bolus_must_be_meant_whatever_lies_between(between: Callable[[Nurse], None]) -> None:
    nurse = nurse_at_a_pump()
    nurse.bolus(BOLUS_NL)
    finished(nurse)
    between(nurse)
    refused(nurse)


@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
def test_one_that_is_meant_is_given(between: Callable[[Nurse], None]) -> None:
    nurse = nurse_at_a_pump()
    nurse.bolus(BOLUS_NL)
    finished(nurse)
    between(nurse)
    given(nurse, again=True)


@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
def test_after_eleven_minutes_under_power_it_is_another_bolus(
    between: Callable[[Nurse], None],
) -> None:
    nurse = nurse_at_a_pump()
    nurse.bolus(BOLUS_NL)
    finished(nurse)
    between(nurse)
    nurse.run(11 * MINUTE_US)
    given(nurse)


@pytest.mark.parametrize("stop", [reset, power_cut])
def test_a_bolus_that_a_reset_cuts_short_has_begun(stop: Callable[[Nurse], None]) -> None:
    nurse = nurse_at_a_pump()
    nurse.bolus(BOLUS_NL, HOUR_US)
    nurse.run(5 * MINUTE_US)
    stop(nurse)
    assert Code.BOLUS_ENDED_EARLY in nurse.codes
    refused(nurse)


def test_a_reset_does_not_prolong_what_the_clock_can_tell() -> None:
    """Five minutes before a warm reset and five after it are ten, but for a second."""
    nurse = nurse_at_a_pump()
    nurse.bolus(BOLUS_NL)
    finished(nurse)
    reset(nurse)
    nurse.run(5 * MINUTE_US + 2_000_000)
    given(nurse)


def test_another_bolus_in_between_hides_nothing() -> None:
    nurse = nurse_at_a_pump()
    nurse.bolus(BOLUS_NL)
    nurse.run(3 * MINUTE_US)
    nurse.bolus(BOLUS_NL // 2)
    nurse.run(3 * MINUTE_US)
    reset(nurse)
    refused(nurse)


def test_a_loading_dose_of_the_same_volume_is_the_same() -> None:
    nurse = nurse_at_a_pump()
    nurse.do(TxnOp.BOLUS, LOADING)
    finished(nurse)
    reset(nurse)
    refused(nurse)


def test_a_stroke_more_is_another_bolus() -> None:
    nurse = nurse_at_a_pump()
    nurse.do(TxnOp.BOLUS, bolus(BOLUS_NL + STROKE_NL))
    finished(nurse)
    reset(nurse)
    given(nurse)
