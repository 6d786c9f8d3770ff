"""Real `itpump` processes, with a deadline, a log and a clean stop."""

import io
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import pytest

from tools import cli
from tools.programmer.client import Client
from tools.programmer.transport import SerialTransport

ROOT = Path(__file__).parents[2]
READY_S = 20.0
"""Far above the 0.8 s it may take: the machine may be busy, the test must not be flaky."""
END_S = 30.0

THERAPY = """
[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "simple_continuous"
dose_per_day = "300 ug"
reservoir_fill = "40 mL"
low_reservoir_alarm = "2 mL"
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tools.cli", *words]


def itpump(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*words), cwd=ROOT, capture_output=True, text=True, timeout=END_S, check=False
    )


class Spoken:
    """One running `itpump` process, which says something line by line."""

    def __init__(self, log: Path, *words: str) -> None:
        self.log = log
        self.buffer = b""
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                command(*words), cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr
            )
        assert self.process.stdout is not None
        self._stdout = self.process.stdout.fileno()

    def next_line(self) -> str:
        """Return the next line of output; fails the test when none comes in time."""
        deadline_s = time.monotonic() + READY_S
        while b"\n" not in self.buffer:
            left_s = max(0.0, deadline_s - time.monotonic())
            if not select.select([self._stdout], [], [], left_s)[0]:
                pytest.fail(f"nothing is said; log: {self.log.read_text()}")
            data = os.read(self._stdout, 65536)
            if not data:
                pytest.fail(f"the process has ended; log: {self.log.read_text()}")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode()

    def kill(self) -> None:
        """End it without asking, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Emulator(Spoken):
    """One running `itpump run`."""

    def __init__(self, log: Path, *words: str) -> None:
        super().__init__(log, "run", *words)
        ready = self.next_line()
        fields = (
            json.loads(ready)
            if ready.startswith("{")
            else dict(part.split("=", 1) for part in ready.split())
        )
        self.port: str = fields["port"]
        self.bench: str = fields["bench"]
        self.seed = int(fields["seed"])

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, list[str]]:
        """Send a signal; return the exit code and the rest of the output."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, list[str]]:
        """Wait for the end; return the exit code and the rest of the output."""
        rest, _ = self.process.communicate(timeout=END_S)
        return self.process.returncode, (self.buffer + rest).decode().splitlines()

    def ask(self, *words: str) -> dict[str, object]:
        """Run a bench command, without a process of its own, and return its answer."""
        printed = io.StringIO()
        with redirect_stdout(printed):
            code = cli.main(["bench", "--port", self.bench, *words, "--json"])
        assert code == 0, words
        answer: dict[str, object] = json.loads(printed.getvalue())
        return answer

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Open a clinician's session on the port."""
        transport = SerialTransport(self.port)
        try:
            client = Client(transport, port=self.port)
            client.open()
            yield client
            client.close()
        finally:
            transport.close()
