"""The offset between a sender's clock and this computer's, measured again and again while it runs."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from statistics import median

Measure = Callable[[float], tuple[float, float] | None]
"""Collection time and clock offset in seconds, waiting at most so long; None where the sender did not answer."""

EVERY_S = 2.0
"""liblsl itself measures no more often."""
AGREE, STEP_S = 2, 0.02
"""So many offsets that agree are believed against those of before, where they are so far from them."""
KEPT = 5
"""Of so many measurements the middle one counts: one that a busy network delayed moves nothing."""


class SenderClock:
    """The offset of a sender's clock, as it is now.

    Nothing here ever waits, so that it can be asked in a loop: the first answer comes within a second or two, and until then the
    offset is not known.

    Parameters
    ----------
    same : bool
        The sender runs on this computer, whose clock is ours.
    measure : callable
        Of an inlet: ``time_correction``.
    now : callable
        Time on this computer's clock, seconds.
    """

    def __init__(self, same: bool, measure: Measure, now: Callable[[], float]) -> None:
        self._same, self._measure, self._now = same, measure, now
        self._offsets: deque[float] = deque(maxlen=KEPT)
        self._asked_s = float("-inf")

    @property
    def offset_s(self) -> float | None:
        """Seconds to add to the sender's stamps to get this computer's time; None while it is not known."""
        if self._same:
            return 0.0
        now = self._now()
        if not self._offsets or now - self._asked_s >= EVERY_S:
            self._asked_s = now
            measured = self._measure(0.0)
            if measured is not None:
                self._offsets.append(measured[1])
                self._forget_before_reset()
        return median(self._offsets) if self._offsets else None

    def _forget_before_reset(self) -> None:
        """Two offsets in a row that agree with each other and not with those before: its clock was set."""
        *before, one, two = (math.nan, *self._offsets)
        if len(self._offsets) > AGREE and abs(one - two) < STEP_S < min(abs(x - two) for x in before[1:]):
            self._offsets = deque([one, two], maxlen=KEPT)
