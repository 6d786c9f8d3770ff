"""Invariants: what holds in every run, whatever is done to the pump, watched at every event.

Theory of operation. There are two tables. `MOVED` is what the rotor alone can show, judged whenever
it has moved. `SAID` is what the pump says of itself, judged whenever it has logged something and
after six quiet hours: a status costs as much as twenty wakes, and between two records it tells
nothing new. Watching changes nothing. A count that is not 0 is a bug in itpump.

Volumes are the rotor's strokes, so a plant that gives more than its rotor says violates nothing.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from emulator.devices.motor import STROKE
from emulator.ledger import KEPT
from firmware.flow import HOUR_US
from firmware.modes import PUMPING
from firmware.program import program_of
from protocol.codes import BolusKind, LockoutFrom, Mode, ProgramKind
from protocol.messages import LogRecord, Status, Therapy
from tools.emulated import EmulatedPump

QUIET_US: Final = 6 * HOUR_US
"""The longest without a look at the status."""
STANDING: Final = frozenset(Mode) - PUMPING
"""Modes in which no stroke is begun."""
WINDOW_FREE: Final = (Mode.PRIME, Mode.BRIDGE)
"""Modes whose volume is no dose and counts in no window."""
_SECOND_US: Final = 1_000_000


class Invariants:
    """Watches one pump. Its public attributes are what the tables read."""

    def __init__(self, pump: EmulatedPump) -> None:
        self.pump = pump
        self.motor = pump.board.motor
        self.stroke_pl = pump.config.stroke_pl
        self.violations: list[str] = []
        """The first of what did not hold, in words; the ledgers' are in the books."""
        self._count = 0
        self._firmware: object = None
        self.boot_position = 0
        """Where the rotor was when this boot began, microstrokes."""
        self.status = self.before = pump.firmware.status()
        """What the pump says, and what it said at the look before."""
        self.looked_us = self.before_us = 0
        """World time of these two."""
        self.therapy: Therapy = pump.firmware.prescription().therapy
        """The prescription in force."""
        self.standing: int | None = None
        """Where the rotor was when the pump was first seen standing; None while it delivers."""
        self.window: deque[tuple[int, int]] = deque()
        """(world time, rotor position) as far back as the prescribed window reaches."""
        self.plain: tuple[int, int] | None = None
        """(wall clock in s, position) since when nothing but the program's basal flows."""
        self._logged = False
        self._last = (0, 0)

    @property
    def count(self) -> int:
        """How often something did not hold, the ledgers included."""
        return self._count + self.pump.books.violated()

    def watch(self) -> None:
        """Watch every event from now on, the books' among them."""
        self.pump.world.watch = self.look
        self.pump.taps.append(self.take)

    def take(self, record: LogRecord) -> None:
        """Take a record of the controller's log: within a boot, numbers rise by one."""
        boot_id, seq = self._last
        if record.boot_id < boot_id or (record.boot_id == boot_id and record.seq != seq + 1):
            self._violated(f"log: record {record.seq} of boot {record.boot_id} after {self._last}")
        self._last = record.boot_id, record.seq
        self._logged = True

    def look(self) -> None:
        """Judge what an event has done."""
        pump = self.pump
        moved = pump.books.check_moved()
        now_us = pump.world.now_us
        if self._firmware is not pump.firmware:
            self._firmware, self.boot_position = pump.firmware, self.motor.position()
        # A standing pump that moves is asked first: it may have been told to go on.
        due = self._logged or now_us - self.looked_us >= QUIET_US
        if (due or (moved and self.standing is not None)) and pump.board.powered:
            self._ask(now_us, self.motor.position())
        if moved:
            if self.therapy.window_s and self.status.mode not in WINDOW_FREE:
                self._remember(now_us, self.motor.position())
            self._judge(MOVED)

    def _ask(self, now_us: int, position: int) -> None:
        """Look at the status, and judge it."""
        quiet, self._logged = not self._logged, False
        self.before, self.before_us = self.status, self.looked_us
        self.status, self.looked_us = self.pump.firmware.status(), now_us
        status, before = self.status, self.before
        if _prescribed(status) != _prescribed(before) or not self.therapy.drugs:
            self.therapy = self.pump.firmware.prescription().therapy
            self.window.clear()
        if {status.mode, before.mode} & set(WINDOW_FREE):
            self.window.clear()
        if status.mode not in STANDING:
            self.standing = None
        elif self.standing is None:
            self.standing = position
        alone = status.mode is Mode.BASAL and status.bolus is BolusKind.NONE
        if not alone or self.therapy.program is ProgramKind.PERIODIC:
            self.plain = None
        elif self.plain is None or not quiet:
            self.plain = status.wall_s, position
        self._judge(SAID)

    def _remember(self, now_us: int, position: int) -> None:
        window, from_us = self.window, now_us - self.therapy.window_s * _SECOND_US
        if window and window[-1][0] == now_us:
            window.pop()
        window.append((now_us, position))
        while len(window) > 1 and window[1][0] <= from_us:
            window.popleft()

    def _judge(self, table: dict[str, Callable[["Invariants"], str]]) -> None:
        for name, found in table.items():
            if what := found(self):
                self._violated(f"{name}: {what}")

    def _violated(self, what: str) -> None:
        self._count += 1
        if len(self.violations) < KEPT:
            self.violations.append(f"{self.pump.world.now_us} us: {what}")


def _prescribed(status: Status) -> tuple[int, int]:
    """What tells one prescription from another: a scheduled change gets its number late."""
    return status.generation, status.pending_wall_s


# --- what the rotor shows -------------------------------------------------------------------------


def _commanded(seen: Invariants) -> str:
    motor = seen.motor
    moved = motor.position() - seen.boot_position
    commanded = motor.strokes_commanded() + motor.running
    return f"{moved / STROKE} strokes, {commanded} commanded" if moved > commanded * STROKE else ""


def _standing(seen: Invariants) -> str:
    if seen.standing is None or seen.motor.position() - seen.standing <= STROKE:
        return ""
    return f"{seen.status.mode.name}, and the rotor turns"


def _window(seen: Invariants) -> str:
    if len(seen.window) < 2:
        return ""
    (before_us, before), (after_us, after) = islice(seen.window, 2)
    now_us, position = seen.window[-1]
    # Looks are a batch apart, and inside a batch strokes are evenly spaced.
    into_us = max(0, now_us - seen.therapy.window_s * _SECOND_US - before_us)
    left = before + (after - before) * min(into_us, after_us - before_us) // (after_us - before_us)
    strokes = (position - left) // STROKE
    limit_pl = seen.therapy.window_nl * 1000
    over = strokes * seen.stroke_pl - limit_pl >= 2 * seen.stroke_pl
    return f"{strokes} strokes within a window of {limit_pl} pL" if over else ""


MOVED: Final[dict[str, Callable[[Invariants], str]]] = {
    "the rotor makes no more strokes than were commanded": _commanded,
    "a pump that stands finishes the stroke under way and begins none": _standing,
    "no window holds more than its limit and a stroke": _window,
}
"""Judged when the rotor has moved; each returns what is wrong, or nothing."""


# --- what the pump says ---------------------------------------------------------------------------


def _computed(seen: Invariants) -> str:
    computed_nl = seen.status.computed_nl
    return f"{computed_nl} nL" if computed_nl < 0 else ""


def _accounted(seen: Invariants) -> str:
    strokes = seen.motor.position() // STROKE
    accounted_pl = seen.status.delivered_nl * 1000
    if accounted_pl + 1000 > strokes * seen.stroke_pl:  # said in whole nL
        return ""
    return f"{strokes} strokes made, {accounted_pl} pL accounted for"


def _wished(seen: Invariants) -> str:
    if seen.plain is None:
        return ""
    config, (from_s, position) = seen.pump.config, seen.plain
    from_us, to_us = from_s * _SECOND_US, (seen.status.wall_s + 1) * _SECOND_US
    owed, per = program_of(seen.therapy, config).volume_pl(from_us, to_us)
    strokes = (seen.motor.position() - position) // STROKE
    over = (strokes - 1) * seen.stroke_pl * per > owed
    return f"{strokes} strokes since {from_s} s, {owed / per} pL were programmed" if over else ""


def _still(seen: Invariants) -> str:
    status = seen.status
    flows = status.mode in STANDING and status.rate_numerator_pl
    return f"{status.mode.name}, and {status.rate_numerator_pl} pL flow" if flows else ""


def _empty(seen: Invariants) -> str:
    status = seen.status
    dry = not status.computed_nl and status.mode in PUMPING
    return f"{status.mode.name} on nothing" if dry else ""


def _lockout(seen: Invariants) -> str:
    before, after = seen.before, seen.status
    if _prescribed(before) != _prescribed(after) or not before.lockout_s:
        return ""
    if seen.therapy.patient.lockout_from is LockoutFrom.END and before.bolus is BolusKind.PATIENT:
        return ""  # it was to end later than it did
    until_us = seen.before_us + before.lockout_s * _SECOND_US
    now_until_us = seen.looked_us + (after.lockout_s + 1) * _SECOND_US
    shorter = seen.looked_us < until_us - _SECOND_US and now_until_us < until_us
    return f"until {until_us} us, then {now_until_us} us" if shorter else ""


SAID: Final[dict[str, Callable[[Invariants], str]]] = {
    "the computed volume is never below nothing": _computed,
    "no stroke is missing from the pump's account": _accounted,
    "the basal gives no more than was programmed, and a stroke": _wished,
    "nothing flows in a pump that stands": _still,
    "a pump whose computed volume is used up stands": _empty,
    "a lockout is never shortened": _lockout,
}
"""Judged when the pump has logged something, and every six quiet hours."""
