"""The kit tells a wrong board from a machine that was late.

The machine is late in virtual time: it takes the processor from the kit while the board goes on, or
says that it has taken it from a board that is a process beside the kit.
"""

import pytest
from hil_targets import LineTarget
from test_hil_finds import FAULTS

from emulator.profile import Profile
from hal.serial_board.link import LOST_US
from tools.hil import line
from tools.hil.checks import Tolerances, Verdict
from tools.hil.command import PROFILE
from tools.hil.lateness import WINDOW_US
from tools.hil.scenarios import LATE_TRIES, SCENARIOS, TRIES_MAX, play
from tools.hil.stage import Played

MARGIN_US = 5_000
"""Less than the kit's, so that every fault is more than that."""
TOLERANCES = Tolerances(2_000, MARGIN_US)
EVERY_US = WINDOW_US + 10_000
LATE_US = 400_000
FIRST_US = 2_000_000
"""Until then the first try is under way, or the second."""
FOREVER_US = 10**12


class Machine(LineTarget):
    """It is late every so often, until some instant; by then the kit has played a while."""

    real_time = True

    def __init__(
        self, patch: pytest.MonkeyPatch, *, until_us: int, late_us: int = 0, starved_us: int = 0
    ) -> None:
        super().__init__(Profile.load(PROFILE))
        self._left = (until_us, late_us, starved_us)
        self._next_us = EVERY_US
        self._starved_us = 0
        self._wait = self.line.wait
        patch.setattr(self.line, "wait", self._wait_late)

    def starved_us(self) -> int:
        return self._starved_us

    def _wait_late(self, stream_us: int) -> None:
        self._wait(stream_us)
        until_us, late_us, starved_us = self._left
        if self._next_us <= self.now_us() < until_us:
            self._starved_us += starved_us
            self.world.run_until(self.now_us() + late_us)
            self._next_us = self.now_us() + EVERY_US


def _played(machine: Machine, name: str) -> Played:
    scenario = next(one for one in SCENARIOS if one.name == name)
    return play(scenario, machine, Profile.load(PROFILE), TOLERANCES)


def _verdicts(played: Played) -> set[Verdict]:
    return {check.verdict for check in played.checks}


@pytest.mark.parametrize("name", ["basal", "batches", "reservoir"])
def test_what_a_late_machine_spoils_is_played_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, until_us=FIRST_US, late_us=LATE_US)
    played = _played(machine, name)
    assert _verdicts(played) == {Verdict.OK}
    assert played.tries > 1


@pytest.mark.parametrize("name", ["basal", "batches", "reservoir"])
def test_what_it_spoils_each_time_is_not_judged(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    played = _played(Machine(monkeypatch, until_us=FOREVER_US, late_us=LATE_US), name)
    assert _verdicts(played) == {Verdict.NOT_TESTED}
    assert f"this host was late {TRIES_MAX} times, by " in played.checks[0].hint


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_board_is_found_by_a_machine_in_time(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it, name, _ = FAULTS[fault]
    machine = Machine(monkeypatch, until_us=0)
    break_it(machine, monkeypatch)
    played = _played(machine, name)
    assert Verdict.DIFFERS in _verdicts(played)
    assert played.tries <= LATE_TRIES


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_board_is_found_once_the_machine_is_in_time(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it, name, _ = FAULTS[fault]
    machine = Machine(monkeypatch, until_us=FIRST_US, late_us=LATE_US)
    break_it(machine, monkeypatch)
    assert Verdict.DIFFERS in _verdicts(_played(machine, name))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_board_never_conforms_on_a_machine_that_is_always_late(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it, name, _ = FAULTS[fault]
    machine = Machine(monkeypatch, until_us=FOREVER_US, late_us=LATE_US)
    break_it(machine, monkeypatch)
    assert _verdicts(_played(machine, name)) != {Verdict.OK}


@pytest.mark.parametrize(
    ("starved_us", "verdict"),
    [(MARGIN_US + 1_000, Verdict.NOT_TESTED), (MARGIN_US - 1_000, Verdict.DIFFERS)],
)
def test_only_more_than_the_margin_excuses_a_board(
    starved_us: int, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, until_us=FOREVER_US, starved_us=starved_us)
    break_it, name, _ = FAULTS["strokes 2 % slow"]
    break_it(machine, monkeypatch)
    assert verdict in _verdicts(_played(machine, name))


def test_a_late_machine_is_not_taken_for_a_slow_line(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = Machine(monkeypatch, until_us=0)
    late = Machine(monkeypatch, until_us=FOREVER_US, late_us=LATE_US)
    found = [line.examine(one, one.serial).tolerances.rtt_us for one in (quiet, late)]
    assert found[0] == found[1] < MARGIN_US


def test_a_board_that_a_late_machine_loses_is_listened_to_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, until_us=FIRST_US, late_us=2 * LOST_US)
    attached = 0
    good = machine.attach

    def attach() -> None:
        nonlocal attached
        attached += 1
        good()

    monkeypatch.setattr(machine, "attach", attach)
    found = line.examine(machine, machine.serial)
    assert attached == 2
    assert {check.verdict for check in found.judge.checks} == {Verdict.OK}
