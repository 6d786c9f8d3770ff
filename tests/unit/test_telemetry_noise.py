"""Noise on the telemetry link: the rate asked for, from the seed alone, in any portions."""

import pytest
from rig import Rig

from emulator.devices.telemetry import QUEUE_MAX_BYTES, Noise
from emulator.world import World


def _flips(noise: Noise, length: int) -> int:
    return int.from_bytes(noise.spoil(bytes(length)), "big").bit_count()


@pytest.mark.parametrize(
    ("ber_ppb", "length"),
    [
        (1_000, 500_000), (100_000, 500_000), (1_000_000, 500_000),
        (50_000_000, 100_000), (500_000_000, 20_000),
    ],
)  # fmt: skip
def test_the_share_of_bad_bits_is_the_one_asked_for(ber_ppb: int, length: int) -> None:
    expected = 8 * length * ber_ppb / 1e9
    flips = _flips(Noise(World(1).stream("noise"), ber_ppb), length)
    assert abs(flips - expected) <= 5 * expected**0.5  # five standard deviations


def test_certain_noise_flips_every_bit() -> None:
    assert Noise(World(1).stream("noise"), 10**9).spoil(b"\x00\xf0") == b"\xff\x0f"


def test_the_same_seed_spoils_the_same_bits_in_any_portions() -> None:
    data = bytes(range(256)) * 8
    whole = Noise(World(1).stream("noise"), 10_000_000).spoil(data)
    parts = Noise(World(1).stream("noise"), 10_000_000)
    assert b"".join(parts.spoil(data[at : at + 100]) for at in range(0, len(data), 100)) == whole
    assert whole != data
    assert Noise(World(2).stream("noise"), 10_000_000).spoil(data) != whole


def test_noise_spoils_both_directions_differently_until_it_ends() -> None:
    link = Rig().board.link
    link.set_noise(20_000_000)
    link.host_write(bytes(1000))
    link.write(bytes(1000))
    to_pump, to_host = link.read(2000), link.host_read()
    assert to_pump != bytes(1000) != to_host
    assert to_pump != to_host
    link.set_noise(0)
    link.host_write(bytes(1000))
    assert link.read(2000) == bytes(1000)


def test_what_the_pump_cannot_take_is_left_to_the_sender() -> None:
    link = Rig().board.link
    data = bytes(range(256)) * 65
    assert link.host_write(data) == QUEUE_MAX_BYTES
    assert link.host_write(b"x") == 0
    assert link.read(1 << 20) == data[:QUEUE_MAX_BYTES]


def test_an_unpowered_pump_hears_nothing() -> None:
    rig = Rig()
    rig.board.power_cut(1_000_000)
    assert rig.board.link.host_write(b"abc") == 3
    rig.world.run_until(2_000_000)
    assert rig.board.link.read(10) == b""
