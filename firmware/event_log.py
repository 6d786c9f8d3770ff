"""The event log: a ring of 32-byte records in flash, each with its own CRC.

Order is by sequence number, never by the wall clock. Before the first record of a sector is
written the sector is erased, so the ring always keeps its newest 127 sectors whole. What is asked
for is answered from flash; a record still on its way there can be read too.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from firmware.flash_queue import FlashQueue
from firmware.layout import LOG_BYTES, LOG_START, SECTOR
from hal.interfaces import Clock, Rtc
from protocol import codec
from protocol.codes import Code
from protocol.crc import crc32c
from protocol.errors import RemoteError
from protocol.messages import LogRecord

RECORD_BYTES: Final = 32
CAPACITY: Final = LOG_BYTES // RECORD_BYTES
_PER_SECTOR: Final = SECTOR // RECORD_BYTES
_BLANK: Final = bytes([0xFF]) * RECORD_BYTES
_U32: Final = 0xFFFFFFFF


class EventLog:
    """Appends and reads records."""

    def __init__(
        self,
        queue: FlashQueue,
        clock: Clock,
        rtc: Rtc,
        on_record: Callable[[LogRecord], None] | None,
    ) -> None:
        """`on_record` sees each record as it is made: a debug tap that changes nothing."""
        self._queue = queue
        self._clock = clock
        self._rtc = rtc
        self._on_record = on_record
        self._pending: deque[LogRecord] = deque()
        self.listener: Callable[[LogRecord], None] | None = None
        """Hears each record as it is made."""
        self.next = 0
        """Number the next record gets."""
        self.boot_id = 1

    @property
    def first(self) -> int:
        """Oldest record kept."""
        if self.next <= CAPACITY:
            return 0
        # The sector being filled has lost its old records.
        return -(-self.next // _PER_SECTOR) * _PER_SECTOR - CAPACITY

    def recover(self) -> None:
        """Find the end of the log. For use at boot; sets `boot_id` to the one that begins.

        A record that is torn or damaged hides none behind it, and its slot is not used again.
        """
        oldest = [self._first_whole(start) for start in range(0, CAPACITY, _PER_SECTOR)]
        newest = max((record.seq for record in oldest if record is not None), default=None)
        if newest is None:
            return
        start = newest - newest % _PER_SECTOR
        records = [record for seq in self._sector(start) if (record := self._at(seq))]
        self.boot_id = records[-1].boot_id + 1 & 0xFFFF
        self.next = 1 + max(seq for seq in self._sector(start) if not self._blank(seq))

    def append(self, code: Code, a: int = 0, b: int = 0) -> None:
        """Write a record stamped now; details above 32 bits are clipped."""
        tick_us, wall_s = self._clock.now_us(), self._rtc.now_s()
        record = LogRecord(
            self.next, self.boot_id, code, tick_us, wall_s, min(a, _U32), min(b, _U32)
        )
        address = self._address(self.next)
        if self.next % _PER_SECTOR == 0:
            self._queue.erase(address)
        self.next += 1
        self._pending.append(record)
        self._queue.program(address, _pack(record), self._written)
        if self.listener is not None:
            self.listener(record)
        if self._on_record is not None:
            self._on_record(record)

    def read(self, first: int, maximum: int) -> tuple[LogRecord, ...]:
        """Return up to `maximum` whole records from number `first` on."""
        found: list[LogRecord] = []
        for record in self._from(max(first, self.first)):
            if len(found) == maximum:
                break
            found.append(record)
        return tuple(found)

    def newest_first(self) -> Iterator[LogRecord]:
        """Yield the whole records from the newest to the oldest."""
        return self._numbered(range(self.next - 1, self.first - 1, -1))

    def _from(self, first: int) -> Iterator[LogRecord]:
        return self._numbered(range(first, self.next))

    def _numbered(self, numbers: range) -> Iterator[LogRecord]:
        on_the_way = {record.seq: record for record in self._pending}
        for seq in numbers:
            record = on_the_way.get(seq) or self._at(seq)
            if record is not None and record.seq == seq:
                yield record

    def _written(self, ok: bool) -> None:
        self._pending.popleft()

    def _sector(self, start: int) -> range:
        return range(start, start + _PER_SECTOR)

    def _first_whole(self, start: int) -> LogRecord | None:
        """Return the oldest whole record of the sector that begins at a slot, if it has one."""
        for slot in self._sector(start):
            record = self._at(slot)
            if record is not None or self._blank(slot):
                return record
        return None

    def _blank(self, seq: int) -> bool:
        return self._queue.read(self._address(seq), RECORD_BYTES) == _BLANK

    def _at(self, seq: int) -> LogRecord | None:
        """Return the whole record in the slot of a number, whatever its own number is."""
        data = self._queue.read(self._address(seq), RECORD_BYTES)
        body = data[:-4]
        if crc32c(body).to_bytes(4, "little") != data[-4:]:
            return None
        try:
            return codec.decode(LogRecord, body)
        except RemoteError:
            return None

    def _address(self, seq: int) -> int:
        return LOG_START + seq % CAPACITY * RECORD_BYTES


def _pack(record: LogRecord) -> bytes:
    body = codec.encode(record)
    return body + crc32c(body).to_bytes(4, "little")
