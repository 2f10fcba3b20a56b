"""Recordings made for tests: a rhythm over C3 or C4 after each cue, with whatever markers and faults a test wants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bci.engine.stream_info import Channel, StreamInfo
from bci.stream.metadata import header_xml, text_info
from bci.stream.xdf.writer import XdfWriter

LABELS = ("Fz", "C3", "Cz", "C4", "P3", "P4")
START_S = 1000.0


def rhythm(
    cues: Sequence[tuple[float, str]], rate_hz: float = 125.0, labels: Sequence[str] = LABELS, seed: int = 0
) -> np.ndarray:
    """Noise in µV with 11 Hz over C3 after cues "left" and over C4 after the others, until 6 s after the last."""
    rng = np.random.default_rng(seed)
    data = rng.normal(0, 8, (round((cues[-1][0] + 6) * rate_hz), len(labels)))
    for time_s, class_ in cues:
        a, b = round((time_s + 0.3) * rate_hz), round((time_s + 3.8) * rate_hz)
        data[a:b, labels.index("C3" if class_ == "left" else "C4")] += 12 * np.sin(2 * np.pi * 11 * np.arange(b - a) / rate_hz)
    return data


def write_recording(
    path: Path,
    data: npt.NDArray[np.float64],
    markers: Sequence[tuple[float, str]],
    rate_hz: float = 125.0,
    *,
    stamps: npt.NDArray[np.float64] | None = None,
    labels: Sequence[str] = LABELS,
    declared_hz: float = 0.0,
    block: int = 500,
) -> Path:
    """An XDF file of one amplifier and one stream of markers, whose times count from the first sample."""
    info = StreamInfo(declared_hz or rate_hz, tuple(Channel(x, unit="uV") for x in labels), source_id="s", name="amp")
    stamps = START_S + np.arange(len(data)) / rate_hz if stamps is None else stamps
    with XdfWriter(path) as writer:
        amp = writer.add_stream(header_xml(info, "float32"))
        cues = writer.add_stream(header_xml(text_info("cues", "Markers", "c"), "string"))
        for at in range(0, len(data), block):
            writer.write(amp, data[at : at + block].astype(np.float32), stamps[at : at + block])
        for time_s, text in markers:
            writer.write(cues, [[text]], np.array([START_S + time_s]))
    return path
