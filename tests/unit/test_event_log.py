"""The event log over its whole ring, over resets and torn records."""

from nurse import Nurse

from firmware.event_log import CAPACITY, RECORD_BYTES
from firmware.layout import LOG_START, SECTOR
from hal.interfaces import ResetCause
from protocol.codes import Code


def full_ring(extra: int) -> Nurse:
    nurse = Nurse()
    log = nurse.pump.firmware._log
    for number in range(CAPACITY + extra):
        log.append(Code.INTERROGATED, number)
        nurse.run(0)
    return nurse


def test_the_ring_keeps_its_newest_records_over_a_reset() -> None:
    nurse = full_ring(300)
    newest = CAPACITY + 300
    nurse.board.reset(ResetCause.COMMANDED)
    nurse.run(0)
    status = nurse.status
    assert status.log_next == newest + 1
    records = nurse.log
    assert records[0].seq == status.log_first
    assert records[0].seq >= newest - CAPACITY
    assert [record.seq for record in records] == list(range(records[0].seq, newest + 1))
    assert records[-1].code is Code.RESET
    assert records[-1].boot_id == records[-2].boot_id + 1
    assert all(record.a == record.seq for record in records[:-1])


def test_a_torn_record_is_stepped_over() -> None:
    nurse = Nurse()
    log = nurse.pump.firmware._log
    for number in range(5):
        log.append(Code.INTERROGATED, number)
    nurse.run(0)
    for byte in range(RECORD_BYTES):
        nurse.board.flash.flip_bit(LOG_START + 5 * RECORD_BYTES + byte, byte % 8)
    nurse.board.reset(ResetCause.COMMANDED)
    nurse.run(0)
    assert [record.seq for record in nurse.log] == [0, 1, 2, 3, 4, 6]


def test_a_damaged_record_is_left_out_not_shown_wrong() -> None:
    nurse = Nurse()
    log = nurse.pump.firmware._log
    for number in range(SECTOR // RECORD_BYTES + 5):
        log.append(Code.INTERROGATED, number)
    nurse.run(0)
    nurse.board.flash.flip_bit(LOG_START + 3 * RECORD_BYTES + 20, 0)
    assert 3 not in [record.seq for record in nurse.log]
    assert len(nurse.log) == SECTOR // RECORD_BYTES + 4


def test_damage_hides_no_record_behind_it_and_no_number_comes_twice() -> None:
    nurse = Nurse()
    log = nurse.pump.firmware._log
    per_sector = SECTOR // RECORD_BYTES
    for number in range(per_sector + 5):
        log.append(Code.INTERROGATED, number)
    nurse.run(0)
    for damaged in (per_sector, per_sector + 3):
        nurse.board.flash.flip_bit(LOG_START + damaged * RECORD_BYTES + 20, 0)
    nurse.board.reset(ResetCause.COMMANDED)
    nurse.run(0)
    records = nurse.log
    missing = {per_sector, per_sector + 3}
    assert [one.seq for one in records] == [n for n in range(per_sector + 6) if n not in missing]
    assert records[-1].code is Code.RESET
    assert records[-1].boot_id == records[-2].boot_id + 1
