"""Which streams are markers, and which of their samples say something new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bci.stream.markers.shapes import Row

MARKER_TYPES = frozenset(
    {"marker", "markers", "event", "events", "trigger", "triggers", "stim", "stimulus", "stimuli", "stimulation", "cue", "cues"}
)
HELD_FROM_HZ = 10.0
"""No device samples a level more slowly: a lower rate of a marker stream was declared by mistake."""
SAMPLED = 5
"""After so many samples at the declared rate, what repeats after a loss is still the same level."""
PERIODS = 2.5
"""Samples that come within so many periods of the declared rate are sampled at it."""


def is_markers(type_: str, channel_format: str, rate_hz: float, n_channels: int) -> bool:
    """Whether a stream is one of markers.

    Texts always are. Numbers are where their type says so, whatever rate is declared, and where they are single numbers, or
    whole ones, without a rate that are not declared as a signal.

    Parameters
    ----------
    type_ : str
        LSL content type.
    channel_format : str
    rate_hz : float
        Nominal.
    n_channels : int

    Examples
    --------
    >>> is_markers("Markers", "int32", 250.0, 2), is_markers("EEG", "float32", 250.0, 8), is_markers("", "float32", 0.0, 1)
    (True, False, True)
    """
    kind = type_.strip().lower()
    if channel_format == "string" or kind in MARKER_TYPES:
        return True
    return rate_hz == 0 and (n_channels == 1 or (not kind and channel_format.startswith("int")))


class Levels:
    """Numbers of a marker stream that declares a rate: single markers, or a level that is held.

    Declared rates are often mistakes. What comes at the declared rate is a level: only changes to a value other than zero say
    something, and what it was at the start says nothing. What comes more rarely are single markers, of which each counts,
    the same number twice in a row too.

    The first sample, of which only the next one tells what it is, is given out by :meth:`flush` where none comes.

    Parameters
    ----------
    rate_hz : float
        Declared; below 10 Hz (none, too) each sample is a marker.

    Attributes
    ----------
    held : int
        Samples that only repeated a level, or were none.
    """

    def __init__(self, rate_hz: float) -> None:
        self._near_s = PERIODS / rate_hz if rate_hz >= HELD_FROM_HZ else 0.0
        self._last: tuple[Row, float] | None = None
        self._first: tuple[Row, float] | None = None
        self._run = 0
        self.held = 0

    def __call__(self, rows: Iterable[Row], stamps: Iterable[float]) -> list[tuple[Row, float]]:
        """Return those of some samples that are markers, with their stamps.

        Parameters
        ----------
        rows : iterable of Row
            One for each sample.
        stamps : iterable of float
            Seconds, one for each sample.

        Returns
        -------
        list of tuple of (Row, float)
        """
        if not self._near_s:
            return list(zip(rows, stamps, strict=True))
        found = []
        for row, stamp in zip(rows, stamps, strict=True):
            found += self._one(row, stamp)
        return found

    @property
    def unsure(self) -> bool:
        """Whether there is a first sample of which only the next one tells what it is."""
        return self._first is not None

    def flush(self) -> list[tuple[Row, float]]:
        """The first sample, if none came after it that would have told that it is a level."""
        first, self._first = self._first, None
        return [] if first is None else [first]

    def _one(self, row: Row, stamp: float) -> list[tuple[Row, float]]:
        last, self._last = self._last, (row, stamp)
        if last is None:
            self._first = (row, stamp)
            return []
        near, sampled = abs(stamp - last[1]) <= self._near_s, self._run >= SAMPLED
        self._run = self._run + 1 if near else 0
        same = row == last[0] and (near or sampled)
        found = self.flush() if not same else []
        if self._run >= SAMPLED:
            self._first = None
        if same or (sampled and _zero(row)):
            self.held += 1
            return found
        return [*found, (row, stamp)]


def _zero(row: Sequence[str]) -> bool:
    return all(text in ("0", "-0") for text in row)
