"""Everything that a calibration report shows, computed from the recordings and the judgement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bci.engine.chunk import hop_chunks
from bci.engine.frontend import Frontend
from bci.engine.outcome import Reason
from bci.errors import ConfigError, ModelError, TrainingError
from bci.explore.epochs import around_cues, decodable
from bci.explore.exploration import Exploration, explore
from bci.judging.judgement import Judgement
from bci.judging.tuning import Tuning, tuning
from bci.model.file import Model
from bci.paradigm.timeline import CALIBRATION_TYPE
from bci.progress import Progress, silent
from bci.safe_io.json_values import from_json, parse
from bci.safe_io.regular_file import read_regular
from bci.settings import SessionConfig
from bci.stream import messages
from bci.stream.recording import RecordedStreams
from bci.training.labelled import LabelledRun, labelled, open_with

BEFORE_S, AFTER_S, REFERENCE_S = 2.0, 0.6, (-1.2, -0.3)
"""Epochs for looking at reach so far beyond the trial; power is compared with what it was in this interval."""
HIGHEST_HZ = 40.0
MOST_BYTES = 1 << 20
"""Of a judgement; one of 16 blocks takes some thousand."""
UNSEEN = (Reason.REFILL, Reason.BRIDGED, Reason.NONFINITE)


@dataclass(frozen=True, slots=True)
class ChannelQuality:
    """The quality of one channel over a whole recording.

    Parameters
    ----------
    label : str
    bad : float
        Share of the windows in which it was bad.
    faults : dict of str to float
        Share of each fault.
    used : bool
        Whether the decoder may use it.
    """

    label: str
    bad: float
    faults: dict[str, float]
    used: bool


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """The content of a report.

    Parameters
    ----------
    recordings : tuple of Path
    runs : tuple of LabelledRun
    config : SessionConfig
    judgement : Judgement
    notes : tuple of dict
        Notes of our own calibration: start, trials, verdicts, overruled; empty for other recordings.
    asked, kept : dict of str to int
        Trials of each class that were shown, and that count.
    reasons : dict of str to int
        Why trials do not count.
    channels : tuple of ChannelQuality
    exploration : Exploration or None
    tuning : Tuning
    missing : dict of str to str
        Why a part could not be found out.
    model : Model or None
    judged_anew : bool
        The judgement was not kept from the calibration.
    """

    recordings: tuple[Path, ...]
    runs: tuple[LabelledRun, ...]
    config: SessionConfig
    judgement: Judgement
    notes: tuple[dict[str, Any], ...]
    asked: dict[str, int]
    kept: dict[str, int]
    reasons: dict[str, int]
    channels: tuple[ChannelQuality, ...]
    exploration: Exploration | None
    tuning: Tuning
    missing: dict[str, str]
    model: Model | None = None
    judged_anew: bool = False


def judgement_path(recording: Path) -> Path:
    """Where the judgement of a calibration lies, beside its last recording.

    Parameters
    ----------
    recording : Path
        The last recording of the calibration.

    Returns
    -------
    Path
    """
    return recording.with_name(recording.stem + "_judgement.json")


def write_judgement(path: Path, judgement: Judgement) -> None:
    """Keep a judgement for later reports; the newest wins.

    Parameters
    ----------
    path : Path
    judgement : Judgement
    """
    path.write_text(judgement.to_json() + "\n", encoding="utf-8")


def read_judgement(path: Path) -> Judgement:
    """The judgement that :func:`write_judgement`, or ``bci judge --json``, wrote.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Judgement

    Raises
    ------
    ConfigError
        If the file is none.
    """
    try:
        value = parse(read_regular(path, MOST_BYTES), path.name)
    except (OSError, ConfigError) as error:
        raise ConfigError(f"{path}: is not a judgement ({error}); without it, the recording is judged again") from error
    if isinstance(value, dict):
        value.pop("line", None)
    return from_json(Judgement, value, path.name)


def gather(
    recordings: Sequence[Path],
    config: SessionConfig,
    judgement: Judgement,
    model: Model | None = None,
    judged_anew: bool = False,
    progress: Progress = silent,
    tuned: Tuning | None = None,
) -> Findings:
    """Compute everything that the report shows. What cannot be computed is left out, with the reason.

    Parameters
    ----------
    recordings : sequence of Path
        Of one calibration, in order.
    config : SessionConfig
        With the calibration's marker table.
    judgement : Judgement
    model : Model, optional
        That was trained on them.
    judged_anew : bool
    progress : callable
    tuned : Tuning, optional
        Where it was found out before.

    Returns
    -------
    Findings

    Raises
    ------
    TrainingError
        If a recording holds no cues.
    ModelError
        If the model was trained on other recordings.
    """
    opened = [open_with(path, config) for path in recordings]
    runs = tuple(labelled(recording, config) for recording in opened)
    if model is not None and not set(model.header.recordings) & {run.sha256 for run in runs}:
        raise ModelError(f"{model.path}: was trained on other recordings than {', '.join(run.name for run in runs)}")
    missing: dict[str, str] = {}
    progress("quality", 0.0)
    channels = channel_quality(runs, config)
    progress("features", 0.0)
    exploration = explored(runs, config, missing)
    sensitivity = tuned or tuning(runs, opened, config, judgement, progress)
    notes = tuple(note for recording in opened for note in _notes(recording))
    asked, kept, reasons = _counts(runs, notes, judgement)
    found = (notes, asked, kept, reasons, channels, exploration, sensitivity, missing)
    return Findings(tuple(recordings), runs, config, judgement, *found, model, judged_anew)


def channel_quality(runs: Sequence[LabelledRun], config: SessionConfig) -> tuple[ChannelQuality, ...]:
    """Share of the windows in which each EEG channel was bad, by the same checks that run live.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig

    Returns
    -------
    tuple of ChannelQuality
    """
    labels = runs[0].info.eeg_labels()
    everything = config.preprocessing.model_copy(
        update={"channels": (), "reference": "none", "bands": config.preprocessing.bands[:1]}
    )
    p = everything.build(runs[0].info.rate_hz, labels)
    faults, bad, seen = [Counter[str]() for _ in labels], np.zeros(len(labels)), 0
    for run in runs:
        frontend = Frontend(run.info, p, "scatter", config.quality, config.continuity)
        for piece in hop_chunks(run.raw, p.hop):
            for window in frontend.push(piece):
                if window.reason in UNSEEN:
                    continue
                seen += 1
                bad += window.bad[: len(labels)]
                for c in np.flatnonzero(window.bad[: len(labels)]):
                    faults[c][frontend.quality.why(int(c))] += 1
    used = config.preprocessing.channels or labels
    share = bad / max(1, seen)
    return tuple(
        ChannelQuality(label, float(share[i]), {f: n / max(1, seen) for f, n in faults[i].most_common()}, label in used)
        for i, label in enumerate(labels)
    )


def explored(runs: Sequence[LabelledRun], config: SessionConfig, missing: dict[str, str]) -> Exploration | None:
    """Spectra, r² and maps; without ERD/ERS where there is too little before the cues.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig
    missing : list of str
        Gets a sentence for what cannot be worked out.

    Returns
    -------
    Exploration or None
    """
    trial, rate_hz = config.trial, runs[0].info.rate_hz
    wanted = set(config.preprocessing.channels)
    if wanted:
        runs = [replace(run, info=_only(run, wanted)) for run in runs]
    cues = [decodable(run, config) for run in runs]
    band = (4.0, min(HIGHEST_HZ, 0.45 * rate_hz))
    window = (trial.start_s, trial.stop_s)
    segment_s = min(0.5, (trial.stop_s - trial.start_s) / 2)
    try:
        trials = around_cues(runs, -BEFORE_S, trial.stop_s + AFTER_S, cues=cues, continuity=config.continuity)
        return explore(trials, window, band, segment_s=segment_s, reference_s=REFERENCE_S)
    except (TrainingError, ConfigError) as error:
        missing["change"] = str(error)
    try:
        return explore(
            around_cues(runs, 0.0, trial.stop_s, cues=cues, continuity=config.continuity), window, band, segment_s=segment_s
        )
    except (TrainingError, ConfigError) as error:
        missing["features"] = str(error)
        return None


def _only(run: LabelledRun, wanted: set[str]) -> Any:
    """The stream with all channels but the wanted ones taken for something else than EEG, so that nobody looks at them."""
    channels = (c if c.label in wanted or c.type != "EEG" else replace(c, type="AUX") for c in run.info.channels)
    return replace(run.info, channels=tuple(channels))


def _notes(recording: RecordedStreams) -> list[dict[str, Any]]:
    """What our own calibration noted."""
    texts = [text for markers in recording.markers if markers.type == CALIBRATION_TYPE for text in markers.texts]
    return [messages.parse(text, recording.path.name) for text in texts]


def _counts(
    runs: Sequence[LabelledRun], notes: Sequence[dict[str, Any]], judgement: Judgement
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Trials asked for and kept of each class, and why others were not."""
    shown = [note for note in notes if note["kind"] == "trial"]
    asked = Counter(str(n["class"]) for n in shown) if shown else Counter(cue.class_ for run in runs for cue in run.cues)
    reasons = Counter(str(n["why"]) for n in shown if not n["kept"])
    reasons.update(text.rpartition(": ")[2] for text in judgement.rejected)
    classes = sorted(set(asked) | set(judgement.trials))
    return {c: asked[c] for c in classes}, {c: judgement.trials.get(c, 0) for c in classes}, dict(reasons.most_common())
