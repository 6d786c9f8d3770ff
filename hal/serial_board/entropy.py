"""Random numbers of the controller's own host: they do not cross the line, where they are heard."""

import os
from collections.abc import Callable
from typing import Final

from hal.errors import HalUsageError

RandomBytes = Callable[[int], bytes]
"""Returns as many random bytes as asked."""
HOST: Final[RandomBytes] = os.urandom
_READ_MAX_BYTES: Final = 64


class HostEntropy:
    """`hal.Entropy`."""

    def __init__(self, source: RandomBytes) -> None:
        self._source = source

    def read(self, length: int) -> bytes:
        """Return 1..64 random bytes. Raises HalUsageError outside that."""
        if not 1 <= length <= _READ_MAX_BYTES:
            raise HalUsageError(f"cannot read {length} random bytes at a time")
        return self._source(length)
