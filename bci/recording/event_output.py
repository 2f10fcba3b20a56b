"""The output of the recorder process, for a person or for a program."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

SLOW_S = 3.0
"""A disk that has not answered for so long is reported."""
LAST_LINES_S = 2.0
"""How long the end of the output may wait for a reader."""


class EventOutput:
    """Print lines for a person, or JSON objects for a program, without ever waiting until they are read.

    Parameters
    ----------
    as_json : bool
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._print, name="says", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let a reader, where there is one, read the last lines."""
        self._lines.put(None)
        self._thread.join(LAST_LINES_S)

    def emit(self, event: str, text: str, **fields: Any) -> None:
        """Print one event. Where the reader of the output has gone, the recording continues.

        Parameters
        ----------
        event : str
            Its kind.
        text : str
            For a person.
        **fields
            Its other fields, for a program.
        """
        self._lines.put(json.dumps({"event": event, **fields}) if self._as_json else text)

    def note(self, text: str) -> None:
        """Print what a person should know; errors are raised besides.

        Parameters
        ----------
        text : str
        """
        self.emit("note", text, note=text)

    def _print(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                sys.stdout.write(f"{line}\n")  # in one call, so that no sign of life comes between it and its end
                sys.stdout.flush()
            except OSError:  # a reader that has gone, a terminal that was closed
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class SlowDisk:
    """Tell once that a disk does not answer, and once that it answers again.

    Parameters
    ----------
    tell : callable
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._longest_s = 0.0

    def look(self, write_s: float, waiting: int) -> None:
        """Tell of a disk that does not answer, and that it answers again.

        Parameters
        ----------
        write_s : float
            How long ago the disk last answered, seconds.
        waiting : int
            How many bytes wait to be written.
        """
        if write_s >= SLOW_S:
            if not self._longest_s:
                self._tell(
                    f"the disk has not answered for {write_s:.1f} s: new samples wait in memory "
                    f"({waiting} bytes so far) and would be lost if this computer failed"
                )
            self._longest_s = write_s
        elif self._longest_s:
            self._tell(f"the disk answers again, after {self._longest_s:.1f} s; nothing is lost")
            self._longest_s = 0.0
