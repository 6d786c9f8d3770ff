"""CRC-32C against a table version written from its definition, and what it is trusted to see."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.crc import backend, crc32c

_REFLECTED_POLYNOMIAL = 0x82F63B78


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_REFLECTED_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_table_entry(byte) for byte in range(256)]


def _oracle(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0x00000000),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_published_values(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc
    assert _oracle(data) == crc


@settings(derandomize=True, max_examples=200)
@given(st.binary(max_size=600))
def test_equals_the_table_version(data: bytes) -> None:
    assert crc32c(data) == _oracle(data)


def test_sees_every_burst_of_up_to_32_bits() -> None:
    data = bytes(range(40))
    good = crc32c(data)
    number = int.from_bytes(data, "little")
    bursts = [1, 3, 0x80000001, 0xFFFFFFFF, 0xDEADBEEF, 0xA5A5A5A5]
    for burst in bursts:
        for shift in range(8 * len(data) - burst.bit_length() + 1):
            hit = (number ^ burst << shift).to_bytes(len(data), "little")
            assert crc32c(hit) != good


def test_the_backend_is_named() -> None:
    assert backend() in ("C extension", "plain Python")
