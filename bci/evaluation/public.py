"""Data sets as others publish them: BIDS folders, and whatever MOABB knows by name."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bci.errors import ConfigError
from bci.evaluation.data_source import NotHere, OpenedRun
from bci.plugins import optional
from bci.settings import SessionConfig
from bci.stream.files.mne_raw import recording_from_mne
from bci.stream.recording import RecordedStreams
from bci.training.labelled import labelled, of_tables, open_bids, with_settings


@dataclass(frozen=True, slots=True)
class BidsSource:
    """One recording of a BIDS folder, with the events that its ``events.tsv`` holds."""

    path: Path
    root: Path
    subject: str
    session: str
    run: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def open(self, config: SessionConfig) -> list[OpenedRun]:
        """Read signal and events through mne-bids.

        Parameters
        ----------
        config : SessionConfig

        Returns
        -------
        list of OpenedRun
        """
        run = open_bids(self.path, config)
        return [OpenedRun(self.root.name, self.subject, self.session, self.run, run)]


def bids_origin(path: Path, root: Path) -> BidsSource:
    """One recording of a BIDS folder by its own path.

    Parameters
    ----------
    path : Path
        Of the recording.
    root : Path
        Folder of the data set.

    Returns
    -------
    BidsSource
    """
    found = dict(re.findall(r"(?:^|_)(sub|ses|run)-([A-Za-z0-9]+)", path.name))
    return BidsSource(path.absolute(), root, found.get("sub", "1"), found.get("ses", "1"), found.get("run", "1"))


def bids_sources(root: Path) -> list[BidsSource]:
    """All EEG recordings of a BIDS folder.

    Parameters
    ----------
    root : Path
        Folder of the data set.

    Returns
    -------
    list of BidsSource
    """
    mne_bids = optional("mne_bids", "mne-bids", "A BIDS folder")
    paths = mne_bids.find_matching_paths(root, suffixes="eeg", datatypes="eeg", extensions=[".edf", ".vhdr", ".bdf", ".set"])
    if not paths:
        raise ConfigError(f"{root}: is a BIDS folder without EEG recordings (EDF, BrainVision, BDF or EEGLAB)")
    found = [BidsSource(Path(p.fpath).absolute(), root.resolve(), p.subject, p.session or "1", p.run or "1") for p in paths]
    return sorted(found, key=lambda o: o.path.as_posix())


@dataclass(frozen=True, slots=True)
class MoabbSource:
    """All runs of one person of a MOABB data set.

    Parameters
    ----------
    spec : str
        Name as ``moabb.datasets`` has it, with keyword arguments where wanted: ``"PhysionetMI(executed=True)"``.
    subject : int
    """

    spec: str
    subject: int

    @property
    def name(self) -> str:
        """Data set and person."""
        return f"{self.spec}, person {self.subject}"

    def open(self, config: SessionConfig) -> list[OpenedRun]:
        """Fetch (on first use) and read this person's runs.

        Parameters
        ----------
        config : SessionConfig

        Returns
        -------
        list of OpenedRun
        """
        data_set = moabb_data_set(self.spec)
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            try:
                sessions = data_set.get_data(subjects=[self.subject])[self.subject]
            except OSError as error:  # whatever loses the network is one, and so is a full or read-only disk
                raise NotHere(f"cannot be fetched ({_first_words(error)})") from error
        shift_s = float(data_set.interval[0])
        table = config.markers.table or {name: name for name in data_set.event_id}
        found = []
        for session, runs in sessions.items():
            for run, raw in runs.items():
                path = Path(f"{self.spec} subject {self.subject} session {session} run {run}")
                recording = with_settings(_named_events(recording_from_mne(raw, path), data_set.event_id), config)
                one = labelled(recording, of_tables(config), table)
                cues = tuple(replace(cue, time_s=cue.time_s + shift_s) for cue in one.cues)
                opened = replace(one, name=str(path), cues=cues)
                found.append(OpenedRun(str(data_set.code), str(self.subject), str(session), str(run), opened))
        return found


def _first_words(error: Exception) -> str:
    """What went wrong, without the addresses that were tried."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"


def _named_events(recording: RecordedStreams, codes: Mapping[str, int]) -> RecordedStreams:
    """One stream of markers with the data set's event names: its annotations, or else its trigger channel's codes."""
    annotations, *triggers = recording.markers
    if any(text in codes for text in annotations.texts):
        return replace(recording, markers=(annotations,))
    names = {str(code): name for name, code in codes.items()}
    renamed = [replace(m, texts=tuple(names.get(text, text) for text in m.texts)) for m in triggers]
    return replace(recording, markers=tuple(renamed))


def moabb_data_set(spec: str) -> Any:
    """The MOABB data set that a text names, with its keyword arguments.

    Parameters
    ----------
    spec : str
        For instance ``BNCI2014_001`` or ``BNCI2014_001(subjects=2)``.

    Returns
    -------
    object

    Raises
    ------
    ConfigError
        If there is none of that name, or the arguments are no literals.
    """
    module = optional("moabb.datasets", "moabb", "A data set by name")
    name, arguments = _call(spec)
    if not isinstance(getattr(module, name, None), type):
        from difflib import get_close_matches

        near = get_close_matches(name, dir(module), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "moabb.datasets lists them."
        raise ConfigError(f"--moabb {spec}: MOABB has no data set of that name; {hint}")
    try:
        return getattr(module, name)(**arguments)
    except TypeError as error:
        raise ConfigError(f"--moabb {spec}: {error}") from error


def _call(spec: str) -> tuple[str, dict[str, Any]]:
    """Name and literal keyword arguments of ``Name`` or ``Name(a=1, b=True)``.

    >>> _call("FakeDataset(seed=1)")
    ('FakeDataset', {'seed': 1})
    """
    how = f'--moabb {spec}: must be a name, or a name with keyword arguments such as "FakeDataset(seed=1)"'
    try:
        tree = ast.parse(spec.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return tree.id, {}
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and not tree.args:
            return tree.func.id, {str(k.arg): ast.literal_eval(k.value) for k in tree.keywords if k.arg}
    except (SyntaxError, ValueError) as error:
        raise ConfigError(how) from error
    raise ConfigError(how)
