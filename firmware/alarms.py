"""Alarms: one table, what stands, and what sounds.

An alarm is raised when its condition comes and stands until its condition is false and, where it
latches, a clinician has cleared it. Where it can become more urgent, its row has a second priority:
then it is logged and sounds once more. The highest priority sounds; the others stay listed in order
of occurrence. A tone starts at onset and at each interval after it. `docs/alarms.md` is generated
from `ALARMS`.

Priorities are named as in IEC 60601-1-8. HIGH and MEDIUM sound the implant's critical tone, LOW the
non-critical one (tone classes and intervals: product advisories of implantable pumps, July 2011).

A pump out of service calls nobody: it sounds nothing, and what would be an alarm in a patient but
is its proper state (`AT_REST`) does not stand. Whatever else stands stays listed, and sounds again
when the pump is put back into service.
"""

import enum
from dataclasses import dataclass
from typing import Final, NamedTuple

from firmware.event_log import EventLog
from hal.board import Board
from hal.interfaces import TonePattern
from protocol.codes import Code

NEVER_US: Final = 1 << 62


class Priority(enum.IntEnum):
    """How urgent."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Boluses(enum.Enum):
    """What a standing alarm means for a bolus asked for."""

    ALLOWED = "allowed"
    WITHIN_RESERVE = "refused where it would pass the low-reservoir volume"
    REFUSED = "refused"


class Urgent(NamedTuple):
    """When an alarm is more urgent than its row says; then it refuses boluses."""

    priority: Priority
    condition: str


class Alarm(NamedTuple):
    """One row of the alarm table."""

    priority: Priority
    latches: bool
    boluses: Boluses
    condition: str
    action: str
    urgent: Urgent | None = None


ALARMS: Final[dict[Code, Alarm]] = {
    Code.LOW_RESERVOIR: Alarm(
        Priority.LOW, False, Boluses.WITHIN_RESERVE,
        "computed or sensed volume at or below the low-reservoir volume", "basal goes on",
    ),
    Code.EMPTY_RESERVOIR: Alarm(
        Priority.HIGH, True, Boluses.REFUSED,
        "computed or sensed volume at 0",
        "finish the stroke, stop; by a sensor that disagrees: the program goes on",
    ),
    Code.REFILL_OVERDUE: Alarm(
        Priority.LOW, False, Boluses.ALLOWED,
        "the stability date of what was filled has passed", "none",
    ),
    Code.ERI: Alarm(
        Priority.LOW, True, Boluses.ALLOWED,
        "rest voltage at or below the ERI voltage, or 90 days before the service cap",
        "none; service ends 90 days later",
    ),
    Code.EOS: Alarm(
        Priority.HIGH, True, Boluses.REFUSED,
        "90 days after ERI, the service cap, or a voltage that cannot be held",
        "finish the stroke, end of service",
    ),
    Code.LOW_BATTERY_RESET: Alarm(
        Priority.HIGH, True, Boluses.REFUSED,
        "loaded voltage below the low-battery voltage, or a reset by low voltage",
        "minimum rate, program kept",
    ),
    Code.MOTOR_STALL: Alarm(
        Priority.HIGH, True, Boluses.REFUSED,
        "commanded strokes are not seen to move the rotor", "strokes go on, no catch-up",
    ),
    Code.STOPPED_TOO_LONG: Alarm(
        Priority.MEDIUM, False, Boluses.REFUSED,
        "a pump that has been programmed stands for longer than its profile allows", "none",
        Urgent(Priority.HIGH, "after the profile's second time"),
    ),
    Code.SESSION_INCOMPLETE: Alarm(
        Priority.LOW, False, Boluses.ALLOWED,
        "a program or refill was prepared, and 10 min later neither committed nor aborted",
        "none, the old program goes on",
        Urgent(Priority.HIGH, "where the profile's legacy option stopped the pump for it"),
    ),
    Code.OVER_DELIVERY: Alarm(
        Priority.HIGH, True, Boluses.REFUSED,
        "the board's rate guard refused strokes", "the board cuts the supply; stop",
    ),
    Code.SENSOR_DISAGREE: Alarm(
        Priority.LOW, False, Boluses.REFUSED,
        "level sensor and count differ by more than tolerance and accuracy allow",
        "none; bridge and periodic boluses go on, nothing stops by the sensor alone",
    ),
    Code.DOSE_LIMIT: Alarm(
        Priority.MEDIUM, False, Boluses.REFUSED,
        "the basal rose under a bolus, which would pass the window, until that has room",
        "the bolus is cut, the basal goes on",
    ),
    Code.MEMORY_ERROR: Alarm(
        Priority.HIGH, True, Boluses.REFUSED,
        "no stored prescription can be trusted, or a commit to flash cannot be verified",
        "the profile's memory-error program",
    ),
    Code.BOARD_LINK_LOST: Alarm(
        Priority.HIGH, True, Boluses.REFUSED,
        "the board did not hear its controller, and stopped by itself",
        "a bolus ends early; basal resumes on reconnect",
    ),
}  # fmt: skip

AT_REST: Final = (
    Code.LOW_RESERVOIR,
    Code.EMPTY_RESERVOIR,
    Code.REFILL_OVERDUE,
    Code.STOPPED_TOO_LONG,
    Code.SENSOR_DISAGREE,
)
"""Alarms whose condition is how a pump out of service should be."""


@dataclass(slots=True)
class Standing:
    """An alarm that stands."""

    code: Code
    active: bool
    """Its condition holds; False: latched only."""
    onset_us: int
    onset_wall_s: int
    urgent: bool = False
    """It is more urgent than its row says."""

    @property
    def priority(self) -> Priority:
        """How urgent it is now."""
        alarm = ALARMS[self.code]
        return alarm.urgent.priority if self.urgent and alarm.urgent else alarm.priority


class AlarmManager:
    """Keeps what stands, drives the sounder, logs every raise and clear."""

    def __init__(self, board: Board, log: EventLog, critical_us: int, non_critical_us: int) -> None:
        """Intervals from the start of one tone to the start of the next."""
        self._clock = board.clock
        self._rtc = board.rtc
        self._sounder = board.sounder
        self._log = log
        self._interval_us = {
            TonePattern.CRITICAL: critical_us,
            TonePattern.NON_CRITICAL: non_critical_us,
        }
        self.standing: dict[Code, Standing] = {}
        self._sounding: Priority | None = None
        self._resting = False
        self.next_tone_us = NEVER_US

    def stands(self, code: Code) -> bool:
        """Return True while the alarm is listed."""
        return code in self.standing

    def blocking(self, ignored: tuple[Code, ...] = ()) -> Code | None:
        """Return the first standing alarm, but those, during which no bolus may start."""
        for code, standing in self.standing.items():
            refuses = standing.urgent or ALARMS[code].boluses is Boluses.REFUSED
            if refuses and code not in ignored:
                return code
        return None

    def latched_bits(self) -> int:
        """Return the latching alarms that stand, bit = code: what must survive a reset."""
        bits = 0
        for code in self.standing:
            if ALARMS[code].latches:
                bits |= 1 << code
        return bits

    def restore(self, bits: int) -> None:
        """After a reset: list the latched alarms again; each may be raised anew or cleared."""
        for code in ALARMS:
            if bits >> code & 1:
                self._stand(code, active=False)

    def raise_(self, code: Code, urgent: bool = False) -> bool:
        """The condition holds. Return True, and sound, when the alarm did not stand before.

        `urgent`: as the row's second priority; the same when it stood, but was less urgent.
        """
        if self._resting and code in AT_REST:
            return False
        standing = self.standing.get(code)
        if standing is not None:
            standing.active = True
            if standing.urgent or not urgent:
                return False
        self._log.append(code)
        self._log.append(Code.ALARM_RAISED, code, int(urgent))
        if standing is None:
            self._stand(code, active=True, urgent=urgent)
        else:
            standing.urgent = True
            self._sound(standing.priority)
        return True

    def end(self, code: Code) -> None:
        """The condition is false: the alarm goes, or stays listed where it latches."""
        standing = self.standing.get(code)
        if standing is None:
            return
        standing.active = False
        if not ALARMS[code].latches:
            self._remove(code)

    def clear(self, code: Code) -> bool:
        """A clinician clears it. Return False, and keep it, while its condition holds."""
        standing = self.standing.get(code)
        if standing is None or standing.active:
            return False
        self._remove(code)
        return True

    def rest(self, resting: bool) -> None:
        """Say whether the pump is out of service."""
        if resting is self._resting:
            return
        self._resting = resting
        if resting:
            self._silence()
            for code in AT_REST:
                if code in self.standing:
                    self._remove(code)
        elif self._sounding is not None:
            self._play()

    def service(self, now_us: int) -> None:
        """Start the tone that is due."""
        if now_us >= self.next_tone_us:
            self._play()

    def _stand(self, code: Code, active: bool, urgent: bool = False) -> None:
        now_us, wall_s = self._clock.now_us(), self._rtc.now_s()
        standing = self.standing[code] = Standing(code, active, now_us, wall_s, urgent)
        self._sound(standing.priority)

    def _sound(self, priority: Priority) -> None:
        """An alarm has come, or has become more urgent: it sounds unless a higher one does."""
        if self._sounding is None or priority >= self._sounding:
            self._sounding = priority
            self._play()

    def _remove(self, code: Code) -> None:
        del self.standing[code]
        self._log.append(Code.ALARM_CLEARED, code)
        top = max((other.priority for other in self.standing.values()), default=None)
        if top is None:
            self._sounding = None
            self._silence()
        elif top is not self._sounding:
            self._sounding = top
            self._play()

    def _silence(self) -> None:
        self._sounder.silence()
        self.next_tone_us = NEVER_US

    def _play(self) -> None:
        assert self._sounding is not None
        if self._resting:
            return
        low = self._sounding is Priority.LOW
        pattern = TonePattern.NON_CRITICAL if low else TonePattern.CRITICAL
        self._sounder.play(pattern)
        self.next_tone_us = self._clock.now_us() + self._interval_us[pattern]
