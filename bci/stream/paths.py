"""Where recordings go: BIDS-like names made of pseudonyms, and never an existing file."""

from __future__ import annotations

import re
from pathlib import Path

from bci.errors import ConfigError
from bci.stream.sidecar import sidecar_path

_LABEL = re.compile(r"[A-Za-z0-9]{1,32}\Z")


def label(kind: str, value: str) -> str:
    """``value`` if it can be part of a file name as BIDS wants it.

    Raises
    ------
    ConfigError
        If it is not one to 32 letters or digits.

    >>> label("subject", "P003")
    'P003'
    """
    if not _LABEL.match(value):
        raise ConfigError(f"{kind} = {value!r}: must be 1 to 32 letters or digits (a pseudonym such as P003, never a name)")
    return value


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
        if not path.exists() and not sidecar_path(path).exists():
            return path
        number += 1


def free_path(path: Path) -> Path:
    """``path``, or the first of ``NAME-2``, ``NAME-3``, … that does not exist."""
    candidate, number = path, 2
    while candidate.exists() or sidecar_path(candidate).exists():
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate
