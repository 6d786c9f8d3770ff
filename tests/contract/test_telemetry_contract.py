"""Every telemetry link: bytes in order, both ways, through queues that have an end."""

from bench_target import Bench

from hal.interrupts import TELEMETRY_RX, TELEMETRY_TX

SUITE = "telemetry"


def test_nothing_is_read_where_nothing_came(bench: Bench) -> None:
    assert bench.board.telemetry.read(100) == b""


def test_received_bytes_are_told_and_read_in_order(bench: Bench) -> None:
    bench.host_write(b"abc")
    bench.host_write(b"def")
    bench.wait(TELEMETRY_RX)
    assert bench.board.telemetry.read(100) == b"abcdef"


def test_a_read_takes_no_more_than_asked(bench: Bench) -> None:
    bench.host_write(b"abcdef")
    bench.wait(TELEMETRY_RX)
    telemetry = bench.board.telemetry
    assert [telemetry.read(4), telemetry.read(4), telemetry.read(4)] == [b"abcd", b"ef", b""]


def test_bytes_left_unread_are_not_told_again(bench: Bench) -> None:
    bench.host_write(b"abc")
    bench.wait(TELEMETRY_RX)
    assert not bench.collect(1_000_000) & TELEMETRY_RX


def test_sent_bytes_come_out_in_order(bench: Bench) -> None:
    telemetry = bench.board.telemetry
    assert telemetry.write(b"abc") == 3
    assert telemetry.write(b"def") == 3
    bench.collect(100_000)
    assert bench.host_read() == b"abcdef"


def test_every_byte_value_passes_both_ways(bench: Bench) -> None:
    every = bytes(range(256))
    bench.host_write(every)
    bench.wait(TELEMETRY_RX)
    assert bench.board.telemetry.read(256) == every
    assert bench.board.telemetry.write(every) == 256
    bench.collect(100_000)
    assert bench.host_read() == every


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
    bench.collect(100_000)
    received += bench.host_read()
    assert len(received) == taken + 1
    assert received.endswith(b"!")


def test_room_is_not_told_when_nothing_was_refused(bench: Bench) -> None:
    bench.board.telemetry.write(b"abc")
    bench.collect(100_000)
    bench.host_read()
    assert not bench.collect(1_000_000) & TELEMETRY_TX


def test_the_near_field_is_seen(bench: Bench) -> None:
    bench.near_field(False)
    bench.collect(100_000)
    assert not bench.board.telemetry.field_present
    bench.near_field(True)
    bench.collect(100_000)
    assert bench.board.telemetry.field_present


def test_a_reset_empties_both_queues(bench: Bench) -> None:
    bench.host_write(b"abc")
    bench.board.telemetry.write(b"def")
    bench.warm_reset()
    assert bench.board.telemetry.read(100) == b""
    assert bench.host_read() == b""
