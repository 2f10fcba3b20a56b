"""Samples that stay in their file until they are asked for, so that a recording need not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.stream.xdf_format import StreamHeader
from bci.stream.xdf_scan import decode

Columns = slice | Sequence[int] | npt.NDArray[np.int64]


class StoredSamples:
    """Samples of one stream of an XDF file; to numpy, an array of float64, shape (n_samples, n_channels).

    Slices of rows, with some or all columns, are read when they are asked for. Whatever needs all of it at once may ask numpy
    for an array.

    Parameters
    ----------
    path : Path
        Of the XDF file, not compressed.
    header : StreamHeader
    runs : ndarray of int, shape (n_runs, 3)
        Start, number of samples and end of each chunk of samples in the file.
    factors : ndarray, shape (n_channels,)
        That each value is multiplied by.
    """

    ndim = 2
    dtype = np.dtype(np.float64)

    def __init__(self, path: Path, header: StreamHeader, runs: npt.NDArray[np.int64], factors: FloatArray) -> None:
        self._path, self._header, self._runs, self._factors = path, header, runs, factors
        self._ends = np.cumsum(runs[:, 1])
        self.shape = (int(self._ends[-1]) if len(runs) else 0, header.n_channels)

    def __len__(self) -> int:
        return self.shape[0]

    def __mul__(self, factors: FloatArray) -> StoredSamples:
        return StoredSamples(self._path, self._header, self._runs, self._factors * factors)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key: slice | tuple[slice, Columns]) -> FloatArray:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        start, stop, step = rows.indices(len(self))
        factors = self._factors[columns]
        found = np.empty((max(0, stop - start), len(factors)))
        if not len(found):
            return found
        first, last = np.searchsorted(self._ends, [start, stop - 1], side="right").tolist()
        at = int(self._ends[first] - self._runs[first, 1])
        with self._path.open("rb") as file:
            for begin, size, end in self._runs[first : last + 1].tolist():
                file.seek(begin)
                values, _, _ = decode(file.read(end - begin), self._header, (0, size, end - begin))
                a, b = max(start, at), min(stop, at + size)
                found[a - start : b - start] = values[a - at : b - at][:, columns]
                at += size
        found *= factors
        return found[::step]
