"""`itpump bench`: control a running emulator over its bench socket.

The commands and their fields are those of `emulator.bench`; here the units that people write
become the integers of the socket.
"""

import argparse
import json
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from tools.quantity import (
    QuantityError,
    concentration_pg_ml,
    duration_us,
    number,
    positive_us,
    volume_nl,
    volume_shift_nl,
)

ANSWER_S: Final = 10.0
"""The emulator answers between two events; only `advance` takes the time it takes."""
EXIT_BAD_INPUT: Final = 2
EXIT_NO_LINK: Final = 4

Fields = dict[str, Any]


class NoBench(Exception):
    """Nothing answers at the socket; one line for people."""


class _CommandParser(argparse.ArgumentParser):
    """Takes `KEY=VALUE` after an option too; argparse ends a list of words at the first option."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        parsed, rest = super().parse_known_args(args, namespace)
        if "parameters" in parsed:
            parsed.parameters = [*parsed.parameters, *filter(_is_parameter, rest)]
            rest = [word for word in rest if not _is_parameter(word)]
        return parsed, rest


def _is_parameter(word: str) -> bool:
    return "=" in word and not word.startswith("-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options and sub-commands of `itpump bench`."""
    parser.add_argument(
        "--port", required=True, metavar="BENCH", help="socket, as `itpump run` prints it"
    )
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    commands = parser.add_subparsers(
        dest="request", metavar="COMMAND", required=True, parser_class=_CommandParser
    )

    def command(name: str, what: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=what, description=what)
        # Also after the command; SUPPRESS keeps what was given before it.
        sub.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        return sub

    command("status", "how the pump and the truth stand")
    advance = command("advance", "move pump time on, as fast as possible")
    advance.add_argument("duration", metavar="T", help='such as "2h"')
    inject = command("inject", "begin a fault")
    inject.add_argument("fault", metavar="FAULT", help="a name of `faults`")
    inject.add_argument("parameters", nargs="*", metavar="KEY=VALUE", help="its parameters")
    inject.add_argument("--for", dest="duration", metavar="T", help="clear it after this time")
    clear = command("clear", "end a fault")
    clear.add_argument("fault", metavar="FAULT", help="its name")
    command("faults", "list the faults there are, and those that are active")
    refill = command("refill", "empty the reservoir and fill it; the pump is not told")
    refill.add_argument("volume", metavar="V", help='such as "40 mL"')
    refill.add_argument(
        "--drug",
        action="append",
        metavar="NAME=CONCENTRATION",
        help='such as "baclofen=2000 ug/mL"; default: what was in it',
    )
    command("pause", "stop time; `speed` lets it go on")
    speed = command("speed", "set the speed, and end a pause")
    speed.add_argument("speed", metavar="S", help="1, a whole factor, max or step")
    power_cut = command("power-cut", "take all power away for a while")
    power_cut.add_argument("duration", metavar="T", help='such as "10s"')
    command("reset", "restart the controller")


def main(args: argparse.Namespace) -> int:
    """Send one request and print the answer; return the exit code."""
    try:
        fields = FIELDS.get(args.request, _no_fields)(args)
        answer = ask(args.port, {"command": args.request, **fields})
    except QuantityError as error:
        return _failed(str(error), EXIT_BAD_INPUT)
    except NoBench as error:
        return _failed(str(error), EXIT_NO_LINK)
    if not answer.get("ok"):
        return _failed(str(answer.get("error")), EXIT_BAD_INPUT)
    result = answer["result"]
    if args.json:
        print(json.dumps(result))
    else:
        PRINTERS.get(args.request, _print_table)(result)
    return 0


def ask(path: str, request: Fields) -> Fields:
    """Return the response to one request at the socket `path`. Raises NoBench."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bench:
        try:
            bench.settimeout(ANSWER_S)
            bench.connect(path)
            bench.sendall(json.dumps(request).encode() + b"\n")
            bench.settimeout(None if request["command"] == "advance" else ANSWER_S)
            with bench.makefile("rb") as stream:
                line = stream.readline()
        except TimeoutError:
            raise NoBench(f"no answer from the bench at {path}") from None
        except OSError as error:
            raise NoBench(f"no bench at {path}: {error.strerror or error}") from None
    if not line:
        raise NoBench(f"the bench at {path} closed the connection")
    answer: Fields = json.loads(line)
    return answer


# --- requests -----------------------------------------------------------------------------------


def _no_fields(args: argparse.Namespace) -> Fields:
    return {}


def _duration(args: argparse.Namespace) -> Fields:
    return {"duration_us": duration_us(args.duration)}


def _inject(args: argparse.Namespace) -> Fields:
    fields: Fields = {
        "fault": args.fault,
        "parameters": dict(_parameter(args.fault, text) for text in args.parameters),
    }
    if args.duration is not None:
        fields["for_us"] = positive_us(args.duration)
    return fields


def _parameter(fault: str, text: str) -> tuple[str, int | str]:
    """Return name and value of `recovery=10min` or `ber=0.001`, as the fault table wants them."""
    from emulator.faults import FAULTS

    name, equals, value = text.partition("=")
    if not equals:
        raise QuantityError(f'"{text}": a parameter is KEY=VALUE')
    known = FAULTS[fault].parameters if fault in FAULTS else {}
    kind = known[name].kind if name in known else ""
    if kind in _UNITS:
        return name, _UNITS[kind](value)
    if kind != "boolean":
        number(value)  # the emulator reads the text too, and names it when it is out of range
    return name, value


_UNITS: Final[dict[str, Callable[[str], int]]] = {
    "duration": duration_us,
    "volume": volume_shift_nl,
}
"""Kinds of parameters that have a unit -> their readers."""


def _refill(args: argparse.Namespace) -> Fields:
    fields: Fields = {"volume_nl": volume_nl(args.volume)}
    if args.drug:
        fields["drugs"] = [_drug(text) for text in args.drug]
    return fields


def _drug(text: str) -> tuple[str, int]:
    name, equals, concentration = text.partition("=")
    if not name or not equals:
        raise QuantityError(f'"{text}": a drug is NAME=CONCENTRATION, e.g. "baclofen=2000 ug/mL"')
    return name, concentration_pg_ml(concentration)


FIELDS: Final[dict[str, Callable[[argparse.Namespace], Fields]]] = {
    "advance": _duration,
    "inject": _inject,
    "clear": lambda args: {"fault": args.fault},
    "refill": _refill,
    "speed": lambda args: {"speed": args.speed},
    "power-cut": lambda args: {"duration_us": positive_us(args.duration)},
}


# --- answers ------------------------------------------------------------------------------------


def _print_table(result: Fields) -> None:
    width = max((len(key) for key in result), default=0)
    for key, value in result.items():
        print(f"{key:{width}}  {_shown(value)}")


def _print_faults(result: Fields) -> None:
    for name, fault in result["faults"].items():
        active = "  ACTIVE" if name in result["active"] else ""
        print(f"{name}: {fault['doc']}{' Once.' if fault['once'] else ''}{_needs(fault)}{active}")
        for key, parameter in fault["parameters"].items():
            print(f"  {key}=  {parameter['kind']}: {parameter['doc']}.{_needs(parameter)}")


def _needs(described: Fields) -> str:
    """Return which part a fault or a parameter is for, where not every pump has it."""
    part = described.get("needs")
    return f" Only for a pump with {part}." if part else ""


PRINTERS: Final[dict[str, Callable[[Fields], None]]] = {"faults": _print_faults}


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return " ".join(str(item) for item in value) or "-"
    return "-" if value is None or value == {} else json.dumps(value)


def _failed(message: str, code: int) -> int:
    print(f"itpump bench: {message}", file=sys.stderr)
    return code
