"""One live run: a pump, its server, its bench, its output and its saved state, wired together."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from emulator.bench import Bench
from emulator.bench_socket import BenchSocket
from emulator.devices.fluid import Drug
from emulator.ports import Port
from emulator.server import Server
from hal.errors import HalBusy
from tools.emulated import EmulatedPump
from tools.run.console import Console
from tools.run.programming import Outcome, Programming
from tools.run.report import report
from tools.run.state import Saved, StateDir

SAVE_PERIOD_US: Final = 5_000_000
"""What a killed process loses at most, host time."""
_END_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Pump(NamedTuple):
    """A booted pump and what must be remembered to build it again."""

    emulated: EmulatedPump
    profile: str
    seed: int
    start_wall_s: int
    drugs: tuple[Drug, ...]


class LiveRun:
    """Everything of one run. What it opens is closed by `stack`."""

    def __init__(
        self,
        pump: Pump,
        port: Port,
        speed: int,
        bench_path: Path,
        state: StateDir | None,
        console: Console,
        stack: ExitStack,
    ) -> None:
        emulated = pump.emulated
        self._pump = pump
        self._port = port
        self._state = state
        self._console = console
        self._exit_code = 0
        self._start_us = emulated.world.now_us
        self._server = Server(emulated.world, emulated.board.link, port, speed, host_us)
        stack.callback(self._server.close)
        self._bench = Bench(self._server, emulated.board, self._report, pump.drugs)
        self._socket = BenchSocket(bench_path, self._bench.handle, self._server.selector)
        stack.callback(self._socket.close)

    def run(self, duration_us: int | None, therapy: str | None, fill_nl: int | None) -> int:
        """Serve until `duration_us` of pump time have passed or a signal; return the exit code.

        `therapy` is a file to program first, see `Programming`.
        """
        server = self._server
        if duration_us is not None:
            server.end_us = min(server.end_us, self._start_us + duration_us)
        server.every(self._console.period_us, lambda: self._console.status(self._report()))
        if self._state is not None:
            self._save()
            server.every(SAVE_PERIOD_US, self._save)
        with ended_by_signals(server.stop):
            if therapy is None:
                self._ready()
            else:
                self._program(therapy, fill_nl)
            server.run()
        if not self._exit_code:
            self._end()
        return self._exit_code

    def _ready(self) -> None:
        """From here on the port is the client's."""
        self._console.ready(port=self._port.url, bench=str(self._socket.path), seed=self._pump.seed)

    def _program(self, therapy: str, fill_nl: int | None) -> None:
        """Hold the world at its first instant until the therapy is in the pump."""
        self._server.gate_closed = True
        Programming(
            self._port.url,
            therapy,
            fill_nl,
            lambda outcome: self._server.call(lambda: self._programmed(outcome)),
        ).start()

    def _programmed(self, outcome: Outcome) -> None:
        self._server.gate_closed = False
        if outcome.exit_code:
            print(f"itpump run: {outcome.message}", file=sys.stderr)
            self._exit_code = outcome.exit_code
            self._server.stop()
        else:
            if self._state is not None:
                self._save()  # who is told that it is programmed finds it so after a kill
            self._ready()
            self._console.note(outcome.message)

    def _end(self) -> None:
        if self._state is not None:
            self._save()
        elapsed_us = self._pump.emulated.world.now_us - self._start_us
        self._console.summary(self._report(), elapsed_us)

    def _save(self) -> None:
        """Save the pump. Not while flash is being written: its end is due at this instant."""
        assert self._state is not None
        pump = self._pump
        world = pump.emulated.world
        world.run_until(world.now_us)
        try:
            board = pump.emulated.board.save()
        except HalBusy:
            return
        drugs = [(drug.name, drug.concentration_pg_ml) for drug in self._bench.drugs]
        self._state.save(Saved(pump.profile, pump.seed, pump.start_wall_s, drugs, board))

    def _report(self) -> dict[str, object]:
        return report(self._pump.emulated, self._server)


def host_us() -> int:
    """Return the host's monotonic time, µs."""
    return time.monotonic_ns() // 1000


@contextmanager
def ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal end the run cleanly."""
    before = {number: signal.signal(number, lambda *_: stop()) for number in _END_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
