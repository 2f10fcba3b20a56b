"""File names of recordings: like BIDS, with pseudonyms, and never those of an existing file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bci.errors import ConfigError
from bci.stream.xdf.check_log import log_path
from bci.stream.xdf.sidecar import sidecar_path

LONGEST_PART, LONGEST_PATH = 200, 2000
"""Of file systems in use 255 and 4096, of which the names of sidecar and model take some."""
_LABEL = re.compile(r"[A-Za-z0-9]{1,32}\Z")


def label(kind: str, value: str) -> str:
    """Check that a value can be part of a file name as BIDS wants it.

    Parameters
    ----------
    kind : str
        Of the value (``subject``, ``session``, …), for the message.
    value : str

    Returns
    -------
    str
        The value itself.

    Raises
    ------
    ConfigError
        If it is not one to 32 letters or digits.

    Examples
    --------
    >>> label("subject", "P003")
    'P003'
    """
    if not _LABEL.match(value):
        raise ConfigError(f"{kind} = {value!r}: must be 1 to 32 letters or digits (a pseudonym such as P003, never a name)")
    return value


def named_by(kind: str, path: Path) -> Path:
    """Check that files can have a path's names, with room for what is written beside a recording.

    Parameters
    ----------
    kind : str
        Of the path, for the message.
    path : Path

    Returns
    -------
    Path
        The path itself.

    Raises
    ------
    ConfigError
        If a part of it is too long, or contains a character that cannot be printed.
    """
    strange = sorted({c for c in str(path) if not c.isprintable()})
    if strange:
        raise ConfigError(f"{kind} = {str(path)[:80]!r}: holds {strange[0]!r}, which no name may contain")
    longest = max((len(part.encode("utf-8", "replace")) for part in path.parts), default=0)
    if longest > LONGEST_PART or len(str(path)) > LONGEST_PATH:
        raise ConfigError(
            f"{kind} = {str(path)[:80]!r}…: is too long ({len(str(path))} characters); each name in it may have {LONGEST_PART} "
            f"bytes, all of it {LONGEST_PATH} characters"
        )
    return path


def recording_path(
    out_dir: Path | str, subject: str, session: str, task: str, run: int | None = None, modality: str = "eeg"
) -> Path:
    """Path of the next recording: ``sub-P003/ses-1/eeg/sub-P003_ses-1_task-mi_run-001_eeg.xdf``.

    Names follow BIDS (https://bids-specification.readthedocs.io), as LabRecorder's do. XDF is not a BIDS
    format, so such a tree belongs into a data set's ``sourcedata/``.

    Parameters
    ----------
    out_dir : Path or str
    subject, session, task, modality : str
        Letters and digits.
    run : int or None
        Wanted run; where that exists already, or for None, the next free one is taken.

    Raises
    ------
    ConfigError
        If a label is not made of letters and digits; all such are listed.
    """
    problems: list[str] = []
    for kind, value in (("subject", subject), ("session", session), ("task", task), ("modality", modality)):
        try:
            label(kind, value)
        except ConfigError as error:
            problems += error.problems
    if run is not None and not 0 <= run <= 9999:
        problems.append(f"run = {run}: must be 0 to 9999")
    if problems:
        raise ConfigError(problems)
    folder = Path(out_dir) / f"sub-{subject}" / f"ses-{session}" / modality
    number = 1 if run is None else run
    while True:
        path = folder / f"sub-{subject}_ses-{session}_task-{task}_run-{number:03d}_{modality}.xdf"
        if _free(path):
            return path
        number += 1


def free_path(path: Path) -> Path:
    """Find a path that does not exist yet.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Path
        The path itself, or the first of ``NAME-2``, ``NAME-3``, …
    """
    candidate, number = path, 2
    while not _free(candidate):
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate


def _free(path: Path) -> bool:
    """Whether neither a recording of this name is there nor what belongs to one, not even a link that leads nowhere."""
    return not any(os.path.lexists(p) for p in (path, sidecar_path(path), log_path(path)))
