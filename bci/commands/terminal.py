"""Output that any terminal, pipe and code page takes: what cannot be shown is written as its nearest plain text."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata
from typing import Any

NAME = "bci-plain"
_PLAIN = {
    "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "·": ".", "•": "*", "…": "...", "×": "x", "±": "+/-", "→": "->", "←": "<-",
    "▶": ">", "◀": "<", "↑": "^", "↓": "v", "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "“": '"', "”": '"', "„": '"', "‘": "'",
    "’": "'", "«": '"', "»": '"', "μ": "u", "°": " deg", "Ω": "Ohm", "σ": "sigma", "√": "sqrt", "✓": "ok",
    "✔": "ok", "✗": "x", "✘": "x", "█": "#", "▇": "#", "▆": "#", "▅": "#", "▄": "#", "▃": "=", "▂": "-", "▁": "_", "░": ".",
    "▒": ":", "▓": "#", "━": "-", "╸": "-", "╺": "-", "─": "-", "│": "|", "├": "+", "└": "+", "┤": "+", "┬": "+", "┴": "+",
    "┼": "+", "●": "*", "○": "o", "■": "#", "□": "o", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
}  # fmt: skip


def plain(text: str) -> str:
    """Text in ASCII, as near to what it was as that allows.

    Parameters
    ----------
    text : str
        Any characters.

    Examples
    --------
    >>> plain("12 µV – ≥ 3 · café")
    '12 uV - >= 3 . cafe'
    """
    return "".join(_PLAIN.get(c) or _PLAIN.get(unicodedata.normalize("NFKC", c)) or _letters(c) for c in text)


def _letters(character: str) -> str:
    """A letter without its accents; a question mark where nothing in ASCII comes near."""
    apart = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii")
    return apart or ("" if unicodedata.combining(character) else "?")


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands in for characters that a code page lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end


def take_any_character() -> None:
    """Let standard output and error write whatever this program says, under every encoding.

    A file on Windows is written in the computer's code page, and names of files may hold bytes that are no text; without
    this, a command that did all its work would die of the sentence that reports it. An error handler that somebody chose
    (``PYTHONIOENCODING=cp1252:replace``) stays.
    """
    codecs.register_error(NAME, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "backslashreplace", "surrogateescape"):
            stream.reconfigure(errors=NAME)


class _Lasting(io.FileIO):
    """An open file of the system's; what it does not take is dropped."""

    def write(self, data: Any, /) -> int:
        """Write, or drop."""
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def outlive_the_terminal() -> None:
    """Let this program come to its end in good order where its words reach nobody any more.

    A terminal that was closed, a pipe whose reader has ended (``bci run 2>&1 | tee`` and Ctrl-C) and a full disk refuse
    what is written; the error would come in the middle of the order in which actuator, recording and processes are ended.
    A pipe on standard output is left alone: whoever reads a result and ends (``bci info | head``) ends the program.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is not io.TextIOWrapper or type(getattr(stream.buffer, "raw", stream.buffer)) is not io.FileIO:
            continue  # what a test reads, a console of Windows, or done already
        if name == "stderr" or stream.isatty():
            raw = io.BufferedWriter(_Lasting(stream.fileno(), "w", closefd=False))
            setattr(sys, name, io.TextIOWrapper(raw, stream.encoding, stream.errors, line_buffering=True))
