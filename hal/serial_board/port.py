"""A real serial port as a `ByteStream`: the only module of the HAL that touches the host.

The port is opened by pyserial and then read and written on its descriptor, without blocking; URLs
that have none (loop://, rfc2217://) go through pyserial's own calls. Whatever goes wrong with it,
from an unplugged cable to a far end that was closed, is HalLost with one line for people; the port
is closed then, and `open` begins again.
"""

import contextlib
import errno
import os
import select
import socket
import time
from collections.abc import Iterator
from typing import Any, Final

import serial

from hal.errors import HalLost, HalUsageError

FULL_LOOK_US: Final = 1_000
"""While the port takes no more, look again this often: a terminal can have room without saying."""
URL_WRITE_S: Final = 1.0
"""A URL without a descriptor that takes nothing for this long is lost."""
_REASONS: Final = {
    errno.EAGAIN: "in use by another program",
    errno.EBUSY: "in use by another program",
    errno.EIO: "unplugged, or closed at the other end",
    errno.EPIPE: "unplugged, or closed at the other end",
    errno.ENOTTY: "not a serial port",
}
"""Where the system's own words would mislead."""


class SerialPort:
    """A serial device or any URL of pyserial; 8N1. Time is the host's monotonic clock."""

    def __init__(self, port: str, baud: int = 115_200) -> None:
        """Open it. Raises HalLost, or HalUsageError for a URL that means nothing."""
        self.port = port
        self._baud = baud
        self._serial: Any = None
        self._fd: int | None = None
        self._poll = select.poll()
        self._held = b""
        self._full = False
        self.open()

    def open(self) -> None:
        """Open it, again when it was open. Raises HalLost, HalUsageError."""
        self.close()
        options: dict[str, Any] = {} if "://" in self.port else {"exclusive": True}
        with self._failing():
            self._serial = serial.serial_for_url(
                self.port, self._baud, timeout=0, write_timeout=URL_WRITE_S, **options
            )
            if self.port.startswith("socket://"):
                self._serial._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if "://" not in self.port or self.port.startswith("socket://"):
            self._fd = int(self._serial.fileno())
            self._poll = select.poll()
            self._poll.register(self._fd, select.POLLIN)

    def close(self) -> None:
        """Close it; again is harmless. Until `open` everything else raises HalLost."""
        if self._serial is not None:
            with contextlib.suppress(OSError):
                self._serial.close()
        self._serial = self._fd = None
        self._held = b""
        self._full = False

    def now_us(self) -> int:
        """Return the host's monotonic time."""
        return time.monotonic_ns() // 1000

    def write(self, data: bytes) -> int:
        """Send bytes; return how many were taken. Raises HalLost."""
        if not data:
            return 0
        with self._failing():
            try:
                taken = os.write(self._fd, data) if self._fd is not None else self._url_write(data)
            except BlockingIOError:
                taken = 0
        self._full = taken < len(data)
        return taken

    def read(self, max_bytes: int) -> bytes:
        """Return what has come, up to `max_bytes`. Raises HalLost."""
        with self._failing():
            if self._fd is None:
                return self._url_read(max_bytes)
            if not self._readable(0):
                return b""
            data = os.read(self._fd, max_bytes)
            if not data:
                raise OSError(errno.EIO, "end of file")
            return data

    def wait(self, until_us: int) -> None:
        """Wait for bytes to read, for room after a partial write, or `until_us`. Raises HalLost.

        Returns at once also when a `read` would find that the port is gone.
        """
        wait_us = max(0, until_us - self.now_us())
        if self._full:
            wait_us = min(wait_us, FULL_LOOK_US)
        with self._failing():
            if self._fd is None:
                self._url_wait(wait_us)
            else:
                self._readable((wait_us + 999) // 1000)

    def _readable(self, timeout_ms: int) -> bool:
        """Return whether there are bytes. Raises OSError when there never will be."""
        ready = self._poll.poll(timeout_ms)
        if ready and not ready[0][1] & select.POLLIN:
            raise OSError(errno.EIO, "hung up")
        return bool(ready)

    # URLs without a descriptor

    def _url_write(self, data: bytes) -> int:
        return int(self._opened.write(data) or 0)

    def _url_read(self, max_bytes: int) -> bytes:
        port = self._opened
        port.timeout = 0
        held, self._held = self._held, b""
        return held + bytes(port.read(min(port.in_waiting, max_bytes - len(held))))

    def _url_wait(self, wait_us: int) -> None:
        if not self._held:
            self._opened.timeout = wait_us / 1e6
            self._held = bytes(self._opened.read(1))

    @property
    def _opened(self) -> Any:
        if self._serial is None:
            raise OSError(errno.EIO, "closed")
        return self._serial

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn what pyserial and the system raise into the HAL's errors, with the port closed."""
        try:
            yield
        except OSError as error:  # serial.SerialException is one
            self.close()
            raise HalLost(f"port {self.port}: {_reason(error)}") from None
        except ValueError as error:
            self.close()
            raise HalUsageError(f"port {self.port}: {error}") from None


def _reason(error: BaseException) -> str:
    """Return the reason; pyserial often has it only in the exception it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        number = getattr(cause, "errno", None) or (cause.args[0] if cause.args else None)
        if isinstance(number, int):
            return _REASONS.get(number, os.strerror(number).lower())
        cause = cause.__context__
    return " ".join(str(error).split())
