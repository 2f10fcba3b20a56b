"""Augmented covariance: tangent space over delayed copies of the channels."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from bci.engine.chunk import FloatArray
from bci.errors import ConfigError, TrainingError
from bci.model.family import FittedDecoder
from pipelines.filter_bank import one_band
from pipelines.kernels.augmented_tangent import MOST_DIMENSIONS, embed
from pipelines.linear_svm import CalibratedSvm
from pipelines.tangent_linear import compiled, tangent_features

CLASSIFIERS = ("svm", "lr")
DEFAULT_ORDER = 2
DEFAULT_LAG = 4


class Embedding(TransformerMixin, BaseEstimator):
    """Delayed copies of the channels of each band (:func:`pipelines.kernels.augmented_tangent.embed`).

    Parameters
    ----------
    order, lag : int
    """

    def __init__(self, order: int = DEFAULT_ORDER, lag: int = DEFAULT_LAG) -> None:
        self.order = order
        self.lag = lag

    def fit(self, X: FloatArray, y: object = None) -> Embedding:
        """Learn nothing; here for scikit-learn.

        Parameters
        ----------
        X : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.
        y : object, optional
            Not used.

        Returns
        -------
        Embedding
        """
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: FloatArray) -> FloatArray:
        """Shape (n_windows, n_bands, n_samples - (order - 1) * lag, order * n_channels).

        Parameters
        ----------
        X : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray, shape (n_windows, n_bands, n_samples - (order - 1) * lag, order * n_channels)
        """
        return np.array([[embed(band, self.order, self.lag) for band in window] for window in X])


class AugmentedCovariance:
    """Augmented covariance, tangent space, linear classifier (``acm``).

    Carrara, Papadopoulo 2024 (IEEE Trans. Biomedical Engineering 71(9), 2651), with shrinkage (OAS),
    since dimensions can outnumber what the samples say. Order 1 is tangent space and the same
    classifier. Unlike the paper's, the copies keep all the window's samples:
    ``n_samples - (order - 1) * lag`` of each.

    Parameters
    ----------
    order : int
        Copies of each channel, the undelayed one included.
    lag : int
        Samples between one copy and the next.
    classifier : {"svm", "lr"}
        Calibrated linear support vector machine, or logistic regression.
    c : float
        Price of a violated margin, or inverse strength of the L2 penalty.
    """

    name = "acm"
    kernel = "augmented-tangent"

    def __init__(self, order: int = DEFAULT_ORDER, lag: int = DEFAULT_LAG, classifier: str = "svm", c: float = 1.0) -> None:
        problems = [f"acm: {name} = {value}: must be 1 or more" for name, value in (("order", order), ("lag", lag)) if value < 1]
        if classifier not in CLASSIFIERS:
            problems.append(f"acm: classifier = {classifier!r}: must be one of {', '.join(CLASSIFIERS)}")
        if problems:
            raise ConfigError(problems)
        self.order = order
        self.lag = lag
        self.classifier = classifier
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

        Raises
        ------
        TrainingError
            If order × channels is more than may run live, or the delays leave less than half of the window.
        """
        self._check(*windows.shape[2:])
        embedding = Embedding(self.order, self.lag)
        linear = CalibratedSvm(self.c) if self.classifier == "svm" else LogisticRegression(C=self.c, max_iter=2000)
        copies = embedding.transform(windows)
        estimator = make_pipeline(*tangent_features(), linear).fit(copies, labels)
        inner = compiled(estimator, copies)
        return FittedDecoder(
            estimator=Pipeline([("embedding", embedding), *estimator.steps]),
            classes=inner.classes,
            arrays={**inner.arrays, "embedding": np.array([self.order, self.lag], dtype=np.float64)},
            channel_weights=inner.channel_weights.reshape(self.order, -1).sum(axis=0),
        )

    def _check(self, n_samples: int, n_channels: int) -> None:
        """Refuse what would be too slow live, or too short to say anything."""
        if self.order * n_channels > MOST_DIMENSIONS:
            most = MOST_DIMENSIONS // n_channels
            advice = f"an order of at most {most}" if most else f"at most {MOST_DIMENSIONS} channels"
            raise TrainingError(
                f"acm: order {self.order} × {n_channels} channels is {self.order * n_channels}, at most {MOST_DIMENSIONS} can "
                f"run live; choose {advice}, at most {MOST_DIMENSIONS // self.order} channels with this order, or ts-lr"
            )
        if 2 * (self.order - 1) * self.lag > n_samples:
            raise TrainingError(
                f"acm: order {self.order} with lag {self.lag} takes {(self.order - 1) * self.lag} of {n_samples} samples, at "
                "most half may be taken; choose a smaller order or lag, or a longer window"
            )
