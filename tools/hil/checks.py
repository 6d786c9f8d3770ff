"""One row of the report: what was expected, what was measured, and how far apart they may be.

Every tolerance of the kit is in `Tolerances`, made from what was measured on the line.
"""

import enum
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from protocol.board_messages import REPORT_INTERVAL_US


class Verdict(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    DIFFERS = "DIFFERS"
    NOT_TESTED = "not tested"


@dataclass(frozen=True, slots=True)
class Check:
    """One row."""

    name: str
    """Part and check, such as "basal: first stroke"."""
    expected: str
    measured: str
    tolerance: str
    verdict: Verdict
    hint: str
    """What to look at on the board when it differs; why it was not tested."""

    def to_json(self) -> dict[str, Any]:
        """Return the row as an object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far from its instant anything may be, on one line. See `TOLERANCES` for what they are."""

    rtt_us: int = 0
    """99th percentile of the round trips measured."""
    margin_us: int = 0
    """For the agent's own loop and the host's scheduling; 0 where time is virtual."""
    report_us: int = REPORT_INTERVAL_US
    """Longest from one report to the next; 0 for a board without a line."""
    bad_line: str = ""
    """What is wrong with the line itself; whatever else differs may come of it."""

    @property
    def early_us(self) -> int:
        """No event may be seen earlier than this before its instant.

        When the board's clock was read is known to half a round trip.
        """
        return EARLY_US + self.rtt_us // 2 if self.margin_us else 0

    @property
    def late_us(self) -> int:
        """No event may be seen later than this after its instant."""
        return self.rtt_us + self.margin_us

    @property
    def stroke_us(self) -> int:
        """A stroke amid a batch is told by the next report only."""
        return self.late_us + self.report_us


MARGIN_US: Final = 25_000
"""On a line in real time: half the time between two reports."""
EARLY_US: Final = 1_000
"""Two crystals, 500 ppm apart, over the longest batch of 2 s."""
RTT_MAX_US: Final = 50_000
"""Median round trip: a report and a tick take 10 ms at 115,200 baud; more than half the shortest
stroke of the scenarios, and no batch could follow another in time."""
DRIFT_MAX_PPM: Final = 500
"""Board's clock against the host's: five times what two crystals may differ."""
REPORTS_MIN_PER_S: Final = 15.0
"""Of 20: every REPORT_INTERVAL_US, and each a little late."""
DAMAGED_MAX: Final = 0.01
"""Share of frames that may be damaged; each costs a repetition of 60 ms."""
BATTERY_MV: Final = (1_000, 20_000)
"""What a battery that drives a motor may have."""
BATTERY_SPREAD: Final = 0.05
"""Between the least and the most of the rest voltage, motor idle: more is noise of the ADC."""

TOLERANCES: Final[Sequence[tuple[str, str, str]]] = (
    (
        "instant",
        f"-({EARLY_US / 1000:g} ms + RTT p99 / 2) .. +(RTT p99 + {MARGIN_US / 1000:g} ms)",
        "when anything timed is seen; the margin is for the agent's loop and the host's scheduler",
    ),
    (
        "stroke",
        f"instant, + {REPORT_INTERVAL_US / 1000:g} ms",
        "a stroke amid a batch is told by the next report",
    ),
    ("strokes", "0", "delivered is exact, on every board"),
    ("round trip", f"median <= {RTT_MAX_US / 1000:g} ms", "half the shortest stroke interval"),
    (
        "drift",
        f"<= {DRIFT_MAX_PPM} ppm",
        "the board's clock against the host's; more by what the RTT varies",
    ),
    ("reports", f">= {REPORTS_MIN_PER_S:g} a second", "of 20"),
    ("damaged frames", f"<= {DAMAGED_MAX:.0%}", "each costs a repetition"),
    (
        "battery",
        f"{BATTERY_MV[0]} .. {BATTERY_MV[1]} mV, +-{BATTERY_SPREAD / 2:.1%}",
        "at rest; loaded no more than that",
    ),
)
"""Name, limit, reason: every tolerance there is."""


class Judge:
    """Collects the rows of one part of the kit."""

    def __init__(self, part: str, tolerances: Tolerances, hint: str = "") -> None:
        """`hint` stands in the rows that differ and bring none of their own."""
        self._part = part
        self._hint = hint
        self.tolerances = tolerances
        self.checks: list[Check] = []
        self._late = 0

    @property
    def only_late(self) -> bool:
        """True when all that differs came too late: a busy host can do that."""
        differ = sum(check.verdict is Verdict.DIFFERS for check in self.checks)
        return self._late > 0 and self._late == differ

    def equal(self, what: str, expected: object, measured: object, hint: str = "") -> None:
        """Expect exactly this."""
        self._add(what, _text(expected), _text(measured), "0", expected == measured, hint)

    def at_most(self, what: str, limit: float, measured: float, unit: str, hint: str = "") -> None:
        """Expect no more than this."""
        self._add(what, f"<= {limit:g} {unit}", f"{measured:g} {unit}", "", measured <= limit, hint)

    def at_least(self, what: str, limit: float, measured: float, unit: str, hint: str = "") -> None:
        """Expect no less than this."""
        self._add(what, f">= {limit:g} {unit}", f"{measured:g} {unit}", "", measured >= limit, hint)

    def within(self, what: str, low: int, high: int, measured: int, unit: str, hint: str) -> None:
        """Expect a value of this range."""
        good = low <= measured <= high
        self._add(what, f"{low}..{high} {unit}", f"{measured} {unit}", "", good, hint)

    def instant(
        self, what: str, expected_us: int, seen_us: tuple[int, int], late_us: int | None = None
    ) -> None:
        """Expect an event at an instant; it was seen to be after the first and by the second."""
        late_us = self.tolerances.late_us if late_us is None else late_us
        early_us = self.tolerances.early_us
        after_us, by_us = seen_us
        self._late += after_us > expected_us + late_us
        self._add(
            what,
            _ms(expected_us),
            _ms(by_us),
            self._span(late_us),
            expected_us - early_us <= by_us and after_us <= expected_us + late_us,
            "",
        )

    def as_named(self, what: str, late_us: int | None) -> None:
        """Say that what the check's name says is so; `late_us` where it was at an instant."""
        if late_us is None:
            self._add(what, "as named", "as named", "", True, "")
        else:
            self._add(what, "in time", _off(late_us), self._span(), True, "")

    def off(self, what: str, off_us: int) -> None:
        """Say how far from its instant something was."""
        self._add(what, "in time", _off(off_us), self._span(), False, "")

    def failed(self, what: str, expected: str, measured: str, hint: str = "") -> None:
        """Say what did not happen at all."""
        self._add(what, expected, measured, "", False, hint)

    def not_tested(self, what: str, why: str) -> None:
        """Say why something was left out."""
        self.checks.append(Check(self._name(what), "", "", "", Verdict.NOT_TESTED, why))

    def _add(
        self, what: str, expected: str, measured: str, tolerance: str, good: bool, hint: str
    ) -> None:
        verdict = Verdict.OK if good else Verdict.DIFFERS
        hints = (self.tolerances.bad_line, hint or self._hint)
        shown = "" if good else "; then ".join(filter(None, hints))
        self.checks.append(Check(self._name(what), expected, measured, tolerance, verdict, shown))

    def _span(self, late_us: int | None = None) -> str:
        late_us = self.tolerances.late_us if late_us is None else late_us
        return f"-{self.tolerances.early_us / 1000:.1f} .. +{late_us / 1000:.1f} ms"

    def _name(self, what: str) -> str:
        return f"{self._part}: {what}" if what else self._part


def _off(us: int) -> str:
    return f"{us / 1000:.1f} ms late" if us >= 0 else f"{-us / 1000:.1f} ms early"


def _ms(us: int) -> str:
    return f"{us / 1000:.1f} ms"


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
