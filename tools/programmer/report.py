"""`report`: who did what in a session, what it changed and how the pump is left.

The pump is interrogated and read: status, device, prescription, scheduled change, log. Names and
settings that have been replaced come from this tool's journal. The report goes to the terminal or
is the object of `--json`; `--html` writes it as a file as well.
"""

import argparse
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from protocol.codes import Role
from protocol.messages import LogRecord, Status
from tools.programmer import report_html, report_text, transact, warnings
from tools.programmer.client import Client
from tools.programmer.console import Console, Progress
from tools.programmer.errors import BadInput
from tools.programmer.report_changes import Acts
from tools.programmer.report_data import Report, Reporter, visit
from tools.programmer.transact import EXIT_OK, WARNINGS, Job, Values, therapy_of

VISIT_RECORDS_MAX: Final = 256
"""Newest records among which the beginning of a visit is looked for."""


def report(args: argparse.Namespace) -> Job:
    """Return the job."""
    since: int | None = args.since
    file: Path | None = args.html

    def job(client: Client, console: Console) -> tuple[int, Values]:
        found = _read(client, since)
        if file is not None:
            _write(file, report_html.page(found))
        if not console.as_json:
            console.say(report_text.text(found))
            if file is not None:
                console.say(f"written: {file}")
        return EXIT_OK, {
            **transact.reading(client, found.status, found.therapy),
            **report_text.values(found),
            WARNINGS: [caution.code.name for caution in found.cautions],
            "html": None if file is None else str(file),
        }

    return job


def _read(client: Client, since: int | None) -> Report:
    """Read the pump. Raises BadInput for a record that is not in its log."""
    status = client.interrogate()
    records = _records(client, status, since)
    found = records if since is not None else visit(records)
    role = Role.CLINICIAN if client.session is None else client.session.role
    acts = Acts(found, client.entries())
    cautions = warnings.of_visit(status, therapy_of(client))
    return Report(
        Reporter(role, client.by, tool(), client.port),
        status,
        client.device(),
        client.prescription(),
        client.pending(),
        [*cautions, warnings.BRIDGE_OMITTED] if acts.unbridged() else cautions,
        found,
        acts,
        client.entry(status.last_txn) if status.last_txn else None,
    )


def _records(client: Client, status: Status, since: int | None) -> Sequence[LogRecord]:
    first = status.log_next - VISIT_RECORDS_MAX if since is None else since
    start = max(first, status.log_first)
    progress = Progress("log", status.log_next - start)
    records = []
    try:
        for record in client.log(start):
            records.append(record)
            progress.at(len(records))
    finally:
        progress.end()
    if not records:
        raise BadInput(f"the log ends at record {status.log_next - 1}: none from {start} on")
    return records


def tool() -> str:
    """Return name and version of this tool."""
    try:
        return f"itpump {metadata.version('itpump')}"
    except metadata.PackageNotFoundError:
        return "itpump"


def _write(file: Path, page: str) -> None:
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{file}: the report cannot be written: {error.strerror}") from None
