"""A library: a folder of other people's past calibrations, which can be copied, read and cleaned with ordinary tools.

::

    LIBRARY/
      index.json                what the folder holds; written by a scan, never by hand
      P003-S001/                one session: pseudonym and session, letters and digits
        session.json            what its markers mean, unit, trial
        montage.toml            where one was needed
        run-001.xdf ...         its recordings, under names that say nothing
      cut/                      covariances of its trials, made again where missing

Names are pseudonyms throughout. What a recording's own header says about a person is not looked at: anonymise
recordings before they are shared.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bci.engine.chunk import window_grid
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import BciError, ConfigError, RecordingError, TrainingError
from bci.progress import Progress, silent
from bci.safe_io.json_values import from_json, parse
from bci.safe_io.regular_file import read_regular
from bci.settings import SessionConfig
from bci.stream.paths import label
from bci.training.alignment import covariances
from bci.training.epochs import impute_bad_channels, join
from bci.training.extraction import extract_epochs
from bci.training.labelled import LabelledRun, open_labelled
from bci.transfer.adapted_prior import DonorSession
from bci.transfer.session_folder import SESSION, Entry, SessionNote, check_copies, entry_of, read_note, recording_sums, runs_of

INDEX = "index.json"
CUT = "cut"
MOST_INDEX = 4 << 20
"""Bytes; a session takes less than ten thousand."""
LEAST_SHARED = 3
LEAST_SHARE = 0.5
"""Part of the newcomer's channels that a session must have to be of use."""


@dataclass(frozen=True, slots=True)
class Library:
    """A folder of past calibrations.

    Parameters
    ----------
    path : Path
    entries : tuple of Entry
        In order of name.
    """

    path: Path
    entries: tuple[Entry, ...]

    @classmethod
    def open(cls, path: Path | str) -> Library:
        """Read a library's index.

        Parameters
        ----------
        path : Path or str
            Folder of the library.

        Raises
        ------
        RecordingError
            If there is none, or it is damaged.
        """
        path = Path(path)
        try:
            value = parse(read_regular(path / INDEX, MOST_INDEX), INDEX)
            if not isinstance(value, dict):
                raise ConfigError(f"{INDEX}: must be an object")
            return cls(path, from_json(tuple[Entry, ...], value["entries"], INDEX))
        except FileNotFoundError:
            raise RecordingError(
                f"{path}: is not a library (it has no {INDEX}); make one with: bci library add FILE --library {path}"
            ) from None
        except (OSError, KeyError, ConfigError) as error:
            raise RecordingError(
                f"{path / INDEX}: unreadable ({error}); make it again with: bci library check {path} --scan"
            ) from error

    @classmethod
    def scan(cls, path: Path | str, progress: Progress = silent) -> Library:
        """Look at every session of the folder and rewrite the index; unchanged files are not read again.

        Parameters
        ----------
        path : Path or str
            Folder of the library.
        progress : Progress
            Told how far it is.

        Raises
        ------
        RecordingError
            If a session cannot be read.
        """
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        known = {e.name: e for e in cls.open(path).entries} if (path / INDEX).exists() else {}
        folders = sorted(f for f in path.iterdir() if (f / SESSION).is_file())
        entries = []
        for done, folder in enumerate(folders):
            progress(f"reading {folder.name}", done / len(folders))
            sums, note = recording_sums(folder), read_note(folder)
            old = known.get(folder.name)
            entries.append(old if old and (old.recordings, old.note) == (sums, note) else entry_of(folder, note, sums))
        found = cls(path, tuple(entries))
        text = json.dumps({"version": 1, "entries": [asdict(e) for e in found.entries]}, indent=1, allow_nan=False)
        partial = path / f"{INDEX}.part"
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path / INDEX)
        return found

    def add(
        self, files: Sequence[Path], subject: str, session: str, config: SessionConfig, progress: Progress = silent
    ) -> Library:
        """Copy a session's recordings in, and scan again.

        Parameters
        ----------
        files : sequence of Path
            In the order of the runs.
        subject, session : str
            Pseudonyms, letters and digits.
        config : SessionConfig
            Sections ``stream``, ``markers`` and ``trial`` say how they are read.
        progress : callable

        Raises
        ------
        ConfigError
            If the session is there already, or a name is no pseudonym.
        TrainingError
            If a recording holds no cue.
        RecordingError
            If a recording is made of several files, of which a library would hold one.
        """
        folder = self.path / f"{label('subject', subject)}-{label('session', session)}"
        if folder.exists():
            raise ConfigError(f"{folder}: is in the library already; choose another session label, or remove the folder")
        cues = [open_labelled(file, config).cues for file in files]
        montage = config.stream.montage
        note = SessionNote(
            subject,
            session,
            dict(config.markers.table),
            config.stream.query().words(),
            config.stream.unit,
            bool(montage),
            (config.trial.start_s, config.trial.stop_s),
            config.markers.stream,
            str(config.markers.field),
            config.markers.pattern,
        )
        partial = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for number, file in enumerate(files, 1):
            shutil.copyfile(file, partial / f"run-{number:03d}{file.suffix.lower()}")
        if montage:
            shutil.copyfile(montage, partial / "montage.toml")
        (partial / SESSION).write_text(json.dumps(asdict(note), indent=1), encoding="utf-8")
        try:
            check_copies(partial, note, files, cues)
        except BciError:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        partial.rename(folder)
        return Library.scan(self.path, progress)

    def check(self) -> list[str]:
        """Return one line for each file that differs from the index; empty if none does."""
        problems = []
        for entry in self.entries:
            folder = self.path / entry.name
            now = recording_sums(folder) if folder.is_dir() else {}
            problems += [f"{entry.name}/{name}: missing" for name in entry.recordings if name not in now]
            problems += [f"{entry.name}/{name}: changed" for name, sha in entry.recordings.items() if now.get(name, sha) != sha]
            problems += [f"{entry.name}/{name}: not in the index (scan again)" for name in now if name not in entry.recordings]
        listed = {e.name for e in self.entries}
        unknown = sorted(f.name for f in self.path.iterdir() if (f / SESSION).is_file() and f.name not in listed)
        return problems + [f"{name}: not in the index (scan again)" for name in unknown]

    def info(self) -> StreamInfo:
        """The stream of the first session; a new person without recordings is assumed to have the same.

        Raises
        ------
        TrainingError
            If the library is empty.
        """
        if not self.entries:
            raise TrainingError(
                f"{self.path}: the library is empty; add sessions with: bci library add FILE --library {self.path}"
            )
        first = self.entries[0]
        return runs_of(self.path / first.name, first.note)[0].info

    def runs(self, entry: Entry) -> list[LabelledRun]:
        """A session's recordings with their cues.

        Parameters
        ----------
        entry : Entry
            One of ``entries``.
        """
        return runs_of(self.path / entry.name, entry.note)

    def useful(self, labels: Sequence[str], classes: Sequence[str], exclude: str = "") -> tuple[Entry, ...]:
        """Return other people's sessions that have all classes and enough of the new person's channels.

        Parameters
        ----------
        labels : sequence of str
            Channels of the newcomer.
        classes : sequence of str
            Classes of the newcomer; none for whatever the sessions share.
        exclude : str
            The newcomer's own pseudonym.
        """
        least = max(LEAST_SHARED, LEAST_SHARE * len(labels))
        return tuple(
            e
            for e in self.entries
            if e.note.subject != exclude and set(classes) <= set(e.trials) and len(_shared(labels, [e])) >= least
        )

    def donors(
        self,
        entries: Sequence[Entry],
        wanted: Preprocessing,
        config: SessionConfig,
        classes: Sequence[str] = (),
        progress: Progress = silent,
    ) -> list[DonorSession]:
        """Cut the trials of sessions as in a live session, with the new person's bands, channels and window.

        Parameters
        ----------
        entries : sequence of Entry
        wanted : Preprocessing
            Of the newcomer. The sessions keep their own rate.
        config : SessionConfig
            Section ``quality``.
        classes : sequence of str
            Trials of other classes are left out; none for all.
        progress : callable
        """
        found = []
        for done, entry in enumerate(entries):
            progress(f"cutting {entry.name}", done / len(entries))
            donor = self._donor(entry, wanted, config)
            kept = np.isin(donor.labels, classes) if len(classes) else np.ones(len(donor.labels), dtype=np.bool_)
            found.append(DonorSession(donor.name, donor.matrices[kept], donor.labels[kept]))
        return found

    def _donor(self, entry: Entry, wanted: Preprocessing, config: SessionConfig) -> DonorSession:
        """One session's covariances, cut now or kept from before."""
        key = repr((sorted(entry.recordings.values()), entry.note, wanted, config.quality, config.continuity))
        kept = self.path / CUT / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
        if kept.exists():
            with np.load(kept, allow_pickle=False) as arrays:
                return DonorSession(entry.name, arrays["matrices"], arrays["labels"])
        runs = runs_of(self.path / entry.name, entry.note)
        window_s, hop_s = wanted.window / wanted.rate_hz, wanted.hop / wanted.rate_hz
        parts = []
        for number, run in enumerate(runs):
            rate_hz = run.info.rate_hz
            window, hop = window_grid(window_s, hop_s, rate_hz)
            own = Preprocessing(
                rate_hz, wanted.labels, wanted.reference, wanted.notch_hz, wanted.bands, wanted.order, window, hop
            )
            parts.append(
                extract_epochs(run.info, run.raw, run.cues, own, entry.note.trial_s[1], number, config.front(), marked=run.marked)
            )
        epochs = impute_bad_channels(join(parts), wanted.labels)
        matrices = covariances(epochs.windows)
        kept.parent.mkdir(exist_ok=True)
        partial = kept.with_suffix(".part")
        with partial.open("wb") as file:
            np.savez(file, matrices=matrices, labels=epochs.labels)
        os.replace(partial, kept)
        return DonorSession(entry.name, matrices, epochs.labels)


def shared_labels(labels: Sequence[str], entries: Sequence[Entry]) -> tuple[str, ...]:
    """The newcomer's channels that all of these sessions have, in the newcomer's order and spelling.

    Raises
    ------
    TrainingError
        If there are none to decode with.
    """
    found = _shared(labels, entries)
    if len(found) < LEAST_SHARED:
        raise TrainingError(
            f"the newcomer and the sessions {', '.join(e.name for e in entries)} share {len(found)} channels "
            f"({', '.join(found) or 'none'}), at least {LEAST_SHARED} are needed; leave out sessions with another montage"
        )
    return found


def _shared(labels: Sequence[str], entries: Sequence[Entry]) -> tuple[str, ...]:
    theirs = [{canonical(x) for x in e.labels} for e in entries]
    return tuple(x for x in labels if all(canonical(x) in own for own in theirs))
