"""Tangent space and logistic regression: the default decoder."""

from __future__ import annotations

import numpy as np
from pyriemann.geometry.base import invsqrtm, sqrtm
from pyriemann.geometry.tangentspace import unupper
from pyriemann.tangentspace import TangentSpace
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from bci.engine.chunk import FloatArray
from bci.session.fit import FittedDecoder
from pipelines.covariance import BandCovariances, PerBand, patterns, shares


class TangentSpaceLogistic:
    """OAS covariance, tangent space at the Riemannian mean, logistic regression (``ts-lr``).

    Barachant, Bonnet, Congedo, Jutten 2012 (IEEE Trans. Biomedical Engineering 59(4), 920). Several
    bands are put side by side.

    Parameters
    ----------
    c : float
        Inverse strength of the L2 penalty.
    """

    name = "ts-lr"
    kernel = "tangent-linear"

    def __init__(self, c: float = 1.0) -> None:
        self.c = c

    def bands(self, low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
        """One band."""
        return ((low_hz, high_hz),)

    def fit(self, windows: FloatArray, labels: np.ndarray) -> FittedDecoder:
        """Fit to windows, shape (n_windows, n_bands, n_samples, n_channels), µV."""
        estimator = make_pipeline(BandCovariances(), PerBand(TangentSpace()), LogisticRegression(C=self.c, max_iter=2000)).fit(
            windows, labels
        )
        references = np.stack([t.reference_ for t in estimator[1].transformers_])
        weights = _matrices(estimator[2].coef_, len(references))
        return FittedDecoder(
            estimator=estimator,
            classes=tuple(map(str, estimator.classes_)),
            arrays={
                "whitening": np.stack([invsqrtm(r) for r in references]),
                "weights": weights,
                "intercept": np.array(estimator[2].intercept_, dtype=np.float64),
            },
            channel_weights=_channel_weights(estimator, windows, references),
        )


def _matrices(coefficients: FloatArray, n_bands: int) -> FloatArray:
    """Linear weights on tangent vectors as symmetric matrices, shape (n_scores, n_bands, n_channels, n_channels)."""
    return unupper(coefficients.reshape(len(coefficients), n_bands, -1))


def _channel_weights(estimator: Pipeline, windows: FloatArray, references: FloatArray) -> FloatArray:
    """Relative change of each channel's power along the decision's activation patterns."""
    activation = _matrices(patterns(estimator[:2].transform(windows), estimator[2].coef_), len(references))
    strength = np.zeros(references.shape[1])
    for band, reference in enumerate(references):
        root = sqrtm(reference)
        change = np.einsum("ij,sjk,ki->si", root, activation[:, band], root)
        strength += (np.abs(change) / np.diag(reference)).sum(axis=0)
    return shares(strength)
