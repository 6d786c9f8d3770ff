"""`export`: everything a pump says of itself, in one file (`export_file`).

The pump is read whole before the file is made, so a link that drops leaves no file, and none that
was there is lost. A prescription that changes while it is read would make a file of two halves:
that is noticed by its generation, and nothing is written. With `-` stdout gets the file and nothing
else, with `--json` too; what is said goes to stderr.
"""

import argparse
from importlib import metadata
from pathlib import Path
from typing import Final

from protocol.codes import BolusKind
from protocol.messages import Therapy
from tools import whole_file
from tools.programmer import export_file, transact
from tools.programmer import format as text
from tools.programmer.client import Client
from tools.programmer.console import Console, watched
from tools.programmer.errors import BadInput, ProgrammerError
from tools.programmer.export_file import Export
from tools.programmer.transact import EXIT_OK, Job, Values

STDOUT: Final = "-"


def export(args: argparse.Namespace) -> Job:
    """Return the job."""
    name: str = args.file
    path = None if name == STDOUT else Path(name)
    if path is not None and path.exists() and not args.force:
        raise BadInput(f"{name}: is there already; --force replaces it")

    def job(client: Client, console: Console) -> tuple[int, Values]:
        found = read(client)
        document = export_file.dump(found)
        if path is None:
            console.document(document)
        else:
            _write(path, document)
        sha256 = export_file.digest(document)
        console.say(_summary(found, name, sha256))
        return EXIT_OK, {
            **transact.reading(client, found.status, found.therapy),
            "file": name,
            "sha256": sha256,
            "records": len(found.log),
            "scheduled": text.date(found.status.pending_wall_s),
        }

    return job


def read(client: Client) -> Export:
    """Read the whole pump. Raises ProgrammerError when it was programmed meanwhile."""
    status = client.interrogate()
    log = watched("log", status.log_next - status.log_first, client.log(status.log_first))
    found = Export(
        _version(), client.device(), status, client.prescription(), client.pending(), tuple(log)
    )
    if client.status().generation != status.generation:
        raise ProgrammerError("the prescription changed while it was read; nothing was written")
    return found


def mode(therapy: Therapy) -> str:
    """Return the infusion mode in words."""
    return therapy.program.name.lower().replace("_", " ")


def _summary(found: Export, name: str, sha256: str) -> str:
    where = "stdout" if name == STDOUT else name
    what = mode(found.therapy) if found.therapy else "no prescription"
    later = found.status.pending_wall_s
    change = f", a change scheduled for {text.date_text(later)}" if later else ""
    said = [
        f"written: {where}: {found.device.serial} ({found.device.model}): {what}{change}, "
        f"{len(found.log)} log records",
        f"SHA-256 {sha256}",
    ]
    if found.status.bolus is not BolusKind.NONE:
        kind = found.status.bolus.name.lower()
        said.append(f"a {kind} bolus is under way; what is left of it is not in the file")
    return "\n".join(said)


def _write(path: Path, document: str) -> None:
    try:
        whole_file.write(path, document.encode())
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from None


def _version() -> str:
    try:
        return metadata.version("itpump")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "unknown"
