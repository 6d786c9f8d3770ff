"""The tool's transaction journal: saved before the first send, whole after any crash."""

import json
import os
from pathlib import Path

import pytest

from protocol.codes import TxnOp
from tools.programmer.errors import BadInput, JournalError
from tools.programmer.journal import (
    CLOSED_KEPT,
    CLOSED_MAX,
    FILE_NAME,
    OPEN_MAX,
    FileJournal,
    Journal,
    default_folder,
)


def opened(folder: Path) -> FileJournal:
    return FileJournal(folder, lambda bits: 0xABCD)


def begin(journal: Journal, pump: str = "E1", highest: int = 0) -> int:
    return journal.begin(TxnOp.BOLUS, b"\x01\x02", pump, "/dev/ttyS0", highest)


def test_a_number_is_a_rising_counter_and_a_random_half(tmp_path: Path) -> None:
    numbers = [begin(opened(tmp_path)) for _ in range(3)]
    assert numbers == [1 << 32 | 0xABCD, 2 << 32 | 0xABCD, 3 << 32 | 0xABCD]


def test_a_fresh_journal_counts_on_from_what_the_pump_knows(tmp_path: Path) -> None:
    assert begin(opened(tmp_path), highest=41 << 32 | 7) == 42 << 32 | 0xABCD


def test_an_open_transaction_survives_the_tool(tmp_path: Path) -> None:
    txn = begin(opened(tmp_path))
    (entry,) = opened(tmp_path).open_entries("E1")
    assert (entry.txn, entry.op, entry.parameters, entry.port, entry.state) == (
        txn, "BOLUS", "0102", "/dev/ttyS0", "prepared",
    )  # fmt: skip
    assert opened(tmp_path).open_entries("E2") == []


def test_states_are_saved_and_closing_twice_is_harmless(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    txn = begin(journal)
    journal.committing(txn)
    assert opened(tmp_path).open_entries("E1")[0].state == "committing"
    journal.close(txn, "DONE")
    journal.close(txn, "NOT_DONE")
    assert opened(tmp_path).open_entries("E1") == []
    saved = json.loads((tmp_path / FILE_NAME).read_text())
    assert [row["state"] for row in saved["closed"]] == ["DONE"]


def test_two_tools_share_one_counter(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    assert begin(one) < begin(other) < begin(one)
    assert len(one.open_entries("E1")) == 3


def test_the_file_is_synced_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append("fsync"), sync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("replace"), replace(a, b)))
    begin(opened(tmp_path))
    assert done == ["fsync", "replace", "fsync"]


def test_a_crash_at_any_step_of_saving_leaves_a_whole_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begin(opened(tmp_path))

    def die(*args: object) -> None:
        raise KeyboardInterrupt

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, die)
            with pytest.raises(KeyboardInterrupt):
                begin(opened(tmp_path))
        assert [entry.txn for entry in opened(tmp_path).open_entries("E1")] == [first]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"counter": 1}', '{"counter":1,"open":[{}]}'])
def test_a_damaged_journal_is_never_taken_for_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(BadInput, match="damaged"):
        opened(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"journal .*: "):
        opened(tmp_path / "file" / "folder")


def test_others_may_not_read_it(tmp_path: Path) -> None:
    begin(opened(tmp_path / "new"))
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / FILE_NAME).stat().st_mode & 0o077 == 0


def test_it_is_bounded_both_ways() -> None:
    journal = Journal()
    for _ in range(CLOSED_KEPT + 1):
        journal.close(begin(journal), "DONE")
    assert len(journal.entries("E1")) == CLOSED_KEPT
    for _ in range(OPEN_MAX):
        begin(journal)
    with pytest.raises(BadInput, match="are open"):
        begin(journal)
    with pytest.raises(BadInput, match="used up"):
        begin(Journal(), highest=0xFFFFFFFF << 32)


def test_other_pumps_take_no_place_in_it() -> None:
    journal = Journal()
    first = begin(journal, pump="P1")
    journal.close(first, "DONE")
    for _ in range(CLOSED_KEPT):
        journal.close(begin(journal, pump="P2"), "DONE")
    for _ in range(OPEN_MAX):
        begin(journal, pump="P2")
    assert journal.entry(first, "P1") is not None
    assert begin(journal, pump="P1")


def test_all_pumps_together_are_bounded_too() -> None:
    journal = Journal()
    for number in range(CLOSED_MAX + 1):
        journal.close(begin(journal, pump=f"P{number}"), "DONE")
    assert [len(journal.entries(pump)) for pump in ("P0", "P1")] == [0, 1]


def test_in_memory_numbers_need_no_randomness() -> None:
    assert begin(Journal()) == 1 << 32


def test_the_folder_follows_the_xdg_rules() -> None:
    assert default_folder({"XDG_STATE_HOME": "/x"}) == Path("/x/itpump")
    assert default_folder({}) == Path.home() / ".local/state/itpump"


def test_a_journal_that_is_no_text_is_damaged_too(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\x80\xff\x00")
    with pytest.raises(JournalError, match="is damaged"):
        opened(tmp_path)
