"""Every entropy source: bytes that differ each time."""

import pytest
from bench_target import Bench

from hal.errors import HalUsageError

SUITE = "entropy"


@pytest.mark.parametrize("length", [1, 16, 64])
def test_a_read_gives_the_length_asked(bench: Bench, length: int) -> None:
    assert len(bench.board.entropy.read(length)) == length


def test_no_two_reads_are_alike(bench: Bench) -> None:
    assert len({bench.board.entropy.read(16) for _ in range(100)}) == 100


def test_every_bit_takes_both_values(bench: Bench) -> None:
    ones, zeros = bytearray(16), bytearray(16)
    for _ in range(64):
        for place, byte in enumerate(bench.board.entropy.read(16)):
            ones[place] |= byte
            zeros[place] |= byte ^ 0xFF
    assert ones == zeros == b"\xff" * 16


@pytest.mark.parametrize("length", [-1, 0, 65])
def test_another_length_is_refused(bench: Bench, length: int) -> None:
    with pytest.raises(HalUsageError):
        bench.board.entropy.read(length)
