"""`itpump run`: a pump, live, on a serial port.

Start-up order: what was asked is checked, the state folder is locked and read, the pump is built
and booted, port and bench open. A therapy is programmed through the port, with the world held at
its first instant. Then the ready line is printed, and the port is the client's. However the run
ends, the state is saved, and links and sockets are removed.

With `--board` there is no emulator: `tools.run.on_board` drives a board at the end of a line.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from emulator.devices.plant import PlantSetup
    from emulator.profile import Profile
    from tools.run.live import Pump
    from tools.run.state import Saved, StateDir

DEFAULT_PROFILE: Final = "rotor-40"
DEFAULT_BAUD: Final = 115_200
SEED_BITS: Final = 32
EMULATOR_ONLY: Final = ("therapy", "speed", "state", "fill", "link", "port", "seed")
"""Options that mean something only while the board is emulated here."""
SEED_MAX: Final = 10**18 - 1
"""Keeps the serial number that is made from it within its field."""


class BadRun(Exception):
    """What was asked cannot be run; one line for people."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `itpump run`."""
    add = parser.add_argument
    add("--profile", metavar="P", help=f"pump model: a name or a file (default {DEFAULT_PROFILE})")
    add("--port", help="pty (default) or tcp://127.0.0.1:N; N = 0 picks one")
    add("--link", metavar="PATH", help="stable symlink to the pty")
    add("--speed", help="1 (default), a whole factor, max, or step: only by bench")
    add("--therapy", metavar="FILE", help="TOML file with a [therapy] to program at start")
    add("--fill", metavar="V", help='volume in the reservoir of a new pump, such as "40 mL"')
    add("--for", dest="duration", metavar="T", help='end after this pump time, such as "24h"')
    add("--state", metavar="DIR", help="keep the pump in this folder across restarts")
    add("--seed", type=int, metavar="N", help="random seed (default: drawn and printed)")
    add("--board", metavar="PORT", help="no emulator: drive the board on this serial port or URL")
    add("--baud", type=int, metavar="N", help=f"of the board's line (default {DEFAULT_BAUD})")
    add("--json", action="store_true", help="print JSON, one object a line")


def main(args: argparse.Namespace) -> int:
    """Run until told to stop; return the exit code."""
    from emulator.ports import PortError
    from emulator.profile import ProfileError
    from tools.quantity import QuantityError
    from tools.run.state import StateError
    from tools.toml_file import FileError

    try:
        if args.board is not None:
            return _on_board(args)
        with ExitStack() as stack:
            return _run(args, stack)
    except (BadRun, PortError, ProfileError, StateError, FileError, QuantityError) as error:
        print(f"itpump run: {error}", file=sys.stderr)
        return 2


def _on_board(args: argparse.Namespace) -> int:
    from emulator.profile import Profile
    from tools.run import on_board

    for option in EMULATOR_ONLY:
        if getattr(args, option) is not None:
            raise BadRun(f"--{option} is for the emulated pump; it makes no sense with --board")
    args.baud = DEFAULT_BAUD if args.baud is None else args.baud
    if args.baud < 1:
        raise BadRun(f"--baud {args.baud}: give bits per second")
    return on_board.main(args, Profile.load(args.profile or DEFAULT_PROFILE))


def _run(args: argparse.Namespace, stack: ExitStack) -> int:
    from emulator.pacing import parse_speed
    from emulator.ports import open_port
    from tools.quantity import duration_us
    from tools.run.console import Console
    from tools.run.live import LiveRun

    if args.baud is not None:
        raise BadRun("--baud is for the line of --board")
    try:
        speed = parse_speed(args.speed or "1")
    except ValueError as error:
        raise BadRun(f"--speed: {error}") from None
    length_us = None if args.duration is None else duration_us(args.duration)
    state, saved = _opened_state(args.state, stack)
    pump = _pump(args, saved)
    port = open_port(args.port or "pty", None if args.link is None else Path(args.link))
    live = LiveRun(
        pump,
        port,
        speed,
        bench_path(None if state is None else state.path, stack),
        state,
        Console(sys.stdout.fileno(), args.json),
        stack,
    )
    fill_nl = None if saved else pump.emulated.board.plant.reservoir_pl // 1000
    return live.run(length_us, args.therapy, fill_nl)


def _opened_state(path: str | None, stack: ExitStack) -> "tuple[StateDir | None, Saved | None]":
    from tools.run.state import StateDir

    if path is None:
        return None, None
    state = StateDir(Path(path))
    stack.callback(state.close)
    return state, state.load()


def bench_path(folder: Path | None, stack: ExitStack) -> Path:
    """Return where the bench socket goes: this folder, or a private temporary one."""
    from emulator.bench_socket import PATH_BYTES

    if folder is not None:
        path = folder.absolute() / "bench.sock"
        if len(str(path).encode()) <= PATH_BYTES:
            path.unlink(missing_ok=True)  # left by a killed process: the folder's lock is ours
            return path
    made = tempfile.mkdtemp(prefix="itpump-")
    stack.callback(shutil.rmtree, made, ignore_errors=True)
    return Path(made) / "bench.sock"


def chosen_seed(given: int | None) -> int:
    """Return the seed asked for, else a random one. Raises BadRun."""
    seed = secrets.randbits(SEED_BITS) if given is None else given
    if not 0 <= seed <= SEED_MAX:
        raise BadRun(f"--seed: {seed} is not within 0..{SEED_MAX}")
    return seed


# --- the pump -----------------------------------------------------------------------------------


def _pump(args: argparse.Namespace, saved: "Saved | None") -> "Pump":
    """Return the pump, booted: a new one, or the saved one after a warm reset."""
    return _new_pump(args) if saved is None else _saved_pump(args, saved)


def _new_pump(args: argparse.Namespace) -> "Pump":
    from emulator.profile import Profile
    from protocol.messages import WALL_EPOCH
    from tools.emulated import build_pump
    from tools.run.live import Pump

    profile = Profile.load(args.profile or DEFAULT_PROFILE)
    seed = chosen_seed(args.seed)
    epoch = datetime.fromisoformat(WALL_EPOCH)
    start_wall_s = int((datetime.now() - epoch).total_seconds())
    setup = _setup(args, profile)
    pump = build_pump(profile, setup, seed, start_wall_s)
    pump.board.power_on()
    return Pump(pump, profile.device.model, seed, start_wall_s, setup.drugs)


def _saved_pump(args: argparse.Namespace, saved: "Saved") -> "Pump":
    """Raises BadRun for options that contradict what is in the folder."""
    from emulator.devices.fluid import Drug
    from emulator.devices.plant import PlantSetup
    from emulator.profile import Profile
    from tools.emulated import build_pump
    from tools.run.live import Pump

    profile = Profile.load(args.profile or saved.profile)
    if profile.device.model != saved.profile:
        raise BadRun(f"--profile {args.profile}: {args.state} holds a {saved.profile}")
    if args.seed not in (None, saved.seed):
        raise BadRun(f"--seed {args.seed}: the pump in {args.state} has seed {saved.seed}")
    if args.fill is not None:
        raise BadRun(f"--fill is for a new pump; {args.state} holds one: use itpump bench refill")
    drugs = tuple(Drug(name, concentration) for name, concentration in saved.drugs)
    pump = build_pump(profile, PlantSetup(0), saved.seed, saved.start_wall_s)
    try:
        pump.board.restore(saved.board)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun(f"{args.state}: the saved pump does not fit this version: {error}") from None
    pump.board.power_on()
    return Pump(pump, saved.profile, saved.seed, saved.start_wall_s, drugs)


def _setup(args: argparse.Namespace, profile: "Profile") -> "PlantSetup":
    """Return a new pump's physics: filled with what the therapy says, as full as it says."""
    from emulator.devices.fluid import Drug
    from emulator.devices.plant import PlantSetup
    from protocol.messages import FILL_NOT_TOLD
    from tools.programmer.format import millilitres
    from tools.quantity import volume_pl

    device = profile.device
    fill_pl, catheter_pl = device.capacity_nl * 1000, 0
    drugs: tuple[Drug, ...] = ()
    if args.therapy is not None:
        from tools import therapy_file

        wanted = therapy_file.load(args.therapy, device=device)
        therapy = wanted.therapy
        drugs = tuple(Drug(drug.name, drug.concentration_pg_ml) for drug in therapy.drugs)
        catheter_pl = therapy.catheter_um * therapy.catheter_pl_cm // 10_000
        if wanted.fill_nl != FILL_NOT_TOLD:
            fill_pl = wanted.fill_nl * 1000
    if args.fill is not None:
        fill_pl = volume_pl(args.fill)
        if fill_pl > device.capacity_nl * 1000:
            held = millilitres(device.capacity_nl)
            raise BadRun(f"--fill {args.fill}: {device.model} holds {held}")
    return PlantSetup(fill_pl, drugs, tubing_pl=device.tubing_nl * 1000, catheter_pl=catheter_pl)
