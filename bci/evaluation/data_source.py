"""The interface of a source of recordings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from bci.errors import RecordingError
from bci.settings import SessionConfig
from bci.training.labelled import LabelledRun


@dataclass(frozen=True, slots=True, eq=False)
class OpenedRun:
    """One recording with its person, session and run.

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


class DataSource(Protocol):
    """A source of one or more runs, which are read together. It is sent to other processes."""

    @property
    def name(self) -> str:
        """For messages and progress."""
        ...

    def open(self, config: SessionConfig) -> list[OpenedRun]:
        """Read all runs.

        Parameters
        ----------
        config : SessionConfig

        Returns
        -------
        list of OpenedRun

        Raises
        ------
        TrainingError
            If no marker is a cue.
        NotHere
            If it has to be fetched and cannot be.
        """
        ...
