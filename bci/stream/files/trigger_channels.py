"""What the trigger channels of a recorded signal say, as markers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo
from bci.stream.clock_map import SAME_CLOCK, ClockMap
from bci.stream.recording import RecordedMarkers
from bci.stream.triggers import TriggerEdges, trigger_stream


def trigger_markers(
    info: StreamInfo, data: FloatArray, stamps: FloatArray, clock: ClockMap = SAME_CLOCK
) -> list[RecordedMarkers]:
    """What the trigger channels say, if there are any."""
    edges = TriggerEdges(info)
    if not edges.columns:
        return []
    only = TriggerEdges(replace(info, channels=tuple(info.channels[i] for i in edges.columns)))
    found = [*only(Chunk(data[:, edges.columns], stamps)), *only.finish()]
    texts, times = tuple(t for t, _ in found), np.array([s for _, s in found], np.float64)
    return [RecordedMarkers(trigger_stream(info), texts, times, clock, on_samples=True)]
