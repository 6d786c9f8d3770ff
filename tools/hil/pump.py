"""The controller on the board under test, the programmer beside it, and a log of what moved.

The controller is the real one, programmed by the real client. What the encoder shows is noted with
the time it was sampled: each stroke was seen to end after the sample before it and by its own.
"""

import random
from typing import Final

from emulator.profile import Profile
from firmware.controller import Firmware
from firmware.device import Identity
from hal.interrupts import FLASH_DONE, FLASH_FAILED, NONE
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
    Empty,
    LogRecord,
    Preview,
    ProgramParameters,
    Rate,
    Status,
    Therapy,
    TxnResult,
)
from tools.hil.lateness import LOOK_US, Lateness
from tools.hil.radio import BoardWithRadio, LocalRadio, RadioTransport
from tools.hil.target import Target
from tools.programmer.client import Client
from tools.programmer.journal import Journal

START_WALL_S: Final = 852_454_800
"""2027-01-04T09:00:00: the board's wall clock is set to this, and service life begins then."""
FILL_NL: Final = 20_000_000
DAY_US: Final = 86_400_000_000
_ERASE_US: Final = 5_000_000
"""Longest that the erase of one sector may take."""
_WATER: Final = Drug("water", 1_000_000_000)


class HostLate(Exception):
    """This machine did not act in time: nothing can be said of the board."""


class FlashStuck(Exception):
    """The board's flash does not erase."""


class PumpOnBoard:
    """One pump: a factory-fresh controller on the board, until the next reset."""

    def __init__(self, target: Target, profile: Profile, lateness: Lateness) -> None:
        """Attach, erase what the flash holds, set the wall clock, boot."""
        self._lateness = lateness
        self.target = target
        self.board = target.board
        self.stroke_nl = profile.device.stroke_nl
        self._config = profile.device
        self._random_bits = random.Random(1).getrandbits
        self._journal = Journal(self._random_bits)
        self._radio = LocalRadio()
        self._view = BoardWithRadio(self.board, self._radio)
        self.log: list[tuple[int, LogRecord]] = []
        """Every record the controller made, with the kit's time."""
        self.seen: list[tuple[int, int]] = []
        """For each stroke the instants between which it was seen to end."""
        self._count: int | None = None
        self._sampled_us = 0
        erase_all(target, lateness)
        target.attach()
        self.board.rtc.set_s(START_WALL_S)
        self._truth = target.truth_strokes()
        self._start()

    # --- lives of the controller ----------------------------------------------------------------

    def boot(self) -> None:
        """The controller has died: a new one takes the board over."""
        self.target.attach()
        self._start()

    def power_cycle(self) -> None:
        """The board loses its power and gets it back; a new controller takes it over."""
        self.target.power_cycle()
        self._count = None  # it may go on from what the controller takes for moved
        self._start()

    def _start(self) -> None:
        self._radio.interrupts()
        self._origin_us = self.target.now_us() - self.board.clock.now_us()
        if self._count is None or self.board.encoder.moved().value < self._count:
            self._count = self.board.encoder.moved().value
            self._sampled_us = self.target.now_us()
        self.boot_us = self.target.now_us()
        """When the controller of this life began."""
        self.firmware = Firmware(
            self._view, self._config, Identity("HIL", START_WALL_S), self._record
        )
        self._deadline_us = self.firmware.start()
        self._observe()
        transport = RadioTransport(self._radio, self.target.now_us, self._step)
        self.client = Client(transport, self._journal, random_bits=self._random_bits)

    def _record(self, record: LogRecord) -> None:
        self.log.append((self.target.now_us(), record))

    # --- time -----------------------------------------------------------------------------------

    def run_until(self, until_us: int) -> None:
        """Let the pump run until the kit's time is this."""
        while self.target.now_us() < until_us:
            self._step(until_us)

    def run(self, for_us: int) -> None:
        """Let the pump run this long."""
        self.run_until(self.target.now_us() + for_us)

    def _step(self, until_us: int) -> None:
        """Run to the next thing that happens, at most for `LOOK_US`."""
        now_us = self.target.now_us()
        bits = self._radio.interrupts()
        deadline_us = self._origin_us + self._deadline_us
        look_us = now_us if bits else max(now_us, min(until_us, now_us + LOOK_US, deadline_us))
        with self._lateness.look(look_us):
            if not bits:
                bits = self._view.wait_for_interrupt(look_us - self._origin_us)
                self._observe()
            if bits or self.board.clock.now_us() >= self._deadline_us:
                self._deadline_us = self.firmware.service(bits)

    def _observe(self) -> None:
        assert self._count is not None
        sample = self.board.encoder.moved()
        taken_us = self._origin_us + sample.taken_us
        while self._count < sample.value:
            self._count += 1
            self.seen.append((self._sampled_us, taken_us))
        self._sampled_us = max(self._sampled_us, taken_us)

    # --- the clinician --------------------------------------------------------------------------

    def program(
        self,
        interval_us: int,
        *,
        fill_nl: int = FILL_NL,
        low_nl: int = 0,
        basal: BolusBasal = BolusBasal.CONTINUE,
    ) -> int:
        """Prescribe a stroke each interval; return when the controller took it over."""
        rate = Rate(RateBasis.VOLUME_PL, RatePer.DAY, self.stroke_nl * 1000 * DAY_US // interval_us)
        therapy = Therapy(
            (_WATER,), ProgramKind.SIMPLE_CONTINUOUS, rate, low_nl, 0, 0, 0, basal,
            EmergencyAction.STOP, 0,
        )  # fmt: skip
        self._transact(TxnOp.PROGRAM, ProgramParameters(therapy, fill_nl))
        return self.at(Code.PROGRAM_COMMITTED)

    def bolus(self, strokes: int, duration_us: int) -> tuple[int, int]:
        """Order a bolus; return its transaction and when the controller began it."""
        volume_pl = strokes * self.stroke_nl * 1000
        parameters = BolusParameters(
            BolusKind.SINGLE, RateBasis.VOLUME_PL, volume_pl, duration_us, 1
        )
        preview = self._transact(TxnOp.BOLUS, parameters)
        return preview.txn, self.at(Code.BOLUS_STARTED)

    def stop(self) -> int:
        """Stop; return when the controller did."""
        self._open()
        self.client.stop()
        return self.at(Code.STOPPED)

    def resume(self) -> int:
        """Resume; return when the controller did."""
        self._transact(TxnOp.RESUME, Empty())
        return self.at(Code.RESUMED)

    def query(self, txn: int) -> TxnResult:
        """Ask how far a transaction is."""
        self._open()
        return self.client.query(txn)

    def _open(self) -> None:
        if self.client.session is None:
            self.client.open()

    def _transact(self, op: TxnOp, parameters: object) -> Preview:
        self._open()
        generation = self.client.status().generation
        preview = self.client.prepare(op, parameters, generation)  # type: ignore[arg-type]
        self.client.commit(preview)
        return preview

    # --- what there is to judge -----------------------------------------------------------------

    @property
    def strokes(self) -> int:
        """Strokes seen by the encoder since the pump was made."""
        return len(self.seen)

    @property
    def truth(self) -> int | None:
        """Strokes the rotor has really made since then; None where nobody can see it."""
        now = self.target.truth_strokes()
        return None if now is None or self._truth is None else now - self._truth

    @property
    def status(self) -> Status:
        """What the pump knows of itself."""
        return self.firmware.status()

    @property
    def accounted(self) -> int:
        """Strokes the controller has counted as delivered over its life."""
        return self.status.delivered_nl // self.stroke_nl

    @property
    def alarms(self) -> tuple[str, ...]:
        """Alarms that stand, by name."""
        return tuple(entry.code.name for entry in self.status.alarms)

    def at(self, code: Code) -> int:
        """Return when a record of this code was last made. Raises LookupError without one."""
        for at_us, record in reversed(self.log):
            if record.code is code:
                return at_us
        raise LookupError(f"the controller has logged no {code.name}")


def erase_all(target: Target, lateness: Lateness) -> None:
    """Attach, stop, and erase every sector that is not blank. Raises HalLost, FlashStuck.

    The board is attached twice: the second time nothing is left to be told of the time before.
    """
    target.attach()
    board = target.board
    flash = board.flash
    size = flash.sector_bytes
    blank = b"\xff" * size
    for address in range(0, flash.size_bytes, size):
        if flash.read(address, size) != blank:
            flash.erase(address)
            _wait_erased(target, address, lateness)
    target.attach()


def _wait_erased(target: Target, address: int, lateness: Lateness) -> None:
    board = target.board
    deadline_us = board.clock.now_us() + _ERASE_US
    bits = NONE
    while not bits & (FLASH_DONE | FLASH_FAILED):
        if board.clock.now_us() >= deadline_us:
            raise FlashStuck(f"sector at {address} does not end its erase")
        bits = lateness.look_at(board, deadline_us)
    if bits & FLASH_FAILED:
        raise FlashStuck(f"sector at {address} does not erase")
