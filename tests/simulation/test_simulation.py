"""A fixed set of random lives. `python -m tests.simulation.run` lives as many as asked for."""

import pytest

from .run import OPS, live, report


@pytest.mark.requirement("R-021")
@pytest.mark.requirement("R-067")
@pytest.mark.requirement("R-070")
@pytest.mark.requirement("R-211")
@pytest.mark.parametrize(
    ("kind", "seed"),
    [*(("pump", seed) for seed in range(40)), *(("therapy", seed) for seed in range(15))],
)
def test_a_random_life_keeps_every_invariant(kind: str, seed: int) -> None:
    life, problem = live(seed, kind=kind)
    assert problem is None, report(seed, OPS, life, problem, kind)
