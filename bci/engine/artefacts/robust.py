"""Robust estimates, which outliers hardly change."""

from __future__ import annotations

import numpy as np

from bci.engine.chunk import FloatArray

OF_NORMAL = 1.4826
"""Standard deviation of a normal distribution, in median absolute deviations."""


def middle_and_deviation(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Median, and standard deviation as the median absolute deviation tells it, over the first axis.

    >>> middle, deviation = middle_and_deviation(np.array([[1.0], [2.0], [3.0], [400.0], [2.5]]))
    >>> middle.tolist(), deviation.round(2).tolist()
    ([2.5], [0.74])
    """
    middle = np.median(values, axis=0)
    return middle, OF_NORMAL * np.median(np.abs(values - middle), axis=0)
