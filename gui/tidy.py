"""Text that strangers wrote, as one short clean line."""

from pathlib import Path

LONGEST = 200


def tidy(text: object, longest: int = LONGEST) -> str:
    """Text of a stream as one line: control characters and line breaks become blanks, the rest is cut.

    >>> tidy("left\\r\\n\\x07RESET")
    'left RESET'
    """
    cut = str(text)[: 4 * longest]
    line = " ".join("".join(c if c.isprintable() else " " for c in cut).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def recording_name(path: Path) -> str:
    """What a recording is called, with blanks between its parts, where lines can break.

    >>> recording_name(Path("sub-P001_ses-S001_task-mi_run-001_eeg.xdf"))
    'sub-P001 ses-S001 task-mi run-001'
    """
    return tidy(path.stem.removesuffix("_eeg").replace("_", " "), 80)
