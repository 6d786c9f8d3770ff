"""The pump's state and its refusals, as a patient understands them.

No drug, no number that needs explaining: whether the pump works, when the next dose is possible,
and when to call the clinic.
"""

from typing import Final

from protocol.codes import BolusKind, Mode, ProgramKind
from protocol.errors import ErrorCode, LimitId
from protocol.messages import Refusal, Status
from tools.programmer import format as text

CALL: Final = "Call your clinic."
_MODES: Final[dict[Mode, str]] = {
    Mode.SHELF: "Your pump is not in use yet.",
    Mode.SELF_TEST: "Your pump is testing itself. Try again in a moment.",
    Mode.STOPPED: f"Your pump is stopped and gives no medicine. {CALL}",
    Mode.BASAL: "Your pump is working.",
    Mode.MINIMUM_RATE: f"Your pump gives only very little medicine. {CALL}",
    Mode.BOLUS: "Your pump is working. An extra dose is being given.",
    Mode.BRIDGE: "Your pump is working. It is still giving the medicine from before the refill.",
    Mode.PRIME: "Your pump is being filled.",
    Mode.STALLED: f"Your pump is not turning and may give no medicine. {CALL}",
    Mode.SAFE_STATE: f"Your pump has switched itself off and gives no medicine. {CALL}",
    Mode.END_OF_SERVICE: f"Your pump is worn out and gives no medicine. {CALL}",
}
_REFUSALS: Final[dict[ErrorCode, str]] = {
    ErrorCode.BUSY_DELIVERING: "Not now: a dose is being given already.",
    ErrorCode.WINDOW_MAX: "Not now: you would get more than your limit. Try again later.",
    ErrorCode.DENIED: "Your clinic has not allowed this for your pump.",
    ErrorCode.LIMIT_HARD: f"Not possible: there is not enough medicine left. {CALL}",
    ErrorCode.STATE: f"Not possible now: ask your pump for its status. {CALL}",
    ErrorCode.BUSY: "The pump is busy. Try again in a moment.",
    ErrorCode.GENERATION: "Your pump has just been changed. Try again.",
}


def report(status: Status) -> str:
    """Return how the pump is, and when the next dose is possible."""
    meant = status.mode is Mode.MINIMUM_RATE and status.program is ProgramKind.MINIMUM_RATE
    lines = [_MODES[Mode.BASAL if meant else status.mode]]
    if status.bolus in (BolusKind.NONE, BolusKind.PERIODIC) and status.mode is Mode.BASAL:
        lines.append(next_dose(status))
    taken = status.boluses_24h
    if taken:
        times = "once" if taken == 1 else f"{taken} times"
        lines.append(f"You have had an extra dose {times} in the last 24 hours.")
    if status.alarms:
        lines.append(f"Your pump has an alarm. {CALL}")
    if status.refill_due_wall_s:
        lines.append(f"Refill before {text.date_text(status.refill_due_wall_s)[:10]}.")
    return "\n".join(lines)


def next_dose(status: Status) -> str:
    """Return when an extra dose is possible, as far as the lockout says."""
    if status.lockout_s:
        return f"The next extra dose is possible in {wait(status.lockout_s)}."
    return "An extra dose can be asked for now, if your clinic has allowed it."


def begun(duration_us: int) -> str:
    """Return that a dose has begun."""
    return f"Your extra dose has begun. It takes {text.duration(duration_us)}."


def refusal(code: ErrorCode, detail: Refusal) -> str:
    """Return why the pump said no."""
    if code is ErrorCode.LOCKOUT:
        return f"Not yet. The next extra dose is possible in {wait(detail.value)}."
    if code is ErrorCode.LIMIT_HARD and detail.id == LimitId.DOSE_PER_DAY_PG:
        code = ErrorCode.WINDOW_MAX
    return _REFUSALS.get(code, f"Your pump did not accept it. {CALL}")


def wait(seconds: int) -> str:
    """Return a time to wait: whole minutes, rounded up, from a minute on."""
    if seconds < 60:
        return text.seconds(seconds)
    return text.seconds(-(-seconds // 60) * 60)
