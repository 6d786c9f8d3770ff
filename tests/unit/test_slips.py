"""Promise: a slip of the operator is refused, or confirmed by a whole word, never by a reflex.

Each slip of `slips` is made by somebody who answers "y" to whatever is asked. It must be refused,
by the programmer or by the pump, or the question must want a word that "y" is not; either way the
pump stays as it is. Then a tool that checks nothing sends it: what the pump can know, it refuses.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import slips
from desk import Desk
from emulated_line import DAY_US
from slips import KNOWS_NOT, NEVER_SENT, Slip

from tools import therapy_table
from tools.programmer import limits
from tools.programmer.client import Client
from tools.programmer.errors import Refused

PROGRAM = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "500 ug/mL" }]
mode = "simple_continuous"
dose_per_day = "300 ug"
reservoir_fill = "20 mL"
stability = "180d"
catheter = { length = "81.5 cm", volume = "0.0022 mL/cm" }
patient_bolus = { dose = "10 ug", over = "2 min", lockout = "2 h", max_per_24h = 4 }
"""
FLEX = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "flex"
steps = [{ from = "06:00", rate = "10 ug/h" }, { from = "18:00", rate = "20 ug/h" }]
reservoir_fill = "20 mL"
"""


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk(monkeypatch, tmp_path, capsys)


def running(desk: Desk) -> None:
    desk.program(PROGRAM)
    desk.line.pass_time(20 * DAY_US)


def flex(desk: Desk) -> None:
    desk.program(FLEX)


def again(desk: Desk) -> None:
    running(desk)
    assert desk.run("refill", "20mL", "--residual", "8mL", "--yes") == 0
    assert desk.run("bolus", "20ug", "--over", "5min", "--yes") == 0
    desk.line.pass_time(360_000_000)


def stopped(desk: Desk) -> None:
    running(desk)
    assert desk.run("stop") == 0


GROUPS: dict[str, tuple[Callable[[Desk], None], tuple[Slip, ...]]] = {
    "running": (running, slips.RUNNING),
    "new": (lambda desk: None, slips.NEW),
    "flex": (flex, slips.FLEX),
    "again": (again, slips.AGAIN),
    "stopped": (stopped, slips.STOPPED),
}


def words_of(desk: Desk, slip: Slip) -> list[str]:
    is_file = "\n" in slip.words
    return ["program", desk.file(slip.words)] if is_file else slip.words.split()


def state(desk: Desk) -> tuple[object, ...]:
    status = desk.line.pump.firmware.status()
    return status.generation, status.mode, status.bolus, status.last_txn, status.wall_s


def noticed(desk: Desk, slip: Slip) -> str:
    """Make the slip, answering "y"; return how it was noticed, "" for not at all."""
    before = state(desk)
    code = desk.run(*words_of(desk, slip), typed="y\n" * 5)
    if state(desk) != before:
        return ""
    if code in (2, 3):
        return "stopped"
    return "confirmed twice" if code == 1 and "Read the warnings" in desk.prompts[-1] else ""


def at_the_pump(desk: Desk, slip: Slip, sent: list[str]) -> str:
    """Send the slip with a tool that checks nothing; return the pump's own answer."""
    sent.clear()
    desk.run(*words_of(desk, slip), typed="n\n" * 5)
    return sent[-1] if sent else NEVER_SENT


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A tool without any check of its own that could stop a request; what the pump answers."""
    sent: list[str] = []
    prepare = Client.prepare

    def spied(client: Client, *request: Any) -> Any:
        try:
            preview = prepare(client, *request)
        except Refused as refused:
            sent.append(refused.code.name)
            raise
        sent.append(KNOWS_NOT)
        return preview

    monkeypatch.setattr(Client, "prepare", spied)
    return sent


def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    table, programs = therapy_table.TherapyTable, therapy_table.TherapyTable.programs
    monkeypatch.setattr(table, "programs", lambda self, current, *pump: programs(self, current))
    monkeypatch.setattr(table, "_check", lambda *given, **named: None)
    monkeypatch.setattr(limits, "check", lambda *given: [])
    monkeypatch.setattr(limits, "check_hard", lambda *given: None)


@pytest.mark.requirement("R-059")
@pytest.mark.requirement("R-254")
@pytest.mark.parametrize("group", GROUPS)
def test_every_slip_is_stopped_or_confirmed_twice(group: str, desk: Desk) -> None:
    prepare, table = GROUPS[group]
    prepare(desk)
    found = {slip.name: noticed(desk, slip) for slip in table}
    missed = [name for name, how in found.items() if not how]
    share = f"{len(found) - len(missed)} of {len(found)} noticed"
    assert not missed, f"{share}; unnoticed: {', '.join(missed)}; all: {found}"


@pytest.mark.requirement("R-248")
@pytest.mark.requirement("R-254")
@pytest.mark.parametrize("group", GROUPS)
def test_the_pump_alone_refuses_what_it_can_know(
    group: str, desk: Desk, careless: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, table = GROUPS[group]
    prepare(desk)
    unchecked(monkeypatch)
    before = state(desk)
    answers = {slip.name: at_the_pump(desk, slip, careless) for slip in table}
    assert state(desk) == before
    assert answers == {slip.name: slip.pump for slip in table}


def test_there_are_sixty_slips_at_least() -> None:
    names = [slip.name for _, table in GROUPS.values() for slip in table]
    assert len(set(names)) == len(names) >= 60
