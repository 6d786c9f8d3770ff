"""The bench socket: one JSON object a line, request and response, over a Unix socket (mode 0600).

    {"command": "advance", "duration_us": 7200000000}
    {"ok": true, "result": {...}}       or       {"ok": false, "error": "one line"}

One request at a time per connection; the response may come later (`advance` answers when it has
arrived). A connection that breaks these rules, or does not read, is closed: the bench is a tool on
the same machine, not a stranger.
"""

import contextlib
import json
import os
import selectors
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

CONNECTIONS_MAX: Final = 8
"""Benches at a time; one is usual."""
LINE_BYTES: Final = 65536
"""Longest request."""
PATH_BYTES: Final = 107
"""Longest path of a Unix socket (`sun_path`, Linux)."""

Request = dict[str, Any]
Reply = Callable[[dict[str, Any]], None]
Handler = Callable[[Request, Reply], None]


class BenchError(Exception):
    """The bench asked for something that cannot be done; nothing was changed."""


class BenchSocket:
    """Listens at `path`; hands each request to `handler(request, reply)`, which replies once.

    A `BenchError` from the handler becomes the error of the response.
    """

    def __init__(self, path: Path, handler: Handler, selector: selectors.BaseSelector) -> None:
        self.path = path
        self._handler = handler
        self._selector = selector
        self._connections: set[_Connection] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(before)
        self._listener.listen(CONNECTIONS_MAX)
        self._listener.setblocking(False)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        """Close every connection and remove the socket."""
        for connection in list(self._connections):
            connection.close()
        self._selector.unregister(self._listener)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            accepted, _ = self._listener.accept()
            if len(self._connections) >= CONNECTIONS_MAX:
                accepted.close()
                return
            self._connections.add(
                _Connection(accepted, self._handler, self._selector, self._connections.discard)
            )


class _Connection:
    """One bench: a line in, a line out."""

    def __init__(
        self,
        accepted: socket.socket,
        handler: Handler,
        selector: selectors.BaseSelector,
        closed: Callable[["_Connection"], None],
    ) -> None:
        accepted.setblocking(False)
        self._socket = accepted
        self._handler = handler
        self._selector = selector
        self._closed = closed
        self._received = bytearray()
        self._busy = False
        selector.register(accepted, selectors.EVENT_READ, self._ready)

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self._selector.unregister(self._socket)
        self._socket.close()
        self._closed(self)

    def _ready(self) -> None:
        try:
            data = self._socket.recv(LINE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._received += data
        if not data or len(self._received) > LINE_BYTES:
            self.close()
        else:
            self._next()

    def _next(self) -> None:
        """Hand up the next whole line, unless one is still being answered."""
        while not self._busy and b"\n" in self._received:
            line, _, rest = bytes(self._received).partition(b"\n")
            self._received[:] = rest
            self._busy = True
            try:
                self._handler(_request(line), self._reply)
            except BenchError as error:
                self._send({"ok": False, "error": str(error)})

    def _reply(self, result: dict[str, Any]) -> None:
        self._send({"ok": True, "result": result})
        self._next()

    def _send(self, response: dict[str, Any]) -> None:
        self._busy = False
        try:
            data = json.dumps(response).encode() + b"\n"
            if self._socket.send(data) != len(data):
                self.close()
        except OSError:  # gone, or does not read
            self.close()


def _request(line: bytes) -> Request:
    try:
        request = json.loads(line)
    except ValueError:
        raise BenchError("a request is one JSON object on one line") from None
    if not isinstance(request, dict) or not isinstance(request.get("command"), str):
        raise BenchError('a request is an object with a "command"')
    return request
