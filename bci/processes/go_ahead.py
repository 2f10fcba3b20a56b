"""What a session tells an engine that it has started ahead of time, so that loading and connecting go on side by side."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

STEP_S = 0.1


class GoAhead:
    """Waits for what the parent process sends: ``{"look": true}`` and then ``{"recording": PATH}``."""

    def __init__(self) -> None:
        self._looks = threading.Event()
        self._told = threading.Event()
        self._recording = Path()

    def know(self, line: str) -> None:
        """Hear a line from the parent process; every other line is ignored.

        Parameters
        ----------
        line : str
        """
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(told, dict):
            return
        if told.get("look") is True:
            self._looks.set()
        if isinstance(told.get("recording"), str):
            self._recording = Path(told["recording"])
            self._told.set()

    def await_look(self, stopped: Callable[[], str]) -> None:
        """Return when the stream may be looked for.

        Parameters
        ----------
        stopped : callable
            Why to wait no longer, or "".

        Raises
        ------
        KeyboardInterrupt
            If ``stopped`` says so first.
        """
        _wait(self._looks, stopped)

    def await_recording(self, stopped: Callable[[], str]) -> Path:
        """The recording that takes up what the engine sends, once there is one.

        Parameters
        ----------
        stopped : callable
            Why to wait no longer, or "".

        Raises
        ------
        KeyboardInterrupt
            If ``stopped`` says so first.
        """
        _wait(self._told, stopped)
        return self._recording


def _wait(event: threading.Event, stopped: Callable[[], str]) -> None:
    while not event.wait(STEP_S):
        if stopped():
            raise KeyboardInterrupt
