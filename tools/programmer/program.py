"""`program`: a therapy from a file, at once or to take over later, or both.

Current and pending settings stand side by side, all changes marked; what is implausible is blocked
here, before the pump is asked, and again by the pump.
"""

import argparse
from collections.abc import Sequence

from protocol import codec
from protocol.codes import TxnOp
from protocol.messages import DeviceInfo, Preview, ProgramParameters, Therapy
from tools import therapy_file
from tools.programmer import limits, plausible, review, transact, warnings
from tools.programmer.client import Client
from tools.programmer.console import Console
from tools.programmer.errors import OutsideLimits
from tools.programmer.plausible import FIRST_PRESCRIPTION
from tools.programmer.transact import EXIT_OK, WARNINGS, Job, Request, Values, therapy_of
from tools.programmer.warnings import BRIDGE_OMITTED, Caution
from tools.therapy_table import TherapyTable
from tools.toml_file import FileError


def program(args: argparse.Namespace) -> Job:
    """Return the job."""
    table = therapy_file.load_table(args.file)

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status, device = client.interrogate(), client.device()
        code, values = EXIT_OK, Values()
        said: list[str] = []
        current = therapy_of(client)
        first = [FIRST_PRESCRIPTION] if current is None else []
        for wanted in _wanted(table, current, device, status.wall_s):
            code, values = carry_out(client, console, wanted, args.override, first)
            said += values[WARNINGS]
            first = []
            if code != EXIT_OK:
                break
        return code, {**values, WARNINGS: said}

    return job


def _wanted(
    table: TherapyTable, current: Therapy | None, device: DeviceInfo, wall_s: int
) -> tuple[ProgramParameters, ...]:
    """Return what is to be programmed. Raises FileError, or OutsideLimits for a slip of unit."""
    try:
        return table.programs(current, device, wall_s)
    except FileError:
        for wanted in table.programs(current):
            limits.check_hard(limits.of_program(wanted.therapy, current, device), wanted.therapy)
        raise


def carry_out(
    client: Client,
    console: Console,
    parameters: ProgramParameters,
    override: bool,
    also: Sequence[Caution] = (),
    preface: str = "",
) -> tuple[int, Values]:
    """Review one program and commit it; `preface` is shown above it, `also` warned of.

    Raises what `transact.carry_out` does, and OutsideLimits.
    """
    status, device, current = client.status(), client.device(), therapy_of(client)
    pending = parameters.therapy
    cautions = [
        *also,
        *warnings.of_program(current, pending, status, device),
        *plausible.of_program(current, parameters, status, device),
    ]
    passed = limits.of_program(pending, current, device)
    try:
        beyond = limits.check(passed, pending, override)
    except OutsideLimits:
        for caution in cautions:
            console.say(str(caution))
        raise

    def show(preview: Preview) -> str:
        shown = codec.decode(ProgramParameters, preview.parameters)
        rows = review.lines(
            current, status.computed_nl, shown, preview, device, status.pending_wall_s
        )
        return f"{preface}{review.table(rows)}"

    question = "schedule this?" if parameters.at_wall_s else "program this?"
    request = Request(TxnOp.PROGRAM, parameters, show, question, cautions, override, beyond)
    code, values = transact.carry_out(client, console, request, status)
    if code == EXIT_OK and not parameters.at_wall_s and warnings.path_changes(current, pending):
        console.say(str(BRIDGE_OMITTED))
        values[WARNINGS].append(BRIDGE_OMITTED.code.name)
    return code, values
