"""The telemetry radio: two bounded byte queues, one end for the pump, one for the outside."""

from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from emulator.world import Stream, World
from hal.interrupts import TELEMETRY_RX, TELEMETRY_TX

QUEUE_MAX_BYTES: Final = 16 * 1024
"""Each direction: several of the largest frames, so that no frame has to wait for itself."""
_GAPS_MAX: Final = 4096
"""Longest run of good bits decided by one draw."""
_DRAW_BITS: Final = 48


class Noise:
    """Flips each bit with the same probability, `ber_ppb` / 10^9 (1..10^9).

    The run of good bits before the next bad one is drawn at once: the table holds the chance that
    the first k bits are all good (negated, for the binary search), made with integers only.
    """

    def __init__(self, stream: Stream, ber_ppb: int) -> None:
        self._stream = stream
        self._falling: list[int] = []
        chance = 1 << _DRAW_BITS
        while chance and len(self._falling) < _GAPS_MAX:
            chance = chance * (1_000_000_000 - ber_ppb) // 1_000_000_000
            self._falling.append(-chance)
        self._gap = self._draw_gap()

    def spoil(self, data: bytes) -> bytes:
        """Return the bytes as they come out at the other end."""
        spoiled = bytearray(data)
        bits = len(data) * 8
        place = self._gap
        while place < bits:
            spoiled[place >> 3] ^= 1 << (place & 7)
            place += 1 + self._draw_gap()
        self._gap = place - bits
        return bytes(spoiled)

    def _draw_gap(self) -> int:
        gap = 0
        while True:
            run = self._draw_run()
            gap += run
            if run < len(self._falling):
                return gap

    def _draw_run(self) -> int:
        draw = self._stream.getrandbits(_DRAW_BITS)
        return bisect_left(self._falling, -draw)


class Telemetry:
    """`hal.TelemetryLink`, and the host's end of it: `host_write`, `host_read`."""

    def __init__(self, world: World, raise_interrupt: Callable[[int], None]) -> None:
        self._raise = raise_interrupt
        self._to_pump = bytearray()
        self._to_host = bytearray()
        self._refused = False
        self._streams = (world.stream("telemetry.to_pump"), world.stream("telemetry.to_host"))
        self._noise: tuple[Noise, Noise] | None = None
        self.near_field = True
        """A programmer's head is near; set by the bench."""
        self.powered = True
        """Without power, bytes from the outside vanish."""

    # hal.TelemetryLink

    @property
    def field_present(self) -> bool:
        """True while a programmer's head is near."""
        return self.near_field

    def read(self, max_bytes: int) -> bytes:
        """Take up to `max_bytes` received bytes."""
        data = bytes(self._to_pump[:max_bytes])
        del self._to_pump[:max_bytes]
        return data

    def write(self, data: bytes) -> int:
        """Queue bytes for sending; return how many were taken."""
        taken = bytes(data[: QUEUE_MAX_BYTES - len(self._to_host)])
        self._refused = len(taken) < len(data)
        self._to_host += self._noise[1].spoil(taken) if self._noise else taken
        return len(taken)

    # The outside

    def host_write(self, data: bytes) -> int:
        """Send bytes to the pump; return how many were taken, for the sender to hold the rest."""
        if not self.powered:
            return len(data)
        taken = bytes(data[: QUEUE_MAX_BYTES - len(self._to_pump)])
        if taken:
            self._to_pump += self._noise[0].spoil(taken) if self._noise else taken
            self._raise(TELEMETRY_RX)
        return len(taken)

    def host_read(self) -> bytes:
        """Take all that the pump has sent."""
        data = bytes(self._to_host)
        self._to_host.clear()
        if self._refused:
            self._refused = False
            self._raise(TELEMETRY_TX)
        return data

    def set_noise(self, ber_ppb: int) -> None:
        """Flip bits in both directions, `ber_ppb` of 10^9; 0 ends it."""
        to_pump, to_host = self._streams
        self._noise = (Noise(to_pump, ber_ppb), Noise(to_host, ber_ppb)) if ber_ppb else None

    def reset(self) -> None:
        """Lose what waits in both queues."""
        self._to_pump.clear()
        self._to_host.clear()
        self._refused = False
