"""`itpump hil`: does the board on a port do what the HAL asks of it?

Identity and line first, then the contract suites, then the controller on the board. Ends with 0
when everything conforms, 1 when something differs, 2 for bad input, 4 without a board.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from emulator.profile import Profile
    from tools.hil.port_target import PortTarget
    from tools.hil.report import Report

EXIT_DIFFERS: Final = 1
EXIT_BAD_INPUT: Final = 2
EXIT_NO_BOARD: Final = 4
PROFILE: Final = Path(__file__).parent / "profile.toml"
WARNING: Final = (
    "This erases the board's flash and drives its motor. At the end the board delivers nothing\n"
    "until its power is cut. Nothing that doses may be connected to it."
)


class BadHil(Exception):
    """What was asked cannot be done; one line for people."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `itpump hil`."""
    add = parser.add_argument
    add("--port", metavar="PORT", help="serial port of the board, or any URL of pyserial")
    add("--baud", type=int, default=115_200, metavar="N", help="of the port (default 115200)")
    add("--telemetry", metavar="PORT", help="port at the other end of the board's radio")
    add("--bench", metavar="SOCKET", help="bench socket of an `itpump board`: more is tested")
    add(
        "--profile",
        metavar="P",
        help="pump the board is made to be (default: short timers, that of every scenario)",
    )
    add(
        "--only", action="append", default=[], metavar="NAME",
        help='checks whose name begins so, such as "motor" or "basal"; may be repeated',
    )  # fmt: skip
    add("--list", action="store_true", help="list the checks and the tolerances; no board needed")
    add("--json", action="store_true", help="print the report as one JSON object")
    add("--yes", action="store_true", help="do not ask before the flash is erased")


def main(args: argparse.Namespace) -> int:
    """Test the board; return the exit code."""
    from emulator.profile import Profile, ProfileError
    from hal.errors import HalError
    from tools.bench import NoBench

    try:
        if args.list:
            _list()
            return 0
        if args.port is None:
            raise BadHil("--port is missing")
        profile = Profile.load(args.profile or PROFILE)
        _check_names(args.only)
        _ask(args.yes)
        return _run(args, profile)
    except (BadHil, ProfileError) as error:
        print(f"itpump hil: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except (HalError, NoBench) as error:
        print(f"itpump hil: {error}", file=sys.stderr)
        return EXIT_NO_BOARD


def _ask(yes: bool) -> None:
    if yes:
        return
    print(WARNING, file=sys.stderr)
    if not sys.stdin.isatty():
        raise BadHil("not confirmed: give --yes")
    print('Type "yes" to go on: ', end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise BadHil("not confirmed")


def _run(args: argparse.Namespace, profile: "Profile") -> int:
    from tools.hil.port_target import PortTarget
    from tools.hil.report import Report

    target = PortTarget(args.port, args.baud, args.telemetry, args.bench)
    try:
        report = Report()
        say = (lambda text: None) if args.json else (lambda text: print(text, flush=True))
        test(target, profile, report, _wanted(args.only), say)
    finally:
        target.close()
    print(report.to_json() if args.json else report.summary())
    return 0 if report.conforms else EXIT_DIFFERS


def test(
    target: "PortTarget",
    profile: "Profile",
    report: "Report",
    wanted: Callable[[str], bool],
    say: Callable[[str], None],
) -> None:
    """Fill a report. Raises HalLost when there is no board, HalMismatch for another."""
    from tools.hil import contract, line, scenarios
    from tools.hil import report as shown
    from tools.hil.checks import Check, Judge

    def told(check: Check) -> None:
        say(shown.line(check))

    found = line.examine(target, target.serial)
    report.identity, report.tolerances = found.identity, found.tolerances
    for text in shown.identity_lines(found.identity):
        say(text)
    say("")
    for text in (*shown.tolerance_lines(found.tolerances), "", shown.head()):
        say(text)
    if wanted("line"):
        report.add(found.judge.checks)
        for check in found.judge.checks:
            told(check)
    try:
        report.add(contract.run(target, found.tolerances, wanted, told))
    except contract.NoSuites as problem:
        judge = Judge("contract suites", found.tolerances)
        judge.not_tested("", str(problem))
        report.add(judge.checks)
        told(judge.checks[0])
    chosen = [one for one in scenarios.SCENARIOS if wanted(one.name)]
    for played in scenarios.play_all(target, profile, found.tolerances, chosen):
        report.played.append(played)
        report.add(played.checks)
        for check in played.checks:
            told(check)


def _wanted(only: list[str]) -> Callable[[str], bool]:
    return lambda name: not only or any(name.startswith(word) for word in only)


def _check_names(only: list[str]) -> None:
    """Raises BadHil for a name that no check begins with."""
    if not only:
        return
    known = _names()
    for word in only:
        if not any(name.startswith(word) for name in known):
            raise BadHil(f"--only {word}: no check begins so; see --list")


def _names() -> list[str]:
    from tools.hil import contract, scenarios

    try:
        tests = contract.names()
    except contract.NoSuites:
        tests = []
    return ["line", *tests, *(one.name for one in scenarios.SCENARIOS)]


def _list() -> None:
    from tools.hil import contract, scenarios
    from tools.hil.checks import TOLERANCES

    print("line: identity, round trip, reports, clock drift, damaged frames, flash, battery")
    try:
        print("\n".join(contract.names()))
    except contract.NoSuites as problem:
        print(f"contract suites: {problem}")
    for one in scenarios.SCENARIOS:
        needs = f" (needs {', '.join(sorted(one.needs))})" if one.needs else ""
        print(f"{one.name}: {one.what}{needs}")
    print()
    for name, limit, reason in TOLERANCES:
        print(f"tolerance {name}: {limit}: {reason}")
