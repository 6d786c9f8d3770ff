"""Bytes to and from a pump, over any port or URL that pyserial opens.

`SerialTransport` opens the port with `serial_for_url`. On a tty and on socket:// it then reads and
writes the file descriptor itself: one write per frame, one wait, one read of all that is there.
Other URLs (loop://, rfc2217://, spy://) go through pyserial's own read and write. pyserial's and
the system's exceptions are turned into NoLink, or BadInput for a URL that means nothing, here and
nowhere else.
"""

import contextlib
import errno
import os
import select
import socket
import time
from typing import Any, Final, Protocol

import serial

from tools.programmer.errors import BadInput, NoLink

READ_BYTES: Final = 4096
"""Read at a time: what a PTY holds, eight of the longest frames."""
AWAKE_US: Final = 300
"""An emulator's answer comes sooner than a core that has slept is back at work."""
WRITE_TIMEOUT_MS: Final = 2000
"""A port that takes no byte for this long is dead; the longest frame takes 0.52 s at 9,600."""

BAUD_MAX: Final = 2**31 - 1
"""Largest that the system's interface holds; what a port can do, it says itself."""
URL_EXAMPLE: Final = "a URL looks like socket://127.0.0.1:7700"

_FOREIGN: Final = (OSError, ValueError)
"""What pyserial and the system raise; serial.SerialException is an OSError."""
_REASONS: Final = {
    errno.ENOENT: "does not exist",
    errno.ENODEV: "does not exist",
    errno.ENXIO: "has nothing behind it",
    errno.EACCES: "may not be opened by this user (permission denied)",
    errno.EPERM: "may not be opened by this user (permission denied)",
    errno.EBUSY: "is in use by another program",
    errno.EAGAIN: "is in use by another program",
    errno.EISDIR: "is a folder, not a serial port",
    errno.ENOTTY: "is not a serial port",
    errno.EIO: "was closed at the other end or unplugged",
    errno.ECONNREFUSED: "refused the connection: nothing listens there",
    errno.ECONNRESET: "was closed at the other end",
    errno.EPIPE: "was closed at the other end",
    errno.EHOSTUNREACH: "cannot be reached",
    errno.ENETUNREACH: "cannot be reached",
    errno.ETIMEDOUT: "does not answer",
}

_CLOSED: Final = (errno.ECONNRESET, errno.EPIPE)
_TAKEN: Final = "was closed at the other end before any answer: another client may have it"
"""Of a socket: an emulator closes at once on a second client."""


class Transport(Protocol):
    """A byte stream to a pump, with its own clock so that a simulation can stand behind it."""

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises NoLink."""
        ...

    def read(self, timeout_us: int) -> bytes:
        """Return at least one byte, or b"" after `timeout_us`. Raises NoLink."""
        ...

    def now_us(self) -> int:
        """Return monotonic time, µs."""
        ...

    def close(self) -> None:
        """Close it; again is harmless."""
        ...


class SerialTransport:
    """A serial port, or anything else pyserial has a URL for."""

    def __init__(self, port: str, baudrate: int = 115_200) -> None:
        """Open it. Raises NoLink, or BadInput for what is no port or no baud rate."""
        if not port:
            raise BadInput("--port is empty: a serial port or a URL is needed")
        if not 0 < baudrate <= BAUD_MAX:
            raise BadInput(f"--baud {baudrate} is no baud rate")
        self.port = port
        try:
            self._serial = _open(port, baudrate)
        except _FOREIGN as error:
            if "://" in port and _is_misread(error):
                raise BadInput(f"port {port} is malformed; {URL_EXAMPLE}") from None
            raise _translated(port, error) from None
        self._fd = _descriptor(port, self._serial)
        self._heard = False  # not a byte yet
        self._poll = select.poll()
        if self._fd is not None:
            self._poll.register(self._fd, select.POLLIN)

    def write(self, data: bytes) -> None:
        """Send all of `data`, in one call where the port takes it. Raises NoLink."""
        try:
            if self._fd is None:
                self._serial.write(data)
                return
            while data:
                data = data[self._write_some(self._fd, data) :]
        except NoLink:
            raise
        except _FOREIGN as error:
            raise self._failed(error) from None

    def read(self, timeout_us: int) -> bytes:
        """Return what is there, at least one byte, or b"" after `timeout_us`. Raises NoLink."""
        try:
            if self._fd is None:
                self._serial.timeout = timeout_us / 1e6
                return bytes(self._serial.read(max(1, self._serial.in_waiting)))
            if not self._ready(timeout_us):
                return b""
            data = os.read(self._fd, READ_BYTES)
        except _FOREIGN as error:
            raise self._failed(error) from None
        if not data:
            raise self._failed(OSError(errno.ECONNRESET if self._is_socket else errno.EIO, ""))
        self._heard = True
        return data

    def now_us(self) -> int:
        """Return the host's monotonic time, µs."""
        return time.monotonic_ns() // 1000

    def close(self) -> None:
        """Close the port; again is harmless."""
        with contextlib.suppress(OSError):
            self._serial.close()

    @property
    def _is_socket(self) -> bool:
        return self.port.startswith("socket://")

    def _failed(self, error: OSError | ValueError) -> NoLink | BadInput:
        """Return our own error; a socket closed before its first byte is most likely taken."""
        if self._is_socket and not self._heard and getattr(error, "errno", None) in _CLOSED:
            return NoLink(f"port {self.port} {_TAKEN}")
        return _translated(self.port, error)

    def _ready(self, timeout_us: int) -> bool:
        """Wait for bytes: for `AWAKE_US` without sleeping, though others may have the core."""
        awake_us = min(timeout_us, AWAKE_US)
        until_us = self.now_us() + awake_us
        while not (ready := self._poll.poll(0)) and self.now_us() < until_us:
            os.sched_yield()
        return bool(ready or self._poll.poll((timeout_us - awake_us + 999) // 1000))

    def _write_some(self, fd: int, data: bytes) -> int:
        try:
            return os.write(fd, data)
        except BlockingIOError:
            ready = select.poll()
            ready.register(fd, select.POLLOUT)
            if not ready.poll(WRITE_TIMEOUT_MS):
                raise NoLink(f"port {self.port} takes no data") from None
            return 0


def _open(port: str, baudrate: int) -> Any:
    options: dict[str, Any] = {"write_timeout": WRITE_TIMEOUT_MS / 1000}
    if "://" not in port:
        options["exclusive"] = True
    return serial.serial_for_url(port, baudrate, timeout=0, **options)


def _descriptor(port: str, opened: Any) -> int | None:
    """Return the descriptor to read and write directly; None: go through pyserial."""
    if port.startswith("socket://"):
        opened._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    elif "://" in port:
        return None
    return int(opened.fileno())


def _translated(port: str, error: OSError | ValueError) -> NoLink | BadInput:
    """Return the programmer's own error for what pyserial and the system raise."""
    if isinstance(error, OSError):
        return NoLink(f"port {port} {_reason(error)}")
    return BadInput(f"port {port}: {error}")


def _is_misread(error: BaseException) -> bool:
    """Return whether pyserial failed at the words of a URL, whatever it raises for that."""
    cause = error.__context__
    while cause is not None:
        if isinstance(cause, ValueError | TypeError | LookupError):
            return True
        cause = cause.__context__
    return False


def _reason(error: BaseException) -> str:
    """Return the reason; pyserial often has it only in the exception it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        number = getattr(cause, "errno", None) or (cause.args[0] if cause.args else None)
        if number in _REASONS:
            return _REASONS[number]
        cause = cause.__context__
    return f"failed: {' '.join(str(error).split())}"
