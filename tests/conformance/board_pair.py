"""Two real processes and the line between them: `itpump board`, and `itpump run --board`.

A cable that a test can spoil may lie between the two. What is judged is the board's physical
truth, through its bench socket.
"""

import json
import math
import os
import random
import secrets
import select
import threading
import time
import tty
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from live_pump import END_S, READY_S, Spoken

from protocol.codes import (
    BolusBasal,
    BolusKind,
    Code,
    EmergencyAction,
    ProgramKind,
    RateBasis,
    RatePer,
    TxnOp,
)
from protocol.messages import (
    BolusParameters,
    Drug,
    LogRecord,
    ProgramParameters,
    Rate,
    Status,
    Therapy,
)
from tools import bench
from tools.programmer.client import Client
from tools.programmer.transport import SerialTransport, Transport

PROFILE = str(Path(__file__).with_name("fast-rotor.toml"))
STROKE_NL = 100
FILL_NL = 40_000_000
SECOND_US = 1_000_000
SILENCE_US = 500_000
STROKE_US = 20_000
LOOK_S = 0.01


def therapy(strokes_s: int, basal: BolusBasal = BolusBasal.PAUSE) -> ProgramParameters:
    """A full reservoir and a constant rate."""
    rate = Rate(RateBasis.VOLUME_PL, RatePer.HOUR, strokes_s * 3600 * STROKE_NL * 1000)
    return ProgramParameters(
        Therapy(
            (Drug("test drug", 2_000_000_000),), ProgramKind.SIMPLE_CONTINUOUS, rate, 0, 0, 0, 0,
            basal, EmergencyAction.STOP, 0,
        ),
        FILL_NL,
    )  # fmt: skip


def bolus(strokes: int, duration_us: int) -> BolusParameters:
    """Whole strokes over a time."""
    volume_pl = strokes * STROKE_NL * 1000
    return BolusParameters(BolusKind.SINGLE, RateBasis.VOLUME_PL, volume_pl, duration_us, 1)


def transact(client: Client, op: TxnOp, parameters: Any) -> None:
    """Prepare and commit."""
    client.commit(client.prepare(op, parameters, client.status().generation))


def accounted(status: Status) -> int:
    """Strokes that the controller has accounted for since the fill."""
    return (FILL_NL - status.computed_nl) // STROKE_NL


def alarms(status: Status) -> set[Code]:
    return {alarm.code for alarm in status.alarms}


class Process(Spoken):
    """One `itpump` process with `--json`; its first line of output is in `ready`."""

    def __init__(self, log: Path, *words: str) -> None:
        super().__init__(log, *words, "--json")
        try:
            self.ready = self.line()
        except BaseException:
            self.kill()
            raise

    def line(self) -> dict[str, Any]:
        """Return the next line of output."""
        fields: dict[str, Any] = json.loads(self.next_line())
        return fields

    def event(self, start: str) -> str:
        """Return the next event that begins so; others are passed over, for a while."""
        seen = []
        deadline_s = time.monotonic() + READY_S
        while time.monotonic() < deadline_s:
            text: str = self.line().get("event", "")
            if text.startswith(start):
                return text
            seen.append(text)
        pytest.fail(f"no event {start!r}, but {seen}")

    def ended(self) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(END_S)


class Board(Process):
    """`itpump board`."""

    def __init__(self, log: Path, *words: str) -> None:
        super().__init__(log, "board", "--profile", PROFILE, *words)
        self.port: str = self.ready["port"]
        self.radio: str = self.ready["telemetry"]

    def ask(self, request: str, **fields: Any) -> dict[str, Any]:
        """Ask the bench."""
        answer = bench.ask(self.ready["bench"], {"command": request, **fields})
        assert answer["ok"], answer
        result: dict[str, Any] = answer["result"]
        return result

    def truth(self) -> dict[str, Any]:
        """Return the physical truth, now."""
        return self.ask("status")

    @property
    def strokes(self) -> float:
        """Strokes that the rotor has made, parts too."""
        return float(self.truth()["truth.strokes"])

    def until(self, found: Callable[[dict[str, Any]], bool], within_s: float = 5.0) -> dict:
        """Look until the truth is so; return it. Fails the test when that takes too long."""
        deadline_s = time.monotonic() + within_s
        while not found(table := self.truth()):
            assert time.monotonic() < deadline_s, table
            time.sleep(LOOK_S)
        return table

    def until_moved(self, strokes: float) -> dict[str, Any]:
        """Look until the rotor has made so many strokes."""
        return self.until(lambda table: table["truth.strokes"] >= strokes, 10.0)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Open a clinician's session over the radio."""
        with clinician(SerialTransport(self.radio), self.radio) as client:
            yield client


@contextmanager
def clinician(
    transport: Transport, port: str, random_bits: Callable[[int], int] = secrets.randbits
) -> Iterator[Client]:
    """Open a clinician's session."""
    try:
        client = Client(transport, port=port, random_bits=random_bits)
        client.open()
        yield client
        client.close()
    finally:
        transport.close()


def log_of(client: Client, code: Code) -> list[LogRecord]:
    """Return the records of one kind, oldest first."""
    return [record for record in client.log() if record.code is code]


class Cable(threading.Thread):
    """Copies bytes between the board's port and a port of its own at `link`, as told."""

    def __init__(self, far: str, link: Path, seed: int) -> None:
        super().__init__(name="cable", daemon=True)
        self.link = link
        self.flipped = 0
        self._random = random.Random(seed)
        self._ber = 0.0
        self._gap_bits = 0
        self._free_s = 0.0
        self._far = os.open(far, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._near: tuple[int, int] | None = None
        self._held: deque[tuple[int, bytes]] = deque()
        self._lock = threading.Lock()
        self._ended = False
        self.plug()
        self.start()

    def plug(self) -> None:
        """Make the near port, as a hot-plugged adapter would come up."""
        with self._lock:
            ends = os.openpty()
            tty.setraw(ends[1])
            os.set_blocking(ends[0], False)
            self.link.symlink_to(os.ttyname(ends[1]))
            self._near = ends

    def unplug(self) -> None:
        """Take the near port away: whoever has it open finds it hung up."""
        with self._lock:
            if self._near is not None:
                self.link.unlink()
                for fd in self._near:
                    os.close(fd)
                self._near = None

    def noise(self, ber: float) -> None:
        """Flip bits both ways; 0 ends it."""
        with self._lock:
            self._ber = ber
            self._gap_bits = self._gap()

    def stall(self, for_s: float) -> None:
        """Hold back all bytes of both ways for a while; none is lost."""
        with self._lock:
            self._free_s = time.monotonic() + for_s

    def close(self) -> None:
        """End it."""
        self._ended = True
        self.join()
        self.unplug()
        os.close(self._far)

    def run(self) -> None:
        """Copy until closed."""
        while not self._ended:
            near = self._near
            fds = [self._far] if near is None else [self._far, near[0]]
            with suppress(OSError, ValueError):  # taken away meanwhile
                select.select(fds, [], [], 0.002 if self._held else LOOK_S)
            with self._lock:
                self._copy()

    def _copy(self) -> None:
        near = None if self._near is None else self._near[0]
        for to_board, fd in ((False, self._far), (True, near)):
            with suppress(OSError):
                if fd is not None and (data := os.read(fd, 4096)):
                    self._held.append((to_board, self._spoiled(data)))
        while self._held and time.monotonic() >= self._free_s:
            to_board, data = self._held.popleft()
            fd = self._far if to_board else near
            with suppress(OSError):
                if fd is not None:
                    os.write(fd, data)

    def _spoiled(self, data: bytes) -> bytes:
        if not self._ber:
            return data
        spoiled = bytearray(data)
        while self._gap_bits < len(data) * 8:
            spoiled[self._gap_bits >> 3] ^= 1 << (self._gap_bits & 7)
            self._gap_bits += 1 + self._gap()
            self.flipped += 1
        self._gap_bits -= len(data) * 8
        return bytes(spoiled)

    def _gap(self) -> int:
        if not self._ber:
            return 0
        return int(math.log(1 - self._random.random()) / math.log(1 - self._ber))
