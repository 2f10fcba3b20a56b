"""What the tangent-space decoders share: the way to the features, and the linear model as the kernel's arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyriemann.geometry.base import invsqrtm, sqrtm
from pyriemann.geometry.tangentspace import unupper
from pyriemann.tangentspace import TangentSpace
from sklearn.pipeline import Pipeline, make_pipeline

from bci.engine.chunk import FloatArray
from bci.model.family import FittedDecoder
from pipelines.covariance import BandCovariances, PerBand, patterns, shares


def tangent_features() -> tuple[BandCovariances, PerBand]:
    """Steps from windows to features: OAS covariance and tangent space at the Riemannian mean, bands side by side.

    Barachant, Bonnet, Congedo, Jutten 2012 (IEEE Trans. Biomedical Engineering 59(4), 920).
    """
    return BandCovariances(), PerBand(TangentSpace())


def fit_linear(windows: FloatArray, labels: np.ndarray, *steps: Any) -> FittedDecoder:
    """Fit tangent space and a linear classifier, and compile them for the kernel ``tangent-linear``.

    Parameters
    ----------
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        µV.
    labels : ndarray of str, shape (n_windows,)
    *steps : scikit-learn estimators
        What follows the features. The last has ``coef_`` and ``intercept_`` of scores whose softmax is
        its ``predict_proba`` (the log-odds of the second class where there are two); one before it may
        select features (``get_support``).

    Returns
    -------
    FittedDecoder
    """
    return compiled(make_pipeline(*tangent_features(), *steps).fit(windows, labels), windows)


def compiled(estimator: Pipeline, windows: FloatArray) -> FittedDecoder:
    """Arrays of the kernel ``tangent-linear`` from a fitted pipeline.

    Parameters
    ----------
    estimator : Pipeline
        :func:`tangent_features` first, then as in :func:`fit_linear`.
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        The training windows, µV.

    Returns
    -------
    FittedDecoder
    """
    references = np.stack([t.reference_ for t in estimator[1].transformers_])
    features = estimator[:2].transform(windows)
    kept = estimator[2].get_support() if len(estimator) > 3 else np.ones(features.shape[1], dtype=bool)
    linear = estimator[-1]
    activation = _spread(patterns(features[:, kept], linear.coef_), kept)
    return FittedDecoder(
        estimator=estimator,
        classes=tuple(map(str, estimator.classes_)),
        arrays={
            "whitening": np.stack([invsqrtm(r) for r in references]),
            "weights": matrices(_spread(linear.coef_, kept), len(references)),
            "intercept": np.array(linear.intercept_, dtype=np.float64),
        },
        channel_weights=channel_weights(matrices(activation, len(references)), references),
    )


def matrices(coefficients: FloatArray, n_bands: int) -> FloatArray:
    """Linear weights on tangent vectors as symmetric matrices.

    Parameters
    ----------
    coefficients : ndarray, shape (n_scores, n_bands * n_features)
    n_bands : int

    Returns
    -------
    ndarray, shape (n_scores, n_bands, n_channels, n_channels)
    """
    found: FloatArray = unupper(coefficients.reshape(len(coefficients), n_bands, -1))
    return found


def channel_weights(activation: FloatArray, references: FloatArray) -> FloatArray:
    """Relative change of each channel's power along the decision's activation patterns, as shares.

    Parameters
    ----------
    activation : ndarray, shape (n_scores, n_bands, n_channels, n_channels)
        Patterns in the tangent space (:func:`pipelines.covariance.patterns`).
    references : ndarray, shape (n_bands, n_channels, n_channels)
        Where the tangent spaces are, µV².

    Returns
    -------
    ndarray
    """
    strength = np.zeros(references.shape[1])
    for band, reference in enumerate(references):
        root = sqrtm(reference)
        change = np.einsum("ij,sjk,ki->si", root, activation[:, band], root)
        strength += (np.abs(change) / np.diag(reference)).sum(axis=0)
    return shares(strength)


def _spread(coefficients: FloatArray, kept: np.ndarray) -> FloatArray:
    """Coefficients of the selected features among zeros for the others."""
    spread = np.zeros((len(coefficients), len(kept)))
    spread[:, kept] = coefficients
    return spread
