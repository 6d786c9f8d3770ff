"""Starts real emulators and ends them after the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live_pump import THERAPY, Emulator


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Return a function that starts `itpump run` and ends it after the test."""
    running: list[Emulator] = []

    def begin(*words: str) -> Emulator:
        emulator = Emulator(tmp_path / f"run{len(running)}.log", *words)
        running.append(emulator)
        return emulator

    yield begin
    for emulator in running:
        emulator.kill()


@pytest.fixture
def therapy(tmp_path: Path) -> str:
    """Return a file with 300 ug of baclofen a day: 0.15 mL/day."""
    path = tmp_path / "therapy.toml"
    path.write_text(THERAPY)
    return str(path)
