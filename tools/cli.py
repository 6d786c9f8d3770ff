"""The `itpump` console script: one table of sub-commands, each loaded only when it is chosen.

A command's module has `add_arguments(parser)` and `main(args) -> int`. Nothing of it is imported
for `--help`, so that the script starts in little more than the interpreter does.
"""

import argparse
import importlib
import re
import sys
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, cast

from tools import output

EXIT_INTERRUPTED: Final = 130
EXIT_PIPE: Final = 141
"""128 + SIGPIPE: whoever read the output has stopped reading."""
EXIT_OUTPUT: Final = 74
"""EX_IOERR of sysexits.h: the output could not be written, e.g. on a full disk."""
DISTRIBUTIONS: Final = ("pyserial", "transitions", "crcmod")


class Command(NamedTuple):
    """One sub-command: the module that does it, and its line of help."""

    module: str
    help: str


COMMANDS: Final[dict[str, Command]] = {
    "run": Command("tools.run.command", "start the emulator on a virtual serial port"),
    "board": Command("tools.board.command", "start the emulated board alone, for a controller"),
    "hil": Command("tools.hil.command", "test whether a board conforms to the HAL"),
    "simulate": Command("tools.scenario.command", "run a scenario in virtual time"),
    "programmer": Command("tools.programmer.command", "talk to a pump as its clinician"),
    "patient": Command("tools.patient.command", "the patient controller"),
    "bench": Command("tools.bench", "control a running emulator over its bench socket"),
    "perf": Command("tools.perf.command", "measure speed against its references"),
    "docs": Command("tools.docs.command", "write the pages that are made from tables"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code. `arguments` default to the command line's."""
    output.stand_in()
    words = _joined(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        output.drop()
        return EXIT_PIPE
    except OSError as error:
        if error.filename is not None:
            raise
        output.drop()
        print(f"itpump: the output cannot be written: {error.strerror}", file=sys.stderr)
        return EXIT_OUTPUT


def _joined(words: Sequence[str]) -> list[str]:
    """Return `--for -1s` as `--for=-1s`: argparse would take a negative quantity for an option."""
    joined: list[str] = []
    for word in words:
        if joined and re.match("-[0-9]", word) and re.fullmatch("--[a-z-]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _run(words: list[str]) -> int:
    chosen = words[0] if words and words[0] in COMMANDS else None
    parser = argparse.ArgumentParser(
        prog="itpump",
        description="Firmware emulator for an implantable intrathecal pump. For development and "
        "testing; never for treating a person.",
    )
    parser.add_argument("--version", action="store_true", help="print versions and what CRC runs")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    run: Callable[[argparse.Namespace], int] | None = None
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=command.help)
        if name == chosen:
            module = importlib.import_module(command.module)
            module.add_arguments(sub)
            run = cast(Callable[[argparse.Namespace], int], module.main)
    args = parser.parse_args(words)
    if args.version:
        print(versions())
        return 0
    if run is None:
        parser.print_help()
        return 2
    return run(args)


def versions() -> str:
    """Return the versions of what runs here, one a line."""
    from importlib import metadata

    from protocol import crc

    def version(name: str) -> str:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return "not installed"

    lines = [f"itpump {version('itpump')}", f"Python {sys.version.split()[0]}"]
    lines += [f"{name} {version(name)}" for name in DISTRIBUTIONS]
    lines[-1] += f" ({crc.backend()})"
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
