"""What several modules about the programmer share: a real controller on a line, and its command."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
from emulated_line import EmulatedLine

from tools.programmer import command


@pytest.fixture
def line() -> EmulatedLine:
    """A controller that a programmer can reach."""
    return EmulatedLine()


@pytest.fixture
def run(line: EmulatedLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Run `itpump programmer` on that line; return its exit code."""
    monkeypatch.setattr(command, "SerialTransport", lambda port, baud: line)

    def run(*words: str) -> int:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        state = str(tmp_path / "state")
        return command.main(parser.parse_args(["--port", "test", "--state-dir", state, *words]))

    return run
