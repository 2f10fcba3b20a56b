"""Tangent space and a linear support vector machine."""

from __future__ import annotations

import numpy as np

from bci.engine.chunk import FloatArray
from bci.session.fit import FittedDecoder
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

    def bands(self, low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
        """One band."""
        return ((low_hz, high_hz),)

    def fit(self, windows: FloatArray, labels: np.ndarray) -> FittedDecoder:
        """Fit to windows, shape (n_windows, n_bands, n_samples, n_channels), µV."""
        return fit_linear(windows, labels, CalibratedSvm(self.c))
