"""Where other people's readers end: whatever they raise becomes one sentence about the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bci.errors import BciError, RecordingError

LEAST_LINE_ENDS = 30
LOOKED_AT = 1 << 20
"""Bytes; a damage of every line end shows in any part of a file."""


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn everything that reading a file may raise into a RecordingError with path, cause and remedy.

    Readers of damaged files were seen to raise nearly anything (MNE a bare ``Exception`` among it), so this one place
    catches all of it: a file may be refused, and never ends the program with a traceback.

    Raises
    ------
    RecordingError
    """
    try:
        yield
    except BciError:
        raise
    except MemoryError as error:
        raise RecordingError(
            f"{path}: reading it needs more memory than this computer has. If it is not that large, its header is damaged; "
            "otherwise cut it into shorter recordings"
        ) from error
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise RecordingError(
            f"{path}: is damaged or no file of its type ({type(error).__name__}{': ' if said else ''}{said}). "
            "Copy it again from where it was recorded, or export it anew with the program that wrote it"
        ) from error


def text_transferred(content: bytes) -> bool:
    """Whether binary data went through a transfer for text: every line feed then has a carriage return before it.

    Among arbitrary bytes one line feed in 256 has one.

    >>> text_transferred(bytes(range(256)) * 40), text_transferred((bytes(range(256)) * 40).replace(b"\\n", b"\\r\\n"))
    (False, True)
    """
    ends = content.count(b"\n")
    return ends >= LEAST_LINE_ENDS and content.count(b"\r\n") >= 0.99 * ends


def refuse_text_transfer(path: Path, start: int = 0) -> None:
    """Refuse a binary file whose line feeds have all got carriage returns: no value in it is what it was.

    Parameters
    ----------
    path : Path
    start : int
        First byte to look at: behind a header that is text.

    Raises
    ------
    RecordingError
    """
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(LOOKED_AT)
    if text_transferred(content):
        raise RecordingError(transfer_message(path))


def transfer_message(path: Path) -> str:
    """What to say of a file that a transfer for text has changed."""
    return (
        f"{path}: was changed on its way here: a carriage return stands before each of its line feeds, as a transfer for "
        "text puts it there (FTP in ASCII mode, git's autocrlf, e-mail). Its values are lost in this copy; copy the file "
        "again as binary"
    )
