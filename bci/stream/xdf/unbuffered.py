"""Writing to files without a buffer in between, where the system may take a part only."""

from __future__ import annotations

import errno
from io import RawIOBase


def write_whole(file: RawIOBase, raw: bytes) -> None:
    """Have the system take all of some bytes, in as many calls as that needs.

    Parameters
    ----------
    file : RawIOBase
        Unbuffered.
    raw : bytes

    Raises
    ------
    OSError
        If it takes no more; a part may be written then.
    """
    rest = memoryview(raw)
    while rest:
        n = file.write(rest)
        if not n:
            raise OSError(errno.EIO, "the operating system accepts no more bytes")
        rest = rest[n:]
