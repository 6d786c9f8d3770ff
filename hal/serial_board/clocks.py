"""Clock, wall clock and watchdog of a board at the far end of a line."""

from typing import Final

from hal.errors import HalUsageError
from hal.interfaces import ResetCause
from hal.serial_board.link import ControllerLink
from hal.serial_board.stream import ByteStream
from protocol.board_messages import ArmWatchdog, BoardCause, Report, SetWallClock

_SECOND_US: Final = 1_000_000
_WALL_MAX_S: Final = 2**32 - 1
_RESET_CAUSES: Final = {
    BoardCause.POWER_ON: ResetCause.POWER_ON,
    BoardCause.COMMANDED: ResetCause.COMMANDED,
    BoardCause.SILENCE: ResetCause.LINK_LOST,
    BoardCause.LINE: ResetCause.LINK_LOST,
    BoardCause.WATCHDOG: ResetCause.WATCHDOG,
    BoardCause.RATE_GUARD: ResetCause.RATE_GUARD,
    BoardCause.LOW_VOLTAGE: ResetCause.LOW_VOLTAGE,
}


class SerialClock:
    """`hal.Clock`: this end's time since the board was attached."""

    def __init__(self, stream: ByteStream, link: ControllerLink) -> None:
        self._stream = stream
        self._timing = link.timing
        self.origin_us = stream.now_us()
        """Stream time at the boot."""

    def now_us(self) -> int:
        """Microseconds since boot."""
        return self._stream.now_us() - self.origin_us

    def boot(self) -> None:
        """Count from 0 again."""
        self.origin_us = self._stream.now_us()

    def taken_us(self, board_us: int) -> int:
        """Return when, on this clock, the board's clock showed `board_us`; now at the latest.

        Wrong by half a round trip at most. Below 0 for a sample from before the boot was over.
        """
        now_us = self._stream.now_us()
        if self._timing.measured:
            now_us = min(now_us, board_us + self._timing.offset_us)
        return now_us - self.origin_us


class SerialRtc:
    """`hal.Rtc`: as last reported, and on from there by this end's clock."""

    def __init__(self, link: ControllerLink, clock: SerialClock) -> None:
        self._link = link
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Know nothing until the next report."""
        self._wall_s = 0
        self._at_us = 0
        self._command = 0

    def now_s(self) -> int:
        """Pump wall clock, seconds since 2000-01-01T00:00:00; 0 if it was never set."""
        if not self._wall_s:
            return 0
        return self._wall_s + max(0, self._clock.now_us() - self._at_us) // _SECOND_US

    def set_s(self, wall_s: int) -> None:
        """Set the board's wall clock. Raises HalUsageError outside 0..2**32-1; HalLost."""
        if not 0 <= wall_s <= _WALL_MAX_S:
            raise HalUsageError(f"wall clock {wall_s} s does not fit 32 bits")
        self._command = self._link.send(SetWallClock(wall_s))
        self._wall_s = wall_s
        self._at_us = self._clock.now_us()

    def reported(self, report: Report, taken_us: int) -> None:
        """Take what the board says, unless it had not heard the last setting by then."""
        if report.executed >= self._command:
            self._wall_s = report.wall_s
            self._at_us = taken_us


class SerialWatchdog:
    """`hal.Watchdog`: the board's, armed with the last deadline of each wait."""

    def __init__(self, link: ControllerLink, clock: SerialClock) -> None:
        self._link = link
        self._clock = clock
        self.reset(ResetCause.POWER_ON)

    def reset(self, cause: ResetCause) -> None:
        """Be as after a reset: not armed."""
        self._cause = cause
        self._deadline_us: int | None = None

    def arm(self, deadline_us: int) -> None:
        """Let the board end the session 1 s after `deadline_us` unless armed again before."""
        self._deadline_us = deadline_us

    def reset_cause(self) -> ResetCause:
        """Why the board had to be attached."""
        return self._cause

    def send(self) -> None:
        """Queue the last deadline, if there is a new one and the line has room."""
        if self._deadline_us is not None and self._link.room:
            self._link.send(ArmWatchdog(max(0, self._deadline_us - self._clock.now_us())))
            self._deadline_us = None


def reset_cause(cause: BoardCause, lost: bool) -> ResetCause:
    """Return the cause of a boot: as the board tells it, or known here alone.

    A board that is attached again before its dead-man has noticed speaks of another Attach in
    time; whether the controller had `lost` it the controller knows. For a controller that has
    lived through the board's loss of power, that is a lost board too.
    """
    if lost and cause in (BoardCause.COMMANDED, BoardCause.POWER_ON):
        return ResetCause.LINK_LOST
    return _RESET_CAUSES[cause]
