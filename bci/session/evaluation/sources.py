"""Where the recordings of an evaluation come from: files, a BIDS folder, or a MOABB data set."""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import ConfigError, RecordingError, TrainingError
from bci.session.epochs import Trial
from bci.session.training import LabelledRun, labelled, open_labelled
from bci.settings import SessionConfig
from bci.stream.readers import READERS, recording_from_mne
from bci.stream.recording import RecordedMarkers, Recording
from bci.stream.triggers import MarkerTable

ENTITIES = {"subject": "sub", "session": "ses", "run": "run", "task": "task"}
FILES = "recordings"
"""Data set that files belong to, unless they are all from one folder."""
HOW_TO_INSTALL = 'Install it with: pip install "bci[evaluate]"'


@dataclass(frozen=True, slots=True, eq=False)
class OpenedRun:
    """One recording with who and when.

    Parameters
    ----------
    data_set, subject, session, run : str
    labelled : LabelledRun
        Signal and cues.
    """

    data_set: str
    subject: str
    session: str
    run: str
    labelled: LabelledRun

    @property
    def identity(self) -> str:
        """SHA-256 of the signal, its stamps, its layout and its cues: what a result can depend on."""
        run = self.labelled
        digest = hashlib.sha256(repr((run.info, run.cues)).encode())
        digest.update(run.raw.data.tobytes())
        digest.update(run.raw.stamps.tobytes())
        return digest.hexdigest()


class Origin(Protocol):
    """Something that is read in one go and holds one or more runs. It travels to other processes."""

    @property
    def name(self) -> str:
        """For messages and progress."""
        ...

    def open(self, config: SessionConfig) -> list[OpenedRun]:
        """Read it.

        Raises
        ------
        TrainingError
            If no marker is a cue.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """One file of any format that is read here."""

    path: Path
    data_set: str
    subject: str
    session: str
    run: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def open(self, config: SessionConfig) -> list[OpenedRun]:
        """Read the file."""
        return [OpenedRun(self.data_set, self.subject, self.session, self.run, open_labelled(self.path, config))]


@dataclass(frozen=True, slots=True)
class BidsOrigin:
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
        """Read signal and events through mne-bids."""
        mne_bids = optional("mne_bids", "mne-bids", "A BIDS folder")
        where = mne_bids.get_bids_path_from_fname(self.path, verbose="ERROR")
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            try:
                raw = mne_bids.read_raw_bids(where, verbose="ERROR")
            except (ValueError, OSError, RuntimeError, LookupError) as error:
                raise RecordingError(f"{self.path}: mne-bids cannot read it ({type(error).__name__}: {error})") from error
        recording = recording_from_mne(raw, self.path)
        # What a trigger channel says stands in events.tsv too; it must not count twice.
        recording = with_settings(replace(recording, markers=recording.markers[:1]), config)
        run = labelled(recording, MarkerTable(config.markers.table), config.stream.name)
        return [OpenedRun(self.root.name, self.subject, self.session, self.run, run)]


@dataclass(frozen=True, slots=True)
class MoabbOrigin:
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
        """Fetch (on first use) and read this person's runs."""
        data_set = moabb_data_set(self.spec)
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            sessions = data_set.get_data(subjects=[self.subject])[self.subject]
        shift_s = float(data_set.interval[0])
        table = MarkerTable(config.markers.table or {name: name for name in data_set.event_id})
        found = []
        for session, runs in sessions.items():
            for run, raw in runs.items():
                path = Path(f"{self.spec} subject {self.subject} session {session} run {run}")
                recording = with_settings(_named_events(recording_from_mne(raw, path), data_set.event_id), config)
                one = labelled(recording, table, config.stream.name)
                cues = tuple(replace(cue, time_s=cue.time_s + shift_s) for cue in one.cues)
                opened = replace(one, name=str(path), cues=cues)
                found.append(OpenedRun(str(data_set.code), str(self.subject), str(session), str(run), opened))
        return found


def with_settings(recording: Recording, config: SessionConfig) -> Recording:
    """The recording with the montage and the unit of the section ``stream``, as ``open_with`` does it for files."""
    from bci.stream.montage import Montage, load_montage

    montage = load_montage(config.stream.montage) if config.stream.montage else None
    if config.stream.unit:
        montage = replace(montage or Montage(), unit=config.stream.unit)
    return replace(recording, montage=montage)


def _named_events(recording: Recording, codes: Mapping[str, int]) -> Recording:
    """One stream of markers with the data set's event names: its annotations, or else its trigger channel's codes."""
    annotations, *triggers = recording.markers
    if any(text in codes for text in annotations.texts):
        return replace(recording, markers=(annotations,))
    names = {str(code): name for name, code in codes.items()}
    renamed = [RecordedMarkers(m.name, tuple(names.get(text, text) for text in m.texts), m.stamps, m.offset_s) for m in triggers]
    return replace(recording, markers=tuple(renamed))


def moabb_data_set(spec: str) -> Any:
    """The MOABB data set that a text names, with its keyword arguments.

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


def optional(module: str, package: str, what: str) -> ModuleType:
    """Import what only evaluation needs.

    Raises
    ------
    ConfigError
        If it is not installed; says how to.
    """
    from importlib import import_module

    try:
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            return import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{what} needs the package {package}, which is not installed. {HOW_TO_INSTALL}") from error


def find_origins(inputs: Sequence[Path], pattern: str = "", moabb: Sequence[str] = ()) -> list[Origin]:
    """Everything that the command line names.

    Parameters
    ----------
    inputs : sequence of Path
        Files, folders of files, BIDS folders.
    pattern : str
        How file names say who and when: ``"{subject}_RUN{run}"``. Empty: BIDS entities (``sub-``, ``ses-``, ``run-``).
    moabb : sequence of str
        Data sets by name.

    Raises
    ------
    ConfigError
        If nothing is found, or a file name does not say whose it is.
    """
    origins: list[Origin] = []
    plain = [path for path in inputs if not (path / "dataset_description.json").is_file()]
    data_set = plain[0].resolve().name if len(plain) == 1 and plain[0].is_dir() else FILES
    for path in inputs:
        if (path / "dataset_description.json").is_file():
            origins += _bids(path)
        else:
            origins += [_file(p, data_set, pattern) for p in files_of([path])]
    for spec in moabb:
        origins += [MoabbOrigin(spec, int(subject)) for subject in moabb_data_set(spec).subject_list]
    if not origins:
        raise ConfigError("no recording is named: give files, folders, a BIDS folder, or --moabb NAME")
    return origins


def files_of(inputs: Iterable[Path]) -> list[Path]:
    """Files, and those in folders that can be read, in order of name.

    Raises
    ------
    ConfigError
        If a folder holds none.
    """
    found: list[Path] = []
    for path in inputs:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in READERS)
        if not inside:
            raise ConfigError(f"{path}: holds no file of a known type ({', '.join(sorted(READERS))})")
        found += inside
    return found


def _file(path: Path, data_set: str, pattern: str) -> FileOrigin:
    names = names_in(path, pattern)
    return FileOrigin(path.absolute(), data_set, names["subject"], names.get("session", "1"), names.get("run", path.stem))


def names_in(path: Path, pattern: str = "") -> dict[str, str]:
    """Subject, session, run and task, as far as the path says.

    Parameters
    ----------
    path : Path
    pattern : str
        ``{subject}``, ``{session}``, ``{run}`` and ``{task}`` stand for letters, digits and hyphens.

    Raises
    ------
    ConfigError
        If the path does not say whose it is.

    >>> names_in(Path("S03/S03_RUN1.edf"), "{subject}_RUN{run}")
    {'subject': 'S03', 'run': '1'}
    >>> names_in(Path("sub-P003_ses-2_task-mi_run-001_eeg.xdf"))
    {'subject': 'P003', 'session': '2', 'run': '001', 'task': 'mi'}
    """
    text = path.as_posix()
    if pattern:
        match = re.search(_expression(pattern) + r"(?![A-Za-z0-9])", text)
        if not match:
            raise ConfigError(f"{path}: does not fit --pattern {pattern!r}")
        return {"subject": "1"} | match.groupdict()
    found = {}
    for name, entity in ENTITIES.items():
        entities = re.findall(rf"(?:^|[/_]){entity}-([A-Za-z0-9]+)", text)
        if entities:
            found[name] = entities[-1]
    if "subject" not in found:
        raise ConfigError(
            f"{path}: the name does not say whose recording it is. Name it as BIDS does (sub-P003_ses-1_task-mi_run-1_eeg.xdf), "
            "or say how to read the name: --pattern '{subject}_RUN{run}'; --pattern '{run}' where all are of one person."
        )
    return found


def _expression(pattern: str) -> str:
    """The regular expression that a pattern stands for; a name that comes again must be the same."""
    parts = re.split(r"\{(\w+)\}", pattern)
    wrong = [name for name in parts[1::2] if name not in ENTITIES]
    if wrong or len(parts) == 1:
        raise ConfigError(f"--pattern {pattern!r}: must hold at least one of {', '.join(f'{{{n}}}' for n in ENTITIES)}")
    text = ""
    for i, part in enumerate(parts):
        if i % 2 == 0:
            text += re.escape(part)
        else:
            text += f"(?P={part})" if f"(?P<{part}>" in text else f"(?P<{part}>[A-Za-z0-9-]+?)"
    return r"(?:^|(?<=[^A-Za-z0-9]))" + text if not parts[0] else text


def _bids(root: Path) -> list[BidsOrigin]:
    """All EEG recordings of a BIDS folder."""
    mne_bids = optional("mne_bids", "mne-bids", "A BIDS folder")
    paths = mne_bids.find_matching_paths(root, suffixes="eeg", datatypes="eeg", extensions=[".edf", ".vhdr", ".bdf", ".set"])
    if not paths:
        raise ConfigError(f"{root}: is a BIDS folder without EEG recordings (EDF, BrainVision, BDF or EEGLAB)")
    found = [BidsOrigin(Path(p.fpath).absolute(), root.resolve(), p.subject, p.session or "1", p.run or "1") for p in paths]
    return sorted(found, key=lambda o: o.path.as_posix())


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What must be known of a run before anything is computed.

    Parameters
    ----------
    origin : Origin
    number : int
        Which run of the origin.
    data_set, subject, session, run, identity : str
    info : StreamInfo
    cues : dict of str to int
        How many of each class.
    """

    origin: Origin
    number: int
    data_set: str
    subject: str
    session: str
    run: str
    identity: str
    info: StreamInfo
    cues: dict[str, int]


def scan(origin: Origin, config: SessionConfig) -> list[RunFacts]:
    """Read an origin and say what it holds; nothing where it has no cue."""
    try:
        opened = origin.open(config)
    except TrainingError:
        return []
    return [
        RunFacts(
            origin, i, r.data_set, r.subject, r.session, r.run, r.identity, r.labelled.info, _counts(r.labelled.cues)
        )
        for i, r in enumerate(opened)
    ]  # fmt: skip


def _counts(cues: Iterable[Trial]) -> dict[str, int]:
    return dict(sorted(Counter(cue.class_ for cue in cues).items()))


def shared_labels(facts: Sequence[RunFacts]) -> tuple[str, ...]:
    """EEG channels that every run has, as the first names them.

    Raises
    ------
    ConfigError
        If there are none, or the rates differ.
    """
    rates = sorted({f.info.rate_hz for f in facts})
    if len(rates) > 1:
        which = "; ".join(f"{r:g} Hz: {next(f.origin.name for f in facts if f.info.rate_hz == r)}" for r in rates)
        raise ConfigError(f"the recordings have different rates ({which}); evaluate each rate on its own")
    everywhere = set.intersection(*({canonical(c.label) for c in f.info.channels if c.type == "EEG"} for f in facts))
    labels = tuple(c.label for c in facts[0].info.channels if c.type == "EEG" and canonical(c.label) in everywhere)
    if not labels:
        raise ConfigError("the recordings have no EEG channel in common; name channels alike in a montage file (stream.montage)")
    return labels
