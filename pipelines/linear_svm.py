"""A linear support vector machine whose probabilities are the softmax of linear scores."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC

from bci.engine.chunk import FloatArray

FOLDS = 5


class CalibratedSvm(ClassifierMixin, BaseEstimator):
    """Linear support vector machines, one class against the rest, calibrated on trials they were not fitted to.

    Two classes: Platt's sigmoid ``1 / (1 + exp(-(a f + b)))`` (Platt 1999, Advances in Large Margin
    Classifiers, 61), with his smoothed targets, by maximum likelihood (Lin, Lin, Weng 2007, Machine
    Learning 68, 267). More classes: ``softmax(a f_k + b_k)``, one slope and an offset for each class,
    which for two classes is the same. Since ``a f + b`` is linear again, ``coef_`` and ``intercept_``
    hold the calibration, and nothing but a linear model has to run live.

    The decision values for the calibration come from folds of neighbouring trials of each class, in the order of the
    training set: trials near in time are alike, and shuffled folds would make the machine look surer than it is.

    Parameters
    ----------
    c : float
        Price of a violated margin.

    Attributes
    ----------
    classes_ : ndarray of str, shape (n_classes,)
    coef_ : ndarray, shape (n_scores, n_features)
        One score for two classes: the log-odds of the second.
    intercept_ : ndarray, shape (n_scores,)
    """

    def __init__(self, c: float = 1.0) -> None:
        self.c = c

    def fit(self, X: FloatArray, y: np.ndarray) -> CalibratedSvm:
        """Fit to features, shape (n_trials, n_features).

        Parameters
        ----------
        X : ndarray, shape (n_trials, n_features)
        y : ndarray of str, shape (n_trials,)
            Class of each trial.

        Returns
        -------
        CalibratedSvm
        """
        self.classes_, codes = np.unique(y, return_inverse=True)
        held_out = np.zeros((len(X), 1 if len(self.classes_) == 2 else len(self.classes_)))
        fold = blocks(codes)
        for k in np.unique(fold):
            weights, offsets = self._machines(X[fold != k], codes[fold != k])
            held_out[fold == k] = X[fold == k] @ weights.T + offsets
        slope, shift = calibration(held_out, codes)
        weights, offsets = self._machines(X, codes)
        self.coef_ = slope * weights
        self.intercept_ = slope * offsets + shift
        return self

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Calibrated scores, shape (n_trials, n_scores).

        Parameters
        ----------
        X : ndarray, shape (n_trials, n_features)

        Returns
        -------
        ndarray, shape (n_trials, n_scores)
        """
        return X @ self.coef_.T + self.intercept_

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Probabilities, shape (n_trials, n_classes).

        Parameters
        ----------
        X : ndarray, shape (n_trials, n_features)

        Returns
        -------
        ndarray, shape (n_trials, n_classes)
        """
        return softmax(_all_scores(self.decision_function(X)), axis=1)

    def predict(self, X: FloatArray) -> np.ndarray:
        """The most probable classes.

        Parameters
        ----------
        X : ndarray, shape (n_trials, n_features)

        Returns
        -------
        ndarray
        """
        found: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found

    def _machines(self, X: FloatArray, codes: np.ndarray) -> tuple[FloatArray, FloatArray]:
        """Weights and offsets of one machine for each score."""
        n_classes = len(self.classes_)
        positive = [1] if n_classes == 2 else range(n_classes)
        machines = [SVC(C=self.c, kernel="linear").fit(X, codes == k) for k in positive]
        return np.vstack([m.coef_ for m in machines]), np.concatenate([m.intercept_ for m in machines])


def blocks(codes: np.ndarray, folds: int = FOLDS) -> np.ndarray:
    """Fold of each trial: the trials of each class, in their order, cut into ``folds`` equal parts.

    Parameters
    ----------
    codes : ndarray of int, shape (n_trials,)
        Class of each trial as a number.
    folds : int
        How many parts.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> blocks(np.array([0, 1, 0, 1, 0, 1]), 3).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    fold = np.zeros(len(codes), dtype=np.int64)
    for code in np.unique(codes):
        own = np.flatnonzero(codes == code)
        fold[own] = np.arange(len(own)) * min(folds, len(own)) // len(own)
    return fold


def calibration(scores: FloatArray, codes: np.ndarray) -> tuple[float, FloatArray]:
    """Slope and offsets with which scores become log-odds: maximum likelihood against smoothed targets.

    Parameters
    ----------
    scores : ndarray, shape (n_trials, n_scores)
        Of trials that the machine was not fitted to.
    codes : ndarray of int, shape (n_trials,)
        Class of each, from 0.

    Returns
    -------
    slope : float
        Not negative: scores that mislead give probabilities that know nothing.
    offsets : ndarray, shape (n_scores,)
    """
    n_scores = scores.shape[1]
    targets = _smoothed(codes, max(2, n_scores))

    def cost(parameters: FloatArray) -> tuple[float, FloatArray]:
        logs = log_softmax(_all_scores(parameters[0] * scores + parameters[1:]), axis=1)
        excess = (np.exp(logs) - targets)[:, -n_scores:]
        return -float((targets * logs).sum()), np.concatenate(([(excess * scores).sum()], excess.sum(axis=0)))

    start = np.concatenate(([1.0], np.zeros(n_scores)))
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] + [(None, None)] * n_scores)
    return float(found.x[0]), found.x[1:]


def _smoothed(codes: np.ndarray, n_classes: int) -> FloatArray:
    """Platt's targets: as if each class had been seen once more in every trial of the others."""
    counts = np.bincount(codes, minlength=n_classes)
    right = (counts + 1) / (counts + n_classes)
    targets = np.repeat(((1 - right) / (n_classes - 1))[codes][:, None], n_classes, axis=1)
    targets[np.arange(len(codes)), codes] = right[codes]
    return targets


def _all_scores(scores: FloatArray) -> FloatArray:
    """One score for each class; the first of two classes has none of its own and gets zero."""
    return scores if scores.shape[1] > 1 else np.hstack((np.zeros_like(scores), scores))
