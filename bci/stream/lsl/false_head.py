"""Stamps that liblsl invents when an inlet joins in the middle of a chunk: recognised and dropped, pure."""

from __future__ import annotations

import numpy as np

from bci.engine.chunk import FloatArray


class FalseHead:
    """Drop the stamps that liblsl invents when an inlet joins in the middle of a chunk.

    A chunk carries one stamp; liblsl deduces the others from the one before. An inlet that joins behind the
    stamped sample starts from zero, so that the first samples are stamped ``1/rate, 2/rate, …`` until the next
    real stamp. Such a head is held back; when stamps then jump it is dropped and counted, when they go on for
    ``patience_s`` they are real (a file played from time zero) and are released.

    Parameters
    ----------
    rate_hz : float
    patience_s : float
    """

    def __init__(self, rate_hz: float, patience_s: float = 2.0) -> None:
        self.dropped = 0
        self._step = 1.0 / rate_hz if rate_hz > 0 else 0.0
        self._limit = max(1, round(patience_s * rate_hz))
        self._held: list[tuple[FloatArray, FloatArray]] = []
        self._count = 0
        self.done = rate_hz <= 0

    def __call__(self, values: FloatArray, stamps: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What may be delivered of these samples and of those held back.

        Parameters
        ----------
        values : ndarray, shape (n_samples, n_channels)
        stamps : ndarray, shape (n_samples,)
        """
        expected = self._step * np.arange(self._count + 1, self._count + 1 + len(stamps))
        false = np.abs(stamps - expected) < 1e-3 * self._step
        n = len(stamps) if false.all() else int(np.argmin(false))
        self._held.append((values[:n].copy(), stamps[:n].copy()))
        self._count += n
        if n < len(stamps):
            self.done, self.dropped, self._held = True, self._count, []
            return values[n:], stamps[n:]
        if self._count < self._limit:
            return values[:0], stamps[:0]
        held, self.done, self._held = self._held, True, []
        return np.concatenate([v for v, _ in held]), np.concatenate([s for _, s in held])
