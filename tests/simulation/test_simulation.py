"""A fixed set of random lives. `python -m tests.simulation.run` lives as many as asked for."""

import pytest

from .run import OPS, live, report


@pytest.mark.requirement("R-021")
@pytest.mark.requirement("R-067")
@pytest.mark.requirement("R-070")
@pytest.mark.requirement("R-211")
@pytest.mark.parametrize("seed", range(40))
def test_a_random_life_keeps_every_invariant(seed: int) -> None:
    life, problem = live(seed)
    assert problem is None, report(seed, OPS, life, problem)
