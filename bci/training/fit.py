"""From labelled windows to a model: checks first, then a decoder family's own training."""

from __future__ import annotations

import hashlib
import platform
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.engine.decide import DecisionSettings
from bci.engine.decoder import LiveDecoder
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import StreamInfo
from bci.errors import TrainingError
from bci.model.family import DecoderFamily, FittedDecoder, InformedFamily, TrainingContext, load_family
from bci.model.file import KERNEL_PREFIX, build_decoder
from bci.model.header import ModelHeader
from bci.progress import Progress, silent
from bci.training.alignment import covariances, session_mean

Labels = Sequence[str] | npt.NDArray[np.str_]

MIN_TRIALS = 10
MIN_TRIALS_OF_A_CLASS = 4
AMPLITUDE_UV = (0.05, 1000.0)
"""Median standard deviation that band-passed EEG can have. Outside, the unit is wrong."""
BRIDGED_CORRELATION = 0.9999
FLAT_RATIO = 1e-6
"""A channel with less than this part of the median standard deviation is flat."""
NULL_EIGENVALUE = 1e-9
REASONS_SHOWN = 6
PACKAGES = ("bci", "numpy", "scipy", "scikit-learn", "pyriemann", "torch", "onnx", "onnxruntime")


class TooFewTrials(TrainingError):
    """Two classes or more have trials, but too few of them."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedModel:
    """A trained decoder with everything that its model file will hold.

    Parameters
    ----------
    family, kernel : str
    preprocessing : Preprocessing
    fitted : FittedDecoder
    covariance : ndarray, shape (n_bands, n_channels, n_channels)
        Mean covariance of the training windows, µV².
    centre : ndarray, shape (n_bands, n_channels, n_channels)
        Their centre on the manifold, each class counting the same, µV².
    weights : ndarray, shape (n_channels,)
    trials : dict of str to int
        Training trials of each class.
    notes : tuple of str
        What a user should know about the training data.
    """

    family: str
    kernel: str
    preprocessing: Preprocessing
    fitted: FittedDecoder
    covariance: FloatArray
    centre: FloatArray
    weights: FloatArray
    trials: dict[str, int]
    notes: tuple[str, ...] = field(default=())

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the probabilities."""
        return self.fitted.classes

    @property
    def estimator(self) -> Any:
        """The fitted scikit-learn pipeline."""
        return self.fitted.estimator

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All arrays of the model file, by name."""
        own = {KERNEL_PREFIX + name: array for name, array in self.fitted.arrays.items()}
        return {"covariance": self.covariance, "centre": self.centre, "weights": self.weights, **own}

    def decoder(self) -> LiveDecoder:
        """The live decoder, as if it had been saved and loaded."""
        return build_decoder(self.kernel, self.classes, self.preprocessing, self.arrays)

    def header(
        self,
        info: StreamInfo,
        trial_s: tuple[float, float],
        decision: DecisionSettings | None = None,
        recordings: Sequence[str] = (),
        accuracy: float | None = None,
        verdict: str | None = None,
    ) -> ModelHeader:
        """Header of the model file.

        Parameters
        ----------
        info : StreamInfo
            Of the training recording.
        trial_s : tuple of (start, stop)
            Part of a trial after the cue, seconds.
        decision : DecisionSettings, optional
        recordings : sequence of str
            SHA-256 of each training recording.
        accuracy : float, optional
            Estimate, 0 to 1.
        verdict : str, optional

        Returns
        -------
        ModelHeader
        """
        channels = [info.channels[c] for c in info.columns(self.preprocessing.labels)]
        return ModelHeader(
            decoder=self.family,
            kernel=self.kernel,
            preprocessing=self.preprocessing,
            channel_types=tuple(c.type for c in channels),
            units=tuple(c.unit for c in channels),
            reference_electrode=info.reference,
            classes=self.classes,
            decision=decision or DecisionSettings(),
            trial_s=trial_s,
            recordings=tuple(recordings),
            trials=self.trials,
            versions=_versions(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            accuracy=accuracy,
            verdict=verdict,
            notes=self.notes,
        )


def fit_decoder(
    family: str | DecoderFamily,
    windows: FloatArray,
    labels: Labels,
    preprocessing: Preprocessing,
    *,
    trials: Sequence[int] | npt.NDArray[np.int_] | None = None,
    rejected: Mapping[str, int] | None = None,
    reasons: Mapping[str, int] | None = None,
    people: Sequence[int] | npt.NDArray[np.int_] | None = None,
    progress: Progress = silent,
) -> FittedModel:
    """Check the training windows, then train.

    Parameters
    ----------
    family : str or DecoderFamily
        Name in the entry point group ``bci.decoders``, or one with settings of your own.
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        Float64, µV, after causal filters and reference, as the engine makes them.
    labels : sequence of str, length n_windows
        Class of each window.
    preprocessing : Preprocessing
        What made the windows.
    trials : sequence of int, length n_windows, optional
        Trial that each window is from, where a trial gives several.
    rejected : mapping of str to int, optional
        Trials of each class that were rejected before; named in messages.
    reasons : mapping of str to int, optional
        Why, and how many for each; named in messages.
    people : sequence of int, length n_windows, optional
        Person or session that each window is from, where several were pooled.
    progress : callable
        Told how far the training is, where a family says so.

    Returns
    -------
    FittedModel

    Raises
    ------
    TrainingError
        If the windows do not allow a decoder to be trained; with the trials of each class.
    """
    windows = np.ascontiguousarray(windows, dtype=np.float64)
    names = np.asarray(labels, dtype=np.str_)
    counts = _count(names, trials)
    _check_shape(windows, names, preprocessing)
    _check_counts(counts, dict(rejected or {}), dict(reasons or {}))
    _check_values(windows, names)
    covariance = _mean_covariance(windows)
    notes = _check_channels(covariance, preprocessing.labels)
    chosen = load_family(family) if isinstance(family, str) else family
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit_family(chosen, windows, names, preprocessing, trials=trials, people=people, progress=progress)
    notes += fitted.notes
    notes += [f"{w.category.__name__} while training: {w.message}" for w in caught]
    return FittedModel(
        family=chosen.name,
        kernel=chosen.kernel,
        preprocessing=preprocessing,
        fitted=fitted,
        covariance=covariance,
        centre=_centre(windows, names),
        weights=fitted.channel_weights,
        trials=counts,
        notes=tuple(dict.fromkeys(notes)),
    )


def fit_family(
    family: DecoderFamily,
    windows: FloatArray,
    labels: npt.NDArray[np.str_],
    preprocessing: Preprocessing,
    *,
    trials: Sequence[int] | npt.NDArray[np.int_] | None = None,
    people: Sequence[int] | npt.NDArray[np.int_] | None = None,
    progress: Progress = silent,
) -> FittedDecoder:
    """Train without any check. A family that asks for more than windows and labels gets it.

    Parameters
    ----------
    family : DecoderFamily
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        µV.
    labels : ndarray of str, shape (n_windows,)
        Class of each window.
    preprocessing : Preprocessing
    trials : sequence of int, length n_windows, optional
        Trial of each window, where a trial gives several.
    people : sequence of int, length n_windows, optional
        Person or session of each window, where several were pooled.
    progress : callable
        Told what is being done and the share done, 0 to 1.

    Returns
    -------
    FittedDecoder
    """
    if not isinstance(family, InformedFamily):
        return family.fit(windows, labels)
    numbers = np.arange(len(labels)) if trials is None else np.asarray(trials, dtype=np.int64)
    whose = None if people is None else np.asarray(people, dtype=np.int64)
    return family.fit_informed(windows, labels, TrainingContext(preprocessing, numbers, whose, progress))


def _count(labels: npt.NDArray[np.str_], trials: Sequence[int] | npt.NDArray[np.int_] | None) -> dict[str, int]:
    """Trials of each class."""
    if trials is None:
        trials = np.arange(len(labels))
    if len(trials) != len(labels):
        raise TrainingError(f"trials: {len(trials)} values for {len(labels)} windows; give one for each window")
    pairs = {(str(label), int(trial)) for label, trial in zip(labels, trials, strict=True)}
    classes = sorted({label for label, _ in pairs})
    return {c: sum(1 for label, _ in pairs if label == c) for c in classes}


def _describe(counts: Mapping[str, int], rejected: Mapping[str, int]) -> str:
    """Trials of each class in words, those rejected included."""
    parts = []
    for name in sorted({*counts, *rejected}):
        lost = f" ({rejected[name]} rejected)" if rejected.get(name) else ""
        parts.append(f"{name}: {counts.get(name, 0)}{lost}")
    return ", ".join(parts) or "no trials at all"


def _check_shape(windows: FloatArray, labels: npt.NDArray[np.str_], p: Preprocessing) -> None:
    """Windows must be what the preprocessing makes, or the live decoder would see something else."""
    wanted = (len(labels), len(p.bands), p.window, len(p.labels))
    if windows.size == 0 and len(labels) == 0:
        return
    if windows.shape != wanted:
        raise TrainingError(
            f"windows have shape {windows.shape}; these labels and settings need (windows, bands, samples, channels) = {wanted}"
        )


def _check_counts(counts: dict[str, int], rejected: dict[str, int], reasons: dict[str, int]) -> None:
    """Enough trials, of two classes or more."""
    found = _describe(counts, rejected)
    if reasons:
        found += f"; left out were {'; '.join(f'{n}: {why}' for why, n in list(reasons.items())[:REASONS_SHOWN])}"
    total = sum(counts.values())
    if total == 0:
        raise TrainingError(f"no trials to train on ({found}). Record some, or relax the settings that reject them.")
    if len(counts) < 2:
        raise TrainingError(f"only one class ({found}); a decoder needs trials of two classes or more. Check the cue markers.")
    short = [c for c, n in counts.items() if n < MIN_TRIALS_OF_A_CLASS]
    if total < MIN_TRIALS or short:
        raise TooFewTrials(
            f"too few trials ({found}); at least {MIN_TRIALS} are needed, and {MIN_TRIALS_OF_A_CLASS} of each class. Record more."
        )


def _check_values(windows: FloatArray, labels: npt.NDArray[np.str_]) -> None:
    """Finite, different from each other, and of a size that EEG in µV has."""
    broken = np.flatnonzero(~np.isfinite(windows).all(axis=(1, 2, 3)))
    if len(broken):
        raise TrainingError(
            f"{len(broken)} of {len(windows)} windows hold values that are not finite numbers, the first is window "
            f"{broken[0]} ({labels[broken[0]]}). Reject trials with lost samples before training."
        )
    distinct = [len({hashlib.sha256(w.data).digest() for w in windows[labels == c]}) for c in np.unique(labels)]
    if min(distinct) < MIN_TRIALS_OF_A_CLASS:
        found = ", ".join(
            f"{c}: {n} different of {(labels == c).sum()}" for c, n in zip(np.unique(labels), distinct, strict=True)
        )
        raise TrainingError(
            f"windows are identical ({found}). The recording repeats itself, or markers point to the same samples."
        )
    amplitude = float(np.median(windows.std(axis=2), axis=(0, 2)).max())
    low, high = AMPLITUDE_UV
    if amplitude != 0 and not low <= amplitude <= high:
        raise TrainingError(
            f"the signal's median amplitude is {amplitude:.3g} µV, band-passed EEG has {low:g} to {high:g} µV: the unit is "
            f"wrong{_unit_guess(amplitude)}. Declare the unit (--set stream.unit=uV, or `unit` in a montage file)."
        )


def _unit_guess(amplitude_uv: float) -> str:
    """The factor between the units that would bring the amplitude back to EEG's size."""
    for factor in (1e3, 1e6, 1e-3, 1e-6):
        if 0.5 <= amplitude_uv * factor <= 100:
            return f" (multiplied by {factor:g} it would be {amplitude_uv * factor:.3g} µV)"
    return ""


def _mean_covariance(windows: FloatArray) -> FloatArray:
    """Mean over windows of the covariance, shape (n_bands, n_channels, n_channels), µV²."""
    total = np.zeros((windows.shape[1], windows.shape[3], windows.shape[3]))
    for window in windows:
        centred = window - window.mean(axis=1, keepdims=True)
        total += np.matmul(centred.transpose(0, 2, 1), centred)
    total /= len(windows) * windows.shape[2]
    return total


def _centre(windows: FloatArray, labels: npt.NDArray[np.str_]) -> FloatArray:
    """Centre of the shrunk covariances (log-Euclidean mean), every class counting the same, shape as :func:`_mean_covariance`."""
    return session_mean(covariances(windows), labels, "log-euclidean")


def _check_channels(covariance: FloatArray, labels: tuple[str, ...]) -> list[str]:
    """Refuse flat and bridged channels; say where the data are of lower rank for another reason."""
    deviation = np.sqrt(np.einsum("bii->bi", covariance))
    flat = [
        labels[i] for i in np.flatnonzero((deviation <= FLAT_RATIO * np.median(deviation, axis=1, keepdims=True)).any(axis=0))
    ]
    if flat:
        raise TrainingError(
            f"flat channels: {', '.join(flat)}. Leave them out of the decoder's channels (`bad` in a montage file)."
        )
    correlation = covariance / deviation[:, :, None] / deviation[:, None, :]
    bridged = np.argwhere(np.triu(correlation.max(axis=0), 1) > BRIDGED_CORRELATION)
    if len(bridged):
        pairs = ", ".join(f"{labels[i]}–{labels[j]}" for i, j in bridged)
        raise TrainingError(
            f"bridged channels (correlation above {BRIDGED_CORRELATION}): {pairs}. They carry one signal: check the gel, "
            "or leave one of each pair out of the decoder's channels (`bad` in a montage file)."
        )
    lost = int((np.linalg.eigvalsh(correlation) < NULL_EIGENVALUE).sum(axis=1).max())
    if not lost:
        return []
    return [
        f"the channels have rank {len(labels) - lost} of {len(labels)} (as an average reference gives): "
        "each covariance is shrunk towards a multiple of the identity, so the decoder can still be computed"
    ]


def _versions() -> dict[str, str]:
    """Versions of Python and of the packages that a model depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
