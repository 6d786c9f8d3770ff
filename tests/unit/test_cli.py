"""The console script: sub-commands load when chosen, and it ends cleanly however it ends."""

import argparse
import json
import os
import subprocess
import sys
import types

import pytest

from tools import cli


def script(*words: str, after: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the script in a process of its own, then `after` in it."""
    code = f"from tools.cli import main\nimport sys\ncode = main({list(words)!r})\n{after}"
    return subprocess.run(
        [sys.executable, "-c", f"{code}\nsys.exit(code)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A command that is there in place of `perf`."""
    module = types.ModuleType("tools.fake")
    module.add_arguments = lambda parser: parser.add_argument("--n", type=int)
    module.main = lambda args: args.n
    monkeypatch.setitem(sys.modules, "tools.fake", module)
    monkeypatch.setitem(cli.COMMANDS, "perf", cli.Command("tools.fake", "fake"))
    return module


def test_the_chosen_command_gets_its_arguments_and_its_exit_code_counts(
    fake: types.ModuleType,
) -> None:
    assert cli.main(["perf", "--n", "5"]) == 5


def test_ctrl_c_ends_it_quietly(fake: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    fake.main = interrupted
    assert cli.main(["perf"]) == 130
    assert capsys.readouterr().err == ""


def test_no_command_shows_help_and_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "programmer" in capsys.readouterr().out


def test_an_unknown_command_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["infuse"])
    assert ended.value.code == 2


def test_version_names_everything_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    out = capsys.readouterr().out
    for name in ("itpump", "Python", "pyserial", "transitions", "crcmod"):
        assert name in out
    assert "(C extension)" in out or "(plain Python)" in out


def test_help_loads_no_command() -> None:
    loaded = "print([m for m in ('serial', 'transitions', 'crcmod', 'json') if m in sys.modules])"
    done = script(after=loaded)
    assert done.stdout.endswith("[]\n")


def test_the_programmer_loads_neither_controller_nor_emulator() -> None:
    loaded = (
        "print(sorted(m for m in sys.modules"
        " if m in ('firmware.controller', 'emulator', 'transitions')))"
    )
    done = script("programmer", "--port", "/nowhere", "status", after=loaded)
    assert done.returncode == 4
    assert done.stderr == "itpump: port /nowhere does not exist\n"
    assert done.stdout == "[]\n"


def test_a_full_disk_is_one_line_and_an_exit_code_of_its_own() -> None:
    code = "import sys; from tools.cli import main; sys.exit(main(['--version']))"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
        )  # fmt: skip
    assert done.returncode == cli.EXIT_OUTPUT
    assert done.stderr == "itpump: the output cannot be written: No space left on device\n"


def test_a_reader_that_stops_reading_is_no_traceback() -> None:
    code = "import sys; from tools.cli import main; sys.exit(main(['--version']))"
    done = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert done.stdout is not None
    done.stdout.close()
    _, err = done.communicate(timeout=60)
    assert err == ""
    assert done.returncode == cli.EXIT_PIPE


@pytest.mark.parametrize(
    ("closed", "words", "code", "err"),
    [
        (">&-", "--version", 0, ""),
        ("<&-", "programmer --port /nowhere bolus 20ug", 2, "itpump: nobody is there to confirm"),
        ("2>&-", "programmer --port /nowhere --json status", 4, ""),
    ],
)
def test_a_stream_that_the_caller_has_closed_is_no_traceback(
    closed: str, words: str, code: int, err: str
) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -c "import sys; from tools.cli import main; sys.exit(main())" '
        f"{words} {closed}",
        shell=True, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert done.stderr.startswith(err)
    assert done.stderr.count("\n") == bool(err)
    assert not done.stdout or json.loads(done.stdout)["exit_code"] == code
