"""The last samples of a sender that died: only the engine may have them, so it records them itself.

Samples that are on their way when a sender dies reach some of its readers and not others, so that engine and recorder end at
different samples. After each loss the engine sends its newest samples in events of the kind ``last``
(docs/reference/streams.md), and whoever reads the recording puts those that the recorder did not get in their place.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bci.engine.chunk import Chunk, FloatArray, samples

KIND = "last"
LAST_S = 2.0
"""So much is kept: a recorder that takes nothing in for longer is told as one that hangs."""
MOST_BYTES = 4 << 20
"""Of very many channels no more than this is kept."""
PIECE_BYTES = 32 << 10
"""What one event holds of it."""
VALUE = np.dtype("<f8")


class LastHeard:
    """The newest samples since reading began, for the record.

    Parameters
    ----------
    rate_hz : float
    n_channels : int
    """

    def __init__(self, rate_hz: float, n_channels: int) -> None:
        self._most = max(1, min(samples(LAST_S, rate_hz), MOST_BYTES // ((n_channels + 1) * VALUE.itemsize)))
        self._chunks: deque[Chunk] = deque()
        self._n = 0

    def push(self, chunk: Chunk) -> None:
        """Keep what was consumed, and forget what is older than enough."""
        self._chunks.append(chunk)
        self._n += len(chunk)
        while self._n - len(self._chunks[0]) >= self._most:
            self._n -= len(self._chunks.popleft())

    def take(self, consumed: int) -> Iterator[dict[str, Any]]:
        """Fields of the events that hold them, in order; nothing is kept after that.

        Parameters
        ----------
        consumed : int
            Raw samples that were consumed with the last of them.
        """
        chunks, self._n = list(self._chunks), 0
        self._chunks.clear()
        if not chunks:
            return
        kept = joined(chunks)
        data, stamps = kept.data[-self._most :], kept.stamps[-self._most :]
        step = max(1, PIECE_BYTES // ((data.shape[1] + 1) * VALUE.itemsize))
        for i in range(0, len(stamps), step):
            piece = {"stamps": _text(stamps[i : i + step]), "samples": _text(data[i : i + step])}
            yield {"first": consumed - len(stamps) + i, **piece}


def joined(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks one after the other as one."""
    return Chunk(np.concatenate([c.data for c in chunks]), np.concatenate([c.stamps for c in chunks]))


def _text(values: FloatArray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, VALUE).tobytes()).decode()
