"""How good decoding is, from counts: pure functions of confusion matrices, probabilities and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2, rankdata

from bci.engine.chunk import BoolArray, FloatArray

IntArray = npt.NDArray[np.int64]


def confusion(truth: Sequence[str], answers: Sequence[str], classes: Sequence[str], outputs: Sequence[str]) -> IntArray:
    """Counts of each answer (column) to each true class (row).

    Parameters
    ----------
    truth, answers : sequence of str, length n_trials
    classes, outputs : sequence of str
        Names of rows and columns; outputs may hold one more, for no answer.

    Returns
    -------
    ndarray of int, shape (n_classes, n_outputs)
    """
    counts = np.zeros((len(classes), len(outputs)), dtype=np.int64)
    for true, answer in zip(truth, answers, strict=True):
        counts[classes.index(true), outputs.index(answer)] += 1
    return counts


def balanced_accuracy(counts: IntArray) -> float:
    """Mean over classes of the share that was right; classes that never occurred do not count.

    Parameters
    ----------
    counts : ndarray of int, shape (n_classes, n_outputs)
        Of :func:`confusion`; the first ``n_classes`` columns are the classes in the order of the rows.

    Returns
    -------
    float
    """
    totals = counts.sum(axis=1)
    present = totals > 0
    if not present.any():
        return math.nan
    right = np.diagonal(counts)[: len(totals)]
    return float(np.mean(right[present] / totals[present]))


def matthews(counts: IntArray) -> float:
    """Correlation of truth and answers for any number of classes; 0 where either never varies.

    Gorodkin, Computational Biology and Chemistry 28 (2004) 367, equation 8.

    Parameters
    ----------
    counts : ndarray of int, shape (n_classes, n_classes)

    Returns
    -------
    float

    Examples
    --------
    >>> round(matthews(np.array([[5, 0], [0, 5]])), 12), matthews(np.array([[5, 5], [5, 5]]))
    (1.0, 0.0)
    """
    c = counts.astype(np.float64)
    total, right = c.sum(), np.trace(c)
    true, given = c.sum(axis=1), c.sum(axis=0)
    below = math.sqrt(total**2 - float(given @ given)) * math.sqrt(total**2 - float(true @ true))
    return float((right * total - true @ given) / below) if below > 0 else 0.0


def normalised_matthews(counts: IntArray) -> float:
    """``(MCC + 1) / 2``: 0.5 is chance, whatever the share of idle.

    Carrara and Papadopoulo, Journal of Neural Engineering 21 (2024) 016003.

    Parameters
    ----------
    counts : ndarray of int, shape (n_classes, n_classes)
        Confusion matrix.

    Returns
    -------
    float
    """
    return (matthews(counts) + 1) / 2


def auc(scores: FloatArray, positive: BoolArray) -> float:
    """Area under the receiver operating characteristic, ties counted half (Mann and Whitney 1947).

    Parameters
    ----------
    scores : ndarray, shape (n_trials,)
        Probability of the positive class.
    positive : ndarray of bool, shape (n_trials,)

    Returns
    -------
    float
        NaN where one of the classes does not occur.
    """
    n_pos = int(positive.sum())
    n_neg = len(positive) - n_pos
    if not n_pos or not n_neg:
        return math.nan
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))


def wolpaw_bits(accuracy: float, n_classes: int) -> float:
    """Bits in one selection, if errors are spread evenly and all classes are asked for alike.

    Wolpaw et al., IEEE Transactions on Rehabilitation Engineering 8 (2000) 164. Below chance it is 0, not the
    formula's positive value.

    Parameters
    ----------
    accuracy : float
        Share that was right, 0 to 1.
    n_classes : int

    Returns
    -------
    float

    Examples
    --------
    >>> round(wolpaw_bits(0.8, 2) * 60 / 4, 1)
    4.2
    """
    if n_classes < 2 or not accuracy > 1 / n_classes:
        return 0.0
    bits = math.log2(n_classes) + accuracy * math.log2(accuracy)
    if accuracy < 1:
        bits += (1 - accuracy) * math.log2((1 - accuracy) / (n_classes - 1))
    return bits


def nykopp_bits(counts: IntArray) -> float:
    """Bits in one selection: mutual information of what was asked for and what came out, no answer included.

    Nykopp, Statistical modelling issues for the adaptive brain interface (Helsinki University of Technology, 2001),
    with every class asked for alike. Unlike Wolpaw's it takes errors as they are spread, and rejections as output.

    Parameters
    ----------
    counts : ndarray of int, shape (n_classes, n_outputs)
        Rows without a trial are left out.

    Returns
    -------
    float
    """
    rows = counts[counts.sum(axis=1) > 0].astype(np.float64)
    if len(rows) < 2:
        return 0.0
    given = rows / rows.sum(axis=1, keepdims=True)
    output = given.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(given > 0, given * np.log2(given / output), 0.0)
    return float(terms.sum() / len(rows))


def rate_interval(count: int, duration: float, level: float = 0.95) -> tuple[float, float]:
    """Interval of a rate of independent events that holds for any count (Garwood, Biometrika 28 (1936) 437).

    Parameters
    ----------
    count : int
    duration : float
        In the unit that the rate is to be in.
    level : float

    Returns
    -------
    (float, float)

    Examples
    --------
    >>> [round(x, 2) for x in rate_interval(0, 3.0)]
    [0.0, 1.23]
    """
    tail = (1 - level) / 2
    low = float(chi2.ppf(tail, 2 * count)) / 2 if count else 0.0
    return low / duration, float(chi2.ppf(1 - tail, 2 * count + 2)) / 2 / duration
