"""The report: what the board is, a row for each check, and how many differ.

A row that differs says where to look. The same as one JSON object, for programs.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from tools.hil.checks import TOLERANCES, Check, Tolerances, Verdict
from tools.hil.stage import Played

_WIDTHS: Final = (54, 26, 26, 22)
_HEADS: Final = ("what", "expected", "measured", "tolerance")


class Report:
    """Everything the kit found."""

    def __init__(self) -> None:
        self.identity: dict[str, str] = {}
        self.tolerances = Tolerances()
        self.checks: list[Check] = []
        self.played: list[Played] = []

    def add(self, checks: Iterable[Check]) -> None:
        """Take rows."""
        self.checks += checks

    def count(self, verdict: Verdict) -> int:
        """Return how many checks ended so."""
        return sum(check.verdict is verdict for check in self.checks)

    @property
    def conforms(self) -> bool:
        """True when nothing differs and something was tested."""
        return not self.count(Verdict.DIFFERS) and self.count(Verdict.OK) > 0

    def summary(self) -> str:
        """Return the last line."""
        differ = self.count(Verdict.DIFFERS)
        verdict = "conforms" if self.conforms else f"{differ} of them differ"
        return (
            f"{self.count(Verdict.OK) + differ} checks, {verdict}; "
            f"{self.count(Verdict.NOT_TESTED)} not tested"
        )

    def to_json(self) -> str:
        """Return all of it as one object."""
        found: dict[str, Any] = {
            "board": self.identity,
            "tolerances": {
                "late_us": self.tolerances.late_us,
                "early_us": self.tolerances.early_us,
                "stroke_us": self.tolerances.stroke_us,
            },
            "checks": [check.to_json() for check in self.checks],
            "scenarios": [
                {
                    "name": one.scenario.name,
                    "strokes": one.strokes,
                    "board_us": one.board_us,
                    "tries": one.tries,
                }
                for one in self.played
            ],
            "differ": self.count(Verdict.DIFFERS),
            "not_tested": self.count(Verdict.NOT_TESTED),
            "conforms": self.conforms,
        }
        return json.dumps(found)


def identity_lines(identity: dict[str, str]) -> list[str]:
    """Return what the board is."""
    return [f"{name:14}{value}" for name, value in identity.items()]


def tolerance_lines(tolerances: Tolerances) -> list[str]:
    """Return the table of tolerances, and what they come to on this line."""
    lines = [f"{name:16}{limit:48}{reason}" for name, limit, reason in TOLERANCES]
    late, stroke = tolerances.late_us / 1000, tolerances.stroke_us / 1000
    return [*lines, f"On this line: instant +{late:.1f} ms, stroke +{stroke:.1f} ms."]


def head() -> str:
    """Return the heads of the columns."""
    return _row(_HEADS) + " verdict"


def line(check: Check) -> str:
    """Return one row; what was not tested and what differs say why."""
    if check.verdict is Verdict.NOT_TESTED:
        return f"{check.name:{_WIDTHS[0]}} {check.verdict}: {check.hint}"
    text = _row((check.name, check.expected, check.measured, check.tolerance))
    hint = f"\n    look at: {check.hint}" if check.hint else ""
    return f"{text} {check.verdict}{hint}"


def _row(cells: Sequence[str]) -> str:
    return " ".join(f"{cell:{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))
