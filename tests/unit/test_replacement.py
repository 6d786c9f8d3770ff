"""A pump replaced by another: export, put out of service, import; judged by what both then do."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from emulated_line import DAY_US, START_WALL_S, EmulatedLine, TornLine

from protocol.codes import Code, Mode, ProgramKind

FILL_20_PL = 20 * 10**9
DAY_S = 86_400
FLEX = """\
[therapy]
drugs = [
  { name = "baclofen", concentration = "2000 ug/mL" },
  { name = "clonidine", concentration = "50 ug/mL" },
]
mode = "flex"
days = [
  { on = "mon-fri", steps = [
    { from = "06:00", rate = "10 ug/h" }, { from = "18:00", rate = "20.5 ug/h" } ] },
  { on = "sat,sun", steps = [{ from = "00:00", rate = "12 ug/h" }] },
]
reservoir_fill = "40 mL"
low_reservoir_alarm = "3 mL"
stability = "90d"
catheter = { length = "81.5 cm", volume = "0.0022 mL/cm" }
patient_bolus = { dose = "20 ug", over = "5 min", lockout = "120 min", max_per_24h = 4 }
window_limit = { volume = "400 uL", window = "24 h" }
bolus_basal = "pause"
"""
CHANGE = """\
[therapy.scheduled_change]
at = 2027-01-08T08:00:00
therapy = { mode = "simple_continuous", dose_per_day = "330 ug" }
"""


def other_pump(profile: str = "rotor-20", start_wall_s: int = START_WALL_S) -> EmulatedLine:
    return EmulatedLine(profile, FILL_20_PL, seed=2, start_wall_s=start_wall_s)


def torn_line(frames: int, heard: bool) -> TornLine:
    """A new rotor-20 whose link drops at one of the tool's frames."""
    return TornLine(frames, heard, "rotor-20", FILL_20_PL, seed=2)


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk(monkeypatch, tmp_path, capsys)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pump.json"


def exported(desk: Desk, file: Path, therapy: str = FLEX) -> dict[str, Any]:
    """Program the pump on the desk and export it; return the file."""
    desk.program(therapy, "--override")
    assert desk.run("export", str(file)) == 0, desk.err
    found = json.loads(file.read_text())
    assert isinstance(found, dict)
    return found


# --- the whole of it ----------------------------------------------------------------------------


def test_a_replacement_gives_the_same_dose_and_the_old_pump_falls_silent(
    desk: Desk, file: Path
) -> None:
    desk.program(FLEX)
    old = desk.line
    old.pass_time(DAY_US)
    a_day_ul = old.delivered_ul
    assert desk.patient("bolus") == 0
    old.pass_time(DAY_US)
    assert desk.run("export", str(file)) == 0
    given_ul = old.delivered_ul
    residual = f"{old.pump.firmware.status().computed_nl} nL"
    assert desk.run("refill", "--empty", typed=f"y\n{residual}\nyes\n") == 0, desk.err
    assert desk.prompts[0].startswith("stop it now, to empty it?")
    assert len(desk.prompts) == 3

    new = desk.line = other_pump()
    new.pass_time(2 * DAY_US)
    assert desk.run("import", str(file), typed="20mL\ny\n") == 0, desk.err
    assert desk.prompts[0].startswith("volume of baclofen 2000 ug/mL + clonidine 50 ug/mL that")
    rows = [" ".join(row.split()) for row in desk.out.splitlines()]
    for row in (
        "* serial E00000001 E00000002",
        "* model rotor-40 rotor-20",
        "* reservoir 40 mL 20 mL",
        "stroke, calibrated 0.25 uL 0.25 uL",
        "achievable baclofen 336.5 ug/day 336.5 ug/day",
        "* from 18:00 mon-fri - 20.5 ug/h",
        "* patient bolus - 20 ug over 5 min, lockout 2 h",
        "* reservoir filled to - 20 mL",
    ):
        assert row in rows
    assert max(map(len, desk.out.splitlines())) <= 100
    status = new.pump.firmware.status()
    assert (status.fill_nl, status.lockout_s) == (20_000_000, 7200)
    new.pass_time(DAY_US)
    # 2 d later than the day that was measured: Wednesday as Monday, at 183 uL a day
    assert abs(new.delivered_ul - a_day_ul) <= 1
    assert a_day_ul == Fraction(12 * 10 + 12 * Fraction(41, 2), 2)
    assert desk.patient("bolus") == 0
    old.pass_time(3 * DAY_US)
    assert old.delivered_ul == given_ul


def test_export_import_export_is_the_same_prescription(desk: Desk, file: Path) -> None:
    before = exported(desk, file, FLEX + CHANGE)
    desk.line = other_pump()
    assert desk.run("import", str(file), "--fill", "20 mL", "--override", "--yes") == 0, desk.err
    assert desk.run("export", "-", "--json") == 0
    after = desk.values()
    for section in ("prescription", "pending"):
        assert after[section]["therapy"] == before[section]["therapy"]
    assert after["pending"]["pending_wall_s"] == before["pending"]["pending_wall_s"]
    assert after["readable"]["therapy"] == before["readable"]["therapy"]
    assert after["device"]["serial"] == "E00000002"
    desk.line.pass_time(5 * DAY_US)
    assert desk.run("status", "--json") == 0
    assert desk.values()["pump.dose_per_day_ug.baclofen"] == 330


def test_a_pump_of_another_mechanism_shows_what_its_larger_stroke_achieves(
    desk: Desk, file: Path
) -> None:
    exported(desk, file)
    new = desk.line = other_pump("valve-20")
    assert desk.run("import", str(file), "--fill", "20mL", typed="y\n") == 0, desk.err
    rows = [" ".join(row.split()) for row in desk.out.splitlines()]
    assert "* model rotor-40 valve-20" in rows
    assert "* stroke, calibrated 0.25 uL 2 uL" in rows
    assert "* achievable baclofen 336.5 ug/day 336 ug/day" in rows
    new.pass_time(DAY_US)
    assert 180 <= new.delivered_ul <= 184


def test_the_table_in_the_file_is_one_that_program_takes(desk: Desk, file: Path) -> None:
    table = "\n".join(exported(desk, file)["readable"]["therapy"])
    desk.line = other_pump()
    desk.program(table)
    therapy = desk.line.pump.firmware.prescription().therapy
    desk.line = EmulatedLine()
    desk.program(FLEX)
    assert desk.line.pump.firmware.prescription().therapy == therapy


# --- the link drops -----------------------------------------------------------------------------


@pytest.mark.requirement("R-228")
@pytest.mark.parametrize("heard", [True, False])
def test_an_import_torn_at_any_frame_leaves_the_pump_as_it_was_or_programmed(
    desk: Desk, file: Path, heard: bool
) -> None:
    exported(desk, file)
    wanted = desk.line.pump.firmware.prescription().therapy
    codes, programmed = [], 0
    while not codes or codes[-1] in (4, 5):
        line = desk.line = torn_line(len(codes), heard)
        codes.append(desk.run("import", str(file), "--fill", "20mL", "--yes"))
        line.plug_in()
        status = line.pump.firmware.status()
        if status.generation:
            assert line.pump.firmware.prescription().therapy == wanted
            assert (status.fill_nl, status.mode) == (20_000_000, Mode.BASAL)
            programmed += 1
        else:
            assert (status.mode, status.program) == (Mode.STOPPED, ProgramKind.STOPPED)
        if codes[-1] == 5:
            assert "run status" in desk.err
            assert desk.run("import", str(file), "--fill", "20mL", "--yes") == 0, desk.err
            assert line.pump.firmware.prescription().therapy == wanted
    assert codes[-1] == 0
    assert len(codes) > 8, "every step was torn"
    assert 1 <= programmed < len(codes)


@pytest.mark.parametrize("heard", [True, False])
def test_an_export_torn_at_any_frame_leaves_no_file(desk: Desk, file: Path, heard: bool) -> None:
    code, frames = 4, 0
    while code == 4:
        assert not file.exists()
        desk.line = torn_line(frames, heard)
        code = desk.run("export", str(file))
        frames += 1
    assert code == 0
    assert [path.name for path in file.parent.iterdir() if path.is_file()] == ["pump.json"]


def test_a_link_that_drops_between_program_and_scheduled_change_says_what_is_done(
    desk: Desk, file: Path
) -> None:
    exported(desk, file, FLEX + CHANGE)
    for frames in range(8, 20):
        line = desk.line = torn_line(frames, heard=False)
        code = desk.run("import", str(file), "--fill", "20mL", "--override", "--yes")
        line.plug_in()
        status = line.pump.firmware.status()
        if code == 4 and status.generation:
            break
    else:
        pytest.fail("no frame lies between the two")
    assert not status.pending_wall_s
    assert "before that the pump has done this: program: done" in desk.err


# --- the file and this pump ---------------------------------------------------------------------


def test_an_edited_file_is_refused_before_the_pump_is_asked(desk: Desk, file: Path) -> None:
    exported(desk, file)
    file.write_text(file.read_text().replace('"amount": 20000000,', '"amount": 200000000,'))
    desk.line = other_pump()
    before = desk.line.pump.firmware.status().log_next
    assert desk.run("import", str(file), "--fill", "20mL", "--yes") == 2
    assert "prescription: changed or damaged since it was written" in desk.err
    assert desk.err.count("\n") == 1
    assert desk.line.pump.firmware.status().log_next == before


@pytest.mark.parametrize(
    ("therapy", "fill", "said"),
    [
        (FLEX, "40mL", "reservoir_fill: 40 mL: rotor-20 holds 20 mL"),
        (FLEX, "0mL", "fill the pump first"),
        (FLEX.replace("3 mL", "25 mL"), "20mL", "low_reservoir_alarm: 25 mL: rotor-20 holds 20 mL"),
    ],
)
def test_what_does_not_fit_this_pump_changes_nothing(
    desk: Desk, file: Path, therapy: str, fill: str, said: str
) -> None:
    exported(desk, file, therapy)
    desk.line = other_pump()
    assert desk.run("import", str(file), "--fill", fill, "--yes") == 2
    assert said in desk.err
    assert desk.line.pump.firmware.status().generation == 0


def test_soft_limits_are_judged_against_what_this_pump_holds(desk: Desk, file: Path) -> None:
    exported(desk, file)
    desk.line = other_pump()
    desk.program('[therapy]\ndrugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]\n'
                 'mode = "simple_continuous"\ndose_per_day = "100 ug"\n')  # fmt: skip
    words = ("import", str(file), "--fill", "20mL")
    assert desk.run(*words, "--yes") == 3
    assert "LIMIT_SOFT" in desk.err
    assert desk.line.pump.firmware.status().generation == 1
    assert desk.run(*words, "--override", typed="override\n") == 0
    assert "! DOSE_CHANGE" in desk.out
    assert Code.LIMIT_OVERRIDDEN in [r.code for r in desk.line.pump.firmware.log_records(0, 14)]


def test_a_reservoir_is_never_taken_from_the_file(desk: Desk, file: Path) -> None:
    exported(desk, file)
    desk.line = other_pump()
    assert desk.run("import", str(file), "--yes") == 2
    assert "never told of a fill: give its volume, e.g. --fill 20mL" in desk.err
    assert desk.run("import", str(file), typed="\n") == 2, "Enter is no volume"
    assert desk.run("refill", "18mL", "--yes") == 0
    desk.line.pass_time(1000)
    assert desk.run("import", str(file), typed="\ny\n") == 0, desk.err
    assert "(Enter: 18 mL, as it was told)" in desk.prompts[0]
    assert desk.line.pump.firmware.status().fill_nl == 18_000_000


def test_a_stale_file_a_clock_behind_and_the_same_pump_need_a_whole_yes(
    desk: Desk, file: Path
) -> None:
    exported(desk, file)
    words = ("import", str(file), "--fill", "20mL")
    assert desk.run(*words, typed="y\n") == 1
    assert "! SAME_PUMP: " in desk.out
    desk.line = other_pump(start_wall_s=START_WALL_S + 2 * DAY_S)
    assert desk.run(*words, typed="y\n") == 1
    assert "! EXPORT_OLD: the file was read 2 d before this pump's clock" in desk.out
    desk.line = other_pump(start_wall_s=START_WALL_S - 3 * 3600)
    assert desk.run(*words, "--yes", "--json") == 0
    assert desk.values()["warnings"] == ["CLOCK_BEHIND"]
    assert desk.values()["from"]["serial"] == "E00000001"


def test_a_scheduled_change_whose_date_has_passed_is_left_out_and_said(
    desk: Desk, file: Path
) -> None:
    exported(desk, file, FLEX + CHANGE)
    desk.line = other_pump(start_wall_s=START_WALL_S + 4 * DAY_S)
    assert desk.run("import", str(file), "--fill", "20mL", typed="yes\n") == 0
    assert "! CHANGE_PASSED: the change scheduled for 2027-01-08 08:00 is not imported" in desk.out
    assert desk.line.pump.firmware.status().pending_wall_s == 0


def test_a_file_without_a_prescription_is_no_therapy(desk: Desk, file: Path) -> None:
    assert desk.run("export", str(file)) == 0
    assert desk.run("import", str(file), "--fill", "20mL", "--yes") == 2
    assert "had no prescription" in desk.err


def test_a_file_that_is_there_is_never_lost_silently(desk: Desk, file: Path) -> None:
    file.write_text("somebody's")
    assert desk.run("export", str(file)) == 2
    assert "is there already; --force replaces it" in desk.err
    assert file.read_text() == "somebody's"
    assert desk.run("export", str(file), "--force", "--json") == 0
    assert desk.values()["sha256"] == json.loads(file.read_text())["sha256"]["file"]
    assert file.stat().st_mode & 0o077 == 0
    assert desk.run("export", str(file / "inside")) == 2
    assert "cannot be written" in desk.err


def test_a_whole_log_is_exported(desk: Desk, file: Path) -> None:
    desk.program(FLEX)
    for _ in range(20):
        assert desk.run("status") == 0
    assert desk.run("export", str(file)) == 0
    found = json.loads(file.read_text())
    assert [row["seq"] for row in found["log"]] == list(range(23))
