"""The agent's parts that need no board, under CPython: the same as the product's own, byte by byte.

The agent cannot import `protocol`, so it has its own frames, messages and guard. Here they meet.
"""

import random
from pathlib import Path
from typing import Any

import pytest
from board_page import PAGE, rendered
from micropython_board import AGENT, PINS, agent_module

from emulator.rate_guard import RateGuard
from firmware import layout
from hal import interrupts
from protocol import board_link, board_messages, cobs, codec, framing
from protocol.board_link import BoardLink
from protocol.board_messages import BOARD_MESSAGES, BoardCause, Capability
from protocol.crc import crc32c
from protocol.framing import Flag, Frame, FrameType

MESSAGES = agent_module("messages")
FRAMES = agent_module("frames")
COBS = agent_module("cobs")
CRC = agent_module("crc32c")

SAMPLES = [
    b"",
    b"\0",
    b"\0\0",
    b"1",
    b"123456789",
    b"\xff" * 253,
    b"\x01" * 254,
    b"\x01" * 255,
    b"\x01" * 254 + b"\0",
    b"\0" + b"\x02" * 254,
    b"\x01" * 480,
    *(random.Random(length).randbytes(length) for length in range(1, 400, 37)),
]


def layout_of(message: type[codec.Message]) -> str:
    """Return the layout in the agent's way of writing it."""
    text = ""
    for _, field in codec.fields(message):
        is_bytes = field.kind in (codec.TEXT, codec.BLOB)
        text += f" {field.kind}{field.maximum} " if is_bytes else field.kind
    return " ".join(text.split())


def test_the_layouts_are_those_of_the_wire() -> None:
    assert [layout_of(message) for message in BOARD_MESSAGES] == list(MESSAGES.LAYOUTS)


def test_the_dictionary_is_the_same() -> None:
    assert MESSAGES.DICTIONARY_ID == board_messages.DICTIONARY_ID


def test_every_message_has_its_number() -> None:
    for number, message in enumerate(BOARD_MESSAGES[:19]):
        name = "".join("_" + letter if letter.isupper() else letter for letter in message.__name__)
        assert getattr(MESSAGES, name[1:].upper()) == number


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (MESSAGES.REPORT_INTERVAL_US, board_messages.REPORT_INTERVAL_US),
        (MESSAGES.SILENCE_US, board_messages.SILENCE_US),
        (MESSAGES.FLASH_DATA_MAX, board_messages.FLASH_DATA_MAX),
        (MESSAGES.FLASH_PAGE_MAX, board_messages.FLASH_PAGE_MAX),
        (MESSAGES.TELEMETRY_DATA_MAX, board_messages.TELEMETRY_DATA_MAX),
        (MESSAGES.TELEMETRY_WINDOW, board_messages.TELEMETRY_WINDOW),
        (MESSAGES.MOTOR_DONE, interrupts.MOTOR_DONE),
        (MESSAGES.ENCODER_LIMIT, interrupts.ENCODER_LIMIT),
        (MESSAGES.LOW_VOLTAGE, interrupts.LOW_VOLTAGE),
        (MESSAGES.FLASH_DONE, interrupts.FLASH_DONE),
        (MESSAGES.FLASH_FAILED, interrupts.FLASH_FAILED),
        (MESSAGES.COMPARATOR, Capability.LOW_VOLTAGE),
        *((getattr(MESSAGES, bit), Capability[bit]) for bit in ("RADIO", "MAGNET", "SOUNDER")),
        (MESSAGES.ENCODER_CUT, Capability.ENCODER_CUT),
        *((getattr(MESSAGES, cause.name), cause) for cause in BoardCause if cause.value != 6),
        (FRAMES.WINDOW, board_link.WINDOW),
        (FRAMES.REPEAT_US, board_link.REPEAT_US),
        (FRAMES.SENDS_MAX, board_link.SENDS_MAX),
        (tuple(FRAMES._TYPES), tuple(FrameType)),
    ],
)
def test_the_constants_are_the_same(ours: object, theirs: object) -> None:
    assert ours == theirs


@pytest.mark.parametrize("message", BOARD_MESSAGES)
def test_messages_are_packed_alike(message: type[codec.Message]) -> None:
    samples: dict[str, Any] = {codec.TEXT: "agent", codec.BLOB: b"\0\xffdata", "B": 1}
    fields = codec.fields(message)
    values = [samples.get(field.kind, 1 << 15) for _, field in fields]
    data = codec.encode(message(*values))
    number = BOARD_MESSAGES.index(message)
    raw = [value.encode() if isinstance(value, str) else value for value in values]
    assert MESSAGES.pack(number, *raw) == data
    assert MESSAGES.unpack(number, data) == raw
    assert MESSAGES.unpack(number, data + b"\0") is None
    assert not data or MESSAGES.unpack(number, data[:-1]) is None


def test_a_blob_that_is_too_long_is_no_message() -> None:
    page = b"\0\0\0\0" + bytes((129,)) + bytes(129)
    assert MESSAGES.unpack(MESSAGES.FLASH_PROGRAM, page) is None


@pytest.mark.parametrize("data", SAMPLES)
def test_the_crc_is_the_same(data: bytes) -> None:
    crc = CRC.Crc()
    crc.add(data[: len(data) // 3])
    crc.add(data[len(data) // 3 :])
    assert crc.value() == crc32c(data)
    assert int.from_bytes(CRC.spread(data), "little") == framing.spread_crc(crc32c(data))


@pytest.mark.parametrize("data", SAMPLES)
def test_cobs_is_the_same(data: bytes) -> None:
    assert COBS.encode(data) == cobs.encode(data)
    assert COBS.decode(cobs.encode(data)) == data


@pytest.mark.parametrize("data", [b"\x02", b"\x05abc", b"\x02a\0", b"\0"])
def test_what_is_no_cobs_is_refused(data: bytes) -> None:
    assert COBS.decode(data) is None


@pytest.mark.parametrize("payload", SAMPLES)
def test_frames_are_the_same(payload: bytes) -> None:
    image = framing.encode(Frame(FrameType.HAL_CMD, Flag.ACK_VALID, 0, 7, 250, payload))
    assert FRAMES.image(FRAMES.HAL_CMD, 8, 0x107, 0x2FA, payload) == image
    deframer = FRAMES.Deframer()
    cut = len(image) // 2
    assert deframer.feed(b"\x01noise" + image[:cut]) == []
    assert deframer.feed(image[cut:] + image) == [(24, 8, 0, 7, 250, payload)] * 2


def test_a_damaged_frame_is_no_frame() -> None:
    image = FRAMES.image(FRAMES.HAL_CMD, 8, 1, 1, b"dispense")
    for bit in range(8, 8 * (len(image) - 1)):
        spoiled = bytearray(image)
        spoiled[bit // 8] ^= 1 << bit % 8
        assert FRAMES.Deframer().feed(bytes(spoiled)) == []


def test_a_frame_that_never_ends_takes_no_memory() -> None:
    deframer = FRAMES.Deframer()
    for _ in range(100):
        assert deframer.feed(b"\x55" * 100) == []
        assert len(deframer._partial) <= framing.MAX_BODY
    assert deframer.feed(FRAMES.image(FRAMES.HELLO, 0, 0, 0, b"x")) == [(5, 0, 0, 0, 0, b"x")]


@pytest.mark.parametrize("seed", range(5))
def test_both_links_understand_each_other_over_a_bad_line(seed: int) -> None:
    chance = random.Random(seed)
    host = BoardLink(FrameType.HAL_CMD, FrameType.HAL_RSP)
    board = FRAMES.Link(115_200)
    host.restart()
    board.restart()
    sent: dict[str, list[bytes]] = {"down": [], "up": []}
    heard: dict[str, list[bytes]] = {"down": [], "up": []}

    def spoil(data: bytes) -> bytes:
        kind = chance.randrange(6)
        if kind == 0:
            return b""
        if kind == 1:
            return data + data
        return data.replace(b"\x01", b"\x02") if kind == 2 else data

    for turn in range(3000):
        now_us = turn * 10_000
        if turn < 2000 and host.room and chance.random() < 0.5:
            sent["down"].append(b"down %d" % turn)
            host.send(sent["down"][-1])
        if turn < 2000 and board.room() and chance.random() < 0.5:
            sent["up"].append(b"up %d" % turn)
            board.send(sent["up"][-1])
        board.feed(spoil(host.outgoing(now_us)))
        while frame := board.take():
            heard["down"].append(frame[1])
        out = board.outgoing(now_us)
        assert out is not None
        host.feed(spoil(out), now_us)
        while answer := host.take():
            heard["up"].append(answer.payload)
    assert heard == sent
    assert len(sent["down"]) > 255, "the numbers have wrapped"
    assert len(sent["up"]) > 255


def test_a_frame_that_is_never_acknowledged_ends_the_session() -> None:
    link = FRAMES.Link(115_200)
    link.restart()
    link.send(b"report")
    sends = 0
    now_us = 0
    while (out := link.outgoing(now_us)) is not None:
        sends += bool(out)
        now_us += 100_000
    assert sends == FRAMES.SENDS_MAX


def test_what_is_not_of_the_session_is_not_taken() -> None:
    link = FRAMES.Link(115_200)
    command = FRAMES.image(FRAMES.HAL_CMD, 8, 0, 0, b"dispense")
    link.feed(command + FRAMES.image(FRAMES.HAL_TIME, 0, 0, 0, b"tick"))
    assert link.take() is None
    link.restart()
    link.feed(framing.encode(Frame(FrameType.HAL_CMD, Flag.ACK_VALID, 1, 0, 0, b"telemetry")))
    link.feed(command + command)
    assert link.take() == (FRAMES.HAL_CMD, b"dispense")
    assert link.take() is None


def test_the_rate_guard_counts_like_the_emulated_board() -> None:
    chance = random.Random(1)
    ours = agent_module("guard").Guard(300, 3000)
    theirs = RateGuard()
    theirs.lower(300, 3000)
    now_us = 0
    refused = 0
    for _ in range(5000):
        now_us += chance.choice((0, 1_000_000, 59_000_000, 600_000_000))
        strokes = chance.randrange(1, 40)
        allowed = theirs.allows(strokes, now_us)
        if allowed:
            theirs.count(strokes, now_us)
        assert ours.accept(strokes, now_us) is allowed
        refused += not allowed
    assert 100 < refused < 4900


def test_the_rate_guard_is_only_ever_lowered() -> None:
    guard = agent_module("guard").Guard(10, 20)
    guard.lower(5, 30)
    assert (guard.hour.limit, guard.day.limit) == (5, 20)
    assert not guard.accept(6, 0)
    assert guard.accept(5, 0)
    assert not guard.accept(1, 3_600_000_000)
    assert guard.accept(1, 3_660_000_000)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    return agent_module("flash_store").FlashStore("flash")


def test_the_flash_is_large_enough_for_the_layout() -> None:
    store = agent_module("flash_store")
    assert store.SIZE == layout.END
    assert store.SECTOR == layout.SECTOR
    assert store.PAGE <= board_messages.FLASH_PAGE_MAX


def test_flash_clears_bits_and_erases_sectors(store: Any) -> None:
    assert store.program(4096 + 130, b"\x0f\xf0")
    assert store.program(4096 + 130, b"\x3c")
    assert store.read(4096 + 129, 4) == b"\xff\x0c\xf0\xff"
    assert store.crc(4096 + 130, 2) == crc32c(b"\x0c\xf0")
    assert store.erase(4096)
    assert store.read(4096 + 130, 2) == b"\xff\xff"
    assert store.crc(4096, 4096) == crc32c(b"\xff" * 4096)


@pytest.mark.parametrize(
    ("address", "data"), [(0, b""), (127, b"ab"), (0, bytes(129)), (layout.END, b"a")]
)
def test_flash_programs_within_a_page(store: Any, address: int, data: bytes) -> None:
    assert not store.program(address, data)


@pytest.mark.parametrize("address", [1, 128, layout.END])
def test_flash_erases_whole_sectors(store: Any, address: int) -> None:
    assert not store.erase(address)


def test_a_full_file_system_fails_the_operation(store: Any, tmp_path: Path) -> None:
    (tmp_path / "flash").rename(tmp_path / "gone")
    assert not store.program(0, b"a")
    assert store.read(0, 1) == b"\xff"


def test_flash_tells_content_and_the_erased_run_after_it(store: Any) -> None:
    assert store.content(0, 240) == (b"", layout.END)
    store.program(300, b"abc\xffd")
    store.program(3 * 4096, b"e")
    assert store.content(0, 240) == (b"", 300)
    assert store.content(300, 2) == (b"ab", 0)
    assert store.content(300, 240) == (b"abc\xffd", 3 * 4096 - 305)
    assert store.content(3 * 4096, 240) == (b"e", layout.END - 3 * 4096 - 1)
    store.program(layout.END - 1, b"z")
    assert store.content(layout.END - 1, 240) == (b"z", 0)


def test_pins_are_used_once() -> None:
    numbers = [number for _, number, _, _ in PINS.PINS]
    assert len(set(numbers)) == len(numbers)
    assert all(getattr(PINS, name) == number for name, number, _, _ in PINS.PINS)
    assert PINS.STEPS % PINS.ENCODER_PULSES == 0


def test_the_page_about_boards_has_the_tables_of_the_code() -> None:
    page = PAGE.read_text()
    assert page == rendered(page), "run python tests/conformance/board_page.py"


def test_the_page_about_boards_has_the_figures_of_the_code() -> None:
    page = PAGE.read_text()
    for figure in (
        f"After {board_messages.SILENCE_US // 1000} ms",
        f"never longer than {PINS.LOOKAHEAD_US // 1_000_000} s",
        f"stands still for {PINS.HARDWARE_WATCHDOG_MS // 1000} s",
        f"At least {layout.END:,} bytes",
        f"Report** every {board_messages.REPORT_INTERVAL_US // 1000} ms",
        f"never more than {board_messages.TELEMETRY_WINDOW:,} that",
        f"at most {board_link.WINDOW} unacknowledged",
        f"acknowledged for {board_link.REPEAT_US // 1000} ms",
        f"{board_link.SENDS_MAX} sends",
        f"{PINS.ENCODER_PULSES} slots for each stroke",
        f"folder `{PINS.FLASH_FOLDER}`",
        f"(GP{PINS.MAINTENANCE})",
    ):
        assert figure in " ".join(page.split()), figure


def test_the_agent_stays_within_its_dialect() -> None:
    for path in AGENT.glob("*.py"):
        text = path.read_text()
        assert text.startswith('"""'), path.name
        for word in ("import enum", "import dataclasses", "import typing", ":=", "from __future__"):
            assert word not in text, path.name
