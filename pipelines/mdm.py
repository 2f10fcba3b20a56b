"""Minimum distance to the class means, with and without geodesic filtering."""

from __future__ import annotations

import numpy as np
from pyriemann.classification import MDM, FgMDM
from pyriemann.geometry.base import invsqrtm, sqrtm
from pyriemann.geometry.tangentspace import unupper
from sklearn.pipeline import make_pipeline

from bci.engine.chunk import FloatArray
from bci.errors import TrainingError
from bci.session.fit import FittedDecoder
from pipelines.covariance import BandCovariances, OnlyBand, shares

MOST_FILTERED_CHANNELS = 64
"""The discriminant of FgMDM solves a system of order c (c + 1) / 2: minutes and gigabytes beyond this."""


class MinimumDistance:
    """OAS covariance and the nearest Riemannian class mean (``mdm``).

    Barachant, Bonnet, Congedo, Jutten 2012 (IEEE Trans. Biomedical Engineering 59(4), 920).
    """

    name = "mdm"
    kernel = "mdm"
    partly = True

    def bands(self, low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
        """One band."""
        return ((low_hz, high_hz),)

    def fit(self, windows: FloatArray, labels: np.ndarray) -> FittedDecoder:
        """Fit to windows, shape (n_windows, 1, n_samples, n_channels), µV."""
        estimator = make_pipeline(BandCovariances(), OnlyBand(), MDM()).fit(windows, labels)
        means = estimator[2].covmeans_
        return FittedDecoder(
            estimator=estimator,
            classes=tuple(map(str, estimator.classes_)),
            arrays={"roots": invsqrtm(means)},
            channel_weights=_power_contrast(means),
        )


class FilteredMinimumDistance:
    """MDM after projection onto the discriminant directions of the tangent space (``fgmdm``).

    Barachant, Bonnet, Congedo, Jutten 2010 (LVA/ICA, LNCS 6365, 629).
    """

    name = "fgmdm"
    kernel = "mdm"
    partly = True

    def bands(self, low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
        """One band."""
        return ((low_hz, high_hz),)

    def fit(self, windows: FloatArray, labels: np.ndarray) -> FittedDecoder:
        """Fit to windows, shape (n_windows, 1, n_samples, n_channels), µV."""
        if windows.shape[3] > MOST_FILTERED_CHANNELS:
            raise TrainingError(
                f"fgmdm takes at most {MOST_FILTERED_CHANNELS} channels, there are {windows.shape[3]}; "
                "choose fewer channels, or mdm or ts-lr"
            )
        estimator = make_pipeline(BandCovariances(), OnlyBand(), FgMDM()).fit(windows, labels)
        # pyriemann keeps the two stages of FgMDM in private attributes only.
        discriminant, nearest = estimator[2]._fgda, estimator[2]._mdm
        reference = discriminant._ts.reference_
        return FittedDecoder(
            estimator=estimator,
            classes=tuple(map(str, estimator.classes_)),
            arrays={
                "whitening": invsqrtm(reference),
                "directions": unupper(_orthonormal_rows(discriminant._lda.coef_)),
                "roots": sqrtm(reference) @ invsqrtm(nearest.covmeans_),
            },
            channel_weights=_power_contrast(nearest.covmeans_),
        )


def _orthonormal_rows(coefficients: FloatArray) -> FloatArray:
    """Orthonormal basis of the span of the rows; with three classes and more one row depends on the others."""
    _, size, rows = np.linalg.svd(coefficients, full_matrices=False)
    return rows[size > 1e-7 * size[0]]


def _power_contrast(means: FloatArray) -> FloatArray:
    """Share of each channel in the relative difference of power between the class means."""
    power = np.einsum("kii->ki", means)
    return shares(np.abs(power / power.mean(axis=0) - 1).sum(axis=0))
