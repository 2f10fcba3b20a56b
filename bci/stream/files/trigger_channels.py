"""The trigger channels of a recorded signal, as markers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo
from bci.stream.clocks.clock_map import SAME_CLOCK, ClockMap
from bci.stream.markers.trigger_times import TimedTriggers
from bci.stream.markers.triggers import trigger_stream
from bci.stream.recorded_signal import RecordedMarkers


def trigger_markers(
    info: StreamInfo, data: FloatArray, stamps: FloatArray, clock: ClockMap = SAME_CLOCK
) -> list[RecordedMarkers]:
    """Turn the trigger channels of a signal into streams of markers, each marker stamped when its sample was taken.

    Parameters
    ----------
    info : StreamInfo
        Of the signal.
    data : ndarray, shape (n_samples, n_channels)
    stamps : ndarray, shape (n_samples,)
        Seconds on the sender's clock.
    clock : ClockMap
        Of the sender.

    Returns
    -------
    list of RecordedMarkers
        Empty where the signal has no trigger channel.
    """
    columns = TimedTriggers(info).columns
    if not columns:
        return []
    triggers = TimedTriggers(replace(info, channels=tuple(info.channels[i] for i in columns)))
    found = [*triggers(Chunk(data[:, columns], stamps)), *triggers.finish()]
    texts, times = tuple(mark.text for mark in found), np.array([mark.time_s for mark in found], np.float64)
    return [RecordedMarkers(trigger_stream(info), texts, times, clock, on_samples=True)]
