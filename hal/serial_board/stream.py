"""The serial line as this end sees it: bytes out, bytes in, and time that passes."""

from typing import Protocol


class ByteStream(Protocol):
    """A full-duplex byte stream and the clock beside it. Any cut of the bytes is allowed.

    Every method raises `hal.errors.HalLost` when the line is gone.
    """

    def now_us(self) -> int:
        """Monotonic time of this end, us >= 0 from any origin."""
        ...

    def write(self, data: bytes) -> int:
        """Send bytes; return at once how many were taken (0..len(data))."""
        ...

    def read(self, max_bytes: int) -> bytes:
        """Return at once up to `max_bytes` received bytes; b"" when there are none."""
        ...

    def wait(self, until_us: int) -> None:
        """Let time pass until there are bytes to read, or `until_us` of `now_us`.

        After a `write` that took only a part, also until there is room again.
        """
        ...


class Line(ByteStream, Protocol):
    """A byte stream that can be opened again after it was lost."""

    def open(self) -> None:
        """Open it. Raises HalLost."""
        ...
