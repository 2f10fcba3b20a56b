"""Files and folders that only their owner can read: brain signals are health data.

What is made here is readable by its owner only, whatever the user's ``umask`` is; folders and files that are there already
keep the rights that somebody gave them. Windows has other means: there, files inherit the rights of their folder.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE, FOLDER = 0o600, 0o700


@contextmanager
def everything() -> Iterator[None]:
    """Let only the owner read the files that this process, and the programs that it starts, make meanwhile."""
    before = os.umask(0o777 & ~FOLDER)
    try:
        yield
    finally:
        os.umask(before)


def opener(name: str, flags: int) -> int:
    """Create a file that only its owner can read, as the ``opener`` of :func:`open`.

    Parameters
    ----------
    name : str
        Path of the file.
    flags : int
        As :func:`os.open` takes them.

    Returns
    -------
    int
        File descriptor.
    """
    return os.open(name, flags, FILE)


def make_folder(path: Path) -> None:
    """Make a folder that only its owner can read, and those above it that are missing.

    Parameters
    ----------
    path : Path
        Folder; it may be there already.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=FOLDER, exist_ok=True)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
