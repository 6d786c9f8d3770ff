"""`itpump docs`: write the pages that are made from tables, or check them."""

import argparse
import sys
from pathlib import Path
from typing import Final

from tools.docs import stale, write_all

EXIT_STALE: Final = 1
EXIT_BAD_INPUT: Final = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `itpump docs`."""
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if one differs")
    parser.add_argument(
        "--root", type=Path, default=Path(), metavar="DIR", help="the repository (default: here)"
    )


def main(args: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    root: Path = args.root
    if not (root / "docs").is_dir():
        print(f"{root}: no docs folder here; give the repository with --root", file=sys.stderr)
        return EXIT_BAD_INPUT
    if args.check:
        for path in (differing := stale(root)):
            print(f"{path}: not what the code says; run `itpump docs`", file=sys.stderr)
        return EXIT_STALE if differing else 0
    for path in write_all(root):
        print(f"wrote {path}")
    return 0
