"""The program in force and the wall clock: which flow now, when another one, when another program.

The schedule aims at three instants, in boot time: the next edge of the program (`edge_us`), the
takeover of a scheduled change (`pending_us`), and the next look at the clock (see `wall_clock`).
The first of them is `timer_us`; then `step` says what has come.

How exact: an edge is never early. It is exact when the pump booted with the RTC's second, or when
the clock was set since; else it is late by less than 1 s until the clock has been looked at ten
times, and by less than 1 ms from then on. An edge that is noticed late (a stroke was under way, the
controller was busy) is still said with its own instant, so no volume is lost; only when the clock
itself was moved is now the instant.

A program without edges that nothing is scheduled for, and that has no periodic bolus, does not look
at the clock at all.
"""

from firmware.alarms import NEVER_US
from firmware.device import DeviceConfig
from firmware.flow import ZERO, Flow
from firmware.prescription import Stored
from firmware.program import Cadence, constant, program_of
from firmware.wall_clock import WallClock
from hal.board import Board
from protocol.codes import ProgramKind

_SECOND_US = 1_000_000


class Schedule:
    """Aims at what the wall clock brings."""

    def __init__(self, board: Board, config: DeviceConfig) -> None:
        self._config = config
        self.wall = WallClock(board.clock, board.rtc)
        self.program = constant(ZERO)
        """The basal in force."""
        self.flow: Flow = ZERO
        """Its flow now."""
        self.cadence: Cadence | None = None
        """The instants of the periodic boluses, boot time; None where there are none."""
        self.edge_us = self.pending_us = self.timer_us = NEVER_US
        self.takeover = False
        """True when `step` has found the instant of the scheduled change."""
        self._edge_s = self._pending_s = 0
        self._by_clock = False
        """True when what is stored looks at the wall clock at all."""

    def load(self, stored: Stored, now_us: int, begin: bool) -> None:
        """Aim by a stored prescription; `begin`: its program begins now."""
        self.program = program_of(stored.therapy, self._config)
        self.flow = self.program.flow_at(0)
        self._pending_s = stored.pending_wall_s
        self.takeover = False
        self.edge_us = self.pending_us = self.timer_us = NEVER_US
        periodic = stored.therapy.program is ProgramKind.PERIODIC
        if not periodic:
            self.cadence = None
        edges = self.program.next_edge_s(0) is not None
        self._by_clock = periodic or edges or self._pending_s != 0
        if self._by_clock:
            self.wall.look(now_us)
            self._aim(self.wall_s(now_us), now_us)
        if periodic and (begin or self.cadence is None):
            first_us = self.wall.boot_us(stored.periodic_wall_s)
            every_us = stored.therapy.periodic.every_s * _SECOND_US
            self.cadence = Cadence(max(first_us, now_us) if begin else first_us, every_us)

    def step(self, now_us: int) -> int:
        """Something has come: aim anew; return the instant since when `flow` holds.

        Or, with `takeover` set, the instant at which the scheduled change takes over.
        """
        fits = self.wall.look(now_us)
        at_us = min(self.edge_us, self.pending_us, now_us) if fits else now_us
        self.takeover = fits and self.pending_us == at_us
        if not self.takeover:
            # One edge at a time, so that each of several that are overdue has its own instant.
            edge = fits and self.edge_us == at_us
            self._aim(self._edge_s if edge else self.wall_s(now_us), now_us)
        return at_us

    @property
    def change_us(self) -> int:
        """When the flow may change next: strokes due later wait for it."""
        return min(self.edge_us, self.pending_us)

    def wall_s(self, at_us: int) -> int:
        """Return the wall clock's second at a boot time, as far as it has been looked at."""
        return self.wall.wall_us(at_us) // _SECOND_US

    def set_clock(self, wall_s: int, now_us: int) -> None:
        """Set the wall clock and aim anew. The cadence is monotonic and stays."""
        self.wall.set_s(wall_s)
        if self._by_clock:
            self._aim(wall_s, now_us)

    def end(self) -> None:
        """Aim at nothing any more."""
        self._by_clock = False
        self.edge_us = self.pending_us = self.timer_us = NEVER_US

    def _aim(self, wall_s: int, now_us: int) -> None:
        """`flow` is that of this second; find what comes next."""
        self.flow = self.program.flow_at(wall_s)
        edge_s = self.program.next_edge_s(wall_s)
        self._edge_s = edge_s or 0
        self.edge_us = NEVER_US if edge_s is None else self.wall.boot_us(edge_s)
        self.pending_us = NEVER_US
        if self._pending_s:
            self.pending_us = max(now_us, self.wall.boot_us(self._pending_s))
        self.timer_us = min(self.edge_us, self.pending_us, self.wall.timer_us(now_us))
