"""`itpump simulate`: what it prints, what it writes, and its exit codes."""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import pytest
from golden import ROOT

from tools.cli import main

BASAL = str(ROOT / "examples" / "basal.toml")
GOOD = """\
profile = "rotor-40"
duration = "2h"
[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "simple_continuous"
dose_per_day = "300 ug"
[[expect]]
at = "1h"
that = "truth.delivered_ul"
equals = "6.25"
"""
BAD = GOOD.replace('"6.25"', "7")

Output = pytest.CaptureFixture[str]


@pytest.fixture
def good(tmp_path: Path) -> str:
    (tmp_path / "good.toml").write_text(GOOD)
    return str(tmp_path / "good.toml")


@pytest.fixture
def bad(tmp_path: Path) -> str:
    (tmp_path / "bad.toml").write_text(BAD)
    return str(tmp_path / "bad.toml")


def test_expectations_that_hold_are_a_table_and_exit_0(good: str, capsys: Output) -> None:
    assert main(["simulate", good]) == 0
    out, err = capsys.readouterr()
    head, row, summary = out.splitlines()
    assert head.split() == ["at", "that", "actual", "expected"]
    assert row.split() == ["pass", "1h", "truth.delivered_ul", "6.25", "=", "6.25"]
    assert summary.startswith(f"{good}: 1 of 1 expectations hold; rotor-40, seed 1, 2 h in ")
    assert err == ""


def test_one_that_does_not_hold_says_where_and_by_how_much_and_exits_1(
    bad: str, capsys: Output
) -> None:
    assert main(["simulate", bad]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("FAIL")
    assert lines[2] == f"{bad}:7: truth.delivered_ul is 6.25, not 7 (off by -0.75)"
    assert "0 of 1 expectations hold" in lines[3]


def test_a_scenario_without_expectations_is_no_failure(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "s.toml"
    path.write_text(GOOD[: GOOD.index("[[expect]]")])
    assert main(["simulate", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: 0 of 0 expectations hold")


def test_json_is_one_object(good: str, bad: str, capsys: Output) -> None:
    assert main(["simulate", good, "--json", "--seed", "7"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["scenario"], result["seed"], result["passed"]) == (good, 7, True)
    assert main(["simulate", bad, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["expectations"] == [
        {"at": "1h", "that": "truth.delivered_ul", "actual": "6.25", "passed": False}
    ]


def test_the_trace_file_is_what_was_hashed(good: str, tmp_path: Path, capsys: Output) -> None:
    trace = tmp_path / "t.jsonl"
    assert main(["simulate", good, "--json", "--trace", str(trace)]) == 0
    sha256 = json.loads(capsys.readouterr().out)["trace_sha256"]
    assert hashlib.sha256(trace.read_bytes()).hexdigest() == sha256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.toml"], "none.toml: cannot be read: No such file or directory"),
        ([BASAL, "--seed", "-1"], "--seed: -1 is not within 0..999999999999999999"),
        (
            [BASAL, "--trace", "/none/t.jsonl"],
            "/none/t.jsonl: cannot be written: No such file or directory",
        ),
    ],
)
def test_bad_input_is_one_line_and_exits_2(
    arguments: list[str], message: str, capsys: Output
) -> None:
    assert main(["simulate", *arguments]) == 2
    assert capsys.readouterr().err == f"itpump simulate: {message}\n"


def test_a_mistake_in_the_file_is_one_line_with_its_place(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "s.toml"
    path.write_text(GOOD.replace("300 ug", "0.15 mL"))
    assert main(["simulate", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f'itpump simulate: {path}:6: dose_per_day: "0.15 mL": mL is a volume; '
        'a mass is needed here, e.g. "300 ug"\n'
    )


def test_a_plot_is_a_picture_of_the_same_run(good: str, tmp_path: Path, capsys: Output) -> None:
    """Where matplotlib is not installed, the remedy is said instead."""
    main(["simulate", good, "--json"])
    plain = json.loads(capsys.readouterr().out)
    picture = tmp_path / "p.png"
    code = main(["simulate", good, "--json", "--plot", str(picture)])
    out, err = capsys.readouterr()
    if importlib.util.find_spec("matplotlib") is None:
        assert (code, "pip install" in err) == (2, True)
    else:
        assert code == 0
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert json.loads(out)["trace_sha256"] == plain["trace_sha256"]


def test_a_picture_of_no_known_kind_is_refused_before_the_run(
    good: str, tmp_path: Path, capsys: Output
) -> None:
    assert main(["simulate", good, "--plot", str(tmp_path / "p.foo")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"itpump simulate: --plot {tmp_path / 'p.foo'}: the name ends in one of")


def test_without_matplotlib_a_plot_says_how_to_get_it(
    good: str, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["simulate", good, "--plot", str(tmp_path / "p.png")]) == 2
    assert capsys.readouterr().err == (
        "itpump simulate: --plot needs matplotlib: pip install -e '.[plot]' in the source folder\n"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('low_reservoir_alarm = "41 mL"', "low_reservoir_alarm: 41 mL: rotor-40 holds 40 mL"),
        (
            'low_reservoir_alarm = "40 mL"',
            "low_reservoir_alarm: 40 mL: a full rotor-40 is not low; give less",
        ),
        ('reservoir_fill = "41 mL"', "reservoir_fill: 41 mL: rotor-40 holds 40 mL"),
    ],
)
def test_a_therapy_that_the_pump_cannot_hold_is_an_impossible_value(
    line: str, message: str, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(GOOD.replace("[[expect]]", f"{line}\n[[expect]]"))
    assert main(["simulate", str(path)]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"itpump simulate: {path}:7: {message}\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'window_limit = { volume = "0.1 mL", window = "24 h" }',
            "volume 150 uL is more than the window may hold, 100 uL",
        ),
        (
            'patient_bolus = { dose = "100 mg", lockout = "1 h" }',
            "bolus volume 50 mL is above this pump's largest bolus, 2 mL",
        ),
    ],
)
def test_what_only_the_pumps_own_check_can_tell_is_refused_in_the_pumps_words(
    line: str, message: str, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(GOOD.replace("[[expect]]", f"{line}\n[[expect]]"))
    assert main(["simulate", str(path)]) == 2
    err = capsys.readouterr().err
    assert err == f"itpump simulate: {path}:3: therapy: rotor-40 refuses it: {message}\n"


@pytest.mark.parametrize("rate", ["1 ug", "200 mg"])
def test_a_rate_out_of_the_pumps_range_is_refused_with_the_range(
    rate: str, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(GOOD.replace("300 ug", rate))
    assert main(["simulate", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"itpump simulate: {path}:6: dose_per_day: ")
    assert "rotor-40 gives 0.048 mL/day to 24 mL/day" in err


def test_what_was_refused_is_listed_though_nothing_was_expected(
    tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        GOOD[: GOOD.index("[[expect]]")]
        + '[[step]]\nat = "1h"\ndo = "bolus"\nkind = "single"\ndose = "100 mg"\n'
        + '[[step]]\nat = "90min"\ndo = "patient_bolus"\n'
    )
    assert main(["simulate", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "refused: LIMIT_HARD at 1 h (bolus)",
        "refused: DENIED at 1 h 30 min (patient_bolus)",
    ]


def test_a_full_disk_names_the_trace_file(good: str, capsys: Output) -> None:
    assert main(["simulate", good, "--trace", "/dev/full"]) == 2
    assert capsys.readouterr().err == (
        "itpump simulate: /dev/full: cannot be written: No space left on device\n"
    )
