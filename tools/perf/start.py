"""Start: from nothing to an answer, against the start of a bare interpreter."""

import subprocess
import sys
from collections.abc import Callable
from typing import Final

from tools.perf.figures import Effort, Measured, in_turns, seconds
from tools.perf.telemetry import RUN, child

_HELP: Final = "import sys; from tools.cli import main; sys.exit(main(['--help']))"


def help_text(effort: Effort) -> Measured:
    """Return the seconds that `itpump --help` takes."""
    return _measured(effort, lambda: _run(_HELP))


def ready(effort: Effort) -> Measured:
    """Return the seconds until `itpump run` says that it is ready."""

    def first_line_s() -> float:
        waiting = child(RUN)
        took_s = seconds(waiting.__enter__)
        waiting.__exit__(None, None, None)
        return took_s

    return _measured(effort, first_line_s)


def _measured(effort: Effort, value: Callable[[], float]) -> Measured:
    return Measured(*in_turns(effort.repeats, value, lambda: _run("")), "bare Python")


def _run(code: str) -> float:
    command = [sys.executable, "-c", code]
    return seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
