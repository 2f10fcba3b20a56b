"""Who and when: subject, session, run and task from the names of files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from bci.errors import ConfigError
from bci.stream.files.readers import endings, reader_of

ENTITIES = {"subject": "sub", "session": "ses", "run": "run", "task": "task"}


def files_of(inputs: Iterable[Path]) -> list[Path]:
    """Files, and those in folders that can be read, in order of name.

    Parameters
    ----------
    inputs : iterable of Path
        Files and folders; a file is taken whatever its ending.

    Raises
    ------
    ConfigError
        If a folder holds none.
    """
    found: list[Path] = []
    for path in inputs:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.rglob("*") if p.is_file() and reader_of(p))
        if not inside:
            raise ConfigError(f"{path}: contains no file of a known type ({', '.join(endings())})")
        found += inside
    return found


def names_in(path: Path, pattern: str = "") -> dict[str, str]:
    """Subject, session, run and task, as far as the path says.

    Parameters
    ----------
    path : Path
    pattern : str
        ``{subject}``, ``{session}``, ``{run}`` and ``{task}`` stand for letters, digits and hyphens.

    Raises
    ------
    ConfigError
        If the path does not say whose it is.

    Examples
    --------
    >>> names_in(Path("S03/S03_RUN1.edf"), "{subject}_RUN{run}")
    {'subject': 'S03', 'run': '1'}
    >>> names_in(Path("sub-P003_ses-2_task-mi_run-001_eeg.xdf"))
    {'subject': 'P003', 'session': '2', 'run': '001', 'task': 'mi'}
    """
    text = path.as_posix()
    if pattern:
        match = re.search(_expression(pattern) + r"(?![A-Za-z0-9])", text)
        if not match:
            raise ConfigError(f"{path}: does not fit --pattern {pattern!r}")
        return {"subject": "1"} | match.groupdict()
    found = {}
    for name, entity in ENTITIES.items():
        entities = re.findall(rf"(?:^|[/_]){entity}-([A-Za-z0-9]+)", text)
        if entities:
            found[name] = entities[-1]
    if "subject" not in found:
        raise ConfigError(
            f"{path}: the file name does not say whose recording it is. Name it as in BIDS "
            "(sub-P003_ses-1_task-mi_run-1_eeg.xdf), "
            "or give a pattern: --pattern '{subject}_RUN{run}', or --pattern '{run}' if all files are of one person."
        )
    return found


def _expression(pattern: str) -> str:
    """The regular expression that a pattern stands for; a name that comes again must be the same."""
    parts = re.split(r"\{(\w+)\}", pattern)
    wrong = [name for name in parts[1::2] if name not in ENTITIES]
    if wrong or len(parts) == 1:
        raise ConfigError(f"--pattern {pattern!r}: must contain at least one of {', '.join(f'{{{n}}}' for n in ENTITIES)}")
    text = ""
    for i, part in enumerate(parts):
        if i % 2 == 0:
            text += re.escape(part)
        else:
            text += f"(?P={part})" if f"(?P<{part}>" in text else f"(?P<{part}>[A-Za-z0-9-]+?)"
    return r"(?:^|(?<=[^A-Za-z0-9]))" + text if not parts[0] else text
