"""What the markers of a calibration by ``bci calibrate`` mean, as its recording says."""

from __future__ import annotations

import json

from bci.errors import StreamError
from bci.paradigm.timeline import CALIBRATION_TYPE
from bci.settings import MarkersSection
from bci.stream import messages
from bci.stream.recording import RecordedStreams


def recorded_markers(recording: RecordedStreams) -> MarkersSection | None:
    """The section ``markers`` with which a calibration was recorded.

    Parameters
    ----------
    recording : RecordedStreams

    Returns
    -------
    MarkersSection or None
        None where the recording is of no calibration by bci, or does not say it in a form that can be read.
    """
    notes = [markers.texts[0] for markers in recording.markers if markers.type == CALIBRATION_TYPE and markers.texts]
    if len(notes) != 1:
        return None
    try:
        start = messages.parse(notes[0], str(recording.path))
        found = MarkersSection.model_validate(json.loads(start["config"])["markers"])
    except (StreamError, KeyError, TypeError, ValueError, RecursionError):
        return None  # the message about missing cues then lists the markers
    return found if start["kind"] == "start" and found.table else None
