"""The trace: all that happened, one canonical JSON line each, and its hash.

A line is `{"code":..,"detail":{..},"source":..,"t_us":..}` with sorted keys, no spaces, integers
and strings only: the same run gives the same bytes, so the same SHA-256, on every machine. What is
of interest to people is also kept in memory, up to a stated maximum; routine lines are not.
"""

import hashlib
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final, TextIO

ROUTINE: Final = frozenset({"BATCH", "BATCH_END"})
"""Codes that come with every delivery: hashed and written, but not kept among `Trace.events`."""

Event = dict[str, int | str | dict[str, int | str]]


class Trace:
    """A running record. `sink` gets each line; `keep_max` bounds the events kept in memory."""

    def __init__(self, sink: TextIO | None = None, keep_max: int = 0) -> None:
        self._sink = sink
        self._keep_max = keep_max
        self._hash = hashlib.sha256()
        self.lines = 0
        """Lines recorded."""
        self.events: list[Event] = []
        """The first `keep_max` lines that are not routine."""
        self.events_dropped = 0
        """How many more there were."""

    def record(self, t_us: int, source: str, code: str, detail: Mapping[str, int | str]) -> None:
        """Add one line. Raises TypeError for a detail that is no integer or string."""
        details = ",".join(f"{_quoted(key)}:{_value(key, detail[key])}" for key in sorted(detail))
        line = (
            f'{{"code":{_quoted(code)},"detail":{{{details}}},'
            f'"source":{_quoted(source)},"t_us":{t_us}}}\n'
        )
        self._hash.update(line.encode())
        self.lines += 1
        if self._sink is not None:
            self._sink.write(line)
        if code not in ROUTINE:
            self._keep({"t_us": t_us, "source": source, "code": code, "detail": dict(detail)})

    def sha256(self) -> str:
        """Return the hash of all lines so far, hexadecimal."""
        return self._hash.hexdigest()

    def _keep(self, event: Event) -> None:
        if len(self.events) < self._keep_max:
            self.events.append(event)
        else:
            self.events_dropped += 1


def _value(key: str, value: int | str) -> str:
    """Return a detail as JSON. Built by hand: an encoder costs more than all else of a line."""
    kind = type(value)
    if kind is int:
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int) and kind is not bool:
        return int.__repr__(value)
    raise TypeError(f"trace detail {key} is a {kind.__name__}")
