"""The line of every key in a TOML text.

`tomllib` gives the values and is the judge of what is valid; it does not say where a value stood.
This scanner walks a text that `tomllib` has accepted, so it need not check anything: it only has to
tell keys from strings, comments and brackets, and to count lines. A key path is a tuple of names
and list positions, such as ("step", 0, "fault").
"""

import re
import tomllib
from typing import Final

Path = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY: Final = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*""")
_STRINGS: Final = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
)
_SCALAR: Final = re.compile(r"[^,\]}\n#]+")


def key_lines(text: str) -> dict[Path, int]:
    """Return the line (from 1) of every table, key and list item of a valid TOML text."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {(): 1}
        self.counts: dict[Path, int] = {}
        """How many elements each array of tables has so far."""
        self._line = 1
        self._counted_to = 0

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        self._skip_blank()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip_blank()
        return self.lines

    def _header(self) -> Path:
        """Read `[a.b]` or `[[a.b]]` and return the path of the table it opens."""
        line = self._line_here()
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        *parents, last = self._key()
        self.at += 2 if is_array else 1
        path: Path = ()
        for name in parents:
            path = self._enter((*path, name), line)
        path = (*path, last)
        if is_array:
            self.counts[path] = self.counts.get(path, 0) + 1
            self.lines.setdefault(path, line)
        return self._enter(path, line)

    def _enter(self, path: Path, line: int) -> Path:
        """Note a table; inside an array of tables that is its newest element."""
        self.lines.setdefault(path, line)
        if path in self.counts:
            path = (*path, self.counts[path] - 1)
            self.lines.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        """Read `a.b = value`."""
        line = self._line_here()
        path = table
        for name in self._key():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self.at = self.text.index("=", self.at) + 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        self.lines.setdefault(path, self._line_here())
        opening = self.text[self.at]
        if opening == "[":
            self._items(path)
        elif opening == "{":
            self._inline(path)
        else:
            self._scalar()

    def _items(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._next_until("]"):
            self._value((*path, index))
            index += 1

    def _inline(self, path: Path) -> None:
        self.at += 1
        while self._next_until("}"):
            self._pair(path)

    def _next_until(self, closing: str) -> bool:
        """Step over blanks and commas; False, past it, when the closing bracket comes."""
        self._skip_blank()
        while self.text[self.at] == ",":
            self.at += 1
            self._skip_blank()
        if self.text[self.at] != closing:
            return True
        self.at += 1
        return False

    def _scalar(self) -> None:
        for string in _STRINGS:
            if match := string.match(self.text, self.at):
                self.at = match.end()
                return
        match = _SCALAR.match(self.text, self.at)
        self.at = match.end() if match else len(self.text)

    def _key(self) -> list[str]:
        """Read a dotted key, bare or quoted."""
        names = []
        while match := _KEY.match(self.text, self.at):
            self.at = match.end()
            names.append(_unquoted(match[1]))
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
        return names

    def _skip_blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _line_here(self) -> int:
        self._line += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        return self._line


def _unquoted(key: str) -> str:
    """Return what a quoted key says, by the same reader that made the values."""
    return next(iter(tomllib.loads(f"{key} = 0"))) if key[0] in "\"'" else key
