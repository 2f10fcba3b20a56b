"""Read recordings of any format into one shape: XDF by our own reader, the others through MNE or on our own."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from bci import plugins
from bci.engine.stream_info import canonical
from bci.errors import RecordingError
from bci.safe_io.regular_file import open_regular
from bci.stream.clocks.foreign_clock import other_clocks
from bci.stream.files.bids_events import bad_channels
from bci.stream.files.boundary import in_words
from bci.stream.files.eeglab import read_eeglab
from bci.stream.files.mne_raw import read_brainvision, read_cnt, read_edf, read_fif, read_gdf
from bci.stream.files.openvibe import read_openvibe
from bci.stream.files.xdf import read_xdf_recording
from bci.stream.montage import Montage
from bci.stream.recording import RecordedStreams
from bci.stream.signal_checks import check_unit_option


def open_recording(path: Path | str, montage: Montage | None = None, unit: str = "", stored: bool = False) -> RecordedStreams:
    """Read a recording: XDF, compressed XDF, EDF, BDF, GDF, BrainVision, FIF, EEGLAB, Neuroscan CNT, OpenViBE, or a plug-in's.

    Parameters
    ----------
    path : Path or str
    montage : Montage, optional
        What the file leaves out.
    unit : str
        True unit of the EEG's numbers (``"uV"``, ``"mV"``, ``"V"``), where the file declares none or a wrong one.
    stored : bool
        Leave the samples in the file until they are asked for, where its reader can (XDF, EDF, BDF, BrainVision).

    Returns
    -------
    RecordedStreams

    Raises
    ------
    RecordingError
        If the file cannot be read or its format is not known.
    PluginError
        If the plug-in that reads such files cannot be imported.
    """
    path = Path(path)
    check_unit_option(unit)
    reader = reader_of(path)
    if reader is None:
        raise unknown_type(path)
    with in_words(path):
        with open_regular(path) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        found = STORED[reader](path, True) if stored and reader in STORED else reader(path)
        recording = _marked_beside(replace(found, sha256=sha256))
    recording = replace(recording, notes=(*recording.notes, *_other_clocks(recording)))
    if unit:
        montage = replace(montage or Montage(), unit=unit)
    return replace(recording, montage=montage)


def _marked_beside(recording: RecordedStreams) -> RecordedStreams:
    """The recording with the channels that a BIDS folder's table beside it calls bad."""
    bad = bad_channels(recording.path)
    if not bad:
        return recording
    signals = []
    for signal in recording.signals:
        known = {canonical(c.label): c.label for c in signal.info.channels}
        more = [known[canonical(x)] for x in bad if canonical(x) in known]
        signals.append(replace(signal, bad_channels=tuple(dict.fromkeys((*signal.bad_channels, *more)))))
    return replace(recording, signals=tuple(signals))


def _other_clocks(recording: RecordedStreams) -> list[str]:
    """Streams of markers that another clock stamped than the signal with the most samples."""
    signal = max(recording.signals, key=lambda s: len(s.stamps), default=None)
    return other_clocks(recording, signal) if signal is not None else []


READERS: dict[str, Callable[[Path], RecordedStreams]] = {
    **dict.fromkeys((".xdf", ".xdfz", ".xdf.gz"), read_xdf_recording),
    ".ov": read_openvibe,
    **dict.fromkeys((".edf", ".bdf"), read_edf),
    ".gdf": read_gdf,
    ".vhdr": read_brainvision,
    **dict.fromkeys((".fif", ".fif.gz"), read_fif),
    ".set": read_eeglab,
    ".cnt": read_cnt,
}
"""Ours, by ending. Those of plug-ins are registered under ``bci.readers``; they read no file that one of ours reads."""


HEADERS = {".eeg": ".vhdr", ".vmrk": ".vhdr", ".fdt": ".set"}
"""Files that belong to another, which is the one to name."""
PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz")


def unknown_type(path: Path) -> RecordingError:
    """Make the error for a file that no reader knows.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    RecordingError
    """
    if path.suffix.lower() in PACKED:
        return RecordingError(f"{path}: is compressed; of compressed files only XDF and FIF in gzip can be read; unpack it first")
    header = path.with_suffix(HEADERS.get(path.suffix.lower(), path.suffix))
    if header != path:
        return RecordingError(
            f"{path}: is one part of a recording; give its header instead, {header.name}, which names this part"
        )
    return RecordingError(f"{path}: files of type {path.suffix!r} cannot be read; these can: {', '.join(endings())}")


STORED: dict[Callable[[Path], RecordedStreams], Callable[[Path, bool], RecordedStreams]] = {
    read_xdf_recording: read_xdf_recording,
    read_edf: read_edf,
    read_brainvision: read_brainvision,
}
"""Readers that can leave the samples in the file."""


def reader_of(path: Path) -> Callable[[Path], RecordedStreams] | None:
    """Find the function that reads files with such a name.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    callable or None
        None where there is none.

    Raises
    ------
    PluginError
        If the plug-in that reads such files cannot be imported.
    """
    whole, last = "".join(path.suffixes[-2:]).lower(), path.suffix.lower()
    ours = READERS.get(whole) or READERS.get(last)
    if ours or not last:
        return ours
    theirs = _of_plug_ins()
    name = theirs.get(whole) or theirs.get(last)
    found: Callable[[Path], RecordedStreams] | None = plugins.load(plugins.READERS, name) if name else None
    return found


def endings() -> tuple[str, ...]:
    """Endings of the files that can be read, sorted: ours and those of plug-ins."""
    return tuple(sorted({*READERS, *_of_plug_ins()}))


def _of_plug_ins() -> dict[str, str]:
    """Names of the readers of plug-ins, by ending."""
    return _registered(os.environ.get(plugins.FOLDERS, ""), tuple(sys.path))


@lru_cache(maxsize=1)
def _registered(folders: str, path: tuple[str, ...]) -> dict[str, str]:
    """The same; looked for again only if the places have changed where plug-ins are."""
    return {f".{name.lower()}": name for name in plugins.names(plugins.READERS)}
