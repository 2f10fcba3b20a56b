"""Where classes differ: signed r² of each feature, with p-values that hold for the whole map.

r² is the share of a feature's variance that the class explains (the squared point-biserial correlation: Wonnacott
and Wonnacott, Introductory Statistics, 1977; in brain-computer interfaces since Wolpaw et al. 1991). The largest of
thousands of values is large by chance alone, so the map is judged by its maximum over permutations of the labels
(Nichols and Holmes, Human Brain Mapping 15 (2002) 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import BoolArray, FloatArray
from bci.errors import ConfigError
from bci.explore.spectra import Labels, check_labels

REST = "rest of the classes"


@dataclass(frozen=True, slots=True, eq=False)
class Separability:
    """How well each feature tells classes apart.

    Parameters
    ----------
    comparisons : tuple of (str, str)
        Two classes: one comparison. More: each class against all others.
    r2 : ndarray, shape (n_comparisons, ...)
        Signed: positive where the first class of the comparison has the larger values.
    p : ndarray, shape (n_comparisons, ...)
        Corrected for all features and comparisons: below 0.05 anywhere happens by chance in 5 % of maps.
    threshold : float
        ``|r2|`` that only 5 % of maps reach by chance.
    n_permutations : int
    """

    comparisons: tuple[tuple[str, str], ...]
    r2: FloatArray
    p: FloatArray
    threshold: float
    n_permutations: int

    @property
    def significant(self) -> BoolArray:
        """Which values have a ``p`` of at most 0.05."""
        found: BoolArray = self.p <= 0.05
        return found


def signed_r2(features: FloatArray, first: BoolArray) -> FloatArray:
    """r² of each feature, with the sign of the difference of means.

    Parameters
    ----------
    features : ndarray, shape (n_trials, ...)
    first : ndarray of bool, shape (n_trials,)
        Trials of the first class.

    Returns
    -------
    ndarray, shape (...)
        -1 to 1; 0 where a feature never varies.

    Examples
    --------
    >>> signed_r2(np.array([[1.0], [1.0], [0.0], [0.0]]), np.array([True, True, False, False])).tolist()
    [1.0]
    """
    flat = features.reshape(len(features), -1)
    values = _correlations(_standardised(flat), np.asarray(first, np.float64)[None])[0]
    squared: FloatArray = (np.sign(values) * values**2).reshape(features.shape[1:])
    return squared


def separability(
    features: FloatArray,
    labels: Labels,
    blocks: Sequence[int] | npt.NDArray[np.int64] | None = None,
    n_permutations: int = 999,
    seed: int = 0,
) -> Separability:
    """Signed r² of every feature, and its significance.

    Parameters
    ----------
    features : ndarray, shape (n_trials, ...)
        For instance spectra in decibel, (n_trials, n_freqs, n_channels).
    labels : sequence of str, length n_trials
    blocks : sequence of int, length n_trials, optional
        Runs. Labels are permuted inside each, so that slow changes between them are not taken for an effect.
    n_permutations : int
    seed : int

    Raises
    ------
    ConfigError
        If there are fewer than two classes, or the lengths differ.
    """
    names = np.asarray(labels, dtype=np.str_)
    check_labels(features, names)
    classes = sorted(set(names.tolist()))
    if len(classes) < 2:
        raise ConfigError(f"only one class ({', '.join(classes) or 'no trial'}); a comparison needs two or more")
    if n_permutations < 19:
        raise ConfigError(f"n_permutations = {n_permutations}: must be at least 19, or no p-value can reach 0.05")
    groups = np.zeros(len(names), np.int64) if blocks is None else np.asarray(blocks, np.int64)
    check_labels(features, groups.astype(np.str_))
    pairs = ((classes[0], classes[1]),) if len(classes) == 2 else tuple((c, REST) for c in classes)
    indicator = np.array([names == first for first, _ in pairs], dtype=np.float64)
    standard = _standardised(features.reshape(len(features), -1))
    found = _correlations(standard, indicator)
    largest = _maxima(standard, indicator, groups, n_permutations, seed)
    squared = found**2
    p = corrected(squared, largest)
    shape = (len(pairs), *features.shape[1:])
    threshold = float(np.quantile(largest, 0.95, method="higher"))
    return Separability(pairs, (np.sign(found) * squared).reshape(shape), p.reshape(shape), threshold, n_permutations)


def corrected(found: FloatArray, largest: FloatArray) -> FloatArray:
    """p-values of a map, from the largest value of each permuted map: ``(1 + #{>=}) / (1 + n)``.

    Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology 9 (2010) 39: never zero.

    Parameters
    ----------
    found : ndarray
        The map, of any shape.
    largest : ndarray, shape (n_permutations,)
        Largest value of the map under each permutation.

    Returns
    -------
    ndarray
        Of the shape of ``found``, above 0 and up to 1.
    """
    # What differs in the last bits only is equal: a permutation may repeat the order as it was.
    below = np.searchsorted(np.sort(largest), found * (1 - 1e-9))
    p: FloatArray = (1 + len(largest) - below) / (1 + len(largest))
    return p


def _standardised(flat: FloatArray) -> FloatArray:
    """Features of zero mean and unit length over trials; zero where they never vary."""
    centred = flat - flat.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    tiny = 1e-12 * np.abs(flat).max(axis=0, initial=0.0) * np.sqrt(len(flat))
    standard: FloatArray = np.divide(centred, length, out=np.zeros_like(centred), where=length > tiny)
    return standard


def _correlations(standard: FloatArray, indicator: FloatArray) -> FloatArray:
    """Correlation of each class indicator (n_comparisons, n_trials) with each feature."""
    centred = indicator - indicator.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    with np.errstate(invalid="ignore"):
        unit = np.where(length > 0, centred / length, 0.0)
    found: FloatArray = unit @ standard
    return found


def _maxima(standard: FloatArray, indicator: FloatArray, groups: npt.NDArray[np.int64], n: int, seed: int) -> FloatArray:
    """Largest r² of each permuted map."""
    rng = np.random.default_rng(seed)
    places = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    largest = np.empty(n)
    for i in range(n):
        order = np.arange(len(groups))
        for place in places:
            order[place] = rng.permutation(place)
        largest[i] = (_correlations(standard, indicator[:, order]) ** 2).max()
    return largest
