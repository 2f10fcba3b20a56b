"""Common spatial patterns: one band with LDA, or a filter bank with selected features."""

from __future__ import annotations

from functools import partial

import numpy as np
from pyriemann.spatialfilters import CSP
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.pipeline import Pipeline, make_pipeline

from bci.engine.chunk import FloatArray
from bci.model.family import FittedDecoder
from pipelines.covariance import BandCovariances, PerBand, patterns, shares
from pipelines.filter_bank import adjoining_bands, one_band


class CspLda:
    """Log-variance of CSP components and linear discriminant analysis (``csp-lda``).

    Blankertz et al. 2008 (IEEE Signal Processing Magazine 25(1), 41); more than two classes by
    approximate joint diagonalisation (Grosse-Wentrup, Buss 2008).

    Parameters
    ----------
    filters : int
        Components kept in each band.
    """

    name = "csp-lda"
    kernel = "csp-linear"
    partly = True

    def __init__(self, filters: int = 6) -> None:
        self.filters = filters

    bands = staticmethod(one_band)

    def fit(self, windows: FloatArray, labels: np.ndarray) -> FittedDecoder:
        """Fit to windows, shape (n_windows, n_bands, n_samples, n_channels), µV.

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
        estimator = make_pipeline(BandCovariances(), PerBand(CSP(nfilter=self.filters)), LinearDiscriminantAnalysis()).fit(
            windows, labels
        )
        return _compile(estimator, windows, np.ones(estimator[2].coef_.shape[1], dtype=bool))


class FilterBankCsp:
    """CSP in each band of a filter bank, the most informative features, shrinkage LDA (``fbcsp``).

    Ang, Chin, Zhang, Guan 2008 (IJCNN, 2390), with LDA for the naive Bayes Parzen window.

    Parameters
    ----------
    filters : int
        Components in each band.
    features : int
        Log-variances kept, by mutual information with the class.
    """

    name = "fbcsp"
    kernel = "csp-linear"
    partly = True

    def __init__(self, filters: int = 4, features: int = 10) -> None:
        self.filters = filters
        self.features = features

    bands = staticmethod(adjoining_bands)

    def fit(self, windows: FloatArray, labels: np.ndarray) -> FittedDecoder:
        """Fit to windows, shape (n_windows, n_bands, n_samples, n_channels), µV.

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
        available = windows.shape[1] * min(self.filters, windows.shape[3])
        estimator = make_pipeline(
            BandCovariances(),
            PerBand(CSP(nfilter=self.filters)),
            SelectKBest(partial(mutual_info_classif, random_state=0), k=min(self.features, available)),
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        ).fit(windows, labels)
        return _compile(estimator, windows, estimator[2].get_support())


def _compile(estimator: Pipeline, windows: FloatArray, kept: np.ndarray) -> FittedDecoder:
    """Arrays of the kernel from a fitted pipeline; ``kept`` marks the features that the LDA sees."""
    bands = estimator[1].transformers_
    filters = np.stack([b.filters_ for b in bands])
    lda = estimator[-1]
    weights = np.zeros((len(lda.coef_), len(kept)))
    weights[:, kept] = lda.coef_
    covariances = estimator[0].transform(windows).mean(axis=0)
    features = estimator[:2].transform(windows)
    activation = np.zeros_like(weights)
    activation[:, kept] = patterns(features[:, kept], lda.coef_)
    return FittedDecoder(
        estimator=estimator,
        classes=tuple(map(str, estimator.classes_)),
        arrays={
            "filters": filters,
            "weights": weights.reshape(len(weights), *filters.shape[:2]),
            "intercept": np.array(lda.intercept_, dtype=np.float64),
        },
        channel_weights=_channel_weights(np.abs(activation).sum(axis=0).reshape(filters.shape[:2]), filters, covariances),
    )


def _channel_weights(activation: FloatArray, filters: FloatArray, covariances: FloatArray) -> FloatArray:
    """Share of each channel in the power of the components, weighted by their part in the decision.

    The pattern of component ``f`` is ``C f / sqrt(f' C f)`` (Haufe et al. 2014, equation 6): its
    square over the channel's power is the part of that power which the component explains.
    """
    seen = np.einsum("bij,bfj->bfi", covariances, filters)
    variance = np.einsum("bfi,bfi->bf", seen, filters)
    power = np.einsum("bii->bi", covariances)
    explained = seen**2 / variance[..., None] / power[:, None, :]
    return shares(np.einsum("bf,bfi->i", activation, explained))
