"""Every telemetry link: bytes in order, both ways, through queues that have an end."""

import pytest
from bench_target import Bench

from hal.interrupts import TELEMETRY_RX, TELEMETRY_TX

SUITE = "telemetry"
PAUSE_US = 100_000
"""In which a few bytes are through."""
WITHIN_US = 5_000_000


def _received(bench: Bench, count: int) -> bytes:
    """Return what the board reads until there are so many bytes, or for too long."""
    data = b""
    deadline_us = bench.board.clock.now_us() + WITHIN_US
    while len(data) < count and bench.board.clock.now_us() < deadline_us:
        if bench.board.wait_for_interrupt(deadline_us) & TELEMETRY_RX:
            data += bench.board.telemetry.read(count)
    return data


def _sent(bench: Bench, count: int) -> bytes:
    """Return what comes out until there are so many bytes, or for too long."""
    data = b""
    deadline_us = bench.board.clock.now_us() + WITHIN_US
    while len(data) < count and bench.board.clock.now_us() < deadline_us:
        bench.collect(PAUSE_US)
        data += bench.host_read()
    return data


def test_nothing_is_read_where_nothing_came(bench: Bench) -> None:
    assert bench.board.telemetry.read(100) == b""


@pytest.mark.needs("radio")
def test_received_bytes_are_told_and_read_in_order(bench: Bench) -> None:
    bench.host_write(b"abc")
    bench.host_write(b"def")
    assert _received(bench, 6) == b"abcdef"


@pytest.mark.needs("radio")
def test_a_read_takes_no_more_than_asked(bench: Bench) -> None:
    bench.host_write(b"abcdef")
    bench.collect(PAUSE_US)
    telemetry = bench.board.telemetry
    assert [telemetry.read(4), telemetry.read(4), telemetry.read(4)] == [b"abcd", b"ef", b""]


@pytest.mark.needs("radio")
def test_bytes_left_unread_are_not_told_again(bench: Bench) -> None:
    bench.host_write(b"abc")
    bench.wait(TELEMETRY_RX)
    bench.collect(PAUSE_US)
    assert not bench.collect(1_000_000) & TELEMETRY_RX


@pytest.mark.needs("radio")
def test_sent_bytes_come_out_in_order(bench: Bench) -> None:
    telemetry = bench.board.telemetry
    assert telemetry.write(b"abc") == 3
    assert telemetry.write(b"def") == 3
    assert _sent(bench, 6) == b"abcdef"


@pytest.mark.needs("radio")
def test_every_byte_value_passes_both_ways(bench: Bench) -> None:
    every = bytes(range(256))
    bench.host_write(every)
    assert _received(bench, 256) == every
    assert bench.board.telemetry.write(every) == 256
    assert _sent(bench, 256) == every


@pytest.mark.needs("radio")
def test_a_full_queue_takes_a_part_and_tells_when_it_has_room(bench: Bench) -> None:
    telemetry = bench.board.telemetry
    taken, data = 0, b"0123456789abcdef" * 64
    while (part := telemetry.write(data)) == len(data):
        taken += part
        assert taken < 1 << 20, "the queue has no end"
    taken += part
    assert telemetry.write(data) == 0
    received = bench.host_read()
    bench.wait(TELEMETRY_TX)
    assert telemetry.write(b"!") == 1
    received += _sent(bench, taken + 1 - len(received))
    assert len(received) == taken + 1
    assert received.endswith(b"!")


@pytest.mark.needs("radio")
def test_room_is_not_told_when_nothing_was_refused(bench: Bench) -> None:
    bench.board.telemetry.write(b"abc")
    bench.collect(PAUSE_US)
    bench.host_read()
    assert not bench.collect(1_000_000) & TELEMETRY_TX


@pytest.mark.needs("near_field")
def test_the_near_field_is_seen(bench: Bench) -> None:
    bench.near_field(False)
    bench.collect(PAUSE_US)
    assert not bench.board.telemetry.field_present
    bench.near_field(True)
    bench.collect(PAUSE_US)
    assert bench.board.telemetry.field_present


@pytest.mark.needs("radio")
def test_a_reset_empties_both_queues(bench: Bench) -> None:
    bench.host_write(b"abc")
    bench.wait(TELEMETRY_RX)
    bench.board.telemetry.write(b"def")
    bench.warm_reset()
    assert bench.board.telemetry.read(100) == b""
    bench.collect(PAUSE_US)
    assert bench.host_read() == b""
