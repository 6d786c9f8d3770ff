"""The conformance scenarios on every kind of board: the same strokes, in time, on each.

In real time several boards of a kind work side by side; each plays the next scenario as soon as it
has played one, so that none waits for another. The last scenario leaves its board closed.
"""

import json
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock

import pytest
from board_pair import Process
from hil_targets import (
    EmulatedTarget,
    LineTarget,
    LockstepTarget,
    MicroPythonTarget,
    ProcessTarget,
)
from live_pump import itpump
from micropython_board import MicroPythonBoard

from emulator.profile import Profile
from tools.hil import line
from tools.hil.checks import Tolerances, Verdict
from tools.hil.command import PROFILE
from tools.hil.port_target import PortTarget
from tools.hil.scenarios import SCENARIOS, play_all
from tools.hil.stage import Played, Scenario
from tools.hil.target import Hand

MakeBoard = Callable[[Path], AbstractContextManager[PortTarget]]
BOARD_US_MAX = 20_000_000
ROUNDS = ((8, 2), (2, 2), (1, 3))
"""Boards of a kind, side by side, and tries of each scenario for which this machine is late.
What is late in one round is left to the next, which has less to do at a time."""
STROKES = {
    "basal": 12,
    "rate_change": 10,
    "bolus_on_top": 13,
    "bolus_instead": 15,
    "reservations": 26,
    "stop_in_bolus": 10,
    "reset_in_bolus": 9,
    "hang_in_bolus": 9,
    "stall": 5,
    "reservoir": 12,
    "persistence": 3,
    "batches": 30,
    "limit": 3,
    "dead_man": 1,
    "watchdog": 0,
    "power_lost": 9,
    "guard_limit": 3,
    "guard_closed": 0,
}
"""What each scenario delivers, on every board."""
IN_REAL_TIME = (
    "basal", "bolus_on_top", "stop_in_bolus", "hang_in_bolus", "batches", "dead_man", "watchdog",
    "power_lost",
)  # fmt: skip
"""Of the emulated board, which plays all in lock-step: those in which the host may be late."""
ONE_WAY_US = 1_000
ROUNDING_US = 64
"""An interval is a whole number of µs, rounded up: so late is the end of the longest batch."""
MAY_LATE = 2
"""Scenarios that a busy machine may be too late for."""


@pytest.fixture(scope="module")
def profile() -> Profile:
    return Profile.load(PROFILE)


def _judge(played: list[Played], late_max: int = 0) -> None:
    """All conform, deliver what they must, and take no longer than they may."""
    differ = [check for one in played for check in one.checks if check.verdict is Verdict.DIFFERS]
    assert differ == []
    strokes = {one.scenario.name: one.strokes for one in played if one.strokes is not None}
    assert strokes == {name: STROKES[name] for name in strokes}
    assert len(played) - len(strokes) <= late_max, [one.checks for one in played]
    assert all(one.board_us / max(1, one.tries) <= BOARD_US_MAX for one in played)


def test_there_are_enough_scenarios_and_each_has_its_strokes() -> None:
    assert [scenario.name for scenario in SCENARIOS] == list(STROKES)
    assert len(SCENARIOS) >= 10


def test_the_emulated_board_itself_conforms(profile: Profile) -> None:
    chosen = [one for one in SCENARIOS if Hand.LINE not in one.needs]
    assert len(chosen) >= 10
    _judge(list(play_all(EmulatedTarget(profile), profile, Tolerances(report_us=0), chosen)))


def test_the_emulated_board_on_a_line_in_this_process_conforms(profile: Profile) -> None:
    _judge(list(play_all(LineTarget(profile), profile, Tolerances(2 * ONE_WAY_US + ROUNDING_US))))


def test_the_emulated_board_in_lockstep_conforms(profile: Profile, tmp_path: Path) -> None:
    board = Process(tmp_path / "log", "board", "--lockstep", "--profile", str(PROFILE))
    target = LockstepTarget(board.ready["port"], board.ready["bench"])
    try:
        found = line.examine(target, target.serial)
        assert found.tolerances.late_us == 0
        assert all(check.verdict is Verdict.OK for check in found.judge.checks)
        _judge(list(play_all(target, profile, found.tolerances)))
    finally:
        target.close()
        board.kill()


@contextmanager
def _emulated(folder: Path) -> Iterator[PortTarget]:
    board = Process(folder / "log", "board", "--profile", str(PROFILE))
    target = ProcessTarget(board)
    try:
        yield target
    finally:
        target.close()
        board.kill()


@contextmanager
def _micropython(folder: Path) -> Iterator[PortTarget]:
    with MicroPythonBoard(folder) as agent:
        target = MicroPythonTarget(agent)
        try:
            yield target
        finally:
            target.close()


def _side_by_side(
    profile: Profile,
    make: MakeBoard,
    folder: Path,
    boards: int,
    tries_max: int,
    left: list[Scenario],
) -> list[Played]:
    """Play what is left, each on the first board of so many that has nothing to do."""
    waiting = iter(left)
    dealing = Lock()

    def dealt() -> Iterator[Scenario]:
        while True:
            with dealing:
                scenario = next(waiting, None)
            if scenario is None:
                return
            yield scenario

    def on_one_board(place: int) -> list[Played]:
        own = folder / str(place)
        own.mkdir(parents=True)
        with make(own) as target:
            found = line.examine(target, target.serial)
            print(boards, place, found.tolerances, file=sys.stderr)
            return list(play_all(target, profile, found.tolerances, dealt(), tries_max))

    with ThreadPoolExecutor(boards) as pool:
        return [one for share in pool.map(on_one_board, range(boards)) for one in share]


@pytest.mark.timeout(300)  # a busy machine plays much of it again
@pytest.mark.parametrize(("make", "names"), [(_emulated, IN_REAL_TIME), (_micropython, STROKES)])
def test_boards_on_ports_conform_in_real_time(
    profile: Profile, tmp_path: Path, make: MakeBoard, names: Collection[str]
) -> None:
    left = [one for one in SCENARIOS if one.name in names]
    played: list[Played] = []
    late: list[Played] = []
    for boards, tries_max in ROUNDS:
        if not left:
            break
        folder = tmp_path / str(boards)
        found = _side_by_side(profile, make, folder, min(boards, len(left)), tries_max, left)
        late = [one for one in found if all(c.verdict is Verdict.NOT_TESTED for c in one.checks)]
        played += [one for one in found if one not in late]
        left = [one.scenario for one in late]
        print(boards, [(one.scenario.name, one.checks[0].hint) for one in late], file=sys.stderr)
    _judge(played + late, MAY_LATE)


def test_the_command_reports_a_board_as_json(tmp_path: Path) -> None:
    board = Process(tmp_path / "log", "board", "--profile", str(PROFILE))
    try:
        ports = ("--port", board.ready["port"], "--telemetry", board.ready["telemetry"])
        only = ("--only", "line", "--only", "telemetry: sent", "--only", "limit")
        done = itpump("hil", *ports, *only, "--yes", "--json")
    finally:
        board.kill()
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["conforms"] is True
    assert report["board"]["agent"].startswith("itpump emulated board")
    names = [check["name"] for check in report["checks"]]
    assert "telemetry: sent bytes come out in order" in names
    assert [(one["name"], one["strokes"]) for one in report["scenarios"]] == [("limit", 3)]
    assert {check["verdict"] for check in report["checks"]} == {"ok"}
