"""A step of the engine taken in advance, so that the next one finds its code and matrices at hand."""

from __future__ import annotations

import numpy as np

from bci.engine.chunk import Chunk
from bci.engine.decoder import LiveDecoder
from bci.engine.engine import Engine


class Rehearsal:
    """Computes one step of a copy of the engine; its result is not used.

    While the loop sleeps between samples, other programs take the processor's caches, and the next step would
    begin with fetching code and matrices from memory. A step taken just before the last sample of a window is due
    has them at hand when it counts. The twin shares the decoder and nothing else, so no outcome depends on it.

    Parameters
    ----------
    engine : Engine
    decoder : LiveDecoder

    Raises
    ------
    StreamMismatch
        If the engine's stream is not what the decoder was trained for.
    """

    def __init__(self, engine: Engine, decoder: LiveDecoder) -> None:
        self._twin = Engine(engine.info, decoder, engine.settings)
        p = decoder.preprocessing
        deviation = float(np.sqrt(np.median(np.diag(decoder.covariance[0]))))
        self._data = np.random.default_rng(0).normal(0.0, deviation, (p.window, len(engine.info.channels)))
        self._period_s, self._hop = 1.0 / engine.info.rate_hz, p.hop
        while self._twin.consumed < 3 * p.window:
            self()

    def __call__(self) -> None:
        """Take one step."""
        start = self._twin.consumed % len(self._data)
        stamps = (self._twin.consumed + np.arange(self._hop, dtype=np.float64)) * self._period_s
        self._twin.push(Chunk(self._data[start : start + self._hop], stamps))
        self._twin.prepare()
