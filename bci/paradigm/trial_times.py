"""Times within one trial: when the cue, the feedback and the end come, and which part of the trial is decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bci.engine.chunk import samples
from bci.errors import ConfigError

BEEP = 785
"""Code of a short tone (:data:`bci.paradigm.timeline.NAMES`)."""
LONGEST_S = 3600.0
"""Of one trial, and of the pause after it."""


@dataclass(frozen=True, slots=True)
class TrialWindow:
    """The part of a trial that a decoder is fitted to and judged on, relative to its class cue.

    Parameters
    ----------
    start_s, stop_s : float
        Seconds after the cue, ``start_s < stop_s``. May begin before the cue.
    """

    start_s: float = 0.5
    stop_s: float = 3.5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.stop_s) and self.start_s < self.stop_s):
            raise ConfigError(f"trial window {self.start_s}–{self.stop_s} s: both must be finite and the start before the stop")

    def length(self, rate_hz: float) -> int:
        """Number of samples in the window.

        Parameters
        ----------
        rate_hz : float

        Returns
        -------
        int
        """
        return samples(self.stop_s - self.start_s, rate_hz)


@dataclass(frozen=True, slots=True)
class Paradigm:
    """Times within one trial, in seconds from its beginning.

    Parameters
    ----------
    cue_s : float
        The class is shown. Before that there is only a cross.
    feedback_s : float or None
        Feedback begins, None where there is none.
    stop_s : float
        The trial ends.
    pause_s : tuple of float
        Shortest and longest pause after it, drawn evenly, so that nobody learns the rhythm.
    beep_s : float or None
        A warning tone, None for none.
    cue_stop_s : float or None
        The cue is taken away, None where it stays to the end.
    beep : int
        Code of the tone.
    """

    cue_s: float
    feedback_s: float | None
    stop_s: float
    pause_s: tuple[float, float]
    beep_s: float | None = None
    cue_stop_s: float | None = None
    beep: int = BEEP

    def __post_init__(self) -> None:
        beep_s = 0.0 if self.beep_s is None else self.beep_s
        feedback_s = self.cue_s if self.feedback_s is None else self.feedback_s
        if not 0 <= beep_s <= self.cue_s <= feedback_s < self.stop_s <= LONGEST_S:
            raise ConfigError(f"{self}: must satisfy 0 <= beep_s <= cue_s <= feedback_s < stop_s <= {LONGEST_S}")
        if self.cue_stop_s is not None and not self.cue_s < self.cue_stop_s < self.stop_s:
            raise ConfigError(f"cue_stop_s = {self.cue_stop_s}: must be after cue_s = {self.cue_s} and before {self.stop_s}")
        if not 0 <= self.pause_s[0] <= self.pause_s[1] <= LONGEST_S:
            raise ConfigError(f"pause_s = {self.pause_s}: must satisfy 0 <= shortest <= longest <= {LONGEST_S}")


GRAZ = Paradigm(cue_s=3.0, feedback_s=4.25, stop_s=8.0, pause_s=(0.5, 2.5), beep_s=2.0)
"""The Graz paradigm: cross at 0, tone at 2, arrow at 3, feedback from 4.25 to 8 s (Pfurtscheller & Neuper
2001, Proc. IEEE 89, 1123–1134; the same times as data set 2b of BCI Competition IV, feedback a little later)."""

SHORT = Paradigm(cue_s=1.0, feedback_s=1.5, stop_s=4.5, pause_s=(0.5, 1.0))
"""A trial of 4.5 s, for demonstrations and quick calibrations."""
