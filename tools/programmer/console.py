"""What a command says and asks, on stdout, stderr and stdin.

With `--json` one object is the only thing on stdout; what is meant for a person goes to stderr.
"""

import contextlib
import json
import shutil
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

BAR_AFTER_S: Final = 0.5
"""A transfer that takes less shows no bar."""
BAR_WIDTH: Final = 30
WIDTH: Final = 100
"""Columns of the terminal."""
_REDRAW_S: Final = 0.1

T = TypeVar("T")


class Console:
    """One command's conversation."""

    def __init__(self, as_json: bool, yes: bool, document: bool = False) -> None:
        """`yes` answers every question; `document`: stdout is for one, and for nothing else."""
        self.as_json = as_json or document
        self._yes = yes
        self._document = document

    @property
    def can_ask(self) -> bool:
        """Whether a question gets an answer: somebody sits there, or `--yes` was given."""
        return self._yes or sys.stdin.isatty()

    @property
    def asks(self) -> bool:
        """Whether a person is asked, and time passes."""
        return not self._yes

    def say(self, text: str) -> None:
        """Show text to a person; a warning that is longer than a line goes on below."""
        text = "\n".join(_folded(line) for line in text.splitlines())
        print(text, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def review(self, text: str) -> None:
        """Show what is to be confirmed; what is longer than the screen, page by page."""
        lines = "\n".join(map(_folded, text.splitlines())).splitlines()
        page = shutil.get_terminal_size().lines - 2
        if self._yes or self.as_json or not sys.stdout.isatty() or len(lines) <= page:
            self.say(text)
            return
        for first in range(0, len(lines), page):
            self.say("\n".join(lines[first : first + page]))
            if first + page < len(lines):
                self.ask("-- Enter: go on --")

    def ask(self, question: str) -> str:
        """Ask for an entry; what was typed before the question is thrown away."""
        _forget_typed_ahead()
        print(f"{question} ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()

    def confirm(self, question: str, word: str | None = None) -> bool:
        """Ask; only a plain yes is a yes, and with `word` only that whole word."""
        if self._yes:
            return True
        if word is not None:
            return self.ask(f'{question} Read the warnings; "{word}" or no:').lower() == word
        return self.ask(f"{question} [y/N]").lower() in ("y", "yes")

    def document(self, text: str) -> None:
        """Print the document that stdout is for."""
        print(text, end="", flush=True)

    def result(self, values: dict[str, Any]) -> None:
        """Print the object of `--json`; nothing without it, or where stdout has a document."""
        if self.as_json and not self._document:
            print(json.dumps(values, indent=2), flush=True)


def _folded(line: str) -> str:
    if not line.startswith("! "):
        return line
    return textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _forget_typed_ahead() -> None:
    """An answer that came before its question cannot be one."""
    if sys.stdin.isatty():
        with contextlib.suppress(termios.error, OSError):
            termios.tcflush(sys.stdin, termios.TCIFLUSH)


def complain(message: str) -> None:
    """Print one line of error."""
    print(f"itpump: {' '.join(message.split())}", file=sys.stderr, flush=True)


def watched(noun: str, total: int, items: Iterable[T]) -> Iterator[T]:
    """Yield the items of a transfer; a bar shows how far it is."""
    progress = Progress(noun, total)
    try:
        for done, item in enumerate(items, 1):
            yield item
            progress.at(done)
    finally:
        progress.end()


class Progress:
    """A bar on stderr, for a transfer of a known length; silent when stderr is no terminal."""

    def __init__(self, noun: str, total: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._noun = noun
        self._total = max(1, total)
        self._now_s = now_s
        self._shown = False
        self._draw_at_s = now_s() + BAR_AFTER_S
        self._live = sys.stderr.isatty()

    def at(self, done: int) -> None:
        """Show how much is done."""
        if not self._live or self._now_s() < self._draw_at_s:
            return
        self._draw_at_s = self._now_s() + _REDRAW_S
        self._shown = True
        full = BAR_WIDTH * min(done, self._total) // self._total
        bar = "#" * full + "." * (BAR_WIDTH - full)
        print(f"\r{self._noun} [{bar}] {done}/{self._total}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the bar away."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
