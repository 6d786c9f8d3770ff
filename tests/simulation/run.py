"""Random lives of a whole pump: `python -m tests.simulation.run --seeds 0-999`.

Each seed is one life: a pump, random deeds of which each seed leaves some kinds out, and an
oracle's check after each. A failure prints what was done and the one command that does it again.
"""

import argparse
import sys
import traceback
from typing import Any

from . import operations, therapies
from .life import Life
from .therapies import TherapyLife

OPS = 60
KINDS = {"pump": (Life, operations.DEEDS), "therapy": (TherapyLife, therapies.DEEDS)}
"""What is lived: one pump with an exact account, or a whole therapy within its bounds."""


def live(seed: int, ops: int = OPS, kind: str = "pump") -> tuple[Any, str | None]:
    """Live one life; return it, and what went wrong in it."""
    begin, deeds = KINDS[kind]
    life: Any = begin(seed)
    weights = [weight * (life.random.random() < 0.75) for weight in deeds.values()]
    try:
        for _ in range(ops):
            life.random.choices([*deeds], [w + 0.01 for w in weights])[0](life)
            life.check()
    except Exception:
        life.note("here")
        return life, traceback.format_exc()
    return life, None


def report(seed: int, ops: int, life: Any, problem: str, kind: str = "pump") -> str:
    """Say what was done, what went wrong, and how to see it again."""
    again = f"python -m tests.simulation.run --kind {kind} --seed {seed} --ops {ops}"
    return "\n".join([*life.deeds, problem, f"again: {again}"])


def main() -> int:
    """Run the seeds that the command line asks for; 1 if one of them fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seed", "--seeds", type=_seeds, default="0-99", help="such as 7 or 0-99")
    parser.add_argument("--ops", type=int, default=OPS, help="deeds in each life")
    parser.add_argument("--kind", choices=KINDS, default="pump", help="what is lived")
    options = parser.parse_args()
    failed = []
    for seed in options.seed:
        life, problem = live(seed, options.ops, options.kind)
        if problem is not None:
            failed.append(seed)
            print(report(seed, options.ops, life, problem, options.kind), flush=True)
    print(f"{len(failed)} of {len(options.seed)} lives failed: {failed}")
    return int(bool(failed))


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main())
