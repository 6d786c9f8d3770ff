"""`itpump patient`: the patient controller on the command line.

It opens its session in the role PATIENT, so the pump grants it no more than the prescription does,
whatever this program asks. Exit codes are those of the programmer.
"""

import argparse
import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from protocol.codes import BolusKind, RateBasis, Role, TxnOp
from protocol.messages import BolusParameters
from tools import pump_measures
from tools.patient import words
from tools.programmer.client import Client
from tools.programmer.console import Console, complain
from tools.programmer.errors import Interrupted, NoLink, ProgrammerError, Refused, Uncertain
from tools.programmer.journal import FileJournal, default_folder
from tools.programmer.transact import Values
from tools.programmer.transport import SerialTransport

EXIT_INTERRUPTED: Final = 130
_NOTHING_DONE: Final = "Interrupted. Nothing was changed."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--port", required=True, help="serial port or pyserial URL of the pump")
    parser.add_argument("--baud", type=int, default=115_200, help="default 115200")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--state-dir",
        type=Path,
        help="folder of the transaction journal; default $XDG_STATE_HOME/itpump",
    )
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, help_ in (
        ("status", "is the pump working, and when is the next dose possible"),
        ("bolus", "ask for an extra dose"),
        ("stop", "stop the pump, where the clinic has allowed that"),
    ):
        command = commands.add_parser(name, help=help_)
        command.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def main(args: argparse.Namespace) -> int:
    """Run one action; return its exit code."""
    console = Console(args.json, yes=True)
    try:
        console.result(_run(args, console))
        return 0
    except ProgrammerError as error:
        said, code = _explained(error), error.exit_code
        values: Values = {"error": said, "exit_code": code}
        if isinstance(error, Refused):
            values["code"] = error.code.name
    except KeyboardInterrupt:  # before there was a session
        complain(_NOTHING_DONE)
        return EXIT_INTERRUPTED
    complain(said)
    console.result(values)
    return code


def _run(args: argparse.Namespace, console: Console) -> Values:
    doses = args.action == "bolus"
    journal = _journal(args) if doses else None  # nothing else needs one, least of all a stop
    transport = SerialTransport(args.port, args.baud)
    client = Client(transport, journal, port=args.port, baud=args.baud)
    client.warn = complain
    try:
        client.open(Role.PATIENT)
        if doses:
            client.settle()
        return _ACTIONS[args.action](client, console)
    except KeyboardInterrupt:
        raise Interrupted(_so_far(client)) from None
    finally:
        with contextlib.suppress(KeyboardInterrupt):  # what is reported stays as it is
            client.close()
        transport.close()


def _journal(args: argparse.Namespace) -> FileJournal:
    folder = args.state_dir or default_folder(os.environ)
    return FileJournal(folder / "patient", secrets.randbits)


def _so_far(client: Client) -> str:
    if client.committed:
        return "Interrupted. Your extra dose has begun."
    return "Interrupted. Your pump has stopped." if client.stopped else _NOTHING_DONE


def _status(client: Client, console: Console) -> Values:
    status = client.status()
    if not console.as_json:
        console.say(words.report(status))
    return pump_measures.said(status, client.device(), None)


def _bolus(client: Client, console: Console) -> Values:
    """Prepare and commit at once: what is given is what the prescription says."""
    parameters = BolusParameters(BolusKind.PATIENT, RateBasis.VOLUME_PL, 0, 0, 0)
    preview = client.prepare(TxnOp.BOLUS, parameters, client.status().generation)
    client.commit(preview)
    console.say(words.begun(preview.duration_us))
    return pump_measures.said(client.status(), client.device(), None)


def _stop(client: Client, console: Console) -> Values:
    status = client.stop()
    console.say(words.report(status))
    return pump_measures.said(status, client.device(), None)


def _explained(error: ProgrammerError) -> str:
    if isinstance(error, Refused):
        return words.refusal(error.code, error.refusal)
    if isinstance(error, Uncertain):
        return "It is not known whether your pump heard it. Ask for its status."
    if isinstance(error, NoLink):
        return f"Your pump does not answer. Is it near? ({error})"
    return str(error)


_ACTIONS: Final[dict[str, Callable[[Client, Console], Values]]] = {
    "status": _status,
    "bolus": _bolus,
    "stop": _stop,
}
