"""What the trigger channels of a recorded signal say, as markers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo
from bci.stream.clock_map import SAME_CLOCK, ClockMap
from bci.stream.recording import RecordedMarkers
from bci.stream.trigger_times import TimedTriggers
from bci.stream.triggers import trigger_stream


def trigger_markers(
    info: StreamInfo, data: FloatArray, stamps: FloatArray, clock: ClockMap = SAME_CLOCK
) -> list[RecordedMarkers]:
    """What the trigger channels say, if there are any, stamped when their samples were taken."""
    columns = TimedTriggers(info).columns
    if not columns:
        return []
    triggers = TimedTriggers(replace(info, channels=tuple(info.channels[i] for i in columns)))
    found = [*triggers(Chunk(data[:, columns], stamps)), *triggers.finish()]
    texts, times = tuple(mark.text for mark in found), np.array([mark.time_s for mark in found], np.float64)
    return [RecordedMarkers(trigger_stream(info), texts, times, clock, on_samples=True)]
