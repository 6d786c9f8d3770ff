"""Hardware random numbers, which here are the world's: the same seed gives the same numbers."""

from typing import Final

from emulator.world import Stream
from hal.errors import HalUsageError

_READ_MAX_BYTES: Final = 64


class Entropy:
    """`hal.Entropy`."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def read(self, length: int) -> bytes:
        """Return 1..64 random bytes. Raises HalUsageError outside that."""
        if not 1 <= length <= _READ_MAX_BYTES:
            raise HalUsageError(f"cannot read {length} random bytes at a time")
        return self.stream.getrandbits(8 * length).to_bytes(length, "little")
