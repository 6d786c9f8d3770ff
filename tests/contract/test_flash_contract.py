"""Every flash memory: NOR rules, one operation at a time, an end that is always told."""

import pytest
from bench_target import Bench

from hal.errors import HalBusy, HalUsageError
from hal.interrupts import FLASH_DONE, FLASH_FAILED

SUITE = "flash"


def _program(bench: Bench, address: int, data: bytes) -> None:
    bench.board.flash.program(address, data)
    bench.wait(FLASH_DONE)


def _erase(bench: Bench, address: int) -> None:
    bench.board.flash.erase(address)
    bench.wait(FLASH_DONE)


def test_the_memory_is_made_of_whole_sectors_and_pages(bench: Bench) -> None:
    flash = bench.board.flash
    assert flash.size_bytes % flash.sector_bytes == 0
    assert flash.sector_bytes % flash.page_bytes == 0
    assert flash.size_bytes >= 576 * 1024


def test_erased_bytes_read_ff(bench: Bench) -> None:
    flash = bench.board.flash
    _erase(bench, 0)
    assert flash.read(0, flash.sector_bytes) == b"\xff" * flash.sector_bytes


def test_what_is_programmed_is_read_back(bench: Bench) -> None:
    _erase(bench, 0)
    _program(bench, 3, b"abc")
    assert bench.board.flash.read(2, 5) == b"\xffabc\xff"


def test_programming_only_clears_bits(bench: Bench) -> None:
    _erase(bench, 0)
    _program(bench, 0, bytes([0b1111_0000]))
    _program(bench, 0, bytes([0b1010_1010]))
    assert bench.board.flash.read(0, 1) == bytes([0b1010_0000])


def test_erasing_sets_one_sector_and_no_other(bench: Bench) -> None:
    flash = bench.board.flash
    size = flash.sector_bytes
    for sector in range(3):
        _program(bench, sector * size, b"\x00")
        _program(bench, (sector + 1) * size - 1, b"\x00")
    _erase(bench, size)
    assert flash.read(size, size) == b"\xff" * size
    assert flash.read(size - 1, 1) == flash.read(2 * size, 1) == b"\x00"


def test_a_read_may_cross_sectors(bench: Bench) -> None:
    flash = bench.board.flash
    edge = flash.sector_bytes
    _erase(bench, 0)
    _erase(bench, edge)
    _program(bench, edge - 1, b"\x11")
    _program(bench, edge, b"\x22")
    assert flash.read(edge - 1, 2) == b"\x11\x22"


def test_a_whole_page_may_be_programmed_at_the_very_end(bench: Bench) -> None:
    flash = bench.board.flash
    address = flash.size_bytes - flash.page_bytes
    _erase(bench, flash.size_bytes - flash.sector_bytes)
    _program(bench, address, b"\x5a" * flash.page_bytes)
    assert flash.read(address, flash.page_bytes) == b"\x5a" * flash.page_bytes


def test_one_operation_at_a_time(bench: Bench) -> None:
    flash = bench.board.flash
    _erase(bench, 0)
    flash.program(0, b"\x01")
    assert flash.busy
    with pytest.raises(HalBusy):
        flash.program(1, b"\x02")
    with pytest.raises(HalBusy):
        flash.erase(0)
    bench.wait(FLASH_DONE)
    assert not flash.busy
    assert flash.read(0, 2) == b"\x01\xff"


def test_the_end_is_told_once(bench: Bench) -> None:
    _program(bench, 0, b"\x00")
    assert not bench.collect(1_000_000) & (FLASH_DONE | FLASH_FAILED)


def test_the_callers_buffer_is_free_at_once(bench: Bench) -> None:
    _erase(bench, 0)
    data = bytearray(b"abc")
    bench.board.flash.program(0, data)
    data[:] = b"xyz"
    bench.wait(FLASH_DONE)
    assert bench.board.flash.read(0, 3) == b"abc"


@pytest.mark.parametrize("case", ["empty", "page crossed", "below", "above"])
def test_a_program_that_breaks_a_rule_is_refused(bench: Bench, case: str) -> None:
    flash = bench.board.flash
    address, data = {
        "empty": (0, b""),
        "page crossed": (flash.page_bytes - 1, b"ab"),
        "below": (-1, b"a"),
        "above": (flash.size_bytes, b"a"),
    }[case]
    with pytest.raises(HalUsageError):
        flash.program(address, data)
    assert not flash.busy


@pytest.mark.parametrize("case", ["misaligned", "below", "above"])
def test_an_erase_that_breaks_a_rule_is_refused(bench: Bench, case: str) -> None:
    flash = bench.board.flash
    address = {"misaligned": 1, "below": -flash.sector_bytes, "above": flash.size_bytes}[case]
    with pytest.raises(HalUsageError):
        flash.erase(address)
    assert not flash.busy


@pytest.mark.parametrize("span", [(-1, 1), (0, -1), (576 * 1024 - 1, 2)])
def test_a_read_outside_is_refused(bench: Bench, span: tuple[int, int]) -> None:
    address, length = span
    if address > 0:
        address = bench.board.flash.size_bytes - 1
    with pytest.raises(HalUsageError):
        bench.board.flash.read(address, length)


def test_the_content_survives_a_reset(bench: Bench) -> None:
    _erase(bench, 0)
    _program(bench, 0, b"kept")
    bench.warm_reset()
    assert bench.board.flash.read(0, 5) == b"kept\xff"


@pytest.mark.needs("power")
def test_the_content_survives_a_power_cut(bench: Bench) -> None:
    _erase(bench, 0)
    _program(bench, 0, b"kept")
    bench.power_cycle()
    assert bench.board.flash.read(0, 5) == b"kept\xff"
