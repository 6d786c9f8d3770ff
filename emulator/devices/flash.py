"""NOR flash: programming clears bits, erasing sets a sector's bits, one operation at a time.

An operation is accepted at once and takes effect with its completion interrupt, a later event of
the same instant. Sectors that are all 0xFF take no memory.
"""

import base64
import zlib
from collections.abc import Callable
from typing import Any, Final

from emulator.world import World
from hal.errors import HalBusy, HalUsageError
from hal.interrupts import FLASH_DONE

SIZE_BYTES: Final = (64 + 512) * 1024
"""64 KiB journal and 512 KiB log, in one memory."""
SECTOR_BYTES: Final = 4096
PAGE_BYTES: Final = 256


class FlashMemory:
    """`hal.FlashMemory`."""

    def __init__(self, world: World, raise_interrupt: Callable[[int], None]) -> None:
        self._raise = raise_interrupt
        self._world = world
        self._sectors: dict[int, bytearray] = {}
        self._pending: Callable[[], None] | None = None
        self._done = world.timer(self._complete)
        self.erases: dict[int, int] = {}
        """How often each sector, by its number, was erased."""

    @property
    def size_bytes(self) -> int:
        """Whole size."""
        return SIZE_BYTES

    @property
    def sector_bytes(self) -> int:
        """Smallest part that can be erased."""
        return SECTOR_BYTES

    @property
    def page_bytes(self) -> int:
        """What one `program` stays inside."""
        return PAGE_BYTES

    @property
    def busy(self) -> bool:
        """True until the operation under way has ended."""
        return self._pending is not None

    def read(self, address: int, length: int) -> bytes:
        """Return `length` bytes at once. Raises HalUsageError outside the memory."""
        if address < 0 or length < 0 or address + length > SIZE_BYTES:
            raise HalUsageError(f"flash has no {length} bytes at {address}")
        data = bytearray()
        while length:
            sector, offset = divmod(address, SECTOR_BYTES)
            size = min(length, SECTOR_BYTES - offset)
            content = self._sectors.get(sector)
            data += content[offset : offset + size] if content else b"\xff" * size
            address += size
            length -= size
        return bytes(data)

    def program(self, address: int, data: bytes) -> None:
        """Clear bits within one page. Raises HalBusy, HalUsageError; see `hal.FlashMemory`."""
        if self._pending is not None:
            raise HalBusy("a flash operation is under way")
        offset = address % PAGE_BYTES
        if not 0 <= address < SIZE_BYTES or not 1 <= len(data) <= PAGE_BYTES - offset:
            raise HalUsageError(f"{len(data)} bytes at {address} are not within one flash page")
        image = bytes(data)
        self._begin(lambda: self._clear_bits(address, image))

    def erase(self, address: int) -> None:
        """Erase one sector. Raises HalBusy, HalUsageError; see `hal.FlashMemory`."""
        if self._pending is not None:
            raise HalBusy("a flash operation is under way")
        sector, offset = divmod(address, SECTOR_BYTES)
        if offset or not 0 <= address < SIZE_BYTES:
            raise HalUsageError(f"no flash sector starts at {address}")
        self._begin(lambda: self._erase_sector(sector))

    def reset(self) -> None:
        """Let the controller go: what is under way ends well, and tells nobody."""
        if self._pending is not None:
            self._done.cancel()
            self._finish()

    def power_cut(self) -> None:
        """Lose the power: what is under way never happened."""
        self._done.cancel()
        self._pending = None

    def flip_bit(self, address: int, bit: int) -> None:
        """Turn one bit over, as age or radiation would; 0 <= bit <= 7."""
        sector, offset = divmod(address, SECTOR_BYTES)
        content = self._sectors.setdefault(sector, bytearray(b"\xff" * SECTOR_BYTES))
        content[offset] ^= 1 << bit

    def save(self) -> dict[str, Any]:
        """Return the content and the wear, fit for JSON. Nothing may be under way."""
        if self._pending is not None:
            raise HalBusy("a flash operation is under way")
        packed = zlib.compress(self.read(0, SIZE_BYTES), 6)
        return {
            "content": base64.b64encode(packed).decode(),
            "erases": {str(sector): count for sector, count in sorted(self.erases.items())},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Hold what `save` found. Raises ValueError for a content of another size."""
        content = zlib.decompress(base64.b64decode(state["content"]))
        if len(content) != SIZE_BYTES:
            raise ValueError(f"flash content of {len(content)} bytes, not {SIZE_BYTES}")
        self.erases = {int(sector): count for sector, count in state["erases"].items()}
        self._sectors = {}
        for sector in range(SIZE_BYTES // SECTOR_BYTES):
            image = content[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES]
            if image.count(0xFF) != SECTOR_BYTES:
                self._sectors[sector] = bytearray(image)

    def _begin(self, operation: Callable[[], None]) -> None:
        self._pending = operation
        self._done.set(self._world.now_us)

    def _complete(self) -> None:
        self._finish()
        self._raise(FLASH_DONE)

    def _finish(self) -> None:
        operation, self._pending = self._pending, None
        if operation is not None:
            operation()

    def _clear_bits(self, address: int, data: bytes) -> None:
        sector, offset = divmod(address, SECTOR_BYTES)
        content = self._sectors.setdefault(sector, bytearray(b"\xff" * SECTOR_BYTES))
        end = offset + len(data)
        old, new = int.from_bytes(content[offset:end], "big"), int.from_bytes(data, "big")
        content[offset:end] = (old & new).to_bytes(len(data), "big")

    def _erase_sector(self, sector: int) -> None:
        self._sectors.pop(sector, None)
        self.erases[sector] = self.erases.get(sector, 0) + 1
