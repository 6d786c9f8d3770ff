"""Runs each contract suite on every target that has it.

A suite is a module with `SUITE = "<interface>"`; its tests take the fixture `bench`.
"""

import pytest
from bench_target import SUITES, TARGETS, Bench


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `bench` one value for each target of the module's suite."""
    if "bench" in metafunc.fixturenames:
        suite = metafunc.module.SUITE
        assert suite in SUITES, f"{metafunc.module.__name__}: no suite {suite}"
        targets = [name for name, (_, suites) in TARGETS.items() if suite in suites]
        metafunc.parametrize("bench", targets, indirect=True)


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    """A board of the target, freshly powered on."""
    make, _ = TARGETS[request.param]
    return make()
