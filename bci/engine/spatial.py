"""Spatial references, and what a bad channel is replaced with, as matrices.

Filters act on time and references on channels, so the two commute: the reference is applied to the
window (or to its scatter matrix) after filtering, and a channel that turns bad changes the matrix
without a transient in any filter.
"""

from __future__ import annotations

import re

import numpy as np

from bci.engine.artefacts.regression import correction_matrix
from bci.engine.chunk import BoolArray, FloatArray
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import canonical
from bci.errors import ConfigError

MASTOIDS = (("M1", "M2"), ("A1", "A2"), ("TP9", "TP10"))
_ROWS = ("Fp", "AF", "F", "FC", "C", "CP", "P", "PO", "O")
_COLUMNS = ("7", "5", "3", "1", "z", "2", "4", "6", "8")


def inputs(preprocessing: Preprocessing) -> tuple[str, ...]:
    """Labels the stream must carry: the decoder's own first, then those only the reference needs, then EOG."""
    extra: list[str] = []
    if preprocessing.reference == "laplacian":
        extra = [n for label in preprocessing.labels for n in neighbours(label)]
    elif preprocessing.reference == "mastoids":
        extra = list(_mastoids(preprocessing.labels))
    own = {canonical(x) for x in preprocessing.labels}
    eog = preprocessing.artefacts.eog
    unique = {canonical(x): x for x in extra if canonical(x) not in own}
    both = [x for x in eog if canonical(x) in unique]
    if both:
        raise ConfigError(f"eog = {', '.join(both)}: the reference {preprocessing.reference!r} needs this channel; choose others")
    return (*preprocessing.labels, *unique.values(), *eog)


def neighbours(label: str) -> tuple[str, str, str, str]:
    """The four nearest electrodes of the 10-10 grid: in front, behind, left, right.

    Source: Hjorth (1975), with the 10-10 distances of a small Laplacian.

    >>> neighbours("C3")
    ('FC3', 'CP3', 'C5', 'C1')
    """
    found = re.fullmatch(r"([A-Za-z]+?)(z|\d+)", label.strip(" ."), flags=re.IGNORECASE)
    rows = {r.lower(): i for i, r in enumerate(_ROWS)}
    if found and found[1].lower() in rows and found[2].lower() in _COLUMNS:
        row, column = rows[found[1].lower()], _COLUMNS.index(found[2].lower())
        if 0 < row < len(_ROWS) - 1 and 0 < column < len(_COLUMNS) - 1:
            side = _COLUMNS[column]
            return (
                _ROWS[row - 1] + side,
                _ROWS[row + 1] + side,
                _ROWS[row] + _COLUMNS[column - 1],
                _ROWS[row] + _COLUMNS[column + 1],
            )
    raise ConfigError(
        f"reference = 'laplacian': {label!r} has no four neighbours in the 10-10 grid; leave it out or use another reference"
    )


def _mastoids(labels: tuple[str, ...]) -> tuple[str, str]:
    """The pair of mastoid labels in use: one the decoder names, else M1 and M2."""
    own = {canonical(x) for x in labels}
    for pair in MASTOIDS:
        if any(canonical(x) in own for x in pair):
            return pair
    return MASTOIDS[0]


def reference_matrix(preprocessing: Preprocessing, good: BoolArray) -> FloatArray:
    """Matrix from input channels to referenced decoder channels, what the eyes put into them subtracted before.

    Parameters
    ----------
    preprocessing : Preprocessing
    good : ndarray of bool, shape (n_inputs,)
        Channels that may serve as reference; a bad one is left out of every mean.

    Returns
    -------
    ndarray, shape (n_channels, n_inputs)
    """
    labels = [canonical(x) for x in inputs(preprocessing)]
    n = len(preprocessing.labels)
    matrix = np.eye(n, len(labels))
    for i in range(n):
        others = [j for j in _reference_of(preprocessing, i, labels) if good[j]]
        if others:
            matrix[i, others] -= 1.0 / len(others)
    weights = preprocessing.artefacts.eog_weights
    if weights:
        matrix = matrix @ correction_matrix(np.array(weights), len(labels), good)
    return matrix


def _reference_of(preprocessing: Preprocessing, i: int, labels: list[str]) -> list[int]:
    """Input columns whose mean is subtracted from decoder channel ``i``."""
    if preprocessing.reference == "average":
        return list(range(len(preprocessing.labels)))
    if preprocessing.reference == "laplacian":
        return [labels.index(canonical(x)) for x in neighbours(preprocessing.labels[i])]
    if preprocessing.reference == "mastoids":
        return [labels.index(canonical(x)) for x in _mastoids(preprocessing.labels)]
    return []


def expectation(covariance: FloatArray, good: BoolArray) -> tuple[FloatArray, FloatArray]:
    """What bad channels are expected to be, given the good ones, under a Gaussian with ``covariance``.

    A mean alone would leave the channel without variance of its own and the covariance singular,
    which any log-determinant or tangent-space decoder would take for an extreme; so the part that
    the good channels do not explain is returned too (the E step of Little and Rubin, Statistical
    Analysis with Missing Data, section 11.2).

    Parameters
    ----------
    covariance : ndarray, shape (n_channels, n_channels)
        µV², training windows.
    good : ndarray of bool, shape (n_channels,)

    Returns
    -------
    fill : ndarray, shape (n_channels, n_channels)
        Identity for good channels; the regression on the good ones for bad ones.
    residual : ndarray, shape (n_channels, n_channels)
        Covariance that ``fill`` leaves unexplained, µV²; zero outside the bad channels.
    """
    n = len(covariance)
    bad = ~good
    fill = np.diag(good.astype(np.float64))
    residual = np.zeros((n, n))
    if bad.any():
        inner = covariance[np.ix_(good, good)]
        cross = covariance[np.ix_(bad, good)]
        weights = _solved(inner, cross) if good.any() else np.zeros((n, 0))
        fill[np.ix_(bad, good)] = weights
        residual[np.ix_(bad, bad)] = covariance[np.ix_(bad, bad)] - weights @ cross.T
    return fill, residual


def _solved(inner: FloatArray, cross: FloatArray) -> FloatArray:
    """``cross inner^-1``; where good channels are copies of each other and there is no inverse, the smallest that will do."""
    try:
        weights: FloatArray = np.asarray(np.linalg.solve(inner, cross.T).T, dtype=np.float64)
    except np.linalg.LinAlgError:
        weights = cross @ np.linalg.pinv(inner, hermitian=True)
    return weights
