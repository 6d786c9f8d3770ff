"""The file of an export: whole, exact, and every change of it found where it is."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted_pump import BACLOFEN, DEVICE, STATUS

from protocol import codes
from protocol.messages import AlarmEntry, LogRecord, PrescriptionInfo
from tools.programmer import export_file, wire_json
from tools.programmer.export_file import Export
from tools.toml_file import FileError

SCHEDULED = replace(BACLOFEN, rate=replace(BACLOFEN.rate, amount=330_000_000))
AT_S = 852_973_200
EXPORT = Export(
    "0.1.0",
    DEVICE,
    replace(
        STATUS,
        generation=3,
        pending_wall_s=AT_S,
        alarms=(AlarmEntry(codes.Code.ERI, 1, 852_000_000),),
    ),
    PrescriptionInfo(3, 852_195_600, BACLOFEN, AT_S),
    PrescriptionInfo(3, 852_195_600, SCHEDULED, AT_S),
    tuple(LogRecord(i, 1, codes.Code.BOLUS_DONE, i, 852_195_600, 1000, 0) for i in range(3)),
)
TEXT = export_file.dump(EXPORT)


def loaded(folder: Path, text: str | bytes) -> Export:
    file = folder / "pump.json"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return export_file.load(str(file))


def complaint(folder: Path, text: str | bytes) -> str:
    with pytest.raises(FileError) as caught:
        loaded(folder, text)
    said = str(caught.value)
    assert "\n" not in said
    return said.removeprefix(f"{folder}/")


def signed(change: Callable[[dict[str, Any]], None]) -> str:
    """Return the file after a change that whoever made it has digested anew."""
    top = json.loads(TEXT)
    change(top)
    head = {name: top.get(name) for name in ("format", "version", "itpump")}
    sections = {name: top[name] for name in export_file.SECTIONS}
    top["sha256"] = export_file._digests(head, sections)
    return json.dumps(top, indent=1)


def test_what_was_read_comes_back_exactly(tmp_path: Path) -> None:
    assert loaded(tmp_path, TEXT) == EXPORT


def test_quantities_are_there_in_the_wires_integers_and_in_words() -> None:
    top = json.loads(TEXT)
    assert top["prescription"]["therapy"]["rate"] == {
        "basis": "MASS_PG", "per": "DAY", "amount": 300_000_000,
    }  # fmt: skip
    assert 'rate = "300 ug/day"' in top["readable"]["therapy"]
    assert top["log"][1]["a"] == 1000
    assert top["readable"]["log"][2].endswith("BOLUS_DONE            1 uL given")
    assert export_file.digest(TEXT) == top["sha256"]["file"]


def test_a_pump_without_a_prescription_has_a_history(tmp_path: Path) -> None:
    nothing = PrescriptionInfo(0, 0, replace(BACLOFEN, drugs=()))
    bare = replace(EXPORT, prescription=nothing, pending=nothing)
    assert loaded(tmp_path, export_file.dump(bare)).therapy is None


def test_every_digit_of_the_file_counts(tmp_path: Path) -> None:
    """Any digit that is another one, anywhere in the file, is found."""
    for found in list(re.finditer(r"\d", TEXT))[::7]:
        other = str((int(found[0]) + 1) % 10)
        complaint(tmp_path, f"{TEXT[: found.start()]}{other}{TEXT[found.end() :]}")


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ('"amount": 300000000', '"amount": 30000000', '"prescription"',
         "prescription: changed or damaged since it was written (SHA-256)"),
        ("E00000001", "E00000002", '"readable"', "readable and device: changed or damaged"),
        ('"itpump": "0.1.0"', '"itpump": "9"', '"sha256"', "the head of the file: changed"),
        ('"version": 1,', '"version": 2,', '"version"',
         "format version 2, written by itpump 0.1.0; this one reads 1"),
        ('"status": {', '"status": {},\n "status": {', "", "status: stands in the file twice"),
    ],
)  # fmt: skip
def test_an_edit_is_told_with_its_place(
    tmp_path: Path, before: str, after: str, line: str, said: str
) -> None:
    where = TEXT[: TEXT.index(f"\n {line}") + 1].count("\n") + 1 if line else None
    found = complaint(tmp_path, TEXT.replace(before, after))
    assert said in found
    assert where is None or found.startswith(f"pump.json:{where}: ")


@pytest.mark.parametrize("part", [1, 2, 40, 99])
def test_a_file_that_was_cut_short_is_told_at_its_end(tmp_path: Path, part: int) -> None:
    cut = TEXT[: len(TEXT) * part // 100]
    last = cut.count("\n") + 1
    assert re.match(
        rf"pump.json:({last}|{last - 1}): no JSON: cut short, or edited", complaint(tmp_path, cut)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff\xfe", "pump.json:1: no JSON"),
        ("[]", "pump.json: no file that `itpump programmer export` has written"),
        ('{"format": 1, "sha256": "", "pump": {}}', "no file that"),
        ("[" * 100_000, "no JSON"),
        ('{"format": "itpump export", "version": 1}', "section itpump is missing"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert said in complaint(tmp_path, text)


def newer(top: dict[str, Any]) -> None:
    top["prescription"]["therapy"]["ceiling_nl"] = 5


def negative(top: dict[str, Any]) -> None:
    top["status"]["computed_nl"] = -1


def unnamed(top: dict[str, Any]) -> None:
    top["prescription"]["therapy"]["program"] = "PULSED"


def without(top: dict[str, Any]) -> None:
    del top["device"]["tubing_nl"]


def fraction(top: dict[str, Any]) -> None:
    top["log"][2]["tick_us"] = 1.5


def lying(top: dict[str, Any]) -> None:
    table = top["readable"]["therapy"]
    table[table.index('rate = "300 ug/day"')] = 'rate = "30 ug/day"'


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (newer, "prescription.therapy.ceiling_nl: unknown, made by a newer itpump"),
        (negative, "status: "),
        (unnamed, "prescription.therapy.program: PULSED is unknown"),
        (without, "device.tubing_nl: missing"),
        (fraction, "log[2].tick_us: a whole number is needed"),
        (lying, "the [therapy] table is not the prescription in the file"),
    ],
)
def test_right_digests_do_not_make_a_wrong_file_right(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    assert said in complaint(tmp_path, signed(change))


def test_a_field_that_is_younger_than_the_file_has_its_default(tmp_path: Path) -> None:
    def older(top: dict[str, Any]) -> None:
        del top["status"]["boluses_24h"]

    assert loaded(tmp_path, signed(older)).status.boluses_24h == 0


def test_a_text_that_could_write_on_the_screen_is_refused() -> None:
    values = {**wire_json.values(DEVICE), "serial": "\x1b[2J"}
    with pytest.raises(wire_json.NotThat, match="serial: a text"):
        wire_json.read(type(DEVICE), values)
