"""Tangent space and a linear support vector machine."""

from __future__ import annotations

import numpy as np

from bci.engine.chunk import FloatArray
from bci.model.family import FittedDecoder
from pipelines.filter_bank import one_band
from pipelines.linear_svm import CalibratedSvm
from pipelines.tangent_linear import fit_linear


class TangentSpaceSvm:
    """Tangent space and a calibrated linear support vector machine (``ts-svm``).

    Barachant, Bonnet, Congedo, Jutten 2013 (Neurocomputing 112, 172), with the linear kernel; the
    probabilities are those of :class:`pipelines.linear_svm.CalibratedSvm`.

    Parameters
    ----------
    c : float
        Price of a violated margin.
    """

    name = "ts-svm"
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
        return fit_linear(windows, labels, CalibratedSvm(self.c))
