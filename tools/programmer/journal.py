"""The tool's transaction journal: no dose is asked for before it is written down.

A dosing command gets its number `txn` here: a saved counter that only rises in the high half, a
random low half. Number, operation, parameters and pump are saved, with fsync, before the first
byte goes to the pump, and closed when the result is known. So a tool that dies at any point finds
on its next start what it may have asked for, and QUERYs it instead of asking again. Beside it
stand who asked and, from COMMIT on, what the pump held before: a report says so.

`Journal` is the working part, over a dictionary; `FileJournal` saves it in a JSON file, replaced
atomically under a lock, because two programmers may run at once.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from protocol.codes import TxnOp
from tools import whole_file
from tools.programmer.errors import BadInput, JournalError

CLOSED_KEPT: Final = 64
"""Closed transactions kept for reading, of each pump: as many as its own journal holds."""
CLOSED_MAX: Final = 512
"""Closed transactions kept of all pumps together, the last: about 0.6 MB."""
OPEN_MAX: Final = 64
"""Open transactions of one pump; with more than it remembers, QUERY could not answer for them."""
FILE_NAME: Final = "transactions.json"
_COUNTER_MAX: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """One transaction as the tool knows it."""

    txn: int
    op: str
    parameters: str
    """Encoded parameters, hexadecimal."""
    pump: str
    """Serial number of the pump."""
    port: str
    state: str
    """"prepared" from before the first send, "committing" from before COMMIT, then the result."""
    by: str = ""
    """Name that was given with `--by`; "": none."""
    before: Mapping[str, str] = field(default_factory=dict)
    """What the pump held (`tools.programmer.before`); empty until COMMIT."""
    warned: Sequence[str] = ()
    """Warnings that stood with the question, each a line."""


class Journal:
    """Transactions in memory; what a simulation uses, whose tool never dies."""

    def __init__(self, random_bits: Callable[[int], int] = lambda bits: 0) -> None:
        """`random_bits(32)` gives the low half of each number."""
        self._random_bits = random_bits
        self._data: dict[str, Any] = {"counter": 0, "open": [], "closed": []}

    def begin(
        self, op: TxnOp, parameters: bytes, pump: str, port: str, highest: int, by: str = ""
    ) -> int:
        """Save a new transaction and return its number, above `highest`, the pump's last one."""
        with self._change() as data:
            if sum(row["pump"] == pump for row in data["open"]) >= OPEN_MAX:
                raise BadInput(f"{OPEN_MAX} transactions are open: run `itpump programmer status`")
            counter = max(int(data["counter"]), highest >> 32) + 1
            if counter > _COUNTER_MAX:
                raise BadInput("the pump's transaction numbers are used up")
            data["counter"] = counter
            txn = counter << 32 | self._random_bits(32)
            entry = Entry(txn, op.name, parameters.hex(), pump, port, "prepared", by)
            data["open"].append(asdict(entry))
        return txn

    def committing(
        self, txn: int, before: Mapping[str, str] | None = None, warned: Sequence[str] = ()
    ) -> None:
        """Save that COMMIT is about to be sent: from here on the dose may run.

        `before` is what the pump holds until then, `warned` what was said before the person agreed.
        """
        with self._change() as data:
            for row in data["open"]:
                if row["txn"] == txn:
                    row["state"] = "committing"
                    row["before"], row["warned"] = dict(before or {}), list(warned)

    def close(self, txn: int, result: str) -> None:
        """Save how a transaction ended; nothing happens when it is closed already."""
        with self._change() as data:
            ended = [{**row, "state": result} for row in data["open"] if row["txn"] == txn]
            data["open"] = [row for row in data["open"] if row["txn"] != txn]
            closed = [*data["closed"], *ended]
            for last in ended:  # another pump's are left alone: its visit may not be over
                own = [row for row in closed if row["pump"] == last["pump"]]
                forgotten = [row["txn"] for row in own[:-CLOSED_KEPT]]
                closed = [row for row in closed if row["txn"] not in forgotten]
            data["closed"] = closed[-CLOSED_MAX:]

    def open_entries(self, pump: str) -> list[Entry]:
        """Return the open transactions of one pump, oldest first."""
        return [Entry(**row) for row in self._load()["open"] if row["pump"] == pump]

    def entry(self, txn: int, pump: str) -> Entry | None:
        """Return a transaction of one pump, open or closed; None: not of this tool, or too old."""
        data = self._load()
        rows = (row for row in (*data["open"], *data["closed"]) if row["txn"] == txn)
        return next((Entry(**row) for row in rows if row["pump"] == pump), None)

    def entries(self, pump: str) -> list[Entry]:
        """Return all that is kept of one pump, in the order in which it was begun."""
        data = self._load()
        rows = (Entry(**row) for row in (*data["closed"], *data["open"]))
        return sorted((one for one in rows if one.pump == pump), key=lambda entry: entry.txn)

    def _load(self) -> dict[str, Any]:
        return self._data

    @contextlib.contextmanager
    def _change(self) -> Iterator[dict[str, Any]]:
        yield self._data


class FileJournal(Journal):
    """Transactions in `transactions.json` of a folder, safe over crash and power loss."""

    def __init__(self, folder: Path, random_bits: Callable[[int], int]) -> None:
        """Raises JournalError when the folder cannot be made or its file is not a journal."""
        super().__init__(random_bits)
        self._path = folder / FILE_NAME
        with self._reported():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._load()

    def _load(self) -> dict[str, Any]:
        with self._reported():
            if not self._path.exists():
                return {"counter": 0, "open": [], "closed": []}
            image = self._path.read_bytes()
        try:
            data = json.loads(image)
            for row in (*data["open"], *data["closed"]):
                Entry(**row)
            return {"counter": int(data["counter"]), "open": data["open"], "closed": data["closed"]}
        except (ValueError, KeyError, TypeError):
            raise JournalError(
                f"{self._path} is damaged; it may name doses that were asked for: "
                "check the pump's log, then move the file away"
            ) from None

    @contextlib.contextmanager
    def _change(self) -> Iterator[dict[str, Any]]:
        with self._locked():
            data = self._load()
            yield data
            with self._reported():
                whole_file.write(self._path, json.dumps(data, indent=1).encode())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._reported():
            lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with self._reported():
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn a file system's exception into one line."""
        try:
            yield
        except OSError as error:
            raise JournalError(f"transaction journal {self._path}: {error.strerror}") from None


def default_folder(environ: dict[str, str] | os._Environ[str]) -> Path:
    """Return $XDG_STATE_HOME/itpump, or ~/.local/state/itpump where that is not set."""
    base = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "itpump"
