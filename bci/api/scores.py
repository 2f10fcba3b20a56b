"""How many cues a decoder gets right in a recording to which it was not fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.api.decoders import Decoder
from bci.api.recordings import Recording, html_table
from bci.replay.right_at_cues import Answered, Right, answers, check_unseen, reasons_of, rights
from bci.settings import SessionConfig


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Score:
    """The cues of a recording, and what the engine decoded at the end of each trial.

    Parameters
    ----------
    answers : tuple of Answered
        One for each cue, in order: the class that was asked for, the one that was decoded, and why none was.
    """

    answers: tuple[Answered, ...]

    @property
    def truth(self) -> npt.NDArray[np.str_]:
        """Class that each cue asked for, shape (n_cues,)."""
        return np.array([one.class_ for one in self.answers], dtype=np.str_)

    @property
    def predicted(self) -> npt.NDArray[np.str_]:
        """Decoded class at the end of each trial, empty where it was not decoded, shape (n_cues,)."""
        return np.array([one.answer for one in self.answers], dtype=np.str_)

    @property
    def reasons(self) -> dict[str, int]:
        """Why trials were not decoded, and how many; the most frequent reason comes first."""
        return reasons_of(self.answers)

    @property
    def decoded(self) -> int:
        """Number of trials that were decoded."""
        return self._all.decoded

    @property
    def correct(self) -> int:
        """Number of trials that were decoded correctly."""
        return self._all.correct

    @property
    def accuracy(self) -> float:
        """Share of the decoded trials that were correct, 0 to 1; NaN if none was decoded."""
        share = self._all.share
        return float("nan") if share is None else share

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % interval of the accuracy (Clopper and Pearson 1934); 0 to 1 if nothing was decoded."""
        low, high = self._all.low, self._all.high
        return (0.0, 1.0) if low is None or high is None else (low, high)

    @property
    def _all(self) -> Right:
        return rights(self.answers)[-1]

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"<Score {self.correct} of {self.decoded} decoded trials right, {100 * self.accuracy:.1f} % "
            f"({100 * low:.0f}–{100 * high:.0f}); {len(self.answers) - self.decoded} not decoded>"
        )

    def _repr_html_(self) -> str:
        rows = [(one.class_ or "all", one.cues, one.decoded, one.correct) for one in rights(self.answers)]
        return html_table(repr(self)[1:-1], ("class", "cues", "decoded", "right"), rows)


def score(recording: Recording, decoder: Decoder, config: SessionConfig | None = None, *, with_training: bool = False) -> Score:
    """Decode a recording as it would have been decoded live, and compare with its cues.

    The answer to a cue is the most probable class of the first window that ends at or after the end of the trial.

    Parameters
    ----------
    recording : Recording
        One that the decoder was not fitted to: what it gets right in its own trials says nothing about another day.
    decoder : Decoder
    config : SessionConfig, optional
        Sections ``decision``, ``quality``, ``continuity``, ``recentre`` and ``rebias``; those of the recording where it is not
        given.
    with_training : bool
        Count a recording that the decoder was fitted to all the same.

    Returns
    -------
    Score

    Raises
    ------
    bci.errors.StreamMismatch
        If the recording is not of the kind that the decoder was fitted to.
    bci.errors.TrainingError
        If the recording holds no cue, or the decoder was fitted to it.
    """
    run = recording.labelled()
    if not with_training:
        check_unseen(decoder.model.header, [run])
    return Score(tuple(answers(decoder.model, run, config or recording.config)))
