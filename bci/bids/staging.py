"""A data set grows by a whole recording or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from bci.errors import RecordingError

SHARED = (
    "dataset_description.json",
    "participants.tsv",
    "participants.json",
    "README*",
    "sub-*/*_scans.tsv",
    "sub-*/ses-*/*_scans.tsv",
)
"""Files that speak of several recordings: they are taken along, and put back with the new one in them."""


class Staging:
    """A folder beside a data set, in which a recording is written before it is moved there in one go.

    Whatever goes wrong, an interruption included, the data set is then as it was, and the folder is gone.

    Parameters
    ----------
    out : Path
        Root of the data set; need not exist.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._place = out.resolve().parent / f".{out.resolve().name}.{uuid.uuid4().hex[:8]}.part"
        self.root, self.scratch = self._place / "set", self._place / "scratch"
        self._shared: list[Path] = []

    def __enter__(self) -> Self:
        try:
            self.root.mkdir(parents=True)
            self.scratch.mkdir()
            self._shared = sorted({p.relative_to(self._out) for pattern in SHARED for p in self._out.glob(pattern)})
            for name in self._shared:
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._out / name, self.root / name)
        except OSError as error:
            shutil.rmtree(self._place, ignore_errors=True)
            raise RecordingError(f"{self._out}: cannot be written ({error.strerror})") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        if isinstance(error, OSError):
            raise RecordingError(f"{self._out}: cannot be written ({error.strerror}); nothing in it was changed") from error

    def publish(self) -> None:
        """Move everything into the data set; what speaks of several recordings comes last.

        Raises
        ------
        OSError
            If that fails; the data set is then as it was.
        """
        found = sorted(p.relative_to(self.root) for p in self.root.rglob("*") if p.is_file())
        before = {name: (self._out / name).read_bytes() for name in self._shared}
        made: list[Path] = []
        folders: list[Path] = []
        try:
            for name in sorted(found, key=lambda name: name in before):
                self._folder((self._out / name).parent, folders)
                if name not in before:
                    if (self._out / name).exists():
                        raise FileExistsError(17, f"{name} exists already")
                    made.append(self._out / name)
                os.replace(self.root / name, self._out / name)
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            for folder in reversed(folders):
                folder.rmdir()
            for name, content in before.items():
                (self._out / name).write_bytes(content)
            raise

    def _folder(self, folder: Path, made: list[Path]) -> None:
        """Make a folder, and note each one that was not there."""
        missing = [p for p in (folder, *folder.parents) if not p.exists()]
        for path in reversed(missing):
            path.mkdir()
            made.append(path)
