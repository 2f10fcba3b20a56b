"""An adapted prior as an ordinary model file with the kernel ``tangent-linear``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.engine.preprocessing import Preprocessing
from bci.model.family import FittedDecoder
from bci.training.alignment import covariances
from bci.training.fit import FittedModel
from bci.transfer.adapted_prior import AdaptedPrior, Prior
from bci.transfer.prior import Linear

FAMILY = "head-start"
KERNEL = "tangent-linear"


class RecentredLinear:
    """An adapted prior with the interface of a scikit-learn classifier.

    Parameters
    ----------
    found : AdaptedPrior
    """

    def __init__(self, found: AdaptedPrior) -> None:
        self.found = found
        self.classes_ = np.array(found.classes)

    def predict_proba(self, windows: FloatArray) -> FloatArray:
        """Probabilities of each class for each window.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray, shape (n_windows, n_classes)
        """
        probabilities: FloatArray = np.exp(self.found.logs(covariances(windows)))
        return probabilities

    def predict(self, windows: FloatArray) -> npt.NDArray[np.str_]:
        """The most probable classes.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray of str
        """
        decided: npt.NDArray[np.str_] = self.classes_[self.predict_proba(windows).argmax(axis=1)]
        return decided


def fitted_model(prior: Prior, found: AdaptedPrior, preprocessing: Preprocessing, trials: dict[str, int]) -> FittedModel:
    """Build the content of the model file.

    Parameters
    ----------
    prior : Prior
    found : AdaptedPrior
    preprocessing : Preprocessing
        What made the trials of all.
    trials : dict of str to int
        Own trials of each class.

    Returns
    -------
    FittedModel
    """
    root = np.linalg.inv(found.white)
    mean = np.asarray(root @ root.transpose(0, 2, 1), dtype=np.float64)
    fitted = FittedDecoder(
        estimator=RecentredLinear(found),
        classes=found.classes,
        arrays={
            "whitening": np.ascontiguousarray(found.white),
            "weights": _matrices(found.linear.weights, found.white.shape),
            "intercept": found.linear.intercept,
        },
        channel_weights=_channel_weights(prior, found.linear, mean),
    )
    return FittedModel(
        family=FAMILY,
        kernel=KERNEL,
        preprocessing=preprocessing,
        fitted=fitted,
        covariance=mean,
        centre=mean,
        weights=fitted.channel_weights,
        trials=trials,
        notes=_notes(prior, found, trials),
    )


def _matrices(weights: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Weights on tangent vectors as symmetric matrices, shape (n_scores, n_bands, n_channels, n_channels)."""
    from pyriemann.geometry.tangentspace import unupper

    found: FloatArray = unupper(weights.reshape(len(weights), shape[0], -1))
    return found


def _channel_weights(prior: Prior, linear: Linear, mean: FloatArray) -> FloatArray:
    """Share of each channel: relative change of its power along the activation patterns (Haufe et al. 2014)."""
    from pyriemann.geometry.base import sqrtm

    features = np.concatenate(prior.features)
    patterns = (features @ linear.weights.T).T @ features / len(features)
    activation = _matrices(patterns, mean.shape)
    root: FloatArray = sqrtm(mean)
    change = np.einsum("bij,sbjk,bki->sbi", root, activation, root)
    strength = (np.abs(change) / np.einsum("bii->bi", mean)).sum(axis=(0, 1))
    total = float(strength.sum())
    shares: FloatArray = strength / total if total > 0 else np.full(len(strength), 1 / len(strength))
    return shares


def _notes(prior: Prior, found: AdaptedPrior, trials: dict[str, int]) -> tuple[str, ...]:
    """Notes for the user: whose trials the model rests on, and why."""
    donors = f"{len(prior.names)} other session{'s' if len(prior.names) > 1 else ''} ({', '.join(prior.names)})"
    own_better, head_better = found.evidence
    judged = f"held-out own trials that only one got right: own model {own_better}, head start {head_better}"
    if not sum(trials.values()):
        return (f"head start without trials of this person: only what {donors} have in common",)
    if found.own:
        return (f"the own model has taken over from the head start of {donors}; {judged}",)
    return (f"head start from {donors}, prior strength {found.strength:g}; {judged}",)
