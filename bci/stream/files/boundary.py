"""The boundary to readers of other projects: whatever they raise becomes one sentence about the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bci.errors import BciError, RecordingError

LEAST_SIGNS = 30
LOOKED_AT = 1 << 20
"""Bytes; what was done to a file as if it were text shows in any part of it."""
_BEYOND_ASCII = bytes(range(128, 256))


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn everything that reading a file may raise into a RecordingError with path, cause and remedy.

    Readers of damaged files were seen to raise nearly anything (MNE a bare ``Exception`` among it), so this one place
    catches all of it: a file may be refused, and never ends the program with a traceback.

    Parameters
    ----------
    path : Path
        Of the file, for the message.

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
            f"{path}: reading it needs more memory than this computer has. If the file is small, its header is damaged; "
            "otherwise cut it into shorter recordings"
        ) from error
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:
        message = " ".join(str(error).split())[:300]
        raise RecordingError(
            f"{path}: is damaged or not a file of its type ({type(error).__name__}{': ' if message else ''}{message}). "
            "Copy it again from where it was recorded, or export it again with the program that wrote it"
        ) from error


def changed_as_text(content: bytes) -> str:
    r"""Describe what a transfer for text did to binary data.

    Among arbitrary bytes one line feed in 256 follows a carriage return, and hardly three bytes are the replacement character
    of UTF-8.

    Parameters
    ----------
    content : bytes
        Of the file.

    Returns
    -------
    str
        Empty where nothing of the kind shows.

    Examples
    --------
    >>> whole = bytes(range(256)) * 40
    >>> changed_as_text(whole), changed_as_text(whole.replace(b"\n", b"\r\n"))
    ('', 'a carriage return stands before each of its line feeds')
    >>> changed_as_text(whole.decode("utf-8", "replace").encode())
    'bytes that are no text were replaced'
    """
    ends = content.count(b"\n")
    if ends >= LEAST_SIGNS and content.count(b"\r\n") >= 0.99 * ends:
        return "a carriage return stands before each of its line feeds"
    replaced = content.count("\ufffd".encode())
    if replaced >= LEAST_SIGNS and 3 * replaced >= 0.9 * (len(content) - len(content.translate(None, _BEYOND_ASCII))):
        return "bytes that are no text were replaced"
    return ""


def refuse_text_transfer(path: Path, start: int = 0) -> None:
    """Refuse a binary file that was changed as if it were text: no value in it is what it was.

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
        refuse_changed(path, file.read(LOOKED_AT))


def refuse_changed(path: Path, content: bytes) -> None:
    """Refuse a file that a transfer for text has changed.

    Parameters
    ----------
    path : Path
        Of the file, for the message.
    content : bytes
        The bytes of the file that are checked.

    Raises
    ------
    RecordingError
        If they were changed.
    """
    what = changed_as_text(content)
    if what:
        raise RecordingError(
            f"{path}: was changed when it was copied here: {what}, as a transfer for text does (FTP in ASCII mode, git's "
            "autocrlf, e-mail, an editor). Its values are lost in this copy; copy the file again as binary"
        )
