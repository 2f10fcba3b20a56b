"""Recordings of all formats that bci can read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bci.api.configuration import configure, with_classes
from bci.engine.chunk import FloatArray
from bci.engine.stream_info import canonical
from bci.paradigm.cues import CueEvent
from bci.settings import SessionConfig
from bci.stream.files.even_grid import even
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal, times_on
from bci.stream.recording import RecordedStreams, require_samples
from bci.training.labelled import LabelledRun, open_labelled, open_with

if TYPE_CHECKING:
    import mne

MNE_TYPES = {"EEG": "eeg", "EOG": "eog", "ECG": "ecg", "EMG": "emg"}
SHOWN = 12
LONGEST = 24
"""Characters of a marker that are shown."""
OWN = "BCI-"
"""How the types of the streams of a live session begin; their messages are not markers for people."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Recording:
    """A recording with the settings by which it is read.

    Parameters
    ----------
    streams : RecordedStreams
        Everything that the file holds, with raw stamps.
    config : SessionConfig
        Which stream is the EEG (section ``stream``) and which markers are cues (section ``markers``).
    """

    streams: RecordedStreams
    config: SessionConfig

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self.streams.path

    @property
    def eeg(self) -> RecordedSignal:
        """The EEG stream: ``data`` in µV, shape (n_samples, n_channels), and raw ``stamps`` in seconds.

        Raises
        ------
        bci.errors.RecordingError
            If there is none, or more than one and ``stream.name`` does not say which.
        """
        return require_samples(self.streams.eeg(self.config.stream.query()), self.streams)

    @property
    def markers(self) -> tuple[RecordedMarkers, ...]:
        """All streams of markers."""
        return self.streams.markers

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader corrected or guessed, and what is damaged."""
        return self.streams.notes

    def marker_counts(self) -> dict[str, int]:
        """How often each marker was sent. You need this to write a table of classes."""
        return dict(Counter(text for stream in self.markers for text in stream.texts))

    def cues(self, classes: Mapping[str, str] | None = None) -> tuple[CueEvent, ...]:
        """Return the cue events in order of time, each once.

        Parameters
        ----------
        classes : mapping of str to str, optional
            Class of each marker; the configured table where it is not given.

        Returns
        -------
        tuple of Trial
            Each with ``time_s``, on the EEG stream's clock, and ``class_``.

        Raises
        ------
        bci.errors.TrainingError
            If no marker is a cue; lists the markers that were found.
        """
        return self.labelled(classes).cues

    def labelled(self, classes: Mapping[str, str] | None = None) -> LabelledRun:
        """The EEG with its cues, as training and judging take it.

        Parameters
        ----------
        classes : mapping of str to str, optional
            Class of each marker; the configured table where it is not given.

        Returns
        -------
        LabelledRun
        """
        return open_labelled(self.path, with_classes(self.config, classes), self.streams)

    def with_data(self, data: FloatArray) -> Recording:
        """Return a copy in memory with other EEG samples, to see what would have been decoded. The file stays as it is.

        Parameters
        ----------
        data : ndarray, shape (n_samples, n_channels)
            µV, as many samples and channels as ``eeg.data``.

        Raises
        ------
        ValueError
            If there are more or fewer.
        """
        streams, eeg = self.streams.corrected(), self.eeg
        if np.shape(data) != eeg.data.shape:
            raise ValueError(f"data has the shape {np.shape(data)}; it must be that of the recording's EEG, {eeg.data.shape}")
        samples = np.array(data, dtype=np.float64)
        signals = tuple(replace(one, data=samples) if one.stamps is eeg.stamps else one for one in streams.signals)
        return Recording(replace(streams, signals=signals, sha256=""), self.config)

    def to_mne(self) -> mne.io.RawArray:
        """Return the EEG stream for MNE: volts on an even grid, markers as annotations, lost samples marked ``BAD_gap``.

        Returns
        -------
        mne.io.RawArray
        """
        import mne

        signal = self.eeg
        info = signal.info
        sent = sorted(
            (float(time_s), text)
            for stream in self.markers
            for time_s, text in zip(times_on(signal, stream), stream.texts, strict=True)
        )
        placed = even(info, signal.chunk(), sent, spans=signal.bad_spans)
        types = [MNE_TYPES.get(channel.type.upper(), "misc") for channel in info.channels]
        volts = np.array([1.0 if kind == "misc" else 1e-6 for kind in types])
        made = mne.create_info(list(info.labels), info.rate_hz, types)
        raw = mne.io.RawArray(placed.data.T * volts[:, None], made, verbose="ERROR")
        bad = {canonical(label) for label in signal.bad_channels}
        raw.info["bads"] = [label for label in info.labels if canonical(label) in bad]
        raw.set_montage("standard_1005", match_case=False, on_missing="ignore", verbose="ERROR")
        marks = placed.marks
        raw.set_annotations(
            mne.Annotations(
                [mark.sample / info.rate_hz for mark in marks],
                [mark.n_samples / info.rate_hz for mark in marks],
                [mark.text for mark in marks],
            ),
            verbose="ERROR",
        )
        return raw

    def __repr__(self) -> str:
        lines = [f"<Recording {self.path.name}", *(f"  {a}: {b}" for a, b in self._rows())]
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in self._rows())
        return f"<table><caption>{escape(self.path.name)}</caption>{rows}</table>"

    def _rows(self) -> list[tuple[str, str]]:
        rows = [(signal.info.name, _described(signal)) for signal in self.streams.signals]
        counts = Counter(f"{text[:LONGEST]}…" if len(text) > LONGEST else text for text in self._marker_texts()).most_common()
        found = ", ".join(f"{text!r} × {n}" for text, n in counts[:SHOWN]) + (" …" if len(counts) > SHOWN else "")
        rows.append(("markers", found or "none"))
        return rows + [("note", note) for note in self.notes]

    def _marker_texts(self) -> list[str]:
        return [text for stream in self.markers if not stream.type.startswith(OWN) for text in stream.texts]


def _described(signal: RecordedSignal) -> str:
    """A stream in a few words."""
    info, n = signal.info, len(signal.stamps)
    head = f"{info.type}, {len(info.channels)} channels"
    return f"{head}, {info.rate_hz:g} Hz, {n / info.rate_hz:.1f} s" if info.rate_hz else f"{head}, {n} rows"


def read_recording(
    path: Path | str, config: SessionConfig | None = None, *, classes: Mapping[str, str] | None = None
) -> Recording:
    """Read a recording: XDF, EDF, BDF, GDF, BrainVision, FIF, EEGLAB, CNT or OpenViBE.

    Parameters
    ----------
    path : Path or str
    config : SessionConfig, optional
        From :func:`bci.configure`; the defaults where it is not given.
    classes : mapping of str to str, optional
        Class of each marker, for instance ``{"769": "left", "770": "right"}``; wins over the table of ``config``.

    Returns
    -------
    Recording

    Raises
    ------
    bci.errors.RecordingError
        If it cannot be read; says why.
    """
    settings = with_classes(config or configure(), classes)
    return Recording(open_with(Path(path), settings), settings)


def same_settings(recordings: Recording | tuple[Recording, ...] | list[Recording]) -> tuple[list[Recording], SessionConfig]:
    """One or more recordings as a list, with the settings of the first.

    Parameters
    ----------
    recordings : Recording or sequence of Recording
        At least one.

    Returns
    -------
    recordings
        list of Recording
    """
    found = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not found:
        raise ValueError("no recording was given; read at least one with bci.read_recording")
    return found, found[0].config


def html_table(caption: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A small table for a notebook.

    Parameters
    ----------
    caption : str
    head : tuple of str
        Headline of each column.
    rows : list of tuple of object
        Cells of each row; their texts are escaped.
    """
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption><tr>{top}</tr>{body}</table>"
