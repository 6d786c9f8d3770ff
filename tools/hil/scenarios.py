"""The table of scenarios, and playing one: again when this machine was late, a few times at most.

What a scenario raises is a difference too: the board was lost, or does not do what was asked.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from emulator.profile import Profile
from hal.errors import HalError
from protocol.errors import ErrorCode
from tools.hil import board_alone, delivery
from tools.hil.checks import Tolerances, Verdict
from tools.hil.pump import FlashStuck, HostLate
from tools.hil.stage import Played, Scenario, Stage
from tools.hil.target import Hand, Target
from tools.programmer.errors import ProgrammerError, Refused

TRIES_MAX: Final = 4
"""Of a scenario for which the host did not act in time."""
LATE_TRIES: Final = 2
"""Of a scenario in which something came too late, and nothing else was wrong."""
_LINE: Final = frozenset({Hand.LINE})
_POWER: Final = frozenset({Hand.LINE, Hand.POWER})
_PACE: Final = "pulse timer: is each stroke ended at start + k * interval, and MOTOR_DONE with it?"
_RESET: Final = "Attach: motor halted, supply cut, queues empty; encoder count and flash kept?"
_GUARD: Final = "rate guard: counted at Dispense, compared before the batch begins?"

SCENARIOS: Final = (
    Scenario("basal", "12 strokes of basal, then a stop", delivery.basal, _PACE),
    Scenario("rate_change", "a part of a stroke is carried over", delivery.rate_change, _PACE),
    Scenario("bolus_on_top", "8 strokes in 1 s over the basal", delivery.bolus_on_top, _PACE),
    Scenario("bolus_instead", "10 strokes in place of the basal", delivery.bolus_instead, _PACE),
    Scenario(
        "reservations", "24 strokes over 3 reservations in flash", delivery.reservations,
        "flash: how long does FlashProgram take, and do reports go out meanwhile?",
    ),
    Scenario(
        "stop_in_bolus", "a stop ends a bolus, a resume brings the basal", delivery.stop_in_bolus,
        "StopMotor: is no stroke begun after it, and one under way finished?",
    ),
    Scenario("reset_in_bolus", "a new controller in a bolus", delivery.reset_in_bolus, _RESET),
    Scenario(
        "hang_in_bolus", "the controller hangs in a bolus", delivery.hang_in_bolus,
        "dead-man: 500 ms without a valid frame end the session, and nothing else does", _LINE,
    ),
    Scenario(
        "stall", "nothing moves for 10 strokes, then it does", delivery.stall,
        "encoder: does it count what turned, or what was commanded? supply: is it really cut?",
    ),
    Scenario("reservoir", "low after 8 strokes, empty after 12", delivery.reservoir, _PACE),
    Scenario(
        "persistence", "flash over two attaches", delivery.persistence,
        "flash: is what FlashRead says what was programmed, after Attach too?",
    ),
    Scenario("batches", "3 batches back to back", board_alone.batches, _PACE),
    Scenario(
        "limit", "the encoder's limit cuts the supply", board_alone.limit,
        "ArmEncoder: the supply is cut by the board at the stroke past the limit",
    ),
    Scenario(
        "dead_man", "silence in a batch: what is under way, no more", board_alone.dead_man,
        "dead-man: 500 ms without a valid frame; no further stroke, then the supply cut", _LINE,
    ),
    Scenario(
        "watchdog", "a missed deadline ends the session after 1 s", board_alone.watchdog,
        "ArmWatchdog: 1 s after the deadline, though Ticks go on", _LINE,
    ),
    Scenario("power_lost", "power is lost amid the basal", delivery.power_lost, _RESET, _POWER),
    Scenario("guard_limit", "5 strokes an hour, 6 asked", board_alone.guard_limit, _GUARD, _POWER),
    Scenario("guard_closed", "no stroke allowed", board_alone.guard_closed, _GUARD, _LINE),
)  # fmt: skip
"""In the order of play. The last one leaves a board that delivers nothing until it loses power."""


def play_all(
    target: Target,
    profile: Profile,
    tolerances: Tolerances,
    scenarios: Iterable[Scenario] = SCENARIOS,
    tries_max: int = TRIES_MAX,
) -> Iterator[Played]:
    """Play scenarios in order, until the board is gone; yield each when it is over."""
    gone = ""
    for scenario in scenarios:
        if gone:
            yield _left_out(scenario, target, profile, tolerances, gone)
            continue
        played = play(scenario, target, profile, tolerances, tries_max)
        yield played
        if any(check.verdict is Verdict.DIFFERS for check in played.checks):
            gone = _gone(target)


def play(
    scenario: Scenario,
    target: Target,
    profile: Profile,
    tolerances: Tolerances,
    tries_max: int = TRIES_MAX,
) -> Played:
    """Play one scenario. Raises HalMismatch when the board is another one by now."""
    start_us = target.now_us()
    missing = sorted(scenario.needs - target.hands)
    if missing:
        return _left_out(scenario, target, profile, tolerances, f"needs {', '.join(missing)}")
    late = ""
    for tries in range(1, tries_max + 1):
        stage = Stage(scenario.name, target, profile, tolerances, scenario.hint)
        try:
            _play_once(scenario, stage)
            stage.ended()
        except HostLate as error:
            late = str(error)
            continue
        if stage.judge.only_late and tries < LATE_TRIES:
            continue
        return Played(
            scenario, stage.judge.checks, stage.strokes, target.now_us() - start_us, tries
        )
    why = f"this host was late {tries_max} times, by {late} the last time"
    return _left_out(scenario, target, profile, tolerances, why)


def _left_out(
    scenario: Scenario, target: Target, profile: Profile, tolerances: Tolerances, why: str
) -> Played:
    stage = Stage(scenario.name, target, profile, tolerances, scenario.hint)
    stage.judge.not_tested("", why)
    return Played(scenario, stage.judge.checks, None, 0, 0)


def _gone(target: Target) -> str:
    """Return why the board cannot be attached any more; nothing when it can."""
    try:
        target.attach()
    except HalError as error:
        return f"the board is gone: {error}"
    return ""


def _play_once(scenario: Scenario, stage: Stage) -> None:
    try:
        scenario.play(stage)
    except (HalError, ProgrammerError, LookupError, FlashStuck) as error:
        if isinstance(error, Refused) and error.code is ErrorCode.LIMIT_HARD:
            # The controller runs here: that says something of --profile, and nothing of the board.
            stage.judge.not_tested("", f"the pump of --profile cannot play it: {error}")
            return
        stage.judge.failed("played to its end", "yes", f"{type(error).__name__}: {error}")
