"""Files that are named by a person or another program, read with a limit of size and time.

A name may lead to a named pipe, which waits for ever, to ``/dev/zero``, which never ends, or to a file that grows while it is
read. Only regular files are opened, without waiting, and never more is read than may be there.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import time
from pathlib import Path

LONGEST_S = 5.0
PIECE_BYTES = 1 << 20
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path | str, follow: bool = True) -> io.BufferedReader:
    """Open a regular file for reading.

    Parameters
    ----------
    path : Path or str
    follow : bool
        Open what a symbolic link leads to; otherwise a link is refused, where the system can tell.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file; ``strerror`` says what it is instead.
    """
    try:
        # Looked at before, because a device may do something when it is opened; and after, because names change.
        _require_regular(os.stat(path).st_mode, path)
        handle = os.open(path, os.O_RDONLY | _AT_ONCE | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    except ValueError as error:  # a NUL, or half of a character
        raise OSError(errno.EINVAL, f"is not a path: {error}", repr(str(path))) from error
    try:
        _require_regular(os.fstat(handle).st_mode, path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path | str, most_bytes: int, longest_s: float = LONGEST_S) -> bytes:
    """Read all bytes of a regular file.

    Parameters
    ----------
    path : Path or str
    most_bytes : int
        More are not read.
    longest_s : float
        A file that takes longer (a network folder that hardly answers) is given up.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file, or is larger or slower than that; ``strerror`` says which.
    """
    found, until = io.BytesIO(), time.monotonic() + longest_s  # gives its bytes away without a copy
    with open_regular(path) as file:
        _require_small(os.fstat(file.fileno()).st_size, most_bytes, path)
        while piece := file.read(min(PIECE_BYTES, most_bytes + 1 - found.tell())):
            found.write(piece)
            _require_small(found.tell(), most_bytes, path)
            if time.monotonic() > until:
                raise OSError(errno.ETIMEDOUT, f"took more than {longest_s:g} s to read; check its disk or network", str(path))
    return found.getvalue()


def _require_regular(mode: int, path: Path | str) -> None:
    kind = stat.S_IFMT(mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"is {_KINDS.get(kind, 'no file')}, not a file", str(path))


def _require_small(size: int, most_bytes: int, path: Path | str) -> None:
    if size > most_bytes:
        raise OSError(errno.EFBIG, f"is larger than {_words(most_bytes)}, the most that such a file may have", str(path))


def _words(n_bytes: int) -> str:
    """A limit for people.

    >>> _words(32 << 20), _words(300 << 10)
    ('32 MiB', '300 KiB')
    """
    return f"{n_bytes >> 20} MiB" if n_bytes >= 1 << 20 else f"{n_bytes >> 10} KiB"
