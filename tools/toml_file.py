"""TOML files that people write, with errors that say where.

`load` reads a file with `tomllib` and remembers the line of every key (`tools.toml_lines`), so that
every complaint, about syntax or about meaning, is one line `FILE:LINE: what is wrong`. `Table` is
the typed reader over one table: name the keys it may have, then take each with a function that
turns the written value into the wanted one or raises ValueError with a line for people
(`tools.quantity` is full of such functions). Numbers with a point are read as `Decimal`.
"""

import datetime
import difflib
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any, Final, TypeVar

from tools.quantity import shown
from tools.toml_lines import Path, key_lines

MAX_BYTES: Final = 1 << 20
"""A longer file is no scenario or therapy; refusing it keeps reading bounded."""
NEVER: Final = object()
"""A value no file can hold: in `Table.only`, a later key that has no neutral value."""

NOT_YET: Final = "this version of itpump does not deliver it yet"

T = TypeVar("T")
E = TypeVar("E")


class FileError(Exception):
    """A file cannot be used. `str` is one line: `FILE:LINE: message`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file, so that a later step can still complain about it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def error(self, message: str) -> FileError:
        """Return the error for this place."""
        return FileError(f"{self}: {message}")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file, read key by key."""

    file: str
    lines: Mapping[Path, int]
    path: Path
    values: Mapping[str, Any]

    def place(self, key: str | None = None) -> Place:
        """Return where a key stands, or the table itself."""
        path = self.path if key is None or key not in self.values else (*self.path, key)
        return Place(self.file, self.lines.get(path, 1))

    def error(self, message: str, key: str | None = None) -> FileError:
        """Return an error at a key of this table, or at the table."""
        return self.place(key).error(message)

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def only(self, known: Collection[str], later: Mapping[str, object] | None = None) -> None:
        """Refuse keys that are not known.

        `later` are keys of the format that this version does not deliver yet, each with the
        neutral value that asks for nothing and so is accepted (NEVER: there is none).
        Raises FileError.
        """
        later = later or {}
        for key, value in self.values.items():
            if key in later and value != later[key]:
                raise self.error(f"{key}: {NOT_YET}", key)
            if key not in known and key not in later:
                raise self.error(f'unknown key "{key}"{suggestion(key, known)}', key)

    def take(self, key: str, convert: Callable[[Any], T]) -> T:
        """Return a key that must be there. Raises FileError."""
        if key not in self.values:
            raise self.error(f'key "{key}" is missing')
        return self._converted(key, convert)

    def get(self, key: str, convert: Callable[[Any], T], default: E) -> T | E:
        """Return a key, or the default when it is not there. Raises FileError."""
        return self._converted(key, convert) if key in self.values else default

    def table(self, key: str) -> "Table | None":
        """Return a sub-table, or None when it is not there. Raises FileError."""
        if key not in self.values:
            return None
        return self._child((*self.path, key), self.values[key], key)

    def tables(self, key: str) -> "list[Table]":
        """Return the tables of a list of tables; none when it is not there. Raises FileError."""
        items = self.values.get(key, [])
        if not isinstance(items, list):
            found = shown(items)
            raise self.error(f"{key}: a list of tables is needed, not {found}: [[{key}]]", key)
        return [self._child((*self.path, key, i), item, key) for i, item in enumerate(items)]

    def _child(self, path: Path, value: object, key: str) -> "Table":
        if not isinstance(value, dict):
            raise self.error(f"{key}: a table is needed, not {shown(value)}", key)
        return Table(self.file, self.lines, path, value)

    def _converted(self, key: str, convert: Callable[[Any], T]) -> T:
        try:
            return convert(self.values[key])
        except ValueError as error:
            raise self.error(f"{key}: {error}", key) from None


def load(path: str) -> Table:
    """Return the top table of a file. Raises FileError."""
    return parse(path, read(path))


def read(path: str) -> str:
    """Return the text of a file. Raises FileError."""
    try:
        with FilePath(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise FileError(f"{path}: larger than 1 MiB; it is not a file for itpump")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileError(f"{path}:{line}: not UTF-8 text") from None


def parse(name: str, text: str) -> Table:
    """Return the top table of a text; `name` is what errors call it. Raises FileError."""
    text = text.replace("\r\n", "\n")
    try:
        values = tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError as error:
        raise FileError(_syntax_error(name, text, str(error))) from None
    except RecursionError:
        raise FileError(f"{name}:1: nested too deeply") from None
    return Table(name, key_lines(text), (), values)


def text(value: object) -> str:
    """Return a text. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)}: a text in quotes is needed")
    return value


def boolean(value: object) -> bool:
    """Return true or false. Raises ValueError."""
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)}: true or false is needed, without quotes")
    return value


def integer(low: int, high: int) -> Callable[[object], int]:
    """Return a reader of whole numbers low..high."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{shown(value)}: a whole number is needed")
        if not low <= value <= high:
            raise ValueError(f"{value}: must be {low} to {high}")
        return value

    return read


def choice(options: Mapping[str, T], later: Collection[str] = ()) -> Callable[[object], T]:
    """Return a reader of one of some words; `later` are words for a later version."""

    def read(value: object) -> T:
        if isinstance(value, str) and value in options:
            return options[value]
        if isinstance(value, str) and value in later:
            raise ValueError(f"{shown(value)}: {NOT_YET}")
        near = closest(value, options) if isinstance(value, str) else ""
        raise ValueError(f"{shown(value)}: not one of {', '.join(options)}{near}")

    return read


def local_time(value: object) -> datetime.datetime:
    """Return a wall-clock time without a zone and in whole seconds. Raises ValueError."""
    if not isinstance(value, datetime.datetime):
        raise ValueError(f"{shown(value)}: a time is needed, without quotes: 2027-01-04T09:00:00")
    if value.tzinfo is not None:
        raise ValueError(f"{value.isoformat()}: the pump keeps local time; leave out the zone")
    if value.microsecond:
        raise ValueError(f"{value.isoformat()}: whole seconds only")
    return value


def closest(word: str, known: Collection[str]) -> str:
    """Return `; did you mean "x"?` for the closest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def suggestion(word: str, known: Collection[str]) -> str:
    """Return `closest`, or, without a close one, the known words where they are few."""
    few = f"; known are {', '.join(known)}" if 0 < len(known) <= 8 else ""
    return closest(word, known) or few


def _decimal(digits: str) -> Decimal:
    return Decimal(digits)


def _syntax_error(name: str, text: str, message: str) -> str:
    """Turn "... (at line 3, column 5)" into "NAME:3: ... (column 5)"."""
    if match := re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL):
        problem, line, column = match.groups()
        problem = " ".join(problem.split())
        return f"{name}:{line}: {problem[:1].lower()}{problem[1:]} (column {column})"
    line = str(text.rstrip().count("\n") + 1)
    problem = " ".join(message.removesuffix("(at end of document)").split())
    return f"{name}:{line}: {problem[:1].lower()}{problem[1:]} at the end of the file"
