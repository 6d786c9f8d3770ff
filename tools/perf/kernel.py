"""The event kernel: what one bare event costs, against a loop by hand and against SimPy.

The same work three times: a few clocks, each of which does nothing at every tick but ask for its
next one.
"""

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import Any, Final

from emulator.world import World
from tools.perf.figures import Effort, Measured, Unavailable, in_turns, seconds

_CLOCKS: Final = 8
"""About as many timers as a pump at work has set."""


def against_heapq(effort: Effort) -> Measured:
    """Return us per event: this kernel, and a loop written by hand."""
    return _measured(effort, _by_hand, "heapq loop")


def against_simpy(effort: Effort) -> Measured:
    """Return us per event: this kernel, and SimPy 4. Raises Unavailable."""
    try:
        import simpy
    except ImportError:
        raise Unavailable("SimPy is not installed: pip install 'itpump[perf]'") from None

    def simpy_run(until: int) -> None:
        environment = simpy.Environment()

        def clock(period: int) -> Generator[Any, Any, None]:
            while True:
                yield environment.timeout(period)

        for period in _periods():
            environment.process(clock(period))
        environment.run(until=until)

    return _measured(effort, simpy_run, "SimPy 4")


def _measured(effort: Effort, other: Callable[[int], None], name: str) -> Measured:
    until = effort.events * _CLOCKS  # a clock ticks about once in _CLOCKS

    def us(run: Callable[[int], None]) -> Callable[[], float]:
        events = sum(until // period for period in _periods())
        return lambda: seconds(lambda: run(until)) * 1e6 / events

    return Measured(*in_turns(effort.repeats, us(_kernel), us(other)), name)


def _periods() -> range:
    return range(_CLOCKS, 2 * _CLOCKS)


def _kernel(until: int) -> None:
    world = World(0)

    def begin(period: int) -> None:
        def tick() -> None:
            timer.set(world.now_us + period)

        timer = world.timer(tick)
        timer.set(period)

    for period in _periods():
        begin(period)
    world.run_until(until)


def _by_hand(until: int) -> None:
    queue: list[tuple[int, int, Callable[[int], None]]] = []
    order = 0

    def begin(period: int) -> None:
        def tick(now: int) -> None:
            nonlocal order
            order += 1
            heappush(queue, (now + period, order, tick))

        tick(0)

    for period in _periods():
        begin(period)
    while queue[0][0] <= until:
        now, _, tick = heappop(queue)
        tick(now)
