"""What is to flow: the program by the wall clock, the bridge in its place, the bolus beside it.

Knows what was prescribed and what has been begun, not whether the pump is running: that is the
infusion's, which is built on this.
"""

from firmware.alarms import AlarmManager
from firmware.bridging import Bridging
from firmware.delivery import Delivery
from firmware.device import DeviceConfig, LowReservoirBasal
from firmware.doses import DoseHistory
from firmware.dosing import Dosing
from firmware.event_log import EventLog
from firmware.flow import Flow, ceil_pl_h, exceeds, per_hour, plus
from firmware.journal import Journal
from firmware.level import Level
from firmware.modes import PUMPING, ModeMachine
from firmware.periodic import PeriodicBoluses
from firmware.prescription import Stored
from firmware.program import WEEK_US, program_of
from firmware.reservoir import Reservoir
from firmware.schedule import Schedule
from firmware.window import Window, rises
from hal.board import Board
from protocol.codes import BolusKind, Code, LockoutFrom, ProgramKind
from protocol.messages import Therapy

_US_PER_S = 1_000_000


class Regimen:
    """The prescription in force, and what of it is under way."""

    def __init__(
        self,
        board: Board,
        config: DeviceConfig,
        journal: Journal,
        log: EventLog,
        alarms: AlarmManager,
    ) -> None:
        self._config = config
        self._journal = journal
        self._log = log
        self._alarms = alarms
        self._clock = board.clock
        self.delivery = Delivery(board.motor, board.encoder, journal, config)
        self.dosing = Dosing(config, journal, log, self.delivery)
        self.bridging = Bridging(config, journal, log, self.delivery)
        self.doses = DoseHistory()
        self.modes = ModeMachine()
        self.reservoir = Reservoir(config)
        self.level = Level(board.reservoir_sensor, self.reservoir, config)
        self.schedule = Schedule(board, config)
        self.window = Window(config, self.doses, self.schedule)
        self.periodic = PeriodicBoluses(config, self.schedule, self.doses, self.window)
        self.stored: Stored | None = None

    @property
    def prescribed(self) -> Stored | None:
        """What is stored, if a therapy is in it and not only a fill."""
        return self.stored if self.stored is not None and self.stored.prescribed else None

    @property
    def program(self) -> ProgramKind:
        """The infusion mode prescribed."""
        return self.prescribed.therapy.program if self.prescribed else ProgramKind.STOPPED

    @property
    def out_of_service(self) -> bool:
        """True for a pump that was told it holds nothing and is to give nothing: it was removed."""
        return self.program is ProgramKind.STOPPED and not self.reservoir.fill_pl

    @property
    def patient_may_stop(self) -> bool:
        """True if the prescription lets the patient stop the pump."""
        return self.prescribed is not None and bool(self.prescribed.therapy.patient_may_stop)

    @property
    def bridge_runs(self) -> bool:
        """True while a bridge takes the basal's place, a stalled one too."""
        return self.bridging.owed and self.modes.mode in PUMPING and not self.held

    @property
    def basal_paused(self) -> bool:
        """True while a bolus takes the basal's place."""
        return self.dosing.pauses_basal

    @property
    def held(self) -> bool:
        """True while the pump gives no more than its minimum, whatever is prescribed.

        After a low battery, and at LOW_RESERVOIR where the profile says so; not where only a
        disputed sensor says that it is low.
        """
        falls = self._config.low_reservoir_basal is LowReservoirBasal.MINIMUM_RATE
        low = falls and self._alarms.stands(Code.LOW_RESERVOIR) and not self._low_is_disputed
        return low or self._journal.durable.minimum_rate

    @property
    def _low_is_disputed(self) -> bool:
        computed_pl = self.reservoir.computed_pl(self.delivery.accounted())
        return self.level.disputed and computed_pl > self.reservoir.low_pl

    @property
    def at_minimum(self) -> bool:
        """True when the pump is to give no more than its minimum: program, battery, no record."""
        minimum = self.program in (ProgramKind.MINIMUM_RATE, ProgramKind.STOPPED)
        return minimum or self.held

    @property
    def bolus_in_reserve(self) -> bool:
        """True while a bolus is to be given and the reserve has been reached."""
        bolus = self.dosing.current
        if bolus is None or bolus.cut_short is not None:
            return False
        own = bolus.kind is BolusKind.PERIODIC
        volume_pl = self.level.usable_pl if own else self.level.lower_pl
        return volume_pl(self.delivery.accounted()) <= self.reservoir.low_pl

    def basal_flow(self) -> Flow:
        """Return what flows without a bolus, while the pump is not stopped."""
        least = per_hour(self._config.minimum_rate_pl_h)
        if self._journal.durable.minimum_rate or self.prescribed is None:
            return least
        due = self.bridging.flow if self.bridging.owed else self.schedule.flow
        # Where a program may be lower than the minimum rate, low drug does not make it more.
        return least if self.held and exceeds(due, least) else due

    def flow(self) -> Flow:
        """Return what is to flow now, a bolus included, while the pump is not stopped."""
        if self.basal_paused:
            return self.dosing.flow
        return plus(self.basal_flow(), self.dosing.flow)

    def most(self, now_us: int, for_us: int) -> Flow:
        """Return the highest basal of a time that begins now: steps and scheduled changes to come.

        Nothing is known of a fall-back or the end of a bridge: what flows now is taken to stay.
        """
        return self.most_at(self.schedule.wall.wall_us(now_us), for_us)

    def most_at(self, from_us: int, for_us: int) -> Flow:
        """Return it for a time that begins at an instant of the wall clock, were it set to that."""
        here, stored = self.basal_flow(), self.prescribed
        if stored is None or self.held or self.bridging.owed:
            return here
        most = self.schedule.program.highest(from_us, from_us + for_us)
        if 0 < stored.pending_wall_s * _US_PER_S < from_us + for_us:
            pending_us = max(from_us, stored.pending_wall_s * _US_PER_S)
            then = program_of(stored.pending, self._config).highest(pending_us, from_us + for_us)
            most = then if exceeds(then, most) else most
        return most

    def load(self, stored: Stored, begin: bool = False) -> None:
        """Take a stored prescription over; `begin`: its program begins now.

        It starts nothing.
        """
        self.stored = stored
        self.doses.patient = stored.therapy.patient
        now_us = self._clock.now_us()
        self.schedule.load(stored, now_us, begin)
        self.periodic.load(now_us, begin)
        self.bridging.load(stored)
        self.reservoir.load(stored)

    def note_basal(self, after: Therapy) -> None:
        """Log what the program in force gave at most, where the one after it ever gives less.

        It is logged before that is durable: what is said of a change that then fails is too much.
        """
        then = program_of(after, self._config)
        if self.prescribed is not None and rises(then, self.schedule.program, 0, WEEK_US):
            self._note_basal(0)

    def _note_basal(self, twice_s: int) -> None:
        most = self.schedule.program.highest(0, WEEK_US)
        self._log.append(Code.BASAL_BEFORE, -(-ceil_pl_h(most) // 1000), twice_s)

    # --- doses ----------------------------------------------------------------------------------

    def recover_doses(self) -> None:
        """Learn from the log what was given before this boot, and listen to it from now on."""
        horizon_s = 0
        if self.prescribed is not None:
            therapy = self.prescribed.therapy
            horizon_s = max(therapy.patient.lockout_s, therapy.window_s)
        self.doses.recover(self._log, horizon_s * _US_PER_S, self.bridging.owed)
        self._log.listener = self.doses.take
        self.periodic.recover(self._clock.now_us())

    def lockout_us(self, now_us: int) -> int:
        """Return how long until a patient bolus may begin, as far as lockout and count go."""
        wait_us = self.doses.wait_us(now_us)
        bolus, patient = self.dosing.current, self.doses.patient
        if bolus is None or bolus.kind is not BolusKind.PATIENT:
            return wait_us
        if patient.lockout_from is LockoutFrom.START:
            return wait_us
        return max(wait_us, bolus.end_us - now_us + patient.lockout_s * _US_PER_S)
