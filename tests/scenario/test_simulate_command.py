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
