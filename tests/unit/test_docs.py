"""The pages made from tables: up to date, and true where they can be tried."""

import argparse
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from emulator.profile import FOLDER, names
from protocol import codec
from protocol.codes import LOG_DETAILS, Code
from protocol.errors import RETRY, ErrorCode
from protocol.framing import Deframer, Flag, FrameType
from protocol.link import TransportError
from protocol.link.end import TRANSPORT_ERRORS
from protocol.operations import OPERATIONS, split_response
from tools.docs import PAGES, command, stale, write_all
from tools.docs.message_sections import fixed_size, message_classes
from tools.docs.protocol_page import render
from tools.docs.wire_sections import FLAGS, REFUSALS, TYPES

_ROOT = Path(__file__).parents[2]
_VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (_ROOT / "tests/vectors/wire.json").read_text(encoding="utf-8")
)
_PAGE = render()


# --- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_the_page_is_what_the_code_says(path: str) -> None:
    assert path not in stale(_ROOT), "run `itpump docs`"


def test_writing_makes_stale_pages_fresh(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    assert stale(tmp_path) == list(PAGES)
    assert write_all(tmp_path) == list(PAGES)
    assert stale(tmp_path) == []
    page = tmp_path / "docs/protocol.md"
    page.write_text(page.read_text(encoding="utf-8") + "x", encoding="utf-8")
    assert stale(tmp_path) == ["docs/protocol.md"]
    assert write_all(tmp_path) == ["docs/protocol.md"]


def _command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.main(parser.parse_args(words))


def test_the_command_checks_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _command("--root", str(tmp_path)) == 2
    (tmp_path / "docs").mkdir()
    assert _command("--check", "--root", str(tmp_path)) == 1
    assert "docs/protocol.md" in capsys.readouterr().err
    assert _command("--root", str(tmp_path)) == 0
    assert _command("--check", "--root", str(tmp_path)) == 0


# --- the protocol page is complete --------------------------------------------------------------


def test_every_table_that_the_page_is_made_of_is_whole() -> None:
    assert set(TYPES) == set(FrameType)
    assert set(FLAGS) == set(Flag)
    assert set(RETRY) == set(ErrorCode)
    assert set(TRANSPORT_ERRORS) == set(TransportError)
    assert set(LOG_DETAILS) <= set(Code)
    steps = [name for name, _, _ in REFUSALS]
    assert sorted(steps) == sorted(_counters())


def _counters() -> list[str]:
    names = vars(Deframer().counters.__class__)["__slots__"]
    return [name for name in names if name not in ("accepted", "expired")]


def test_every_operation_message_field_and_code_is_on_the_page() -> None:
    for row in OPERATIONS:
        assert f"| {row.opcode:#06x} | {row.name} |" in _PAGE
    for kind in message_classes():
        section = _PAGE.split(f"### {kind.__name__}\n")[1].split("\n### ")[0]
        for name, _ in codec.fields(kind):
            assert f"| `{name}` |" in section
    for number in [*ErrorCode, *Code, *FrameType]:
        assert re.search(rf"\b{number.name}\b", _PAGE)


def test_every_link_has_a_target() -> None:
    titles = re.findall(r"^#+ (.+)$", _PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    anchors |= set(re.findall(r'<a id="(\w+)">', _PAGE))
    assert set(re.findall(r"\]\(#([^)]+)\)", _PAGE)) <= anchors


def test_lengths_on_the_page_are_lengths_on_the_wire() -> None:
    lengths = {v["message"]: len(v["bytes"]) // 2 for v in _VECTORS["messages"]}
    sizes = {kind.__name__: fixed_size(kind) for kind in message_classes()}
    fixed = {name: size for name, size in sizes.items() if size is not None}
    assert len(fixed) > 8
    assert fixed == {name: lengths[name] for name in fixed}


# --- the codec printed on the page --------------------------------------------------------------


@pytest.fixture(scope="module")
def printed() -> dict[str, Any]:
    """Return the names that the page's Python defines."""
    (source,) = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(source, "docs/protocol.md", "exec"), names)
    return names


@pytest.mark.parametrize("section", ["frames", "exchanges", "errors"])
def test_the_printed_codec_speaks_the_golden_vectors(printed: dict[str, Any], section: str) -> None:
    for vector in _VECTORS[section]:
        frame, wire = vector["frame"], bytes.fromhex(vector["wire"])
        fields = (*(frame[key] for key in ("type", "flags", "channel", "seq", "ack")),)
        payload = bytes.fromhex(frame["payload"])
        assert printed["encode"](*fields, payload) == wire
        assert printed["decode"](wire[1:-1]) == (*fields, payload)


def test_the_printed_codec_refuses_what_must_be_refused(printed: dict[str, Any]) -> None:
    for vector in _VECTORS["refused"]:
        if vector["refused"] == "type":  # the printed codec leaves types to its user
            continue
        with pytest.raises(ValueError, match=r"damaged|block|version"):
            printed["decode"](bytes.fromhex(vector["wire"])[1:-1])


def test_the_printed_codec_needs_only_the_standard_library(tmp_path: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)
    script = tmp_path / "codec.py"
    script.write_text(source + "\nprint(hex(crc32c(b'123456789')))\n", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-I", "-S", str(script)], capture_output=True, text=True, check=True
    )
    assert run.stdout == "0xe3069283\n"


def test_the_example_exchange_can_be_read_off_the_page() -> None:
    block = _PAGE.split("## 14. Example")[1].split("```")[1]
    lines = [line for line in block.split("\n") if line and ":" not in line]
    frames = Deframer().feed(bytes.fromhex(" ".join(lines)), 0)
    assert [frame.type for frame in frames] == [
        FrameType.HELLO,
        FrameType.HELLO_RSP,
        FrameType.REQ,
        FrameType.RSP,
    ]
    opcode, _, result, body = split_response(frames[-1].payload)
    assert (opcode, result) == (0x0101, ErrorCode.OK)
    assert codec.decode(OPERATIONS[1].response, body).mode.name == "BASAL"  # type: ignore[attr-defined]


def test_the_profiles_page_says_every_key_and_marks_every_number() -> None:
    page = (_ROOT / "docs/profiles.md").read_text(encoding="utf-8")
    for name in names():
        table = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
        for key in (*table["device"], *table["plant"]):
            assert f"\n| `{key}` | " in page
    models = page.split("## The models")[1].split("## A model of your own")[0]
    for line in models.strip().splitlines()[2:]:
        for cell in line.split(" | ")[1:]:
            assert re.search(r" [VRD]( \|)?$|^none( \|)?$", cell), line
