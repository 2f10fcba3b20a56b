"""A file format: a table of comma-separated values, with the time in seconds first and a column of markers last."""

import csv

import numpy as np

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import RecordingError
from bci.safe_io.regular_file import open_regular
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams


def read_csv(path):
    """Read a table whose first line is ``time,LABEL,…,marker``; values are microvolts."""
    with open_regular(path) as file:
        head, *rows = csv.reader(file.read().decode("utf-8").splitlines())
    if len(head) < 3 or (head[0], head[-1]) != ("time", "marker"):
        raise RecordingError(f"{path}: its first line is {','.join(head)[:80]!r}; it must be time,LABEL,…,marker")
    if len(rows) < 2:
        raise RecordingError(f"{path}: holds {len(rows)} samples; two are needed to know the rate")
    stamps = np.array([float(row[0]) for row in rows])
    data = np.array([[float(value) for value in row[1:-1]] for row in rows])
    rate_hz = round(1 / np.median(np.diff(stamps)), 3)
    channels = tuple(Channel(label, "EEG", "uV") for label in head[1:-1])
    info = StreamInfo(rate_hz, channels, name=path.stem, type="EEG")
    marked = [i for i, row in enumerate(rows) if row[-1]]
    markers = RecordedMarkers("markers", tuple(rows[i][-1] for i in marked), stamps[marked])
    return RecordedStreams(path, (RecordedSignal(info, data, stamps),), (markers,) if marked else (), sha256="")
