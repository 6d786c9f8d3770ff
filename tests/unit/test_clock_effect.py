"""What a new wall clock does to the dose: said exactly, and what the pump then gives."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
from desk import Desk
from emulated_line import DAY_US, START_WALL_S, EmulatedLine
from scripted_pump import DEVICE

from protocol.codes import ProgramKind, RateBasis, RatePer
from protocol.messages import FlexStep, PrescriptionInfo, Rate, Therapy
from tools import therapy_file
from tools.programmer import clock_effect
from tools.programmer.clock_effect import Prescribed

HOUR_S = 3600
DAYS = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "500 ug/mL" }]
mode = "flex"
days = [
    { on = "mon", steps = [
        { from = "00:00", rate = "5 ug/h" }, { from = "08:00", rate = "10 ug/h" },
    ] },
    { on = "tue-sun", steps = [
        { from = "06:00", rate = "15 ug/h" }, { from = "20:00", rate = "8 ug/h" },
    ] },
]
reservoir_fill = "40 mL"
"""
CHANGE = """\
[therapy.scheduled_change]
at = 2027-01-04T20:00:00
therapy = { mode = "simple_continuous", dose_per_day = "360 ug" }
"""
PLAIN = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "500 ug/mL" }]
mode = "simple_continuous"
dose_per_day = "300 ug"
reservoir_fill = "40 mL"
"""


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk(monkeypatch, tmp_path, capsys)


def prescribed(tmp_path: Path, scheduled: bool) -> Prescribed:
    path = tmp_path / "t.toml"
    path.write_text(DAYS)
    therapy = therapy_file.load(str(path)).therapy
    if not scheduled:
        return Prescribed(therapy, None, DEVICE)
    path.write_text(CHANGE)
    (later,) = therapy_file.load_table(str(path)).programs(therapy)
    return Prescribed(therapy, PrescriptionInfo(2, 0, later.therapy, later.at_wall_s), DEVICE)


@pytest.mark.parametrize(
    ("shift_h", "scheduled"), [(1, False), (-8, False), (24, False), (-1, True), (12, True)]
)
def test_the_next_24_h_are_what_the_pump_then_gives(
    desk: Desk, tmp_path: Path, shift_h: int, scheduled: bool
) -> None:
    given = []
    for shift in (0, shift_h):
        desk.line = EmulatedLine()
        desk.program(DAYS)
        if scheduled:
            desk.program(CHANGE)
        if shift:
            assert desk.run("clock", f"--by={shift}h", "--yes") == 0
        desk.line.pass_time(DAY_US)
        given.append(desk.line.delivered_ul)
    effect = clock_effect.of(
        prescribed(tmp_path, scheduled), START_WALL_S, START_WALL_S + shift_h * HOUR_S
    )
    assert effect is not None
    said = [effect.unchanged_pl / 10**6, effect.changed_pl / 10**6]
    assert all(abs(truth - volume) < 1 for truth, volume in zip(given, said, strict=True))
    if not scheduled:
        assert said[0] != said[1], "the case shows something"


def test_the_hours_are_named_with_their_dose_and_the_difference(tmp_path: Path) -> None:
    plan = prescribed(tmp_path, scheduled=False)
    forward = clock_effect.of(plan, START_WALL_S, START_WALL_S + HOUR_S)
    back = clock_effect.of(plan, START_WALL_S, START_WALL_S - 2 * HOUR_S)
    assert forward is not None
    assert back is not None
    assert clock_effect.sentence(forward, plan.therapy) == (
        "2027-01-04 09:00 to 10:00 by the schedule, 10 ug, is skipped; "
        "the next 24 h give baclofen 260 ug, in place of 255 ug, 5 ug more"
    )
    assert clock_effect.sentence(back, plan.therapy) == (
        "2027-01-04 07:00 to 09:00 by the schedule, 15 ug, is given a second time; "
        "the next 24 h give baclofen 240 ug, in place of 255 ug, 15 ug less"
    )


def test_a_wrong_year_skips_a_year(tmp_path: Path) -> None:
    plan = prescribed(tmp_path, scheduled=False)
    year_s = 52 * 7 * 86_400
    effect = clock_effect.of(plan, START_WALL_S, START_WALL_S + year_s)
    assert effect is not None
    week_ug = 8 * 5 + 16 * 10 + 6 * 10 + 6 * 14 * 15 + 5 * 10 * 8 + 4 * 8
    assert effect.hours_pl * 500 / 10**9 == Fraction(52 * week_ug)
    assert effect.changed_pl == effect.unchanged_pl


def test_a_schedule_that_does_not_begin_at_midnight_goes_on_from_sunday() -> None:
    rate = Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0)
    steps = (FlexStep(127, 480, 9_000_000), FlexStep(127, 1200, 3_000_000))
    base = Therapy((), ProgramKind.FLEX, rate, 0, 0, 0, 0, 0, 0, 0, steps)  # type: ignore[arg-type]
    monday_s = START_WALL_S - 9 * HOUR_S
    volume_pl = Prescribed(base, None, DEVICE).volume_pl(monday_s, monday_s + 9 * HOUR_S)
    assert volume_pl == 8 * 3_000_000 + 9_000_000


def test_review_and_report_both_say_it(desk: Desk) -> None:
    desk.program(DAYS)
    assert desk.run("clock", "--by=1h", typed="y\n") == 1, "it wants a whole yes"
    assert "no dose is skipped" not in desk.out
    said = "is skipped; the next 24 h give baclofen 260 ug, in place of 255 ug, 5 ug more"
    assert said in " ".join(desk.out.split())
    assert desk.run("clock", "--by=1h", "--yes") == 0
    assert desk.run("report", "--json") == 0
    (effect,) = desk.values()["clock_effects"]
    assert effect.endswith(said)
    assert desk.run("report") == 0
    assert said in " ".join(desk.out.split())


def test_a_constant_rate_has_no_hours_to_skip(desk: Desk) -> None:
    desk.program(PLAIN)
    assert desk.run("clock", "--by=8h", typed="y\n") == 0
    assert "no dose is skipped or repeated" in desk.out
    assert desk.run("report", "--json") == 0
    assert desk.values()["clock_effects"] == ["no dose is skipped or repeated"]


def test_a_clock_before_a_later_program_is_told_by_what_ran_then(desk: Desk) -> None:
    desk.program(DAYS)
    assert desk.run("clock", "--by=1h", "--yes") == 0
    desk.program(PLAIN.replace('reservoir_fill = "40 mL"\n', ""), "--override")
    assert desk.run("report", "--json") == 0
    (effect,) = desk.values()["clock_effects"]
    assert "5 ug more" in effect


def test_a_scheduled_change_that_is_leapt_over_comes_at_once(desk: Desk) -> None:
    desk.program(DAYS)
    desk.program(CHANGE)
    assert desk.run("clock", "--to", "2027-01-04T21:00:00", typed="n\n") == 1
    out = " ".join(desk.out.split())
    assert "the change scheduled for 2027-01-04 20:00 by the clock comes at once" in out
    assert "the next 24 h give baclofen 360 ug" in out


@pytest.mark.parametrize(("shift", "warned"), [("26h", False), ("27h", True), ("-27h", True)])
def test_only_more_than_a_journey_looks_mistyped(desk: Desk, shift: str, warned: bool) -> None:
    desk.program(PLAIN)
    desk.line.pass_time(2 * DAY_US)
    assert desk.run("clock", f"--by={shift}", "--yes") == 0
    assert bool(re.search("! CLOCK_JUMP: 1 d 3 h, more than any journey", desk.out)) is warned
