"""Channels and times that people marked bad in recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bci.engine.chunk import FloatArray
from bci.engine.control_inputs import MarkChannels
from bci.engine.stream_info import canonical
from bci.stream.markers.marked import BadSpan, inside
from bci.stream.recorded_signal import RecordedSignal


@dataclass(frozen=True, slots=True)
class BadMarks:
    """Channels and times of one signal that people marked bad.

    Parameters
    ----------
    channels : tuple of str
        Bad from the beginning to the end.
    spans : tuple of BadSpan
        Of all channels, or of some.
    """

    channels: tuple[str, ...] = ()
    spans: tuple[BadSpan, ...] = ()

    @property
    def of_channels(self) -> bool:
        """Whether single channels are marked, for the whole signal or a part of it."""
        return bool(self.channels) or any(span.channels for span in self.spans)

    def why(self, start_s: float, stop_s: float) -> str:
        """Texts of the marks on all channels between two times on the signal's clock; empty if there are none.

        Parameters
        ----------
        start_s : float
            On the signal's clock, seconds.
        stop_s : float
            On the signal's clock, seconds.

        Returns
        -------
        str
        """
        texts = [s.why for s in self.spans if not s.channels and s.start_s < stop_s and s.stop_s >= start_s]
        return ", ".join(dict.fromkeys(texts))

    def inputs(self, stamps: FloatArray, rate_hz: float, labels: Sequence[str], memory: int) -> PendingMarks:
        """Marks of single channels for an engine, each with the number of samples after which it applies.

        Parameters
        ----------
        stamps : ndarray, shape (n_samples,)
        rate_hz : float
        labels : sequence of str
            The engine's channels; others do not concern it.
        memory : int
            Samples that a window depends on, filters included: a bad part still affects windows for so long after its end.

        Returns
        -------
        PendingMarks
        """
        used = {canonical(x): x for x in labels}
        always = {canonical(x) for x in self.channels}
        found: list[tuple[int, MarkChannels]] = [(0, MarkChannels((x,), True)) for key, x in used.items() if key in always]
        for span in self.spans:
            concerned = tuple(used[key] for x in span.channels if (key := canonical(x)) in used and key not in always)
            held = inside(span, stamps, 1.0 / rate_hz).nonzero()[0].tolist() if concerned else []
            if held:
                found += [(held[0], MarkChannels(concerned, True)), (held[-1] + 1 + memory, MarkChannels(concerned, False))]
        return PendingMarks(sorted(found, key=lambda at: at[0]))


UNMARKED = BadMarks()
"""No marks."""


class PendingMarks:
    """Marks of channels, in order, to be given to an engine with their samples.

    Parameters
    ----------
    waiting : list of (int, MarkChannels)
        Number of samples before which each is due, in order.
    """

    def __init__(self, waiting: list[tuple[int, MarkChannels]]) -> None:
        self._waiting = waiting
        self._open: dict[str, int] = {}

    def due(self, until: int) -> Iterator[MarkChannels]:
        """Marks that apply before sample ``until``. A channel is good again when its last marked part has ended.

        Parameters
        ----------
        until : int
            Number of samples.

        Yields
        ------
        Mark
        """
        while self._waiting and self._waiting[0][0] < until:
            mark = self._waiting.pop(0)[1]
            for label in mark.labels:
                n = self._open.get(label, 0) + (1 if mark.bad else -1)
                self._open[label] = n
                if n == (1 if mark.bad else 0):
                    yield MarkChannels((label,), mark.bad)

    def ended(self) -> Iterator[MarkChannels]:
        """Marks that make every channel good again, for the next recording."""
        self._waiting.clear()
        yield from (MarkChannels((label,), False) for label, n in self._open.items() if n > 0)
        self._open.clear()


def bad_marks_in(signal: RecordedSignal) -> BadMarks:
    """Channels and times of a signal that people marked bad.

    Parameters
    ----------
    signal : RecordedSignal

    Returns
    -------
    BadMarks
    """
    return BadMarks(signal.bad_channels, signal.bad_spans)
