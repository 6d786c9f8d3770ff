"""What a whole therapy may give at most, and how often: bounds from wishes and physics alone.

The exact account of `oracle.py` ends where the pump chooses instants of its own: periodic boluses,
a bolus suspended for another, a bridge that goes on after a stop. Here no instant is known; what is
known is the most that may flow. The rotor may never have swept more than the highest basal that was
wished for, all the time, and every bolus that was begun, each as large as it was wished. A tip that
was bridged may never give more than the dose.
"""

from collections import deque
from fractions import Fraction
from math import ceil
from typing import Final

from protocol.codes import BolusKind, Code, ProgramKind
from protocol.messages import LogRecord, Therapy

from .wishes import HOUR_US, basal
from .world import Bench, must

DAY_US: Final = 24 * HOUR_US
SECOND_US: Final = 1_000_000
QUANTUM_PL: Final = 10_000_000
"""What a power cut may leave uncertain: of a bridge it counts as given."""


class Steady:
    """A tip that was bridged: what leaves it is the dose, whatever is in the path."""

    def __init__(self, bench: Bench, drug: str, pg_day: int, most_pg_ml: int) -> None:
        self._bench, self._drug, self._pg_day = bench, drug, pg_day
        self._most_pg_ml = most_pg_ml
        self._from_us, self._from_pg = bench.now_us, bench.board.plant.tip_pg(drug)
        self.strokes = 2
        """May come early: the first, and one for each new beginning."""
        self.uncertain_pl = 0

    def judge(self) -> None:
        """No more than the dose has left the tip since."""
        given = self._bench.board.plant.tip_pg(self._drug) - self._from_pg
        owed = self._pg_day * (self._bench.now_us - self._from_us) // DAY_US
        loose_pl = self.strokes * self._bench.config.stroke_pl + self.uncertain_pl
        most = owed + loose_pl * self._most_pg_ml // 10**9
        must(given <= most, f"{given} pg left the tip, {owed} of {most} pg were owed")


class Bounds:
    """The most that one pump may have given."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.therapies: list[Therapy] = []
        """In force, and scheduled or asked for: any of them may be what flows."""
        self.asked_pl: set[int] = set()
        """Volumes of single and loading boluses that were asked for."""
        self.steady: Steady | None = None
        self._most_pl = Fraction(0)
        self._from_us = 0
        self._free_us = -DAY_US
        """Since when no lockout counts: a program or refill begins another."""
        self._patient_us: deque[int] = deque(maxlen=256)
        self._periodic_us: int | None = None
        self._found: list[str] = []
        bench.pump.taps.append(self.take)

    def wished(self, therapy: Therapy) -> None:
        """A prescription is about to be asked for: from now on it may be in force."""
        self.account()
        self.therapies.append(therapy)

    def committed(self, therapy: Therapy) -> None:
        """It is in force now, and no other."""
        self.account()
        self.therapies = [therapy]

    def refused(self) -> None:
        """What was wished last was refused."""
        self.account()
        self.therapies.pop()

    def asked(self, kind: BolusKind, volume_pl: int) -> None:
        """A bolus is about to be asked for; of a bridge all that the path holds."""
        if kind is BolusKind.BRIDGE:
            self._most_pl += volume_pl
        self.asked_pl.add(volume_pl)

    def account(self) -> None:
        """Add up until now."""
        now_us, config = self.bench.now_us, self.bench.config
        flows = [Fraction(config.minimum_rate_pl_h, HOUR_US)]
        for therapy in self.therapies:
            flows += [basal(therapy, config, step.amount) for step in therapy.steps]
            flows.append(basal(therapy, config))
        self._most_pl += max(flows) * (now_us - self._from_us)
        self._from_us = now_us

    def judge(self) -> None:
        """Compare what the rotor has swept with the most that it may have."""
        self.account()
        must(not self._found, "; ".join(self._found))
        most_pl = ceil(self._most_pl) + 2 * self.bench.config.stroke_pl
        must(self.bench.moved_pl <= most_pl, f"{self.bench.moved_pl} pL swept, {most_pl} at most")
        if self.steady is not None:
            self.steady.judge()

    def take(self, record: LogRecord) -> None:
        """A record is being written: what begins is one of the wishes, and not too soon."""
        if record.code in (Code.PROGRAM_COMMITTED, Code.SCHEDULED_CHANGE, Code.REFILLED):
            self._free_us = self.bench.now_us
            if record.code is not Code.REFILLED:
                self._periodic_us = None
        if record.code is Code.BOLUS_STARTED and record.b != BolusKind.BRIDGE:
            self._most_pl += record.a * 1000
            self._begun(BolusKind(record.b), record.a * 1000)

    def _begun(self, kind: BolusKind, volume_pl: int) -> None:
        now_us, stroke_pl = self.bench.now_us, self.bench.config.stroke_pl
        self.steady = None  # also a prime brings more to the tip than the dose
        if kind in (BolusKind.SINGLE, BolusKind.LOADING):
            known = any(0 <= asked - volume_pl < stroke_pl for asked in self.asked_pl)
            self._say(known, f"a bolus of {volume_pl} pL, asked for were {self.asked_pl}")
        elif kind is BolusKind.PATIENT:
            self._patient(now_us, volume_pl)
        elif kind is BolusKind.PERIODIC:
            self._periodic(now_us, volume_pl)

    def _patient(self, now_us: int, volume_pl: int) -> None:
        granted = [one.patient for one in self.therapies if one.patient.amount]
        self._say(any(volume_pl <= one.amount for one in granted), f"{volume_pl} pL for a patient")
        if not granted:
            return
        shortest_us = min(one.lockout_s for one in granted) * SECOND_US
        before_us = self._patient_us[-1] if self._patient_us else -DAY_US
        since_us = now_us - max(before_us, self._free_us)
        self._say(since_us >= shortest_us, f"a patient bolus {since_us} us after the last")
        self._patient_us.append(now_us)
        if all(one.max_per_24h for one in granted):
            most = max(one.max_per_24h for one in granted)
            begun = sum(now_us - at_us < DAY_US for at_us in self._patient_us)
            self._say(begun <= most, f"{begun} patient boluses in 24 h, {most} are allowed")

    def _periodic(self, now_us: int, volume_pl: int) -> None:
        every = [one.periodic for one in self.therapies if one.program is ProgramKind.PERIODIC]
        self._say(any(volume_pl <= one.amount for one in every), f"{volume_pl} pL, periodic")
        if len(self.therapies) == len(every) == 1 and self._periodic_us is not None:
            since_us, every_us = now_us - self._periodic_us, every[0].every_s * SECOND_US
            self._say(since_us >= every_us - SECOND_US, f"periodic boluses {since_us} us apart")
        self._periodic_us = now_us

    def _say(self, holds: bool, what: str) -> None:
        if not holds:
            self._found.append(f"at {self.bench.now_us} us: {what}")
