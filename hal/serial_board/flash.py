"""Flash at the far end of a line: read from a mirror, written through the board.

The mirror is filled when the board is attached. It follows an operation when the board reports
its end with a checksum of what the flash then holds there: if that is not what the mirror would
hold, the operation has failed and the mirror stays as it was.
"""

from dataclasses import dataclass

from hal.errors import HalBusy, HalUsageError
from hal.interrupts import FLASH_DONE, FLASH_FAILED, NONE
from hal.serial_board.link import ControllerLink
from protocol.board_messages import Attached, FlashData, FlashErase, FlashProgram, FlashRead, Report
from protocol.crc import crc32c

_ENDS = FLASH_DONE | FLASH_FAILED


@dataclass(frozen=True, slots=True)
class _Operation:
    """What the flash is to hold when the operation under way has ended."""

    address: int
    content: bytes


class SerialFlash:
    """`hal.FlashMemory`."""

    def __init__(self, link: ControllerLink) -> None:
        self._link = link
        self._operation: _Operation | None = None
        self._mirror = bytearray()
        self._known = 0
        self._sector_bytes = self._page_bytes = 0

    def reset(self, board: Attached) -> None:
        """Begin to fill the mirror."""
        self._operation = None
        self._mirror = bytearray(board.flash_bytes)
        self._known = 0
        self._sector_bytes = board.sector_bytes
        self._page_bytes = board.page_bytes
        self._link.send(FlashRead(0))

    @property
    def mirrored(self) -> bool:
        """True when the whole content is here."""
        return self._known == len(self._mirror)

    @property
    def size_bytes(self) -> int:
        """Whole size."""
        return len(self._mirror)

    @property
    def sector_bytes(self) -> int:
        """Smallest part that can be erased."""
        return self._sector_bytes

    @property
    def page_bytes(self) -> int:
        """What one `program` stays inside."""
        return self._page_bytes

    @property
    def busy(self) -> bool:
        """True until the operation under way has ended."""
        return self._operation is not None

    def read(self, address: int, length: int) -> bytes:
        """Return `length` bytes at once. Raises HalUsageError outside the memory."""
        if address < 0 or length < 0 or address + length > len(self._mirror):
            raise HalUsageError(f"flash has no {length} bytes at {address}")
        return bytes(self._mirror[address : address + length])

    def program(self, address: int, data: bytes) -> None:
        """Clear bits within one page. Raises HalBusy, HalUsageError, HalLost."""
        self._check_idle()
        if not 0 <= address < len(self._mirror) or not (
            1 <= len(data) <= self._page_bytes - address % self._page_bytes
        ):
            raise HalUsageError(f"{len(data)} bytes at {address} are not within one flash page")
        self._link.send(FlashProgram(address, bytes(data)))
        old = self._mirror[address : address + len(data)]
        content = bytes(was & new for was, new in zip(old, data, strict=True))
        self._operation = _Operation(address, content)

    def erase(self, address: int) -> None:
        """Erase one sector. Raises HalBusy, HalUsageError, HalLost."""
        self._check_idle()
        if not 0 <= address < len(self._mirror) or address % self._sector_bytes:
            raise HalUsageError(f"no flash sector starts at {address}")
        self._link.send(FlashErase(address))
        self._operation = _Operation(address, b"\xff" * self._sector_bytes)

    def filled(self, message: FlashData) -> None:
        """Take content into the mirror and ask for what follows it."""
        end = message.address + len(message.data) + message.erased
        if message.address != self._known or not self._known < end <= len(self._mirror):
            self._link.fail(f"flash content of {message.address}..{end} was not asked for")
        self._mirror[self._known : end] = message.data + b"\xff" * message.erased
        self._known = end
        if not self.mirrored:
            self._link.send(FlashRead(end))

    def reported(self, report: Report) -> int:
        """Take what the board says; return FLASH_DONE or FLASH_FAILED when that is the end."""
        operation = self._operation
        if operation is None or not report.interrupts & _ENDS:
            return NONE
        self._operation = None
        if report.interrupts & FLASH_FAILED or report.flash_crc != crc32c(operation.content):
            return FLASH_FAILED
        end = operation.address + len(operation.content)
        self._mirror[operation.address : end] = operation.content
        return FLASH_DONE

    def _check_idle(self) -> None:
        if self._operation is not None:
            raise HalBusy("a flash operation is under way")
