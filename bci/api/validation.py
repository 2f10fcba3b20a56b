"""Cross-validation over whole recordings or blocks of neighbouring trials, never over shuffled ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.api.decoders import EstimatorFamily, Trials, epochs_of, with_decoder
from bci.api.recordings import html_table
from bci.settings import SessionConfig
from bci.training.chance import interval
from bci.training.resolved import ResolvedDecoder
from bci.training.train import out_of_fold, train


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CrossValidation:
    """Result of a cross-validation: each trial was decoded by a decoder that was fitted without its block.

    Parameters
    ----------
    decoder : str
    truth, predicted : ndarray of str, shape (n_trials,)
    """

    decoder: str
    truth: npt.NDArray[np.str_]
    predicted: npt.NDArray[np.str_]

    @property
    def correct(self) -> int:
        """Number of trials that were decoded correctly."""
        return int((self.truth == self.predicted).sum())

    @property
    def accuracy(self) -> float:
        """Share of the trials that were decoded correctly, 0 to 1."""
        return self.correct / len(self.truth)

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % interval of the accuracy (Clopper and Pearson 1934)."""
        return interval(self.correct, len(self.truth))

    @property
    def chance(self) -> float:
        """Accuracy of a decoder that always chooses the most frequent class."""
        return max(Counter(self.truth.tolist()).values()) / len(self.truth)

    def confusion(self) -> dict[str, dict[str, int]]:
        """Number of trials by true class, then by decoded class."""
        names = sorted({*self.truth.tolist(), *self.predicted.tolist()})
        pairs = Counter(zip(self.truth.tolist(), self.predicted.tolist(), strict=True))
        return {a: {b: pairs[a, b] for b in names} for a in names}

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"<CrossValidation {self.decoder}: {self.correct} of {len(self.truth)} right, {100 * self.accuracy:.1f} % "
            f"({100 * low:.0f}–{100 * high:.0f}), chance {100 * self.chance:.0f} %>"
        )

    def _repr_html_(self) -> str:
        rows = [(a, *found.values()) for a, found in self.confusion().items()]
        return html_table(repr(self)[1:-1], ("true \\ decoded", *self.confusion()), rows)


def cross_validate(
    data: Trials, decoder: str | Any = "", config: SessionConfig | None = None, *, folds: int = 5
) -> CrossValidation:
    """Estimate the accuracy that a decoder would have had on trials it has not seen.

    Whole recordings are left out where there are three or more, else blocks of neighbouring trials: windows that are near in
    time share drifts, and shuffled folds would take those for skill.

    Parameters
    ----------
    data : Recording, sequence of Recording or TrialEpochs
    decoder : str or estimator, optional
        As for :func:`bci.fit`.
    config : SessionConfig, optional
    folds : int
        Blocks, where there are fewer than three recordings.

    Returns
    -------
    CrossValidation

    Raises
    ------
    bci.errors.TrainingError
        If there are too few trials.
    """
    epochs = epochs_of(data, config)
    used = with_decoder(config or epochs.config, decoder)
    if isinstance(decoder, str):
        trained = train(epochs.runs, used)
        kept, resolved = trained.epochs, trained.decoder
        name = used.decoder.name
    else:
        kept, resolved = epochs.epochs, ResolvedDecoder(EstimatorFamily(decoder), epochs.preprocessing)
        name = type(decoder).__name__
    return CrossValidation(name, kept.labels, out_of_fold(kept, resolved, folds=folds))
