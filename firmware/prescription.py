"""The stored prescription: two copies, each with a CRC, of which the journal says which counts.

A new prescription is written over the copy that does not count; the journal record that names its
generation is the commit; then the other copy is brought up to date. So at every instant one copy
of the generation that counts is whole, and mostly two. A copy that fails its check while the other
is good is repaired at boot; when none is good nothing is delivered on a guess.

(Therapy and fill live in one record: a refill is a new generation of it.)
"""

import enum
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from firmware.flash_queue import FlashQueue
from firmware.layout import PRESCRIPTION_COPIES, SECTOR
from firmware.path import NO_BRIDGE, NO_CHANGE, Bridge, Change
from firmware.program import first_periodic_s
from protocol import codec
from protocol.codec import STRUCT, Message, message, wire
from protocol.codes import BolusBasal, EmergencyAction, ProgramKind, RateBasis, RatePer
from protocol.crc import crc32c
from protocol.errors import RemoteError
from protocol.messages import Rate, Therapy

_HEADER_BYTES: Final = 6
"""Length u16, CRC-32C u32 of the body."""
_BLANK: Final = bytes([0xFF]) * _HEADER_BYTES
NOTHING_PRESCRIBED: Final = Therapy(
    drugs=(),
    program=ProgramKind.STOPPED,
    rate=Rate(RateBasis.VOLUME_PL, RatePer.DAY, 0),
    low_reservoir_nl=0,
    stability_days=0,
    catheter_um=0,
    catheter_pl_cm=0,
    bolus_basal=BolusBasal.CONTINUE,
    emergency=EmergencyAction.STOP,
    patient_may_stop=0,
)
"""Stands in the record of a pump that was told of a fill but of no therapy."""


@message
class Stored(Message):
    """One generation of what the pump was told."""

    generation: int = wire("I", doc="rises with each commit")
    written_wall_s: int = wire("I", unit="s", doc="when it was stored")
    prescribed: int = wire("B", doc="0: only the fill is known, no therapy yet")
    therapy: Therapy = wire(STRUCT, item=Therapy, doc="what was prescribed")
    fill_nl: int = wire("I", unit="nL", doc="volume in the reservoir as told")
    fill_accounted: int = wire("I", doc="strokes accounted for when that was told")
    fill_wall_s: int = wire("I", unit="s", doc="when that was told")
    refilled: int = wire("B", default=0, doc="1: that was after the therapy was committed")
    change: Change = wire(
        STRUCT, item=Change, default=NO_CHANGE, doc="the last change of concentration"
    )
    bridge: Bridge = wire(STRUCT, item=Bridge, default=NO_BRIDGE, doc="the last bridge")
    periodic_wall_s: int = wire(
        "I", unit="s", default=0, doc="periodic: when its first bolus comes; moves with the clock"
    )
    pending_wall_s: int = wire(
        "I", unit="s", default=0, doc="when a scheduled change takes over; 0: none"
    )
    pending: Therapy = wire(
        STRUCT, item=Therapy, default=NOTHING_PRESCRIBED, doc="what is in force from then on"
    )


def taken_over(stored: Stored, wall_s: int) -> Stored:
    """Return the record of a scheduled change that takes over at `wall_s`."""
    return replace(
        stored,
        written_wall_s=wall_s,
        prescribed=1,
        therapy=stored.pending,
        periodic_wall_s=first_periodic_s(stored.pending.periodic, wall_s),
        pending_wall_s=0,
        pending=NOTHING_PRESCRIBED,
    )


class Health(enum.Enum):
    """What the boot check of the two copies found."""

    GOOD = "both copies good, or no prescription yet"
    REPAIRED = "one copy was bad and has been rewritten from the other"
    LOST = "no copy of the generation that counts can be trusted"


class PrescriptionStore:
    """Reads and writes the two copies."""

    def __init__(self, queue: FlashQueue) -> None:
        self._queue = queue
        self._live = 1
        """Index of the copy that counts; the first commit goes to copy 0."""

    def recover(self, generation: int) -> tuple[Stored | None, Health]:
        """Return the prescription of that generation (0: none) and repair a bad copy."""
        if generation == 0:
            return None, Health.GOOD
        copies = [self._read(address) for address in PRESCRIPTION_COPIES]
        good = [i for i, copy in enumerate(copies) if copy and copy.generation == generation]
        if not good:
            return None, Health.LOST
        self._live = good[0]
        stored = copies[self._live]
        assert stored is not None
        if len(good) == 2:
            return stored, Health.GOOD
        cut_short = copies[1 - self._live] is not None or self._unfinished(1 - self._live)
        self._write(1 - self._live, stored, None)
        return stored, Health.GOOD if cut_short else Health.REPAIRED

    def _unfinished(self, copy: int) -> bool:
        """A write that a power cut ended, not damage: the header, written last, is blank."""
        return self._queue.read(PRESCRIPTION_COPIES[copy], _HEADER_BYTES) == _BLANK

    def stage(self, stored: Stored, done: Callable[[bool], None]) -> None:
        """Write a new generation beside the one that counts."""
        self._write(1 - self._live, stored, done)

    def committed(self, stored: Stored) -> None:
        """The journal names the staged copy now: bring the other one up to date."""
        self._live = 1 - self._live
        self._write(1 - self._live, stored, None)

    def _write(self, copy: int, stored: Stored, done: Callable[[bool], None] | None) -> None:
        body = codec.encode(stored)
        header = len(body).to_bytes(2, "little") + crc32c(body).to_bytes(4, "little")
        body_ok = False

        def body_written(ok: bool) -> None:
            nonlocal body_ok
            body_ok = ok

        def header_written(ok: bool) -> None:
            if done is not None:
                done(ok and body_ok)

        self._queue.erase(PRESCRIPTION_COPIES[copy])
        self._queue.program(PRESCRIPTION_COPIES[copy] + _HEADER_BYTES, body, body_written)
        self._queue.program(PRESCRIPTION_COPIES[copy], header, header_written)

    def _read(self, address: int) -> Stored | None:
        header = self._queue.read(address, _HEADER_BYTES)
        length = int.from_bytes(header[:2], "little")
        if length > SECTOR - _HEADER_BYTES:
            return None
        body = self._queue.read(address + _HEADER_BYTES, length)
        if crc32c(body) != int.from_bytes(header[2:], "little"):
            return None
        try:
            return codec.decode(Stored, body)
        except RemoteError:
            return None
