"""Everything that the explorer shows of one set of trials, from one call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.explore.connectivity import cross_spectra, imaginary_coherence, node_strength
from bci.explore.epochs import Around
from bci.explore.separability import Separability, separability
from bci.explore.spectra import ClassSpectrum, PowerSpectra, by_class, welch
from bci.explore.suggestions import Suggestion, suggest
from bci.explore.time_frequency import Erds, erds
from bci.explore.topography import ClassTopography, topography


@dataclass(frozen=True, slots=True, eq=False)
class Exploration:
    """All measures of how the classes differ.

    Parameters
    ----------
    channels : tuple of str
    freqs_hz : ndarray, shape (n_freqs,)
    classes : list of ClassSpectrum
    power : Separability
        Of power in decibel, ``r2`` of shape (n_comparisons, n_freqs, n_channels).
    connectivity : Separability
        Of node strength of imaginary coherence, same shape.
    suggestions : list of Suggestion
        From power.
    head : ClassTopography
        Of the best suggestion's band, or of mu where there is none.
    change : dict of str to Erds
        Of each class; empty without a reference interval.
    """

    channels: tuple[str, ...]
    freqs_hz: FloatArray
    classes: list[ClassSpectrum]
    power: Separability
    connectivity: Separability
    suggestions: list[Suggestion]
    head: ClassTopography
    change: dict[str, Erds]


def explore(
    trials: Around,
    window_s: tuple[float, float],
    band_hz: tuple[float, float] = (4.0, 35.0),
    *,
    segment_s: float = 0.5,
    reference_s: tuple[float, float] | None = None,
    n_permutations: int = 499,
    seed: int = 0,
) -> Exploration:
    """Compute all measures of how the classes differ. The same seed gives the same result.

    Parameters
    ----------
    trials : Around
    window_s : tuple of (start, stop)
        After the cue: where the imagery is.
    band_hz : tuple of (low, high)
    segment_s : float
        Of Welch's method: its inverse is the resolution in Hz. Three half-overlapping ones must fit into the window.
    reference_s : tuple of (start, stop), optional
        Before the cue, for ERD/ERS.
    n_permutations, seed : int

    Returns
    -------
    Exploration
    """
    epochs = trials.between(*window_s)
    spectra = welch(epochs, trials.rate_hz, segment_s).between(*band_hz)
    power = separability(spectra.decibel, trials.labels, trials.blocks, n_permutations, seed)
    suggestions = suggest(power, spectra.freqs_hz, trials.channels)
    low_hz, high_hz = (suggestions[0].low_hz, suggestions[0].high_hz) if suggestions else (8.0, 13.0)
    strength = _node_strength(epochs, trials.rate_hz, segment_s, spectra)
    return Exploration(
        trials.channels,
        spectra.freqs_hz,
        by_class(spectra, trials.labels),
        power,
        separability(strength, trials.labels, trials.blocks, n_permutations, seed),
        suggestions,
        topography(spectra, trials.labels, low_hz, high_hz, trials.blocks, n_permutations, seed),
        _changes(trials, reference_s, band_hz, n_permutations, seed),
    )


def _node_strength(epochs: FloatArray, rate_hz: float, segment_s: float, spectra: PowerSpectra) -> FloatArray:
    """Node strength of imaginary coherence at the frequencies of the spectra."""
    cross = cross_spectra(epochs, rate_hz, segment_s, max_hz=float(spectra.freqs_hz[-1]))
    inside = cross.freqs_hz >= spectra.freqs_hz[0]
    return node_strength(imaginary_coherence(cross))[:, inside]


def _changes(
    trials: Around, reference_s: tuple[float, float] | None, band_hz: tuple[float, float], n_permutations: int, seed: int
) -> dict[str, Erds]:
    """ERD/ERS of each class, every two hertz."""
    if reference_s is None:
        return {}
    freqs = np.arange(max(band_hz[0], 8.0), band_hz[1] + 1e-9, 2.0)
    return {
        class_: erds(
            trials.epochs[trials.labels == class_],
            trials.rate_hz,
            trials.start_s,
            reference_s,
            freqs,
            step_s=0.1,
            n_permutations=n_permutations,
            seed=seed,
        )
        for class_ in sorted(set(trials.labels.tolist()))
    }
