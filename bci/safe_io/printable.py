"""Texts of other programs, made fit for a terminal."""

from __future__ import annotations

MOST = 300


def printable(text: object, most: int = MOST) -> str:
    r"""A text as a terminal may show it: one line, no control characters, not endless.

    What stands in for a character is ``?``: other programs can send escape sequences that move the cursor or set
    colours, and characters that turn the direction of writing.

    Parameters
    ----------
    text : object
        Anything; what is no text is shown as Python writes it.
    most : int
        Characters.

    Examples
    --------
    >>> printable("left\x1b[2J\nhand")
    'left?[2J?hand'
    """
    found = text if isinstance(text, str) else repr(text)
    cut = found if len(found) <= most else f"{found[:most]}…"
    return "".join(c if c.isprintable() else "?" for c in cut)
