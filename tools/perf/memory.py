"""Memory: what one more pump takes, and whether a long life takes more and more.

Weighed by the resident set of a process of its own, which holds nothing else.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

from emulator.devices.plant import PlantSetup
from emulator.profile import Profile
from tools.emulated import build_pump
from tools.perf import pump
from tools.perf.figures import Effort, Measured, Samples, Unavailable

_STATM: Final = Path("/proc/self/statm")
_KIB: Final = 1024
_SETTLE_DAYS: Final = 30
"""Histories and buffers of fixed size are full by then."""
_REFILL_DAYS: Final = 300
_STEP_DAYS: Final = 100


def idle_pump(effort: Effort) -> Measured:
    """Return kiB per further idle pump in one process."""
    return _in_children(effort, f"idle_kib({effort.pumps})")


def life(effort: Effort) -> Measured:
    """Return kiB by which a pump's process grows over a life with refills."""
    return _in_children(effort, f"life_kib({effort.life_days})", 1)


def idle_kib(count: int) -> float:
    """Build pumps here; return kiB per pump. The first does not count: it loads the code."""
    profile = Profile.load("rotor-40")
    pumps = []
    before = 0
    for seed in range(count + 1):
        built = build_pump(profile, PlantSetup(0), seed, 0)
        built.board.power_on()
        built.world.run_until(0)
        pumps.append(built)
        before = before or _resident_kib()
    return (_resident_kib() - before) / count


def life_kib(days: int) -> float:
    """Simulate here; return the kiB that the process grew by after its first month."""
    emulated = pump.programmed()
    world = emulated.world
    world.run_until(_SETTLE_DAYS * pump.DAY_US)
    before = _resident_kib()
    for day in range(_STEP_DAYS, days + 1, _STEP_DAYS):
        world.run_until(day * pump.DAY_US)
        if day % _REFILL_DAYS == 0:
            pump.refill(emulated)
    return _resident_kib() - before


def _resident_kib() -> int:
    """Return the resident set. The kernel counts pages."""
    import resource

    return int(_STATM.read_text().split()[1]) * resource.getpagesize() // _KIB


def _in_children(effort: Effort, call: str, repeats: int | None = None) -> Measured:
    if not _STATM.exists():
        raise Unavailable(f"there is no {_STATM} here: memory is weighed on Linux only")
    code = f"from tools.perf import memory; print(memory.{call})"
    command = [sys.executable, "-c", code]
    count = repeats or effort.repeats
    found = [subprocess.run(command, check=True, capture_output=True) for _ in range(count)]
    return Measured(Samples(tuple(float(child.stdout) for child in found)))
