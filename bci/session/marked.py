"""What was marked bad in recordings, as training, judging and replaying take it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bci.engine import inputs as steer
from bci.engine.chunk import FloatArray
from bci.engine.stream_info import canonical
from bci.errors import TrainingError
from bci.settings import SessionConfig
from bci.stream.marked import BadSpan, inside
from bci.stream.recording import RecordedSignal

if TYPE_CHECKING:
    from bci.session.training import LabelledRun


@dataclass(frozen=True, slots=True)
class Marked:
    """What was marked bad in one signal.

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
        """Whether single channels are marked, for all of it or for a time."""
        return bool(self.channels) or any(span.channels for span in self.spans)

    def why(self, start_s: float, stop_s: float) -> str:
        """What was marked between two times on the signal's clock; empty where nothing was that concerns all channels."""
        texts = [s.why for s in self.spans if not s.channels and s.start_s < stop_s and s.stop_s >= start_s]
        return ", ".join(dict.fromkeys(texts))

    def inputs(self, stamps: FloatArray, rate_hz: float, labels: Sequence[str], memory: int) -> Marks:
        """What an engine has to be told of single channels, and after which samples.

        Parameters
        ----------
        stamps : ndarray, shape (n_samples,)
        rate_hz : float
        labels : sequence of str
            The engine's channels; others do not concern it.
        memory : int
            Samples that a window holds, filters included: so long after its end a bad stretch is still in one.
        """
        used = {canonical(x): x for x in labels}
        always = {canonical(x) for x in self.channels}
        found: list[tuple[int, steer.Mark]] = [(0, steer.Mark((x,), True)) for key, x in used.items() if key in always]
        for span in self.spans:
            concerned = tuple(used[key] for x in span.channels if (key := canonical(x)) in used and key not in always)
            held = inside(span, stamps, 1.0 / rate_hz).nonzero()[0].tolist() if concerned else []
            if held:
                found += [(held[0], steer.Mark(concerned, True)), (held[-1] + 1 + memory, steer.Mark(concerned, False))]
        return Marks(sorted(found, key=lambda at: at[0]))


UNMARKED = Marked()
"""Nobody marked anything."""


class Marks:
    """Marks of channels that wait for their samples.

    Parameters
    ----------
    waiting : list of (int, Mark)
        Number of samples before which each is due, in order.
    """

    def __init__(self, waiting: list[tuple[int, steer.Mark]]) -> None:
        self._waiting = waiting
        self._open: dict[str, int] = {}

    def due(self, until: int) -> Iterator[steer.Mark]:
        """Marks that concern samples before number ``until``; a channel is good again when its last stretch has ended."""
        while self._waiting and self._waiting[0][0] < until:
            mark = self._waiting.pop(0)[1]
            for label in mark.labels:
                n = self._open.get(label, 0) + (1 if mark.bad else -1)
                self._open[label] = n
                if n == (1 if mark.bad else 0):
                    yield steer.Mark((label,), mark.bad)

    def ended(self) -> Iterator[steer.Mark]:
        """What takes all marks back: the next recording has its own."""
        self._waiting.clear()
        yield from (steer.Mark((label,), False) for label, n in self._open.items() if n > 0)
        self._open.clear()


def marked_in(signal: RecordedSignal) -> Marked:
    """What was marked in a signal."""
    return Marked(signal.bad_channels, signal.bad_spans)


def channels_marked(runs: Sequence[LabelledRun]) -> dict[str, str]:
    """Channels that people marked bad in a whole recording; they teach nothing.

    Returns
    -------
    dict of str to str
        From the label to a sentence.
    """
    where: dict[str, list[str]] = {}
    for run in runs:
        for label in run.marked.channels:
            where.setdefault(canonical(label), []).append(run.name)
    brain = (c.label for c in runs[0].info.channels if c.type == "EEG") if runs else ()
    return {
        label: f"{label} is marked bad in {', '.join(where[canonical(label)])} and is left out of the model"
        for label in brain
        if canonical(label) in where
    }


def without_channels(config: SessionConfig, labels: Sequence[str], bad: Sequence[str]) -> SessionConfig:
    """The configuration without some of its channels.

    Parameters
    ----------
    config : SessionConfig
    labels : sequence of str
        EEG channels, where the configuration names none.
    bad : sequence of str

    Raises
    ------
    TrainingError
        If no channel is left.
    """
    gone = {canonical(x) for x in bad}
    channels = config.preprocessing.channels or tuple(labels)
    kept = tuple(x for x in channels if canonical(x) not in gone)
    if not kept:
        raise TrainingError(
            f"all channels of the decoder ({', '.join(channels)}) are marked bad in the recordings; take some of them back, "
            "or choose others with preprocessing.channels"
        )
    return config.model_copy(update={"preprocessing": config.preprocessing.model_copy(update={"channels": kept})})
