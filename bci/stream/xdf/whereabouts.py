"""Where an open file is by now: it, or a folder above it, may have been moved since it was opened."""

from __future__ import annotations

import os
import sys
from pathlib import Path

F_GETPATH = 50  # <sys/fcntl.h> of macOS


def whereabouts(handle: int, path: Path) -> Path | None:
    """Path of an open file.

    Parameters
    ----------
    handle : int
    path : Path
        Where it was.

    Returns
    -------
    Path or None
        ``path`` while the file is there; where it was moved to; None where that cannot be known.

    Raises
    ------
    OSError
        If the open file cannot be asked.
    """
    if _is(handle, path):
        return path
    found = _path_of(handle)
    if found is None:
        return None
    # Some network file systems give their files another number each time; then only the name can be compared.
    if found == Path(os.path.realpath(path)):
        return path
    return found if _is(handle, found) else None


def _is(handle: int, path: Path) -> bool:
    """Whether the file at ``path`` is the open one."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except OSError:
        return False


def _path_of(handle: int) -> Path | None:
    """Ask the operating system for the path of an open file."""
    try:
        if sys.platform == "linux":
            return Path(os.readlink(f"/proc/self/fd/{handle}"))
        if sys.platform == "darwin":
            from fcntl import fcntl

            return Path(os.fsdecode(fcntl(handle, F_GETPATH, bytes(1024)).rstrip(b"\0")))
    except OSError:
        return None
    return None
