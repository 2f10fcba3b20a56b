"""Tangent space and logistic regression: the default decoder."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from bci.engine.chunk import FloatArray
from bci.model.family import FittedDecoder
from pipelines.filter_bank import one_band
from pipelines.tangent_linear import fit_linear


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
    partly = True

    def __init__(self, c: float = 1.0) -> None:
        self.c = c

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
        return fit_linear(windows, labels, LogisticRegression(C=self.c, max_iter=2000))
