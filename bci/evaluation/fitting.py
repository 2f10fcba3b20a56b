"""Fits decoders to training trials, alone or with a head start from other people."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature

import numpy as np
import numpy.typing as npt

from bci import plugins
from bci.engine.chunk import FloatArray
from bci.engine.decoder import Kernel, scatter
from bci.training.epochs import Epochs, impute_bad_channels
from bci.training.fit import fit_decoder, fit_family
from bci.training.resolved import ResolvedDecoder

REPEATS, LONGEST_S = 200, 1.0
"""Of a step: how often it is timed, and for how long at most."""

Predict = Callable[[FloatArray], FloatArray]
"""Probabilities (n_trials, n_classes) of windows (n_trials, n_bands, n_samples, n_channels)."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A decoder that was fitted for evaluation.

    Parameters
    ----------
    classes : tuple of str
    predict : callable
    note : str
        Warnings while fitting.
    kernel : Kernel or None
        What runs it live, where it was fitted as ``bci train`` does it.
    """

    classes: tuple[str, ...]
    predict: Predict
    note: str = ""
    kernel: Kernel | None = None

    def answers(self, probabilities: FloatArray) -> list[str]:
        """Most probable class of each trial; empty where there is none.

        Parameters
        ----------
        probabilities : ndarray, shape (n_trials, n_classes)
            NaN where nothing was decoded.

        Returns
        -------
        list of str
        """
        return [self.classes[int(p.argmax())] if np.isfinite(p).all() else "" for p in probabilities]


def fit_whole(decoder: ResolvedDecoder, own: Epochs, people: npt.NDArray[np.int64] | None = None) -> Fitted:
    """Fit a decoder as ``bci train`` does, with all checks.

    Parameters
    ----------
    decoder : ResolvedDecoder
    own : Epochs
    people : ndarray of int, shape (n_trials,)
        Person or session of each trial, where several are pooled; families that ask for it are told.

    Returns
    -------
    Fitted

    Raises
    ------
    TrainingError
        If the trials do not allow it.
    """
    epochs = impute_bad_channels(own, decoder.preprocessing.labels)
    model = fit_decoder(decoder.family, epochs.windows, epochs.labels, decoder.preprocessing, people=people)
    return Fitted(model.classes, model.estimator.predict_proba, "; ".join(model.notes), model.decoder().kernel)


def step_us(kernel: Kernel, window: FloatArray) -> float:
    """Median time of one live step, microseconds, in the calling thread.

    Parameters
    ----------
    kernel : Kernel
    window : ndarray, shape (n_bands, n_samples, n_channels)
        Its scatter matrices, where the kernel takes those, are not in the time: the engine keeps them summed up.

    Returns
    -------
    float
    """
    given = scatter(window) if kernel.features == "scatter" else np.ascontiguousarray(window)
    times: list[float] = []
    until = time.perf_counter() + LONGEST_S
    while len(times) < REPEATS and (len(times) < 3 or time.perf_counter() < until):
        began = time.perf_counter()
        kernel(given)
        times.append(time.perf_counter() - began)
    return 1e6 * float(np.median(times))


def is_random(decoder: str) -> bool:
    """Whether training depends on a seed, which is a setting of the family then.

    Parameters
    ----------
    decoder : str
        Name of a decoder.

    Returns
    -------
    bool
    """
    return "seed" in signature(plugins.load(plugins.DECODERS, decoder)).parameters


def fit_few(decoder: ResolvedDecoder, own: Epochs) -> Fitted:
    """Fit a decoder to few trials, without the checks that ask for many.

    Parameters
    ----------
    decoder : ResolvedDecoder
    own : Epochs
        Trials to train on.

    Returns
    -------
    Fitted

    Raises
    ------
    ValueError
        If the family cannot.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit_family(decoder.family, own.windows, own.labels, decoder.preprocessing)
    note = "; ".join(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught))
    return Fitted(fitted.classes, fitted.estimator.predict_proba, note)


def head_start_from(others: Sequence[Epochs]) -> Callable[[Epochs | None], Fitted]:
    """Learn from other people's sessions; returns a function that fits to own trials, or to none if it is given None.

    The very head start that ``bci train --library`` gives: tangent space with logistic regression, recentred.

    Parameters
    ----------
    others : sequence of Epochs
        One entry for each session, bad channels filled in.

    Returns
    -------
    callable

    Raises
    ------
    TrainingError
        If the sessions do not have the same classes.
    """
    from bci.training.alignment import covariances
    from bci.transfer.adapted_prior import DonorSession, adapt_prior, learn_prior, strength_for
    from bci.transfer.prior_regression import RecentredLinear

    prior = learn_prior([DonorSession(str(i), covariances(o.windows), o.labels) for i, o in enumerate(others)])
    strengths: dict[int, float] = {}

    def fit(own: Epochs | None) -> Fitted:
        if own is None or not len(own.labels):
            found = adapt_prior(prior, np.zeros((0, *prior.mean.shape)), np.zeros(0, dtype=np.str_))
        else:
            fewest = int(np.unique(own.labels, return_counts=True)[1].min())
            if fewest not in strengths:
                strengths[fewest] = strength_for(prior, fewest)
            found = adapt_prior(prior, covariances(own.windows), own.labels, strengths[fewest])
        note = "the own model has taken over" if found.own else ""
        return Fitted(found.classes, RecentredLinear(found).predict_proba, note)

    return fit
