"""COBS: the block edges by hand, everything else by round trip and a byte-by-byte oracle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import cobs
from protocol.errors import RemoteError

_X = b"\x11"
_EDGES = [
    (b"", "01"),
    (b"\0", "01 01"),
    (b"\0\0", "01 01 01"),
    (b"\x11", "02 11"),
    (b"\x11\0", "02 11 01"),
    (b"\0\x11", "01 02 11"),
    (b"\x11\x22\0\x33", "03 11 22 02 33"),
    (_X * 253, "fe" + "11" * 253),
    (_X * 254, "ff" + "11" * 254),
    (_X * 255, "ff" + "11" * 254 + "02 11"),
    (_X * 253 + b"\0", "fe" + "11" * 253 + "01"),
    (_X * 254 + b"\0", "ff" + "11" * 254 + "01 01"),
    (_X * 254 + b"\0" + _X, "ff" + "11" * 254 + "01 02 11"),
    (b"\0" + _X * 254, "01 ff" + "11" * 254),
    (_X * 508, ("ff" + "11" * 254) * 2),
    (_X * 509, ("ff" + "11" * 254) * 2 + "02 11"),
]
_ids = [f"{len(data)}-bytes-{index}" for index, (data, _) in enumerate(_EDGES)]

_runs = st.lists(st.tuples(st.binary(max_size=3), st.integers(0, 600)), max_size=4)
_data = st.one_of(
    st.binary(max_size=520),
    _runs.map(lambda runs: b"".join(part + _X * count for part, count in runs)),
)


def _oracle(data: bytes) -> bytes:
    """Encode one byte at a time, as the paper does."""
    out = bytearray(1)
    code_at, code = 0, 1
    for index, byte in enumerate(data):
        if byte:
            out.append(byte)
            code += 1
        if not byte or (code == 255 and index + 1 < len(data)):
            out[code_at] = code
            code_at, code = len(out), 1
            out.append(0)
    out[code_at] = code
    return bytes(out)


@pytest.mark.parametrize(("data", "encoded"), _EDGES, ids=_ids)
def test_block_edges(data: bytes, encoded: str) -> None:
    assert cobs.encode(data) == bytes.fromhex(encoded)
    assert cobs.decode(bytes.fromhex(encoded)) == data


@settings(derandomize=True, max_examples=300)
@given(_data)
def test_round_trip(data: bytes) -> None:
    encoded = cobs.encode(data)
    assert cobs.decode(encoded) == data
    assert encoded == _oracle(data)
    assert 0 not in encoded
    assert len(encoded) <= len(data) + max(1, -(-len(data) // cobs.FULL))


@settings(derandomize=True, max_examples=300)
@given(st.binary(max_size=300))
def test_decoding_is_total(encoded: bytes) -> None:
    try:
        data = cobs.decode(encoded)
    except RemoteError:
        return
    assert cobs.decode(cobs.encode(data)) == data


@pytest.mark.parametrize(
    "encoded", ["", "00", "03 11", "05 11 22 33", "02 11 00", "ff 11", "01 03"]
)
def test_what_is_no_encoding_is_refused(encoded: str) -> None:
    with pytest.raises(RemoteError):
        cobs.decode(bytes.fromhex(encoded))


def test_the_longer_form_of_other_encoders_is_understood() -> None:
    assert cobs.decode(b"\xff" + _X * 254 + b"\x01") == _X * 254
