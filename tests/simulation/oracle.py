"""The oracle: what must be physically true, from the wishes that were acknowledged alone.

It adds up the flows that were wished for, exactly, as an interval: both ends are the same as long
as all is known, and apart where something happened at an instant that nobody outside can know (the
pump ended a bolus because the rotor was held, say). What the pump itself declares is taken over
only where physics or the design allow it.

The rotor must then have swept what was owed, to one stroke. After a boot the account begins anew
where the rotor stands: a part-stroke remainder is lost with the power, never made up.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Final, NamedTuple

from protocol.codes import BolusKind, Code, Mode, ProgramKind, StopReason, TxnState
from protocol.messages import Status, Therapy, TxnResult

from .calendar import LOOKING_LATE_US, LOOKING_US, Calendar
from .wishes import HOUR_US, ZERO, Dose
from .world import START_WALL_S, Bench, must

DAY_S: Final = 86_400
DRIVE_US: Final = 800_000
"""Longest drive of a stroke: it begins so long before it is due."""
LATE_US: Final = 2_000
"""A bolus ends with its last stroke, up to 1 ms late."""
SLACK_PL: Final = 1_000
"""Strokes may end up to 1 ms late, and sums are rounded to the pL."""
QUANTUM_PL: Final = 10_000_000
"""What a power cut may leave uncertain."""
STALL_LIMIT_US: Final = 72 * HOUR_US


class Over(NamedTuple):
    """A dose that is over and not yet judged."""

    dose: Dose
    why: str
    at_us: int
    seen_us: int
    moved_pl: int
    """What the rotor had swept at `seen_us`."""


class Oracle:
    """Judges one pump."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.config = bench.config
        self.stroke = bench.config.stroke_pl
        self._pause_us = -(-self.stroke * HOUR_US // self.config.flow_max_pl_h)
        """Shortest interval of strokes: after a change of flow the next may be so much late."""
        self.calendar = Calendar(bench, bench.config)
        self.reason = StopReason.NO_PROGRAM
        self.minimum = False
        self.dose: Dose | None = None
        self.ended: list[Over] = []
        self.powered = True
        self.holds: list[list[int]] = []
        """When the rotor was held: from, to."""
        self.told_pl = bench.config.capacity_nl * 1000
        self.told_at_pl = 0
        self.cuts = 0
        """Power cuts since the pump was told a fill."""
        self._from_us = 0
        self._looking_us = self._changing_us = 0
        self._lagging: list[tuple[int, Fraction]] = []
        """Until when the pump may not have seen an edge yet, and the basal before it."""
        self._base_pl = 0
        self._least = self._most = 0
        self._unsure = False
        self._fastest = ZERO
        self._ran_dry = False
        """It was empty at the instant of the fill that was just told."""
        self._cut_now = False
        """The last boot followed a power cut, and nothing has flowed since."""

    # --- what is owed ---------------------------------------------------------------------------

    @property
    def therapy(self) -> Therapy | None:
        """What is in force."""
        return self.calendar.therapy

    def basal_at(self, at_us: int) -> Fraction:
        """The flow without a bolus, were it running, at an instant."""
        if self.minimum:
            return Fraction(self.config.minimum_rate_pl_h, HOUR_US)
        return self.calendar.flow(at_us)

    def highest(self, from_us: int, for_us: int) -> Fraction:
        """The highest basal of a time to come."""
        return self.basal_at(from_us) if self.minimum else self.calendar.highest(from_us, for_us)

    def flow(self, basal: Fraction | None = None) -> Fraction:
        """What should be flowing now, or with another basal."""
        if not self.powered or self.reason is not StopReason.NONE:
            return ZERO
        basal = self.basal_at(self.bench.now_us) if basal is None else basal
        if self.dose is None:
            return basal
        return self.dose.flow + (ZERO if self.dose.pauses else basal)

    def account(self, *others: Fraction, until_us: int | None = None) -> None:
        """Add up until now; `others` may have flowed instead, from some instant on."""
        now_us = self.bench.now_us if until_us is None else until_us
        if self._dry():
            others = (*others, ZERO)
        self._change(self._from_us)
        for from_us, to_us, held in self._pieces(now_us):
            basal_flow = self.basal_at(from_us)
            if held:
                # The strokes that fall into it are whole, whatever is owed in it.
                self._least -= self.stroke
                self._most += self.stroke
                self._unsure = True
                if self.dose is not None:
                    self.dose.disturbed = True
            flows = [ZERO if held else self.flow(basal_flow), *others]
            flows += [self.flow(before) for until_us, before in self._lagging if from_us < until_us]
            if self.dose is not None and self.dose.disturbed:
                flows.append(ZERO if held else basal_flow)
            self._least += floor(min(flows) * (to_us - from_us))
            self._most += ceil(max(flows) * (to_us - from_us))
            self._fastest = max(self._fastest, *flows)
            self._end_due(to_us)
            self._change(to_us)
            if self.basal_at(to_us) != basal_flow:
                late_us = LOOKING_LATE_US if to_us - self._looking_us < LOOKING_US else LATE_US
                self._lagging.append((to_us + late_us, basal_flow))
        self._end_due(now_us)
        self._lagging = [lag for lag in self._lagging if lag[0] > now_us]
        if others:
            self._unsure = True
        self._cut_now &= now_us == self._from_us or not self.powered
        self._from_us = now_us

    def _change(self, at_us: int) -> None:
        """The scheduled change takes over, if its instant has come."""
        change_us = self.calendar.change_us()
        if change_us is None or at_us < change_us:
            return
        assert self.calendar.pending is not None
        before, after = self.therapy, self.calendar.pending[0]
        self.calendar.therapy, self.calendar.pending = after, None
        self._changing_us = at_us + LOOKING_LATE_US
        stood = before is None or before.program is ProgramKind.STOPPED
        if after.program is ProgramKind.STOPPED:
            if self.reason is StopReason.NONE:
                self.reason = StopReason.COMMANDED
                self.end_dose("alarm", at_us)
        elif stood and self.reason in (StopReason.NO_PROGRAM, StopReason.COMMANDED):
            self.reason = StopReason.NONE

    def _end_due(self, at_us: int) -> None:
        if self.dose is not None and self.powered and at_us >= self.dose.end_us:
            self.end_dose("end", self.dose.end_us)

    def _pieces(self, now_us: int) -> Iterator[tuple[int, int, bool]]:
        edges = {self._from_us, now_us, *(edge for hold in self.holds for edge in hold)}
        if self.dose is not None:
            edges.add(self.dose.end_us)
        for edge in self.calendar.edges(self._from_us, now_us):
            edges |= {edge, edge + LATE_US, edge + LOOKING_LATE_US}
        edges |= {until_us for until_us, _ in self._lagging}
        inside = sorted(edge for edge in edges if self._from_us <= edge <= now_us)
        for from_us, to_us in pairwise(inside):
            yield from_us, to_us, self.held(from_us, to_us)

    def held(self, from_us: int, to_us: int) -> bool:
        """Return True when the rotor was held at any time in between."""
        return any(on < to_us and from_us < off for on, off in self.holds)

    def _cut_short(self, why: str) -> None:
        """What runs is over, and what has ended but is not settled ends like it."""
        self.end_dose(why, self.bench.now_us)
        self.ended = [
            over._replace(why="late" if over.why == "end" else why) for over in self.ended
        ]

    def end_dose(self, why: str, at_us: int) -> None:
        """The dose is over; its account is judged when the pump has settled it."""
        if self.dose is not None:
            bench, dose = self.bench, self.dose
            since_us = bench.now_us - dose.start_us
            dose.beside = max(dose.beside, self.highest(dose.start_us, since_us))
            self.ended.append(Over(dose, why, at_us, bench.now_us, bench.moved_pl))
            self.dose = None

    # --- what happens to the pump ---------------------------------------------------------------

    def hold(self, until_us: int) -> None:
        """The rotor is held from now on."""
        self.account()
        self.holds = [hold for hold in self.holds if hold[1] > self.bench.now_us - 100 * HOUR_US]
        self.holds.append([self.bench.now_us, until_us])

    def cut(self) -> None:
        """All power is gone from now on."""
        if self.powered:
            self.account()
            self._cut_short("cut")
            self.cuts += 1
            self.powered = False
            self._cut_now = True

    def boot(self) -> None:
        """The pump boots now."""
        self.account()
        if self.powered:
            self._cut_short("reset")
        self.powered = True
        self._looking_us = self.bench.now_us
        self.calendar.refresh()
        self._change(self.bench.now_us)
        self._rebase()

    def programmed(
        self, therapy: Therapy, at_wall_s: int, told_nl: int | None, moved_pl: int
    ) -> None:
        """A program was committed now, or scheduled for later."""
        if at_wall_s:
            self.calendar.pending = therapy, at_wall_s
            self._looking_us = self.bench.now_us
        else:
            self.calendar.therapy, self.calendar.pending = therapy, None
            self.rely_on_battery()
            self._looking_us = self.bench.now_us
            stopped = therapy.program is ProgramKind.STOPPED
            self.reason = StopReason.COMMANDED if stopped else StopReason.NONE
        if told_nl is not None:
            self.filled(told_nl, moved_pl)

    def clock_set(self) -> None:
        """The wall clock was set now."""
        self.calendar.refresh()
        self._change(self._from_us)

    def rely_on_battery(self) -> None:
        """A clinician acts: minimum rate ends if the battery carries the motor again."""
        battery = self.bench.board.battery
        self.minimum &= battery.loaded_mv().value <= self.config.low_battery_mv

    def filled(self, told_nl: int, moved_pl: int) -> None:
        """The pump was told a fill, when the rotor had swept so much."""
        self._ran_dry = self._dry()
        self.told_pl = told_nl * 1000
        self.told_at_pl = moved_pl
        self.cuts = int(self._cut_now)

    def stopped(self) -> None:
        """A stop was acknowledged now."""
        self.account()
        self._cut_short("stop")
        if self.reason is StopReason.NONE:
            self.reason = StopReason.COMMANDED

    # --- judging --------------------------------------------------------------------------------

    def judge(self, status: Status) -> None:
        """Compare what the pump says, and what the rotor has done, with what must be true."""
        self._declared(status)
        self._ran_dry = False
        self._moved()
        self._mode(status)
        self._reservoir(status)
        self.bench.conserve()

    def _rebase(self) -> None:
        self._base_pl = self.bench.moved_pl
        self._least = self._most = 0
        self._unsure = False
        self._fastest = ZERO

    def _moved(self) -> None:
        moved = self.bench.moved_pl - self._base_pl
        lead = min(ceil(self._fastest * DRIVE_US), self.stroke)
        lag = min(ceil(self._fastest * self._pause_us), self.stroke)
        least = self._least - self.stroke - lag - SLACK_PL
        most = self._most + self.stroke + lead + SLACK_PL
        must(
            least <= moved <= most,
            f"the rotor swept {moved} pL, owed were {self._least}..{self._most} pL",
        )
        if self._unsure:
            self._rebase()

    def _declared(self, status: Status) -> None:
        """Take over what the pump did of itself, where it may."""
        change_us = self.calendar.change_us()
        if change_us is not None and self._from_us <= change_us <= self.bench.now_us:
            self.account(until_us=change_us)
        alarms = {entry.code for entry in status.alarms}
        low = Code.LOW_BATTERY_RESET in alarms and not self.minimum
        if low and self.bench.board.battery.loaded_mv().value <= self.config.low_battery_mv:
            self._given_up()
            self.account(Fraction(self.config.minimum_rate_pl_h, HOUR_US))
            self.minimum = True
            self.end_dose("alarm", self.bench.now_us)
        reason = status.stop_reason
        # The pump may see the instant of a change that starts it a little later.
        late = reason is StopReason.COMMANDED and self.bench.now_us <= self._changing_us
        if reason not in (self.reason, StopReason.NONE) and not late:
            must(self._may_stop(status), f"stopped by itself: {reason.name} for {self.reason.name}")
            self._given_up()
            self.account(ZERO)
            self.end_dose("alarm", self.bench.now_us)
            self.reason = reason
        stalled = status.mode is Mode.STALLED or Code.MOTOR_STALL in alarms
        low = Code.LOW_RESERVOIR in alarms
        if self.dose is not None and status.bolus is BolusKind.NONE and (stalled or low):
            must(low or self.dose.disturbed or bool(self.holds), "bolus given up")
            self._given_up()
            self.account(ZERO, self.basal_at(self.bench.now_us))
            self.end_dose("alarm", self.bench.now_us)
        self.account()

    def _given_up(self) -> None:
        """The pump ended the dose, nobody knows when."""
        if self.dose is not None:
            self.dose.disturbed = True

    def _dry(self) -> bool:
        """Return True when the pump may hold itself to be empty."""
        left = self.told_pl - (self.bench.moved_pl - self.told_at_pl)
        return left <= self.cuts * QUANTUM_PL + self.stroke

    def _may_stop(self, status: Status) -> bool:
        bench, config = self.bench, self.config
        if status.stop_reason is StopReason.EMPTY_RESERVOIR:
            return self._dry() or self._ran_dry
        if status.stop_reason is StopReason.MOTOR_STALL:
            return any(off - on >= STALL_LIMIT_US - HOUR_US for on, off in self.holds)
        if status.stop_reason is StopReason.EOS:
            cap = START_WALL_S + config.service_days * DAY_S
            old = status.wall_s >= min(cap, status.eos_wall_s)
            return old or bench.board.battery.rest_mv().value <= config.eos_mv
        return False

    def _mode(self, status: Status) -> None:
        if self.bench.now_us <= self._changing_us:
            return  # the pump may see the instant of a scheduled change a little later
        modes = {
            StopReason.MOTOR_STALL: {Mode.SAFE_STATE},
            StopReason.EOS: {Mode.END_OF_SERVICE},
        }.get(self.reason, {Mode.STOPPED})
        if self.reason is StopReason.NONE:
            modes = {Mode.BOLUS} if self.dose else {Mode.BASAL, Mode.MINIMUM_RATE}
            if any(self.bench.now_us <= over.at_us + LATE_US for over in self.ended):
                modes = {*modes, Mode.BOLUS}
            since_us = self.bench.now_us - STALL_LIMIT_US
            if self.held(since_us, self.bench.now_us + 1):
                modes = {*modes, Mode.STALLED}
        must(status.mode in modes, f"mode {status.mode.name}, not {[m.name for m in modes]}")
        must(status.stop_reason is self.reason, f"{status.stop_reason.name}, not {self.reason!r}")
        running = status.bolus is BolusKind.SINGLE
        wanted = self.dose is not None
        settling = bool(self.ended)
        must(running == wanted or settling, f"bolus runs: {running}, not {wanted}")

    def _reservoir(self, status: Status) -> None:
        """Computed volume against what is left of the fill as told."""
        given = self.bench.moved_pl - self.told_at_pl
        left = self.told_pl - given
        computed = status.computed_nl * 1000
        uncertain = status.uncertain_nl * 1000
        stroke = self.stroke + SLACK_PL
        must(given <= self.told_pl + 2 * stroke, f"{given} pL given of {self.told_pl} pL")
        must(computed <= max(0, left) + stroke, f"computed {computed} pL, left {left} pL")
        must(uncertain <= self.cuts * QUANTUM_PL, f"{uncertain} pL uncertain, {self.cuts} cuts")
        must(left <= computed + uncertain + stroke, f"left {left}, computed {computed} pL")

    def judge_dose(self, result: TxnResult, over: Over) -> None:
        """What the pump says it gave of a dose against what the rotor did."""
        dose, why, at_us, seen_us, moved = over
        given = result.given_nl * 1000
        stroke = self.stroke + SLACK_PL
        total = dose.strokes * self.stroke
        swept = moved - dose.moved_pl
        must(result.total_nl * 1000 <= total, f"bolus of {result.total_nl} nL, wished {total} pL")
        must(given <= total, f"{given} pL given of a bolus of {total} pL")
        owed = floor(dose.flow * (min(at_us, dose.end_us) - dose.start_us))
        if why == "end" and not dose.disturbed:
            must(result.state is TxnState.DONE, f"a bolus came to its end: {result.state.name}")
            must(given == total, f"{given} pL given of a whole bolus of {total} pL")
            return
        if why not in ("end", "late"):
            must(result.state is TxnState.ENDED_EARLY, f"a bolus cut short: {result.state.name}")
        margin = QUANTUM_PL if why in ("cut", "late") else 0
        must(given <= swept + stroke + margin, f"{given} pL given, the rotor swept {swept} pL")
        if why == "stop":
            must(given <= owed + stroke, f"{given} pL given, owed were {owed} pL")
        rest = ceil((seen_us - dose.start_us) * over.dose.beside)
        must(given >= min(total, owed, swept - rest) - 2 * stroke, f"{given} of {swept}-{rest} pL")
