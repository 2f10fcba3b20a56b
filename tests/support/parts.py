"""A small decoder, streams and settings that several engine tests share."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.decoder import LiveDecoder
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo

LABELS = ("C3", "Cz", "C4", "CP1", "CP2", "FC1", "FC2", "Pz")


class PowerKernel:
    """Probability of the class whose own channel (0 or 2) holds less power: a decoder in one line."""

    classes = ("left", "right")

    def __init__(self, n_channels: int = len(LABELS), features: Literal["scatter", "samples"] = "scatter") -> None:
        self.n_channels = n_channels
        self.features: Literal["scatter", "samples"] = features

    def __call__(self, window: FloatArray) -> FloatArray:
        power = (window**2).sum(axis=(0, 1)) if self.features == "samples" else np.diagonal(window.sum(axis=0))
        right = power[2] / (power[0] + power[2])
        return np.array([1 - right, right])


def preprocessing(rate_hz: float = 250.0, labels: tuple[str, ...] = LABELS, reference: str = "none") -> Preprocessing:
    """Half-second windows, so that tests reach them soon."""
    return Preprocessing(rate_hz=rate_hz, labels=labels, reference=reference, window=120, hop=10)


def decoder(kernel: object | None = None, prep: Preprocessing | None = None) -> LiveDecoder:
    """A :class:`PowerKernel` that relies on all channels alike."""
    p = prep or preprocessing()
    n = len(p.labels)
    covariance = np.stack([np.eye(n) * 25.0 + 5.0] * len(p.bands))
    return LiveDecoder(p, kernel or PowerKernel(n), covariance, np.full(n, 1 / n))  # type: ignore[arg-type]


def stream(labels: tuple[str, ...] = LABELS, rate_hz: float = 250.0, sample_clock: bool = True) -> StreamInfo:
    """A stream that stamps from its sample clock."""
    return StreamInfo(rate_hz, tuple(Channel(x) for x in labels), source_id="test", name="test", sample_clock=sample_clock)


def eeg(n_samples: int, n_channels: int = len(LABELS), seed: int = 0, rate_hz: float = 250.0, start_s: float = 1000.0) -> Chunk:
    """Noise of an EEG's size on top of electrode offsets."""
    rng = np.random.default_rng(seed)
    offset = rng.normal(0, 5000, n_channels)
    return Chunk(offset + rng.normal(0, 10, (n_samples, n_channels)), start_s + np.arange(n_samples) / rate_hz)


def cut(chunk: Chunk, places: list[int]) -> list[Chunk]:
    """The chunk in pieces that end at ``places``."""
    ends = sorted({0, len(chunk), *(p for p in places if 0 < p < len(chunk))})
    return [Chunk(chunk.data[a:b], chunk.stamps[a:b]) for a, b in pairwise(ends)]
