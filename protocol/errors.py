"""Errors: refusals that cross the wire own a number; our own faults are exceptions.

ProtocolError
├── LocalError      we broke a rule: a value that does not fit its field, a payload too long
└── RemoteError     they broke a rule: bytes that are not a valid message
"""

import enum
from typing import Final


class ProtocolError(Exception):
    """Base of the exceptions of this package."""


class LocalError(ProtocolError):
    """This side asked for something the protocol cannot carry."""


class RemoteError(ProtocolError):
    """The other side sent something that is not valid."""


class ErrorCode(enum.IntEnum):
    """Result of a request (u16, class in the high byte)."""

    OK = 0x0000
    BUSY = 0x0101
    BUSY_DELIVERING = 0x0102
    UNSUPPORTED = 0x0103
    MALFORMED = 0x0104
    TOO_OLD = 0x0105
    TOO_NEW = 0x0106
    SCHEMA = 0x0107
    DENIED = 0x0201
    SESSION_GONE = 0x0203
    LIMIT_HARD = 0x0301
    LIMIT_SOFT = 0x0302
    LOCKOUT = 0x0303
    WINDOW_MAX = 0x0304
    STATE = 0x0305
    GENERATION = 0x0306
    HASH = 0x0307
    EXPIRED = 0x0308
    DUPLICATE_INTENT = 0x0309
    NVM_FAIL = 0x0401
    HW_FAULT = 0x0402
    INTEGRITY = 0x0403


RETRY: Final[dict[ErrorCode, tuple[str, str]]] = {
    ErrorCode.OK: ("-", "accepted"),
    ErrorCode.BUSY: ("yes", "no buffer, or in the middle of a commit"),
    ErrorCode.BUSY_DELIVERING: ("after its end", "another dose is running"),
    ErrorCode.UNSUPPORTED: ("no", "this pump does not know the opcode or type"),
    ErrorCode.MALFORMED: ("no", "structure, range of a field, or trailing bytes"),
    ErrorCode.TOO_OLD: ("no", "the protocol version asked for is no longer spoken"),
    ErrorCode.TOO_NEW: ("no", "the protocol version asked for is not spoken yet"),
    ErrorCode.SCHEMA: ("no", "the message table of the two ends differs"),
    ErrorCode.DENIED: ("no", "the role may not do this"),
    ErrorCode.SESSION_GONE: ("after HELLO, then QUERY", "no such session: open one again"),
    ErrorCode.LIMIT_HARD: ("no", "outside a hard limit: limit id, value, limit"),
    ErrorCode.LIMIT_SOFT: ("with override", "outside a soft limit: limit id, value, limit"),
    ErrorCode.LOCKOUT: ("later", "lockout runs: value = seconds left"),
    ErrorCode.WINDOW_MAX: ("later", "would pass the dose limit of the window"),
    ErrorCode.STATE: ("after a change", "the pump is not in a state for this: id = mode"),
    ErrorCode.GENERATION: ("after a new read", "the prescription changed under you"),
    ErrorCode.HASH: ("no", "COMMIT does not match PREPARE"),
    ErrorCode.EXPIRED: ("prepare again, same txn", "token too old, or the pump restarted"),
    ErrorCode.DUPLICATE_INTENT: ("with the again flag", "a like dose was given minutes ago"),
    ErrorCode.NVM_FAIL: ("QUERY", "the commit did not verify; nothing started"),
    ErrorCode.HW_FAULT: ("no", "motor, encoder or supply fault"),
    ErrorCode.INTEGRITY: ("no", "a stored record failed its check"),
}
"""Whether the same transaction may be tried again, and what each code means."""


class LimitId(enum.IntEnum):
    """Which limit a LIMIT_HARD or LIMIT_SOFT refusal names; value and limit are in its unit."""

    NONE = 0
    FLOW_MAX_PL_H = 1
    FLOW_MIN_PL_H = 2
    BOLUS_VOLUME_NL = 3
    RESERVOIR_NL = 4
    LOW_RESERVOIR_NL = 5
    BOLUS_DURATION_S = 6
    SCHEDULE_MIN = 7
    SCHEDULE_STEPS = 8
    PERIODIC_S = 9
    WINDOW_NL = 10
    PATH_NL = 11
    DOSE_PER_DAY_PG = 12
    DATE_S = 13
    CONCENTRATION_PG_ML = 14
    FLOW_JUMP_PL_H = 15
    DOSE_RISE_PERCENT = 16
    DOSE_FALL_PERCENT = 17
    DOSE_START_PG = 18
    DOSE_STEP_PG = 19
    PRIMED_NL = 20
