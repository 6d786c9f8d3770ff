"""What `itpump run` prints: a ready line, a status now and then, a summary; text or JSON lines.

Nothing a reader does may stop the pump. A status is printed only when the output takes it at once;
when nobody reads, it is skipped, and when the reader has gone, output ends and the run goes on.
"""

import contextlib
import json
import os
import select
import time
from collections.abc import Callable
from typing import Any, Final

from tools.run.report import Report, line, summary

TTY_PERIOD_US: Final = 250_000
LINE_PERIOD_US: Final = 1_000_000
"""Lines come at most this often, however fast the pump's days pass."""
QUIET_US: Final = 10_000_000
"""Without a new day of pump time, a line comes this often (host time)."""
DAY_US: Final = 86_400_000_000
LAST_WAIT_MS: Final = 1000
"""How long the ready line and the summary may wait for a reader."""


class Console:
    """Writes to a descriptor; `shown` makes the status line."""

    def __init__(self, fd: int, as_json: bool, shown: Callable[[Report], str] = line) -> None:
        self._fd = fd
        self._shown = shown
        self._json = as_json
        self._live = os.isatty(fd) and not as_json
        self._gone = False
        self._printed_us = 0
        self._day = 0
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    @property
    def period_us(self) -> int:
        """How often `status` wants to be called."""
        return TTY_PERIOD_US if self._live else LINE_PERIOD_US

    def ready(self, **fields: str | int) -> None:
        """Say where everything is."""
        if self._json:
            self._print(json.dumps(fields), LAST_WAIT_MS)
        else:
            words = (f"{key}={_word(value)}" for key, value in fields.items())
            self._print(" ".join(words), LAST_WAIT_MS)

    def note(self, text: str, **fields: Any) -> None:
        """Say that something happened."""
        if self._json:
            self._print(json.dumps({"event": text, **fields}), LAST_WAIT_MS)
        else:
            self._print(text, LAST_WAIT_MS)

    def status(self, table: Report) -> None:
        """Show the status: in place on a terminal, else when a day has passed, or 10 s."""
        if self._live:
            self._write(f"\r{self._fitted(self._shown(table))}\x1b[K", 0)
            return
        now_us = time.monotonic_ns() // 1000
        day = table["run.now_us"] // DAY_US
        if day != self._day or now_us - self._printed_us >= QUIET_US:
            self._day = day
            self._printed_us = now_us
            status = {"event": "status", **table}
            self._print(json.dumps(status) if self._json else self._shown(table), 0)

    def summary(self, table: Report, elapsed_us: int) -> None:
        """Say how it ended."""
        if self._json:
            end = {"event": "end", "elapsed_us": elapsed_us, **table}
            self._print(json.dumps(end), LAST_WAIT_MS)
        else:
            self._print(summary(table, elapsed_us), LAST_WAIT_MS)

    def _fitted(self, text: str) -> str:
        with contextlib.suppress(OSError):
            return text[: os.get_terminal_size(self._fd).columns - 1]
        return text

    def _print(self, text: str, wait_ms: int) -> None:
        start = "\r\x1b[K" if self._live else ""
        self._write(f"{start}{text}\n", wait_ms)

    def _write(self, text: str, wait_ms: int) -> None:
        """Write if the reader takes it. A pipe that is ready takes 4096 bytes, a line is less."""
        if self._gone or not self._poll.poll(wait_ms):
            return
        try:
            os.write(self._fd, text.encode())
        except OSError:
            self._gone = True


def _word(value: str | int) -> str:
    """Return a value as one word: quoted when it holds a space."""
    return json.dumps(value) if " " in str(value) else str(value)
