"""Frames on the wire: golden bytes, every way to damage one, every way to cut the stream."""

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import cobs
from protocol.crc import crc32c
from protocol.errors import LocalError
from protocol.framing import (
    CHECK_BYTES,
    HEADER,
    MAX_BODY,
    MAX_IMAGE,
    MIN_IMAGE,
    PARTIAL_US,
    Deframer,
    Flag,
    Frame,
    FrameType,
    encode,
    spread_crc,
)
from protocol.messages import MAX_PAYLOAD

_ACK = Frame(FrameType.ACK, Flag.ACK_VALID, 0x1234, 7, 8, b"")
_REQ = Frame(FrameType.REQ, 0, 0x0105, 1, 0, bytes.fromhex("010101000000"))
_LONG = Frame(FrameType.RSP, Flag.ACK_VALID, 0xFFEF, 255, 0, b"\x11" * MAX_PAYLOAD)
_ZEROS = Frame(FrameType.BULK, 0, 1, 2, 3, bytes(MAX_PAYLOAD))


def _sealed(data: bytes) -> bytes:
    """Return the wire image of any header and payload, with a CRC that fits."""
    body = cobs.encode(data)
    return b"\0" + body + spread_crc(crc32c(body)).to_bytes(CHECK_BYTES, "little") + b"\0"


def _header(first: int = 0x30, flags: int = 0, length: int = 0, payload: bytes = b"") -> bytes:
    return HEADER.pack(first, flags, 1, 2, 3, length) + payload


def _refused(image: bytes) -> Deframer:
    deframer = Deframer()
    assert deframer.feed(image, 0) == []
    assert deframer.counters.accepted == 0
    return deframer


# --- good frames --------------------------------------------------------------------------------


def test_golden_bytes() -> None:
    # Worked by hand: header 22 08 34 12 07 08 00 00, COBS over it, CRC-32C of E.
    body = bytes.fromhex("07 22 08 34 12 07 08 01 01")
    crc = crc32c(body)
    groups = [crc & 0x7F, crc >> 7 & 0x7F, crc >> 14 & 0x7F, crc >> 21 & 0x7F, crc >> 28]
    check = bytes(0x80 | group for group in groups)
    assert encode(_ACK) == b"\0" + body + check + b"\0"
    assert encode(_ACK).hex(" ") == "00 07 22 08 34 12 07 08 01 01 89 ec 97 aa 86 00"


def test_shortest_and_longest() -> None:
    assert len(encode(_ACK)) == MIN_IMAGE == 16
    assert len(encode(_LONG)) == MAX_IMAGE == 497
    for frame in (_ACK, _LONG, _ZEROS):
        assert Deframer().feed(encode(frame), 0) == [frame]


@pytest.mark.parametrize("kind", FrameType)
def test_every_type_comes_back(kind: FrameType) -> None:
    frame = _REQ._replace(type=kind)
    decoded = Deframer().feed(encode(frame), 0)
    assert decoded == [frame]
    assert decoded[0].type is kind


_frames = st.builds(
    Frame,
    type=st.sampled_from(FrameType),
    flags=st.integers(0, 0x1F),
    channel=st.integers(0, 0xFFFF),
    seq=st.integers(0, 255),
    ack=st.integers(0, 255),
    payload=st.binary(max_size=MAX_PAYLOAD),
)


@settings(derandomize=True, max_examples=300)
@given(_frames)
def test_round_trip(frame: Frame) -> None:
    image = encode(frame)
    assert 0 not in image[1:-1]
    assert Deframer().feed(image, 0) == [frame]


@pytest.mark.parametrize(
    "frame",
    [
        _ACK._replace(payload=bytes(MAX_PAYLOAD + 1)),
        _ACK._replace(flags=0x20),
        _ACK._replace(channel=0x10000),
        _ACK._replace(seq=256),
        _ACK._replace(ack=-1),
    ],
)
def test_what_does_not_fit_is_our_own_fault(frame: Frame) -> None:
    with pytest.raises(LocalError):
        encode(frame)


# --- the stream ---------------------------------------------------------------------------------


def test_a_frame_may_be_cut_at_every_byte() -> None:
    image = encode(_REQ)
    for cut in range(len(image) + 1):
        deframer = Deframer()
        frames = deframer.feed(image[:cut], 0) + deframer.feed(image[cut:], 1)
        assert frames == [_REQ]


def test_byte_by_byte() -> None:
    deframer = Deframer()
    stream = encode(_REQ) + encode(_LONG) + encode(_ACK)
    frames = [f for at in range(len(stream)) for f in deframer.feed(stream[at : at + 1], at)]
    assert frames == [_REQ, _LONG, _ACK]


def test_neighbours_may_share_a_delimiter() -> None:
    stream = encode(_REQ) + encode(_ACK)[1:] + encode(_LONG)[1:]
    assert Deframer().feed(stream, 0) == [_REQ, _ACK, _LONG]


def test_delimiters_alone_are_nothing() -> None:
    deframer = Deframer()
    assert deframer.feed(bytes(1000), 0) == []
    assert deframer.damaged == 0
    assert not deframer.mid_frame


@settings(derandomize=True, max_examples=100)
@given(st.lists(_frames, max_size=4), st.binary(max_size=40), st.randoms(use_true_random=False))
def test_frames_survive_garbage_between_them(
    frames: list[Frame], garbage: bytes, rng: random.Random
) -> None:
    stream = b"".join(garbage + encode(frame) for frame in frames)
    deframer = Deframer()
    seen = []
    while stream:
        cut = rng.randint(1, 60)
        seen += deframer.feed(stream[:cut], 0)
        stream = stream[cut:]
    assert seen == frames


def test_garbage_at_length_holds_no_memory_and_hides_no_frame() -> None:
    rng = random.Random(7)
    deframer = Deframer()
    for _ in range(200):
        noise = bytes(rng.choices(range(1, 256), k=1000))
        assert deframer.feed(noise, 0) == []
        assert len(deframer._partial) <= MAX_BODY
    assert deframer.feed(encode(_REQ), 0) == [_REQ]
    assert deframer.counters.length == 1


def test_random_bytes_are_never_a_frame() -> None:
    rng = random.Random(8)
    deframer = Deframer()
    assert deframer.feed(rng.randbytes(300_000), 0) == []
    counters = deframer.counters
    assert counters.length + counters.check_form + counters.crc > 1000


def test_mid_frame_is_from_the_first_byte_to_the_delimiter() -> None:
    deframer = Deframer()
    assert not deframer.mid_frame
    deframer.feed(b"\0", 0)
    assert not deframer.mid_frame
    deframer.feed(b"\0\x05", 0)
    assert deframer.mid_frame
    deframer.feed(b"\0", 0)
    assert not deframer.mid_frame


def test_an_unfinished_frame_is_dropped_2_s_after_its_last_byte() -> None:
    image = encode(_REQ)
    deframer = Deframer()
    deframer.feed(image[:5], 0)
    deframer.feed(image[5:9], 1_500_000)
    assert deframer.deadline_us == 1_500_000 + PARTIAL_US
    deframer.expire(1_500_000 + PARTIAL_US - 1)
    assert deframer.mid_frame
    deframer.expire(1_500_000 + PARTIAL_US)
    assert not deframer.mid_frame
    assert deframer.deadline_us is None
    assert deframer.counters.expired == 1
    assert deframer.feed(image[9:], 4_000_000) == []
    assert deframer.feed(image, 4_000_000) == [_REQ]


# --- refusals, in the order of the checks -------------------------------------------------------


@pytest.mark.requirement("R-218")
@pytest.mark.parametrize("frame", [_ACK, _REQ], ids=["ack", "request"])
@pytest.mark.parametrize("flips", [1, 2])
def test_every_flip_of_one_or_two_bits_is_seen(frame: Frame, flips: int) -> None:
    image = encode(frame)
    number = int.from_bytes(image, "little")
    for bits in combinations(range(8 * len(image)), flips):
        mask = sum(1 << bit for bit in bits)
        hit = (number ^ mask).to_bytes(len(image), "little")
        assert Deframer().feed(b"\0" + hit + b"\0", 0) == []


def test_every_flip_of_one_bit_in_a_full_frame_is_seen() -> None:
    image = encode(_LONG)
    for bit in range(8, 8 * (len(image) - 1)):
        hit = bytearray(image)
        hit[bit // 8] ^= 1 << bit % 8
        assert Deframer().feed(bytes(hit), 0) == []


@pytest.mark.parametrize("length", [1, 2, 3, 4, 13])
def test_too_short(length: int) -> None:
    deframer = _refused(b"\0" + b"\x85" * length + b"\0")
    assert deframer.counters.length == 1
    assert deframer.damaged == (length >= 4)


@pytest.mark.parametrize("length", [496, 5000])
def test_too_long(length: int) -> None:
    deframer = _refused(b"\0" + b"\x85" * length + b"\0")
    assert deframer.counters.length == 1
    assert deframer.damaged == 1


@pytest.mark.parametrize("place", range(CHECK_BYTES))
def test_ill_formed_check_bytes(place: int) -> None:
    image = bytearray(encode(_ACK))
    image[-2 - place] = (image[-2 - place] & 0x7F) or 1
    assert _refused(bytes(image)).counters.check_form == 1


@pytest.mark.parametrize("spare", [0x10, 0x20, 0x40])
def test_spare_bits_of_the_check_are_zero(spare: int) -> None:
    image = bytearray(encode(_ACK))
    image[-2] ^= spare
    assert _refused(bytes(image)).counters.check_form == 1


def test_wrong_crc() -> None:
    image = bytearray(encode(_ACK))
    image[-3] ^= 1
    assert _refused(bytes(image)).counters.crc == 1


def test_stuffing_that_runs_over_the_end() -> None:
    body = b"\x20" + b"\x11" * 8
    check = spread_crc(crc32c(body)).to_bytes(CHECK_BYTES, "little")
    assert _refused(b"\0" + body + check + b"\0").counters.cobs == 1


@pytest.mark.parametrize("version", [0, 2, 3, 4, 5, 6, 7])
def test_other_versions_are_counted_not_read(version: int) -> None:
    deframer = _refused(_sealed(_header(first=version << 5 | FrameType.REQ)))
    assert deframer.counters.version == 1
    assert deframer.damaged == 0


@pytest.mark.parametrize("number", sorted(set(range(32)) - set(FrameType)))
def test_unknown_types(number: int) -> None:
    assert _refused(_sealed(_header(first=0x20 | number))).counters.type == 1


@pytest.mark.parametrize("flag", [0x20, 0x40, 0x80])
def test_flags_that_must_be_zero(flag: int) -> None:
    assert _refused(_sealed(_header(flags=flag))).counters.flags == 1


@pytest.mark.parametrize(
    ("length", "payload"), [(1, b""), (0, b"x"), (479, bytes(480)), (65535, b"abc")]
)
def test_a_lying_length_field(length: int, payload: bytes) -> None:
    assert _refused(_sealed(_header(length=length, payload=payload))).counters.length_field == 1


def test_only_damage_counts_as_damage() -> None:
    deframer = Deframer()
    deframer.feed(_sealed(_header(flags=0x80)) + _sealed(_header(length=9)), 0)
    assert deframer.damaged == 0
    deframer.feed(encode(_REQ)[:-4] + b"\0", 0)
    assert deframer.damaged == 1
