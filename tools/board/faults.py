"""What a bench can do to the line of a board; `emulator.faults` has what it can do to any."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple

from emulator.bench import Bench
from emulator.bench_socket import BenchError, Reply, Request
from emulator.board_line import Spoil
from emulator.devices.telemetry import Noise
from emulator.world import Timer, World
from tools.board.line import PortLine

_PPB: Final = 10**9


class LineFault(NamedTuple):
    """One row of the table: `spoil(world, way, value)` makes what happens to one way's bytes."""

    doc: str
    parameters: Mapping[str, str]
    spoil: Callable[[World, str, Fraction], Spoil]


LINE_FAULTS: Final[Mapping[str, LineFault]] = {
    "line.noise": LineFault(
        "Bit errors on the line between controller and board, both directions.",
        {"ber": "chance that a bit is flipped"},
        lambda world, way, ber: Noise(world.stream(f"line.{way}"), int(ber * _PPB)).spoil,
    ),
    "line.cut": LineFault(
        "Every byte on the line is lost, both directions.",
        {},
        lambda world, way, _: lambda data: b"",
    ),
}


class LineFaults:
    """The fault that a line has: one at a time."""

    def __init__(self, world: World, line: PortLine) -> None:
        self._world = world
        self._line = line
        self._timer: Timer = world.timer(self.end)
        self.active: dict[str, dict[str, str]] = {}

    def begin(self, name: str, values: Mapping[str, Any], for_us: int | None) -> None:
        """Begin a fault in place of any other; end it after `for_us`. Raises BenchError."""
        fault = LINE_FAULTS.get(name)
        if fault is None:
            raise BenchError(f'no fault "{name}" of the line; there are {", ".join(LINE_FAULTS)}')
        if set(values) != set(fault.parameters):
            raise BenchError(f"{name} takes {', '.join(fault.parameters) or 'no parameter'}")
        value = _fraction(name, *values.values()) if values else Fraction(0)
        self.end()
        self.active = {name: {key: str(given) for key, given in values.items()}}
        self._line.spoil(
            fault.spoil(self._world, "to_board", value), fault.spoil(self._world, "to_host", value)
        )
        if for_us is not None:
            self._timer.set(self._world.now_us + for_us)

    def end(self) -> None:
        """Have a good line again."""
        self._timer.cancel()
        self.active = {}
        self._line.spoil()


def _fraction(name: str, text: object) -> Fraction:
    try:
        value = Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        raise BenchError(f'{name}: "{text}" is not a number') from None
    if not 1 <= value * _PPB <= _PPB:
        raise BenchError(f"{name}: {text} is not within 1e-9..1")
    return value


class BoardBench:
    """The bench of a board: requests about its line are met here, all others by `bench`."""

    def __init__(self, bench: Bench, faults: LineFaults) -> None:
        self._bench = bench
        self._faults = faults

    def handle(self, request: Request, reply: Reply) -> None:
        """Carry out one request. Raises BenchError, with nothing changed."""
        command, fault = request["command"], request.get("fault")
        if isinstance(fault, str) and fault.startswith("line."):
            if command == "inject":
                self._inject(fault, request)
            elif command == "clear" and fault in self._faults.active:
                self._faults.end()
            reply({"active": self._faults.active})
        elif command == "faults":
            self._bench.handle(request, lambda known: reply(self._with_line(known)))
        else:
            self._bench.handle(request, reply)

    def _inject(self, fault: str, request: Request) -> None:
        values, for_us = request.get("parameters", {}), request.get("for_us")
        if not isinstance(values, dict) or not (
            for_us is None or (type(for_us) is int and for_us > 0)
        ):
            raise BenchError("inject: parameters is an object, for_us a time")
        self._faults.begin(fault, values, for_us)

    def _with_line(self, known: dict[str, Any]) -> dict[str, Any]:
        table = {
            name: {
                "doc": fault.doc,
                "once": False,
                "parameters": {
                    key: {"kind": "fraction", "doc": doc, "default": None}
                    for key, doc in fault.parameters.items()
                },
            }
            for name, fault in LINE_FAULTS.items()
        }
        return {
            "faults": known["faults"] | table,
            "active": known["active"] | self._faults.active,
        }
