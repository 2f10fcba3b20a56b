"""One synthetic person, and the decoder that all contestants use: trained once, on the same epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from latency import task

FloatArray = npt.NDArray[np.float64]
LEFT, RIGHT = task.LABELS.index("C3"), task.LABELS.index("C4")


def background(n_samples: int, rng: np.random.Generator) -> FloatArray:
    """Noise with a 1/f spectrum that runs on smoothly from its end to its beginning.

    Parameters
    ----------
    n_samples : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n_samples, n_channels)
        Microvolts, 10 µV rms, neighbours correlated.
    """
    frequencies = np.fft.rfftfreq(n_samples, 1.0 / task.RATE_HZ)
    shape = 1.0 / np.sqrt(np.maximum(frequencies, 1.0))
    shape[frequencies < 0.5] = 0.0
    spectrum = rng.standard_normal((len(frequencies), task.N_CHANNELS, 2)) @ (1.0, 1.0j)
    noise = np.fft.irfft(spectrum * shape[:, None], n_samples, axis=0)
    place = np.arange(task.N_CHANNELS)
    mixed = noise @ np.exp(-np.abs(place[:, None] - place) / 2.0)
    return np.asarray(10.0 * mixed / mixed.std(axis=0))


def recording(seconds: float, seed: int) -> tuple[FloatArray, npt.NDArray[np.int_]]:
    """EEG whose 11 Hz rhythm weakens over one hemisphere, in turns of 4 s.

    Returns
    -------
    data : ndarray, shape (n_samples, n_channels)
        Microvolts.
    classes : ndarray, shape (n_samples,)
        0 or 1: which side is weak.
    """
    rng = np.random.default_rng(seed)
    n_samples = round(seconds * task.RATE_HZ)
    data = background(n_samples, rng)
    time_s = np.arange(n_samples) / task.RATE_HZ
    classes = (time_s // 4.0).astype(np.int_) % 2
    for channel, weak_class in ((RIGHT, 0), (LEFT, 1)):
        rhythm = np.sin(2.0 * np.pi * 11.0 * time_s + rng.uniform(0.0, 2.0 * np.pi))
        data[:, channel] += np.where(classes == weak_class, 2.0, 8.0) * rhythm
    return data, classes


def save(path: Path, seconds: float = 320.0) -> float:
    """Fit and store what the peers load; return its accuracy on the second half.

    Parameters
    ----------
    path : Path
        Takes a dictionary with ``pipeline`` and ``sos`` (joblib: the peers are scikit-learn programs).
    seconds : float
        Length of the training recording.
    """
    import joblib
    from pyriemann.estimation import Covariances
    from pyriemann.tangentspace import TangentSpace
    from scipy.signal import butter, sosfilt
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    data, classes = recording(seconds, seed=1)
    sos = butter(task.FILTER_ORDER, task.BAND_HZ, "bandpass", fs=task.RATE_HZ, output="sos")
    filtered = sosfilt(sos, data, axis=0)
    ends = np.arange(round(4.0 * task.RATE_HZ), len(data) + 1, round(4.0 * task.RATE_HZ)) - 25
    windows = np.stack([filtered[end - task.WINDOW : end].T for end in ends])
    labels = classes[ends - 1]
    pipeline = make_pipeline(Covariances("oas"), TangentSpace("riemann"), LogisticRegression())
    half = len(ends) // 2
    accuracy = pipeline.fit(windows[:half], labels[:half]).score(windows[half:], labels[half:])
    joblib.dump({"pipeline": pipeline.fit(windows, labels), "sos": sos}, path)
    return float(accuracy)
