"""A row of the stream ``bci-decisions``, with a name for each column (docs/reference/streams.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from bci.engine.chunk import FloatArray


class SentDecision(NamedTuple):
    """One row as it goes over the wire: seven float64 values in this order.

    Parameters
    ----------
    sequence : float
        Counts the rows of one engine, from 1.
    decision : float
        Class index, or -1.
    confidence : float
        Evidence of that class, 0 to 1; 0 where there is no decision.
    stamp : float
        Raw stamp of the newest sample that was decoded, seconds on the sender's clock.
    expiry : float
        Time after which the row must not move anything, seconds on the engine's clock.
    reason : float
        Why there is no decision (:class:`~bci.engine.outcome.Reason`).
    heartbeat : float
        1 where the row only repeats the one before, else 0.
    """

    sequence: float
    decision: float
    confidence: float
    stamp: float
    expiry: float
    reason: float
    heartbeat: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float | str]) -> SentDecision:
        """From the first columns of a row; what follows them is a signature, or another program's.

        Parameters
        ----------
        values : iterable of float or str, at least 7

        Returns
        -------
        SentDecision

        Raises
        ------
        ValueError
            If there are too few, or they are no numbers.
        """
        found = [float(value) for value, _ in zip(values, cls._fields, strict=False)]
        if len(found) < len(cls._fields):
            raise ValueError(f"a decision has {len(cls._fields)} columns, this row {len(found)}")
        return cls._make(found)

    def row(self) -> FloatArray:
        """Return the row as it is sent, shape (7,)."""
        return np.array(self, dtype=np.float64)
