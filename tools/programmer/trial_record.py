"""The record of trials with one pump: what was scored, asked of the pump and found in it.

One file per pump in the folder of the transaction journal. Entries are only ever added; the file is
replaced in one step, so that a crash leaves it with the last entry or without, never with half of
one. A checksum tells a record that something else has written to. Its lock is held while a command
works on the trial: a second one is told so and changes nothing.

A dose is written down as asked for before the pump hears of it, and as given only when the pump's
own log has it (`tools.programmer.trial_visit`), so the record never says a dose that the pump does
not have.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from protocol.crc import crc32c
from tools import whole_file
from tools.programmer.errors import BadInput, JournalError

ENTRIES_MAX: Final = 10_000
"""Entries of one file: years of trials; a script that never ends is stopped here."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The pump when an entry was made."""

    wall_s: int
    """Its wall clock."""
    clock_s: int
    """The same with every setting of the clock taken out: what intervals are measured by."""
    log_next: int
    """Log records below this one were taken into account."""
    delivered_nl: int
    """Delivered over its life."""


@dataclass(frozen=True, slots=True)
class Score:
    """A pain score."""

    seen: Seen
    score: int
    """0 no pain, 10 the worst."""
    step: int
    """Step of the plan that the pump was delivering, 1 on; 0: none, it counts for no step."""
    dose_pg: str
    """Dose of the primary drug per day that it was delivering, an exact number."""
    note: str
    side_effect: str
    """What was suffered; "" for nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The pump is about to be asked for something."""

    seen: Seen
    step: int
    """Step of the plan; 0: the end of the trial."""
    therapy: str
    """What is to be prescribed then, encoded, hexadecimal; "": it stays as it is."""
    plan: str = ""
    """With step 1, the text of the plan."""
    name: str = ""
    """With step 1, the name of its file."""


@dataclass(frozen=True, slots=True)
class Done:
    """The pump has done what was asked last."""

    seen: Seen
    late: bool
    """The tool was cut off; a later command found it in the pump."""


@dataclass(frozen=True, slots=True)
class Undone:
    """The pump has not done what was asked last, and will not."""

    seen: Seen


@dataclass(frozen=True, slots=True)
class Outside:
    """The pump was found with something else than the trial has asked for."""

    seen: Seen
    what: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A baseline was taken back before a trial began."""

    seen: Seen


Entry = Score | Asked | Done | Undone | Outside | Withdrawn
_KINDS: Final[dict[str, type[Entry]]] = {
    kind.__name__.lower(): kind for kind in (Score, Asked, Done, Undone, Outside, Withdrawn)
}


class Record:
    """The trials with one pump; see `opened`."""

    def __init__(self, path: Path, pump: str) -> None:
        """Read the file, if there is one. Raises JournalError."""
        self._path = path
        self._pump = pump
        self.entries = self._read()

    def append(self, entry: Entry) -> None:
        """Add an entry; on the disk when this returns. Raises JournalError."""
        if len(self.entries) >= ENTRIES_MAX:
            raise JournalError(f"{self._path} is full, {ENTRIES_MAX} entries: move the file away")
        entries = [*self.entries, entry]
        rows = [{"kind": type(entry).__name__.lower(), **asdict(entry)} for entry in entries]
        data = {"pump": self._pump, "crc": _crc(rows), "entries": rows}
        with _reported(self._path):
            whole_file.write(self._path, json.dumps(data, indent=1).encode())
        self.entries = entries

    def _read(self) -> list[Entry]:
        with _reported(self._path):
            if not self._path.exists():
                return []
            image = self._path.read_bytes()
        try:
            data = json.loads(image)
            rows = data["entries"]
            if (data["pump"], data["crc"]) != (self._pump, _crc(rows)):
                raise ValueError
            return [_entry(dict(row)) for row in rows]
        except (ValueError, KeyError, TypeError):
            raise JournalError(
                f"{self._path} is damaged; it holds the scores and doses of a trial with pump "
                f"{self._pump}: bring back a copy, or move the file away and begin again"
            ) from None


@contextlib.contextmanager
def opened(folder: Path, pump: str) -> Iterator[Record]:
    """Hold the record of a pump. Raises JournalError; BadInput while another tool holds it."""
    path = folder / f"trial-{quote(pump, safe='')}.json"
    with contextlib.ExitStack() as held:
        with _reported(path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            held.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BadInput(
                    f"another tool is working on the trial with pump {pump}; nothing was done"
                ) from None
        yield Record(path, pump)


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turn a file system's exception into one line."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"record of the trial {path}: {error.strerror}") from None


def _crc(rows: list[dict[str, Any]]) -> str:
    canonical = json.dumps(rows, sort_keys=True, separators=(",", ":"))
    return f"{crc32c(canonical.encode()):08x}"


def _entry(row: dict[str, Any]) -> Entry:
    return _KINDS[row.pop("kind")](seen=Seen(**row.pop("seen")), **row)
