"""One value for each channel, to be drawn on a head: band power of each class, and where classes differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.explore.separability import Separability, separability
from bci.explore.spectra import Labels, PowerSpectra


@dataclass(frozen=True, slots=True, eq=False)
class ClassTopography:
    """Band power over the head.

    Parameters
    ----------
    low_hz, high_hz : float
    classes : tuple of str
    power_db : ndarray, shape (n_classes, n_channels)
        Mean over trials, dB re 1 µV².
    difference : Separability
        Of band power, ``r2`` of shape (n_comparisons, n_channels).
    """

    low_hz: float
    high_hz: float
    classes: tuple[str, ...]
    power_db: FloatArray
    difference: Separability


def band_power(spectra: PowerSpectra, low_hz: float, high_hz: float) -> FloatArray:
    """Power of each trial in a band, dB re 1 µV², shape (n_trials, n_channels).

    Parameters
    ----------
    spectra : PowerSpectra
    low_hz, high_hz : float
        Edges of the band, both included.
    """
    band = spectra.between(low_hz, high_hz)
    width_hz = float(np.median(np.diff(spectra.freqs_hz))) if len(spectra.freqs_hz) > 1 else 1.0
    total = band.power.sum(axis=1) * width_hz
    db: FloatArray = 10 * np.log10(np.maximum(total, np.finfo(np.float64).tiny))
    return db


def topography(
    spectra: PowerSpectra,
    labels: Labels,
    low_hz: float,
    high_hz: float,
    blocks: Sequence[int] | npt.NDArray[np.int64] | None = None,
    n_permutations: int = 999,
    seed: int = 0,
) -> ClassTopography:
    """Mean band power of each class, and signed r² between them. See :func:`.separability.separability`.

    Parameters
    ----------
    spectra : PowerSpectra
    labels : sequence of str
        Class of each trial.
    low_hz, high_hz : float
        Edges of the band, both included.
    blocks : sequence of int, optional
        Run of each trial: labels are permuted within it.
    n_permutations, seed : int
        Of the labels.
    """
    names = np.asarray(labels, dtype=np.str_)
    power = band_power(spectra, low_hz, high_hz)
    difference = separability(power, names, blocks, n_permutations, seed)
    classes = tuple(sorted(set(names.tolist())))
    return ClassTopography(low_hz, high_hz, classes, np.array([power[names == c].mean(axis=0) for c in classes]), difference)
