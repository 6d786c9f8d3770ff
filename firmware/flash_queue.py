"""Flash operations one after another: programs and erases wait their turn and are verified.

`FlashMemory` takes one operation at a time and reports its end by an interrupt. Jobs are done in
order; each names who is told how it ended. A program is read back and compared, an erase is
trusted to its FLASH_DONE.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from hal import interrupts
from hal.interfaces import FlashMemory

Done = Callable[[bool], None]
"""Told once: True when the flash holds what was asked for."""

_MAX_JOBS: Final = 512
"""Far above the worst burst, a journal half and its checkpoint (7 + 65); more is a fault."""


class _Job(NamedTuple):
    address: int
    data: bytes | None
    """None: erase the sector."""
    done: Done | None


class FlashQueue:
    """Feeds one `FlashMemory`."""

    def __init__(self, flash: FlashMemory) -> None:
        self._flash = flash
        self._jobs: deque[_Job] = deque()
        self._running: _Job | None = None

    @property
    def idle(self) -> bool:
        """True when nothing is under way or waiting."""
        return self._running is None

    def read(self, address: int, length: int) -> bytes:
        """Return what the flash holds now."""
        return self._flash.read(address, length)

    def program(self, address: int, data: bytes, done: Done | None = None) -> None:
        """Queue a program; it is cut into pages, and `done` hears of the last."""
        page = self._flash.page_bytes
        ok = True

        def piece_done(piece_ok: bool) -> None:
            nonlocal ok
            ok = ok and piece_ok

        offset = 0
        while offset < len(data):
            length = min(page - (address + offset) % page, len(data) - offset)
            last = offset + length == len(data)
            if last and done is not None:
                self._push(
                    address + offset,
                    data[offset : offset + length],
                    lambda piece_ok: done(ok and piece_ok),
                )
            else:
                self._push(address + offset, data[offset : offset + length], piece_done)
            offset += length

    def erase(self, address: int, done: Done | None = None) -> None:
        """Queue the erase of the sector that starts at `address`."""
        self._push(address, None, done)

    def service(self, pending: int) -> None:
        """Take FLASH_DONE / FLASH_FAILED: tell the job's owner, begin the next job."""
        if not pending & (interrupts.FLASH_DONE | interrupts.FLASH_FAILED):
            return
        job, self._running = self._running, None
        if job is not None and job.done is not None:
            job.done(not pending & interrupts.FLASH_FAILED and self._holds(job))
        self._begin()

    def _push(self, address: int, data: bytes | None, done: Done | None) -> None:
        if len(self._jobs) >= _MAX_JOBS:
            raise OverflowError(f"{_MAX_JOBS} flash jobs wait")
        self._jobs.append(_Job(address, data, done))
        self._begin()

    def _begin(self) -> None:
        if self._running is not None or not self._jobs:
            return
        job = self._running = self._jobs.popleft()
        if job.data is None:
            self._flash.erase(job.address)
        else:
            self._flash.program(job.address, job.data)

    def _holds(self, job: _Job) -> bool:
        return job.data is None or self._flash.read(job.address, len(job.data)) == job.data
