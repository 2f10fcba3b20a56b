"""Decoders: fitted by name or from any scikit-learn estimator, saved and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bci.api.configuration import configure
from bci.api.recordings import Recording
from bci.api.trials import TrialEpochs, cut_epochs
from bci.engine.chunk import FloatArray
from bci.engine.decoder import LiveDecoder, scatter
from bci.engine.engine import Engine
from bci.engine.stream_info import StreamInfo
from bci.errors import ModelError
from bci.model.family import FittedDecoder
from bci.model.file import Model
from bci.model.file import load_model as read_model_file
from bci.model.header import check_stream
from bci.settings import SessionConfig
from bci.training.fit import fit_decoder
from bci.training.resolved import ResolvedDecoder
from bci.training.train import Trained, header_of, train, write_model

ESTIMATOR = "estimator"
Trials = Recording | Sequence[Recording] | TrialEpochs


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Decoder:
    """A fitted decoder, as it runs live.

    Parameters
    ----------
    model : Model
        Header and live decoder.
    trained : Trained or None
        What it was fitted from; None where it was loaded.
    config : SessionConfig or None
    """

    model: Model
    trained: Trained | None = None
    config: SessionConfig | None = None

    @property
    def name(self) -> str:
        """Name of the decoder family."""
        return self.model.header.decoder

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.model.header.classes

    def predict_proba(self, epochs: TrialEpochs) -> FloatArray:
        """Compute probabilities with the same code that runs live, shape (n_trials, n_classes).

        Parameters
        ----------
        epochs : TrialEpochs
            Of the channels, rate and filters that the decoder was fitted to.

        Returns
        -------
        ndarray, shape (n_trials, n_classes)
            In the order of ``classes``; each row sums to one, or is NaN where the kernel has no answer.
        """
        kernel = self.model.decoder.kernel
        seen = scatter if kernel.features == "scatter" else np.asarray
        return np.array([np.array(kernel(seen(window))) for window in epochs.windows]).reshape(len(epochs), len(self.classes))

    def predict(self, epochs: TrialEpochs) -> npt.NDArray[np.str_]:
        """Return the most probable class of each trial, shape (n_trials,).

        Parameters
        ----------
        epochs : TrialEpochs
            Of the channels, rate and filters that the decoder was fitted to.

        Returns
        -------
        ndarray of str, shape (n_trials,)
        """
        places = self.predict_proba(epochs).argmax(axis=1)
        found: npt.NDArray[np.str_] = np.array(self.classes, dtype=np.str_)[places]
        return found

    def engine(self, info: StreamInfo, config: SessionConfig | None = None) -> Engine:
        """Make an engine that decodes one stream with this decoder, chunk by chunk, as a live session does.

        Parameters
        ----------
        info : StreamInfo
            The stream, for instance ``recording.eeg.info`` or the ``info`` of a source.
        config : SessionConfig, optional
            Sections ``decision``, ``quality``, ``continuity``, ``recentre`` and ``rebias``; those that it was fitted with
            where it is not given, and the defaults where it was loaded.

        Returns
        -------
        Engine
            Its method ``push`` takes a chunk of samples and returns the outcomes of the windows that end in it.

        Raises
        ------
        bci.errors.StreamMismatch
            If the stream is not of the kind that the decoder was fitted to; names every difference.
        """
        check_stream(self.model.header, info)
        used = config or self.config or configure()
        return Engine(info, self.model.decoder, used.engine_settings(self.model.header.decision))

    def save(self, path: Path | str, accuracy: float | None = None) -> str:
        """Write the model file; return its SHA-256.

        Parameters
        ----------
        path : Path or str
            Must not exist.
        accuracy : float, optional
            Estimate to keep with it, 0 to 1; see :func:`bci.cross_validate`.

        Raises
        ------
        bci.errors.ModelError
            If it cannot be written, or if the decoder is a scikit-learn estimator: a model file holds numbers and never code.
        """
        if self.name == ESTIMATOR:
            raise ModelError(
                f"{path}: a scikit-learn estimator cannot be saved as a model, because a model file holds numbers and never "
                "code. It decodes in this process (bci.decode). To run it live, write it as a decoder plug-in "
                "(docs/guides/plugins.md)"
            )
        if self.trained is None or self.config is None:
            raise ModelError(f"{path}: this decoder was loaded from {self.model.path}; copy that file instead")
        return write_model(Path(path), self.trained, self.config, accuracy)

    def __repr__(self) -> str:
        header = self.model.header
        p = header.preprocessing
        trials = ", ".join(f"{n} {name}" for name, n in header.trials.items())
        bands = ", ".join(f"{low:g}–{high:g}" for low, high in p.bands)
        return f"<Decoder {self.name}: {trials}; {len(p.labels)} channels, {bands} Hz, {p.window / p.rate_hz:g} s windows>"


class EstimatorFamily:
    """A scikit-learn estimator as a decoder family, for this process only.

    Parameters
    ----------
    estimator : object
        Takes trials of shape (n_trials, n_bands × n_channels, n_samples) in µV and has ``predict_proba``.
    """

    name = kernel = ESTIMATOR

    def __init__(self, estimator: Any) -> None:
        if not hasattr(estimator, "fit") or not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"{type(estimator).__name__}: is no decoder; give a name such as 'ts-lr', or an estimator that has the methods "
                "fit and predict_proba"
            )
        self._estimator = estimator

    def bands(self, low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
        """One band.

        Parameters
        ----------
        low_hz, high_hz : float
            Range that the user asks for.
        rate_hz : float
            Of the stream.
        """
        return ((low_hz, high_hz),)

    def fit(self, windows: FloatArray, labels: npt.NDArray[np.str_]) -> FittedDecoder:
        """Train a copy on windows, shape (n_windows, n_bands, n_samples, n_channels), µV.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            Microvolts.
        labels : ndarray of str, shape (n_windows,)
            Class of each window.
        """
        from sklearn.base import clone

        fitted = OfWindows(clone(self._estimator).fit(flattened(windows), labels))
        n_channels = windows.shape[3]
        return FittedDecoder(fitted, fitted.classes, {}, np.full(n_channels, 1.0 / n_channels))


class OfWindows:
    """A fitted estimator that takes windows as the engine has them.

    Parameters
    ----------
    estimator : object
    """

    features: Literal["scatter", "samples"] = "samples"

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.classes = tuple(map(str, estimator.classes_))

    def predict(self, windows: FloatArray) -> npt.NDArray[np.str_]:
        """Class of each window, shape (n_windows,).

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            Microvolts.
        """
        return np.asarray(self._estimator.predict(flattened(windows)), dtype=np.str_)

    def predict_proba(self, windows: FloatArray) -> FloatArray:
        """Probabilities, shape (n_windows, n_classes).

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            Microvolts.
        """
        return np.asarray(self._estimator.predict_proba(flattened(windows)), dtype=np.float64)


class EstimatorKernel(OfWindows):
    """The same for one window at a time (:class:`~bci.engine.decoder.Kernel`).

    Parameters
    ----------
    estimator : object
    n_channels : int
    """

    def __init__(self, estimator: Any, n_channels: int) -> None:
        super().__init__(estimator)
        self.n_channels = n_channels

    def __call__(self, window: FloatArray) -> FloatArray:
        """Probabilities of one window, shape (n_classes,).

        Parameters
        ----------
        window : ndarray, shape (n_bands, n_samples, n_channels)
            Microvolts.
        """
        found: FloatArray = self.predict_proba(window[None])[0]
        return found


def flattened(windows: FloatArray) -> FloatArray:
    """Windows in the order of scikit-learn and pyRiemann: (n_windows, n_bands × n_channels, n_samples).

    Parameters
    ----------
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
    """
    n, bands, samples, channels = windows.shape
    return windows.transpose(0, 1, 3, 2).reshape(n, bands * channels, samples)


def fit(data: Trials, decoder: str | Any = "", config: SessionConfig | None = None) -> Decoder:
    """Fit a decoder to trials.

    Parameters
    ----------
    data : Recording, sequence of Recording or TrialEpochs
    decoder : str or estimator, optional
        Name of a decoder family, for instance ``"ts-lr"``, ``"csp-lda"`` or ``"eegnet"``; or any scikit-learn classifier with
        ``predict_proba`` that takes trials of shape (n_trials, n_channels, n_samples). The configured one where it is not given.
    config : SessionConfig, optional
        The settings of the recordings where it is not given.

    Returns
    -------
    Decoder

    Raises
    ------
    bci.errors.TrainingError
        If the trials do not allow a decoder to be trained; with the trials of each class.
    """
    epochs = epochs_of(data, config)
    used = with_decoder(config or epochs.config, decoder)
    if isinstance(decoder, str):
        return decoder_of(train(epochs.runs, used), used)
    trained = _trained(epochs, EstimatorFamily(decoder))
    m = trained.model
    kernel = EstimatorKernel(m.estimator._estimator, len(m.preprocessing.labels))
    return decoder_of(trained, used, LiveDecoder(m.preprocessing, kernel, m.covariance, m.weights, m.centre))


def decoder_of(trained: Trained, config: SessionConfig, live: LiveDecoder | None = None) -> Decoder:
    """What was trained, with the decoder that runs live.

    Parameters
    ----------
    trained : Trained
    config : SessionConfig
        With which it was trained.
    live : LiveDecoder, optional
        What decodes; built from the kernel of the decoder family where it is not given.
    """
    built = live or trained.model.decoder()
    return Decoder(Model(Path(), header_of(trained, config), built, ""), trained, config)


def epochs_of(data: Trials, config: SessionConfig | None = None) -> TrialEpochs:
    """Trials, cut where they are not cut yet.

    Parameters
    ----------
    data : Recording, sequence of Recording or TrialEpochs
    config : SessionConfig, optional
        Settings to cut with; those of the first recording where it is not given.
    """
    return data if isinstance(data, TrialEpochs) else cut_epochs(data, config)


def with_decoder(config: SessionConfig, decoder: str | Any) -> SessionConfig:
    """The settings with another decoder, where a name is given.

    Parameters
    ----------
    config : SessionConfig
    decoder : str or estimator
        Name of a decoder family; empty or an estimator: the settings stay as they are.
    """
    if not isinstance(decoder, str) or not decoder:
        return config
    return config.model_copy(update={"decoder": config.decoder.model_copy(update={"name": decoder, "settings": {}})})


def _trained(epochs: TrialEpochs, family: EstimatorFamily) -> Trained:
    """An estimator, fitted with the checks of every decoder."""
    decoder = ResolvedDecoder(family, replace(epochs.preprocessing, least=0))
    model = fit_decoder(family, epochs.windows, epochs.y, decoder.preprocessing)
    return Trained(model, epochs.epochs, epochs.info, tuple(run.sha256 for run in epochs.runs), decoder)


def load_model(path: Path | str) -> Decoder:
    """Read a model file.

    Parameters
    ----------
    path : Path or str
        A file that :meth:`bci.Decoder.save` or ``bci train`` wrote.

    Returns
    -------
    Decoder

    Raises
    ------
    bci.errors.ModelError
        If it is missing, damaged, of another version, or names a kernel that is not installed.
    """
    return Decoder(read_model_file(path))
