"""The outlets that a recording is played into, and the streams of it that are not played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain

from bci.engine.stream_info import StreamInfo
from bci.stream.inprocess import InProcessBus
from bci.stream.metadata import text_info
from bci.stream.not_played import other_name, why_not
from bci.stream.outlets import MarkerOutlet, SignalOutlet
from bci.stream.recorded_signal import RecordedMarkers
from bci.stream.recording import RecordedStreams
from bci.stream.units import MICROVOLTS


def played_info(info: StreamInfo, recording: RecordedStreams, number: int) -> StreamInfo:
    """Describe a played stream: in microvolts, and with a ``source_id`` that is the same at each playing.

    Parameters
    ----------
    info : StreamInfo
        As it was recorded.
    recording : RecordedStreams
    number : int
        Of the stream in the recording.

    Returns
    -------
    StreamInfo
    """
    channels = tuple(replace(c, unit="uV") if c.unit in MICROVOLTS or c.type == "EEG" else c for c in info.channels)
    return replace(
        info,
        channels=channels,
        name=other_name(info.name or recording.path.stem),
        source_id=f"player-{recording.sha256[:12]}-{number}",
    )


def _columns(markers: RecordedMarkers) -> tuple[str, ...]:
    """Names of the columns of a played stream of markers."""
    width = max(map(len, markers.rows), default=1)
    if width == 1:
        return ("text",)
    return markers.columns if len(markers.columns) == width else tuple(f"ch{i}" for i in range(1, width + 1))


def left_out(recording: RecordedStreams) -> dict[int, str]:
    """Find the streams that are not played, because they would steer a session (:mod:`bci.stream.not_played`).

    Parameters
    ----------
    recording : RecordedStreams

    Returns
    -------
    dict of int to str
        Name and reason, by the stream's number.
    """
    signals = [(s.info.name, s.info.type, ()) for s in recording.signals]
    markers = [(m.name or "markers", m.type, chain(m.texts, *m.rows)) for m in recording.markers]
    found = {}
    for i, (name, type_, texts) in enumerate([*signals, *markers]):
        name = name or recording.path.stem
        if why := why_not(name, type_, texts):
            found[i] = f"{name!r}: {why}"
    return found


def lsl_outlets(recording: RecordedStreams) -> list[SignalOutlet | MarkerOutlet | None]:
    """Make an LSL outlet for each stream.

    Parameters
    ----------
    recording : RecordedStreams

    Returns
    -------
    list of SignalOutlet or MarkerOutlet or None
        None for a stream that is left out.
    """
    from bci.stream.lsl import LslOutlet, LslTextOutlet

    def texts(info: StreamInfo) -> MarkerOutlet:
        return LslTextOutlet(info.name, info.type, info.source_id, columns=info.labels)

    return _outlets(recording, lambda info: LslOutlet(info, "double64"), texts)


def bus_outlets(recording: RecordedStreams, bus: InProcessBus) -> list[SignalOutlet | MarkerOutlet | None]:
    """Make an outlet on the in-process bus for each stream.

    Parameters
    ----------
    recording : RecordedStreams
    bus : InProcessBus

    Returns
    -------
    list of SignalOutlet or MarkerOutlet or None
        None for a stream that is left out.
    """
    return _outlets(
        recording, bus.outlet, lambda info: bus.text_outlet(info.name, info.type, info.source_id, columns=info.labels)
    )


def _outlets(
    recording: RecordedStreams, numbers: Callable[[StreamInfo], SignalOutlet], texts: Callable[[StreamInfo], MarkerOutlet]
) -> list[SignalOutlet | MarkerOutlet | None]:
    """An outlet for each stream that is played, made by one of two."""
    without = left_out(recording)
    outlets: list[SignalOutlet | MarkerOutlet | None] = []
    for i, signal in enumerate(recording.signals):
        outlets.append(None if i in without else numbers(played_info(signal.info, recording, i)))
    for i, m in enumerate(recording.markers, start=len(recording.signals)):
        info = played_info(text_info(m.name or "markers", m.type, "", _columns(m)), recording, i)
        outlets.append(None if i in without else texts(info))
    return outlets
