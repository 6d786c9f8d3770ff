"""The port a client opens: a pseudo-terminal or a loopback TCP socket, on raw file descriptors.

Nothing here blocks. Bytes that the kernel does not take wait in a bounded buffer; while it is
full, `room` is 0 and the pump's own queue fills, as with flow control. Bytes that nobody takes for
`STALL_US` are dropped, as on a line at whose end nobody listens: a client that comes later must
not have to read its predecessor's replies. Who has sent calls `send` again, with no bytes, while
there is a backlog; to wait for writability would not do, since a PTY can have room without saying
so.

A port registers its descriptors itself; the `data` of each key is the callable to run when the
descriptor is ready.
"""

import contextlib
import fcntl
import os
import re
import select
import selectors
import socket
import stat
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

READ_BYTES: Final = 4096
"""Read at a time: what a PTY holds. Bounds what one turn of the loop does for a flood."""
BUFFER_BYTES: Final = 65536
"""Longest backlog toward the client: 128 full frames, four times the largest bulk window."""
STALL_US: Final = 1_000_000
"""Host time without progress after which the backlog is dropped; above any round trip."""

_LEFT: Final = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class PortError(Exception):
    """The port cannot be set up as asked; the text is for people."""


class Port(Protocol):
    """Where telemetry bytes come from and go to."""

    @property
    def url(self) -> str:
        """What a client gives to pyserial's `serial_for_url`."""
        ...

    @property
    def room(self) -> int:
        """Bytes that `send` takes now; BUFFER_BYTES when there is no backlog."""
        ...

    def attach(self, selector: selectors.BaseSelector, ready: Callable[[], None]) -> None:
        """Register with the loop; `ready` is called when bytes may be there."""
        ...

    def receive(self) -> bytes:
        """Return up to READ_BYTES bytes from the client; b"" when there are none."""
        ...

    def send(self, data: bytes, host_us: int) -> bool:
        """Queue `data`, 0 to `room` bytes, and write what the kernel takes.

        True when it has taken all that was ever queued, and nothing was dropped.
        """
        ...

    def close(self) -> None:
        """Close everything and remove what was made in the file system."""
        ...


class _Line:
    """One descriptor with its backlog."""

    def __init__(
        self, fd: int, selector: selectors.BaseSelector, ready: Callable[[], None]
    ) -> None:
        self._fd = fd
        self._selector = selector
        self._backlog = bytearray()
        self._stalled = False
        self._progress_us = 0
        selector.register(fd, selectors.EVENT_READ, ready)

    @property
    def room(self) -> int:
        return BUFFER_BYTES - len(self._backlog)

    def send(self, data: bytes, host_us: int) -> bool:
        if not self._backlog:
            self._progress_us = host_us
        self._backlog += data
        if self._backlog:
            self._write(host_us)
        return not self._backlog and not self._stalled

    def _write(self, host_us: int) -> None:
        try:
            written = os.write(self._fd, self._backlog)
        except BlockingIOError:
            if host_us - self._progress_us > STALL_US:
                self._backlog.clear()
                self._stalled = True
        except OSError:  # the other end is gone
            self._backlog.clear()
        else:
            self._stalled = False
            self._progress_us = host_us
            del self._backlog[:written]

    def detach(self) -> None:
        self._selector.unregister(self._fd)


class PtyPort:
    """A pseudo-terminal in raw mode, mode 0600, with an optional stable symlink.

    It stays usable while no client has it open, because we hold its other end open ourselves. The
    link is ours as long as we hold the lock on the file beside it: the terminal cannot tell, since
    its name is given to another one when we have died, and its own lock is for clients.
    """

    def __init__(self, link: Path | None = None) -> None:
        """Open it. Raises PortError when something else than a stale link stands at `link`."""
        self._lock: int | None = None
        if link is not None:
            _refuse_occupied(link)
            self._lock = _lock(link)
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave, termios.TCSANOW)
        os.fchmod(self._slave, 0o600)
        os.set_blocking(self._master, False)
        self._path = os.ttyname(self._slave)
        self._link = link
        self._line: _Line | None = None
        if link is not None:
            try:
                _point(link, self._path)
            except OSError as error:
                self._close_ends()
                raise PortError(f"{link}: {error.strerror}") from None

    @property
    def url(self) -> str:
        """The symlink when there is one, else the terminal's own path."""
        return self._path if self._link is None else str(self._link)

    @property
    def room(self) -> int:
        """Bytes that `send` takes now."""
        return self._line.room if self._line else 0

    def attach(self, selector: selectors.BaseSelector, ready: Callable[[], None]) -> None:
        """Register the terminal's host side."""
        self._line = _Line(self._master, selector, ready)

    def receive(self) -> bytes:
        """Return bytes from the client; b"" when there are none."""
        try:
            return os.read(self._master, READ_BYTES)
        except BlockingIOError:
            return b""

    def send(self, data: bytes, host_us: int) -> bool:
        """Queue and write; True when the kernel has taken everything."""
        return self._line is None or self._line.send(data, host_us)

    def close(self) -> None:
        """Close both ends; remove the symlink if it is still ours."""
        if self._line is not None:
            self._line.detach()
        if self._link is not None:
            with contextlib.suppress(OSError):
                if os.readlink(self._link) == self._path:
                    self._link.unlink()
        self._close_ends()

    def _close_ends(self) -> None:
        if self._link is not None and self._lock is not None:
            with contextlib.suppress(OSError):
                _lock_file(self._link).unlink()
            os.close(self._lock)
        os.close(self._master)
        os.close(self._slave)


def _refuse_occupied(link: Path) -> None:
    """A link of an emulator that died may be replaced; a link to anything else may not."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISLNK(link.lstat().st_mode):
            raise PortError(f"{link}: exists and is no symlink; not replaced")
        target = os.readlink(link)
        if not target.startswith("/dev/pts/"):
            raise PortError(f"{link}: points to {target}, which is no terminal; not replaced")


def _lock_file(link: Path) -> Path:
    return link.with_name(f".{link.name}.lock")


def _lock(link: Path) -> int:
    """Return the descriptor whose lock makes `link` ours. Raises PortError if another has it.

    Who lets go of the lock removes its file first: what was locked must still be there after.
    """
    file = _lock_file(link)
    while True:
        try:
            lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise PortError(f"{link}: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            held = isinstance(error, BlockingIOError)
            why = "in use by another itpump; not replaced" if held else error.strerror
            raise PortError(f"{link}: {why}") from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), file.stat()):
                return lock
        os.close(lock)


def _point(link: Path, target: str) -> None:
    """Make `link` a symlink to `target` in one step, so that it is never missing or half made."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.symlink_to(target)
    try:
        fresh.replace(link)
    except OSError:
        fresh.unlink()
        raise


class TcpPort:
    """A TCP socket on the loopback address, for one client at a time."""

    def __init__(self, number: int) -> None:
        """Listen on port `number`, 0 picks a free one. Raises PortError."""
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind(("127.0.0.1", number))
        except OSError as error:
            self._listener.close()
            raise PortError(f"tcp://127.0.0.1:{number}: {error.strerror}") from None
        self._listener.listen(4)
        self._listener.setblocking(False)
        self._number: int = self._listener.getsockname()[1]
        self._client: tuple[socket.socket, _Line] | None = None

    @property
    def url(self) -> str:
        """The address in pyserial's form."""
        return f"socket://127.0.0.1:{self._number}"

    @property
    def room(self) -> int:
        """Bytes that `send` takes now; without a client they are lost, as in the air."""
        return BUFFER_BYTES if self._client is None else self._client[1].room

    def attach(self, selector: selectors.BaseSelector, ready: Callable[[], None]) -> None:
        """Register the listener now and each client when it comes."""

        def accept() -> None:
            self._accept(selector, ready)

        selector.register(self._listener, selectors.EVENT_READ, accept)

    def receive(self) -> bytes:
        """Return bytes from the client; b"" when there are none. Lets go of one that left."""
        if self._client is None:
            return b""
        try:
            data = self._client[0].recv(READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._drop_client()
        return data

    def send(self, data: bytes, host_us: int) -> bool:
        """Queue and write; True when the kernel has taken everything."""
        return self._client is None or self._client[1].send(data, host_us)

    def close(self) -> None:
        """Let go of the client and stop listening."""
        self._drop_client()
        self._listener.close()

    def _accept(self, selector: selectors.BaseSelector, ready: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            if self._client is not None and not _has_left(self._client[0]):
                client.close()
                return
            self._drop_client()
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client = (client, _Line(client.fileno(), selector, ready))

    def _drop_client(self) -> None:
        if self._client is not None:
            client, line = self._client
            self._client = None
            line.detach()
            client.close()


def _has_left(client: socket.socket) -> bool:
    """True when the other end has closed, whether or not all its bytes are read."""
    poll = select.poll()
    poll.register(client, _LEFT)
    return bool(poll.poll(0))


def open_port(text: str, link: Path | None = None) -> Port:
    """Return the port that `--port` names: `pty` or `tcp://127.0.0.1:N`. Raises PortError."""
    if text == "pty":
        return PtyPort(link)
    match = re.fullmatch(r"tcp://(127\.0\.0\.1|localhost):(\d{1,5})", text)
    if match is None or int(match[2]) > 65535:
        raise PortError(f"port {text!r}: give pty or tcp://127.0.0.1:N (0 picks a free N)")
    if link is not None:
        raise PortError("--link is for a pty; a TCP port has no path")
    return TcpPort(int(match[2]))
