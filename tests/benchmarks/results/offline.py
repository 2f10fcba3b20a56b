"""The same pipeline as papers report it: whole recording in hand, zero-phase filter, exact epochs.

Nothing here could run live: the filter looks ahead, and artefacts and gaps stop nothing. The time of each sample
is judged either by the project's continuity or, as is usual, by pyxdf's smoothing of the stamps.
"""

from __future__ import annotations

import logging
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfiltfilt

from bci.engine.chunk import Chunk, FloatArray, hop_chunks
from bci.engine.continuity import Continuity
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import StreamInfo
from bci.model.family import load_family
from bci.settings import SessionConfig
from bci.training.labelled import open_labelled
from bci.training.resolved import resolve_decoder

from .recordings import Person

Windows = tuple[FloatArray, np.ndarray]
KEPT = 12


def offline(person: Person, clock: str = "continuity") -> tuple[int, int]:
    """Correct and all trials of the later runs, decoded by a model of the earlier ones.

    Parameters
    ----------
    person : Person
    clock : {"continuity", "pyxdf"}
        Who says when a sample was taken.
    """
    windows, labels = _join([_windows(path, person.config, clock) for path in person.train])
    fitted = load_family(person.config.decoder.name).fit(windows, labels)
    later, truth = _join([_windows(path, person.config, clock) for path in person.test])
    return int((fitted.estimator.predict(later) == truth).sum()), len(truth)


def _join(parts: list[Windows]) -> Windows:
    return np.concatenate([w for w, _ in parts]), np.concatenate([y for _, y in parts])


def _windows(path: Path, config: SessionConfig, clock: str) -> Windows:
    """Windows, shape (n_trials, n_bands, n_samples, n_channels), from cue + start to cue + stop, and their classes."""
    run = open_labelled(path, config)
    p = resolve_decoder(run.info, config).preprocessing
    raw = run.raw.data[:, run.info.columns(p.labels)]
    filtered = _zero_phase(p, raw)
    start, stop = (round(s * p.rate_hz) for s in (config.trial.start_s, config.trial.stop_s))
    times = by_pyxdf(path, run.raw) if clock == "pyxdf" else by_continuity(path, run.raw, run.info)
    windows, labels = [], []
    for cue in run.cues:
        at = int(np.searchsorted(times, cue.time_s))
        if at + stop <= len(raw):
            windows.append(filtered[:, at + start : at + stop])
            labels.append(cue.class_)
    return np.array(windows), np.array(labels)


def _zero_phase(p: Preprocessing, raw: FloatArray) -> FloatArray:
    """All bands, shape (n_bands, n_samples, n_channels)."""
    raw = raw - raw.mean(axis=0)
    filters = [butter(p.order, band, "bandpass", fs=p.rate_hz, output="sos") for band in p.bands]
    return np.stack([sosfiltfilt(sos, raw, axis=0) for sos in filters])


def by_continuity(path: Path, raw: Chunk, info: StreamInfo) -> FloatArray:
    """Time of each sample by our own continuity, shape (n_samples,), never backwards."""
    if path.suffix != ".xdf":
        return raw.stamps
    return _placed(_Run(path, raw, info))


def by_pyxdf(path: Path, raw: Chunk) -> FloatArray:
    """Time of each sample as pyxdf smooths it, shape (n_samples,): a line through all stamps between breaks."""
    return _smoothed(path) if path.suffix == ".xdf" else raw.stamps


class _Run:
    """A run that is told from others by its path."""

    def __init__(self, path: Path, raw: Chunk, info: StreamInfo) -> None:
        self.path, self.raw, self.info = path, raw, info

    def __hash__(self) -> int:
        return hash(self.path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Run) and self.path == other.path


@lru_cache(maxsize=KEPT)
def _placed(run: _Run) -> FloatArray:
    continuity = Continuity(run.info.rate_hz, run.info.sample_clock)
    times = []
    for piece in hop_chunks(run.raw, 5):
        for placed in continuity.push(piece):
            first, last = continuity.time_of(placed.start), continuity.time_of(placed.start + len(placed) - 1)
            line = np.linspace(first, last, len(placed))
            times.append(line if placed.bridged is None else line[~placed.bridged])
    return np.maximum.accumulate(np.concatenate(times))


@cache
def _smoothed(path: Path) -> FloatArray:
    import pyxdf

    logging.getLogger("pyxdf").setLevel(logging.ERROR)
    streams, _ = pyxdf.load_xdf(str(path), synchronize_clocks=False)
    (eeg,) = [s for s in streams if s["info"]["type"][0] == "EEG"]
    found: FloatArray = eeg["time_stamps"]
    return found
