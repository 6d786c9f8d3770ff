"""When will the reserve be reached? The program's week, and everything that comes before it.

From now on flow, one after another: the bolus that runs, the bridge that is owed, the program until
a scheduled change takes over, and that change. The last two with every patient bolus that they
allot on top, spread evenly (a bolus that pauses the basal is counted in full: the date is then
early, never late; so it is when the last periodic bolus would be taken from the reserve, and is
refused). A low-battery fall-back stays until a clinician acts.

Exact to the microsecond of the wall clock as far as it is known; years cost what a week costs.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from firmware.device import DeviceConfig
from firmware.flow import ZERO, Flow, per_hour
from firmware.infusion import Infusion
from firmware.journal import Journal
from firmware.modes import PUMPING
from firmware.path import time_us
from firmware.program import (
    Cycle,
    allotted_flow,
    constant,
    first_periodic_s,
    mean_flow,
    periodic_cycle,
    program_of,
)
from protocol.codes import ProgramKind
from protocol.messages import Therapy

_SECOND_US = 1_000_000
_KNOWN_US = 1000
"""What the wall clock's microseconds may be short of: a date is not to fall a second early."""


class _Phase(NamedTuple):
    """What flows until an instant of the wall clock (µs; None: for good), and which reserve."""

    cycle: Cycle
    until_us: int | None
    low_pl: int


class Forecast:
    """Looks ahead for one pump."""

    def __init__(self, infusion: Infusion, journal: Journal, config: DeviceConfig) -> None:
        self._infusion = infusion
        self._journal = journal
        self._config = config
        self._cycles: tuple[tuple[Therapy, int, Cycle], ...] = ()
        """The last two made, of the program and of what is scheduled: a status is asked for often,
        and they change with a commit."""
        self._mean: tuple[Therapy, Flow] | None = None

    def mean(self) -> Flow:
        """Return what the pump gives on the mean while it runs, without boluses on request."""
        stored = self._infusion.prescribed
        if self._infusion.held:
            return per_hour(self._config.minimum_rate_pl_h)
        if stored is None:
            return self._infusion.basal_flow() if self._infusion.modes.mode in PUMPING else ZERO
        if self._mean is None or self._mean[0] is not stored.therapy:
            self._mean = stored.therapy, mean_flow(stored.therapy, self._config)
        return self._mean[1]

    def low_wall_s(self, now_us: int) -> int:
        """Return when the reserve will be reached; 0: it is, or nothing flows."""
        infusion = self._infusion
        low_pl = infusion.reservoir.low_pl
        strokes = infusion.level.strokes_to(low_pl, self._journal.durable.accounted)
        if not strokes or infusion.modes.mode not in PUMPING:
            return 0
        from_us = infusion.schedule.wall.wall_us(now_us)
        owed = Fraction(*infusion.delivery.until_pl(strokes, now_us)) - self._suspended_pl()
        for phase in self._phases(now_us, from_us):
            owed += low_pl - phase.low_pl
            low_pl = phase.low_pl
            at_us = phase.cycle.reach_us(from_us, owed.numerator, owed.denominator)
            if at_us is not None and (phase.until_us is None or at_us <= phase.until_us):
                return min((at_us + _KNOWN_US) // _SECOND_US, 0xFFFFFFFF)
            if phase.until_us is not None:
                owed -= Fraction(*phase.cycle.volume_pl(from_us, phase.until_us))
                from_us = phase.until_us
        return 0

    def _suspended_pl(self) -> int:
        """What a suspended bolus still has to give: counted as given now, for it is soon."""
        bolus = self._infusion.dosing.suspended
        return (bolus.total_strokes - bolus.given_strokes) * bolus.stroke_pl if bolus else 0

    def _phases(self, now_us: int, wall_us: int) -> Iterator[_Phase]:
        infusion, config = self._infusion, self._config
        stored, dosing, schedule = infusion.prescribed, infusion.dosing, infusion.schedule
        low_pl = infusion.reservoir.low_pl
        held = stored is None or infusion.held
        basal = constant(per_hour(config.minimum_rate_pl_h)) if held else schedule.program
        ahead_us = wall_us - now_us
        until_us = now_us
        if dosing.running and dosing.end_us > now_us:
            until_us = dosing.end_us
            beside = constant(ZERO) if dosing.pauses_basal else basal
            yield _Phase(beside.with_extra(dosing.flow), ahead_us + until_us, low_pl)
        if held or stored is None:
            yield _Phase(basal, None, low_pl)
            return
        if infusion.bridging.owed:
            flow_, end_us = infusion.bridging.flow, self._bridge_end_us(until_us)
            yield _Phase(constant(flow_), ahead_us + end_us, low_pl)
        first_us = ahead_us + schedule.cadence.first_us if schedule.cadence else 0
        now = self._with_boluses(stored.therapy, first_us)
        if not stored.pending_wall_s:
            yield _Phase(now, None, low_pl)
            return
        yield _Phase(now, stored.pending_wall_s * _SECOND_US, low_pl)
        after = stored.pending
        first_s = first_periodic_s(after.periodic, stored.pending_wall_s)
        then = self._with_boluses(after, first_s * _SECOND_US)
        yield _Phase(then, None, after.low_reservoir_nl * 1000)

    def _bridge_end_us(self, from_us: int) -> int:
        """When the bridge will be over; one that is held is taken to go on now."""
        bridging = self._infusion.bridging
        return min(bridging.end_us, from_us + time_us(bridging.left_pl(), bridging.flow))

    def _with_boluses(self, therapy: Therapy, first_us: int) -> Cycle:
        """Return a program with its periodic boluses and what the patient is allotted."""
        for known, known_us, cycle in self._cycles:
            if known is therapy and known_us == first_us:
                return cycle
        cycle = self._made(therapy, first_us)
        self._cycles = ((therapy, first_us, cycle), *self._cycles[:1])
        return cycle

    def _made(self, therapy: Therapy, first_us: int) -> Cycle:
        config = self._config
        if therapy.program is ProgramKind.PERIODIC:
            cycle = periodic_cycle(therapy, config, first_us)
        else:
            cycle = program_of(therapy, config)
        return cycle.with_extra(allotted_flow(therapy, config))
