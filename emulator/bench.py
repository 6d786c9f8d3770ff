"""The bench: what a test rig does to a running pump and the world around it.

`COMMANDS` is the table of requests; each names the fields it takes. Physical truth is changed and
read here, never the controller's memory: a `refill` fills the reservoir without telling the pump.
All quantities are integers with their unit in the name; the units people write are the client's.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from emulator.bench_socket import BenchError, Reply, Request
from emulator.board import EmulatedBoard
from emulator.devices.fluid import Drug
from emulator.faults import FAULTS, Fault
from emulator.pacing import parse_speed, speed_name
from emulator.server import Server
from hal.interfaces import ResetCause

DURATION_MAX_US: Final = 100 * 365 * 86_400_000_000
"""Longest time a request may name: the horizon of the world."""

DRUGS_MAX: Final = 5
"""Drugs in one reservoir, as many as a prescription may name."""
CONCENTRATION_MAX_PG_ML: Final = 10**12
"""1 g/mL."""


class Command(NamedTuple):
    """One row of the table."""

    fields: tuple[str, ...]
    run: Callable[["Bench", Request, Reply], None]


class Bench:
    """Carries out requests on a served board."""

    def __init__(
        self,
        server: Server,
        board: EmulatedBoard,
        report: Callable[[], dict[str, Any]],
        drugs: tuple[Drug, ...],
    ) -> None:
        """`report` says how pump and truth are now; `drugs` is what the reservoir holds."""
        self._server = server
        self._board = board
        self._report = report
        self.drugs = drugs
        """What the reservoir was filled with; the next `refill` too, unless it says otherwise."""

    def handle(self, request: Request, reply: Reply) -> None:
        """Carry out one request. Raises BenchError, with nothing changed."""
        command = COMMANDS.get(request["command"])
        if command is None:
            raise BenchError(f"unknown command {request['command']!r}: {', '.join(COMMANDS)}")
        unknown = sorted(set(request) - {"command", *command.fields})
        if unknown:
            raise BenchError(f"{request['command']}: unknown field {unknown[0]!r}")
        try:
            command.run(self, request, reply)
        except ValueError as error:
            raise BenchError(str(error)) from None

    def _status(self, request: Request, reply: Reply) -> None:
        reply(self._report())

    def _advance(self, request: Request, reply: Reply) -> None:
        duration_us = _duration(request)
        if self._server.advancing:
            raise BenchError("advance: another one is under way")
        self._server.advance(duration_us, lambda: reply({"now_us": self._server.world.now_us}))

    def _inject(self, request: Request, reply: Reply) -> None:
        for_us = _duration(request, "for_us", 1) if request.get("for_us") is not None else None
        params = request.get("parameters", {})
        if not isinstance(params, dict):
            raise BenchError("inject: parameters is an object")
        self._board.faults.inject(_text(request, "fault"), params, for_us)
        reply({"active": self._board.faults.active()})

    def _clear(self, request: Request, reply: Reply) -> None:
        self._board.faults.clear(_text(request, "fault"))
        reply({"active": self._board.faults.active()})

    def _faults(self, request: Request, reply: Reply) -> None:
        table = {name: _described(fault) for name, fault in FAULTS.items()}
        reply({"faults": table, "active": self._board.faults.active()})

    def _refill(self, request: Request, reply: Reply) -> None:
        volume_nl = _integer(request, "volume_nl", 0, 10**9)
        drugs = _drugs(request["drugs"]) if "drugs" in request else self.drugs
        residual_pl = self._board.plant.refill(volume_nl * 1000, drugs)
        self.drugs = drugs
        reply({"residual_nl": residual_pl // 1000})

    def _pause(self, request: Request, reply: Reply) -> None:
        self._server.pacer.paused = True
        reply({"paused": True})

    def _speed(self, request: Request, reply: Reply) -> None:
        self._server.pacer.speed = parse_speed(_text(request, "speed"))
        self._server.pacer.paused = False
        reply({"speed": speed_name(self._server.pacer.speed)})

    def _power_cut(self, request: Request, reply: Reply) -> None:
        self._board.power_cut(_duration(request, least=1))
        self._server.watch.pump_restarted()
        reply({})

    def _reset(self, request: Request, reply: Reply) -> None:
        if not self._board.powered:
            raise BenchError("reset: the pump has no power")
        self._board.reset(ResetCause.COMMANDED)
        self._server.watch.pump_restarted()
        reply({})


COMMANDS: Final[dict[str, Command]] = {
    "status": Command((), Bench._status),
    "advance": Command(("duration_us",), Bench._advance),
    "inject": Command(("fault", "parameters", "for_us"), Bench._inject),
    "clear": Command(("fault",), Bench._clear),
    "faults": Command((), Bench._faults),
    "refill": Command(("volume_nl", "drugs"), Bench._refill),
    "pause": Command((), Bench._pause),
    "speed": Command(("speed",), Bench._speed),
    "power-cut": Command(("duration_us",), Bench._power_cut),
    "reset": Command((), Bench._reset),
}


def _described(fault: Fault) -> dict[str, Any]:
    return {
        "doc": fault.doc,
        "once": fault.end is None,
        "needs": fault.needs and fault.needs.value,
        "parameters": {
            name: {**value._asdict(), "needs": value.needs and value.needs.value}
            for name, value in fault.parameters.items()
        },
    }


def _integer(request: Request, field: str, least: int, most: int) -> int:
    value = request.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BenchError(f"{request['command']}: {field} is an integer {least}..{most}")
    return value


def _duration(request: Request, field: str = "duration_us", least: int = 0) -> int:
    return _integer(request, field, least, DURATION_MAX_US)


def _text(request: Request, field: str) -> str:
    value = request.get(field)
    if not isinstance(value, str):
        raise BenchError(f"{request['command']}: {field} is text")
    return value


def _drugs(value: Any) -> tuple[Drug, ...]:
    """Return the drugs of `[["baclofen", 2000000000], ...]`: name, pg/mL."""
    rows: list[Any] = value if isinstance(value, list) and len(value) <= DRUGS_MAX else [None]
    if not all(_is_drug(row) for row in rows):
        raise BenchError(f"refill: drugs is a list of up to {DRUGS_MAX} [name, pg per mL]")
    return tuple(Drug(name, pg_ml) for name, pg_ml in rows)


def _is_drug(row: Any) -> bool:
    return (
        isinstance(row, list)
        and [type(part) for part in row] == [str, int]
        and 0 <= row[1] <= CONCENTRATION_MAX_PG_ML
    )
