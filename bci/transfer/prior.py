"""Logistic regression whose penalty pulls the weights towards those of other people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from bci.engine.chunk import FloatArray
from bci.training.alignment import trial_weights

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Linear scores of tangent vectors; their softmax are probabilities.

    Parameters
    ----------
    weights : ndarray, shape (n_scores, n_features)
        One score for two classes, the log-odds of the second; else one for each.
    intercept : ndarray, shape (n_scores,)
    """

    weights: FloatArray
    intercept: FloatArray

    def logs(self, features: FloatArray) -> FloatArray:
        """Logarithms of the probabilities, shape (n_trials, n_classes).

        Parameters
        ----------
        features : ndarray, shape (n_trials, n_features)
            Tangent vectors.

        Returns
        -------
        ndarray, shape (n_trials, n_classes)
        """
        return _logs(features @ self.weights.T + self.intercept)

    def times(self, factor: float) -> Linear:
        """Multiply all scores by a factor.

        Parameters
        ----------
        factor : float
            Greater than 0.

        Returns
        -------
        Linear
        """
        return Linear(factor * self.weights, factor * self.intercept)


def zero_prior(n_classes: int, n_features: int) -> Linear:
    """A model with weights of zero.

    Parameters
    ----------
    n_classes : int
    n_features : int

    Returns
    -------
    Linear
    """
    n_scores = 1 if n_classes == 2 else n_classes
    return Linear(np.zeros((n_scores, n_features)), np.zeros(n_scores))


def fit_towards_prior(
    features: FloatArray, codes: Codes, prior: Linear, strength: float, trial_weight: FloatArray | None = None
) -> Linear:
    """The most probable weights for these trials under a Gaussian prior.

    Minimises ``sum_i c_i log loss_i + strength / 2 * |W - W_prior|²``: logistic regression under a normal prior whose
    mean is what other people's trials gave (Chelba, Acero 2006, Computer Speech and Language 20(4), 382).

    Parameters
    ----------
    features : ndarray, shape (n_trials, n_features)
    codes : ndarray of int, shape (n_trials,)
        Class of each, from 0.
    prior : Linear
    strength : float
        0 would be no prior; very large leaves the prior as it is.
    trial_weight : ndarray, shape (n_trials,), optional
        How often each trial counts.

    Returns
    -------
    Linear
    """
    n_scores, n_features = prior.weights.shape
    c = np.ones(len(codes)) if trial_weight is None else trial_weight
    x = np.hstack((features, np.ones((len(features), 1))))
    centre = np.hstack((prior.weights, prior.intercept[:, None])).ravel()
    truth = np.zeros((len(codes), max(2, n_scores)))
    truth[np.arange(len(codes)), codes] = 1.0

    def cost(flat: FloatArray) -> tuple[float, FloatArray]:
        logs = _logs(x @ flat.reshape(n_scores, -1).T)
        away = flat - centre
        excess = ((np.exp(logs) - truth) * c[:, None])[:, -n_scores:]
        value = -float((c[:, None] * truth * logs).sum()) + 0.5 * strength * float(away @ away)
        return value, (excess.T @ x).ravel() + strength * away

    found = minimize(cost, centre, jac=True, method="L-BFGS-B", options={"maxiter": 500, "gtol": 1e-5, "ftol": 1e-10})
    solved = found.x.reshape(n_scores, n_features + 1)
    return Linear(solved[:, :-1].copy(), solved[:, -1].copy())


def fit_pooled(features: Sequence[FloatArray], codes: Sequence[Codes], n_classes: int, strength: float = 1.0) -> Linear:
    """Fit weights to many sessions at once; every session and every class in it counts the same.

    Parameters
    ----------
    features : sequence of ndarray, shape (n_trials, n_features)
        Tangent vectors of each session.
    codes : sequence of ndarray of int, shape (n_trials,)
        Classes of each session's trials as numbers.
    n_classes : int
    strength : float
        How strongly the weights are held back.

    Returns
    -------
    Linear
    """
    trials = sum(map(len, codes)) / len(codes)
    weight = np.concatenate([trials * trial_weights(own.astype(np.str_)) for own in codes])
    start = zero_prior(n_classes, features[0].shape[1])
    return fit_towards_prior(np.concatenate(features), np.concatenate(codes), start, strength, weight)


def _logs(scores: FloatArray) -> FloatArray:
    """Logarithms of the softmax; the first of two classes has no score of its own and gets zero."""
    whole = scores if scores.shape[1] > 1 else np.hstack((np.zeros_like(scores), scores))
    below = whole - whole.max(axis=1, keepdims=True)
    found: FloatArray = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    return found
