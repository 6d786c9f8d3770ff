"""Where a scenario plays: the board, the rows it fills, and what every scenario asks at its end."""

from collections.abc import Callable
from dataclasses import dataclass

from emulator.profile import Profile
from hal.board import Board
from hal.interrupts import NONE
from tools.hil.checks import Check, Judge, Tolerances, Verdict
from tools.hil.lateness import LOOK_US, Lateness
from tools.hil.pump import HostLate, PumpOnBoard
from tools.hil.schedule import Schedule
from tools.hil.target import Hand, Target


class Stage:
    """One scenario under way."""

    def __init__(
        self, name: str, target: Target, profile: Profile, tolerances: Tolerances, hint: str
    ) -> None:
        self.target = target
        self.board = target.board
        self.profile = profile
        self.judge = Judge(name, tolerances, hint)
        self.lateness = Lateness(target)
        self.strokes: int | None = None
        """Strokes delivered, by the encoder; the same on every board."""
        self.truth: int | None = None
        """Strokes in truth when a scenario without a controller began."""

    def pump(self) -> PumpOnBoard:
        """Put a factory-fresh controller on the board."""
        return PumpOnBoard(self.target, self.profile, self.lateness)

    def ended(self) -> None:
        """Say that what differs is the board's doing. Raises HostLate when it may be the machine's.

        The tolerances hold as long as the machine takes no more than the margin in them.
        """
        late_us = self.lateness.worst_us
        differs = any(check.verdict is Verdict.DIFFERS for check in self.judge.checks)
        if differs and self.target.real_time and late_us > self.judge.tolerances.margin_us:
            raise HostLate(f"{late_us / 1000:.1f} ms")

    def before(self, limit_us: int) -> None:
        """Say that what follows makes sense until then only. Raises HostLate."""
        late_us = self.target.now_us() + self.judge.tolerances.rtt_us - limit_us
        if late_us > 0 and self.target.real_time:
            raise HostLate(f"{late_us / 1000:.1f} ms")

    def ready(self, pump: PumpOnBoard, schedule: Schedule, stroke: int, limit_us: int) -> None:
        """Go on once a stroke is seen, if it is not too late by then. Raises HostLate.

        One that is not told when it must be differs.
        """
        told_us = schedule.due_us(stroke) + self.judge.tolerances.stroke_us
        while pump.strokes < stroke and self.target.now_us() < min(told_us, limit_us):
            pump.run(LOOK_US)
        if pump.strokes < stroke and self.target.now_us() >= told_us:
            self.judge.failed(f"stroke {stroke}", "moved", "not seen")
        else:
            self.before(limit_us)

    def stop_after(self, pump: PumpOnBoard, schedule: Schedule, stroke: int) -> None:
        """Stop a quarter of an interval after a stroke is due, when the next is not driven yet.

        Raises HostLate when the stop came after half of the interval.
        """
        due_us, next_us = schedule.due_us(stroke), schedule.due_us(stroke + 1)
        pump.run_until(due_us + (next_us - due_us) // 4)
        schedule.stop(pump.stop())
        self.before(due_us + (next_us - due_us) // 2)
        pump.run(2 * (next_us - due_us))

    def delivered(self, pump: PumpOnBoard, strokes: int) -> None:
        """Judge what moved: by the encoder, by the controller's account, and in truth."""
        self.strokes = pump.strokes
        judge = self.judge
        judge.equal("strokes by the encoder", strokes, pump.strokes)
        judge.equal("strokes by the controller's account", strokes, pump.accounted)
        if pump.truth is not None:
            judge.equal("strokes in truth", strokes, pump.truth)

    def timed(self, pump: PumpOnBoard, schedule: Schedule, *strokes: int, before: int = 0) -> None:
        """Judge when strokes of the schedule ended; `before` strokes were made ahead of it."""
        for stroke in strokes:
            place = before + stroke - 1
            if place < len(pump.seen):
                began_us = schedule.began_us
                after_us, by_us = pump.seen[place]
                self.judge.instant(
                    f"stroke {before + stroke}",
                    schedule.due_us(stroke) - began_us,
                    (after_us - began_us, by_us - began_us),
                    self.judge.tolerances.stroke_us,
                )
            else:
                self.judge.failed(f"stroke {before + stroke}", "moved", "not seen")

    # Without a controller: the kit drives the board itself

    def wait(self, bits: int, within_us: int, board: Board | None = None) -> int:
        """Return how long it took until one of `bits` was raised; `within_us` when none was."""
        board = board or self.board
        clock = board.clock
        start_us = clock.now_us()
        while clock.now_us() < start_us + within_us:
            if self.lateness.look_at(board, start_us + within_us) & bits:
                return clock.now_us() - start_us
        return within_us

    def collect(self, for_us: int) -> int:
        """Let time pass; return all bits that were raised."""
        deadline_us = self.board.clock.now_us() + for_us
        bits = NONE
        while self.board.clock.now_us() < deadline_us:
            bits |= self.lateness.look_at(self.board, deadline_us)
        return bits

    @property
    def moved(self) -> int:
        """Strokes on the encoder."""
        return self.board.encoder.moved().value


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table of scenarios."""

    name: str
    what: str
    """What must hold, one line."""
    play: Callable[[Stage], None]
    hint: str
    """Where a board maker looks when it does not."""
    needs: frozenset[Hand] = frozenset()


@dataclass(frozen=True, slots=True)
class Played:
    """A scenario that was played."""

    scenario: Scenario
    checks: list[Check]
    strokes: int | None
    board_us: int
    """How much time it took, board's."""
    tries: int
    """More than 1: the host was late before."""
