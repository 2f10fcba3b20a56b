"""Trials are cut out of a recording with the same steps that run live."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import BoolArray, Chunk, FloatArray, hop_chunks
from bci.engine.frontend import Frontend, FrontSettings, Window
from bci.engine.outcome import Reason
from bci.engine.preprocessing import Preprocessing
from bci.engine.spatial import reference_matrix
from bci.engine.stream_info import StreamInfo
from bci.paradigm.cues import CueEvent
from bci.training.epochs import EarlierWindows, Epochs
from bci.training.marked import UNMARKED, BadMarks
from bci.training.rejected import BadChannel, measured_uv


class TrialEndMatcher:
    """Finds the window of each cue: the first that ends at or after cue + stop.

    Parameters
    ----------
    cues : sequence of CueEvent
    stop_s : float
    tolerance_s : float
        Half a sample, so that rounding of stamps does not decide.
    """

    def __init__(self, cues: Sequence[CueEvent], stop_s: float, tolerance_s: float) -> None:
        self._waiting = sorted(cues, key=lambda c: c.time_s, reverse=True)
        self._stop_s = stop_s - tolerance_s

    def take(self, time_s: float) -> list[CueEvent]:
        """Return the cues whose window is the one that ends at ``time_s``; no cue if that time is not known (NaN).

        Parameters
        ----------
        time_s : float
            End of a window on the clock of the cues; NaN where it is not known.

        Returns
        -------
        list of CueEvent
        """
        found = []
        while self._waiting and self._waiting[-1].time_s + self._stop_s <= time_s:
            found.append(self._waiting.pop())
        return found

    @property
    def left(self) -> list[CueEvent]:
        """Cues without a window, because the recording ended first."""
        return self._waiting[::-1]


def extract_epochs(
    info: StreamInfo,
    raw: Chunk,
    cues: Sequence[CueEvent],
    preprocessing: Preprocessing,
    stop_s: float,
    run: int = 0,
    front: FrontSettings | None = None,
    progress: Callable[[float], None] = lambda _: None,
    earlier_s: Sequence[float] = (),
    marked: BadMarks = UNMARKED,
) -> Epochs:
    """Cut one window for each cue: the first that ends at or after cue + ``stop_s``.

    A window that would not be decoded live is left out, and no other: with few enough bad channels it stays.

    Parameters
    ----------
    info, raw : StreamInfo, Chunk
        The recorded stream: µV and raw stamps.
    cues : sequence of CueEvent
    preprocessing : Preprocessing
    stop_s : float
        Seconds after the cue.
    run : int
        Number of the recording, kept with each trial.
    front : FrontSettings
        As the engine has them.
    progress : callable
        Told the share done, 0 to 1.
    earlier_s : sequence of float
        Further windows of each trial, so many seconds before the one that counts.
    marked : BadMarks
        What people marked bad. Marked channels count as bad, and the reason of a trial that was left out names the mark.

    Returns
    -------
    Epochs
    """
    sooner = [TrialEndMatcher(cues, stop_s - before_s, 0.5 / preprocessing.rate_hz) for before_s in earlier_s]
    slid: list[tuple[CueEvent, FloatArray]] = []
    kept: list[tuple[CueEvent, FloatArray, BoolArray]] = []
    rejected: list[tuple[CueEvent, str]] = []
    faults: list[BadChannel] = []

    def early(window: Window, end_s: float) -> None:
        cues_now = [cue for one in sooner for cue in one.take(end_s)]
        if cues_now and window.reason is Reason.DECIDED and not window.bad.any() and window.filled == preprocessing.window:
            slid.extend((cue, window.features @ reference_matrix(preprocessing, ~window.bad).T) for cue in cues_now)

    for met in match_cues(info, raw, cues, preprocessing, stop_s, front, marked, progress, early):
        if met.why:
            rejected.append((met.cue, met.why))
            faults += met.faults
        elif met.window is not None:
            bad = met.window.bad[: len(preprocessing.labels)].copy()
            kept.append((met.cue, fill_lost_samples(met.window) @ reference_matrix(preprocessing, ~met.window.bad).T, bad))
    n_channels = len(preprocessing.labels)
    shape = (0, len(preprocessing.bands), preprocessing.window, n_channels)
    return Epochs(
        np.array([w for _, w, _ in kept]) if kept else np.zeros(shape),
        np.array([c.class_ for c, _, _ in kept], dtype=np.str_),
        np.full(len(kept), run),
        np.array([b for _, _, b in kept], dtype=np.bool_).reshape(-1, n_channels),
        tuple(rejected),
        _earlier(slid, [cue for cue, _, _ in kept]),
        tuple(faults),
    )


def fill_lost_samples(window: Window) -> FloatArray:
    """Samples of a window, shape (n_bands, n_samples, n_channels), µV, with zeros in place of lost samples.

    What is there is scaled so that power and covariance are those of the samples that are there: estimators that see a window
    through its covariance see what the kernel sees live.

    Parameters
    ----------
    window : Window

    Returns
    -------
    ndarray, shape (n_bands, n_samples, n_channels)
    """
    samples = window.features
    n = samples.shape[1]
    if window.filled == n:
        return samples
    whole = np.zeros_like(samples)
    there = slice(n - window.filled, n)
    whole[:, there] = samples[:, there] * math.sqrt(n / window.filled)
    return whole


@dataclass(frozen=True, slots=True, eq=False)
class CueWindow:
    """A cue and the window that counts for it.

    Parameters
    ----------
    cue : CueEvent
    window : Window or None
        Valid until the next is asked for; None where the recording ended first.
    why : str
        Why the window is not decoded, whatever the decoder; empty where it is.
    faults : tuple of BadChannel
        Channels that are bad in a window that is whole, whether they are the reason or it is decoded without them.
    """

    cue: CueEvent
    window: Window | None
    why: str
    faults: tuple[BadChannel, ...] = ()


def match_cues(
    info: StreamInfo,
    raw: Chunk,
    cues: Sequence[CueEvent],
    preprocessing: Preprocessing,
    stop_s: float,
    front: FrontSettings | None = None,
    marked: BadMarks = UNMARKED,
    progress: Callable[[float], None] = lambda _: None,
    each: Callable[[Window, float], None] = lambda window, end_s: None,
) -> Iterator[CueWindow]:
    """Find the window of each cue, and judge it as the engine does.

    Parameters
    ----------
    info, raw, cues, preprocessing, stop_s, front, marked, progress
        As of :func:`extract_epochs`.
    each : callable
        Shown every window of the grid and its end, seconds.

    Yields
    ------
    CueWindow
    """
    front = front or FrontSettings()
    frontend = Frontend(info, preprocessing, "samples", front.quality, front.continuity)
    # A hop more: marks are applied before the hop that holds their sample.
    memory = preprocessing.window + (frontend.settling_blocks + 1) * preprocessing.hop
    marks = marked.inputs(raw.stamps, info.rate_hz, frontend.labels, memory)
    memory_s = memory / info.rate_hz
    columns = info.columns(preprocessing.labels)
    few = front.quality.bad_share * len(preprocessing.labels)
    grid = TrialEndMatcher(cues, stop_s, 0.5 / preprocessing.rate_hz)
    for piece in hop_chunks(raw, preprocessing.hop):
        for mark in marks.due(frontend.consumed + len(piece)):
            frontend.mark(mark.labels, mark.bad)
        for window in frontend.push(piece):
            end_s = frontend.end_of(window)
            each(window, end_s)
            for cue in grid.take(end_s):
                bad = window.bad[: len(columns)]
                if window.reason is not Reason.DECIDED:
                    yield CueWindow(cue, window, marked.why(end_s - memory_s, end_s) or window.reason.name.lower())
                    continue
                data = raw.data[max(0, window.consumed - preprocessing.window) : window.consumed]
                faults = [(i, frontend.quality.why(i)) for i in np.flatnonzero(bad).tolist()]
                told = tuple(
                    BadChannel(preprocessing.labels[i], why, measured_uv(why, data[:, columns[i]], info.rate_hz))
                    for i, why in faults
                )
                yield CueWindow(
                    cue, window, _named(preprocessing.labels, bad) if window.bad.any() and len(told) >= few else "", told
                )
        progress(frontend.consumed / max(1, len(raw)))
    yield from (CueWindow(cue, None, "recording ended") for cue in grid.left)


def _earlier(slid: Sequence[tuple[CueEvent, FloatArray]], kept: Sequence[CueEvent]) -> EarlierWindows | None:
    """Windows of the trials that were kept."""
    places = {cue: i for i, cue in enumerate(kept)}
    found = [(places[cue], window) for cue, window in slid if cue in places]
    return EarlierWindows(np.array([w for _, w in found]), np.array([i for i, _ in found])) if found else None


def earlier_ends(preprocessing: Preprocessing, start_s: float, stop_s: float, most: int = 7) -> tuple[float, ...]:
    """Times before the end of a trial at which further windows of the trial end; empty where one window fills the trial.

    Parameters
    ----------
    preprocessing : Preprocessing
    start_s, stop_s : float
        Part of a trial after the cue.
    most : int
        More overlap so much that they tell nothing new.

    Returns
    -------
    tuple of float
        Seconds, whole hops, the longest first.
    """
    hop_s = preprocessing.hop / preprocessing.rate_hz
    hops = int((stop_s - start_s) / hop_s + 1e-6) - preprocessing.window // preprocessing.hop
    if hops < 1:
        return ()
    ends = {round(k) for k in np.linspace(0, hops, min(most, hops) + 1)[1:]}
    return tuple(hop_s * k for k in sorted(ends, reverse=True))


def _named(labels: Sequence[str], bad: BoolArray) -> str:
    return f"bad {', '.join(label for label, is_bad in zip(labels, bad, strict=True) if is_bad)}"
