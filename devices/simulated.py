"""A simulated person with an amplifier: EEG with a known truth, at any speed.

The signal is a function of the settings, of the sample index and of the cues: how it is read, and
how fast, changes no bit of it. See ``devices/background.py`` for how that is done.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bci.engine.chunk import Chunk, FloatArray, samples
from bci.engine.stream_info import Channel, StreamInfo
from bci.paradigm.timeline import EYES_CLOSED, EYES_OPEN, TRIAL_END, cue_code
from bci.stream.bus import Clock
from devices.background import BLOCK_S, Draw, draw
from devices.headmodel import POSITIONS_M, montage
from devices.imagery import REACTION_S, CursorImagery, Imagery, ImageryTrial, make_trial
from devices.opening import or_lsl_clock, require_open
from devices.signals import Signals
from devices.simulated_settings import CLASSES, Artefact, SimulatedSettings, read_options


class SimulatedSubject:
    """A person who answers cues, as a :class:`~bci.stream.bus.Source`.

    Parameters
    ----------
    settings : SimulatedSettings, optional
    clock : Clock, optional
        A virtual one runs as fast as it is read; None for real time on the LSL clock.

    Attributes
    ----------
    info : StreamInfo
    lost : int
        Samples lost so far, among those that would have been delivered.
    """

    def __init__(self, settings: SimulatedSettings | None = None, clock: Clock | None = None) -> None:
        self.settings = s = settings or SimulatedSettings()
        self._clock = or_lsl_clock(clock)
        labels = montage(s.channels)
        self.info = StreamInfo(
            rate_hz=s.rate_hz,
            channels=tuple(Channel(label, "EEG", "uV", POSITIONS_M[label]) for label in labels),
            reference=s.reference,
            source_id=f"bci-simulated-{s.name}-{s.seed}-{len(labels)}ch-{s.rate_hz:g}Hz",
            name=s.name,
            sample_clock=True,
        )
        self._n_block = samples(BLOCK_S, s.rate_hz)
        self._signals = Signals(s, labels, self._n_block)
        self._imagery = Imagery(s.classes, s.skill)
        self._steering = CursorImagery(s.skill)
        self._trials: list[ImageryTrial] = []
        self._n_trials = 0
        self._eyes = [(-math.inf, s.eyes_closed)]
        self._boosts = [(-math.inf, 0.0)]
        self._origin_s = self._clock.now()
        self._next = 0
        self._arrivals: tuple[int, list[int]] = (-1, [])
        self._rendered: tuple[int, FloatArray] | None = None
        self._closed = False
        self.lost = 0

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> SimulatedSubject:
        """As :meth:`bci.stream.bus.SourcePlugin.from_settings`; the options are the fields of :class:`SimulatedSettings`."""
        return cls(SimulatedSettings(**read_options(options)), clock)

    @property
    def trials(self) -> tuple[ImageryTrial, ...]:
        """The truth: the last 16 trials, with what was random in them."""
        return tuple(self._trials)

    @property
    def due_s(self) -> float:
        """Time on the clock at which the next samples arrive: ``read(0.0)`` yields them from then on."""
        return self._stamp(self._arrival_after(self._next) - 1)

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the samples that have come since the last call.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        Chunk or None
            None where no sample came in time.

        Raises
        ------
        StreamError
            After :meth:`close`.
        """
        require_open(self._closed, self.info.name)
        now_s = self._clock.now()
        deadline_s = now_s + timeout_s
        while True:
            end = self._arrival_after(self._next)
            due_s = self._stamp(end - 1)
            if due_s > now_s:
                self._clock.wait_until(min(due_s, deadline_s))
                now_s = self._clock.now()
                if due_s > now_s:
                    return None
            chunk = self._take(self._newest_arrival(end, now_s))
            if len(chunk):
                return chunk

    def close(self) -> None:
        """End the session. May be called twice."""
        self._closed = True

    def cue(self, cue: str | int, time_s: float | None = None) -> bool:
        """Show something to the person.

        Parameters
        ----------
        cue : str or int
            A class, a code, or the text of a marker (:func:`bci.paradigm.timeline.cue_code`).
        time_s : float or None
            When it was shown, on the clock; None for now. Up to 0.3 s late makes no difference, because
            nobody reacts sooner; later cues are answered as if they had been shown 0.3 s ago.

        Returns
        -------
        bool
            Whether the person reacts. Codes of classes that are not in the settings, and everything that
            is neither a class, an end of trial nor an order to open or close the eyes, is ignored.
        """
        code = cue_code(cue) if isinstance(cue, str) else cue
        time_s = self._since_start(time_s)
        if code in (EYES_OPEN, EYES_CLOSED):
            self._eyes = [*self._eyes[-7:], (time_s + REACTION_S, code == EYES_CLOSED)]
        elif code == TRIAL_END or CLASSES.get(code or 0) in self.settings.classes:
            self._trials = [replace(t, stop_s=min(t.stop_s, max(time_s, t.cue_s))) for t in self._trials[-15:]]
            if code != TRIAL_END:
                self._begin(CLASSES[code or 0], time_s)
        else:
            return False
        self._rendered = None
        return True

    def feedback(self, class_: str, probability: float, time_s: float | None = None) -> None:
        """Show the decoder's answer, which makes the person better or worse (see ``feedback_gain``).

        Parameters
        ----------
        class_ : str
            What was decoded; empty for nothing, which has no effect.
        probability : float
            0 to 1, the decoder's confidence in that class.
        time_s : float or None
            When it was shown, on the clock; None for now.
        """
        if not self._trials or not (class_ == "" or 0 <= probability <= 1):
            return
        right = class_ == self._trials[-1].class_
        boost = 0.0 if not class_ else self.settings.feedback_gain * (probability if right else -probability)
        if boost != self._boosts[-1][1]:
            self._boosts = [*self._boosts[-499:], (self._since_start(time_s) + REACTION_S, boost)]
            self._rendered = None

    def intend(self, right: float, down: float, time_s: float | None = None) -> None:
        """Steer a cursor: what is seen of it and of its target has changed, and this velocity is wanted from now on.

        Parameters
        ----------
        right, down : float
            Each from -1 to 1; (0, 0) for rest.
        time_s : float or None
            When it was seen, on the clock; None for now. The person reacts 0.3 s later, and gradually.
        """
        self._steering.intend(right, down, self._since_start(time_s) + REACTION_S)
        self._rendered = None

    def disturb(self, artefact: Artefact) -> None:
        """Add an artefact; samples that were delivered already are not changed.

        Parameters
        ----------
        artefact : Artefact
        """
        self._signals.artefacts = (*self._signals.artefacts, artefact)
        self._rendered = None

    def _since_start(self, time_s: float | None) -> float:
        """Seconds since sample 0, and not so long ago that it would change what was delivered."""
        since_s = (self._clock.now() if time_s is None else time_s) - self._origin_s
        return max(since_s, self._next / self.settings.rate_hz - REACTION_S)

    def _begin(self, class_: str, time_s: float) -> None:
        s = self.settings
        self._trials.append(make_trial(s.seed, self._n_trials, class_, time_s, s.imagery_s, s.lapse))
        self._n_trials += 1

    def _stamp(self, index: int) -> float:
        return self._origin_s + index / self.settings.rate_hz

    def _arrival_after(self, index: int) -> int:
        """End of the packet that sample ``index`` arrives in."""
        chunk = self.settings.chunk
        if not self.settings.bursty:
            return (index // chunk + 1) * chunk
        block = index // self._n_block
        if self._arrivals[0] != block:
            self._arrivals = (block, _burst_ends(self.settings, block, self._n_block))
        ends = self._arrivals[1]
        return ends[bisect_right(ends, index)]

    def _newest_arrival(self, end: int, now_s: float) -> int:
        """One past the newest sample that has arrived by ``now_s``, at least ``end``."""
        while self._stamp((after := self._arrival_after(end)) - 1) <= now_s:
            end = after
        return end

    def _take(self, end: int) -> Chunk:
        """Samples from the next up to ``end``, without those that are lost."""
        start, n = self._next, self._n_block
        blocks = range(start // n, (end - 1) // n + 1)
        data = np.concatenate([self._block(b)[max(start - b * n, 0) : end - b * n] for b in blocks])
        stamps = self._origin_s + np.arange(start, end) / self.settings.rate_hz
        self._next = end
        if not self.settings.loss:
            return Chunk(data, stamps)
        lost = np.concatenate([self._signals.lost(b)[max(start - b * n, 0) : end - b * n] for b in blocks])
        self.lost += int(np.count_nonzero(lost))
        return Chunk(data[~lost], stamps[~lost])

    def _block(self, number: int) -> FloatArray:
        """All samples of a block with the cues that are known now, shape (n_block, n_channels)."""
        if self._rendered is None or self._rendered[0] != number:
            time_s = (number * self._n_block + np.arange(self._n_block)) / self.settings.rate_hz
            gain = self._log_gain(time_s)
            closed = _held(self._eyes, time_s)
            self._rendered = number, self._signals.render(number, gain, closed)
        return self._rendered[1]

    def _log_gain(self, time_s: FloatArray) -> FloatArray | None:
        """Change of log amplitude of mu and beta by all trials, None where there is none."""
        boost = 1.0 + _held(self._boosts, time_s)
        gains = [self._imagery.log_gain(trial, time_s, boost) for trial in self._trials[-8:]]
        there = [gain for gain in (*gains, self._steering.log_gain(time_s)) if gain is not None]
        return sum(there[1:], start=there[0]) if there else None


def _held(events: list[tuple[float, float]] | list[tuple[float, bool]], time_s: FloatArray) -> FloatArray:
    """Value of the last event before each time, shape (n_samples,)."""
    times = np.array([t for t, _ in events])
    values = np.array([v for _, v in events], dtype=np.float64)
    order = np.argsort(times, kind="stable")
    return np.asarray(values[order][np.searchsorted(times[order], time_s, side="right") - 1])


def _burst_ends(settings: SimulatedSettings, block: int, n_block: int) -> list[int]:
    """Where packets end within a block: gaps of 60 ms in the median, 300 ms at the 99th percentile."""
    rng = draw(settings.seed, Draw.ARRIVAL, block)
    gaps_s = rng.lognormal(np.log(0.06), np.log(5.0) / 2.326, size=round(40 * BLOCK_S))
    ends = np.cumsum(np.maximum(1, np.round(gaps_s * settings.rate_hz))).astype(int)
    return [*(block * n_block + ends[ends < n_block]).tolist(), (block + 1) * n_block]
