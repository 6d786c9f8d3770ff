"""A request and its reply over a PTY, between two processes, in the clear.

The pump is `itpump run` at real time; a status is read through the programmer's own client. The
reference is the least two processes can do: as many bytes as the request has, written to a PTY by
one and written back by the other, with bare `os.read` and `os.write`.

Each end has a core of its own, as on a machine at rest, where most of an echo is waking the other
core. On one core, where a busy machine may put both ends, an echo is three times as fast. So it is
with a core that others keep awake: there the ratio says little of the pump. See the load.
"""

import json
import os
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Final

from tools.perf.figures import Effort, Measured, Unavailable, in_turns
from tools.programmer.client import Client
from tools.programmer.transport import SerialTransport

REQUEST_BYTES: Final = 21
"""A STATUS request on the wire."""
_READ_BYTES: Final = 4096
RUN: Final = "import sys; from tools.cli import main; sys.exit(main(['run', '--json']))"
_ECHO: Final = "from tools.perf.telemetry import echo; echo()"


def request_reply(effort: Effort) -> Measured:
    """Return the median us of a status read, and of an echo. Raises Unavailable."""
    with ExitStack() as stack:
        here, there = stack.enter_context(two_cores())
        os.sched_setaffinity(0, there)  # what is started inherits it
        pump = stack.enter_context(child(RUN))
        echo_path = stack.enter_context(child(_ECHO)).strip()
        os.sched_setaffinity(0, here)
        transport = SerialTransport(json.loads(pump)["port"])
        stack.callback(transport.close)
        client = Client(transport)
        client.open()
        terminal = os.open(echo_path, os.O_RDWR | os.O_NOCTTY)
        stack.callback(os.close, terminal)
        data = bytes(range(REQUEST_BYTES))

        def echoed() -> None:
            os.write(terminal, data)
            os.read(terminal, _READ_BYTES)

        count = effort.requests
        pump_us, echo_us = in_turns(
            effort.repeats,
            lambda: _median_us(count, client.status),
            lambda: _median_us(count, echoed),
        )
    return Measured(pump_us, echo_us, "raw echo")


def echo() -> None:
    """Write back all that comes on a PTY whose name is printed; end when its user has gone."""
    master, slave = os.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    data = os.read(master, _READ_BYTES)
    os.close(slave)  # the user has it open now: from here on its close is seen
    try:
        while data:
            os.write(master, data)
            data = os.read(master, _READ_BYTES)
    except OSError:
        return


@contextmanager
def two_cores() -> Iterator[tuple[set[int], set[int]]]:
    """Yield two cores to run on, each as a set; then run on all again. Raises Unavailable."""
    if not hasattr(os, "sched_getaffinity"):
        raise Unavailable("this system does not let a process choose its core")
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        raise Unavailable("two processes need two cores")
    try:
        yield {min(cores)}, {max(cores)}
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def child(code: str) -> Iterator[str]:
    """Run Python code in a process of its own; yield the first line it prints, then end it."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline()
        finally:
            process.terminate()


def _median_us(count: int, work: Callable[[], object]) -> float:
    times_ns = []
    for _ in range(count):
        began_ns = time.perf_counter_ns()
        work()
        times_ns.append(time.perf_counter_ns() - began_ns)
    return median(times_ns) / 1000
