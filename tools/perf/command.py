"""`itpump perf`: a table of the performance budgets, and how this machine keeps them now.

A measurement, not a test: it says what it found and ends with 0.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable
from typing import Any, Final

from tools.perf import busy, kernel, memory, pump, start, telemetry
from tools.perf.figures import FULL, QUICK, Effort, Measured, Row, Samples, Unavailable, Verdict

ROWS: Final = (
    Row("event kernel, bare event", "us", kernel.against_simpy, must=1.0, by_ratio=True),
    Row("event kernel, bare event", "us", kernel.against_heapq, aim=1.5, by_ratio=True),
    Row("whole pump", "years/s", pump.speed, must=1.0, aim=4.0, more_is_better=True),
    Row("whole pump, busy", "years/s", busy.speed, must=0.2, aim=1.0, more_is_better=True),
    Row("request-reply, PTY, clear", "us", telemetry.request_reply, 2.5, 1.6, by_ratio=True),
    Row("request-reply, secured"),
    Row("p99 beside busy pumps"),
    Row("log transfer, 512 kB"),
    Row("log transfer, noisy line"),
    Row("itpump --help", "s", start.help_text, must=0.30, aim=0.15),
    Row("itpump run, ready", "s", start.ready, must=0.8, aim=0.4),
    Row("100 pumps at 1x"),
    Row("memory per idle pump", "kiB", memory.idle_pump, must=256, aim=64),
    Row("growth with days, exponent", "", pump.growth, must=1.05),
    Row("growth: pumps, log, alarms"),
    Row("memory over 7 years", "kiB", memory.life, must=5 * 1024, aim=1024),
    Row("peers, same work"),
)
"""The budgets, in their order."""

_WIDTHS: Final = (26, 17, 17, 6, 8, 8, 11)
_HEADS: Final = ("what", "measured", "reference", "ratio", "must", "aim", "verdict")

Found = tuple[Row, Measured | None, Verdict, str]
"""A row, its figures, how it stands, and why there is no figure."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `itpump perf`."""
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON")
    parser.add_argument("--quick", action="store_true", help="measure less, in a few seconds")


def main(args: argparse.Namespace) -> int:
    """Measure every row and print the table."""
    found = measure(QUICK if args.quick else FULL)
    print(json.dumps(to_json(found), indent=2) if args.json else table(found))
    return 0


def measure(effort: Effort) -> list[Found]:
    """Measure all that is built."""
    return measure_rows(ROWS, effort)


def measure_rows(rows: Iterable[Row], effort: Effort) -> list[Found]:
    """Measure these rows; one that cannot be measured here does not stop the next."""
    return [_measure(row, effort) for row in rows]


def to_json(found: list[Found]) -> dict[str, Any]:
    """Return everything: all samples, not their medians only."""
    return {"machine": _machine(), "rows": [_row_json(*one) for one in found]}


def table(found: list[Found]) -> str:
    """Return the table for people, at most 100 columns wide."""
    lines = [_line(_HEADS), _line(tuple("-" * width for width in _WIDTHS))]
    lines += [_line(_cells(*one)) for one in found]
    lines += ["", "Medians; ± is half the range. Ratio: measured to reference, taken in turns."]
    lines += [f"{row.name}: {note}" for row, _, _, note in found if note]
    machine = _machine()
    lines.append(
        f"Python {machine['python']} on {machine['system']}, {machine['cpus']} CPUs, "
        f"load {machine['load']}"
    )
    return "\n".join(lines)


def _measure(row: Row, effort: Effort) -> Found:
    if row.measure is None:
        return row, None, Verdict.NOT_BUILT, ""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{row.name} ...", end="\r", file=sys.stderr, flush=True)
    try:
        measured = row.measure(effort)
    except Unavailable as reason:
        return row, None, Verdict.NOT_MEASURED, str(reason)
    finally:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return row, measured, row.verdict(measured), ""


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


# --- text ---------------------------------------------------------------------------------------


def _line(cells: tuple[str, ...]) -> str:
    return " ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _cells(row: Row, measured: Measured | None, verdict: Verdict, note: str) -> tuple[str, ...]:
    limits = (_limit(row, row.must), _limit(row, row.aim))
    if measured is None:
        return row.name, "", "", "", *limits, verdict
    value = f"{_number(measured.value.median)} {row.unit}".rstrip()
    ratio, reference = measured.ratio, ""
    if measured.reference is not None:
        reference = f"{measured.reference_name} {_number(measured.reference.median)}"
    return (
        row.name,
        f"{value} ±{measured.value.spread:.0%}",
        reference,
        "" if ratio is None else f"{_number(ratio)}x",
        *limits,
        verdict,
    )


def _limit(row: Row, limit: float | None) -> str:
    if limit is None:
        return ""
    return f"{'>=' if row.more_is_better else '<='} {_number(limit)}{'x' if row.by_ratio else ''}"


def _number(value: float) -> str:
    """Return three digits, and never an exponent."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


# --- JSON ---------------------------------------------------------------------------------------


def _row_json(row: Row, measured: Measured | None, verdict: Verdict, note: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": row.name,
        "unit": row.unit,
        "judged_by": "ratio" if row.by_ratio else "value",
        "better": "more" if row.more_is_better else "less",
        "must": row.must,
        "aim": row.aim,
        "verdict": verdict,
        "measured": None,
        "reference": None,
        "ratio": None,
    }
    if note:
        found["note"] = note
    if measured is not None:
        found["measured"] = _samples_json(measured.value)
        found["ratio"] = measured.ratio
        if measured.reference is not None:
            name = {"name": measured.reference_name}
            found["reference"] = name | _samples_json(measured.reference)
    return found


def _samples_json(samples: Samples) -> dict[str, Any]:
    return {"median": samples.median, "spread": samples.spread, "samples": samples.values}
