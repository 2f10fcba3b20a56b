"""One value for each channel, to be drawn on a head: band power of each class, and where classes differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.session.explore.separability import Separability, separability
from bci.session.explore.spectra import Labels, Spectra


@dataclass(frozen=True, slots=True, eq=False)
class Topography:
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


def band_power(spectra: Spectra, low_hz: float, high_hz: float) -> FloatArray:
    """Power of each trial in a band, dB re 1 µV², shape (n_trials, n_channels)."""
    band = spectra.between(low_hz, high_hz)
    width_hz = float(np.median(np.diff(spectra.freqs_hz))) if len(spectra.freqs_hz) > 1 else 1.0
    total = band.power.sum(axis=1) * width_hz
    db: FloatArray = 10 * np.log10(np.maximum(total, np.finfo(np.float64).tiny))
    return db


def topography(
    spectra: Spectra,
    labels: Labels,
    low_hz: float,
    high_hz: float,
    blocks: Sequence[int] | npt.NDArray[np.int64] | None = None,
    n_permutations: int = 999,
    seed: int = 0,
) -> Topography:
    """Mean band power of each class, and signed r² between them. See :func:`.separability.separability`."""
    names = np.asarray(labels, dtype=np.str_)
    power = band_power(spectra, low_hz, high_hz)
    difference = separability(power, names, blocks, n_permutations, seed)
    classes = tuple(sorted(set(names.tolist())))
    return Topography(low_hz, high_hz, classes, np.array([power[names == c].mean(axis=0) for c in classes]), difference)
