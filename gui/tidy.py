"""Text that strangers wrote, as one short clean line."""

LONGEST = 200


def tidy(text: object, longest: int = LONGEST) -> str:
    """Text of a stream as one line: control characters and line breaks become blanks, the rest is cut.

    >>> tidy("left\\r\\n\\x07RESET")
    'left RESET'
    """
    cut = str(text)[: 4 * longest]
    line = " ".join("".join(c if c.isprintable() else " " for c in cut).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
