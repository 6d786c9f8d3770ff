"""A request and its reply over a PTY, between two processes, in the clear.

The pump is `itpump run` at real time; a status is read through the programmer's own client. The
reference is the least two processes can do: as many bytes as the request has, written to a PTY by
one and written back by the other, with bare `os.read` and `os.write`.
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

from tools.perf.figures import Effort, Measured, in_turns
from tools.programmer.client import Client
from tools.programmer.transport import SerialTransport

REQUEST_BYTES: Final = 21
"""A STATUS request on the wire."""
_READ_BYTES: Final = 4096
RUN: Final = "import sys; from tools.cli import main; sys.exit(main(['run', '--json']))"
_ECHO: Final = "from tools.perf.telemetry import echo; echo()"


def request_reply(effort: Effort) -> Measured:
    """Return the median us of a status read, and of an echo."""
    with ExitStack() as stack:
        pump = stack.enter_context(child(RUN))
        transport = SerialTransport(json.loads(pump)["port"])
        stack.callback(transport.close)
        client = Client(transport)
        client.open()
        terminal = os.open(stack.enter_context(child(_ECHO)).strip(), os.O_RDWR | os.O_NOCTTY)
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
