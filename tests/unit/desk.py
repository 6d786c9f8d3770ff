"""A clinician's desk: the commands of programmer and patient against the real controller.

What is typed at the prompts is given beforehand; every prompt is counted.
"""

import argparse
import functools
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from emulated_line import EmulatedLine

from tools.patient import command as patient_command
from tools.programmer import command, console

THERAPY = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "500 ug/mL" }]
mode = "simple_continuous"
dose_per_day = "300 ug"
reservoir_fill = "40 mL"
catheter = { length = "81.5 cm", volume = "0.0022 mL/cm" }
"""


@functools.cache
def _parser(module: Any) -> argparse.ArgumentParser:
    """Return the command's parser; made once, since making it takes longer than most commands."""
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser


class Person(io.StringIO):
    """Somebody at the keyboard."""

    def isatty(self) -> bool:
        return True


class Desk:
    """Commands, and what they say."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        profile: str = "rotor-40",
    ) -> None:
        self.line = EmulatedLine(profile)
        self.prompts: list[str] = []
        self.out = self.err = ""
        self._monkeypatch = monkeypatch
        self._folder = folder
        self._capsys = capsys
        monkeypatch.setattr(os, "fsync", lambda fd: None)  # test_tool_journal is about that
        monkeypatch.setattr(command, "SerialTransport", lambda port, baud: self.line)
        monkeypatch.setattr(patient_command, "SerialTransport", lambda port, baud: self.line)
        asked = console.Console.ask

        def ask(desk: console.Console, question: str) -> str:
            self.prompts.append(question)
            return asked(desk, question)

        monkeypatch.setattr(console.Console, "ask", ask)

    def file(self, text: str) -> str:
        """Write a therapy file; return its path."""
        path = self._folder / "therapy.toml"
        path.write_text(text)
        return str(path)

    def program(self, text: str = THERAPY, *words: str) -> None:
        assert self.run("program", self.file(text), "--yes", *words) == 0, self.err

    def run(self, *words: str, typed: str | None = None) -> int:
        """Run `itpump programmer`; `typed` is what the person types."""
        return self._run(command, words, typed)

    def patient(self, *words: str) -> int:
        """Run `itpump patient`."""
        return self._run(patient_command, words, None)

    def values(self) -> dict[str, Any]:
        """Return the object of `--json`."""
        values = json.loads(self.out)
        assert isinstance(values, dict)
        return values

    def _run(self, module: Any, words: tuple[str, ...], typed: str | None) -> int:
        if typed is not None:
            self._monkeypatch.setattr("sys.stdin", Person(typed))
        self.prompts = []
        parser = _parser(module)
        base = ["--port", "test", "--state-dir", str(self._folder / "state")]
        code: int = module.main(parser.parse_args([*base, *words]))
        self.out, self.err = self._capsys.readouterr()
        return code
