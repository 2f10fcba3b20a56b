"""The interface of a decoder plug-in: everything that its author has to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from bci import plugins
from bci.engine.chunk import FloatArray
from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError
from bci.progress import Progress, silent


@dataclass(frozen=True, slots=True, eq=False)
class FittedDecoder:
    """The result of training a decoder family.

    Parameters
    ----------
    estimator : object
        The fitted scikit-learn pipeline; its ``predict_proba`` of training-shaped windows is what the
        kernel must reproduce.
    classes : tuple of str
        In the order of the probabilities.
    arrays : dict of str to ndarray
        What the kernel is loaded from.
    channel_weights : ndarray, shape (n_channels,)
        Share of each channel in the decision, from activation patterns (Haufe et al. 2014, NeuroImage
        87, 96): raw filters also weigh channels that only cancel noise.
    notes : tuple of str
        What a user should know about how it was trained.
    """

    estimator: Any
    classes: tuple[str, ...]
    arrays: dict[str, npt.NDArray[Any]]
    channel_weights: FloatArray
    notes: tuple[str, ...] = ()


class DecoderFamily(Protocol):
    """A way to train a decoder (entry point group ``bci.decoders``, built without arguments).

    Attributes
    ----------
    name : str
    kernel : str
        Name in the entry point group ``bci.kernels`` of what runs it.
    partly : bool, optional
        Whether its kernel decodes windows of which losses took a part: those that live on covariances do. False where it is
        not there.
    """

    name: str
    kernel: str

    def bands(self, low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
        """Filter bank for the frequency range that the user asks for.

        Parameters
        ----------
        low_hz, high_hz : float
            Edges of the range.
        rate_hz : float
            Of the stream.

        Returns
        -------
        tuple of (low_hz, high_hz)
            One for each band; one alone where the family needs no filter bank.
        """
        ...

    def fit(self, windows: FloatArray, labels: npt.NDArray[np.str_]) -> FittedDecoder:
        """Train on windows, shape (n_windows, n_bands, n_samples, n_channels), µV.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            Microvolts, filtered as they will be live.
        labels : ndarray of str, shape (n_windows,)
            Class of each window.

        Returns
        -------
        FittedDecoder
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TrainingContext:
    """Where training windows come from, for families that ask for it (:class:`bci.model.family.InformedFamily`).

    Parameters
    ----------
    preprocessing : Preprocessing
        What made the windows: rate, channel labels, bands.
    trials : ndarray of int, shape (n_windows,)
        Trial of each window, in order of time.
    people : ndarray of int, shape (n_windows,), or None
        Person or session of each window, where several were pooled; None for one.
    progress : callable
        Told how far the training is; whatever it raises stops the training.
    """

    preprocessing: Preprocessing
    trials: npt.NDArray[np.int64]
    people: npt.NDArray[np.int64] | None = None
    progress: Progress = silent


@runtime_checkable
class InformedFamily(Protocol):
    """A family that is trained on more than windows and labels.

    Attributes
    ----------
    slides : bool
        Whether it wants several windows of each trial, as they slide past live, where the trial is longer than the window.
    """

    slides: bool

    def fit_informed(self, windows: FloatArray, labels: npt.NDArray[np.str_], context: TrainingContext) -> FittedDecoder:
        """Train on windows, shape (n_windows, n_bands, n_samples, n_channels), µV.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            Microvolts, filtered as they will be live.
        labels : ndarray of str, shape (n_windows,)
            Class of each window.
        context : TrainingContext
            Where the windows come from.

        Returns
        -------
        FittedDecoder
        """
        ...


def load_family(name: str, settings: Mapping[str, object] | None = None) -> DecoderFamily:
    """The installed decoder family of this name.

    Parameters
    ----------
    name : str
    settings : mapping, optional
        Arguments for it; its own defaults for what is left out.

    Raises
    ------
    PluginError
        If there is none.
    ConfigError
        If it has no such setting.
    """
    build = plugins.load(plugins.DECODERS, name)
    given = dict(settings or {})
    unknown = sorted(set(given) - set(signature(build).parameters))
    if unknown:
        known = ", ".join(signature(build).parameters) or "none"
        raise ConfigError(f"decoder.settings: {name} has no setting {', '.join(unknown)}; it has {known}")
    family: DecoderFamily = build(**given)
    return family
