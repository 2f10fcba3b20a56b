"""A kernel: what runs ``power-lda`` live, from the arrays of its model file. It imports numpy only."""

import numpy as np

from bci.errors import ModelError


class PowerKernel:
    features = "samples"

    def __init__(self, classes, coefficients, intercept):
        self.classes, self.n_channels = classes, coefficients.shape[2]
        self._coefficients, self._intercept = coefficients, intercept

    def __call__(self, window):  # shape (n_bands, n_samples, n_channels)
        with np.errstate(all="ignore"):  # a flat window has no answer, and that is one: NaN
            scores = np.tensordot(self._coefficients, np.log(window.var(axis=1)), 2) + self._intercept
            weights = np.exp(scores - scores.max())
        return weights / weights.sum() if np.isfinite(scores).all() else np.full(len(self.classes), np.nan)


def load(arrays, classes):
    missing = {"coefficients", "intercept"} - set(arrays)
    if missing:
        raise ModelError(f"power-linear: {', '.join(sorted(missing))} missing in the model; train it again")
    coefficients, intercept = arrays["coefficients"], arrays["intercept"]
    if len(coefficients) == 1:  # two classes have one score: that of the second
        coefficients, intercept = np.concatenate((0 * coefficients, coefficients)), np.append(0.0, intercept)
    if coefficients.ndim != 3 or not len(coefficients) == len(intercept) == len(classes):
        raise ModelError(f"power-linear: {coefficients.shape} coefficients do not fit {len(classes)} classes; train it again")
    return PowerKernel(classes, coefficients, intercept)
