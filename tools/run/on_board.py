"""`itpump run --board PORT`: the controller's process; the pump's board is at the end of a line."""

import argparse
import sys
from contextlib import suppress
from typing import Any, Final

from emulator.profile import Profile
from hal.errors import HalError, HalUsageError
from hal.serial_board.port import SerialPort
from tools.quantity import duration_us
from tools.run.console import Console
from tools.run.live import ended_by_signals, host_us
from tools.run.report import Report, known, said_by
from tools.serial_pump import SerialPump

EXIT_BAD_INPUT: Final = 2
EXIT_NO_BOARD: Final = 4
"""As the programmer's exit code for no link."""


def main(args: argparse.Namespace, profile: Profile) -> int:
    """Drive the board until told to stop; return the exit code. Raises QuantityError."""
    length_us = None if args.duration is None else duration_us(args.duration)
    try:
        with ended_by_signals(_interrupt), suppress(KeyboardInterrupt):
            _run(args, profile, length_us)
    except HalError as error:
        print(f"itpump run: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT if isinstance(error, HalUsageError) else EXIT_NO_BOARD
    return 0


def _run(args: argparse.Namespace, profile: Profile, length_us: int | None) -> None:
    port = SerialPort(args.board, args.baud)
    console = Console(sys.stdout.fileno(), args.json, line)
    try:
        pump = SerialPump(port, profile.device, baud=args.baud)
        pump.attach()
        board = pump.identity
        console.ready(
            board=args.board,
            id=f"{board.board_id:016x}",
            agent=board.agent,
            lookahead_us=board.lookahead_us,
        )
        start_us = host_us()

        def look() -> None:
            console.status(report(pump, host_us() - start_us))

        until_us = None if length_us is None else start_us + length_us
        pump.run(until_us, console.period_us, look, console.note)
    finally:
        port.close()


def _interrupt() -> None:
    """End the wait as Ctrl-C would; the board's dead-man stops the motor."""
    raise KeyboardInterrupt


def report(pump: SerialPump, now_us: int) -> Report:
    """Return what an attached pump says, and what its line is like."""
    assert pump.firmware is not None
    measured = pump.board.line
    table: dict[str, Any] = {
        "run.now_us": now_us,
        "line.rtt_us": measured.rtt_last_us,
        "line.repeated": measured.repeated,
        "line.damaged": measured.damaged,
    }
    return table | said_by(pump.firmware)


def line(table: Report) -> str:
    """Return the live status line."""
    parts = (
        str(table["pump.wall"]).replace("T", " "),
        table["pump.mode"],
        f"{table['pump.rate_ul_h']:.3f} uL/h",
        f"{known(table)} mL",
        f"{table['pump.battery_mv']} mV",
        f"line {table['line.rtt_us']} us",
        f"alarms {','.join(table['pump.alarms']) or 'none'}",
    )
    return "  ".join(parts)
