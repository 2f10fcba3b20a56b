"""Recordings of two computers whose clocks are known, as LabRecorder writes them and as we do and did."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.stream.xdf.format import MAGIC, Tag, chunk, encode_numeric, encode_strings, parse_header, varlen

T0 = 500_000.0
"""On the recorder's clock: when recording begins."""

Clock = Callable[[FloatArray], FloatArray]
"""From the recorder's time to a sender's."""


@dataclass
class Sent:
    """One stream.

    Parameters
    ----------
    name, host : str
    clock : callable
        Of its computer.
    true_s : ndarray
        When each sample was made, on the recorder's clock.
    offsets_s : ndarray
        When offsets were measured, on the recorder's clock.
    noise_s : ndarray or float
        Error of each offset.
    rate_hz : float
        0 for markers.
    texts : tuple of str
        Of the markers; their true times where there are none.
    """

    name: str
    host: str
    clock: Clock
    true_s: FloatArray
    offsets_s: FloatArray = field(default_factory=lambda: np.empty(0))
    noise_s: FloatArray | float = 0.0
    rate_hz: float = 0.0
    texts: tuple[str, ...] = ()

    @property
    def stamps(self) -> FloatArray:
        return np.asarray(self.clock(self.true_s))

    def header(self) -> str:
        kind, form = ("EEG", "float32") if self.rate_hz else ("Markers", "string")
        host = f"<hostname>{self.host}</hostname>" if self.host else ""
        return (
            f"<info><name>{self.name}</name><type>{kind}</type><channel_count>1</channel_count>"
            f"<nominal_srate>{self.rate_hz}</nominal_srate><channel_format>{form}</channel_format>"
            f"<source_id>{self.name}</source_id>{host}<desc/></info>"
        )


def values(times: FloatArray) -> npt.NDArray[np.float32]:
    """Samples of an EEG's size that were made at these times."""
    noise = np.random.default_rng(len(times) + int(times[0])).normal(0, 10, (len(times), 1))
    return noise.astype(np.float32)


def write(path: Path, streams: Sequence[Sent], on_sender: bool = True, writer: str = "LabRecorder") -> Path:
    """A file with all chunks in the order of time; collection times on the senders' clocks or on the recorder's."""
    heads, bodies, feet = [], [], []
    for i, sent in enumerate(streams, 1):
        header = parse_header(sent.header().encode(), "test")
        heads.append(chunk(Tag.STREAM_HEADER, struct.pack("<I", i) + sent.header().encode()))
        block = 50 if sent.rate_hz else 1
        said = sent.texts or tuple(map(repr, sent.true_s.tolist()))
        for a in range(0, len(sent.true_s), block):
            times, stamps = sent.true_s[a : a + block], sent.stamps[a : a + block]
            if sent.rate_hz:
                payload = encode_numeric(header, values(times), stamps)
            else:
                payload = encode_strings(header, [[text] for text in said[a : a + block]], stamps)
            bodies.append((times[-1], chunk(Tag.SAMPLES, struct.pack("<I", i) + varlen(len(times)) + payload)))
        measured = sent.offsets_s - sent.clock(sent.offsets_s) + sent.noise_s
        for at, offset in zip(sent.offsets_s.tolist(), measured.tolist(), strict=True):
            collected = at - offset if on_sender else at
            bodies.append((at, chunk(Tag.CLOCK_OFFSET, struct.pack("<Idd", i, collected, offset))))
        foot = f"<info><writer>{writer}</writer><sample_count>{len(sent.true_s)}</sample_count></info>"
        feet.append(chunk(Tag.STREAM_FOOTER, struct.pack("<I", i) + foot.encode()))
    start = MAGIC + chunk(Tag.FILE_HEADER, b"<?xml version='1.0'?><info><version>1.0</version></info>")
    path.write_bytes(start + b"".join(heads) + b"".join(b for _, b in sorted(bodies, key=lambda b: b[0])) + b"".join(feet))
    return path


def session(
    amplifier: Clock, stimuli: Clock, span_s: float = 3600.0, noise_s: float = 0.1e-3, began_s: float = 500_000.0
) -> list[Sent]:
    """An amplifier of 50 Hz on one computer and a stream of markers every ten seconds on another."""
    rng = np.random.default_rng(0)
    at = began_s + np.arange(5.0, span_s, 5.0)
    noises = [rng.normal(0.0, noise_s, len(at)) for _ in range(2)]
    samples, cues = began_s + np.arange(0.0, span_s, 1 / 50.0), began_s + np.arange(10.0, span_s - 10.0, 10.0) + 0.02
    return [
        Sent("Amp", "lab-amp", amplifier, samples, at, noises[0], 50.0),
        Sent("Cues", "lab-screen", stimuli, cues, at, noises[1]),
    ]
