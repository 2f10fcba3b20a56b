"""One signal and one stream of markers of a recording, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo, canonical
from bci.stream.clocks.clock_map import SAME_CLOCK, ClockMap
from bci.stream.markers.marked import BadSpan, without_spans
from bci.stream.metadata import parse_header
from bci.stream.montage import Montage, apply_montage
from bci.stream.stream_query import Identity
from bci.stream.units import scale_to_microvolts


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSignal:
    """One numeric stream.

    Parameters
    ----------
    info : StreamInfo
        As the file declares it, the units too.
    data : ndarray, shape (n_samples, n_channels)
        Float64; microvolts where a channel's unit is a voltage or unknown.
    stamps : ndarray, shape (n_samples,)
        Raw stamps, seconds on the sender's clock. They may run backwards. Where the clock was reset while it was recorded, and
        clock offsets tell by how much, they go on by the clock before.
    clock : ClockMap
        From the sender's clock to the recorder's, to compare stamps with those of other streams (:func:`times_on`).
    header_xml : str
        The sender's full header, where the file has it.
    assumed_unit : str
        The file declares no unit and its reader took the numbers as these.
    bad_channels : tuple of str
        Labels of those that somebody marked bad: in the file, beside it, or in the montage.
    bad_spans : tuple of BadSpan
        Spans that somebody marked bad, pauses that the file fills with something, and seams.
    notes : tuple of str
        What a person should know of this signal, where :meth:`bci.stream.recording.RecordedStreams.eeg` found something out.
    """

    info: StreamInfo
    data: FloatArray
    stamps: FloatArray
    clock: ClockMap = SAME_CLOCK
    header_xml: str = ""
    assumed_unit: str = ""
    bad_channels: tuple[str, ...] = ()
    bad_spans: tuple[BadSpan, ...] = ()
    notes: tuple[str, ...] = ()

    def chunk(self) -> Chunk:
        """Return all samples for the engine: no window reaches into a span that is marked bad, or across a seam."""
        period_s = 1.0 / self.info.rate_hz if self.info.rate_hz else 0.0
        return Chunk(without_spans(self.data, self.stamps, self.bad_spans, period_s), self.stamps)

    @property
    def identity(self) -> Identity:
        """Name, type, source_id and host, which queries compare."""
        host = (parse_header(self.header_xml).findtext("hostname") or "").strip() if self.header_xml else ""
        return Identity(self.info.name, self.info.type, self.info.source_id, host)


@dataclass(frozen=True, slots=True, eq=False)
class RecordedMarkers:
    """One stream of markers.

    Parameters
    ----------
    name : str
    texts : tuple of str
        Their first column.
    stamps : ndarray, shape (n_markers,)
        Raw stamps, seconds on the sender's clock, as those of a signal.
    clock : ClockMap
        From the sender's clock to the recorder's, to compare stamps with those of other streams (:func:`times_on`).
    type, source_id, host : str
        As the sender declares them, for a stream of LSL.
    rows : tuple of tuple of str
        All columns of each marker, where there are more than one; see :meth:`row`.
    columns : tuple of str
        Names of the columns.
    on_samples : bool
        They come from a channel of the amplifier, and each is stamped when its sample was taken: as the sample is, unless that
        stamp is late (``bci.stream.markers.trigger_times``).
    durations_s : tuple of float
        How long each lasts, where the file says so.
    """

    name: str
    texts: tuple[str, ...]
    stamps: FloatArray
    clock: ClockMap = SAME_CLOCK
    type: str = "Markers"
    source_id: str = ""
    host: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    columns: tuple[str, ...] = ()
    on_samples: bool = False
    durations_s: tuple[float, ...] = ()

    @property
    def identity(self) -> Identity:
        """Name, type, source_id and host, which queries compare."""
        return Identity(self.name, self.type, self.source_id, self.host)

    def row(self, i: int) -> tuple[str, ...]:
        """Return all columns of one marker.

        Parameters
        ----------
        i : int
            Its number.

        Returns
        -------
        tuple of str
        """
        return self.rows[i] if self.rows else (self.texts[i],)


def times_on(signal: RecordedSignal | RecordedMarkers, markers: RecordedSignal | RecordedMarkers) -> FloatArray:
    """Convert the times of markers to the clock of the signal's computer.

    Parameters
    ----------
    signal, markers : RecordedSignal or RecordedMarkers
        Of the same recording.

    Returns
    -------
    ndarray, shape (n_markers,)
        Seconds, to be compared with ``signal.stamps``; the markers' own stamps, bit for bit, where both come from one computer.
    """
    if markers.clock == signal.clock:
        return markers.stamps
    return signal.clock.to_sender(markers.clock.to_recorder(markers.stamps))


def with_montage(signal: RecordedSignal, montage: Montage) -> RecordedSignal:
    """Correct a signal by a montage; a unit that the montage gives replaces the one that was declared.

    Parameters
    ----------
    signal : RecordedSignal
    montage : Montage

    Returns
    -------
    RecordedSignal
    """
    info = apply_montage(signal.info, montage)
    signal = _marked_by(signal, info, montage)
    taken_as = signal.info
    if signal.assumed_unit:
        taken_as = replace(taken_as, channels=tuple(replace(c, unit=signal.assumed_unit) for c in taken_as.channels))
    factor = scale_to_microvolts(info) / scale_to_microvolts(taken_as)
    changed = np.array([a.unit != b.unit for a, b in zip(info.channels, signal.info.channels, strict=True)])
    if not changed.any():
        return replace(signal, info=info)
    declared = all(c.unit for c in info.channels if c.type == "EEG")
    return replace(
        signal,
        info=info,
        data=signal.data * np.where(changed, factor, 1.0),
        assumed_unit="" if declared else signal.assumed_unit,
    )


def _marked_by(signal: RecordedSignal, info: StreamInfo, montage: Montage) -> RecordedSignal:
    """What is marked bad, by the labels that the montage gives; its own list added."""
    now = {canonical(a.label): b.label for a, b in zip(signal.info.channels, info.channels, strict=True)}

    def renamed(labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(now.get(canonical(x), x) for x in labels)

    spans = tuple(replace(span, channels=renamed(span.channels)) for span in signal.bad_spans)
    known = {canonical(x): x for x in (*renamed(signal.bad_channels), *montage.bad)}
    return replace(signal, bad_channels=tuple(known.values()), bad_spans=spans)
