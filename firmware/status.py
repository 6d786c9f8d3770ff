"""What the pump says of itself: the replies to STATUS, DEVICE, PRESCRIPTION and PENDING."""

from firmware import VERSION
from firmware.alarms import AlarmManager
from firmware.bolus import Bolus
from firmware.bridging import Bridging
from firmware.device import DeviceConfig, Identity
from firmware.event_log import EventLog
from firmware.flow import daily_ratio, hourly_ratio
from firmware.forecast import Forecast
from firmware.infusion import Infusion
from firmware.journal import Journal
from firmware.prescription import NOTHING_PRESCRIBED
from firmware.supply import Supply
from hal.board import Board
from protocol.codes import BolusKind
from protocol.errors import ErrorCode
from protocol.messages import AlarmEntry, DeviceInfo, PrescriptionInfo, Status

_US_PER_S = 1_000_000


class StatusReport:
    """Builds the replies. Reading takes no time and changes nothing."""

    def __init__(
        self,
        board: Board,
        config: DeviceConfig,
        who: Identity,
        infusion: Infusion,
        journal: Journal,
        log: EventLog,
        alarms: AlarmManager,
        supply: Supply,
    ) -> None:
        self._board = board
        self._config = config
        self._who = who
        self._infusion = infusion
        self._journal = journal
        self._log = log
        self._alarms = alarms
        self._supply = supply
        self._forecast = Forecast(infusion, journal, config)
        self.last_refusal = ErrorCode.OK

    def status(self) -> Status:
        """Return the status now."""
        durable = self._journal.durable
        infusion = self._infusion
        delivery = infusion.delivery
        now_us = self._board.clock.now_us()
        accounted = delivery.accounted()
        bolus = infusion.dosing.given(now_us)
        dose = bolus if bolus is not None else infusion.bridging
        rate_pl, rate_h = hourly_ratio(delivery.flow)
        stroke_pl = self._config.stroke_pl
        low_wall_s = self._forecast.low_wall_s(now_us)
        day_pl, days = daily_ratio(self._forecast.mean())
        stored = infusion.stored
        dates = [d for d in (low_wall_s, infusion.reservoir.stability_wall_s()) if d]
        return Status(
            boot_id=self._log.boot_id,
            uptime_us=now_us,
            wall_s=self._board.rtc.now_s(),
            generation=self._journal.generation,
            mode=infusion.modes.mode,
            program=infusion.program,
            stop_reason=durable.stop_reason,
            bolus=_kind(bolus, infusion.bridging),
            bolus_given_nl=dose.given_pl // 1000,
            bolus_total_nl=dose.total_pl // 1000,
            rate_numerator_pl=rate_pl,
            rate_denominator_h=rate_h,
            computed_nl=infusion.reservoir.computed_pl(accounted) // 1000,
            delivered_nl=accounted * stroke_pl // 1000,
            uncertain_nl=durable.uncertain_strokes * stroke_pl // 1000,
            fill_nl=infusion.reservoir.fill_pl // 1000,
            fill_wall_s=infusion.reservoir.fill_wall_s,
            battery_mv=self._board.battery.rest_mv().value,
            eri=int(bool(durable.eri_wall_s)),
            eri_wall_s=self._supply.eri_wall_s(durable),
            eos_wall_s=self._supply.eos_wall_s(durable),
            refill_due_wall_s=min(dates, default=0),
            low_reservoir_wall_s=low_wall_s,
            alarms=tuple(
                AlarmEntry(entry.code, int(entry.active), entry.onset_wall_s)
                for entry in self._alarms.standing.values()
            ),
            last_refusal=self.last_refusal,
            log_first=self._log.first,
            log_next=self._log.next,
            last_txn=self._journal.last_txn,
            lockout_s=-(-infusion.lockout_us(now_us) // _US_PER_S),
            boluses_24h=min(infusion.doses.begun_24h(now_us), 255),
            pending_wall_s=stored.pending_wall_s if stored is not None else 0,
            day_numerator_pl=day_pl,
            day_denominator=days,
            sensed_nl=infusion.level.shown_nl,
        )

    def device(self) -> DeviceInfo:
        """Return what the pump is."""
        config = self._config
        return DeviceInfo(
            model=config.model,
            serial=self._who.serial,
            firmware=VERSION,
            stroke_pl=config.stroke_pl,
            capacity_nl=config.capacity_nl,
            flow_min_pl_h=config.flow_min_pl_h,
            flow_max_pl_h=config.flow_max_pl_h,
            minimum_rate_pl_h=config.minimum_rate_pl_h,
            bolus_max_nl=config.bolus_max_nl,
            tubing_nl=config.tubing_nl,
            accuracy_ppm=config.accuracy_ppm,
            implanted_wall_s=self._who.implanted_wall_s,
            service_days=config.service_days,
            low_reservoir_nl=config.low_reservoir_nl,
        )

    def prescription(self) -> PrescriptionInfo:
        """Return the committed prescription."""
        stored = self._infusion.stored
        if stored is None:
            return PrescriptionInfo(0, 0, NOTHING_PRESCRIBED)
        return PrescriptionInfo(
            stored.generation, stored.written_wall_s, stored.therapy, stored.pending_wall_s
        )

    def pending(self) -> PrescriptionInfo:
        """Return the prescription that will take over; generation 0: none."""
        stored = self._infusion.stored
        if stored is None or not stored.pending_wall_s:
            return PrescriptionInfo(0, 0, NOTHING_PRESCRIBED)
        return PrescriptionInfo(
            stored.generation, stored.written_wall_s, stored.pending, stored.pending_wall_s
        )


def _kind(bolus: Bolus | None, bridging: Bridging) -> BolusKind:
    """What runs; a bridge as long as it is owed."""
    if bolus is not None and bolus.running:
        return bolus.kind
    return BolusKind.BRIDGE if bridging.owed else BolusKind.NONE
