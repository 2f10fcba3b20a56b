"""Real, sham and yoked feedback: the assignment is random, is recorded encoded, and is revealed only at the end.

Sham feedback is a random course of evidence with the smoothness of a real one; yoked feedback is that of somebody else's
session. Both look alike and follow nothing that the participant does (Thibault & Raz 2017, Am. Psychol. 72, 679–688,
on why neurofeedback needs them).
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import ConfigError
from gui.history import tail

SMOOTH_S = 0.8
SPREAD = 1.2
"""Of the logarithm of odds: evidence between 0.23 and 0.77 two thirds of the time, for two classes."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The kind of feedback that one participant gets.

    Parameters
    ----------
    mode : str
        ``"real"``, ``"sham"`` or ``"yoked"``.
    blind : bool
        Whether it was drawn at random, and is not known to anybody.
    seed : int
        Of the draw and of sham feedback.
    source : str
        Recording of yoked feedback.
    """

    mode: str = "real"
    blind: bool = False
    seed: int = 0
    source: str = ""

    def sealed(self) -> str:
        """Encode it for the recording, so that nobody reads it by accident; :func:`opened` decodes it."""
        return base64.b85encode(zlib.compress(json.dumps(asdict(self)).encode())).decode()


def opened(sealed: str) -> Assignment:
    """Decode an assignment.

    Parameters
    ----------
    sealed : str
        As :meth:`Assignment.sealed` encoded it.
    """
    return Assignment(**json.loads(zlib.decompress(base64.b85decode(sealed))))


def assign(wanted: str, against: str, recording: str, seed: int) -> Assignment:
    """Return the feedback that is asked for, or draw between real feedback and another kind.

    Parameters
    ----------
    wanted : str
        ``"real"``, ``"sham"``, ``"yoked"`` or ``"blind"``.
    against : str
        What blind assignment draws against.
    recording : str
    seed : int
        From the system's own source of chance.
    """
    blind = wanted == "blind"
    mode = (against if np.random.default_rng((seed, 1)).random() < 0.5 else "real") if blind else wanted
    return Assignment(mode, blind, seed, Path(recording).name if mode == "yoked" else "")


class Feedback(Protocol):
    """Turns decoded evidence into the evidence that is shown."""

    def __call__(self, evidence: Mapping[str, float], dt_s: float) -> Mapping[str, float]:
        """Return what to show for the decoded evidence, ``dt_s`` after the last call."""
        ...


def real(evidence: Mapping[str, float], dt_s: float) -> Mapping[str, float]:
    """Show the decoded evidence.

    Parameters
    ----------
    evidence : mapping of str to float
        Of every class, summing to 1.
    dt_s : float
        Time since the last call.
    """
    return evidence


class Sham:
    """A stationary Ornstein–Uhlenbeck course of each class's log odds.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng((seed, 2))
        self._x: FloatArray = np.zeros(0)

    def __call__(self, evidence: Mapping[str, float], dt_s: float) -> Mapping[str, float]:
        """See :class:`Feedback`."""
        if len(self._x) != len(evidence):
            self._x = self._rng.normal(0, SPREAD / math.sqrt(2), len(evidence))
        keep = math.exp(-dt_s / SMOOTH_S)
        self._x = keep * self._x + math.sqrt(1 - keep**2) * self._rng.normal(0, SPREAD / math.sqrt(2), len(self._x))
        odds = np.exp(self._x)
        return dict(zip(evidence, (odds / odds.sum()).tolist(), strict=True))


class Yoked:
    """Evidence of another person's session, at its own speed; it starts again after its end.

    Parameters
    ----------
    times : ndarray, shape (n,)
        Seconds, rising.
    rows : ndarray, shape (n, n_classes)
    classes : tuple of str
    """

    def __init__(self, times: FloatArray, rows: FloatArray, classes: tuple[str, ...]) -> None:
        self._times, self._rows, self._classes = times - times[0], rows, classes
        self._at_s = 0.0

    def __call__(self, evidence: Mapping[str, float], dt_s: float) -> Mapping[str, float]:
        """See :class:`Feedback`. Classes that the other one did not have stay at chance."""
        self._at_s = (self._at_s + dt_s) % max(float(self._times[-1]), 1e-3)
        row = self._rows[int(np.searchsorted(self._times, self._at_s, side="right")) - 1]
        known = dict(zip(self._classes, row.tolist(), strict=True))
        return {class_: known.get(class_, 1 / len(evidence)) for class_ in evidence}


def yoked(path: Path) -> Yoked:
    """Read the evidence of a recorded session.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ConfigError
        If it holds none.
    RecordingError
        If it cannot be read.
    """
    for past in tail(path):
        labels = past.info.labels
        columns = [i for i, label in enumerate(labels) if label.startswith("evidence:")]
        if past.info.type == "BCI-Outcome" and columns and not isinstance(past.values, list):
            rows = past.values[:, columns]
            decided = np.isfinite(rows).all(axis=1)
            if decided.sum() > 1:
                classes = tuple(labels[i].removeprefix("evidence:") for i in columns)
                return Yoked(past.stamps[decided], rows[decided], classes)
    raise ConfigError(f"{path}: holds no decoded session, so there is no feedback in it; bci run records one")


def feedback_of(assignment: Assignment, recording: str) -> Feedback:
    """Return the feedback of an assignment.

    Parameters
    ----------
    assignment : Assignment
    recording : str
        Recording of yoked feedback.
    """
    if assignment.mode == "sham":
        return Sham(assignment.seed)
    return yoked(Path(recording)) if assignment.mode == "yoked" else real
