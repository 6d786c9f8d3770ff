"""The motor: a rotor driven stroke by stroke, known exactly at every instant.

Theory of operation. Positions are integers of microstrokes (10^-6 stroke). Stroke k of a batch is
driven during the last `drive_us` before `start + k * interval`, linearly. A `Motion` says all
about how the rotor moves from one instant on, until something perturbs it: a new batch, a stop,
the power, a magnetic field, a reset. Each perturbation takes the position reached and begins a new
`Motion`; nothing is computed in between, and a batch position is always computed from the batch's
start, so no error gathers. A `Motion` says where it leads, and the next batch begins there: an
undisturbed batch costs one event, its end, and one addition.

`drawn` counts the microstrokes for which the coil had current, whether the rotor moved or not: the
battery pays for those.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from emulator.world import World
from hal.errors import HalBusy, HalUsageError
from hal.interrupts import MOTOR_DONE

STROKE: Final = 1_000_000
"""Microstrokes in a stroke."""
LOOKAHEAD_US: Final = 600_000_000
"""Longest batch: 10 min."""
INTERVAL_MIN_US: Final = 1_000
"""Shortest interval the pacing timer takes (`hal.Motor.dispense`)."""
HISTORY_US: Final = 3_600_000_000
"""How far back the rotor's position is remembered: one hour."""
_HISTORY_MAX: Final = 2048
"""Motions remembered: more than an hour of batches of 10 uL at 240 mL/day."""
NEVER: Final = 1 << 90
"""A position or charge that is never reached."""


class Motion(NamedTuple):
    """How the rotor moves from `from_us` on, were it left alone."""

    from_us: int
    end_position: int
    """Rotor position when the batch is over, microstrokes."""
    end_drawn: int
    """Microstrokes driven with power when the batch is over."""
    start_us: int
    """Start of the batch."""
    interval_us: int
    strokes: int
    """Strokes of the batch that will be driven; 0 is no batch."""
    drive_us: int
    """How long a stroke is driven."""
    moving: bool
    """The rotor follows: it has power and nothing holds it."""
    powered: bool

    def driven_at(self, t_us: int) -> int:
        """Microstrokes of the batch driven until `t_us`, moved or not."""
        whole, rest_us = divmod(t_us - self.start_us, self.interval_us)
        if whole >= self.strokes:
            return self.strokes * STROKE
        drive_us = self.drive_us
        part_us = rest_us - self.interval_us + drive_us
        return whole * STROKE + (part_us * STROKE // drive_us if part_us > 0 else 0)

    def left_at(self, t_us: int) -> int:
        """Microstrokes of the batch yet to be driven at `t_us`."""
        return self.strokes * STROKE - self.driven_at(t_us)

    def position_at(self, t_us: int) -> int:
        """Rotor position at `t_us` >= `from_us`, microstrokes."""
        return self.end_position - self.left_at(t_us) if self.moving else self.end_position

    def drawn_at(self, t_us: int) -> int:
        """Microstrokes driven with power until `t_us` >= `from_us`."""
        return self.end_drawn - self.left_at(t_us) if self.powered else self.end_drawn

    def driven_when(self, driven: int) -> int:
        """When `driven` (1..strokes * STROKE) is first reached."""
        whole, part = divmod(driven - 1, STROKE)
        part_us = -(-(part + 1) * self.drive_us // STROKE)
        return self.start_us + (whole + 1) * self.interval_us - self.drive_us + part_us

    @property
    def end_us(self) -> int:
        """When the batch ends."""
        return self.start_us + self.strokes * self.interval_us


class Motor:
    """`hal.Motor`, and the rotor behind it.

    `stroke_us` is how long a stroke is driven; with a short interval it is half the interval.
    """

    def __init__(self, world: World, raise_interrupt: Callable[[int], None], stroke_us: int):
        self._world = world
        self._raise = raise_interrupt
        self._stroke_us = stroke_us
        self._end = world.timer(self._ended)
        self._limit = world.timer(self._passed)
        self._limit_position = NEVER
        self._on_limit: Callable[[], None] = lambda: None
        self._drawn_limit = NEVER
        self._on_drawn: Callable[[], None] = lambda: None
        self._commanded = 0
        self._running = False
        self._powered = False
        self._held = False
        self.motion = Motion(0, 0, 0, 0, INTERVAL_MIN_US, 0, 1, False, False)
        self._history = deque([self.motion], _HISTORY_MAX)

    # hal.Motor

    @property
    def lookahead_us(self) -> int:
        """Longest batch this board accepts."""
        return LOOKAHEAD_US

    @property
    def running(self) -> bool:
        """True from `dispense` until MOTOR_DONE."""
        return self._running

    def dispense(self, strokes: int, interval_us: int) -> None:
        """Begin a batch now. Raises HalBusy, HalUsageError; see `hal.Motor`."""
        if self._running:
            raise HalBusy("a batch is running")
        if strokes < 1 or interval_us < INTERVAL_MIN_US:
            raise HalUsageError(f"cannot dispense {strokes} strokes every {interval_us} us")
        if strokes > 1 and strokes * interval_us > LOOKAHEAD_US:
            raise HalUsageError(f"{strokes} strokes every {interval_us} us pass the lookahead")
        world = self._world
        now_us = world.now_us
        self._running = True
        self._end.set(now_us + strokes * interval_us)
        last, powered, stroke_us = self.motion, self._powered, self._stroke_us
        moving = powered and not self._held
        self._begin(
            Motion(
                now_us,
                last.end_position + strokes * STROKE if moving else last.end_position,
                last.end_drawn + strokes * STROKE if powered else last.end_drawn,
                now_us,
                interval_us,
                strokes,
                stroke_us if stroke_us < interval_us >> 1 else interval_us >> 1,
                moving,
                powered,
            )
        )
        if world.trace is not None:
            world.record("motor", "BATCH", strokes=strokes, interval_us=interval_us)

    def stop(self) -> None:
        """Begin no further stroke; MOTOR_DONE when the one under way is finished."""
        if not self._running:
            return
        motion = self.motion
        whole, part = divmod(motion.driven_at(self._world.now_us), STROKE)
        strokes = whole + (part > 0)
        self._change(strokes=strokes)
        if part:
            self._end.set(self.motion.end_us)
        else:
            self._end.cancel()
            self._ended()

    def strokes_commanded(self) -> int:
        """Strokes driven to their end since boot, moved or not."""
        if not self._running:
            return self._commanded
        return self._commanded + self.motion.driven_at(self._world.now_us) // STROKE

    # The outside of the motor: power, magnet, reset

    def set_power(self, on: bool) -> None:
        """Close or open the supply gate, in the middle of a stroke if need be."""
        self._powered = on
        self._change()

    @property
    def powered(self) -> bool:
        """True while the supply gate is closed."""
        return self._powered

    def set_held(self, held: bool) -> None:
        """Hold the rotor, or let it go: driven or not, it does not move while held."""
        self._held = held
        self._change()

    @property
    def held(self) -> bool:
        """True while something holds the rotor."""
        return self._held

    def halt(self) -> None:
        """Forget the batch where it stands and count commanded strokes from 0: a reset."""
        self._powered = False
        self._running = False
        self._end.cancel()
        motion = self.motion
        now_us = self._world.now_us
        self._begin(
            motion._replace(
                from_us=now_us,
                end_position=motion.position_at(now_us),
                end_drawn=motion.drawn_at(now_us),
                strokes=0,
                moving=False,
                powered=False,
            )
        )
        self._commanded = 0

    # What others may ask of the rotor

    def position(self) -> int:
        """Rotor position now, microstrokes since the pump was made."""
        motion = self.motion
        if self._running:
            return motion.position_at(self._world.now_us)
        return motion.end_position

    def position_before(self, t_us: int) -> int:
        """Rotor position at an instant of the past hour, as far back as is remembered."""
        for motion in reversed(self._history):
            if motion.from_us <= t_us:
                return motion.position_at(t_us)
        first = self._history[0]
        return first.position_at(first.from_us)

    @property
    def remembered_us(self) -> int:
        """How far back `position_before` remembers."""
        return self._history[0].from_us

    def drawn(self) -> int:
        """Microstrokes driven with power until now."""
        return self.motion.drawn_at(self._world.now_us)

    def watch_position(self, position: int, callback: Callable[[], None]) -> None:
        """Run `callback` once, at the instant the rotor reaches `position`; NEVER ends it."""
        self._limit_position = position
        self._on_limit = callback
        self._plan_limit()

    def watch_drawn(self, drawn: int, callback: Callable[[], None]) -> None:
        """Run `callback` whenever a motion begins whose end draws more than `drawn`."""
        self._drawn_limit = drawn
        self._on_drawn = callback

    def save(self) -> dict[str, int]:
        """Return what outlives the process: where the rotor is and what it has drawn."""
        return {"position": self.position(), "drawn": self.drawn()}

    def restore(self, state: dict[str, int]) -> None:
        """Be where `save` found the rotor, idle."""
        motion = self.motion._replace(
            from_us=self._world.now_us, end_position=state["position"], end_drawn=state["drawn"]
        )
        self._history = deque([motion], _HISTORY_MAX)
        self._begin(motion)

    # Inside

    def _change(self, strokes: int | None = None) -> None:
        """Begin a new motion of the same batch, with the power and hold that are true now."""
        motion = self.motion
        now_us = self._world.now_us
        after = motion if strokes is None else motion._replace(strokes=strokes)
        left = after.left_at(now_us)
        powered = self._powered
        moving = powered and not self._held
        self._begin(
            after._replace(
                from_us=now_us,
                end_position=motion.position_at(now_us) + (left if moving else 0),
                end_drawn=motion.drawn_at(now_us) + (left if powered else 0),
                moving=moving,
                powered=powered,
            )
        )

    def _begin(self, motion: Motion) -> None:
        self.motion = motion
        history = self._history
        history.append(motion)
        while history[1].from_us < motion.from_us - HISTORY_US:
            history.popleft()
        if self._limit_position != NEVER:
            self._plan_limit()
        if motion.end_drawn > self._drawn_limit:
            self._on_drawn()

    def _plan_limit(self) -> None:
        """Set the timer of the position watched, when this motion reaches it."""
        motion = self.motion
        beyond = motion.end_position - self._limit_position
        if motion.position_at(motion.from_us) >= self._limit_position:
            self._limit.set(self._world.now_us)
        elif motion.moving and beyond >= 0:
            at_us = motion.driven_when(motion.strokes * STROKE - beyond)
            self._limit.set(max(self._world.now_us, at_us))
        else:
            self._limit.cancel()

    def _passed(self) -> None:
        self._limit_position = NEVER
        self._on_limit()

    def _ended(self) -> None:
        self._running = False
        self._commanded += self.motion.strokes
        if self._world.trace is not None:
            self._world.record("motor", "BATCH_END", strokes=self.motion.strokes)
        self._raise(MOTOR_DONE)
