"""From training trials to a function that decodes others: alone, or with a head start from other people."""

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
from bci.engine.preprocessing import Preprocessing
from bci.session.epochs import Epochs, filled
from bci.session.fit import fit_decoder, fit_family, load_family
from bci.settings import DecoderSection

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
        """Most probable class of each trial; empty where there is none."""
        return [self.classes[int(p.argmax())] if np.isfinite(p).all() else "" for p in probabilities]


def fit_whole(
    decoder: DecoderSection, own: Epochs, preprocessing: Preprocessing, people: npt.NDArray[np.int64] | None = None
) -> Fitted:
    """As ``bci train`` fits, with all its checks.

    Parameters
    ----------
    decoder : DecoderSection
    own : Epochs
    preprocessing : Preprocessing
    people : ndarray of int, shape (n_trials,)
        Person or session of each trial, where several are pooled; families that ask for it are told.

    Raises
    ------
    TrainingError
        If the trials do not allow it.
    """
    epochs = filled(own, preprocessing.labels)
    family = load_family(decoder.name, decoder.settings)
    model = fit_decoder(family, epochs.windows, epochs.labels, preprocessing, people=people)
    return Fitted(model.classes, model.estimator.predict_proba, "; ".join(model.notes), model.decoder().kernel)


def step_us(kernel: Kernel, window: FloatArray) -> float:
    """Median time of one live step, microseconds, in the calling thread.

    Parameters
    ----------
    kernel : Kernel
    window : ndarray, shape (n_bands, n_samples, n_channels)
        Its scatter matrices, where the kernel takes those, are not in the time: the engine keeps them summed up.
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
    """Whether training depends on a seed: the family has a setting of that name."""
    return "seed" in signature(plugins.load(plugins.DECODERS, decoder)).parameters


def fit_few(decoder: DecoderSection, preprocessing: Preprocessing, own: Epochs) -> Fitted:
    """Without the checks that ask for many trials: what the family makes of so few.

    Raises
    ------
    ValueError
        If the family cannot.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit_family(load_family(decoder.name, decoder.settings), own.windows, own.labels, preprocessing)
    note = "; ".join(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught))
    return Fitted(fitted.classes, fitted.estimator.predict_proba, note)


def head_start_from(others: Sequence[Epochs]) -> Callable[[Epochs | None], Fitted]:
    """Learn from other people's sessions; what comes back fits to own trials, or with None decodes without any.

    The very head start that ``bci train --library`` gives: tangent space with logistic regression, recentred.

    Parameters
    ----------
    others : sequence of Epochs
        One entry for each session, bad channels filled in.

    Raises
    ------
    TrainingError
        If the sessions do not have the same classes.
    """
    from bci.session.headstart.alignment import covariances
    from bci.session.headstart.model import RecentredLinear
    from bci.session.headstart.start import Donor, learn, start, strength_for

    prior = learn([Donor(str(i), covariances(o.windows), o.labels) for i, o in enumerate(others)])
    strengths: dict[int, float] = {}

    def fit(own: Epochs | None) -> Fitted:
        if own is None or not len(own.labels):
            found = start(prior, np.zeros((0, *prior.mean.shape)), np.zeros(0, dtype=np.str_))
        else:
            fewest = int(np.unique(own.labels, return_counts=True)[1].min())
            if fewest not in strengths:
                strengths[fewest] = strength_for(prior, fewest)
            found = start(prior, covariances(own.windows), own.labels, strengths[fewest])
        note = "the own model has taken over" if found.own else ""
        return Fitted(found.classes, RecentredLinear(found).predict_proba, note)

    return fit
