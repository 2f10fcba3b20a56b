"""How old the newest data are, whatever clock stamps them."""

from __future__ import annotations

import math
from collections import deque

import numpy as np


class Age:
    """How much later than the freshest one a sample arrives, whatever clock its stamp is from.

    The smallest difference between arrival and stamp in each second of the last minute stands for "fresh". A
    straight line below these minima follows a sender's clock that runs fast or slow, so that neither a constant
    offset nor a drift of thousands of ppm looks like old data. A steeper line would hide a queue that grows.
    While the minimum itself falls, nothing can be called fresh: a backlog is being caught up with.
    """

    BIN_S = 1.0
    BINS = 60
    LEARN_BINS = 4
    DRIFT_AFTER = 5
    MAX_DRIFT = 0.01
    FALL_S = 0.03
    CATCH_UP_S = 0.25

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=self.BINS)
        self._least: deque[float] = deque(maxlen=self.BINS)
        self._origin, self._started, self._fell = 0.0, -math.inf, -math.inf
        self._drift, self._base, self._level = 0.0, math.inf, math.inf
        self._learned = False

    def restart(self) -> None:
        """Forget the past: stamps come from another clock from here on."""
        self._learned = False
        self._clear()

    def __call__(self, now: float, stamp: float) -> float:
        """Age in seconds of a sample stamped ``stamp`` that is acted on at ``now``."""
        delay = now - stamp
        if now - self._started >= self.BIN_S:
            self._begin(now, delay)
        elif delay < self._least[-1]:
            self._times[-1], self._least[-1] = now, delay
        above = delay - self._drift * (now - self._origin)
        self._base = min(self._base, above)
        if self._base < self._level - self.FALL_S:
            self._fell = now if self._level < math.inf else self._fell
            self._level = self._base
        return above - self._base

    def catching_up(self, now: float) -> bool:
        """Whether data that counted as fresh a moment ago turned out to be old."""
        return now - self._fell < self.CATCH_UP_S

    def _begin(self, now: float, delay: float) -> None:
        """Once a second: the line below the minima so far, and a new minimum."""
        if len(self._times) == self.LEARN_BINS and not self._learned:
            self._learned = True  # whoever made the stamps' clock out of raw stamps was still learning it
            self._clear()
        if not self._times:
            self._origin = now
        elif len(self._times) >= self.DRIFT_AFTER:
            times, least = np.array(self._times) - self._origin, np.array(self._least)
            centred = times - times.mean()
            self._drift = float(np.clip(centred @ least / (centred @ centred), -self.MAX_DRIFT, self.MAX_DRIFT))
            self._base = float((least - self._drift * times).min())
        self._level = self._base
        self._started = now
        self._times.append(now)
        self._least.append(delay)

    def _clear(self) -> None:
        self._times.clear()
        self._least.clear()
        self._started = -math.inf
        self._drift, self._base, self._level = 0.0, math.inf, math.inf
