"""What to do when stdout takes no more: a reader that has gone, a full disk."""

import contextlib
import os
import sys


def drop() -> None:
    """Give stdout somewhere to go: Python flushes it once more at exit."""
    with contextlib.suppress(OSError):  # no descriptor, nothing to flush into
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
