"""A recording of a simulated calibration, made faster than real time."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from bci.errors import RecordingError
from bci.paradigm.timeline import CueTimeline
from bci.progress import Progress, silent
from bci.stream.bus import Source
from bci.stream.clock import VirtualClock
from bci.stream.metadata import header_xml, text_info
from bci.stream.xdf.writer import XdfWriter

CUES = "cues"
END_S = 2.0


class Subject(Source, Protocol):
    """A source that answers cues."""

    @property
    def due_s(self) -> float:
        """Time on its clock at which the next samples arrive."""
        ...

    def cue(self, cue: str | int, time_s: float | None = None) -> bool:
        """Show something to the person."""
        ...


def record_virtually(
    subject: Subject, clock: VirtualClock, timeline: CueTimeline, path: Path, progress: Progress = silent
) -> None:
    """Present a timeline to a subject on a virtual clock and write both streams to an XDF file.

    Parameters
    ----------
    subject : Subject
        Built on ``clock``.
    clock : VirtualClock
    timeline : CueTimeline
    path : Path
        Must not exist.
    progress : callable
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    begin = clock.now()
    end = begin + timeline.duration_s + END_S
    waiting = list(timeline.cues)
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header_xml(subject.info, "float32"))
        cues = writer.add_stream(header_xml(text_info(CUES, "Markers", f"{CUES}-{subject.info.source_id}"), "string"))
        for stream in (eeg, cues):
            writer.write_offset(stream, begin, 0.0)
        while clock.now() < end:
            while waiting and begin + waiting[0].time_s <= clock.now():
                cue = waiting.pop(0)
                subject.cue(cue.marker, begin + cue.time_s)
                writer.write(cues, [[cue.marker]], np.array([begin + cue.time_s]))
            chunk = subject.read(1.0)
            if chunk is None:
                raise RecordingError(f"{path}: the simulated subject fell silent at {clock.now() - begin:.1f} s")
            writer.write(eeg, chunk.data.astype(np.float32), chunk.stamps)
            progress("recording the simulated calibration", (clock.now() - begin) / (end - begin))
