"""Cut trials out of a recording, through the very steps that run live."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import BoolArray, Chunk, FloatArray
from bci.engine.engine import Engine
from bci.engine.frontend import Frontend, FrontSettings, Window
from bci.engine.outcome import Outcome, Reason
from bci.engine.preprocessing import Preprocessing
from bci.engine.spatial import expectation, reference_matrix
from bci.engine.stream_info import StreamInfo
from bci.errors import TrainingError
from bci.session.cues import Trial as Trial
from bci.session.cues import trials_of as trials_of
from bci.session.marked import UNMARKED, Marked, Marks
from bci.session.rejected import BadChannel, measured_uv

MIN_WHOLE = 10
"""Trials with all channels good, from which it is learned what a bad channel would have shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """Further windows of trials, as they slid past before the one that counts; none has a bad channel.

    Parameters
    ----------
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        µV.
    trials : ndarray of int, shape (n_windows,)
        Place of each window's trial in the :class:`Epochs`.
    """

    windows: FloatArray
    trials: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Epochs:
    """Trials of one or more recordings, ready to train on.

    Parameters
    ----------
    windows : ndarray, shape (n_trials, n_bands, n_samples, n_channels)
        Filtered and referenced, µV.
    labels : ndarray of str, shape (n_trials,)
    runs : ndarray of int, shape (n_trials,)
        Which recording a trial comes from; cross-validation never splits inside one.
    bad : ndarray of bool, shape (n_trials, n_channels)
        Channels that live decoding would have done without; :func:`filled` replaces them.
    rejected : tuple of (Trial, str)
        Trials left out, and why.
    earlier : Earlier or None
        Further windows of these trials, for decoders that train on windows as they slide.
    faults : tuple of BadChannel
        What was wrong with the bad channels of the trials left out.
    """

    windows: FloatArray
    labels: npt.NDArray[np.str_]
    runs: npt.NDArray[np.int64]
    bad: BoolArray
    rejected: tuple[tuple[Trial, str], ...] = ()
    earlier: Earlier | None = None
    faults: tuple[BadChannel, ...] = ()

    def sliding(self, trials: Sequence[int] | None = None) -> tuple[FloatArray, npt.NDArray[np.str_], npt.NDArray[np.int64]]:
        """All windows of all or some trials with class and trial of each, trial by trial.

        Parameters
        ----------
        trials : sequence of int, optional
            Places of the trials.
        """
        places = np.arange(len(self.labels)) if trials is None else np.asarray(trials, dtype=np.int64)
        if self.earlier is None:
            return self.windows[places], self.labels[places], places
        kept = np.isin(self.earlier.trials, places)
        numbers = np.concatenate([self.earlier.trials[kept], places])
        order = np.argsort(numbers, kind="stable")
        windows = np.concatenate([self.earlier.windows[kept], self.windows[places]])
        return windows[order], self.labels[numbers[order]], numbers[order]


class Grid:
    """Which point of the window grid belongs to which cue: the first at or after cue + stop.

    Parameters
    ----------
    cues : sequence of Trial
    stop_s : float
    tolerance_s : float
        Half a sample, so that rounding of stamps does not decide.
    """

    def __init__(self, cues: Sequence[Trial], stop_s: float, tolerance_s: float) -> None:
        self._waiting = sorted(cues, key=lambda c: c.time_s, reverse=True)
        self._stop_s = stop_s - tolerance_s

    def take(self, time_s: float) -> list[Trial]:
        """Cues whose window is the one that ends at ``time_s``; none where that is not known (NaN)."""
        found = []
        while self._waiting and self._waiting[-1].time_s + self._stop_s <= time_s:
            found.append(self._waiting.pop())
        return found

    @property
    def left(self) -> list[Trial]:
        """Cues whose time has not come: the recording ended first."""
        return self._waiting[::-1]


def pieces(raw: Chunk, hop: int) -> Iterator[Chunk]:
    """The stream one hop at a time, so that times are judged with no more than is known live."""
    for start in range(0, len(raw), hop):
        yield Chunk(raw.data[start : start + hop], raw.stamps[start : start + hop])


def cut(
    info: StreamInfo,
    raw: Chunk,
    cues: Sequence[Trial],
    preprocessing: Preprocessing,
    stop_s: float,
    run: int = 0,
    front: FrontSettings | None = None,
    progress: Callable[[float], None] = lambda _: None,
    earlier_s: Sequence[float] = (),
    marked: Marked = UNMARKED,
) -> Epochs:
    """One window for each cue: the first that ends at or after cue + ``stop_s``.

    A window that would not be decoded live is left out, and no other: with few enough bad channels it stays.

    Parameters
    ----------
    info, raw : StreamInfo, Chunk
        The recorded stream: µV and raw stamps.
    cues : sequence of Trial
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
    marked : Marked
        What people marked bad: channels are distrusted so long, and trials that were left out for a stretch say its name.

    Returns
    -------
    Epochs
    """
    sooner = [Grid(cues, stop_s - before_s, 0.5 / preprocessing.rate_hz) for before_s in earlier_s]
    slid: list[tuple[Trial, FloatArray]] = []
    kept: list[tuple[Trial, FloatArray, BoolArray]] = []
    rejected: list[tuple[Trial, str]] = []
    faults: list[BadChannel] = []

    def early(window: Window, end_s: float) -> None:
        cues_now = [cue for one in sooner for cue in one.take(end_s)]
        if cues_now and window.reason is Reason.DECIDED and not window.bad.any() and window.filled == preprocessing.window:
            slid.extend((cue, window.features @ reference_matrix(preprocessing, ~window.bad).T) for cue in cues_now)

    for met in meet(info, raw, cues, preprocessing, stop_s, front, marked, progress, early):
        if met.why:
            rejected.append((met.cue, met.why))
            faults += met.faults
        elif met.window is not None:
            bad = met.window.bad[: len(preprocessing.labels)].copy()
            kept.append((met.cue, stretched(met.window) @ reference_matrix(preprocessing, ~met.window.bad).T, bad))
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


def stretched(window: Window) -> FloatArray:
    """Samples of a window, shape (n_bands, n_samples, n_channels), µV; where losses took some, zeros stand for those.

    What is there is scaled so that power and covariance are those of the samples that are there: estimators that see a window
    through its covariance see what the kernel sees live.
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
class Met:
    """A cue and the window that counts for it.

    Parameters
    ----------
    cue : Trial
    window : Window or None
        Valid until the next is asked for; None where the recording ended first.
    why : str
        Why the window is not decoded, whatever the decoder; empty where it is.
    faults : tuple of BadChannel
        Channels that are bad in a window that is whole, whether they are the reason or it is decoded without them.
    """

    cue: Trial
    window: Window | None
    why: str
    faults: tuple[BadChannel, ...] = ()


def meet(
    info: StreamInfo,
    raw: Chunk,
    cues: Sequence[Trial],
    preprocessing: Preprocessing,
    stop_s: float,
    front: FrontSettings | None = None,
    marked: Marked = UNMARKED,
    progress: Callable[[float], None] = lambda _: None,
    each: Callable[[Window, float], None] = lambda window, end_s: None,
) -> Iterator[Met]:
    """Each cue with the first window that ends at or after cue + ``stop_s``, judged as the engine judges it.

    Parameters
    ----------
    info, raw, cues, preprocessing, stop_s, front, marked, progress
        As of :func:`cut`.
    each : callable
        Shown every window of the grid and its end, seconds.
    """
    front = front or FrontSettings()
    frontend = Frontend(info, preprocessing, "samples", front.quality, front.continuity)
    # A hop more: marks are applied before the hop that holds their sample.
    memory = preprocessing.window + (frontend.settling_blocks + 1) * preprocessing.hop
    marks = marked.inputs(raw.stamps, info.rate_hz, frontend.labels, memory)
    memory_s = memory / info.rate_hz
    columns = info.columns(preprocessing.labels)
    few = front.quality.bad_share * len(preprocessing.labels)
    grid = Grid(cues, stop_s, 0.5 / preprocessing.rate_hz)
    for piece in pieces(raw, preprocessing.hop):
        for mark in marks.due(frontend.consumed + len(piece)):
            frontend.mark(mark.labels, mark.bad)
        for window in frontend.push(piece):
            end_s = frontend.end_of(window)
            each(window, end_s)
            for cue in grid.take(end_s):
                bad = window.bad[: len(columns)]
                if window.reason is not Reason.DECIDED:
                    yield Met(cue, window, marked.why(end_s - memory_s, end_s) or window.reason.name.lower())
                    continue
                data = raw.data[max(0, window.consumed - preprocessing.window) : window.consumed]
                faults = [(i, frontend.quality.why(i)) for i in np.flatnonzero(bad).tolist()]
                told = tuple(
                    BadChannel(preprocessing.labels[i], why, measured_uv(why, data[:, columns[i]], info.rate_hz))
                    for i, why in faults
                )
                yield Met(cue, window, _named(preprocessing.labels, bad) if window.bad.any() and len(told) >= few else "", told)
        progress(frontend.consumed / max(1, len(raw)))
    yield from (Met(cue, None, "recording ended") for cue in grid.left)


def _earlier(slid: Sequence[tuple[Trial, FloatArray]], kept: Sequence[Trial]) -> Earlier | None:
    """Windows of the trials that were kept."""
    places = {cue: i for i, cue in enumerate(kept)}
    found = [(places[cue], window) for cue, window in slid if cue in places]
    return Earlier(np.array([w for _, w in found]), np.array([i for i, _ in found])) if found else None


def earlier_ends(preprocessing: Preprocessing, start_s: float, stop_s: float, most: int = 7) -> tuple[float, ...]:
    """How long before the end of a trial other windows end that lie in it too; none where a window fills the trial.

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


def filled(epochs: Epochs, labels: Sequence[str]) -> Epochs:
    """Bad channels replaced by what the good ones imply, as the engine does it live.

    What the good channels do not explain is taken from the nearest whole trial (hot-deck imputation: Little and
    Rubin, Statistical Analysis with Missing Data, section 4.3), so that a covariance keeps its full rank.

    Parameters
    ----------
    epochs : Epochs
    labels : sequence of str
        Of the channels, for messages.

    Returns
    -------
    Epochs
        All trials; the same object where nothing is bad.

    Raises
    ------
    TrainingError
        If there are too few whole trials to learn from what a channel usually is; names the bad channels.
    """
    whole = np.flatnonzero(~epochs.bad.any(axis=1))
    if len(whole) == len(epochs.labels):
        return epochs
    if len(whole) < MIN_WHOLE:
        counts = zip(labels, epochs.bad.sum(axis=0).tolist(), strict=True)
        listing = ", ".join(f"{label} in {n}" for label, n in counts if n)
        raise TrainingError(
            f"only {len(whole)} of {len(epochs.labels)} trials are without a bad channel, at least {MIN_WHOLE} are needed "
            f"(bad: {listing}). Leave such channels out of `preprocessing.channels`, or record again with better contact."
        )
    windows = epochs.windows.copy()
    donors = epochs.windows[whole]
    covariances = np.einsum("tbsi,tbsj->bij", donors, donors, optimize=True) / (len(whole) * donors.shape[2])
    for i in np.flatnonzero(epochs.bad.any(axis=1)):
        donor = windows[whole[np.abs(whole - i).argmin()]]
        for band, covariance in enumerate(covariances):
            fill, _ = expectation(covariance, ~epochs.bad[i])
            windows[i, band] = donor[band] + (windows[i, band] - donor[band]) @ fill.T
    return replace(epochs, windows=windows)


def reasons(rejected: Iterable[tuple[Trial, str]]) -> dict[str, int]:
    """How many trials were left out for each reason, the commonest first."""
    return dict(Counter(why for _, why in rejected).most_common())


def join(parts: Iterable[Epochs]) -> Epochs:
    """Trials of several recordings as one set."""
    parts = list(parts)
    return Epochs(
        np.concatenate([p.windows for p in parts]),
        np.concatenate([p.labels for p in parts]),
        np.concatenate([p.runs for p in parts]),
        np.concatenate([p.bad for p in parts]),
        tuple(r for p in parts for r in p.rejected),
        _joined([p.earlier for p in parts], [len(p.labels) for p in parts]),
        tuple(fault for p in parts for fault in p.faults),
    )


def _joined(parts: Sequence[Earlier | None], counts: Sequence[int]) -> Earlier | None:
    """Further windows of several recordings, their trials counted on."""
    before = np.concatenate([[0], np.cumsum(counts)])
    found = [(p.windows, p.trials + n) for p, n in zip(parts, before.tolist(), strict=False) if p is not None]
    return Earlier(np.concatenate([w for w, _ in found]), np.concatenate([t for _, t in found])) if found else None


def decoded(engine: Engine, raw: Chunk, marked: Marked) -> Iterator[Outcome]:
    """What the engine says of a recording, one hop at a time, told which channels people marked bad and when.

    Parameters
    ----------
    engine : Engine
    raw : Chunk
        As :meth:`~bci.stream.recording.RecordedSignal.chunk` gives it.
    marked : Marked
    """
    p, frontend, begin = engine.preprocessing, engine.frontend, engine.consumed
    memory = p.window + (frontend.settling_blocks + 1) * p.hop
    marks: Marks = marked.inputs(raw.stamps, engine.info.rate_hz, frontend.labels, memory)
    for piece in pieces(raw, p.hop):
        for mark in marks.due(engine.consumed - begin + len(piece)):
            engine.apply(mark)
        yield from engine.outcomes(piece)
    for mark in marks.ended():
        engine.apply(mark)


def decode_at_cues(
    engine: Engine, raw: Chunk, cues: Sequence[Trial], stop_s: float, marked: Marked = UNMARKED
) -> list[tuple[Trial, Outcome | None]]:
    """The outcome that counts for each cue: that of the first window ending at or after cue + ``stop_s``.

    Returns
    -------
    list of (Trial, Outcome or None)
        In the order of the cues; None where the recording ended first or nothing was said.
    """
    grid = Grid(cues, stop_s, 0.5 / engine.info.rate_hz)
    found: list[tuple[Trial, Outcome | None]] = []
    for outcome in decoded(engine, raw, marked):
        found += [(cue, outcome) for cue in grid.take(engine.end_of(outcome))]
    return found + [(cue, None) for cue in grid.left]
