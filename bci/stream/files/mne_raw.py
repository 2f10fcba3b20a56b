"""Recordings that MNE reads: EDF, BDF, GDF, BrainVision, FIF, and data sets that are in memory already."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import RecordingError
from bci.stream.files.bids_events import CHANNELS
from bci.stream.files.boundary import refuse_text_transfer
from bci.stream.files.brainvision import prepare_brainvision
from bci.stream.files.edf import check_edf, mended
from bci.stream.files.edf_pauses import EdfAnnotation, Records, interrupted
from bci.stream.files.gdf import check_gdf
from bci.stream.files.rates import other_rates
from bci.stream.files.stored import mne_samples
from bci.stream.files.trigger_channels import trigger_markers
from bci.stream.files.unpack import is_compressed, unpacked
from bci.stream.markers.marked import BadSpan, span_of
from bci.stream.metadata import channel_type
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams
from bci.stream.units import canonical_unit, microvolts_per

_MNE_TYPES = {"eeg": "EEG", "eog": "EOG", "emg": "EMG", "stim": "TRIG"}
ANNOTATIONS = "annotations"
"""Name of the markers that a file's annotations become."""
GDF_NEW_SEGMENT = "32766"
"""0x7FFE of GDF's table of events; data sets 2a and 2b of BCI Competition IV have it at the start of each run."""
_NOTED_BY_US = ("Number of records from the header does not match", "MarkerFile")
"""Warnings of MNE for which there is a sentence of ours."""


def read_edf(path: Path, stored: bool = False) -> RecordedStreams:
    """EDF and BDF; what an interrupted recorder left of the last record is left out, with a note.

    Parameters
    ----------
    path : Path
    stored : bool
        Leave the samples in the file until they are asked for, where nothing had to be mended.
    """
    import mne

    layout = check_edf(path)
    read = mne.io.read_raw_bdf if path.suffix.lower() == ".bdf" else mne.io.read_raw_edf
    with TemporaryDirectory(prefix="bci-") as folder, _mne_notes() as notes:
        left_out, more = other_rates(layout.labels, layout.per_record, layout.record_s)
        notes += [*layout.notes(), *more]
        good = mended(path, layout, Path(folder))
        records = interrupted(good, layout)
        preload = not stored or good != path
        try:
            raw = read(good, exclude=left_out, preload=preload, verbose="ERROR")
        except Exception as error:  # a bare one is what MNE raises for an annotation that is not UTF-8
            if "latin1" not in str(error) and not isinstance(error, UnicodeDecodeError):
                raise
            raw = read(good, exclude=left_out, preload=preload, encoding="latin1", verbose="ERROR")
            notes.append("holds annotations that are not UTF-8, as EDF+ asks for; they are read as Latin-1")
    _set_units(raw, [canonical_unit(str(raw._orig_units.get(name, ""))) for name in raw.ch_names])
    if records is not None:
        # What MNE says of annotations that lie beyond its end of the file is not so.
        notes = [*(text for text in notes if "annotation" not in text or "Latin-1" in text), records.in_words()]
    return recording_from_mne(raw, path, tuple(notes), records, stored=stored)


def read_gdf(path: Path) -> RecordedStreams:
    """Read a GDF file, with its table of events.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    RecordedStreams

    Raises
    ------
    RecordingError
        If it cannot be read.
    """
    import mne

    layout = check_gdf(path)
    left_out, more = other_rates(layout.labels, layout.per_record, layout.record_s)
    with _mne_notes() as notes:
        notes += more
        raw = mne.io.read_raw_gdf(path, exclude=left_out, preload=True, verbose="ERROR")
    units = [unit for label, unit in zip(layout.labels, layout.units, strict=True) if label not in left_out]
    if len(units) == len(raw.ch_names):
        _set_units(raw, units)
    return recording_from_mne(raw, path, tuple(notes), seams=(GDF_NEW_SEGMENT,))


def read_brainvision(path: Path, stored: bool = False) -> RecordedStreams:
    """Read a BrainVision recording through a header of our own, which names the files that are really there.

    Parameters
    ----------
    path : Path
        Of the ``.vhdr`` file.
    stored : bool
        As in :func:`read_edf`.

    Returns
    -------
    RecordedStreams

    Raises
    ------
    RecordingError
        If it cannot be read.
    """
    import mne

    with TemporaryDirectory(prefix="bci-") as folder, _mne_notes() as notes:
        header, more = prepare_brainvision(path, Path(folder))
        notes += more
        raw = mne.io.read_raw_brainvision(header, preload=not stored, verbose="ERROR")
        if not raw.preload and Path(folder) in Path(raw.filenames[0]).parents:
            raw.load_data(verbose="ERROR")
    return recording_from_mne(raw, path, tuple(notes), stored=stored)


def read_fif(path: Path) -> RecordedStreams:
    """Read a FIF file, MNE's own format.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    RecordedStreams

    Raises
    ------
    RecordingError
        If it cannot be read.
    """
    import mne

    refuse_text_transfer(path)
    with TemporaryDirectory(prefix="bci-") as folder, _mne_notes() as notes:
        plain = path
        with path.open("rb") as file:
            if is_compressed(file):  # unpacked within a limit, which MNE does not have
                plain = Path(folder) / "unpacked_raw.fif"
                plain.write_bytes(unpacked(path, file))
        raw = mne.io.read_raw_fif(plain, preload=True, verbose="ERROR")
    return recording_from_mne(raw, path, tuple(notes))


def read_cnt(path: Path) -> RecordedStreams:
    """Read a CNT file of Neuroscan; the CNT of ANT, which has the same ending, is refused.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    RecordedStreams

    Raises
    ------
    RecordingError
        If it cannot be read.
    """
    import mne

    with path.open("rb") as file:
        head = file.read(16)
    if head[:4] == b"RIFF":
        raise RecordingError(
            f"{path}: is a CNT file of ANT Neuro (eego), but only those of Neuroscan can be read. Export it as BrainVision or EDF"
        )
    refuse_text_transfer(path, 900)
    with _mne_notes() as notes:
        raw = mne.io.read_raw_cnt(path, preload=True, verbose="ERROR")
    return recording_from_mne(raw, path, tuple(notes))


def _set_units(raw: Any, units: Sequence[str]) -> None:
    """Put right what MNE does not know: it takes the numbers of most units for volts, and of GDF it forgets which it was."""
    used = raw._raw_extras[0]["units"]
    for name, kind, unit, factor in zip(raw.ch_names, raw.get_channel_types(), units, used, strict=True):
        raw._orig_units[name] = unit
        volts = (microvolts_per(unit) or 0.0) * 1e-6
        if kind == "eeg" and volts and not np.isclose(volts, factor, rtol=1e-6, atol=0.0):
            ratio = volts / factor
            raw.load_data(verbose="ERROR")
            raw.apply_function(lambda x, ratio=ratio: x * ratio, picks=[name], channel_wise=False)


@contextmanager
def _mne_notes() -> Iterator[list[str]]:
    """What MNE warns of, as notes, behind those that the caller puts into the list."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    warned = dict.fromkeys(" ".join(str(w.message).split()) for w in caught if not issubclass(w.category, DeprecationWarning))
    notes += [text for text in warned if not text.startswith(_NOTED_BY_US)]


def recording_from_mne(
    raw: Any,
    path: Path,
    notes: tuple[str, ...] = (),
    records: Records | None = None,
    seams: tuple[str, ...] = (),
    stored: bool = False,
) -> RecordedStreams:
    """A recording that MNE has read already: from a BIDS folder, or from a program's own data set.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    path : Path
        For messages; its stem names the stream.
    notes : tuple of str
        The notes of the reader.
    records : Records, optional
        True times, where the file was interrupted and MNE took it for one piece.
    seams : tuple of str
        Annotations of this format at which a new span begins, besides those that are one everywhere.
    stored : bool
        Leave samples that MNE has not read in the file until they are asked for.
    """
    data, channels, unknown = _mne_channels(raw, stored)
    # Times are counted samples here, so that a jump of them is exactly what is missing.
    info = StreamInfo(float(raw.info["sfreq"]), channels, name=path.stem, source_id="", sample_clock=True)
    stamps = np.arange(len(data)) / info.rate_hz if records is None else records.stamps(len(data), info.rate_hz)
    annotated = _annotated(raw) if records is None else records.notes
    signal = RecordedSignal(
        info,
        data,
        stamps,
        assumed_unit="V" if unknown else "",
        bad_channels=tuple(_label(name) for name in raw.info["bads"]),
        bad_spans=_bad_spans(annotated, seams),
    )
    times = np.array([n.onset_s for n in annotated], np.float64)
    durations = tuple(n.duration_s for n in annotated)
    annotations = RecordedMarkers(ANNOTATIONS, tuple(n.text for n in annotated), times, durations_s=durations)
    return RecordedStreams(path, (signal,), (annotations, *trigger_markers(info, data, stamps)), "", notes)


def _annotated(raw: Any) -> tuple[EdfAnnotation, ...]:
    """MNE's annotations, with times since the first sample."""
    found = raw.annotations
    onsets = np.asarray(found.onset - raw.first_time, np.float64)
    names = found.ch_names if found.ch_names is not None else [()] * len(onsets)
    # What a BIDS folder says in its column of channels is among MNE's extras.
    tables = [_cells(extra) for extra in found.extras] if getattr(found, "extras", None) else [()] * len(onsets)
    rows = zip(onsets.tolist(), found.duration.tolist(), found.description, names, tables, strict=True)
    return tuple(
        EdfAnnotation(onset, duration, str(text), tuple(map(str, named or table))) for onset, duration, text, named, table in rows
    )


def _cells(extra: Mapping[str, object] | None) -> tuple[str, ...]:
    """The channels that an event of a table concerns."""
    cell = str((extra or {}).get(CHANNELS) or "").strip()
    return () if cell.lower() in ("", "n/a", "nan") else tuple(x.strip() for x in cell.split(",") if x.strip())


def _bad_spans(annotated: tuple[EdfAnnotation, ...], seams: tuple[str, ...]) -> tuple[BadSpan, ...]:
    """What the annotations mark bad; the beginning of a recording is no seam."""
    found = [span_of(n.onset_s, n.duration_s, n.text, [_label(x) for x in n.channels]) for n in annotated]
    found += [BadSpan(n.onset_s, n.onset_s, f"new run ({n.text})") for n in annotated if n.text in seams]
    return tuple(span for span in found if span is not None and (span.start_s > 0 or span.stop_s > 0))


def _label(name: str) -> str:
    return str(name).strip(" .")


def _mne_channels(raw: Any, stored: bool = False) -> tuple[FloatArray, tuple[Channel, ...], bool]:
    """Data in microvolts, channels, and whether the file leaves out the unit of its EEG."""
    channels = []
    factors = np.ones(len(raw.ch_names))
    for i, (label, kind) in enumerate(zip(raw.ch_names, raw.get_channel_types(), strict=True)):
        label = _label(label)
        ours = _MNE_TYPES.get(kind, "AUX")
        ours = channel_type(label, ours) if ours == "EEG" else ours
        declared = canonical_unit(str(raw._orig_units.get(raw.ch_names[i], "V")))
        unit = declared if microvolts_per(declared) else ""
        if ours in ("EEG", "EOG", "EMG"):
            factors[i] = 1e6
        elif unit:
            factors[i] = 1e6 if kind == "eeg" else 1.0
        channels.append(Channel(label, ours, unit if ours != "TRIG" else "", _mne_position(raw, i)))
    unknown = any(c.type == "EEG" and not c.unit for c in channels)
    if stored and not raw.preload:
        data: Any = mne_samples(raw) * factors
        return data, tuple(channels), unknown
    return np.ascontiguousarray(raw.get_data().T * factors), tuple(channels), unknown


def _mne_position(raw: Any, index: int) -> tuple[float, float, float] | None:
    place = np.asarray(raw.info["chs"][index]["loc"][:3], np.float64)
    if not np.isfinite(place).all() or not place.any():
        return None
    return (float(place[0]), float(place[1]), float(place[2]))
