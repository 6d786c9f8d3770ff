"""The update of a prescription or fill that a session has begun: PREPAREd, and not ended yet.

A session may die in between. The old program goes on as if nothing had been, and whoever took the
pump for programmed does not know: ten minutes after the first PREPARE the alarm SESSION_INCOMPLETE
says so. The next COMMIT of a program or refill ends it, and so does the ABORT of what was prepared.

The legacy option of a profile is the known hazard of one real pump, kept for teaching and for tests
of programmers. There the PREPARE of a program that is to begin at once stops the pump, and that is
durable before it is answered. The COMMIT starts it, the ABORT lets it go on with what ran before.
When the ten minutes are over the session is held to be dead: then the pump stands, over resets too,
until somebody resumes or programs it, and the alarm is urgent until it starts.
"""

from typing import Final

from firmware.alarms import NEVER_US, AlarmManager
from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.infusion import Infusion
from firmware.journal import Journal
from firmware.modes import PUMPING
from protocol.codec import Message
from protocol.codes import Code, StopReason, TxnOp
from protocol.messages import ProgramParameters

DEAD_US: Final = 600_000_000
"""A session that has not ended its update in 10 min has died (alarm table)."""
_UPDATES: Final = (TxnOp.PROGRAM, TxnOp.REFILL)


class Updates:
    """What is begun of an update, and whether the pump stands for it."""

    def __init__(
        self,
        config: DeviceConfig,
        infusion: Infusion,
        journal: Journal,
        log: EventLog,
        alarms: AlarmManager,
    ) -> None:
        self._config = config
        self._infusion = infusion
        self._journal = journal
        self._log = log
        self._alarms = alarms
        self._open = 0
        """Transaction prepared last, as long as it has not ended; 0: none."""
        self._stopper = 0
        """Transaction that stopped the pump, as long as its ABORT may start it; 0: none."""
        self._stops = 0
        """`Infusion.stops` after that: a stop that came later holds."""
        self._held = False
        """True from a stop for an update, one before a reset too, to the next start or program."""
        self.due_us = NEVER_US
        """When the session is held to be dead."""

    def recover(self, now_us: int) -> None:
        """After a boot: what was prepared is forgotten, but the stop for it is not."""
        self._held = self._stands
        if self._held:
            since_us = self._infusion.stop_watch.since_us
            self.due_us = DEAD_US + (now_us if since_us is None else since_us)

    def begin(self, txn: int, op: TxnOp, parameters: Message, now_us: int) -> bool:
        """A transaction was prepared; True: it stopped the pump, which is to be made durable."""
        if op not in _UPDATES:
            return False
        self._open = txn
        self.due_us = min(self.due_us, now_us + DEAD_US)
        at_once = isinstance(parameters, ProgramParameters) and not parameters.at_wall_s
        stops = at_once and self._config.legacy_update
        if not stops or self._infusion.modes.mode not in PUMPING:
            return False
        self._infusion.stop(StopReason.SESSION_INCOMPLETE, now_us)
        self._stopper, self._stops, self._held = txn, self._infusion.stops, True
        # Its own ten minutes, whatever was left open before: who declines must find it running.
        self.due_us = now_us + DEAD_US
        return True

    def abort(self, txn: int, now_us: int) -> bool:
        """A transaction was aborted; True: the pump goes on, which is to be made durable."""
        stopped = self._stands and self._infusion.stops == self._stops
        goes_on = txn == self._stopper and stopped
        if goes_on:
            self._log.append(Code.RESUMED)
            self._infusion.deliver(now_us)
            self._stopper, self._held = 0, False
        if txn == self._open:
            self._open = 0
            if not self._stands:
                self._end()
        return goes_on

    def committed(self, op: TxnOp) -> None:
        """A transaction was committed and performed."""
        if op in _UPDATES:
            self._open = 0
        starts = self._held and op is TxnOp.RESUME
        if (op in _UPDATES or starts) and not self._stands:
            self._end()

    def service(self, now_us: int) -> None:
        """Hold the session to be dead when it is due."""
        if now_us >= self.due_us:
            self.due_us = NEVER_US
            self._stopper = 0
            self._alarms.raise_(Code.SESSION_INCOMPLETE, self._stands)

    @property
    def _stands(self) -> bool:
        """True while the pump stands because of an update."""
        return self._journal.durable.stop_reason is StopReason.SESSION_INCOMPLETE

    def _end(self) -> None:
        self._open = self._stopper = 0
        self._held = False
        self.due_us = NEVER_US
        self._alarms.end(Code.SESSION_INCOMPLETE)
