"""The participant's window on LSL: it hears who presents (BCI-Stage), and says what was seen (BCI-Screen)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QObject, Signal

from bci.errors import StreamError
from bci.session import wire
from bci.stream.lsl import FoundStream, LslMarkerInlet, LslTextOutlet

PULL_S = 0.1
CONNECT_S = 2.0


class StageEar(QObject):
    """Reads one presenter's stream in a thread, so that a cue is known as soon as it comes.

    Attributes
    ----------
    heard : Signal()
        Something has come: :meth:`messages` has it. Arrives in the windows' thread.
    """

    heard = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.uid = ""
        self.lost = False

    def hear(self, found: FoundStream) -> None:
        """Listen to this presenter from now on."""
        self.close()
        self._closing = threading.Event()
        self.uid, self.lost = found.uid, False
        self._thread = threading.Thread(target=self._read, args=(found, self._closing), name="hears the presenter", daemon=True)
        self._thread.start()

    def messages(self) -> list[dict[str, Any]]:
        """What has come since the last call."""
        return [self._messages.get_nowait() for _ in range(self._messages.qsize())]

    def close(self) -> None:
        """Listen no longer. May be called twice."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def _read(self, found: FoundStream, closing: threading.Event) -> None:
        try:
            inlet = LslMarkerInlet(found, CONNECT_S)
        except StreamError:
            self.lost = True
            return
        try:
            while not closing.is_set():
                self._take(inlet, found.name)
        except StreamError:
            self.lost = True
            self.heard.emit()
        finally:
            inlet.close()

    def _take(self, inlet: LslMarkerInlet, name: str) -> None:
        """What comes next. A line that cannot be read is nobody's cue."""
        for text, stamp in inlet.pull(PULL_S):
            with suppress(StreamError):
                self._messages.put({**wire.parse(text, name), "at": stamp})
                self.heard.emit()


class Voice:
    """Says on LSL what happened on the display.

    Parameters
    ----------
    name : str
        Prefix of the session's streams.
    id : str
        Of this window.
    fields : mapping of str to str
        What the header says: display, refresh rate, delay.
    """

    def __init__(self, name: str, id: str, fields: Mapping[str, str]) -> None:
        self._outlet = LslTextOutlet(f"{name}-screen", "BCI-Screen", f"{name}-screen-{id}", fields)

    def say(self, kind: str, stamp: float = 0.0, **fields: object) -> None:
        """Send one line, stamped with the time of a frame, or with now."""
        self._outlet.push(wire.line(kind, **fields), stamp)

    def close(self) -> None:
        """End the stream. May be called twice."""
        self._outlet.close()
