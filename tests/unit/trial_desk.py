"""A desk with a trial pump: `trial` typed at it, and what then leaves the pump."""

from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from emulated_line import DAY_US, EmulatedLine

HOUR_US = DAY_US // 24
FULL_PL = 100 * 10**9
PLAN = """\
[trial]
start_dose = "200 ug"
step = "100 ug"
every = "24 h"
oral_morphine = "120 mg"
[trial.stop]
dose = "500 ug"
after = "7 d"
score = 2
[therapy]
drugs = [{ name = "morphine", concentration = "1 mg/mL" }]
reservoir_fill = "100 mL"
"""


class Trial(Desk):
    """A desk with a trial pump, at which `trial` is run."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        super().__init__(monkeypatch, folder, capsys)
        self.line = EmulatedLine("trial-external", FULL_PL)
        self.folder = folder

    def plan(self, text: str = PLAN) -> str:
        path = self.folder / "plan.toml"
        path.write_text(text)
        return str(path)

    def ok(self, *words: str) -> str:
        assert self.run("trial", *words) == 0, self.err
        return self.out

    def no(self, code: int, *words: str) -> str:
        """Run what is refused: one line, and the pump is left as it was."""
        before = self.generation
        assert self.run("trial", *words) == code
        assert self.err.count("\n") == 1
        assert self.generation == before
        return self.err

    def begin(self, baseline: int = 8, text: str = PLAN) -> None:
        self.ok("score", str(baseline))
        self.ok("start", self.plan(text), "--yes")

    def state(self) -> dict[str, Any]:
        self.ok("status", "--json")
        found = self.values()["trial"]
        assert isinstance(found, dict)
        return found

    def day_ul(self, hours: int = 24) -> int:
        """Return what leaves the pump in a time."""
        before = self.line.delivered_ul
        self.line.pass_time(hours * HOUR_US)
        return self.line.delivered_ul - before

    @property
    def generation(self) -> int:
        return self.line.pump.firmware.status().generation

    @property
    def record(self) -> Path:
        return self.folder / "state" / "trial-E00000001.json"
