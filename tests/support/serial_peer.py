"""The other end of a serial cable: a pseudo-terminal, and a device that behaves or misbehaves."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK = 4096


class SerialPeer:
    """A device on a pseudo-terminal.

    Parameters
    ----------
    answer : callable
        What it answers to the bytes of one reading.
    reads : bool
        False for a device that never reads.
    greeting : bytes
        What it says over and over until it is first spoken to; for a board that restarts at opening.
    byte_s : float
        How long it takes over each byte; 0 for one that reads all there is.

    Attributes
    ----------
    port : str
        Name of the device for whoever opens it.
    log : list of (float, bytes)
        What came, with ``time.monotonic``.
    """

    def __init__(
        self, answer: Callable[[bytes], bytes] = lambda _: b"", reads: bool = True, greeting: bytes = b"", byte_s: float = 0.0
    ) -> None:
        self._answer, self._greeting, self._byte_s = answer, greeting, byte_s
        self._master, self._slave = os.openpty()
        self.port = os.ttyname(self._slave)
        tty.setraw(self._slave)  # a new terminal echoes, which no cable does
        os.set_blocking(self._master, False)
        self.log: list[tuple[float, bytes]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        if reads:
            self._thread.start()

    @property
    def received(self) -> bytes:
        """Everything that came."""
        return b"".join(data for _, data in self.log)

    def wait_for(self, wanted: bytes, timeout_s: float = 2.0) -> bool:
        """True once ``wanted`` is in what came."""
        until_s = time.monotonic() + timeout_s
        while wanted not in self.received and time.monotonic() < until_s:
            time.sleep(0.001)
        return wanted in self.received

    def say(self, data: bytes) -> None:
        """Send something unasked."""
        os.write(self._master, data)

    def drain(self) -> bytes:
        """All that waits to be read, for a device that does not read by itself."""
        found = b""
        while select.select([self._master], [], [], 0.05)[0]:
            found += os.read(self._master, CHUNK)
        return found

    def fill(self) -> None:
        """Nothing more is taken by the cable."""
        handle = os.open(self.port, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while True:
                os.write(handle, b"x")
        os.close(handle)

    def unplug(self) -> None:
        """The cable is pulled: the other end sees its device vanish. May be called twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for end in (self._master, self._slave):
            if end >= 0:
                os.close(end)
        self._master = self._slave = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.unplug()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._greeting and not self.log:
                os.write(self._master, self._greeting)
            if not select.select([self._master], [], [], 0.005)[0]:
                continue
            time.sleep(self._byte_s)
            data = os.read(self._master, 1 if self._byte_s else CHUNK)
            self.log.append((time.monotonic(), data))
            if answer := self._answer(data):
                os.write(self._master, answer)
