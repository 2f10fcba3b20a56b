"""Samples that stay in their file until they are asked for, so that a recording need not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.stream.xdf.format import StreamHeader
from bci.stream.xdf.samples import decode

Columns = slice | Sequence[int] | npt.NDArray[np.int64]
Read = Callable[[int, int, Columns], npt.NDArray[Any]]
"""Rows from one number to before another, of some columns, in the file's own numbers."""


class StoredSamples:
    """Samples of one stream that are read when they are asked for; to numpy, an array of float64, shape (n_samples, n_channels).

    Slices of rows, with some or all columns, are read from the file. Whatever needs all of it at once may ask numpy for an array.

    Parameters
    ----------
    read : callable
    shape : tuple of int
        (n_samples, n_channels).
    factors : ndarray, shape (n_channels,)
        That each value is multiplied by.
    """

    ndim = 2
    dtype = np.dtype(np.float64)

    def __init__(self, read: Read, shape: tuple[int, int], factors: FloatArray) -> None:
        self._read, self._factors, self.shape = read, factors, shape

    def __len__(self) -> int:
        return self.shape[0]

    def __mul__(self, factors: FloatArray) -> StoredSamples:
        return StoredSamples(self._read, self.shape, self._factors * factors)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)

    def copy(self) -> FloatArray:
        """All of it, in memory."""
        return self[:]

    def __getitem__(self, key: slice | tuple[slice, Columns]) -> FloatArray:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        start, stop, step = rows.indices(len(self))
        factors = self._factors[columns]
        if stop <= start:
            return np.empty((0, len(factors)))
        return (self._read(start, stop, columns).astype(np.float64, copy=False) * factors)[::step]


def xdf_samples(path: Path, header: StreamHeader, runs: npt.NDArray[np.int64]) -> StoredSamples:
    """Samples of one stream of an XDF file that is not compressed.

    Parameters
    ----------
    path : Path
    header : StreamHeader
    runs : ndarray of int, shape (n_runs, 3)
        Start, number of samples and end of each chunk of samples in the file.
    """
    ends = np.cumsum(runs[:, 1])

    def read(start: int, stop: int, columns: Columns) -> npt.NDArray[Any]:
        first, last = np.searchsorted(ends, [start, stop - 1], side="right").tolist()
        at = int(ends[first] - runs[first, 1])
        parts = []
        with path.open("rb") as file:
            for begin, size, end in runs[first : last + 1].tolist():
                file.seek(begin)
                values, _, _ = decode(file.read(end - begin), header, (0, size, end - begin))
                parts.append(values[max(start, at) - at : min(stop, at + size) - at][:, columns])
                at += size
        return np.concatenate(parts)

    return StoredSamples(read, (int(ends[-1]) if len(runs) else 0, header.n_channels), np.ones(header.n_channels))


def mne_samples(raw: Any) -> StoredSamples:
    """Give access to the samples of a recording that MNE has opened and not read.

    Parameters
    ----------
    raw : object
        An ``mne.io.BaseRaw``.

    Returns
    -------
    StoredSamples
        In MNE's units.
    """
    names = np.arange(len(raw.ch_names))

    def read(start: int, stop: int, columns: Columns) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = raw.get_data(picks=names[columns], start=start, stop=stop).T
        return found

    return StoredSamples(read, (int(raw.n_times), len(names)), np.ones(len(names)))
