"""The infusion: boluses, strokes, stall and wall clock, while the pump runs.

Everything that happens in the course of delivery goes through here; what starts and ends delivery
is below it, in `running`.
"""

from dataclasses import replace
from typing import Final

from firmware.alarms import NEVER_US
from firmware.bolus import pauses_basal
from firmware.checks import BolusPlan, Refused
from firmware.flow import exceeds
from firmware.journal import OWN_TXN
from firmware.modes import PUMPING, Event
from firmware.prescription import Stored, taken_over
from firmware.program import WEEK_US
from firmware.running import Running
from protocol.codes import BolusKind, Code, Mode, ProgramKind, StopReason

_PROGRAM_REASONS: Final = (StopReason.NO_PROGRAM, StopReason.COMMANDED)
"""Stop reasons of a pump that stands because its program says so."""
_STARTS: Final = {
    BolusKind.PRIME: Event.START_PRIME,
    BolusKind.PRIME_CATHETER: Event.START_PRIME,
}
"""Kinds of bolus that have a mode of their own."""
_BASAL: Final = (Mode.BASAL, Mode.MINIMUM_RATE, Mode.BRIDGE)
_BOLUS_FROM: Final = (Mode.BASAL, Mode.MINIMUM_RATE)


class Infusion(Running):
    """Delivers what is prescribed."""

    @property
    def timer_us(self) -> int:
        """When `service` has something to do of its own accord."""
        clock_us = min(
            self.schedule.timer_us, self.periodic.due_us, self.watch.timer_us,
            self.dose_limit.due_us,
        )  # fmt: skip
        if self.dosing.running:
            return min(clock_us, self.dosing.end_us, self.stall.due_us(bolus=True))
        if self.modes.mode is Mode.BRIDGE:
            return min(clock_us, self.bridging.end_us, self.stall.flag_us())
        if self.modes.mode in (Mode.BASAL, Mode.MINIMUM_RATE):
            return min(clock_us, self.stall.flag_us())
        return min(clock_us, self.stop_watch.due_us)

    # --- commands -------------------------------------------------------------------------------

    def start_bolus(self, kind: BolusKind, txn: int, plan: BolusPlan, now_us: int) -> None:
        """Begin a bolus that was checked and committed.

        It ends at once if the pump has stopped, or an alarm come, while its record was written.
        """
        blocking = self._alarms.blocking()
        suspends = kind is BolusKind.PATIENT and self.dosing.gives_way
        if blocking is not None or not (suspends or self.modes.mode in _BOLUS_FROM):
            self.dosing.refuse(kind, txn, plan, blocking or Code.STOPPED, now_us)
            self.save()
            return
        self._begin_bolus(kind, txn, plan, now_us)

    def start_bridge(self, stored: Stored, now_us: int) -> None:
        """Begin a bridge that was committed; a stopped pump owes it until it resumes."""
        self.load(stored)
        self.dosing.bolus = None
        self.bridging.begin()
        if self.modes.mode in PUMPING:
            self.deliver(now_us)
        self.save()

    def set_clock(self, wall_s: int, now_us: int) -> None:
        """Set the wall clock; the program is judged anew at once. Intervals do not move."""
        program = self.schedule.program
        if exceeds(program.highest(0, WEEK_US), program.lowest):
            self._note_basal(abs(wall_s - self._rtc.now_s()))
        self.schedule.set_clock(wall_s, now_us)
        self._flow_as_due(now_us)
        self._judge_window(now_us)
        self.judge_reservoir()
        self.changed = True

    def takeover(self, generation: int) -> Stored:
        """Return the record of the scheduled change in force, as that generation. Logs it."""
        assert self.stored is not None
        self.taken_over = False
        self.stored = replace(self.stored, generation=generation)
        self._log.append(Code.SCHEDULED_CHANGE, generation, int(self.modes.mode in PUMPING))
        return self.stored

    def not_kept(self) -> None:
        """A scheduled change in force could not be made durable: it is said, and it runs."""
        self._alarms.raise_(Code.MEMORY_ERROR)

    # --- events ---------------------------------------------------------------------------------

    def motor_done(self, now_us: int) -> None:
        """Take the end of a batch."""
        ended = self.delivery.motor_done()
        if ended is None:
            return
        commanded, moved, interval_us = ended
        if moved != commanded or self.stall.unconfirmed:
            self.changed = True
        self.stall.ended(commanded, moved, interval_us, now_us)
        self.dosing.missed(commanded - moved)
        self._to_threshold -= moved
        if self._to_threshold <= 0:
            self.look_at_reservoir(now_us)
        if self.dosing.running or self._when_idle:
            self._settle(now_us)
        if self.modes.mode is Mode.STALLED and moved:
            self._recovered(now_us)

    def service(self, now_us: int) -> None:
        """Do what is due: end a bolus, flag a stall, command strokes. Runs at every wake."""
        if now_us >= self.schedule.timer_us:
            self._by_the_clock(now_us)
        edge_us = self.dosing.edge_us
        if now_us >= edge_us and self.dosing.over(now_us):
            self._end_bolus()
            edge_us = self.dosing.edge_us
        if now_us >= self.bridging.end_us and self.bridging.over(now_us):
            self._end_bridge(now_us)
        if self.periodic.due_us <= now_us < edge_us:
            self._begin_periodic(now_us)
            edge_us = self.dosing.edge_us
        most, within_us = self._to_threshold, NEVER_US
        if edge_us != NEVER_US:
            # Short batches: a stall during a bolus is to be seen in strokes, not in minutes.
            within_us = self._config.bolus_stall_us
            most = min(most, self._config.bolus_stall_strokes)
        if self.stall.unconfirmed:
            self._judge_stall(now_us)
            most = 1
        edge_us = min(edge_us, self.bridging.end_us, self.schedule.change_us, self.periodic.due_us)
        self.delivery.advance(now_us, edge_us, most, within_us)
        if self.delivery.failed and self.modes.mode in PUMPING:
            self._alarms.raise_(Code.MEMORY_ERROR)
            self.stop(StopReason.MEMORY_ERROR, now_us)

    def look_at_reservoir(self, now_us: int) -> None:
        """A threshold or the time of a reading has come: judge, and end what may not go on."""
        self.judge_reservoir(anew=False)
        empty = not self.level.usable_pl(self.delivery.accounted())
        if empty and self.modes.mode in PUMPING:
            self.stop(StopReason.EMPTY_RESERVOIR, now_us)
        elif self.bolus_in_reserve and self.dosing.left_strokes(now_us):
            # The reserve is the basal's: no bolus is given from it.
            self._cut_bolus(Code.LOW_RESERVOIR, now_us)
        elif self.modes.mode in _BASAL and self.flow() != self.delivery.flow:
            self._enter_basal(now_us)
            self._flow_as_due(now_us)

    # --- inside ---------------------------------------------------------------------------------

    def _begin_bolus(self, kind: BolusKind, txn: int, plan: BolusPlan, now_us: int) -> None:
        assert self.stored is not None
        if not self.dosing.running:
            self.modes.dispatch(_STARTS.get(kind, Event.START_BOLUS))
        pauses = pauses_basal(kind, self.stored.therapy.bolus_basal)
        self.dosing.begin(kind, txn, plan, pauses, now_us)
        self.delivery.change(self.flow(), now_us)

    def _end_bolus(self) -> None:
        """Its whole volume was owed and commanded: back to the basal from that very instant."""
        self.changed = True
        end_us = self.dosing.end_us
        self.dosing.end()
        if not self.dosing.running:
            self._enter_basal(end_us)
        self.delivery.change(self.flow(), end_us)
        self.save()

    def _cut_bolus(self, why: Code, now_us: int) -> None:
        """It ends early; the basal goes on."""
        self.dosing.cut(why)
        self._enter_basal(now_us)
        self.delivery.change(self.basal_flow(), now_us)
        self._settle_when_idle(now_us)

    def _judge_window(self, now_us: int) -> None:
        """The basal has changed under a bolus: cut it if the window has no room for it any more."""
        bolus, stored = self.dosing.current, self.prescribed
        if bolus is None or bolus.cut_short is not None or stored is None:
            return
        try:
            self.window.check_running(stored, self.dosing, now_us)
        except Refused:
            window_s = max(stored.therapy.window_s, stored.pending.window_s)
            self.dose_limit.begin(bolus, window_s, now_us)
            self._cut_bolus(Code.DOSE_LIMIT, now_us)

    def _begin_periodic(self, now_us: int) -> None:
        """A bolus of the program is due; what forbids it is logged, and it is not made up for."""
        self.changed = True
        at_us = self.periodic.take(now_us)
        if self.modes.mode not in PUMPING or self.prescribed is None:
            return
        usable_pl = self.level.usable_pl(self.delivery.accounted())
        busy = self.dosing.running or self.bridge_runs
        blocking = self._alarms.blocking(self.level.program_ignores)
        able = busy or (self.modes.mode in _BOLUS_FROM and blocking is None)
        try:
            plan = self.periodic.plan(self.prescribed, usable_pl, at_us, able, busy)
        except Refused as refused:
            self._log.append(Code.BOLUS_REFUSED, refused.code)
            return
        self._begin_bolus(BolusKind.PERIODIC, OWN_TXN, plan, at_us)

    def _end_bridge(self, now_us: int) -> None:
        """The path is free of the old concentration: the program, from that very instant."""
        self.changed = True
        end_us = self.bridging.end_us
        if self.bridging.end(now_us):
            self._enter_basal(end_us)
            self.delivery.change(self.basal_flow(), end_us)
            self.save()

    def _by_the_clock(self, now_us: int) -> None:
        """An edge of the program, a scheduled change, or a look at the wall clock is due."""
        self.changed = True
        while now_us >= self.schedule.timer_us:
            at_us = self.schedule.step(now_us)
            if self.schedule.takeover:
                self._take_over(at_us)
                self._judge_window(at_us)
            self._flow_as_due(at_us)

    def _take_over(self, at_us: int) -> None:
        """The scheduled change is in force from this instant on; `taken_over` is its record owed.

        What is stopped stays so, unless it is so by the program that ends. A bolus is finished.
        """
        before, reason = self.program, self._journal.durable.stop_reason
        assert self.stored is not None
        self.note_basal(self.stored.pending)
        self.load(taken_over(self.stored, self.schedule.wall_s(at_us)), begin=True)
        self.taken_over = True
        if self.program is ProgramKind.STOPPED:
            self.stop_as_prescribed(at_us)
        elif self.modes.mode in _BASAL:
            self._enter_basal(at_us)
        elif before is ProgramKind.STOPPED and reason in _PROGRAM_REASONS:
            self.deliver(at_us)

    def _judge_stall(self, now_us: int) -> None:
        mode = self.modes.mode
        if mode is Mode.STALLED:
            if self.stall.given_up():
                self.fail(StopReason.MOTOR_STALL, now_us)
        elif mode in PUMPING and self.stall.stalled(self.dosing.running, now_us):
            self._log.append(Code.STALL, self.stall.unconfirmed)
            self._alarms.raise_(Code.MOTOR_STALL)
            self.dosing.cut(Code.MOTOR_STALL)
            self.bridging.hold()
            self.modes.dispatch(Event.STALL)
            self.delivery.change(self.basal_flow(), now_us)
            self._settle_when_idle(now_us)

    def _recovered(self, now_us: int) -> None:
        self._log.append(Code.STALL_RECOVERED)
        self._alarms.end(Code.MOTOR_STALL)
        self._enter_basal(now_us)
        if self.delivery.flow != self.basal_flow():
            self.delivery.change(self.basal_flow(), now_us)
        self.save()
