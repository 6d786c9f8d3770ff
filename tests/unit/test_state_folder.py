"""The state folder: whole or refused, one process at a time."""

import json
import os
import stat
from pathlib import Path

import pytest

from tools.run.state import FILE_NAME, Saved, StateDir, StateError

SAVED = Saved("rotor-40", 7, 850_000_000, [["baclofen", 2_000_000_000]], {"version": 1, "x": [1]})


def test_a_new_folder_holds_no_pump(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "a" / "b")
    assert state.load() is None
    state.close()


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.save(SAVED)
    state.save(SAVED._replace(seed=8))
    assert state.load() == SAVED._replace(seed=8)
    state.close()
    assert sorted(os.listdir(tmp_path)) == ["lock", FILE_NAME]


def test_it_is_for_its_owner_only(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "new")
    state.save(SAVED)
    state.close()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / FILE_NAME).stat().st_mode) == 0o600


def test_the_lock_keeps_a_second_one_out(tmp_path: Path) -> None:
    first = StateDir(tmp_path)
    with pytest.raises(StateError, match="in use"):
        StateDir(tmp_path)
    first.close()
    StateDir(tmp_path).close()


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.save(SAVED)
    whole = (tmp_path / FILE_NAME).read_bytes()
    for index in range(len(whole) - 1):  # the last one is the end of the line
        changed = bytearray(whole)
        changed[index] ^= 0x01
        (tmp_path / FILE_NAME).write_bytes(changed)
        with pytest.raises(StateError):
            state.load()
    state.close()


def test_a_later_format_is_named(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.save(SAVED)
    top = json.loads((tmp_path / FILE_NAME).read_text())
    (tmp_path / FILE_NAME).write_text(json.dumps({**top, "format": 2}))
    with pytest.raises(StateError, match="format 2; this reads 1"):
        state.load()
    state.close()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"file: .*"):
        StateDir(tmp_path / "file")
