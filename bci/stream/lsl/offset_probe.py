"""Clock offsets of a sender, measured without end and in bounded memory.

liblsl asks a sender for the time in waves, one each two seconds, and begins to listen for answers anew in each of them without
ending what listened before. What listens is kept as long as the inlet lives (measured with liblsl 1.18: 0.45 MB an hour for each
stream), so an inlet that is for nothing but this is used, and given up for a new one before that becomes much. An inlet that was
given up leaves nothing; but it is some 0.2 MB while it lives, so two of each stream are never kept side by side.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from bci.stream.lsl import liblsl

RENEW_S = 10.0
"""An inlet has taken 1 kB more by then, and a new one takes 1 ms."""
SILENT_S = 10.0
"""So long after its last answer, five waves, the clock offset of a sender counts as unknown again."""


class OffsetProbe:
    """Measures how far a sender's clock is from ours.

    Parameters
    ----------
    make : callable
        Makes an inlet of liblsl, and raises ``RuntimeError`` where it cannot. Nothing is asked of the sender before the first
        measurement.
    renew_s : float
        How long one inlet is used.
    """

    def __init__(self, make: Callable[[], Any], renew_s: float = RENEW_S) -> None:
        self._make, self._renew_s = make, renew_s
        self._lock = threading.Lock()
        self._inlet: Any = None
        self._last: float | None = None
        self._renew_at_s = self._answered_s = 0.0
        self._closed = False

    @classmethod
    def of(cls, handle: Any) -> OffsetProbe:
        """Make a probe for a stream that was found. No samples are sent to an inlet that is not opened.

        Parameters
        ----------
        handle : object
            A ``pylsl.StreamInfo``.

        Returns
        -------
        OffsetProbe
        """
        return cls(lambda: liblsl.Inlet(handle, max_buflen=1, recover=False, processing_flags=0))

    def time_correction(self, timeout_s: float) -> float:
        """Return the clock offset, as liblsl's inlets measure it.

        The first call measures and may take all of ``timeout_s``; later ones return the estimate of the background at once, and
        the one before while a new inlet has none yet.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        float
            Seconds.

        Raises
        ------
        liblsl.LslTimeout
            If the sender did not answer in time, or the probe is closed.
        """
        with self._lock:
            if self._inlet is None and not self._closed:
                self._renew()
                self._answered_s = time.monotonic()
            inlet, known = self._inlet, self._last is not None
        offset = None if inlet is None else _ask(inlet, 0.0 if known else timeout_s)
        with self._lock:
            if inlet is not None and inlet is self._inlet:
                self._keep(offset)
            if self._last is None:
                raise liblsl.LslTimeout("the sender has not answered with its time")
            return self._last

    def close(self) -> None:
        """Measure no more. May be called twice."""
        with self._lock:
            self._closed = True
            self._inlet = self._last = None

    def _keep(self, offset: float | None) -> None:
        """What was answered, and a new inlet where it is time for that: not before this one has answered, or is silent."""
        now = time.monotonic()
        if offset is not None:
            self._last, self._answered_s = offset, now
        elif now - self._answered_s >= SILENT_S:
            self._last = None
        else:
            return
        if now >= self._renew_at_s:
            self._renew()

    def _renew(self) -> None:
        """Begin with a new inlet; liblsl frees the one before with its last reference."""
        try:
            made = self._make()
        except RuntimeError:  # the system has no handles left; the inlet that we have goes on
            return
        self._inlet, self._renew_at_s = made, time.monotonic() + self._renew_s
        _ask(made, 0.0)


def measured(inlet: Any, timeout_s: float) -> tuple[float, float] | None:
    """Collection time on the sender's clock and clock offset in seconds, or None where the sender did not answer in time.

    Both as LabRecorder writes them, since readers fit offsets against the sender's own stamps.

    Parameters
    ----------
    inlet : OffsetProbe
        Or an inlet of liblsl.
    timeout_s : float
    """
    offset = _ask(inlet, timeout_s)
    return None if offset is None else (liblsl.local_clock() - offset, offset)


def _ask(inlet: Any, timeout_s: float) -> float | None:
    try:
        return float(inlet.time_correction(timeout_s))
    except (liblsl.LslTimeout, liblsl.LslLost):
        return None
