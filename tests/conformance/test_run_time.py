"""Time in `itpump run`: what it does between two looks of a client, judged by host time."""

import time
from collections.abc import Callable

import pytest
from live_pump import END_S, Emulator

Start = Callable[..., Emulator]

SMALL_US = 20_000
"""What the two status reads themselves may take of host time, on a busy machine."""
DAY_US = 86_400_000_000


def host_us() -> int:
    return time.monotonic_ns() // 1000


@pytest.mark.parametrize("speed", ["1", "1000", "max"])
def test_a_session_is_never_outrun(start: Start, therapy: str, speed: str) -> None:
    emulator = start("--speed", speed, "--therapy", therapy)
    with emulator.client() as client:
        before_us = host_us()
        first = client.status()
        for _ in range(200):
            last = client.status()
        passed_us = host_us() - before_us
    assert first.boot_id == last.boot_id
    assert 0 <= last.uptime_us - first.uptime_us <= passed_us + SMALL_US


def test_max_is_fast_again_after_the_session(start: Start, therapy: str) -> None:
    emulator = start("--speed", "max", "--therapy", therapy)
    with emulator.client() as client:
        before_us = client.status().uptime_us
    deadline_s = time.monotonic() + END_S
    after_us = before_us
    while after_us - before_us < 10 * DAY_US:
        assert time.monotonic() < deadline_s
        with emulator.client() as client:
            after_us = client.status().uptime_us


def test_step_stands_still_until_told_and_then_goes_exactly_there(
    start: Start, therapy: str
) -> None:
    emulator = start("--speed", "step", "--therapy", therapy)
    with emulator.client() as client:
        assert client.status().uptime_us == 0
    emulator.ask("advance", "1d 1h")
    with emulator.client() as client:
        status = client.status()
    assert status.uptime_us == 25 * 3_600_000_000
    assert emulator.ask("status")["truth.delivered_ul"] == 156.25


def test_a_paused_pump_answers(start: Start) -> None:
    emulator = start("--speed", "max")
    emulator.ask("pause")
    with emulator.client() as client:
        first = client.status().uptime_us
        assert client.status().uptime_us == first
    emulator.ask("speed", "1")
    assert emulator.ask("status")["run.speed"] == "1"


def test_the_therapy_begins_at_the_first_instant(start: Start, therapy: str) -> None:
    emulator = start("--speed", "max", "--therapy", therapy, "--for", "30d")
    code, output = emulator.ended()
    assert code == 0
    assert output[0] == "therapy programmed and read back"
    assert output[-1] == (
        "ended after 30 d of pump time: delivered 4.500000 mL, "
        "reservoir physical 35.500000 mL, computed 35.500000 mL"
    )
