"""Output that any terminal, pipe and code page takes: what cannot be shown is written as its nearest plain text."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

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
