"""Play a recording as if it happened now: all its streams, in step, gaps and backward stamps included."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo
from bci.errors import ConfigError, RecordingError
from bci.stream.bus import Clock
from bci.stream.inprocess import InProcessBus
from bci.stream.metadata import text_info
from bci.stream.recording import RecordedMarkers, RecordedSignal, Recording, times_on

IntArray = npt.NDArray[np.int64]

BACKWARD_S, FORWARD_S = 10.0, 3600.0
"""Stamps that step further than this were reset: nobody waits for them to pass."""
LONGEST_PUSH_S = 0.25
PIECE_S = 0.032
SLICE_S = 0.1
LINGER_S = 0.5
VOLTAGES = ("uV", "mV", "V", "nV")


class SignalOutlet(Protocol):
    """What a signal is played into."""

    def push_chunk(self, data: FloatArray, stamps: FloatArray) -> None:
        """Send consecutive rows, each with its own stamp."""
        ...

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """True as soon as somebody listens."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


class TextOutlet(Protocol):
    """What markers are played into."""

    def push_row(self, row: Sequence[str], stamp: float = 0.0) -> None:
        """Send one text for each column."""
        ...

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """True as soon as somebody listens."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


@dataclass(frozen=True, slots=True)
class PlayerSettings:
    """How to play.

    Parameters
    ----------
    speed : float
        1 is real time.
    chunk_samples : int or None
        Samples per push; None: as the sender pushed them, as far as its stamps tell.
    keep_stamps : bool
        Send the recorded stamps; otherwise all are shifted by one constant, to now. Either way, streams of other computers are
        stamped by the clock of the signal with the most samples.
    lead_s : float
        From the start of playing to the first sample.
    """

    speed: float = 1.0
    chunk_samples: int | None = None
    keep_stamps: bool = False
    lead_s: float = 0.1

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.speed < 1e6:
            problems.append(f"speed = {self.speed}: must be above 0 and below 1e6")
        if self.chunk_samples is not None and self.chunk_samples < 1:
            problems.append(f"chunk_samples = {self.chunk_samples}: must be 1 or more")
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True, slots=True, eq=False)
class Pushes:
    """When one stream is pushed, and how much each time.

    Parameters
    ----------
    ends : ndarray of int, shape (n_pushes,)
        Samples sent up to and with each push.
    due_s : ndarray, shape (n_pushes,)
        When, seconds on the reference's clock; never backwards.
    """

    ends: IntArray
    due_s: FloatArray


def timeline(stamps: FloatArray, step_s: float) -> FloatArray:
    """Stamps with resets taken out: what a clock that was never set would have shown.

    Parameters
    ----------
    stamps : ndarray, shape (n_samples,)
        They may run backwards, jump, or not be finite.
    step_s : float
        Taken instead of an impossible step.

    Returns
    -------
    ndarray, shape (n_samples,)
        The stamps themselves where there is no reset.
    """
    if not len(stamps):
        return stamps
    with np.errstate(invalid="ignore"):
        steps = np.diff(stamps)
        reset = ~((steps >= -BACKWARD_S) & (steps <= FORWARD_S))
    first = float(stamps[0]) if np.isfinite(stamps[0]) else 0.0
    if not reset.any() and np.isfinite(stamps[0]):
        return stamps
    return first + np.concatenate([[0.0], np.cumsum(np.where(reset, step_s, steps))])


def push_ends(stamps: FloatArray, rate_hz: float, chunk_samples: int | None) -> IntArray:
    """Where one push ended and the next began.

    A sender that pushes chunks gives one stamp, that of the newest sample, from which liblsl (or the sender, by
    its own fit) counts back in even steps; so within a push all steps are the usual one, and between pushes
    they are not. Stretches in which nothing gives a push away are cut into pieces.

    Parameters
    ----------
    stamps : ndarray, shape (n_samples,)
    rate_hz : float
        Nominal; 0: each sample was pushed alone.
    chunk_samples : int or None
        Cut into pushes of this many instead.
    """
    n = len(stamps)
    if chunk_samples is not None and rate_hz > 0:
        return np.minimum(np.arange(chunk_samples, n + chunk_samples, chunk_samples), n)
    if rate_hz <= 0:
        return np.arange(1, n + 1)
    with np.errstate(invalid="ignore"):
        steps = np.diff(stamps)
        usual = np.median(steps[np.isfinite(steps)]) if np.isfinite(steps).any() else 1.0 / rate_hz
        between = ~(np.abs(steps - usual) < 1e-3 / rate_hz)
    ends = np.append(np.flatnonzero(between) + 1, n) if n else np.empty(0, np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    longest, piece = max(1, round(LONGEST_PUSH_S * rate_hz)), max(1, round(PIECE_S * rate_hz))
    cut = [np.append(np.arange(a + piece, b, piece), b) if b - a > longest else [b] for a, b in zip(starts, ends, strict=True)]
    return np.concatenate(cut).astype(np.int64) if cut else ends.astype(np.int64)


class Player:
    """Plays a recording into outlets.

    Parameters
    ----------
    recording : Recording
    outlets : sequence of SignalOutlet, TextOutlet or None
        One for each signal, then one for each marker stream; None: left out.
    settings : PlayerSettings

    Attributes
    ----------
    duration_s : float
        Of the recording.

    Raises
    ------
    RecordingError
        If there is nothing to play.
    """

    def __init__(
        self, recording: Recording, outlets: Sequence[SignalOutlet | TextOutlet | None], settings: PlayerSettings | None = None
    ) -> None:
        self._settings = settings or PlayerSettings()
        streams: list[RecordedSignal | RecordedMarkers] = [*recording.signals, *recording.markers]
        used = [(s, o) for s, o in zip(streams, outlets, strict=True) if o is not None and len(s.stamps)]
        if not used:
            raise RecordingError(f"{recording.path}: none of its streams that were asked for holds a sample; nothing to play")
        self._streams, self._outlets = [s for s, _ in used], [o for _, o in used]
        self._stamps = stamps_of(self._streams)
        self._pushes = pushes_of(self._streams, self._settings.chunk_samples)
        self._first_s = min(float(p.due_s[0]) for p in self._pushes)
        self.duration_s = max(float(p.due_s[-1]) for p in self._pushes) - self._first_s

    def steps(self, clock: Clock) -> Iterator[float]:
        """An actor of a :class:`~bci.stream.clock.VirtualClock`: yields when it wants to push, and then does."""
        began = clock.now() + self._settings.lead_s
        due = np.concatenate([p.due_s for p in self._pushes])
        which = np.repeat(np.arange(len(self._pushes)), [len(p.ends) for p in self._pushes])
        ends = np.concatenate([p.ends for p in self._pushes])
        order = np.lexsort((which, due))
        sent = [0] * len(self._pushes)
        moments = began + (due[order] - self._first_s) / self._settings.speed
        for moment, stream, end in zip(moments.tolist(), which[order].tolist(), ends[order].tolist(), strict=True):
            yield moment
            self._push(stream, sent[stream], end, began)
            sent[stream] = end

    def _push(self, stream: int, start: int, end: int, began: float) -> None:
        """Send one push; the recording's first push is stamped as if it was made at ``began``."""
        recorded, outlet = self._streams[stream], self._outlets[stream]
        stamps = self._stamps[stream][start:end]
        if not self._settings.keep_stamps:
            stamps = stamps + (began - self._first_s)
        if isinstance(recorded, RecordedSignal):
            outlet.push_chunk(recorded.data[start:end], stamps)  # type: ignore[union-attr]
            return
        for i, stamp in enumerate(stamps.tolist(), start):
            outlet.push_row(recorded.row(i), stamp)  # type: ignore[union-attr]


def stamps_of(streams: Sequence[RecordedSignal | RecordedMarkers]) -> list[FloatArray]:
    """Stamps of all streams by one clock: that of the signal with the most samples, whose stamps stay what they are."""
    reference = _reference(streams) or streams[0]
    return [times_on(reference, stream) for stream in streams]


def _reference(streams: Sequence[RecordedSignal | RecordedMarkers]) -> RecordedSignal | None:
    """The signal with the most samples."""
    return max((s for s in streams if isinstance(s, RecordedSignal)), key=lambda s: len(s.stamps), default=None)


def pushes_of(streams: Sequence[RecordedSignal | RecordedMarkers], chunk_samples: int | None) -> list[Pushes]:
    """When each stream is pushed, all on one clock (:func:`stamps_of`).

    The signal with the most samples is the reference: the others are placed beside its samples of nearest
    stamp, so that they stay in step with it where clocks were reset.
    """
    reference, stamps = _reference(streams), stamps_of(streams)
    if reference is None:
        common = np.concatenate(stamps)
        place_on = common, timeline(common, 0.0)
    else:
        common = reference.stamps
        rate_hz = reference.info.rate_hz
        place_on = common, timeline(common, 1.0 / rate_hz if rate_hz > 0 else 0.0)
    result = []
    for stream, placed in zip(streams, stamps, strict=True):
        times = place_on[1] if stream is reference else _beside(placed, *place_on)
        ends = push_ends(stream.stamps, stream.info.rate_hz if isinstance(stream, RecordedSignal) else 0.0, chunk_samples)
        result.append(Pushes(ends, np.maximum.accumulate(times)[ends - 1]))
    return result


def _beside(times: FloatArray, common: FloatArray, placed: FloatArray) -> FloatArray:
    """Times moved as the reference's nearest sample was moved; those that are not finite go with the one before."""
    good = np.flatnonzero(np.isfinite(common))
    order = good[np.argsort(common[good], kind="stable")]
    times = np.array(times)
    for i in np.flatnonzero(~np.isfinite(times)):
        times[i] = times[i - 1] if i else common[order[0]]
    right = np.clip(np.searchsorted(common[order], times), 1, len(order) - 1) if len(order) > 1 else np.zeros(len(times), int)
    left = np.maximum(right - 1, 0)
    nearer = np.where(times - common[order[left]] < common[order[right]] - times, left, right)
    nearest = order[nearer]
    moved: FloatArray = placed[nearest] + (times - common[nearest])
    return moved


def played_info(info: StreamInfo, recording: Recording, number: int) -> StreamInfo:
    """The header of a played stream: microvolts, and a source_id that is the same at each playing."""
    channels = tuple(replace(c, unit="uV") if c.unit in VOLTAGES or c.type == "EEG" else c for c in info.channels)
    return replace(
        info,
        channels=channels,
        name=info.name or recording.path.stem,
        source_id=f"player-{recording.sha256[:12]}-{number}",
    )


def _columns(markers: RecordedMarkers) -> tuple[str, ...]:
    """Names of the columns of a played stream of markers."""
    width = max(map(len, markers.rows), default=1)
    if width == 1:
        return ("text",)
    return markers.columns if len(markers.columns) == width else tuple(f"ch{i}" for i in range(1, width + 1))


def lsl_outlets(recording: Recording, bci: bool = False) -> list[SignalOutlet | TextOutlet | None]:
    """An LSL outlet for each stream; streams of our own engine (types ``BCI-…``) only where ``bci``."""
    from bci.stream.lsl import LslOutlet, LslTextOutlet

    outlets: list[SignalOutlet | TextOutlet | None] = []
    for i, signal in enumerate(recording.signals):
        wanted = bci or not signal.info.type.startswith("BCI-")
        outlets.append(LslOutlet(played_info(signal.info, recording, i), "double64") if wanted else None)
    for i, m in enumerate(recording.markers, start=len(recording.signals)):
        info = played_info(text_info(m.name or "markers", m.type, "", _columns(m)), recording, i)
        wanted = bci or not m.type.startswith("BCI-")
        outlets.append(LslTextOutlet(info.name, info.type, info.source_id, columns=info.labels) if wanted else None)
    return outlets


def bus_outlets(recording: Recording, bus: InProcessBus, bci: bool = False) -> list[SignalOutlet | TextOutlet | None]:
    """As :func:`lsl_outlets`, on the in-process bus."""
    outlets: list[SignalOutlet | TextOutlet | None] = []
    for i, signal in enumerate(recording.signals):
        wanted = bci or not signal.info.type.startswith("BCI-")
        outlets.append(bus.outlet(played_info(signal.info, recording, i)) if wanted else None)
    for i, m in enumerate(recording.markers, start=len(recording.signals)):
        info = played_info(text_info(m.name or "markers", m.type, "", _columns(m)), recording, i)
        wanted = bci or not m.type.startswith("BCI-")
        outlets.append(bus.text_outlet(info.name, info.type, info.source_id, columns=info.labels) if wanted else None)
    return outlets


def play(
    recording: Recording,
    settings: PlayerSettings | None = None,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda _: None,
    wait_for_consumers_s: float = 0.0,
    ready: Callable[[], None] = lambda: None,
) -> bool:
    """Play a recording into LSL; return True when it was played to its end.

    Parameters
    ----------
    recording : Recording
    settings : PlayerSettings, optional
    stopped : callable
        Asked ten times a second and before each push whether to stop.
    progress : callable
        Told the share played, 0 to 1.
    wait_for_consumers_s : float
        Wait at most this long until somebody reads each signal.
    ready : callable
        Called when the streams can be found.
    """
    from bci.stream.clock import LslClock

    clock = LslClock()
    outlets = lsl_outlets(recording)
    try:
        player = Player(recording, outlets, settings)
        ready()
        if not _await_readers(outlets[: len(recording.signals)], wait_for_consumers_s, stopped):
            return False
        finished = _run(player, clock, stopped, progress)
        if finished:
            time.sleep(LINGER_S)  # what was sent last is still on its way
        return finished
    finally:
        for outlet in outlets:
            if outlet is not None:
                outlet.close()


def _await_readers(outlets: Sequence[SignalOutlet | TextOutlet | None], timeout_s: float, stopped: Callable[[], bool]) -> bool:
    """Wait until each outlet is read or the time is up; False where it was asked to stop."""
    end = time.monotonic() + timeout_s
    waiting = [o for o in outlets if o is not None]
    while waiting and time.monotonic() < end:
        if stopped():
            return False
        waiting = [o for o in waiting if not o.wait_for_consumers(SLICE_S)]
    return True


def _run(player: Player, clock: Clock, stopped: Callable[[], bool], progress: Callable[[float], None]) -> bool:
    began = told = clock.now()
    span = player.duration_s or 1.0
    for due in player.steps(clock):
        while (now := clock.now()) < due:
            if stopped():
                return False
            clock.wait_until(min(due, now + SLICE_S))
        if now - told >= SLICE_S:
            told = now
            progress(min(1.0, (due - began) / span))
        if stopped():
            return False
    progress(1.0)
    return True


class PlayerSource:
    """One recorded signal as a :class:`~bci.stream.bus.Source`.

    Parameters
    ----------
    signal : RecordedSignal
    clock : Clock
    settings : PlayerSettings, optional
    """

    def __init__(self, signal: RecordedSignal, clock: Clock, settings: PlayerSettings | None = None) -> None:
        self.info = signal.info
        self._settings = settings or PlayerSettings()
        self._signal, self._clock = signal, clock
        (pushes,) = (
            pushes_of([signal], self._settings.chunk_samples) if len(signal.stamps) else (Pushes(np.empty(0, int), np.empty(0)),)
        )
        first = pushes.due_s[0] if len(pushes.due_s) else 0.0
        began = clock.now() + self._settings.lead_s
        self._due = began + (pushes.due_s - first) / self._settings.speed
        self._ends = pushes.ends
        self._shift = 0.0 if self._settings.keep_stamps else began - first
        self._next = self._sent = 0

    @property
    def finished(self) -> bool:
        """All was read."""
        return self._next == len(self._ends)

    def read(self, timeout_s: float) -> Chunk | None:
        """All pushes that are due, waiting at most ``timeout_s`` for the first; None where none was."""
        until = self._clock.now() + timeout_s
        if self.finished or self._due[self._next] > until:
            self._clock.wait_until(until)
            return None
        self._clock.wait_until(float(self._due[self._next]))
        self._next = max(self._next + 1, int(np.searchsorted(self._due, self._clock.now(), side="right")))
        start, self._sent = self._sent, int(self._ends[self._next - 1])
        return Chunk(self._signal.data[start : self._sent], self._signal.stamps[start : self._sent] + self._shift)

    def close(self) -> None:
        """Read no more. May be called twice."""
        self._next = len(self._ends)
