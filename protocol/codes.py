"""The numbers both ends share: event codes, modes, kinds.

Codes are UPPER_SNAKE and the same on wire, log, JSON and command line. New ones are added at the
end of their block; none is renamed or renumbered. Alarm codes are 1..31, so that a set of alarms
is one 32-bit word.
"""

import enum
from typing import Final


class Code(enum.IntEnum):
    """What a log record or an alarm says."""

    # Alarms (1..31): the controller's alarm table gives priority, action and tone.
    LOW_RESERVOIR = 1
    EMPTY_RESERVOIR = 2
    REFILL_OVERDUE = 3
    ERI = 4
    EOS = 5
    LOW_BATTERY_RESET = 6
    MOTOR_STALL = 7
    STOPPED_TOO_LONG = 8
    SESSION_INCOMPLETE = 9
    OVER_DELIVERY = 10
    SENSOR_DISAGREE = 13
    DOSE_LIMIT = 14
    MEMORY_ERROR = 15
    BOARD_LINK_LOST = 24
    # Events (64..)
    RESET = 64
    PROGRAM_COMMITTED = 65
    BOLUS_STARTED = 66
    BOLUS_DONE = 67
    BOLUS_ENDED_EARLY = 68
    BOLUS_REFUSED = 69
    STOPPED = 70
    RESUMED = 71
    STALL = 72
    STALL_RECOVERED = 73
    REFILLED = 74
    INTERROGATED = 75
    CLOCK_SET = 76
    SCHEDULED_CHANGE = 77
    ALARM_RAISED = 78
    ALARM_ACKNOWLEDGED = 79
    ALARM_CLEARED = 80
    REFUSED = 81
    LIMIT_OVERRIDDEN = 82
    BASAL_BEFORE = 83
    """A program ended, or the clock was moved: what was given before counts for the window."""


LOG_DETAILS: Final[dict[Code, tuple[str, str]]] = {
    Code.RESET: (
        "cause: 0 power on, 1 watchdog, 2 low voltage, 3 commanded, 4 link lost, 5 rate guard",
        "strokes uncertain",
    ),
    Code.PROGRAM_COMMITTED: ("generation", "wall clock when it takes over, s; 0: at once"),
    Code.BOLUS_STARTED: ("volume, nL", "BolusKind"),
    Code.BOLUS_DONE: ("volume given, nL", ""),
    Code.BOLUS_ENDED_EARLY: ("volume given, nL", "why: code of this table"),
    Code.BOLUS_REFUSED: ("error code", "opcode"),
    Code.STOPPED: ("StopReason", "how long it had stood already, s"),
    Code.STALL: ("strokes commanded but not seen", ""),
    Code.CLOCK_SET: ("wall clock after, s", "wall clock before, s"),
    Code.SCHEDULED_CHANGE: ("generation that takes over", "1: the pump delivers by it"),
    Code.REFILLED: ("volume injected, nL", ""),
    Code.ALARM_RAISED: ("alarm: code of this table", "1: at its second, more urgent priority"),
    Code.ALARM_ACKNOWLEDGED: ("alarm: code of this table", ""),
    Code.ALARM_CLEARED: ("alarm: code of this table", ""),
    Code.REFUSED: ("error code", "opcode"),
    Code.BASAL_BEFORE: (
        "highest basal until now, nL/h, rounded up",
        "the clock was moved by so much, s; 0: the program ended",
    ),
    Code.LIMIT_OVERRIDDEN: (
        "soft limit: its LimitId",
        "which drug of the mix, 1: the primary; 0: all",
    ),
}
"""What `LogRecord.a` and `.b` hold; 0 where nothing is said."""


class Mode(enum.IntEnum):
    """What the pump is doing."""

    SHELF = 0
    SELF_TEST = 1
    STOPPED = 2
    BASAL = 3
    MINIMUM_RATE = 4
    BOLUS = 5
    BRIDGE = 6
    PRIME = 7
    STALLED = 8
    SAFE_STATE = 9
    END_OF_SERVICE = 10


class ProgramKind(enum.IntEnum):
    """The infusion mode that is prescribed."""

    STOPPED = 0
    MINIMUM_RATE = 1
    SIMPLE_CONTINUOUS = 2
    FLEX = 3
    """Rates by time of day, in groups of weekdays."""
    PERIODIC = 4
    """A bolus every so often, over a background rate."""


class BolusKind(enum.IntEnum):
    """Which bolus."""

    NONE = 0
    SINGLE = 1
    PATIENT = 2
    """What the prescription grants the patient."""
    LOADING = 3
    """At the start of a therapy (trial, PCA)."""
    PRIME = 4
    """Fills pump tubing and catheter."""
    PRIME_CATHETER = 5
    """Fills the catheter alone: the tubing holds drug already."""
    BRIDGE = 6
    """Delivers what the path still holds of the old concentration, then the program starts."""
    PERIODIC = 7
    """One of the periodic program."""


class LockoutFrom(enum.IntEnum):
    """Where a patient's lockout begins to count."""

    START = 0
    END = 1


class BolusBasal(enum.IntEnum):
    """What the basal does while a bolus runs."""

    CONTINUE = 0
    PAUSE = 1


class EmergencyAction(enum.IntEnum):
    """What the emergency stop does."""

    STOP = 0
    MINIMUM_RATE = 1


class StopReason(enum.IntEnum):
    """Why the pump does not deliver. An alarm's reason has the alarm's number plus 100."""

    NONE = 0
    NO_PROGRAM = 1
    COMMANDED = 2
    EMPTY_RESERVOIR = 3
    SESSION_INCOMPLETE = 4
    EOS = 105
    MOTOR_STALL = 107
    OVER_DELIVERY = 110
    MEMORY_ERROR = 115


class RateBasis(enum.IntEnum):
    """What a rate's amount counts."""

    VOLUME_PL = 0
    MASS_PG = 1


class RatePer(enum.IntEnum):
    """The time a rate's amount is spread over."""

    HOUR = 0
    DAY = 1


class Role(enum.IntEnum):
    """Who is talking. Until the secure session exists the role asked for is the role granted."""

    NONE = 0
    PATIENT = 1
    CLINICIAN = 2
    SERVICE = 3
    EMERGENCY = 4


class TxnOp(enum.IntEnum):
    """What a transaction does."""

    PROGRAM = 1
    BOLUS = 2
    RESUME = 3
    REFILL = 4
    CLEAR_ALARM = 5
    SET_CLOCK = 6


class TxnState(enum.IntEnum):
    """How far a transaction is (QUERY)."""

    UNKNOWN = 0
    PREPARED = 1
    COMMITTED = 2
    DELIVERING = 3
    DONE = 4
    ENDED_EARLY = 5
    REFUSED = 6


def stop_reason_name(reason: StopReason) -> str | None:
    """Return the reason as status and scenarios show it; None while the pump is not stopped."""
    if reason is StopReason.NONE:
        return None
    return reason.name if reason >= 100 else reason.name.lower()
