"""Runs each contract suite on every target that has it.

A suite is a module with `SUITE = "<interface>"`; its tests take the fixture `bench`. The
conformance kit (`tools.hil.contract`) runs them on a board of its own, the only target then.
"""

from typing import Any

import pytest
from bench_target import SUITES, TARGETS, Bench
from port_target import PortBench

KIT = "itpump_hil"
"""Name of the kit's plugin: the target and its tolerances."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(hand): what a bench must be able to do; names of tools.hil.target.Hand"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `bench` one value for each target of the module's suite."""
    if "bench" in metafunc.fixturenames:
        suite = metafunc.module.SUITE
        assert suite in SUITES, f"{metafunc.module.__name__}: no suite {suite}"
        targets = [name for name, (_, suites) in TARGETS.items() if suite in suites]
        kit = metafunc.config.pluginmanager.get_plugin(KIT)
        metafunc.parametrize("bench", ["port"] if kit else targets, indirect=True)


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    """A board of the target, freshly powered on; the kit's freshly attached."""
    kit: Any = request.config.pluginmanager.get_plugin(KIT)
    if kit:
        return PortBench(kit.target, kit.tolerances)
    make, _ = TARGETS[request.param]
    return make()
