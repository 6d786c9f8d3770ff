"""The dose history: what was given when, for lockout, 24 h count, window and repeat guard.

It listens to the event log and is nothing but a fold over its records: a boot reads the log again
and arrives where the boot before had been. Time is this boot's monotonic time; what came before
lies at negative instants. Only time that the log proves to have passed under power counts: between
two boots none after a loss of power, and after a warm reset what the wall clock says, less a
second. Too little time makes a lockout last longer, never shorter.

A bolus is kept as spans of even flow, two where another bolus suspended it. What is too old to be
kept is added to the next younger one: it counts for longer, never for less.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from firmware.bolus import REPEAT_GUARD_US
from firmware.event_log import EventLog
from firmware.flow import DAY_US, Flow, exceeds, minus, per_hour
from firmware.log_time import placed
from protocol.codes import BolusKind, Code, LockoutFrom
from protocol.messages import NO_PATIENT_BOLUS, LogRecord, PatientBolus

KEPT: Final = 256
"""Spans, and beginnings of patient boluses, that are kept: above any `max_per_24h`."""
UNCOUNTED: Final = (BolusKind.PRIME, BolusKind.PRIME_CATHETER, BolusKind.BRIDGE)
"""Fill the path, or replace the basal."""
_ASKED: Final = (BolusKind.SINGLE, BolusKind.LOADING)
"""A human enters their amount, and may enter it twice."""
_RESTARTS: Final = (Code.PROGRAM_COMMITTED, Code.SCHEDULED_CHANGE, Code.REFILLED)
"""A committed program or a refill restarts the lockout."""
_ENDS: Final = {Code.BOLUS_STARTED: -1, Code.BOLUS_DONE: 1, Code.BOLUS_ENDED_EARLY: 1}
"""Ends of boluses whose beginning lies further back."""
_US_PER_S: Final = 1_000_000


class Span(NamedTuple):
    """A volume given evenly from one instant to another."""

    start_us: int
    end_us: int
    volume_pl: Fraction | int
    periodic: bool = False
    """Part of the program: one of its periodic boluses."""

    def within(self, from_us: int, to_us: int) -> Fraction | int:
        """Return what of it lies from the one up to the other."""
        if from_us <= self.start_us and self.end_us <= to_us:
            return self.volume_pl
        inside_us = min(self.end_us, to_us) - max(self.start_us, from_us)
        if inside_us <= 0:
            return 0
        return Fraction(self.volume_pl * inside_us, self.end_us - self.start_us)

    def moved(self, by_us: int) -> "Span":
        """Return it by another clock."""
        return self._replace(start_us=self.start_us + by_us, end_us=self.end_us + by_us)


class _Basal(NamedTuple):
    """A basal that ended, or that a clock which was moved may have given twice."""

    at_us: int
    highest: Flow
    moved_us: int
    """By so much; 0: it ended."""


class _Open:
    """A bolus that has begun."""

    __slots__ = ("boot_id", "kind", "since_us", "times", "volume_pl")

    def __init__(self, kind: int, boot_id: int, volume_pl: int, since_us: int) -> None:
        self.kind = kind
        self.boot_id = boot_id
        self.volume_pl = volume_pl
        self.since_us: int | None = since_us
        """Since when it runs; None while it is suspended."""
        self.times: list[tuple[int, int]] = []

    def suspend(self, at_us: int) -> None:
        if self.since_us is not None:
            self.times.append((self.since_us, at_us))
            self.since_us = None

    def spans(self, given_pl: int, at_us: int) -> Iterator[Span]:
        """Yield what it gave, spread over the time it ran until now."""
        times = list(self.times)
        if self.since_us is not None:
            times.append((self.since_us, at_us))
        periodic = self.kind == BolusKind.PERIODIC
        ran_us = sum(end - start for start, end in times)
        if not ran_us or len(times) == 1:
            start, end = times[0] if ran_us else (at_us, at_us)
            yield Span(start, end, given_pl, periodic)
            return
        for start, end in times:
            yield Span(start, end, Fraction(given_pl * (end - start), ran_us), periodic)


class DoseHistory:
    """Folds the event log; answers how long to wait and how much was given."""

    def __init__(self) -> None:
        self.patient: PatientBolus = NO_PATIENT_BOLUS
        """What the prescription that counts grants the patient."""
        self._log: EventLog | None = None
        self._read_us: int | None = None
        """How long before the boot the log was read from; None: there was no more of it."""
        self._forget()

    def _forget(self) -> None:
        self._spans: deque[Span] = deque()
        self._begun: deque[int] = deque(maxlen=KEPT)
        self._open: list[_Open] = []
        self._basals: deque[_Basal] = deque()
        self._lockout_us: int | None = None
        """Since when the lockout has been running."""
        self.periodic_wall_s: int | None = None
        """The wall clock, as it is set now, when the last periodic bolus began."""
        self._asked: dict[int, int] = {}
        """When a clinician's bolus of so many nL last began; kept while it guards."""

    # --- the fold -------------------------------------------------------------------------------

    def take(self, record: LogRecord) -> None:
        """Take a record that is written now."""
        self._fold(record.tick_us, record)

    def reach(self, horizon_us: int) -> None:
        """Let what is known go back so far, or as far as the log: a longer window is asked for."""
        if self._read_us is not None and horizon_us > self._read_us:
            assert self._log is not None
            bridge = any(bolus.kind == BolusKind.BRIDGE for bolus in self._open)
            self.recover(self._log, horizon_us, bridge)

    def recover(self, log: EventLog, horizon_us: int, bridge: bool = False) -> None:
        """Read so much time of the log again: the longest of lockout and window, or 24 h.

        And on to the beginning of each bolus that ended in it. Of a bridge that is owed (`bridge`)
        the beginning may lie before that.
        """
        self._forget()
        self._log, self._read_us = log, None
        rows: list[tuple[int, LogRecord]] = []
        unbegun = 0
        for at_us, record in placed(log.newest_first()):
            rows.append((at_us, record))
            unbegun = max(0, unbegun + _ENDS.get(record.code, 0))
            if at_us < -max(horizon_us, DAY_US) and not unbegun:
                self._read_us = max(horizon_us, DAY_US)
                break
        if rows and (self._read_us is not None or log.first):
            # What came before is not known: a lockout may have been running.
            self._lockout_us = rows[-1][0]
        for at_us, record in reversed(rows):
            self._fold(at_us, record)
        if bridge and not self._open:
            self._open.append(_Open(BolusKind.BRIDGE, log.boot_id, 0, 0))

    def _fold(self, at_us: int, record: LogRecord) -> None:
        code = record.code
        if code is Code.BOLUS_STARTED:
            self._started(at_us, record)
        elif code in (Code.BOLUS_DONE, Code.BOLUS_ENDED_EARLY):
            self._ended(at_us, record.a * 1000)
        elif code is Code.BASAL_BEFORE:
            self._basal_ended(_Basal(at_us, per_hour(record.a * 1000), record.b * _US_PER_S))
        elif code is Code.CLOCK_SET and self.periodic_wall_s is not None:
            self.periodic_wall_s += record.a - record.b
        elif code in _RESTARTS or (code is Code.RESET and self._locked(at_us)):
            self._lockout_us = at_us

    def _started(self, at_us: int, record: LogRecord) -> None:
        while self._open and self._open[-1].boot_id != record.boot_id:
            # A reset left nothing of its end: it counts as given in full.
            self._ended(at_us, self._open[-1].volume_pl)
        if self._open:
            self._open[-1].suspend(at_us)
        self._open.append(_Open(record.b, record.boot_id, record.a * 1000, at_us))
        if record.b == BolusKind.PERIODIC:
            self.periodic_wall_s = record.wall_s
        if record.b == BolusKind.PATIENT:
            self._patient_began(at_us)
        if record.b in _ASKED:
            guards = {nl: us for nl, us in self._asked.items() if at_us - us < REPEAT_GUARD_US}
            self._asked = {**guards, record.a: at_us}

    def _ended(self, at_us: int, given_pl: int) -> None:
        if not self._open:
            if given_pl:
                # A loss of power took the record of its beginning: it may have been the patient's.
                self._patient_began(at_us)
                self._keep(Span(at_us, at_us, given_pl))
            return
        bolus = self._open.pop()
        if bolus.kind not in UNCOUNTED:
            for span in bolus.spans(given_pl, at_us):
                self._keep(span)
        if bolus.kind == BolusKind.PATIENT and self.patient.lockout_from is LockoutFrom.END:
            self._lockout_us = at_us
        if self._open:
            self._open[-1].since_us = at_us

    def _basal_ended(self, basal: _Basal) -> None:
        self._basals.append(basal)
        if len(self._basals) > KEPT:
            oldest, older = self._basals.popleft(), self._basals[0]
            if exceeds(oldest.highest, older.highest):
                self._basals[0] = older._replace(highest=oldest.highest)

    def _patient_began(self, at_us: int) -> None:
        self._begun.append(at_us)
        self._lockout_us = at_us

    def _keep(self, span: Span) -> None:
        self._spans.append(span)
        if len(self._spans) > KEPT:
            oldest, older = self._spans.popleft(), self._spans.popleft()
            last_us = max(oldest.end_us, older.end_us)
            volume_pl = oldest.volume_pl + older.volume_pl
            periodic = oldest.periodic and older.periodic
            self._spans.appendleft(Span(last_us, last_us, volume_pl, periodic))

    # --- answers --------------------------------------------------------------------------------

    def wait_us(self, now_us: int) -> int:
        """Return how long until the patient may begin a bolus; 0: now, or there is none.

        While one runs whose end begins the lockout, this is the lockout.
        """
        patient = self.patient
        if not patient.amount:
            return 0
        free_us = now_us
        if self._lockout_us is not None:
            free_us = max(free_us, self._lockout_us + patient.lockout_s * _US_PER_S)
        most = patient.max_per_24h
        if most and len(self._begun) >= most:
            free_us = max(free_us, self._begun[-most] + DAY_US)
        return free_us - now_us

    def since_like_us(self, volume_nl: int, now_us: int) -> int | None:
        """Return how long ago a clinician began a bolus of this volume; None: not within 10 min."""
        at_us = self._asked.get(volume_nl)
        if at_us is None or now_us - at_us >= REPEAT_GUARD_US:
            return None
        return now_us - at_us

    def begun_24h(self, now_us: int) -> int:
        """Return how many boluses the patient began within the last 24 h."""
        return sum(now_us - at_us < DAY_US for at_us in self._begun)

    def extra_24h_pl(self, now_us: int) -> Fraction:
        """Return what boluses gave in the last 24 h, those of a periodic program left out."""
        extra = [span for span in self._spans if not span.periodic]
        return within_pl(extra, now_us - DAY_US, now_us)

    def spans(self, now_us: int, given_pl: Iterable[int] = ()) -> list[Span]:
        """Return what boluses gave; `given_pl`: what those that run did until now, newest first."""
        spans = list(self._spans)
        for bolus, volume_pl in zip(reversed(self._open), given_pl, strict=False):
            if bolus.kind not in UNCOUNTED:
                spans += bolus.spans(volume_pl, now_us)
        return spans

    def excess(self, lowest: Flow, largest_pl: Fraction, now_us: int, window_us: int) -> list[Span]:
        """Return what the basals before this one gave above it, in the window until now.

        At most that: each is taken to have run since the one before, always at its highest.
        `lowest` is the least of this one, `largest_pl` its most in any window.
        """
        spans, since_us = [], now_us - window_us
        for at_us, highest, moved_us in self._basals:
            if at_us <= now_us - window_us:
                continue
            above = minus(highest, lowest)
            if moved_us:
                twice_pl = Fraction(*above) * min(moved_us, window_us)
                most_pl = max(Fraction(), Fraction(*highest) * window_us - largest_pl)
                spans.append(Span(at_us, at_us, min(twice_pl, most_pl)))
            else:
                spans.append(Span(since_us, at_us, Fraction(*above) * (at_us - since_us)))
                since_us = at_us
        return spans

    def _locked(self, at_us: int) -> bool:
        since_us = self._lockout_us
        return since_us is not None and at_us - since_us < self.patient.lockout_s * _US_PER_S


def within_pl(spans: Iterable[Span], from_us: int, to_us: int) -> Fraction:
    """Return what spans give after the one instant and up to the other."""
    whole, parts = 0, Fraction()
    for span in spans:
        part = span.within(from_us, to_us)
        if isinstance(part, int):  # nearly all of them, and so much cheaper to add
            whole += part
        else:
            parts += part
    return parts + whole
