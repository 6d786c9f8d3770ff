"""A drug that is not in the table: never programmed by a reflex, and named while it is there."""

from pathlib import Path

import pytest
from desk import THERAPY, Desk

from protocol.codes import Mode

UNKNOWN = THERAPY.replace("baclofen", "baclofin")


@pytest.mark.requirement("R-245")
@pytest.mark.requirement("R-251")
def test_a_drug_that_is_not_in_the_table_is_told_and_needs_a_whole_yes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(monkeypatch, tmp_path, capsys)
    words = ("program", desk.file(UNKNOWN))
    assert desk.run(*words, typed="y\n") == 1
    assert "! DRUG_UNKNOWN: baclofin is not in the drug table" in desk.out
    assert desk.line.pump.firmware.status().mode is Mode.STOPPED
    assert desk.run(*words, typed="yes\n") == 0
    assert desk.line.pump.firmware.status().mode is Mode.BASAL
    assert desk.run("status", "--json") == 0
    assert desk.values()["warnings"] == ["DRUG_UNKNOWN"]
    desk.program(THERAPY)
    assert desk.run("status", "--json") == 0
    assert desk.values()["warnings"] == []
