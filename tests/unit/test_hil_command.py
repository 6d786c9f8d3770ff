"""`itpump hil` before it has a board: what is listed, what is refused, what is asked."""

import io
from pathlib import Path

import pytest

from emulator.profile import Profile
from tools import cli
from tools.hil import contract
from tools.hil.checks import TOLERANCES
from tools.hil.command import PROFILE
from tools.hil.scenarios import SCENARIOS

MISSING = "/dev/itpump-no-such-port"


def test_the_list_names_every_check_and_tolerance(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hil", "--list"]) == 0
    text = capsys.readouterr().out
    for suite in contract.HINTS:
        assert f"\n{suite}: " in text
    for scenario in SCENARIOS:
        assert f"\n{scenario.name}: {scenario.what}" in text
    for name, limit, _ in TOLERANCES:
        assert f"tolerance {name}: {limit}" in text


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "--port is missing"),
        (["--port", MISSING], "not confirmed: give --yes"),
        (["--port", MISSING, "--yes", "--only", "nonsense"], "no check begins so"),
        (["--port", MISSING, "--yes", "--profile", "nonsense"], "no profile nonsense"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    complaint: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    assert cli.main(["hil", *words]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("itpump hil: ")
    assert complaint in last


def test_without_a_board_the_exit_code_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hil", "--port", MISSING, "--yes", "--only", "basal"]) == 4
    assert MISSING in capsys.readouterr().err


def test_the_warning_comes_before_anything_is_touched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert cli.main(["hil", "--port", MISSING]) == 2
    assert "erases the board's flash" in capsys.readouterr().err


def test_suites_that_are_not_there_are_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "FOLDER", Path("/no/such/folder"))
    with pytest.raises(contract.NoSuites, match="runs from a source tree"):
        contract.names()


def test_the_kits_pump_is_a_valid_profile() -> None:
    device = Profile.load(PROFILE).device
    assert device.model == "conformance"
    assert device.flow_max_pl_h * 20_000 == device.stroke_pl * 3_600_000_000  # a stroke in 20 ms
