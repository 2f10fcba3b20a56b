"""The model files of a recorded session, found by their hash."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from bci.errors import ModelError, RecordingError
from bci.model.file import Model, load_model, read_bytes
from bci.safe_io.printable import printable

SUFFIX = ".safetensors"
ABOVE = 2
"""Folders above a recording in which models are looked for."""
SHOWN = 8
"""Files that are named where none is the right one."""
SEARCH_S = 20.0
"""Longest that files are compared, so that a folder of thousands is no trap."""


def model_beside(recording: Path, sha256: str) -> Path:
    """The path under which a session keeps a model with its recording: its name holds the first digits of the hash.

    Parameters
    ----------
    recording : Path
        File of the session.
    sha256 : str
        Of the model file, in hexadecimal digits.

    Examples
    --------
    >>> model_beside(Path("run-001_eeg.xdf"), "0123456789abcdef").name
    'run-001_eeg_model-0123456789ab.safetensors'
    """
    return recording.with_name(f"{recording.stem}_model-{sha256[:12]}{SUFFIX}")


def keep(place: Path, data: bytes) -> None:
    """Write a model beside a recording: only its owner can read it, and it appears completely or not at all.

    Parameters
    ----------
    place : Path
        File to write.
    data : bytes
        All bytes of the model file.

    Raises
    ------
    ModelError
        If they cannot be kept: what the model decides could not be verified.
    """
    try:
        if place.is_symlink() or not (place.is_file() and place.read_bytes() == data):
            _write(place, data)
    except OSError as error:
        raise ModelError(f"{place}: the model cannot be kept with the recording ({error.strerror}), so it is not used") from error


def _write(place: Path, data: bytes) -> None:
    """A file that takes the place of whatever has its name."""
    handle, name = tempfile.mkstemp(prefix=f".{place.stem}-", dir=place.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, place)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def model_files(recording: Path) -> Iterator[Path]:
    """Files that may be a session's models: those named after its recording first, then all beside it and in the folders above.

    Parameters
    ----------
    recording : Path
        File of the session.
    """
    own = sorted(recording.parent.glob(f"{_literal(recording.stem)}_model*{SUFFIX}"))
    yield from own
    for folder in (recording.parent, *list(recording.resolve().parents)[1 : 1 + ABOVE]):
        yield from sorted(path for path in folder.glob(f"*{SUFFIX}") if path not in own)


def find_model(recording: Path, sha256: str, named: Iterable[Path] = ()) -> Model:
    """Find the model with this hash among the named files, or in the folders around a recording.

    A file is only read as a model once its hash is the right one; a damaged or hostile one beside it is passed over.

    Parameters
    ----------
    recording : Path
    sha256 : str
        Of the whole model file.
    named : iterable of Path
        Looked at first.

    Raises
    ------
    RecordingError
        If no file has the hash; names those that were looked at.
    """
    until = time.monotonic() + SEARCH_S
    seen: dict[str, str] = {}
    for path in (model_beside(recording, sha256), *named, *model_files(recording)):
        if str(path) in seen or (seen and time.monotonic() > until):
            continue
        found = hash_of(path)
        if found == sha256:
            return load_model(path)
        if found or path.exists():
            seen[str(path)] = f"{printable(str(path))} ({f'{found[:12]}…' if found else 'no model file'})"
    raise RecordingError(
        f"{recording}: the model with SHA-256 {sha256[:12]}… is not beside it "
        f"(looked at {_few(list(seen.values())) or 'no file'}); name it with --model"
    )


def hash_of(path: Path) -> str:
    """SHA-256 of a file that may be a model; empty for anything else.

    Parameters
    ----------
    path : Path
        Any file.
    """
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest()
    except ModelError:
        return ""


def _few(names: list[str]) -> str:
    """The first of them, and how many more there are.

    >>> _few(["a", "b"])
    'a, b'
    """
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _literal(text: str) -> str:
    """A text in which a pattern of file names has nothing to match but itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)
