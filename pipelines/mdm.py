"""Minimum distance to the class means, with and without geodesic filtering."""

from __future__ import annotations

import numpy as np
from pyriemann.classification import MDM, FgMDM
from pyriemann.geometry.base import invsqrtm, sqrtm
from pyriemann.geometry.tangentspace import unupper
from sklearn.pipeline import make_pipeline

from bci.engine.chunk import FloatArray
from bci.errors import TrainingError
from bci.model.family import FittedDecoder
from pipelines.covariance import BandCovariances, OnlyBand, shares
from pipelines.filter_bank import one_band

MOST_FILTERED_CHANNELS = 64
"""The discriminant of FgMDM solves a system of order c (c + 1) / 2: minutes and gigabytes beyond this."""


class MinimumDistance:
    """OAS covariance and the nearest Riemannian class mean (``mdm``).

    Barachant, Bonnet, Congedo, Jutten 2012 (IEEE Trans. Biomedical Engineering 59(4), 920).
    """

    name = "mdm"
    kernel = "mdm"
    partly = True

    bands = staticmethod(one_band)

    def fit(self, windows: FloatArray, labels: np.ndarray) -> FittedDecoder:
        """Fit to windows, shape (n_windows, 1, n_samples, n_channels), µV.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.
        labels : ndarray of str, shape (n_windows,)
            Class of each window.

        Returns
        -------
        FittedDecoder
        """
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

    bands = staticmethod(one_band)

    def fit(self, windows: FloatArray, labels: np.ndarray) -> FittedDecoder:
        """Fit to windows, shape (n_windows, 1, n_samples, n_channels), µV.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.
        labels : ndarray of str, shape (n_windows,)
            Class of each window.

        Returns
        -------
        FittedDecoder
        """
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
    found: FloatArray = rows[size > 1e-7 * size[0]]
    return found


def _power_contrast(means: FloatArray) -> FloatArray:
    """Share of each channel in the relative difference of power between the class means."""
    power = np.einsum("kii->ki", means)
    return shares(np.abs(power / power.mean(axis=0) - 1).sum(axis=0))
