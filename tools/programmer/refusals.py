"""Refusals in words: one sentence for each error code and each limit.

The sentence says what the pump found and what a person can do about it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol.codes import Code, Mode
from protocol.errors import ErrorCode, LimitId
from protocol.messages import Refusal
from tools.programmer import format as text


@dataclass(frozen=True, slots=True)
class _Limit:
    """How one limit reads when the value is above it (or at it), and below it."""

    above: str
    below: str
    show: Callable[[int], str]


def _flow(pl_h: int) -> str:
    return text.rate_day(pl_h).removeprefix("~")  # the pump sends whole pL/h: near is exact


def _same(sentence: str, show: Callable[[int], str]) -> _Limit:
    return _Limit(sentence, sentence, show)


_FLOW_MAX: Final = "flow {value} is above this pump's highest rate, {limit}"
_FLOW_MIN: Final = "flow {value} is below this pump's lowest rate, {limit}"
LIMITS: Final[dict[LimitId, _Limit]] = {
    LimitId.FLOW_MAX_PL_H: _Limit(_FLOW_MAX, _FLOW_MAX, _flow),
    LimitId.FLOW_MIN_PL_H: _Limit(_FLOW_MIN, _FLOW_MIN, _flow),
    LimitId.BOLUS_VOLUME_NL: _Limit(
        "bolus volume {value} is above this pump's largest bolus, {limit}",
        "bolus volume {value} is less than one stroke, {limit}",
        text.volume,
    ),
    LimitId.RESERVOIR_NL: _Limit(
        "volume {value} is more than the reservoir holds, {limit}",
        "volume {value} is less than the reservoir must hold, {limit}",
        text.millilitres,
    ),
    LimitId.LOW_RESERVOIR_NL: _Limit(
        "low-reservoir volume {value} is not below the reservoir's capacity, {limit}",
        "it would leave {value} in the reservoir, less than the low-reservoir volume, {limit}",
        text.millilitres,
    ),
    LimitId.BOLUS_DURATION_S: _Limit(
        "bolus duration {value} is longer than the longest, {limit}",
        "bolus duration {value} is shorter than the shortest, {limit}",
        text.seconds,
    ),
    LimitId.SCHEDULE_MIN: _same(
        "the steps of the schedule are out of order, or a weekday has none", str
    ),
    LimitId.SCHEDULE_STEPS: _Limit(
        "the schedule has {value} steps, more than {limit}",
        "the schedule has steps on {value} of {limit} days",
        str,
    ),
    LimitId.PERIODIC_S: _Limit(
        "{value} is too long for the periodic boluses, which allow {limit}",
        "{value} is too short for the periodic boluses, which need {limit}",
        text.seconds,
    ),
    LimitId.WINDOW_NL: _Limit(
        "volume {value} is more than the window may hold, {limit}",
        "volume {value} is less than the window must hold, {limit}",
        text.volume,
    ),
    LimitId.PATH_NL: _Limit(
        "{value} is more than the path from pump to catheter tip holds, {limit}",
        "the path from pump to catheter tip has {value} to be filled; was the catheter programmed?",
        text.volume,
    ),
    LimitId.DOSE_PER_DAY_PG: _same(
        "dose {value}/day is above the drug's limit, {limit}", text.mass
    ),
    LimitId.DATE_S: _Limit(
        "date {value} is later than the pump allows, {limit}",
        "date {value} is not after {limit}",
        text.date_text,
    ),
    LimitId.CONCENTRATION_PG_ML: _Limit(
        "concentration {value} is above the highest in use, {limit}",
        "concentration {value} is below the lowest in use, {limit}",
        text.concentration,
    ),
    LimitId.FLOW_JUMP_PL_H: _Limit(
        "the flow would jump to {value}, more than {limit}: implausible",
        "the flow would fall to {value}, less than {limit}: implausible",
        _flow,
    ),
    LimitId.DOSE_RISE_PERCENT: _same(
        "the dose would rise by {value} %, more than {limit} % at once", str
    ),
    LimitId.DOSE_FALL_PERCENT: _same(
        "the dose would fall by {value} %, more than {limit} % at once", str
    ),
    LimitId.DOSE_START_PG: _same(
        "dose {value}/day is above the highest to start the drug with, {limit}", text.mass
    ),
    LimitId.DOSE_STEP_PG: _same(
        "{value}/day is added at once, more than the drug's step, {limit}", text.mass
    ),
    LimitId.PRIMED_NL: _same(
        "the path was primed already: {value} of what it holds would be given at once", text.volume
    ),
}

_SENTENCES: Final[dict[ErrorCode, str]] = {
    ErrorCode.BUSY: "the pump is busy with another command; try again",
    ErrorCode.BUSY_DELIVERING: "another dose is being delivered; wait for its end or stop it",
    ErrorCode.UNSUPPORTED: "this pump does not know the command",
    ErrorCode.MALFORMED: "the pump could not read the command, or a field is out of its range",
    ErrorCode.TOO_OLD: "this tool's protocol is older than the pump still speaks; update the tool",
    ErrorCode.TOO_NEW: "this tool's protocol is newer than the pump speaks; use an older tool",
    ErrorCode.SCHEMA: "tool and pump have different message tables: reading works, programming not",
    ErrorCode.DENIED: "this role may not do that",
    ErrorCode.SESSION_GONE: "the pump has ended the session; connect again",
    ErrorCode.WINDOW_MAX: "it would pass the dose limit of the time window; try later",
    ErrorCode.GENERATION: "the prescription was changed meanwhile; read it again and review",
    ErrorCode.HASH: "what the pump would do is not what was confirmed; review it again",
    ErrorCode.EXPIRED: "the preview is too old, or the pump restarted; review it again",
    ErrorCode.DUPLICATE_INTENT: (
        "a like bolus was given within the last 10 min; repeat with --again if a second is meant"
    ),
    ErrorCode.NVM_FAIL: "the pump could not save it; nothing was started",
    ErrorCode.HW_FAULT: "motor, encoder or supply fault",
    ErrorCode.INTEGRITY: "a stored record failed its check",
}

_STATES: Final[dict[Mode, str]] = {
    Mode.SHELF: "the pump is in shelf mode",
    Mode.SELF_TEST: "the pump is testing itself; try again in a moment",
    Mode.STOPPED: (
        "the pump is stopped, and the command does not fit that; a program starts it, `resume` "
        "where it has one, an empty reservoir is refilled first"
    ),
    Mode.BASAL: "the pump is delivering its basal rate: nothing is there to resume or to bridge",
    Mode.MINIMUM_RATE: "the pump is delivering at minimum rate",
    Mode.BOLUS: "a bolus is running",
    Mode.BRIDGE: "a bridging bolus is running",
    Mode.PRIME: "a priming bolus is running",
    Mode.STALLED: "the motor is stalled",
    Mode.SAFE_STATE: "the pump is in its safe state",
    Mode.END_OF_SERVICE: "the pump has reached its end of service and must be replaced",
}


def sentence(code: ErrorCode, refusal: Refusal) -> str:
    """Return why the pump refused, in words."""
    if code in (ErrorCode.LIMIT_HARD, ErrorCode.LIMIT_SOFT):
        override = "" if code is ErrorCode.LIMIT_HARD else "; --override when it is meant"
        return limit_sentence(refusal) + override
    if code is ErrorCode.LOCKOUT:
        return f"the lockout runs for another {text.seconds(refusal.value)}"
    if code is ErrorCode.STATE:
        return _state(refusal)
    return _SENTENCES.get(code, "no reason given")


def limit_sentence(refusal: Refusal) -> str:
    """Return which limit is broken, in words."""
    limit = LIMITS.get(LimitId(refusal.id)) if refusal.id in set(LimitId) else None
    if limit is None:
        return f"value {refusal.value} breaks limit {refusal.id}, {refusal.limit}"
    template = limit.above if refusal.value >= refusal.limit else limit.below
    return template.format(value=limit.show(refusal.value), limit=limit.show(refusal.limit))


def _state(refusal: Refusal) -> str:
    if refusal.id not in set(Mode):
        return "the pump is not in a state for this"
    state = _STATES[Mode(refusal.id)]
    if refusal.value in set(Code):
        return f"{state.partition(':')[0]}; alarm {Code(refusal.value).name}"
    return state
