"""`program`, `prime`, `bridge` and `clock` at the desk, judged by what the pump then does."""

import os
import pty
import termios
from fractions import Fraction
from pathlib import Path

import pytest
from desk import Desk, Person
from emulated_line import DAY_US

from protocol.codes import BolusKind, Mode, ProgramKind
from tools.programmer.console import Console

MINUTE_US = 60_000_000
FLEX = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "flex"
steps = [{ from = "06:00", rate = "10 ug/h" }, { from = "18:00", rate = "20 ug/h" }]
reservoir_fill = "40 mL"
"""
NEW = '[therapy]\ndrugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]\n'
CHANGE = """\
[therapy]
scheduled_change = { at = 2027-01-05T08:00:00, therapy = { dose_per_day = "330 ug" } }
"""


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk(monkeypatch, tmp_path, capsys)


# --- program ------------------------------------------------------------------------------------


def test_a_schedule_is_shown_step_by_step_and_delivered(desk: Desk) -> None:
    assert desk.run("program", desk.file(FLEX), typed="yes\n") == 0
    assert "* from 06:00 every day" in desk.out
    assert "10 ug/h" in desk.out
    assert "* mean rate" in desk.out
    assert "* dose baclofen" in desk.out
    assert max(map(len, desk.out.splitlines())) <= 100
    desk.line.pass_time(10 * 60 * MINUTE_US)  # 09:00 to 18:00 at 5 uL/h, an hour at 10
    assert desk.line.delivered_ul == 55


def test_a_scheduled_change_takes_over_and_a_later_program_shows_that_it_is_voided(
    desk: Desk,
) -> None:
    desk.program()
    assert desk.run("program", desk.file(CHANGE), typed="y\n") == 0
    assert "* scheduled change     -" in desk.out
    assert desk.prompts == ["schedule this? [y/N]"]
    assert "read back and compared: equal" in desk.out
    assert desk.run("status") == 0
    assert "a scheduled change takes over 2027-01-05 08:00" in desk.out
    assert desk.run("program", desk.file(CHANGE.replace("330", "340")), "--yes") == 0
    (row,) = [row for row in desk.out.splitlines() if "scheduled change" in row]
    assert row.count("2027-01-05 08:00") == 2
    assert row.startswith("  "), "the same date again is no change"
    desk.line.pass_time(DAY_US)
    assert desk.run("status", "--json") == 0
    assert desk.values()["pump.dose_per_day_ug.baclofen"] == 340
    # 23 h at 300 ug/day and one at 340, of 500 ug/mL
    assert abs(desk.line.delivered_ul - Fraction(23 * 300 + 340, 12)) <= 1


def test_boluses_lockout_and_window_are_shown_before_they_are_granted(desk: Desk) -> None:
    periodic = desk.file(
        FLEX.split("mode")[0] + 'mode = "periodic"\nbackground = "0.006 mL/day"\nbolus = "20 ug"\n'
        'over = "5 min"\nevery = "2 h"\nfirst = "10:00"\nreservoir_fill = "40 mL"\n'
        'patient_bolus = { dose = "10 ug", over = "2 min", lockout = "3 h", max_per_24h = 3 }\n'
        'window_limit = { volume = "300 uL", window = "24 h" }\n'
    )
    assert desk.run("program", periodic, typed="n\n") == 1
    rows = [" ".join(row.split()) for row in desk.out.splitlines()]
    for row in (
        "* background - 6 uL/day",
        "* periodic bolus - 20 ug over 5 min",
        "* every - 2 h",
        "* the first - at 10:00",
        "* patient bolus - 10 ug over 2 min, lockout 3 h",
        "* most in a window - 300 uL in 1 d",
        "* dose baclofen - 251.5 ug/day",
    ):
        assert row in rows
    assert max(map(len, desk.out.splitlines())) <= 100
    assert desk.run("program", periodic, "--yes") == 0
    assert desk.run("status") == 0
    assert "Patient bolus 0 of 3 in the last 24 h, locked for 3 h" in desk.out
    assert "prescribed 251.5 ug/day on the mean" in desk.out


def test_a_date_in_the_past_is_told_before_anything_is_sent(desk: Desk) -> None:
    desk.program()
    assert desk.run("program", desk.file(CHANGE.replace("2027", "2026")), "--yes") == 2
    assert "at: in the past; the pump's clock says 2027-01-04T09:00:00" in desk.err


def test_an_implausible_flow_is_blocked_with_its_warning(desk: Desk) -> None:
    desk.program()
    slip = desk.file(NEW.replace("2000", "50"))
    assert desk.run("program", slip, "--yes", "--override") == 3
    assert "! IMPLAUSIBLE_FLOW: " in desk.out
    assert "from 0.6 mL/day to 6 mL/day" in desk.out
    assert "refused by the programmer: LIMIT_HARD" in desk.err
    assert desk.line.pump.firmware.status().generation == 1


@pytest.mark.requirement("R-072")
@pytest.mark.requirement("R-086")
def test_a_new_concentration_is_warned_of_and_so_is_the_bridge_that_is_left_out(
    desk: Desk,
) -> None:
    desk.program()
    words = ("program", desk.file(NEW))
    assert desk.run(*words, typed="y\n") == 1, "a reflex is no confirmation of a warning"
    assert desk.run(*words, "--yes", "--json") == 0
    assert desk.values()["warnings"] == ["CONCENTRATION_CHANGED", "BRIDGE_OMITTED"]


def test_a_large_change_of_dose_is_warned_of(desk: Desk) -> None:
    desk.program()
    words = ("program", desk.file('[therapy]\ndose_per_day = "600 ug"\n'))
    assert desk.run(*words, "--yes") == 3
    assert desk.run(*words, "--override", "--yes", "--json") == 0
    assert desk.values()["warnings"] == ["DOSE_CHANGE"]


# --- prime and bridge ---------------------------------------------------------------------------


def test_worked_case_3_the_whole_path_is_primed_at_1_ml_per_hour(desk: Desk) -> None:
    desk.program()
    assert desk.run("prime", typed="y\n") == 0
    assert "prime tubing 140 uL and catheter 179.3 uL: 319.25 uL in 1277 strokes" in desk.out
    assert "over 19 min 9 s" in desk.out
    desk.line.pass_time(10 * MINUTE_US)
    assert desk.line.pump.firmware.status().mode is Mode.PRIME
    desk.line.pass_time(560 * 10**6)
    assert desk.line.pump.firmware.status().mode is Mode.BASAL
    assert desk.line.delivered_ul == 319


def test_the_catheter_alone_is_primed(desk: Desk) -> None:
    desk.program()
    assert desk.run("prime", "--catheter", "--yes") == 0
    assert "prime catheter 179.3 uL: 179.25 uL in 717 strokes" in desk.out


def test_a_second_prime_is_asked_for_by_the_word_only(desk: Desk) -> None:
    desk.program()
    assert desk.run("prime", "--yes") == 0
    desk.line.pass_time(DAY_US)
    assert desk.run("prime", "--yes") == 3
    assert "the path was primed already: 319.3 uL of what it holds would be given" in desk.err
    assert desk.run("prime", "--override", typed="yes\n") == 1
    assert desk.run("prime", "--override", typed="override\n") == 0
    assert "! beyond a soft limit: the path was primed already" in desk.out
    assert desk.line.pump.firmware.status().mode is Mode.PRIME


@pytest.mark.requirement("R-072")
def test_worked_case_4_the_bridge_and_then_the_program(desk: Desk) -> None:
    desk.program()
    desk.line.pass_time(DAY_US)
    assert desk.run("refill", "40mL", "--residual", "39.4mL", "--new-drug", "--yes") == 0
    desk.program(NEW)
    before = desk.line.delivered_ul
    assert desk.run("bridge", typed="y\n") == 0
    assert "at 0.6 mL/day, for 12 h 46 min, until 2027-01-05 21:46" in desk.out
    assert "then the program starts by itself at 0.15 mL/day" in desk.out
    assert desk.line.pump.firmware.status().bolus is BolusKind.BRIDGE
    desk.line.pass_time(45_979 * 10**6)
    assert desk.line.pump.firmware.status().mode is Mode.BRIDGE
    desk.line.pass_time(10**6)
    status = desk.line.pump.firmware.status()
    assert status.mode is Mode.BASAL
    assert (status.rate_numerator_pl, status.rate_denominator_h) == (6_250_000, 1)
    assert desk.line.delivered_ul - before in (319, 320)


def test_who_ends_a_stopped_bridge_with_a_program_is_told_so(desk: Desk) -> None:
    """Else the rest of the old solution is given at the new rate, a quarter of the dose, unsaid."""
    desk.program()
    desk.program(NEW)
    assert desk.run("bridge", "--yes") == 0
    desk.line.pass_time(3_600_000_000)
    assert desk.run("stop") == 0
    assert desk.run("status") == 0
    assert "25 uL of 319.25 uL given, bridge, goes on with `resume`" in desk.out
    assert desk.run("resume", typed="n\n") == 1
    assert "resume: the bridge, 25 uL of 319.25 uL given, at its own rate; then" in desk.out
    assert desk.run("program", desk.file(NEW), typed="no\n") == 1
    assert "! BRIDGE_VOIDED: the bridge was stopped at 25 uL of 319.25 uL" in desk.out
    assert desk.run("program", desk.file(NEW), "--yes", "--json") == 0
    assert desk.values()["warnings"] == ["BRIDGE_VOIDED"]
    assert desk.line.pump.firmware.status().bolus is BolusKind.NONE
    assert desk.run("report", "--json") == 0
    assert "BRIDGE_OMITTED" in desk.values()["warnings"]
    assert desk.run("bridge", "300 ug/day", "--yes") == 0
    assert desk.run("report", "--json") == 0
    assert "BRIDGE_OMITTED" not in desk.values()["warnings"]


def test_a_stopped_pump_is_refilled_though_it_owes_a_bridge(desk: Desk) -> None:
    desk.program()
    desk.program(NEW)
    assert desk.run("bridge", "--yes") == 0
    desk.line.pass_time(3_600_000_000)
    assert desk.run("refill", "40mL", "--yes") == 3
    assert desk.run("stop") == 0
    before_ul = desk.line.delivered_ul
    assert desk.run("refill", "40mL", "--yes") == 0, desk.err
    assert desk.run("resume", "--yes") == 0
    desk.line.pass_time(DAY_US)
    assert desk.line.delivered_ul - before_ul in (370, 371)  # 294.25 uL at 25 uL/h, then 6.25


def test_a_bridge_may_have_a_dose_of_its_own(desk: Desk) -> None:
    desk.program()
    desk.program(NEW)
    assert desk.run("bridge", "150 ug/day", "--yes") == 0
    assert "at 0.3 mL/day, for 1 d 1 h" in desk.out
    assert desk.run("bridge", "0 ug/day", "--yes") == 2


# --- clock --------------------------------------------------------------------------------------


def test_a_clock_of_a_schedule_is_set_only_after_its_effect_was_read(desk: Desk) -> None:
    desk.program(FLEX)
    assert desk.run("clock", "--to", "2027-01-04T19:00:00", typed="yes\n") == 0
    assert "pump clock: 2027-01-04T09:00:00 becomes 2027-01-04T19:00:00" in desk.out
    assert (
        "! CLOCK_CHANGES_DOSE: the rate goes from 5 uL/h to 10 uL/h at once, and all steps move "
        "10 h earlier" in " ".join(desk.out.split())
    )
    desk.line.pass_time(60 * MINUTE_US)
    assert desk.line.delivered_ul == 10


@pytest.mark.parametrize(
    ("shift", "wall"), [("1h", "2027-01-04T10:00:00"), ("-30min", "2027-01-04T08:30:00")]
)
def test_a_clock_is_shifted_and_a_constant_rate_stays(desk: Desk, shift: str, wall: str) -> None:
    desk.program()
    assert desk.run("clock", f"--by={shift}", "--yes", "--json") == 0
    assert desk.values()["warnings"] == []
    assert desk.values()["wall"] == wall
    assert desk.line.pump.firmware.status().program is ProgramKind.SIMPLE_CONTINUOUS


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--to", "9 o'clock"), "a wall-clock time is needed, e.g. 2027-01-04T09:00:00"),
        (("--to", "2027-01-04"), '"2027-01-04": a wall-clock time is needed, e.g. 2027-'),
        (("--to", "2027-02-30T09:00"), '"2027-02-30T09:00": a wall-clock time is needed'),
        (("--to", "2027-01-04T09:00:00+01:00"), "leave out the zone"),
        (("--to", "1999-01-04T09:00:00"), "the pump's clock runs from 2000 to 2136"),
        (("--by", "0h"), "whole seconds, at least one"),
    ],
)
def test_a_time_that_cannot_be_meant(desk: Desk, words: tuple[str, ...], complaint: str) -> None:
    desk.program()
    before = desk.line.pump.firmware.status().log_next
    assert desk.run("clock", *words, "--yes") == 2
    assert complaint in desk.err
    assert desk.line.pump.firmware.status().log_next == before


def test_a_program_that_voids_a_scheduled_change_shows_it(desk: Desk) -> None:
    desk.program()
    desk.program(CHANGE)
    assert desk.run("program", desk.file('[therapy]\nstability = "90d"\n'), typed="n\n") == 1
    (row,) = [row for row in desk.out.splitlines() if "scheduled change" in row]
    assert row.split() == ["*", "scheduled", "change", "2027-01-05", "08:00", "-"]


# --- reading before confirming ------------------------------------------------------------------


def test_what_is_longer_than_the_screen_is_shown_page_by_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Person("\n\n")
    monkeypatch.setattr("sys.stdin", screen)
    monkeypatch.setattr("sys.stderr", Person())
    shown = Person()
    monkeypatch.setattr("sys.stdout", shown)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 12)))
    pages: list[int] = []
    desk = Console(as_json=False, yes=False)
    asked = desk.ask

    def ask(question: str) -> str:
        pages.append(shown.getvalue().count("\n"))
        return asked(question)

    monkeypatch.setattr(desk, "ask", ask)
    desk.review("\n".join(map(str, range(25))))
    assert pages == [10, 20]
    assert shown.getvalue().split() == list(map(str, range(25)))


def test_what_was_typed_ahead_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    forget = termios.tcflush

    def forget_then_answer(fd: int, queue: int) -> None:
        forget(fd, queue)
        os.write(ours, b"n\n")

    monkeypatch.setattr("termios.tcflush", forget_then_answer)
    with os.fdopen(theirs, encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        os.write(ours, b"y\n")
        assert not Console(as_json=False, yes=False).confirm("give it?")
    os.close(ours)
