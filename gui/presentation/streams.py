"""The streams of the participant's window: messages of a presenter (BCI-Stage), and what was shown (BCI-Screen)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, Signal

from bci.errors import StreamError
from bci.stream import messages
from bci.stream.lsl import FoundStream, LslMarkerInlet, LslTextOutlet

T = TypeVar("T")
PULL_S = 0.1
MOST = 2000
CONNECT_S = 2.0
GIVE_UP_S = 1.0
"""A presenter that has not answered for this time is taken to be gone."""


class MessageListener(QObject, Generic[T]):
    """Reads one stream of messages in a thread of its own, so that a cue is known as soon as it arrives.

    Parameters
    ----------
    read : callable
        Makes a value of a text and the stream's name, or None if it is not needed; raises StreamError if it makes no sense.

    Attributes
    ----------
    heard : Signal()
        A message has arrived; :meth:`messages` returns it. Emitted in the thread of the windows.
    senseless : int
        Number of messages that make no sense.
    """

    heard = Signal()

    def __init__(self, read: Callable[[str, str], T | None]) -> None:
        super().__init__()
        self._understand = read
        self._messages: deque[T] = deque(maxlen=MOST)
        self.senseless = 0
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.uid = ""
        self.lost = False

    def hear(self, found: FoundStream) -> None:
        """Read this stream from now on.

        Parameters
        ----------
        found : FoundStream
        """
        self.close()
        self._closing = threading.Event()
        self.uid, self.lost = found.uid, False
        self._thread = threading.Thread(target=self._read, args=(found, self._closing), name="hears the presenter", daemon=True)
        self._thread.start()

    def messages(self) -> list[T]:
        """Messages since the last call; only the newest ones if the last call was long ago."""
        return [self._messages.popleft() for _ in range(len(self._messages))]

    def close(self) -> None:
        """Stop reading. May be called twice."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def _read(self, found: FoundStream, closing: threading.Event) -> None:
        """Read until closed, or until the sender no longer answers. A broken connection is opened again."""
        answered_s = time.monotonic()
        while not closing.is_set() and time.monotonic() - answered_s < GIVE_UP_S:
            try:
                inlet = LslMarkerInlet(found, CONNECT_S)
            except StreamError:
                closing.wait(PULL_S)
                continue
            try:
                while not closing.is_set():
                    self._take(inlet, found.name)
            except StreamError:
                answered_s = time.monotonic()
            finally:
                inlet.close()
        if not closing.is_set():
            self.lost = True
            self.heard.emit()

    def _take(self, inlet: LslMarkerInlet, name: str) -> None:
        """Take the next messages. One that makes no sense is counted and left out."""
        for text, _ in inlet.pull(PULL_S):
            try:
                message = self._understand(text, name)
            except StreamError:
                self.senseless += 1
                continue
            if message is not None:
                self._messages.append(message)
                self.heard.emit()


class ScreenOutlet:
    """Sends on LSL what happened on the display.

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
        """Send one line, stamped with the time of a frame, or with now.

        Parameters
        ----------
        kind : str
            Kind of the message.
        stamp : float, optional
        """
        self._outlet.push(messages.line(kind, **fields), stamp)

    def close(self) -> None:
        """End the stream. May be called twice."""
        self._outlet.close()
