"""Tangent space in each band of a filter bank, and the features that tell the classes apart."""

from __future__ import annotations

import numpy as np
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression

from bci.engine.chunk import FloatArray
from bci.errors import ConfigError
from bci.model.family import FittedDecoder
from pipelines.filter_bank import adjoining_bands
from pipelines.tangent_linear import fit_linear


class FilterBankTangentSpace:
    """Tangent space in each band, the features with the largest F, logistic regression (``fbts``).

    The filter bank and the selection of Ang, Chin, Zhang, Guan 2008 (IJCNN, 2390) with tangent vectors
    (Barachant et al. 2012) for log-variances. The selection is by analysis of variance: mutual
    information of a thousand features takes seconds, in every fold.

    Parameters
    ----------
    features : int
        Tangent features kept, over all bands.
    c : float
        Inverse strength of the L2 penalty.
    """

    name = "fbts"
    kernel = "tangent-linear"
    partly = True

    def __init__(self, features: int = 60, c: float = 1.0) -> None:
        if features < 1:
            raise ConfigError(f"fbts: features = {features}: must be 1 or more")
        self.features = features
        self.c = c

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
        _, n_bands, _, n_channels = windows.shape
        available = n_bands * n_channels * (n_channels + 1) // 2
        selection = SelectKBest(f_classif, k=min(self.features, available))
        return fit_linear(windows, labels, selection, LogisticRegression(C=self.c, max_iter=2000))
