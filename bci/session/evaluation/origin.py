"""What the recordings of an evaluation have in common, wherever they come from."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Protocol

from bci.errors import ConfigError, RecordingError
from bci.session.training import LabelledRun
from bci.settings import SessionConfig

HOW_TO_INSTALL = 'Install it with: pip install "bci[evaluate]"'


@dataclass(frozen=True, slots=True, eq=False)
class OpenedRun:
    """One recording with who and when.

    Parameters
    ----------
    data_set, subject, session, run : str
    labelled : LabelledRun
        Signal and cues.
    """

    data_set: str
    subject: str
    session: str
    run: str
    labelled: LabelledRun

    @property
    def identity(self) -> str:
        """SHA-256 of the signal, its stamps, its layout, its cues and what is marked bad: what a result can depend on."""
        run = self.labelled
        digest = hashlib.sha256(repr((run.info, run.cues, run.marked)).encode())
        digest.update(run.raw.data.tobytes())
        digest.update(run.raw.stamps.tobytes())
        return digest.hexdigest()


class NotHere(RecordingError):
    """A public recording that cannot be fetched."""


class Origin(Protocol):
    """Something that is read in one go and holds one or more runs. It travels to other processes."""

    @property
    def name(self) -> str:
        """For messages and progress."""
        ...

    def open(self, config: SessionConfig) -> list[OpenedRun]:
        """Read it.

        Raises
        ------
        TrainingError
            If no marker is a cue.
        NotHere
            If it has to be fetched and cannot be.
        """
        ...


def optional(module: str, package: str, what: str) -> ModuleType:
    """Import what only evaluation needs.

    Raises
    ------
    ConfigError
        If it is not installed; says how to.
    """
    try:
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            return import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{what} needs the package {package}, which is not installed. {HOW_TO_INSTALL}") from error
