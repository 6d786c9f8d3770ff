"""The state folder: what keeps a pump across restarts of `itpump run`.

    DIR/pump.json    the pump: the fields of `Saved`, and their SHA-256
    DIR/lock         held while a process serves this pump
    DIR/bench.sock   the bench socket of that process

`pump.json` is replaced in one step (temporary file, fsync, rename, fsync of the folder), so it is
always whole. A file that is not what it should be is refused and never written over: it may be all
that is left of somebody's long test.
"""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

from tools import whole_file

FORMAT: Final = 1
FILE_NAME: Final = "pump.json"


class StateError(Exception):
    """The folder cannot be used; one line for people."""


class Saved(NamedTuple):
    """What `pump.json` holds."""

    profile: str
    seed: int
    start_wall_s: int
    """Pump wall clock when its world began; also when its service life did."""
    drugs: list[tuple[str, int]]
    """What is in the reservoir: name, pg/mL."""
    board: dict[str, Any]
    """`EmulatedBoard.save()`."""


class StateDir:
    """One folder, locked for this process from construction to `close`."""

    def __init__(self, path: Path) -> None:
        """Make the folder if need be (0700) and lock it. Raises StateError."""
        self.path = path
        self._file = path / FILE_NAME
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise StateError(f"{path}: in use by another itpump run") from None

    def load(self) -> Saved | None:
        """Return the saved pump; None for a new folder. Raises StateError."""
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"{self._file}: {error.strerror}") from None
        try:
            top = json.loads(data)
            if top["format"] != FORMAT:
                raise StateError(f"{self._file}: format {top['format']!r}; this reads {FORMAT}")
            if top["sha256"] != _digest(_text(top["pump"])):
                raise ValueError
            return Saved(**top["pump"])
        except (ValueError, KeyError, TypeError):
            raise StateError(
                f"{self._file}: damaged; move it away to start with a new pump"
            ) from None

    def save(self, saved: Saved) -> None:
        """Replace `pump.json` in one step; on the disk when this returns. Raises StateError."""
        pump = _text(saved._asdict())
        text = f'{{"format":{FORMAT},"sha256":"{_digest(pump)}","pump":{pump}}}\n'
        try:
            whole_file.write(self._file, text.encode())
        except OSError as error:
            raise StateError(f"{self._file}: {error.strerror}") from None

    def close(self) -> None:
        """Let the lock go."""
        os.close(self._lock)


def _text(pump: dict[str, Any]) -> str:
    return json.dumps(pump, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
