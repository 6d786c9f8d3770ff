"""What to do when there is no stdout, or it takes no more: a reader that has gone, a full disk."""

import contextlib
import os
import sys


def stand_in() -> None:
    """Open what the caller has closed, as with `>&-`: nothing is read, what is written is lost.

    Python leaves `None` there, and the next file that is opened, a port, would get the number.
    """
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def drop() -> None:
    """Give stdout somewhere to go: Python flushes it once more at exit."""
    with contextlib.suppress(OSError):  # no descriptor, nothing to flush into
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
