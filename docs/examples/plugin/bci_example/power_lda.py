"""A decoder: linear discriminant analysis of the log-variance of each channel in each band."""

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from bci.model.family import FittedDecoder


def log_power(windows):
    """Features, shape (n_windows, n_bands * n_channels)."""
    return np.log(windows.var(axis=2)).reshape(len(windows), -1)


class PowerLda:
    name = "power-lda"
    kernel = "power-linear"  # what runs it: the engine imports no scikit-learn

    def bands(self, low_hz, high_hz, rate_hz):
        return ((low_hz, high_hz),)

    def fit(self, windows, labels):
        estimator = make_pipeline(FunctionTransformer(log_power), LinearDiscriminantAnalysis()).fit(windows, labels)
        lda = estimator[-1]
        features = log_power(windows)
        # Weights say nothing of a channel's share, activation patterns do (Haufe et al. 2014, equation 6).
        pattern = np.abs(np.cov(features, rowvar=False) @ lda.coef_.T).sum(axis=1)
        share = pattern.reshape(windows.shape[1], windows.shape[3]).sum(axis=0)
        return FittedDecoder(
            estimator=estimator,
            classes=tuple(map(str, lda.classes_)),
            arrays={"coefficients": lda.coef_.reshape(-1, windows.shape[1], windows.shape[3]), "intercept": lda.intercept_},
            channel_weights=share / share.sum(),
        )
