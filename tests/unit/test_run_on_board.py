"""`itpump run --board` and `itpump board`: what is asked for is checked, and what is shown."""

import os

import pytest

from tools import cli
from tools.run.on_board import line

TABLE = {
    "run.now_us": 5_000_000,
    "line.rtt_us": 2004,
    "line.repeated": 0,
    "line.damaged": 0,
    "pump.wall": "2027-01-05T09:00:00",
    "pump.mode": "basal",
    "pump.rate_ul_h": 6.25,
    "pump.computed_ul": 39_850,
    "pump.battery_mv": 3650,
    "pump.alarms": ["BOARD_LINK_LOST"],
}


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Run a command that is to fail; return its code and its one line."""
    code = cli.main(list(words))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return code, said.err.strip()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--therapy", "file"),
        ("--speed", "1"),
        ("--state", "folder"),
        ("--fill", "10 mL"),
        ("--link", "path"),
        ("--port", "pty"),
        ("--seed", "0"),
    ],
)
def test_what_is_for_the_emulator_is_refused(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    code, said = failed(capsys, "run", "--board", "/dev/null", option, value)
    assert code == 2
    assert said == f"itpump run: {option} is for the emulated pump; it makes no sense with --board"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "--baud", "9600"), 2, "--baud is for the line of --board"),
        (("run", "--board", "/dev/null", "--baud", "0"), 2, "--baud 0: give bits per second"),
        (("run", "--board", "/dev/null"), 4, "port /dev/null: not a serial port"),
        (("run", "--board", "bogus://x"), 2, "port bogus://x: "),
        (("run", "--board", "/dev/null", "--for", "soon"), 2, '"soon"'),
        (("board", "--profile", "none"), 2, "none"),
        (("board", "--fill", "41 mL"), 2, "--fill 41 mL: rotor-40 holds 40 mL"),
        (("board", "--seed", "-1"), 2, "--seed: -1 is not within"),
        (("board", "--port", "com1"), 2, "port 'com1'"),
        (("board", "--telemetry", "com1"), 2, "port 'com1'"),
        (("board", "--telemetry", "tcp://127.0.0.1:0", "--telemetry-link", "x"), 2, "--link"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    got, line = failed(capsys, *words)
    assert got == code
    assert line.startswith(f"itpump {words[0]}: ")
    assert said in line


def test_a_port_that_failed_leaves_no_link_of_the_other(
    capsys: pytest.CaptureFixture[str], tmp_path: "os.PathLike[str]"
) -> None:
    link = os.path.join(tmp_path, "line")
    failed(capsys, "board", "--link", link, "--telemetry", "com1")
    assert not os.path.lexists(link)


def test_the_status_line_says_what_the_pump_says() -> None:
    assert line(TABLE) == (
        "2027-01-05 09:00:00  basal  6.250 uL/h  computed 39.850000 mL  3650 mV  "
        "line 2004 us  alarms BOARD_LINK_LOST"
    )


def test_a_board_ends_after_its_time(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["board", "--for", "50ms", "--seed", "1"]) == 0
    fields = dict(part.split("=", 1) for part in capfd.readouterr().out.split())
    assert list(fields) == ["port", "telemetry", "bench", "seed"]
    assert fields["seed"] == "1"
    for name in ("port", "telemetry", "bench"):
        assert not os.path.exists(fields[name])
