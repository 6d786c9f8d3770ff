"""What the flash keeps of itself: wear, saved states, and what a loss of power leaves."""

import json

import pytest
from rig import Rig

from emulator.devices.flash import PAGE_BYTES, SECTOR_BYTES, SIZE_BYTES
from hal.errors import HalBusy
from hal.interfaces import ResetCause
from hal.interrupts import FLASH_DONE


def _program(rig: Rig, address: int, data: bytes) -> None:
    rig.board.flash.program(address, data)
    assert rig.run(0) & FLASH_DONE


def test_an_operation_takes_no_simulated_time_but_ends_later() -> None:
    rig = Rig()
    rig.board.flash.program(0, b"a")
    assert rig.board.flash.read(0, 1) == b"\xff"
    assert rig.board.wait_for_interrupt(1_000) == FLASH_DONE
    assert rig.world.now_us == 0
    assert rig.board.flash.read(0, 1) == b"a"


def test_each_erase_wears_its_sector() -> None:
    rig = Rig()
    for sector in (3, 3, 5):
        rig.board.flash.erase(sector * SECTOR_BYTES)
        rig.run(0)
    _program(rig, 0, b"a")
    assert rig.board.flash.erases == {3: 2, 5: 1}


def test_the_content_equals_a_plain_model_after_many_operations() -> None:
    rig = Rig()
    stream, model = rig.world.stream("test"), bytearray(b"\xff" * SIZE_BYTES)
    for _ in range(500):
        if stream.getrandbits(3) == 0:
            sector = stream.getrandbits(2) * SECTOR_BYTES
            rig.board.flash.erase(sector)
            model[sector : sector + SECTOR_BYTES] = b"\xff" * SECTOR_BYTES
        else:
            offset, length = stream.getrandbits(7), 1 + stream.getrandbits(7)
            address = stream.getrandbits(6) * PAGE_BYTES + offset
            data = stream.getrandbits(8 * length).to_bytes(length, "big")
            rig.board.flash.program(address, data)
            for place, byte in enumerate(data, address):
                model[place] &= byte
        rig.run(0)
    assert rig.board.flash.read(0, SIZE_BYTES) == model


def test_a_reset_lets_the_operation_finish_in_silence() -> None:
    rig = Rig()
    rig.board.flash.program(0, b"a")
    rig.board.reset(ResetCause.WATCHDOG)
    assert not rig.board.flash.busy
    assert rig.board.flash.read(0, 1) == b"a"
    assert not rig.run(1_000_000) & FLASH_DONE


def test_a_power_cut_loses_the_operation() -> None:
    rig = Rig()
    rig.board.flash.program(0, b"a")
    rig.board.power_cut(1_000_000)
    rig.world.run_until(2_000_000)
    assert not rig.board.flash.busy
    assert rig.board.flash.read(0, 1) == b"\xff"


def test_a_saved_flash_is_json_and_comes_back_whole() -> None:
    rig, other = Rig(), Rig()
    _program(rig, 5000, b"journal")
    rig.board.flash.erase(8192)
    rig.run(0)
    other.board.flash.restore(json.loads(json.dumps(rig.board.flash.save())))
    assert other.board.flash.read(0, SIZE_BYTES) == rig.board.flash.read(0, SIZE_BYTES)
    assert other.board.flash.erases == {2: 1}


def test_a_flash_is_not_saved_in_mid_operation() -> None:
    rig = Rig()
    rig.board.flash.program(0, b"a")
    with pytest.raises(HalBusy):
        rig.board.flash.save()


def test_a_saved_flash_of_another_size_is_refused() -> None:
    rig = Rig()
    state = rig.board.flash.save()
    state["content"] = "eJwDAAAAAAE="  # nothing, compressed
    with pytest.raises(ValueError, match="0 bytes"):
        rig.board.flash.restore(state)


def test_an_erased_flash_takes_no_memory() -> None:
    rig = Rig()
    _program(rig, 0, b"a")
    assert len(rig.board.flash._sectors) == 1
    rig.board.flash.erase(0)
    rig.run(0)
    assert rig.board.flash._sectors == {}
