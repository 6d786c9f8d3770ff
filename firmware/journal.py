"""The transaction and dose journal: one 64-byte record makes a state of the pump durable.

Each record is the whole of `Durable`, so recovery reads the newest valid one. Writing a record is
the atomic commit of everything in it: what was confirmed, what is reserved next, the generation of
the prescription that counts, the stop reason, the latched alarms and how far the last transaction
is. A record torn by a power cut fails its CRC and the one before it stands.

The records fill one half of the journal; then the other half is erased, gets a copy of the newest
record of every transaction still remembered, and goes on. A half without the mark of a whole copy
does not count, so a cut in between falls back to the old half. Two halves of 7 sectors and a
record per 10 µL stay under 10,000 erases per sector in 7 years at 24 mL/day.

(A simple form: wear levelling over the whole area and record streams are the record store's.)
"""

import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from firmware.flash_queue import FlashQueue
from firmware.layout import JOURNAL_HALF_BYTES, JOURNAL_HALVES, SECTOR
from protocol.codes import BolusKind, StopReason, TxnOp, TxnState
from protocol.crc import crc32c

REMEMBERED: Final = 64
"""Transactions kept: protocol rule, last 64."""
OWN_TXN: Final = (1 << 64) - 1
"""Number of doses that the pump gives by itself; no tool may use it."""
_RECORD: Final = struct.Struct("<IBBBBIIIIIQBBHII8sH")
RECORD_BYTES: Final = 64
_SLOTS: Final = JOURNAL_HALF_BYTES // RECORD_BYTES
_KIND_SHIFT: Final = 4
"""Operation and kind of bolus share a byte."""
_CHECKPOINT: Final = 1
"""Flag: a copy made when a half was begun. The half counts once a record without it follows."""
_TRIES: Final = 3
"""A record that does not verify is written again to the next slot, so many times in all."""


@dataclass(frozen=True, slots=True)
class Txn:
    """How far one transaction is."""

    txn: int = 0
    op: TxnOp | None = None
    state: TxnState = TxnState.UNKNOWN
    cause: int = 0
    """Log code of an early end; error code of a refusal."""
    given_strokes: int = 0
    total_strokes: int = 0
    digest: bytes = bytes(8)
    """First bytes of what was committed: a repeat must carry the same."""
    kind: BolusKind = BolusKind.NONE
    """Of a bolus."""


@dataclass(slots=True)
class Durable:
    """What a reset must not lose."""

    stop_reason: StopReason = StopReason.NO_PROGRAM
    minimum_rate: bool = False
    """A low-battery reset holds the pump at minimum rate until a clinician acts."""
    accounted: int = 0
    """Strokes counted as delivered over the pump's life."""
    encoder: int = 0
    """Encoder count that belongs to `accounted`."""
    open_strokes: int = 0
    """Reserved: up to so many more may have been commanded since."""
    generation: int = 0
    """Which prescription counts."""
    alarms: int = 0
    """Latched alarms, bit = code."""
    eri_wall_s: int = 0
    uncertain_strokes: int = 0
    """Of `accounted` since the fill: counted as delivered though nobody saw them."""
    txn: Txn = Txn()


class Journal:
    """Newest state in RAM, every step of it in flash."""

    def __init__(self, queue: FlashQueue) -> None:
        self._queue = queue
        self.durable = Durable()
        self.txns: OrderedDict[int, Txn] = OrderedDict()
        self.last_txn = 0
        """Newest transaction that a tool committed; 0: none."""
        self.generation = 0
        """Of the prescription that counts; `durable` has the next while that is being written."""
        self.blank = True
        """True until a record is found or written: a pump fresh from the factory."""
        self._newest = self.durable
        """What the last record queued says."""
        self._sequence = 0
        self._half = 0
        self._slot = 0

    # --- recovery -------------------------------------------------------------------------------

    def recover(self) -> None:
        """Read both halves; take the newest half that is whole. For use at boot."""
        found = [self._read_half(half) for half in range(2)]
        whole = [(rows[-1][0], half) for half, rows in enumerate(found) if rows and not rows[-1][1]]
        if not whole:
            self._half, self._slot = 1, _SLOTS  # the first record begins half 0 anew
            return
        self._half = max(whole)[1]
        rows = found[self._half]
        for _, _, durable in rows:
            self._remember(durable.txn)
            if durable.txn.txn not in (0, OWN_TXN):
                self.last_txn = durable.txn.txn
        self._sequence, _, self.durable = rows[-1]
        self.generation = self.durable.generation
        self.blank = False
        self._slot = self._first_free(self._half)

    def _read_half(self, half: int) -> list[tuple[int, bool, Durable]]:
        rows = []
        for slot in range(_SLOTS):
            row = _unpack(self._queue.read(self._address(half, slot), RECORD_BYTES))
            if row is not None:
                rows.append(row)
        return rows

    def _first_free(self, half: int) -> int:
        """Slots behind the last one that is not blank: a torn record is stepped over."""
        blank = bytes([0xFF]) * RECORD_BYTES
        slot = _SLOTS
        while slot and self._queue.read(self._address(half, slot - 1), RECORD_BYTES) == blank:
            slot -= 1
        return slot

    # --- writing --------------------------------------------------------------------------------

    def write(self, done: Callable[[bool], None] | None = None) -> None:
        """Make `durable` as it is now durable; `done` hears when it is, or that it cannot be."""
        self._remember(self.durable.txn)
        self._append(replace(self.durable), done or _ignore, _TRIES)

    def _append(self, durable: Durable, done: Callable[[bool], None], tries: int) -> None:
        if self._slot >= _SLOTS:
            self._begin_other_half()
        self.blank = False
        self._sequence += 1
        self._newest = durable

        def written(ok: bool) -> None:
            if ok:
                self.generation = durable.generation
            if ok or tries == 1:
                done(ok)
            else:
                self._again(durable, done, tries - 1)

        self._put(durable, 0, written)

    def _again(self, durable: Durable, done: Callable[[bool], None], tries: int) -> None:
        """Write a record that did not verify again; what is newer stays the newest."""
        newest = self._newest
        self._append(replace(newest, txn=durable.txn), done, tries)
        if newest.txn != durable.txn:
            self._append(newest, _ignore, _TRIES)

    def _put(self, durable: Durable, flags: int, done: Callable[[bool], None] | None) -> None:
        address = self._address(self._half, self._slot)
        self._slot += 1
        self._queue.program(address, _pack(self._sequence, flags, durable), done)

    def _begin_other_half(self) -> None:
        self._half, self._slot = 1 - self._half, 0
        start = JOURNAL_HALVES[self._half]
        for address in range(start, start + JOURNAL_HALF_BYTES, SECTOR):
            self._queue.erase(address)
        for txn in self.txns.values():
            self._sequence += 1
            self._put(replace(self.durable, txn=txn), _CHECKPOINT, None)

    def _remember(self, txn: Txn) -> None:
        if txn.txn:
            self.txns.pop(txn.txn, None)
            self.txns[txn.txn] = txn
            if len(self.txns) > REMEMBERED:
                self.txns.popitem(last=False)

    def _address(self, half: int, slot: int) -> int:
        return JOURNAL_HALVES[half] + slot * RECORD_BYTES


def _ignore(ok: bool) -> None:
    """Nobody waits: the next record says it again."""


def _pack(sequence: int, flags: int, d: Durable) -> bytes:
    txn = d.txn
    body = _RECORD.pack(
        sequence,
        flags,
        d.stop_reason,
        d.minimum_rate,
        d.open_strokes,
        d.accounted,
        d.encoder,
        d.generation,
        d.alarms,
        d.eri_wall_s,
        txn.txn,
        (txn.op or 0) | txn.kind << _KIND_SHIFT,
        txn.state,
        txn.cause,
        txn.given_strokes,
        txn.total_strokes,
        txn.digest,
        min(d.uncertain_strokes, 0xFFFF),
    )
    return body + crc32c(body).to_bytes(4, "little")


def _unpack(data: bytes) -> tuple[int, bool, Durable] | None:
    body, crc = data[: _RECORD.size], data[_RECORD.size : _RECORD.size + 4]
    if crc32c(body).to_bytes(4, "little") != crc:
        return None
    (
        sequence, flags, reason, minimum, open_strokes, accounted, encoder, generation, alarms,
        eri, txn, op, state, cause, given, total, digest, uncertain,
    ) = _RECORD.unpack(body)  # fmt: skip
    kind, op = BolusKind(op >> _KIND_SHIFT), op & (1 << _KIND_SHIFT) - 1
    record = Txn(txn, TxnOp(op) if op else None, TxnState(state), cause, given, total, digest, kind)
    durable = Durable(
        StopReason(reason), bool(minimum), accounted, encoder, open_strokes, generation, alarms,
        eri, uncertain, record,
    )  # fmt: skip
    return sequence, bool(flags & _CHECKPOINT), durable
