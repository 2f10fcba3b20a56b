"""Cues that another program presents: its stream of markers, and a table of what they mean."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from bci.engine.stream_info import StreamInfo
from bci.errors import ConfigError
from bci.paradigm.live_cues import LiveCues
from bci.stream.bus import CueInlet
from bci.stream.markers.triggers import MarkerTable

NO_SIGNAL = StreamInfo(0.0, ())


class ExternalCues:
    """Cues as they come from another program. A context manager: leaving it unsubscribes.

    Parameters
    ----------
    inlet : MarkerInlet
    table : mapping of str to str
        Class of each marker text that is a cue.
    query : str
        What found the stream, for who resumes.
    field, pattern : str
        Where in a marker its text stands.
    """

    def __init__(
        self,
        inlet: CueInlet,
        table: Mapping[str, str],
        query: str = "",
        field: str = "",
        pattern: str = "",
    ) -> None:
        self.settings: dict[str, Any] = {"query": query, "table": dict(table), "field": field, "pattern": pattern}
        self._inlet = inlet
        self._found = LiveCues(MarkerTable(table, field, pattern), NO_SIGNAL)
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
        for heard in self._found.markers(self._inlet.pull_markers(0.0)):
            if heard.kind == "cue" and heard.class_:
                self._cues.append((heard.class_, heard.fields["time"]))
        return self._cues.popleft() if self._cues else None

    def forget(self) -> None:
        """Drop the cues that have come so far."""
        while self.cue() is not None:
            pass


def check_table(table: Mapping[str, str], classes: tuple[str, ...]) -> None:
    """Refuse a table that does not fit the classes.

    Parameters
    ----------
    table : mapping of str to str
        Class of each marker of the other program.
    classes : tuple of str
        Classes of the protocol.

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
