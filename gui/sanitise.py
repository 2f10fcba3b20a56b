"""Texts from streams and files, made into one short line without control characters."""

from pathlib import Path

LONGEST = 200


def sanitise(text: object, longest: int = LONGEST) -> str:
    r"""Text of a stream as one line: control characters and line breaks become blanks, the rest is cut.

    Parameters
    ----------
    text : object
    longest : int, optional
        Longest text, characters.

    Examples
    --------
    >>> sanitise("left\r\n\x07RESET")
    'left RESET'
    """
    cut = str(text)[: 4 * longest]
    line = " ".join("".join(c if c.isprintable() else " " for c in cut).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def recording_name(path: Path) -> str:
    """Return the name of a recording, with blanks between its parts, where lines can break.

    Parameters
    ----------
    path : Path

    Examples
    --------
    >>> recording_name(Path("sub-P001_ses-S001_task-mi_run-001_eeg.xdf"))
    'sub-P001 ses-S001 task-mi run-001'
    """
    return sanitise(path.stem.removesuffix("_eeg").replace("_", " "), 80)
