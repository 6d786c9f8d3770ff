"""`itpump simulate`: runs a scenario file and says which expectations hold.

Exit code 0: all hold; 1: one does not; 2: the file or an argument cannot be used.
"""

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tools.scenario.model import Scenario
    from tools.scenario.result import Outcome, Result

PASSED: Final = 0
FAILED: Final = 1
BAD_INPUT: Final = 2
ACTUAL_COLUMNS: Final = 36
"""Widest value in the table; a log has more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `itpump simulate`."""
    parser.add_argument("file", metavar="FILE", help="scenario file (TOML)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--seed", type=int, metavar="N", help="in place of the file's seed")
    parser.add_argument("--trace", metavar="F.jsonl", help="write every event to this file")
    parser.add_argument("--plot", metavar="F.png", help="draw the run into this file")


def main(args: argparse.Namespace) -> int:
    """Run the scenario; return the exit code."""
    from tools.scenario import model
    from tools.toml_file import FileError

    try:
        scenario = model.load(args.file)
        if args.seed is not None and not 0 <= args.seed <= model.SEED_MAX:
            raise FileError(f"--seed: {args.seed} is not within 0..{model.SEED_MAX}")
        result = _simulated(scenario, args)
    except FileError as error:
        print(f"itpump simulate: {error}", file=sys.stderr)
        return BAD_INPUT
    print(json.dumps(result.to_json(), ensure_ascii=False) if args.json else report(result))
    return PASSED if result.passed else FAILED


def _simulated(scenario: "Scenario", args: argparse.Namespace) -> "Result":
    """Run, and write what was asked for. Raises FileError."""
    from tools.scenario.runner import run
    from tools.toml_file import FileError

    try:
        with ExitStack() as stack:
            sink = None
            if args.trace is not None:
                sink = stack.enter_context(Path(args.trace).open("w", encoding="utf-8"))
            if args.plot is None:
                return run(scenario, args.seed, sink)
            from tools.scenario.plot import Plot

            plot = Plot(scenario, args.plot)
            result = run(scenario, args.seed, sink, plot.sample, plot.every_us)
            plot.save(result)
            return result
    except OSError as error:
        name = error.filename or args.trace  # a write that fails names no file
        raise FileError(f"{name}: cannot be written: {error.strerror}") from None


def report(result: "Result") -> str:
    """Return the result as a table for people."""
    from tools.scenario.expect import value_text

    rows = [
        (
            "FAIL" if outcome.problems else "pass",
            outcome.expectation.at,
            outcome.expectation.measure.name,
            _short(value_text(outcome.actual)),
            outcome.expectation.wanted_text(),
        )
        for outcome in result.outcomes
    ]
    head = ("", "at", "that", "actual", "expected")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
        for row in ((head, *rows) if rows else ())
    ]
    failures = _failures(result.outcomes)
    return "\n".join([*lines, *failures, *_refusals(result), _summary(result)])


def _short(text: str) -> str:
    """Keep the newest of a long list; `--json` has it whole."""
    return text if len(text) <= ACTUAL_COLUMNS else "..." + text[3 - ACTUAL_COLUMNS :]


def _failures(outcomes: "tuple[Outcome, ...]") -> list[str]:
    """Return where each failed expectation stands, and why it failed."""
    return [
        f"{outcome.expectation.place}: {outcome.expectation.measure.name} {problem}"
        for outcome in outcomes
        for problem in outcome.problems
    ]


def _refusals(result: "Result") -> list[str]:
    """Return what was refused or not answered, expected or not."""
    from tools.programmer.format import duration

    return [
        f"refused: {refusal.code} at {duration(refusal.at_us)} ({refusal.act})"
        for refusal in result.refusals
    ]


def _summary(result: "Result") -> str:
    from tools.programmer.format import duration

    held = sum(not outcome.problems for outcome in result.outcomes)
    return (
        f"{result.scenario}: {held} of {len(result.outcomes)} expectations hold; "
        f"{result.profile}, seed {result.seed}, {duration(result.simulated_us)} in "
        f"{result.wall_s:.2f} s; trace {result.trace_sha256[:16]}"
    )
