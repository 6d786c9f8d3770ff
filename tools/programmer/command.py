"""`itpump programmer`: the clinician programmer on the command line.

Every sub-command but STOP, which waits for nothing, opens the port, opens a session, asks the
pump about transactions that an earlier run left open, does its work and closes the session.
Whatever doses is shown in the pump's own values and asked for, unless `--yes` is given. Exit codes:
0 done, 1 the person said no or the read-back differs, 2 bad input, 3 refused by the pump, 4 no
link, 5 uncertain, 74 the output could not be written, 130 interrupted.
"""

import argparse
import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import Any, Final

from protocol.codes import Code, ProgramKind
from tools import output
from tools.programmer import actions, transact
from tools.programmer.client import Client
from tools.programmer.console import Console, complain
from tools.programmer.errors import (
    BadInput,
    Interrupted,
    JournalError,
    NoLink,
    OutputLost,
    ProgrammerError,
    Refused,
)
from tools.programmer.exporting import STDOUT
from tools.programmer.journal import FileJournal, default_folder
from tools.programmer.transact import WARNINGS
from tools.programmer.transport import SerialTransport
from tools.programmer.warnings import Warn
from tools.quantity import QuantityError
from tools.toml_file import FileError

_STOP: Final = "stop"
_WITHOUT_JOURNAL: Final = ("status", "log", "report", "export", _STOP)
"""Actions that prepare no transaction: a damaged journal stops none of them."""
_BY_HELP: Final = "who programs, for the report; stands before ACTION"
_NAME_MAX: Final = 60
_OVERRIDE_HELP: Final = "go beyond soft limits; they are shown, and the pump logs it"


class _ActionParser(argparse.ArgumentParser):
    """Says of "-5ug" what is wrong with it; argparse alone takes it for an unknown option."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; exit with one line at a negative number."""
        for word in args or ():
            if re.match(r"-[0-9.]", word):
                hint = "; a shift backwards is --by=-1h" if self.prog.endswith("clock") else ""
                self.exit(BadInput.exit_code, f"itpump: {word}: it cannot be negative{hint}\n")
        return super().parse_known_args(args, namespace)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--port", required=True, help="serial port or pyserial URL, e.g. socket://127.0.0.1:7700"
    )
    parser.add_argument("--baud", type=int, default=115_200, help="default 115200")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--state-dir",
        type=Path,
        help="folder of the transaction journal; default $XDG_STATE_HOME/itpump",
    )
    parser.add_argument("--by", dest="name", type=_name, metavar="NAME", help=_BY_HELP)
    commands = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=_ActionParser
    )
    _add_actions(commands)


def _add_actions(commands: "argparse._SubParsersAction[_ActionParser]") -> None:
    commands.add_parser("status", help="read the pump and say how it is")
    program = commands.add_parser("program", help="program a therapy from a TOML file")
    program.add_argument("file", metavar="FILE", help="a [therapy] table, or a scenario with one")
    program.add_argument("--override", action="store_true", help=_OVERRIDE_HELP)
    bolus = commands.add_parser("bolus", help="give a single bolus")
    bolus.add_argument("amount", metavar="AMOUNT", help='drug mass or volume, e.g. "20ug"')
    bolus.add_argument("--over", metavar="TIME", help='e.g. "5min"; default: as fast as allowed')
    bolus.add_argument("--again", action="store_true", help="a second like bolus is meant")
    bolus.add_argument("--override", action="store_true", help=_OVERRIDE_HELP)
    commands.add_parser("stop", help="finish the stroke and stop, at once and without asking")
    resume = commands.add_parser("resume", help="deliver again after a stop")
    refill = commands.add_parser("refill", help="tell the pump of a refill")
    refill.add_argument(
        "volume", nargs="?", metavar="VOLUME", help='volume injected, e.g. "40mL"; default: asked'
    )
    refill.add_argument("--residual", metavar="VOLUME", help="volume taken out; default: asked")
    drug = refill.add_mutually_exclusive_group()
    drug.add_argument("--same-drug", action="store_true", help="the same drugs; default: asked")
    drug.add_argument(
        "--new-drug", action="store_true", help="others, or another concentration: program follows"
    )
    refill.add_argument(
        "--empty", action="store_true", help="nothing is injected: put the pump out of service"
    )
    prime = commands.add_parser("prime", help="fill tubing and catheter")
    prime.add_argument("--catheter", action="store_true", help="the catheter alone")
    prime.add_argument("--override", action="store_true", help=_OVERRIDE_HELP)
    bridge = commands.add_parser("bridge", help="bridge a changed concentration")
    bridge.add_argument(
        "dose", nargs="?", metavar="DOSE", help='e.g. "300ug/day"; default: the dose before'
    )
    clock = commands.add_parser("clock", help="set the pump's clock")
    moment = clock.add_mutually_exclusive_group(required=True)
    moment.add_argument("--to", metavar="T", help="wall-clock time, e.g. 2027-01-04T09:00:00")
    moment.add_argument("--by", metavar="T", help='shift, e.g. "1h"; backwards: --by=-1h')
    clear = commands.add_parser("clear-alarm", help="clear a latched alarm whose cause is over")
    clear.add_argument("alarm", type=_alarm, metavar="CODE", help="e.g. LOW_BATTERY_RESET")
    log = commands.add_parser("log", help="read the event log")
    log.add_argument("--first", type=_record, default=0, metavar="N", help="from record N on")
    report = commands.add_parser("report", help="read the pump and report on the session")
    report.add_argument("--html", type=Path, metavar="FILE", help="write it as one HTML file too")
    report.add_argument(
        "--since",
        type=_record,
        metavar="N",
        help="from log record N on; default: the interrogation that this visit began with",
    )
    import_ = _add_carrying(commands)
    trials = _add_trial(commands.add_parser("trial", help="try a drug by a plan, with pain scores"))
    doing = (program, bolus, resume, refill, clear, prime, bridge, clock, import_)
    for asking in (*doing, *trials[:3]):
        asking.add_argument("--yes", action="store_true", help="do not ask")
    for command in (*commands.choices.values(), *trials):  # people write it in either place
        command.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def _add_carrying(
    commands: "argparse._SubParsersAction[_ActionParser]",
) -> argparse.ArgumentParser:
    """Add export and import; return import, which asks."""
    export = commands.add_parser("export", help="write all that the pump says into one file")
    export.add_argument("file", metavar="FILE", help="new file; - for stdout")
    export.add_argument("--force", action="store_true", help="replace a file that is there")
    import_ = commands.add_parser("import", help="program what another pump was exported with")
    import_.add_argument("file", metavar="FILE", help="a file that export has written")
    import_.add_argument(
        "--fill", metavar="VOLUME", help='what this pump was filled with, e.g. "20mL"'
    )
    import_.add_argument("--override", action="store_true", help=_OVERRIDE_HELP)
    return import_


def _add_trial(trial: "_ActionParser") -> list["_ActionParser"]:
    """Add the actions of `trial` and return them; the first three ask."""
    actions = trial.add_subparsers(dest="trial", required=True, metavar="ACTION")
    start = actions.add_parser("start", help="check a plan whole and program its start dose")
    start.add_argument("file", metavar="PLAN", help="a [trial] and a [therapy] table")
    step = actions.add_parser("step", help="program the next dose, when its time has come")
    for dosing in (start, step):
        dosing.add_argument("--override", action="store_true", help=_OVERRIDE_HELP)
    end = actions.add_parser("end", help="end the trial: verdict and suggested prescription")
    left = end.add_mutually_exclusive_group(required=True)
    for option, kind, words in (
        ("--stop", ProgramKind.STOPPED, "stop the pump"),
        ("--minimum-rate", ProgramKind.MINIMUM_RATE, "leave it at minimum rate"),
        ("--keep", None, "leave it as it is"),
    ):
        left.add_argument(option, dest="program", action="store_const", const=kind, help=words)
    score = actions.add_parser("score", help="record a pain score; the first is the baseline")
    score.add_argument("score", metavar="N", help="0, no pain, to 10, the worst")
    score.add_argument("--note", default="", metavar="TEXT", help="kept with the score")
    score.add_argument(
        "--side-effect", default="", metavar="TEXT", help="suffered at this dose: not tolerated"
    )
    status = actions.add_parser("status", help="say where the trial stands")
    report = actions.add_parser("report", help="say all of it")
    report.add_argument("--html", type=Path, metavar="FILE", help="write it as one HTML file too")
    for telling in (end, report):
        telling.add_argument(
            "--prescription",
            type=Path,
            metavar="FILE",
            help="after a success, write the suggested starting prescription, with gaps to fill in",
        )
    return [start, step, end, score, status, report]


def main(args: argparse.Namespace) -> int:
    """Run one sub-command; return its exit code."""
    document = args.action == "export" and args.file == STDOUT
    console = Console(args.json, getattr(args, "yes", False), document)
    try:
        return _run(args, console)
    except ProgrammerError as error:
        code = error.exit_code
        values = {"error": str(error), "exit_code": code}
        if isinstance(error, Refused):
            refusal = error.refusal
            detail = {"id": refusal.id, "value": refusal.value, "limit": refusal.limit}
            values |= {"code": error.code.name, "refusal": detail}
    except (FileError, QuantityError) as error:
        code = BadInput.exit_code
        values = {"error": str(error), "exit_code": code}
    except KeyboardInterrupt:  # before there was a session
        complain("interrupted; nothing was changed")
        return Interrupted.exit_code
    complain(str(values["error"]))
    if code == OutputLost.exit_code:
        output.drop()
    else:
        console.result(values)
    return code


def _run(args: argparse.Namespace, console: Console) -> int:
    action = actions.ACTIONS[args.action]
    job = action(args)  # reads and checks the arguments before anything is opened
    if hasattr(args, "yes") and not console.can_ask:
        raise BadInput("nobody is there to confirm: stdin is no terminal; nothing was done (--yes)")
    journal = _journal(args)
    transport = SerialTransport(args.port, args.baud)
    client = Client(transport, journal, port=args.port, baud=args.baud)
    client.warn, client.by = _warn, args.name or ""
    try:
        client.open()
        asks = journal is not None and args.action != _STOP
        settled = transact.settle(client, console) if asks else None
        code, values = job(client, console)
        said = [Warn.OPEN_TRANSACTION.name] * len(settled or ()) + values.pop(WARNINGS, [])
        console.result({**values, WARNINGS: said, "open_transactions": settled})
        return code
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {_so_far(client)}") from None
    except (NoLink, Refused, BadInput):  # of one step; those before it stand
        if done := transact.done_text(client):
            _warn(f"before that the pump has done this: {done}")
        raise
    except (ProgrammerError, BrokenPipeError):
        raise
    except OSError as error:  # of stdout: port and journal have their own
        why = f"the output cannot be written: {error.strerror}"
        raise OutputLost(f"{why}; {_so_far(client)}") from None
    finally:
        with contextlib.suppress(KeyboardInterrupt):  # what is reported stays as it is
            client.close()
        transport.close()


def _journal(args: argparse.Namespace) -> FileJournal | None:
    """Return the journal; None when a command that needs none cannot have it.

    Raises JournalError for the others: what doses is written down first.
    """
    try:
        return FileJournal(args.state_dir or default_folder(os.environ), secrets.randbits)
    except JournalError as error:
        if args.action not in _WITHOUT_JOURNAL:
            raise
        _warn(f"{error}; earlier transactions are not looked at")
        return None


def _warn(line: str) -> None:
    complain(f"warning: {line}")


def _so_far(client: Client) -> str:
    done = transact.done_text(client)
    return f"the pump has done this already: {done}" if done else "nothing was changed"


def _alarm(name: str) -> Code:
    try:
        return Code[name.upper()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"{name} is no alarm code") from None


def _name(name: str) -> str:
    """Return a person's name as it was given; only its spaces are put in order."""
    words = " ".join(name.split())
    if not words or len(words) > _NAME_MAX or not words.isprintable():
        raise argparse.ArgumentTypeError(f"a name has 1 to {_NAME_MAX} printable characters")
    return words


def _record(number: str) -> int:
    if not number.isdecimal() or int(number) > 0xFFFFFFFF:
        raise argparse.ArgumentTypeError(f"{number} is no record number")
    return int(number)
