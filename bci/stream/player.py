"""Play a recording as if it happened now: all its streams, in step, gaps and backward stamps included."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import Chunk
from bci.errors import ConfigError, RecordingError
from bci.stream.bus import Clock
from bci.stream.outlets import MarkerOutlet, SignalOutlet
from bci.stream.played_outlets import lsl_outlets
from bci.stream.push_times import Pushes, pushes_of, stamps_of
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams

SLICE_S = 0.1
LINGER_S = 0.5


@dataclass(frozen=True, slots=True)
class PlayerSettings:
    """Settings of a player.

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


class Player:
    """Plays a recording into outlets.

    Parameters
    ----------
    recording : RecordedStreams
    outlets : sequence of SignalOutlet, MarkerOutlet or None
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
        self,
        recording: RecordedStreams,
        outlets: Sequence[SignalOutlet | MarkerOutlet | None],
        settings: PlayerSettings | None = None,
    ) -> None:
        self._settings = settings or PlayerSettings()
        streams: list[RecordedSignal | RecordedMarkers] = [*recording.signals, *recording.markers]
        used = [(s, o) for s, o in zip(streams, outlets, strict=True) if o is not None and len(s.stamps)]
        if not used:
            raise RecordingError(
                f"{recording.path}: none of the streams that were asked for contains a sample, so there is nothing to play"
            )
        self._streams, self._outlets = [s for s, _ in used], [o for _, o in used]
        self._stamps = stamps_of(self._streams)
        self._pushes = pushes_of(self._streams, self._settings.chunk_samples)
        self._first_s = min(float(p.due_s[0]) for p in self._pushes)
        self.duration_s = max(float(p.due_s[-1]) for p in self._pushes) - self._first_s

    def steps(self, clock: Clock) -> Iterator[float]:
        """Play, as an actor of a :class:`~bci.stream.clock.VirtualClock`.

        Parameters
        ----------
        clock : Clock

        Returns
        -------
        float
            When it wants to make the next push, seconds on the clock; it makes it when it is asked to go on.
        """
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


def play(
    recording: RecordedStreams,
    settings: PlayerSettings | None = None,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda _: None,
    wait_for_consumers_s: float = 0.0,
    ready: Callable[[], None] = lambda: None,
) -> bool:
    """Play a recording into LSL; return True when it was played to its end.

    Parameters
    ----------
    recording : RecordedStreams
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


def _await_readers(outlets: Sequence[SignalOutlet | MarkerOutlet | None], timeout_s: float, stopped: Callable[[], bool]) -> bool:
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
        """Return the samples of all pushes that are due, and wait for the first where none is.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        Chunk or None
            None where no push was due in time.
        """
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
