"""The file that carries a prescription from one pump to another, and keeps a pump's history.

One JSON object. Each section holds one thing as the pump said it, in the wire's own fields:

    format, version     what this is; another version is refused by its number
    itpump              version of the tool that wrote it
    sha256              of each section, and of the file: its head and those digests
    readable            for people: the pump's report, the prescription as a `[therapy]` table, the
                        log; made from the sections below, with which the table is compared
    device, status, prescription, pending, log

A digest is the SHA-256 of a section as JSON with sorted keys and no spaces. It shows damage and
edits by hand, and in which section; it is no signature. Nothing in the file says who the patient
or the user is; the pump's serial number is a pseudonym.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from protocol.messages import DeviceInfo, LogRecord, PrescriptionInfo, Status, Therapy
from tools import therapy_writer
from tools.programmer import log_view, readings, wire_json
from tools.toml_file import FileError

FORMAT: Final = "itpump export"
VERSION: Final = 1
MAX_BYTES: Final = 16 << 20
"""A full log of 16,256 records takes 7 MB; reading more than this is refused."""
_LOG: Final = "log"
_WHOLE: Final = "file"
_MESSAGES: Final = {
    "device": DeviceInfo, "status": Status, "prescription": PrescriptionInfo,
    "pending": PrescriptionInfo,
}  # fmt: skip
_READABLE: Final = "readable"
SECTIONS: Final = (_READABLE, *_MESSAGES, _LOG)


@dataclass(frozen=True, slots=True)
class Export:
    """One pump, read at one time."""

    itpump: str
    """Version of the tool that read it."""
    device: DeviceInfo
    status: Status
    prescription: PrescriptionInfo
    pending: PrescriptionInfo
    """Scheduled change; generation 0: none."""
    log: tuple[LogRecord, ...]

    @property
    def therapy(self) -> Therapy | None:
        """The prescription; None where the pump had none."""
        return _therapy(self.prescription)

    @property
    def scheduled(self) -> Therapy | None:
        """What was to take over at `status.pending_wall_s`; None: nothing."""
        return _therapy(self.pending)


def dump(export: Export) -> str:
    """Return the file."""
    sections: dict[str, Any] = {
        _READABLE: {
            "pump": readings.report(export.status, export.device, export.therapy).splitlines(),
            "therapy": _table(export),
            "log": [log_view.HEAD, *map(log_view.line, export.log)],
        },
        **{name: wire_json.values(getattr(export, name)) for name in _MESSAGES},
        _LOG: [wire_json.values(record) for record in export.log],
    }
    head = {"format": FORMAT, "version": VERSION, "itpump": export.itpump}
    return json.dumps({**head, "sha256": _digests(head, sections), **sections}, indent=1) + "\n"


def digest(text: str) -> str:
    """Return the SHA-256 that stands for a whole file as `dump` returned it."""
    found: str = json.loads(text)["sha256"][_WHOLE]
    return found


def load(path: str) -> Export:
    """Return what a file holds. Raises FileError, one line that says where it is damaged."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise FileError(f"{path}: larger than 16 MiB; it is no export")
    return _Reader(path, data.decode(errors="replace")).export()


class _Reader:
    """One file under examination."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text

    def export(self) -> Export:
        top = self._parsed()
        self._check_head(top)
        self._check_digests(top)
        try:
            found: dict[str, Any] = {
                name: wire_json.read(kind, top[name], name) for name, kind in _MESSAGES.items()
            }
            records = enumerate(_list(top[_LOG], _LOG))
            log = tuple(wire_json.read(LogRecord, record, f"log[{i}]") for i, record in records)
        except wire_json.NotThat as error:
            self._refuse(str(error), re.split(r"[.:\[]", str(error))[0])
        export = Export(itpump=str(top["itpump"]), **found, log=log)
        self._check_table(top[_READABLE], export)
        return export

    def _parsed(self) -> dict[str, Any]:
        try:
            top = json.loads(self._text, object_pairs_hook=_once)
        except wire_json.NotThat as error:
            self._refuse(str(error), str(error).partition(":")[0])
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", 1)
            why = "cut short, or edited after it was written"
            raise FileError(f"{self._path}:{line}: no JSON: {why}") from None
        if not isinstance(top, dict) or top.get("format") != FORMAT:
            raise FileError(f"{self._path}: no file that `itpump programmer export` has written")
        return top

    def _check_head(self, top: Mapping[str, Any]) -> None:
        version = top.get("version")
        if version != VERSION:
            by = f", written by itpump {top.get('itpump')!s:.40}"
            self._refuse(f"format version {version!s:.20}{by}; this one reads {VERSION}", "version")
        if missing := [name for name in ("itpump", "sha256", *SECTIONS) if name not in top]:
            raise FileError(f"{self._path}: damaged: section {missing[0]} is missing")

    def _check_digests(self, top: Mapping[str, Any]) -> None:
        head = {name: top[name] for name in ("format", "version", "itpump")}
        found, stated = _digests(head, {name: top[name] for name in SECTIONS}), top["sha256"]
        if not isinstance(stated, dict):
            self._refuse("sha256: an object is needed", "sha256")
        wrong = [name for name in SECTIONS if found[name] != stated.get(name)]
        if wrong or found != stated:
            where = wrong[0] if wrong else "sha256"
            named = " and ".join(wrong) or "the head of the file"
            self._refuse(f"{named}: changed or damaged since it was written (SHA-256)", where)

    def _check_table(self, readable: object, export: Export) -> None:
        """What a person reads in it must be what is imported."""
        table = readable.get("therapy") if isinstance(readable, dict) else None
        wanted = export.therapy, export.scheduled, export.status.pending_wall_s
        try:
            same = table is None or therapy_writer.read(list(map(str, table))) == wanted
        except (FileError, TypeError):
            same = False
        if not same:
            self._refuse("the [therapy] table is not the prescription in the file", _READABLE)

    def _refuse(self, message: str, key: str) -> NoReturn:
        """Raise FileError at the line of a key of the top object."""
        found = re.search(rf'^ ?"{re.escape(key)}":', self._text, re.MULTILINE)
        line = self._text.count("\n", 0, found.start()) + 1 if found else 1
        raise FileError(f"{self._path}:{line}: {message}")


def _table(export: Export) -> list[str] | None:
    if export.therapy is None:
        return None
    return therapy_writer.lines(export.therapy, export.scheduled, export.status.pending_wall_s)


def _therapy(info: PrescriptionInfo) -> Therapy | None:
    return info.therapy if info.generation and info.therapy.drugs else None


def _digests(head: Mapping[str, Any], sections: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of each section, and over head and digests that of the file."""
    parts = {name: _sha256(section) for name, section in sections.items()}
    return {_WHOLE: _sha256({**head, **parts}), **parts}


def _sha256(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _list(found: object, name: str) -> list[Any]:
    if not isinstance(found, list):
        raise wire_json.NotThat(f"{name}: a list is needed")
    return found


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object; a key that stands twice would show one thing and mean another."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise wire_json.NotThat(f"{name}: stands in the file twice")
        found[name] = value
    return found
