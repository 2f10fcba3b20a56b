"""When the records of an EDF+ or BDF+ file really began, and what is annotated in it: its time-stamped annotation lists.

EDF+D files are interrupted: their records follow each other in the file, but not in time. B. Kemp and J. Olivan,
"European data format 'plus'", Clinical Neurophysiology 114 (2003) 1755, section 2.2: each record's annotation signal begins
with ``+onset 0x14 0x14 0x00``, the time of its first sample; others follow as ``+onset[0x15 duration] 0x14 text 0x14 … 0x00``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import RecordingError
from bci.stream.files.edf import EdfLayout

BACK_S = 0.1
"""A clock that is put right moves records by less; more is time that goes back."""

_TAL = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?\x14([^\x00]*?)\x14\x00")
_LISTS = (b"EDF Annotations", b"BDF Annotations")


@dataclass(frozen=True, slots=True)
class EdfAnnotation:
    """One annotation.

    Parameters
    ----------
    onset_s, duration_s : float
        Onset since the first sample.
    text : str
    channels : tuple of str
        Labels of the channels that it concerns; empty for all.
    """

    onset_s: float
    duration_s: float
    text: str
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """True times of a file that was interrupted.

    Parameters
    ----------
    starts_s : ndarray, shape (n_records,)
        Since the first sample.
    record_s : float
    notes : tuple of EdfAnnotation
    """

    starts_s: FloatArray
    record_s: float
    notes: tuple[EdfAnnotation, ...]

    @property
    def pauses(self) -> list[tuple[float, float]]:
        """Start and length of each pause, in seconds of true time; negative if time was set back."""
        steps = np.diff(self.starts_s) - self.record_s
        return [(float(self.starts_s[i]) + self.record_s, float(steps[i])) for i in np.flatnonzero(abs(steps) > 1e-6)]

    def stamps(self, n_samples: int, rate_hz: float) -> FloatArray:
        """Compute the true time of each sample.

        Parameters
        ----------
        n_samples : int
        rate_hz : float
            Sampling rate.

        Returns
        -------
        ndarray, shape (n_samples,)
            Seconds since the first sample.
        """
        place = np.arange(n_samples) / rate_hz
        record = np.minimum(((place + 0.25 / rate_hz) / self.record_s).astype(np.int64), len(self.starts_s) - 1)
        stamps: FloatArray = place + (self.starts_s - np.arange(len(self.starts_s)) * self.record_s)[record]
        return stamps

    def in_words(self) -> str:
        """The pauses for people."""
        found = self.pauses
        shown = ", ".join(f"{length:g} s from {at:g} s on" for at, length in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        often = "once" if len(found) == 1 else f"{len(found)} times"
        return f"was interrupted {often} ({shown}{more}); the pauses are gaps, and annotations keep their true times"


def interrupted(path: Path, layout: EdfLayout) -> Records | None:
    """True times of the records; None where they follow each other without a pause, or the file does not say.

    Parameters
    ----------
    path : Path
    layout : EdfLayout
        Of that file.
    """
    with path.open("rb") as file:
        header = file.read(layout.header_size)
        places = _annotation_bytes(header, layout, 3 if path.suffix.lower() == ".bdf" else 2)
        if not places or layout.record_s <= 0 or header[192:197] not in (b"EDF+C", b"EDF+D", b"BDF+C", b"BDF+D"):
            return None
        starts, notes = [], []
        for _ in range(layout.held):
            record = file.read(layout.record_size)
            lists = [_TAL.findall(record[a:b]) for a, b in places]
            if not lists[0] or lists[0][0][2]:
                return None  # it does not say when this record began
            starts.append(float(lists[0][0][0]))
            notes += [_note(one[0], one[1], text) for found in lists for one in found for text in one[2].split(b"\x14") if text]
    begun = np.array(starts)
    if not len(begun) or (abs(np.diff(begun) - layout.record_s) < _least(header, layout)).all():
        return None
    back = np.flatnonzero(np.diff(begun) < layout.record_s - max(_least(header, layout), BACK_S))
    if len(back):
        i = int(back[0])
        raise RecordingError(
            f"{path}: says that its record {i + 2} begins at {begun[i + 1]:g} s, but record {i + 1} begins at {begun[i]:g} s and "
            f"lasts {layout.record_s:g} s. In EDF+ time never runs backwards, so nobody can know where the annotations belong; "
            "export the recording again from the program that made it"
        )
    shifted = tuple(
        EdfAnnotation(n.onset_s - starts[0], n.duration_s, n.text, n.channels) for n in sorted(notes, key=lambda n: n.onset_s)
    )
    return Records(begun - begun[0], layout.record_s, shifted)


def _annotation_bytes(header: bytes, layout: EdfLayout, width: int) -> list[tuple[int, int]]:
    """Where in a record the annotation signals lie, bytes."""
    n = layout.n_signals
    labels = [header[256 + 16 * i : 272 + 16 * i].strip() for i in range(n)]
    counts = [int(float(header[256 + 216 * n + 8 * i : 264 + 216 * n + 8 * i])) for i in range(n)]
    ends = np.cumsum(counts).tolist()
    return [((ends[i] - counts[i]) * width, ends[i] * width) for i in range(n) if labels[i] in _LISTS]


def _least(header: bytes, layout: EdfLayout) -> float:
    """Half a sample of the fastest signal: less is rounding and no pause, seconds."""
    n = layout.n_signals
    counts = [int(float(header[256 + 216 * n + 8 * i : 264 + 216 * n + 8 * i])) for i in range(n)]
    signals = [c for i, c in enumerate(counts) if header[256 + 16 * i : 272 + 16 * i].strip() not in _LISTS]
    return 0.5 * layout.record_s / max(signals, default=1)


def _note(onset: bytes, duration: bytes, text: bytes) -> EdfAnnotation:
    """One text of a list; those of single channels are written TEXT@@CHANNEL."""
    try:
        annotation = text.decode("utf-8")
    except UnicodeDecodeError:
        annotation = text.decode("latin-1")
    annotation, _, channel = annotation.partition("@@")
    return EdfAnnotation(float(onset), float(duration or 0), annotation, (channel,) if channel else ())
