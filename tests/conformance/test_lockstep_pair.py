"""The board in a process of its own, in virtual time: every run the same, and as in one process."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import NamedTuple

from board_pair import (
    FILL_NL,
    PROFILE,
    SECOND_US,
    STROKE_NL,
    Board,
    accounted,
    bolus,
    clinician,
    therapy,
    transact,
)

from emulator.devices.motor import STROKE
from emulator.devices.plant import PlantSetup
from emulator.profile import Profile
from hal.serial_board.lockstep import LockstepStream
from hal.serial_board.port import SerialPort
from protocol.codes import Code, TxnOp
from protocol.messages import LogRecord, Status
from tools.emulated import build_pump
from tools.programmer.client import Client
from tools.scenario.transport import WorldTransport
from tools.serial_pump import SerialPump

WALL_S = 852_454_800
LOOK_US = 5_000
BASAL_S = 4


class Lockstep:
    """A controller in this process on a board in another one, in the board's time."""

    def __init__(self, board: Board, port: SerialPort) -> None:
        self.board = board
        self.stream = LockstepStream(port)
        self.records: list[LogRecord] = []
        self.turns: list[tuple[int, int, int]] = []
        self.pump = SerialPump(
            self.stream,
            Profile.load(PROFILE).device,
            wall_s=lambda: WALL_S,
            random_bits=random.Random(1).getrandbits,
            entropy=random.Random(2).randbytes,
            on_record=self.records.append,
        )
        self.pump.attach()

    def turn(self, until_us: int) -> None:
        """Let the controller run, and note what it saw."""
        self.pump.turn(until_us)
        board = self.pump.board
        seen = (self.stream.now_us(), board.motor.strokes_commanded(), board.encoder.moved().value)
        self.turns.append(seen)

    def run(self, for_us: int) -> None:
        """Let the pump be for a while."""
        until_us = self.stream.now_us() + for_us
        while self.stream.now_us() < until_us:
            self.turn(until_us)


class Radio:
    """`tools.programmer.transport.Transport`, through the board's real radio, in its time.

    Bytes cross in the host's time and at one instant of the board's: the bench says how many have.
    """

    def __init__(self, pump: Lockstep) -> None:
        self._pump = pump
        self._port = SerialPort(pump.board.radio)
        counts = pump.board.truth()
        self._sent, self._taken = counts["radio.received_bytes"], counts["radio.sent_bytes"]

    def now_us(self) -> int:
        return self._pump.stream.now_us()

    def write(self, data: bytes) -> None:
        assert self._port.write(data) == len(data)
        self._sent += len(data)
        self._pump.board.until(lambda table: table["radio.received_bytes"] == self._sent)

    def read(self, timeout_us: int) -> bytes:
        until_us = self.now_us() + timeout_us
        while not (data := self._take()) and self.now_us() < until_us:
            self._pump.turn(min(until_us, self.now_us() + LOOK_US))
        return data

    def close(self) -> None:
        self._port.close()

    def _take(self) -> bytes:
        """Return exactly what the board has sent by now."""
        sent = self._pump.board.truth()["radio.sent_bytes"]
        data = b""
        while len(data) < sent - self._taken:
            self._port.wait(self._port.now_us() + SECOND_US)
            data += self._port.read(sent - self._taken - len(data))
        self._taken = sent
        return data


class Run(NamedTuple):
    """All that a run can be compared by."""

    strokes: list[int]
    status: Status
    repeated: int
    truth: dict[str, object]
    records: list[LogRecord]
    turns: list[tuple[int, int, int]]


Open = Callable[[], AbstractContextManager[Client]]


def scenario(session: Open, run: Callable[[int], None], strokes: Callable[[], int]) -> list[int]:
    """Basal, a bolus in its place, basal again; return the strokes in the middle of each."""
    counts = []
    with session() as client:
        transact(client, TxnOp.PROGRAM, therapy(BASAL_S))
    run(3_100_000)
    counts.append(strokes())
    with session() as client:
        transact(client, TxnOp.BOLUS, bolus(24, 2_400_000))
    run(1_000_000)
    counts.append(strokes())
    run(31_400_000)
    counts.append(strokes())
    return counts


def in_lockstep(log: Path, ber: str | None = None) -> Run:
    board = Board(log, "--lockstep", "--seed", "1")
    try:
        with closing(SerialPort(board.port)) as port:
            pump = Lockstep(board, port)
            if ber is not None:
                board.ask("inject", fault="line.noise", parameters={"ber": ber})
            random_bits = random.Random(3).getrandbits

            def session() -> AbstractContextManager[Client]:
                return clinician(Radio(pump), "radio", random_bits)

            strokes = scenario(session, pump.run, lambda: int(board.strokes))
            assert pump.pump.firmware is not None
            status = pump.pump.firmware.status()
            repeated = pump.pump.board.line.repeated
            return Run(strokes, status, repeated, board.truth(), pump.records, pump.turns)
    finally:
        board.kill()


def in_one_process() -> Run:
    pump = build_pump(Profile.load(PROFILE), PlantSetup(FILL_NL * 1000), 1, WALL_S)
    pump.board.power_on()
    strokes = scenario(
        lambda: clinician(WorldTransport(pump), "pump"),
        lambda for_us: pump.world.run_until(pump.world.now_us + for_us),
        lambda: pump.board.motor.position() // STROKE,
    )
    return Run(strokes, pump.firmware.status(), 0, {}, [], [])


def test_two_runs_are_the_same_and_deliver_what_one_process_does(tmp_path: Path) -> None:
    first = in_lockstep(tmp_path / "first.log")
    assert first.strokes == in_one_process().strokes == [12, 12 + 10, 12 + 24 + 120]
    assert accounted(first.status) == first.strokes[-1]
    assert not first.status.alarms
    assert first.repeated == 0
    assert in_lockstep(tmp_path / "second.log") == first


def test_noise_is_the_same_noise_twice_and_costs_no_stroke(tmp_path: Path) -> None:
    first = in_lockstep(tmp_path / "first.log", "0.0001")
    (done,) = [record for record in first.records if record.code is Code.BOLUS_DONE]
    assert done.a == 24 * STROKE_NL
    assert accounted(first.status) == first.strokes[-1]
    assert first.repeated > 10
    assert in_lockstep(tmp_path / "second.log", "0.0001") == first
