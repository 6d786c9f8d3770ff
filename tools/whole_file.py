"""A file that is there whole or not at all, whatever ends the process that writes it."""

import os
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Put a file in its place in one step, replacing one that is there; on the disk on return.

    Only its owner may read it. Raises OSError, with `path` as it was.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
