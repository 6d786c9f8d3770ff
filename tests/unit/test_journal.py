"""The journal over a flash whose cells fail: the newest state is the one that is found again."""

from firmware.flash_queue import FlashQueue
from firmware.journal import Journal, Txn
from firmware.layout import END, SECTOR
from hal.interrupts import FLASH_DONE
from protocol.codes import TxnState


class MemoryFlash:
    """A flash in memory that leaves the addresses in `worn` as they are, once each."""

    size_bytes = END
    sector_bytes = SECTOR
    page_bytes = 256
    busy = False

    def __init__(self) -> None:
        self.cells = bytearray(b"\xff" * END)
        self.worn: set[int] = set()

    def read(self, address: int, length: int) -> bytes:
        return bytes(self.cells[address : address + length])

    def program(self, address: int, data: bytes) -> None:
        if address in self.worn:
            self.worn.remove(address)
            return
        self.cells[address : address + len(data)] = data

    def erase(self, address: int) -> None:
        self.cells[address : address + SECTOR] = b"\xff" * SECTOR


def finish(queue: FlashQueue) -> None:
    while not queue.idle:
        queue.service(FLASH_DONE)


def journal(flash: MemoryFlash) -> tuple[Journal, FlashQueue]:
    queue = FlashQueue(flash)
    made = Journal(queue)
    made.recover()
    return made, queue


def txn(number: int) -> Txn:
    return Txn(number, state=TxnState.DONE)


def test_a_record_that_fails_does_not_come_back_newer_than_those_after_it() -> None:
    flash = MemoryFlash()
    writer, queue = journal(flash)
    writer.write()
    finish(queue)
    next_address = writer._address(writer._half, writer._slot)
    flash.worn = {next_address}
    ends: list[bool] = []
    for number, accounted in ((7, 10), (8, 20)):
        writer.durable.accounted = accounted
        writer.durable.txn = txn(number)
        writer.write(ends.append)
    finish(queue)
    assert ends == [True, True]
    reader, _ = journal(flash)
    assert reader.durable.accounted == 20
    assert reader.durable.txn.txn == 8
    assert set(reader.txns) == {7, 8}


def test_a_record_that_fails_is_written_again() -> None:
    flash = MemoryFlash()
    writer, queue = journal(flash)
    writer.write()
    finish(queue)
    flash.worn = {writer._address(writer._half, writer._slot)}
    writer.durable.accounted = 5
    ends: list[bool] = []
    writer.write(ends.append)
    finish(queue)
    assert ends == [True]
    assert journal(flash)[0].durable.accounted == 5
