"""From training trials to a function that decodes others: alone, or with a head start from other people."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError
from bci.session.epochs import Epochs, filled
from bci.session.fit import fit_decoder, load_family
from bci.settings import DecoderSection

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
    """

    classes: tuple[str, ...]
    predict: Predict
    note: str = ""

    def answers(self, probabilities: FloatArray) -> list[str]:
        """Most probable class of each trial; empty where there is none."""
        return [self.classes[int(p.argmax())] if np.isfinite(p).all() else "" for p in probabilities]


def fit_whole(decoder: DecoderSection, own: Epochs, preprocessing: Preprocessing) -> Fitted:
    """As ``bci train`` fits, with all its checks.

    Raises
    ------
    TrainingError
        If the trials do not allow it.
    """
    epochs = filled(own, preprocessing.labels)
    model = fit_decoder(load_family(decoder.name, decoder.settings), epochs.windows, epochs.labels, preprocessing)
    return Fitted(model.classes, model.estimator.predict_proba, "; ".join(model.notes))


def fit_few(decoder: DecoderSection, own: Epochs) -> Fitted:
    """Without the checks that ask for many trials: what the family makes of so few.

    Raises
    ------
    ValueError
        If the family cannot.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = load_family(decoder.name, decoder.settings).fit(own.windows, own.labels)
    note = "; ".join(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught))
    return Fitted(fitted.classes, fitted.estimator.predict_proba, note)


def fit_with_head_start(
    decoder: DecoderSection, own: Epochs | None, others: Sequence[Epochs], preprocessing: Preprocessing
) -> Fitted:
    """With what other people's calibrations teach; ``own`` may be None, then the prior decodes alone.

    Raises
    ------
    ConfigError
        If no head start is installed.
    """
    estimator = _head_start()(others, own, load_family(decoder.name, decoder.settings), preprocessing)
    return Fitted(tuple(map(str, estimator.classes_)), estimator.predict_proba)


def _head_start() -> Callable[..., Any]:
    """``head_start(others, own, family, preprocessing)`` of the room next door: an estimator with ``predict_proba``.

    ``others`` are the trials of each session of other people, ``own`` those of this person.
    """
    found = getattr(import_module("bci.session.headstart"), "head_start", None)
    if found is None:
        raise ConfigError("--head-start: this version has no bci.session.headstart.head_start; leave the option out")
    return found  # type: ignore[no-any-return]
