"""The golden trace hashes of `examples/`: the same on every machine and Python version.

A change of behaviour changes them, and then has to be meant. To take the new ones over, run

    python -m tests.scenario.golden

in the source folder, and look at the difference before it is committed.
"""

import json
from pathlib import Path
from typing import Final

from tools.scenario import model, runner
from tools.scenario.result import Result

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLES: Final = sorted((ROOT / "examples").glob("*.toml"))
HASHES: Final = ROOT / "tests" / "vectors" / "trace_hashes.json"


def result(example: Path, seed: int | None = None) -> Result:
    """Run an example."""
    return runner.run(model.load(str(example)), seed)


def golden() -> dict[str, str]:
    """Return the recorded hashes, by file name."""
    recorded: dict[str, str] = json.loads(HASHES.read_text())
    return recorded


def main() -> None:
    """Record the hashes of today."""
    hashes = {example.name: result(example).trace_sha256 for example in EXAMPLES}
    HASHES.write_text(json.dumps(hashes, indent=2) + "\n")
    print(f"{len(hashes)} hashes written to {HASHES.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
