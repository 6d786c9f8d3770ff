"""`itpump board`: the emulated board alone; a controller drives it over a serial line.

The board's two ports are the line and the radio. `itpump run --board` is the controller's process,
a programmer connects to the radio, `itpump bench` to the bench socket.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

DEFAULT_PROFILE: Final = "rotor-40"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `itpump board`."""
    add = parser.add_argument
    add("--profile", metavar="P", help=f"pump model: a name or a file (default {DEFAULT_PROFILE})")
    add("--port", default="pty", help="the line: pty (default) or tcp://127.0.0.1:N")
    add("--link", metavar="PATH", help="stable symlink to the line's pty")
    add("--telemetry", default="pty", metavar="PORT", help="the radio: pty (default) or tcp://...")
    add("--telemetry-link", metavar="PATH", help="stable symlink to the radio's pty")
    add("--fill", metavar="V", help='volume in the reservoir, such as "40 mL" (default: full)')
    add("--seed", type=int, metavar="N", help="random seed (default: drawn and printed)")
    add("--lockstep", action="store_true", help="time moves only as the controller grants it")
    add("--for", dest="duration", metavar="T", help='end after this board time, such as "10min"')
    add("--json", action="store_true", help="print JSON, one object a line")


def main(args: argparse.Namespace) -> int:
    """Run until told to stop; return the exit code."""
    from emulator.ports import PortError
    from emulator.profile import ProfileError
    from tools.quantity import QuantityError
    from tools.run.command import BadRun

    try:
        with ExitStack() as stack:
            _run(args, stack)
    except (BadRun, PortError, ProfileError, QuantityError) as error:
        print(f"itpump board: {error}", file=sys.stderr)
        return 2
    return 0


def _run(args: argparse.Namespace, stack: ExitStack) -> None:
    from emulator.devices.plant import PlantSetup
    from emulator.ports import PortError, open_port
    from emulator.profile import Profile
    from tools.board.live import BoardRun, Ports
    from tools.programmer.format import millilitres
    from tools.quantity import duration_us, volume_pl
    from tools.run.command import BadRun, bench_path, chosen_seed
    from tools.run.console import Console

    length_us = None if args.duration is None else duration_us(args.duration)
    seed = chosen_seed(args.seed)
    profile = Profile.load(args.profile or DEFAULT_PROFILE)
    capacity_pl = profile.device.capacity_nl * 1000
    fill_pl = capacity_pl if args.fill is None else volume_pl(args.fill)
    if fill_pl > capacity_pl:
        held = millilitres(profile.device.capacity_nl)
        raise BadRun(f"--fill {args.fill}: {profile.device.model} holds {held}")
    line = open_port(args.port, _path(args.link))
    try:
        radio = open_port(args.telemetry, _path(args.telemetry_link))
    except PortError:
        line.close()
        raise
    ports = Ports(line, radio, bench_path(None, stack))
    setup = PlantSetup(fill_pl, tubing_pl=profile.device.tubing_nl * 1000)
    board = BoardRun(profile, setup, seed, ports, args.lockstep, stack)
    console = Console(sys.stdout.fileno(), args.json)
    board.run(
        length_us,
        lambda: console.ready(
            port=line.url, telemetry=radio.url, bench=str(ports.bench), seed=seed
        ),
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
