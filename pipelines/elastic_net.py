"""Tangent space and logistic regression with a penalty that also selects features."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from bci.engine.chunk import FloatArray
from bci.errors import ConfigError
from bci.model.family import FittedDecoder
from pipelines.filter_bank import one_band
from pipelines.tangent_linear import fit_linear

ITERATIONS = 1000


class TangentSpaceElasticNet:
    """Tangent space and logistic regression with L1 and L2 penalties (``ts-en``).

    Corsi, Chevallier, De Vico Fallani, Yger 2022 (IEEE Trans. Biomedical Engineering 69(9), 2826): the
    elastic net (Zou, Hastie 2005) on tangent vectors. The L1 part sets most of the weights to zero,
    which helps where features are many and trials few.

    Parameters
    ----------
    c : float
        Inverse strength of the penalty.
    l1_ratio : float
        Part of the penalty that is L1, 0 (none) to 1.
    """

    name = "ts-en"
    kernel = "tangent-linear"
    partly = True

    def __init__(self, c: float = 1.0, l1_ratio: float = 0.45) -> None:
        if not (c > 0 and 0 <= l1_ratio <= 1):
            raise ConfigError(f"ts-en: c = {c:g} must be positive, l1_ratio = {l1_ratio:g} must be 0 to 1")
        self.c = c
        self.l1_ratio = l1_ratio

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
        # The solver draws the order of the trials: seeded, so that the same trials give the same model.
        classifier = LogisticRegression(
            C=self.c, l1_ratio=self.l1_ratio, solver="saga", max_iter=ITERATIONS, tol=1e-3, random_state=0
        )
        return fit_linear(windows, labels, classifier)
