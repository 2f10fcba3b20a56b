"""Trials that somebody else's program presents: its stream of markers, and a table of what they mean."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from bci.errors import ConfigError
from bci.stream.bus import MarkerInlet
from bci.stream.triggers import MarkerTable


class Outside:
    """Cues as they come from another program. A context manager: leaving it unsubscribes.

    Parameters
    ----------
    inlet : MarkerInlet
    table : mapping of str to str
        Class of each marker text that is a cue.
    query : str
        What found the stream, for who resumes.
    offset_s : float
        To be added to its stamps to have those of our clock.
    """

    def __init__(self, inlet: MarkerInlet, table: Mapping[str, str], query: str = "", offset_s: float = 0.0) -> None:
        self.settings: dict[str, Any] = {"query": query, "table": dict(table)}
        self._inlet, self._table, self._offset_s = inlet, MarkerTable(table), offset_s
        self._cues: deque[tuple[str, float]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._inlet.close()

    def cue(self) -> tuple[str, float] | None:
        """The next cue: its class and its time on our clock; None while none has come.

        Raises
        ------
        StreamLost
            If the other program is gone.
        """
        for text, stamp in self._inlet.pull(0.0):
            class_ = self._table.class_of(text)
            if class_:
                self._cues.append((class_, stamp + self._offset_s))
        return self._cues.popleft() if self._cues else None

    def forget(self) -> None:
        """Cues that have come so far were not for us: nobody listened yet."""
        while self.cue() is not None:
            pass


def check_table(table: Mapping[str, str], classes: tuple[str, ...]) -> None:
    """Refuse a table that does not fit the classes.

    Raises
    ------
    ConfigError
    """
    if set(table.values()) != set(classes):
        found = ", ".join(sorted(set(table.values()))) or "no class"
        raise ConfigError(
            f"markers.table stands for {found}, the protocol has {', '.join(classes)}; "
            "with --cues-from give each class its marker (--set markers.table.TEXT=CLASS), and the same classes with --classes"
        )
