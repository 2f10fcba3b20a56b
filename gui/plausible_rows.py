"""Which rows and stamps of streams make sense."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray

LARGEST = 1e15
SHARES = ("p:", "evidence:", "confidence")
WHOLE = ("decision", "reason", "heartbeat")
FAR_S = 1e8
"""A stamp that is further from now is no time."""


def sensible_rows(names: tuple[str, ...], rows: FloatArray) -> npt.NDArray[np.bool_]:
    """Which rows make sense, shape (n_rows,): nothing infinite or absurd, shares from 0 to 1, whole numbers where they must be.

    Parameters
    ----------
    names : tuple of str
        Columns.
    rows : ndarray, shape (n_rows, n_columns)
        NaN stands for what is not known.
    """
    known = np.isnan(rows) | (np.abs(rows) <= LARGEST)
    shares = [i for i, name in enumerate(names) if name.startswith(SHARES)]
    known[:, shares] &= np.isnan(rows[:, shares]) | (np.abs(rows[:, shares] - 0.5) <= 0.5 + 1e-6)
    whole = [i for i, name in enumerate(names) if name in WHOLE]
    known[:, whole] &= np.isfinite(rows[:, whole]) & (np.abs(rows[:, whole]) < 1e6)
    return np.asarray(known.all(axis=1))


def sensible_times(stamps: FloatArray, now: float) -> FloatArray:
    """Stamps, with now in the place of those that are no times, shape (n,).

    Parameters
    ----------
    stamps : ndarray
        Our LSL clock, seconds.
    now : float
        Our LSL clock, seconds.
    """
    return np.where(np.abs(stamps - now) <= FAR_S, stamps, now)
