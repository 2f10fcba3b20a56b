"""Judges the signal during a calibration with the same steps that cut trials out of the recording afterwards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from bci.engine.chunk import Chunk
from bci.engine.frontend import Frontend, FrontSettings, Window
from bci.engine.outcome import Reason
from bci.engine.preprocessing import Preprocessing
from bci.stream.bus import SignalInlet

KEPT_S = 600.0
"""Trials of somebody else's program go on while the judge works, and are looked at afterwards."""


class SignalWatch:
    """Says of a trial that has just ended whether it can be used.

    Parameters
    ----------
    inlet : SignalInlet
    preprocessing : Preprocessing
    front : FrontSettings
    offset : callable
        What is now to be added to the stream's stamps to compare them with those of the cues.

    """

    def __init__(
        self, inlet: SignalInlet, preprocessing: Preprocessing, front: FrontSettings, offset: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._inlet = inlet
        self._preprocessing = preprocessing
        # Training takes whole windows only, also where live decoding does with less.
        self._frontend = Frontend(inlet.info, replace(preprocessing, least=0), "samples", front.quality, front.continuity)
        self._few = front.quality.bad_share * len(preprocessing.labels)
        self._half_sample_s = 0.5 / preprocessing.rate_hz
        self._offset = offset
        self._windows: deque[tuple[float, str]] = deque(maxlen=round(KEPT_S * preprocessing.rate_hz / preprocessing.hop))

    def pull(self, timeout_s: float) -> bool:
        """Take in what has come, waiting at most so long; whether anything has.

        Parameters
        ----------
        timeout_s : float
            Seconds to wait at most.

        Returns
        -------
        bool

        Raises
        ------
        StreamLost
            If the sender is gone.
        """
        chunk = self._inlet.pull(timeout_s)
        if chunk is not None:
            self.take(chunk)
        return chunk is not None

    def take(self, chunk: Chunk) -> None:
        """Take in samples that were read elsewhere.

        Parameters
        ----------
        chunk : Chunk
            Samples in µV, in order of time.
        """
        for window in self._frontend.push(chunk):
            self._windows.append((self._frontend.end_of(window) + self._offset(), self._fault(window)))

    def fault_at(self, time_s: float) -> str | None:
        """What is wrong with the first window that ends at or after a time, "" for nothing; None: it has not come yet.

        Parameters
        ----------
        time_s : float
            On the clock of the cues, seconds.

        Returns
        -------
        str or None
        """
        for end_s, fault in self._windows:
            if end_s >= time_s - self._half_sample_s:
                return fault
        return None

    def _fault(self, window: Window) -> str:
        """Why a window would not be trained on, "" where it would."""
        if window.reason is not Reason.DECIDED:
            return window.reason.name.lower()
        labels = self._preprocessing.labels
        bad = window.bad[: len(labels)]
        if not bad.any() or bad.sum() < self._few:
            return ""
        named = (f"{labels[c]} {self._frontend.quality.why(c)}" for c in bad.nonzero()[0].tolist())
        return f"bad {', '.join(named)}"
