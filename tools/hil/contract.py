"""The contract suites of the source tree, run by pytest in this process on the board under test.

A test that needs a hand which the bench has not got (`pytest.mark.needs`) is listed as not tested,
and so is the suite of a peripheral that the board has not got.
What a test measured against an instant is in its row; another row says how its assertion failed.
"""

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from hal.errors import HalLost
from tools.hil.checks import Check, Judge, Tolerances
from tools.hil.target import Hand, Target

FOLDER: Final = Path(__file__).parents[2] / "tests" / "contract"
PLUGIN: Final = "itpump_hil"
"""The name under which the suites' fixture finds the board to run on."""
_OPTIONS: Final = (
    "-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-s",
    "-c", os.devnull, f"--rootdir={FOLDER}", f"--confcutdir={FOLDER}",
)  # fmt: skip
_USAGE_ERROR: Final = 2
"""pytest's exit codes from here on say that it could not run the tests."""

HINTS: Final = {
    "motor": "pulse timer: stroke k ends at start + k * interval, driven in the interval's second "
    "half; MOTOR_DONE with the last",
    "encoder": "encoder: count edges, not commands; compare with the limit at each stroke",
    "supply": "SwitchSupply: the gate itself, at once; cut by every Attach",
    "flash": "FlashProgram, FlashErase: NOR rules, one end each; flash_crc read back",
    "telemetry": "radio: bytes both ways in order, `taken` counted when they were handed on",
    "clock": "the board's clock and wall clock: no command may hold them",
    "battery": "ADC and comparator: rest and loaded voltage, LOW_VOLTAGE once",
    "magnet": "the field sensor's pin",
    "reservoir_sensor": "level_nl: what is above the unextractable residual, read for each report",
    "sounder": "piezo: one tone at a time, silent after Attach",
    "watchdog": "ArmWatchdog: 1 s after the deadline; the last one counts",
    "entropy": "random numbers are this host's",
}
"""Suite -> where to look."""


class NoSuites(Exception):
    """The suites cannot be run here; one line for people."""


def run(
    target: Target,
    tolerances: Tolerances,
    wanted: Callable[[str], bool],
    told: Callable[[Check], None] = lambda check: None,
) -> list[Check]:
    """Run the tests whose name is wanted ("motor: the end is told once"); return their rows.

    Raises NoSuites.
    """
    plugin = Suites(target, tolerances, wanted, told, may_be_late=True)
    code = _pytest(plugin)
    if code >= _USAGE_ERROR and not plugin.stopped:
        raise NoSuites(f"pytest ended with {code}: {plugin.problem or 'no test found'}")
    if not plugin.late:
        return plugin.checks
    again = Suites(target, tolerances, lambda name: name in plugin.late, told)
    _pytest(again)
    return plugin.checks + again.checks


def names() -> list[str]:
    """Return the name of every test. Raises NoSuites."""
    plugin = Suites(None, Tolerances(), lambda name: True, lambda check: None)
    _pytest(plugin, "--collect-only")
    return plugin.names


def _pytest(plugin: "Suites", *options: str) -> int:
    if importlib.util.find_spec("pytest") is None:
        raise NoSuites("pytest is not installed: pip install pytest")
    if not FOLDER.is_dir():
        raise NoSuites(f"there is no {FOLDER}: the kit runs from a source tree")
    import pytest

    with _undisturbed():
        return int(pytest.main([str(FOLDER), *_OPTIONS, *options], plugins=[_Naming(plugin)]))


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Leave out whatever plugins are installed, and the options of the surroundings."""
    set_ = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    before = {name: os.environ.get(name) for name in set_}
    os.environ.update(set_)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Suites:
    """The plugin: chooses the tests, gives them the board, takes their outcomes."""

    def __init__(
        self,
        target: Target | None,
        tolerances: Tolerances,
        wanted: Callable[[str], bool],
        told: Callable[[Check], None],
        may_be_late: bool = False,
    ) -> None:
        """With `may_be_late` what came too late is kept for another try: the host may be busy."""
        self.target = target
        self.tolerances = tolerances
        self.checks: list[Check] = []
        self.names: list[str] = []
        self.problem = ""
        self.stopped = False
        self.late: set[str] = set()
        self._may_be_late = may_be_late
        self._wanted = wanted
        self._told = told
        self._session: Any = None

    # pytest's hooks

    def pytest_collectreport(self, report: Any) -> None:
        """Keep why a module could not be read."""
        if report.failed:
            self.problem = str(report.longrepr).strip().splitlines()[-1]

    def pytest_collection_modifyitems(self, session: Any, items: list[Any]) -> None:
        """Choose the tests; list those that need what the bench has not got."""
        self._session = session
        self.names = [_name(item) for item in items]
        wanted = [item for item in items if self._wanted(_name(item))]
        for item in wanted:
            if missing := self._missing(item):
                self._not_tested(item, ", ".join(missing))
        items[:] = [item for item in wanted if not self._missing(item)]

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        """Take how a test ended, or failed before or after."""
        if call.excinfo is None:
            if call.when == "call":
                self._passed(item)
        elif call.when == "call" and (absent := self._absent(item)):
            self._not_tested(item, absent)
        else:
            self._failed(item, call)

    # Inside

    def _missing(self, item: Any) -> list[str]:
        needs = {Hand[name.upper()] for mark in item.iter_markers("needs") for name in mark.args}
        return sorted(needs - (self.target.hands if self.target else frozenset(Hand)))

    def _absent(self, item: Any) -> str:
        """Return the peripheral of the suite, when the board that was attached has none."""
        suite, _ = _split(item)
        there = self.target is None or getattr(self.target.board, suite) is not None
        return "" if there else f"a {suite.replace('_', ' ')}"

    def _not_tested(self, item: Any, needs: str) -> None:
        suite, what = _split(item)
        judge = self._judge(suite)
        judge.not_tested(what, f"needs {needs}")
        self._take(judge)

    def _failed(self, item: Any, call: Any) -> None:
        suite, what = _split(item)
        error = call.excinfo.value
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        judge = self._judge(suite)
        off_us = [actual - expected for expected, actual in _measured(item)][-1:]
        if off_us and self._may_be_late and off_us[0] > self.tolerances.late_us:
            self.late.add(_name(item))
            return
        if off_us and not -self.tolerances.early_us <= off_us[0] <= self.tolerances.late_us:
            judge.off(what, off_us[0])
        else:
            judge.failed(what, "as named", kind + first)
        self._take(judge)
        if call.when == "setup" and isinstance(error, HalLost):
            self.stopped = True
            self._session.shouldstop = "the board is gone"

    def _passed(self, item: Any) -> None:
        suite, what = _split(item)
        judge = self._judge(suite)
        late_us = [actual - expected for expected, actual in _measured(item)]
        judge.as_named(what, max(late_us) if late_us else None)
        self._take(judge)

    def _judge(self, suite: str) -> Judge:
        return Judge(suite, self.tolerances, HINTS.get(suite, ""))

    def _take(self, judge: Judge) -> None:
        self.checks += judge.checks
        for check in judge.checks:
            self._told(check)


class _Naming:
    """Registers the plugin under the name by which the fixture finds it."""

    def __init__(self, plugin: Suites) -> None:
        self._plugin = plugin

    def pytest_configure(self, config: Any) -> None:
        """Register it."""
        config.pluginmanager.register(self._plugin, PLUGIN)


def _measured(item: Any) -> list[tuple[int, int]]:
    """Return the instants a test asked for: expected, actual."""
    return getattr(item.funcargs.get("bench"), "measured", [])


def _split(item: Any) -> tuple[str, str]:
    suite, _, what = _name(item).partition(": ")
    return suite, what


def _name(item: Any) -> str:
    """Return the name of a test for people: suite, and what it says."""
    what = item.originalname.removeprefix("test_").replace("_", " ")
    parameters = [part for part in getattr(item.callspec, "id", "").split("-") if part != "port"]
    shown = f" ({'-'.join(parameters)})" if any(parameters) else ""
    return f"{item.module.SUITE}: {what}{shown}"
