"""What `itpump run` prints, when, and what a reader that does not read may do to it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.run.console import DAY_US, Console
from tools.run.report import line, summary

TABLE: dict[str, Any] = {
    "run.now_us": 0,
    "run.speed": "60",
    "run.session": False,
    "truth.reservoir_ul": 39_850,
    "truth.delivered_ul": 150,
    "pump.wall": "2027-01-05T09:00:00",
    "pump.mode": "basal",
    "pump.rate_ul_h": 6.25,
    "pump.computed_ul": 39_850,
    "pump.battery_mv": 3650,
    "pump.alarms": ["LOW_RESERVOIR"],
}


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_the_status_line_says_what_matters() -> None:
    assert line(TABLE) == (
        "2027-01-05 09:00:00  60x  basal  6.250 uL/h  computed 39.850000 physical 39.850000 mL  "
        "delivered 0.150000 mL  3650 mV  alarms LOW_RESERVOIR"
    )


def test_without_power_the_line_tells_the_truth_only() -> None:
    dark = {key: value for key, value in TABLE.items() if not key.startswith("pump.")}
    assert "no power" in line(dark)
    assert "computed unknown" in summary(dark, DAY_US)


def test_a_pipe_gets_a_line_for_each_day_and_no_more(pipe: tuple[int, int]) -> None:
    console = Console(pipe[1], as_json=False)
    console.status(TABLE)
    for now_us in (1, 2, DAY_US, DAY_US + 1, 5 * DAY_US):
        console.status({**TABLE, "run.now_us": now_us})
    assert os.read(pipe[0], 65536).count(b"\n") == 3


def test_json_is_one_object_a_line(pipe: tuple[int, int]) -> None:
    console = Console(pipe[1], as_json=True)
    console.ready(port="/dev/pts/1", bench="/tmp/bench.sock", seed=7)
    console.note("therapy programmed and read back")
    console.status(TABLE)
    console.summary(TABLE, DAY_US)
    ready, note, status, end = map(json.loads, os.read(pipe[0], 65536).splitlines())
    assert ready == {"port": "/dev/pts/1", "bench": "/tmp/bench.sock", "seed": 7}
    assert note == {"event": "therapy programmed and read back"}
    assert status["pump.mode"] == "basal"
    assert end["elapsed_us"] == DAY_US


def test_a_full_pipe_is_skipped_and_never_waited_for(pipe: tuple[int, int]) -> None:
    console = Console(pipe[1], as_json=False)
    for day in range(10_000):  # a thousand times what a pipe holds would block a plain print
        console.status({**TABLE, "run.now_us": day * DAY_US})
    assert len(os.read(pipe[0], 1 << 20)) <= 1 << 16


def test_a_reader_that_has_gone_is_forgotten() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    console = Console(write_end, as_json=False)
    console.ready(port="p", bench="b", seed=1)
    console.summary(TABLE, DAY_US)
    os.close(write_end)


def test_a_terminal_gets_one_line_in_place(tmp_path: Path) -> None:
    host, terminal = os.openpty()
    try:
        console = Console(terminal, as_json=False)
        console.status(TABLE)
        console.status(TABLE)
        shown = os.read(host, 65536)
        while shown.count(b"\r") < 2:
            shown += os.read(host, 65536)
    finally:
        os.close(host)
        os.close(terminal)
    assert shown.count(b"\r") == 2
    assert b"\n" not in shown
