"""docs/hil.md: what the conformance kit checks on a board, and how far off it may be."""

from tools.docs.markdown import code, paragraphs, table
from tools.hil.checks import TOLERANCES
from tools.hil.command import WARNING
from tools.hil.contract import HINTS
from tools.hil.lateness import WINDOW_US
from tools.hil.scenarios import LATE_TRIES, SCENARIOS, TRIES_MAX
from tools.hil.target import Hand

_HEAD = """
# The conformance kit

Generated from `tools/hil` by `itpump docs`. Do not edit.

`itpump hil` tests whether a board at the end of a serial line does what the HAL asks of it. It is
used from a source tree, with the `test` extra installed.
"""
_EXAMPLE = """
itpump hil --port /dev/ttyACM0
itpump hil --port /dev/ttyACM0 --telemetry /dev/ttyUSB0 --only motor --only basal
itpump hil --list
"""
_ORDER = """
1. What the board is, and the line: round trips, reports a second, clock drift, damaged frames,
   flash, battery. The tolerances of all that follows come from it.
2. The contract suites in `tests/contract`: the same tests that the emulated board passes.
3. Scenarios: the controller itself on the board, programmed by the real programmer through a radio
   of the kit's own, with a profile of short timers (`tools/hil/profile.toml`).

Each check is a row: expected, measured, tolerance, verdict, and where to look when it differs.
With `--json` all of it is one object. Exit code 0: everything conforms; 1: something differs; 2:
bad input; 4: no board.
"""
_BENCH = """
An emulated board is tested with `itpump board --profile tools/hil/profile.toml`; the bench socket
that it prints goes to `--bench`, its radio to `--telemetry`. The strokes are then also compared
with what the rotor has really done.
"""


def render() -> str:
    """Return the page."""
    return (
        paragraphs(
            _HEAD,
            code(_EXAMPLE.strip(), "sh"),
            WARNING.replace("\n", " "),
            _ORDER,
            "## Tolerances",
            table(("what", "limit", "why"), TOLERANCES),
            "This holds while the host is in time. Where its scheduler took more than the margin"
            f" away within {WINDOW_US // 1000} ms, a difference is not the board's: the scenario is"
            f" played again, {TRIES_MAX} times in all, and then listed as not tested. One in which"
            " something came too late on a host in time, and nothing else was wrong, is played"
            f" {LATE_TRIES} times.",
            "## Scenarios",
            table(
                ("name", "what", "needs", "when it differs, look at"),
                [(f"`{s.name}`", s.what, ", ".join(sorted(s.needs)), s.hint) for s in SCENARIOS],
            ),
            "## Contract suites",
            table(("suite", "when it differs, look at"), HINTS.items()),
            "## What a bench may have",
            "A check that needs what the bench has not got is listed as not tested.",
            table(("hand", "what"), [(f"`{hand.name.lower()}`", hand.value) for hand in Hand]),
            _BENCH,
        )
        + "\n"
    )
