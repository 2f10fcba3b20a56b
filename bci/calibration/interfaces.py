"""Settings and result of a calibration, and the judge that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bci.paradigm.protocol import CalibrationProtocol
from bci.settings import SessionConfig


class BlockVerdict(Protocol):
    """What a calibration needs to know of a verdict (:class:`bci.judging.verdict.Verdict`)."""

    @property
    def word(self) -> str:
        """``"works"``, ``"more"`` or ``"unlikely"``."""
        ...

    @property
    def advice(self) -> tuple[str, ...]:
        """What to change."""
        ...

    def line(self) -> str:
        """The verdict in one line."""
        ...


class Judge(Protocol):
    """Says after each block whether the trials are enough."""

    def begin(self, recordings: Sequence[Path], look: int, config: SessionConfig) -> None:
        """Begin to judge what has been recorded so far; ``look`` counts the looks at this person, from 1.

        Parameters
        ----------
        recordings : sequence of Path
            In the order in which they were made.
        look : int
            Which look at these trials it is, from 1.
        config : SessionConfig
        """
        ...

    def verdict(self) -> BlockVerdict | None:
        """The verdict on what :meth:`begin` was given; None while it is being worked on."""
        ...


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """How a calibration is run.

    Parameters
    ----------
    protocol : CalibrationProtocol
    seed : int
        Of the order of trials, and of the pauses.
    force : bool
        Begin even if the signal is not good enough.
    more : bool
        When going on with a calibration whose last block is whole: a further block first, whatever the verdict was.
    """

    protocol: CalibrationProtocol
    seed: int = 1
    force: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True)
class Calibrated:
    """How a calibration ended.

    Parameters
    ----------
    recordings : tuple of Path
    config : SessionConfig
        With the channels that were used.
    verdict : BlockVerdict or None
        The last one.
    overruled : bool
        The operator decided otherwise.
    kept : dict of str to int
        Trials of each class that count.
    rejected : int
        Trials that were asked again.
    """

    recordings: tuple[Path, ...]
    config: SessionConfig
    verdict: BlockVerdict | None
    overruled: bool
    kept: dict[str, int]
    rejected: int
