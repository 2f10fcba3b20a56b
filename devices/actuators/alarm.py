"""One call at a set time, from a thread of its own, so that no caller has to sleep."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable


class Alarm:
    """Calls ``action`` once at the time last set.

    Parameters
    ----------
    action : callable
        Must be quick and must not raise. It may set the alarm again. It can still be running, or just
        about to run, when :meth:`set` or :meth:`cancel` returns: it has to look whether it is wanted.
    """

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._due_s = math.inf
        self._open = True
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="actuator-alarm", daemon=True)
        self._thread.start()

    def set(self, due_s: float) -> None:
        """Call the action at this time, instead of whenever it was to be called before.

        Parameters
        ----------
        due_s : float
            Seconds of ``time.monotonic``.
        """
        with self._wake:
            self._due_s = due_s
            self._wake.notify()

    def cancel(self) -> None:
        """Do not call the action."""
        self.set(math.inf)

    def close(self) -> None:
        """End the thread. May be called twice."""
        with self._wake:
            self._open = False
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while self._open and (left_s := self._due_s - time.monotonic()) > 0:
                    self._wake.wait(None if math.isinf(left_s) else left_s)
                if not self._open:
                    return
                self._due_s = math.inf
            self._action()
