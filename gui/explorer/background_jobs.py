"""The explorer's background jobs: read recordings, analyse trials, and judge selections as a calibration is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bci import plugins
from bci.calibration.report import parts_of
from bci.config import load_config
from bci.errors import ConfigError, TrainingError
from bci.explore.epochs import Around, around_cues, decodable
from bci.explore.exploration import explore
from bci.explore.spectra import welch
from bci.explore.time_frequency import Erds, erds
from bci.judging.fits import Fits
from bci.judging.judge import enough, judge
from bci.judging.nested import OutOfFold, cross_val_predict, nested
from bci.judging.settings import JudgeSettings
from bci.judging.trials import Trials, cut_trials
from bci.model.family import load_family
from bci.paradigm.cues import CueEvent
from bci.paradigm.timeline import CLASS_CODES, cue_code
from bci.progress import Progress
from bci.settings import SessionConfig
from bci.stream.recording import RecordedStreams
from bci.training.chance import interval
from bci.training.labelled import LabelledRun, notes_of, open_labelled, open_with
from gui.explorer.selection import Selection
from gui.explorer.values import ClassDifferences, Estimate, ExplorerRecordings, JudgedSelection
from gui.history import growing
from gui.stream_connector import located

PRESET = "motor-imagery"
BEFORE_S, AFTER_S = 2.0, 0.8
REFERENCE_S = (-1.0, -0.2)
LOWEST_HZ, HIGHEST_HZ = 4.0, 40.0
ERDS_FROM_HZ, ERDS_STEP_HZ = 8.0, 2.0
PERMUTATIONS = 499


class ExplorerJobs:
    """The jobs of the background process. It keeps all results until other recordings are opened."""

    def __init__(self) -> None:
        self._runs: list[LabelledRun] = []
        self._config = SessionConfig()
        self._judged: dict[Selection, tuple[Trials, OutOfFold]] = {}
        self._trials: dict[object, Trials] = {}
        self._whole: list[tuple[CueEvent, ...]] = []

    def open(self, places: Sequence[Path], config_file: str, progress: Progress) -> ExplorerRecordings:
        """Read recordings of one person, or all recordings of a calibration.

        Parameters
        ----------
        places : sequence of Path
            Recordings, in order, or folders with a calibration in them. The configuration of the first one holds.
        config_file : str
            For what is no calibration of ours; empty: the preset for motor imagery.
        progress : callable
        """
        progress("reading", 0.0)
        base = load_config(config_file or None, preset=None if config_file else PRESET)
        parts = [parts_of(place, base) for place in places]
        paths, config = [path for found, _, _ in parts for path in found], parts[0][1]
        opened = [open_with(path, config) for path in paths]
        table = config.markers.table or guessed_table(opened)
        self._config = config.model_copy(update={"markers": config.markers.model_copy(update={"table": table})})
        self._runs = [open_labelled(path, self._config, recording) for path, recording in zip(paths, opened, strict=True)]
        self._judged, self._trials, self._whole = {}, {}, []
        first = self._runs[0]
        counts: dict[str, int] = {}
        for cue in (cue for run in self._runs for cue in run.cues):
            counts[cue.class_] = counts.get(cue.class_, 0) + 1
        return ExplorerRecordings(
            tuple(paths),
            located(first.info),
            dict(sorted(counts.items())),
            self._config,
            plugins.names(plugins.DECODERS),
            sum(path.stat().st_size for path in paths),
            notes_of(self._runs),
        )

    def prepare(self, places: Sequence[Path], config_file: str, progress: Progress) -> None:
        """Do as :meth:`open`, and load the modules that training needs, so that the first training does not wait for them.

        Parameters
        ----------
        places : sequence of Path
            x to the right and y to the front, 1 at the rim of the head.
        config_file : str
            Configuration file; empty: the preset.
        progress : callable
            Takes a description, and the share that is done.
        """
        self.open(places, config_file, progress)
        load_family(self._config.decoder.name, dict(self._config.decoder.settings))

    def grown(self, place: Path, source_id: str, size: int, progress: Progress) -> Path | None:
        """Return the recording of a live session if it is another one, or larger, than the one that was read.

        Parameters
        ----------
        place : Path
            The growing recording, or a folder that it is in.
        source_id : str
            Of the signal, by which it is found in a folder.
        size : int
            Bytes that were read last.
        """
        path = place if place.is_file() else growing(place, source_id)
        return path if path is not None and path.stat().st_size != size else None

    def look(self, selection: Selection, progress: Progress) -> ClassDifferences:
        """Compute spectra, r² and connectivity in the time window of a selection.

        Parameters
        ----------
        selection : Selection
        progress : callable
            Takes a description, and the share that is done.
        """
        progress("computing what tells the trials apart", 0.2)
        window = (selection.start_s, selection.stop_s)
        around = self._around(0.0, selection.stop_s, selection)
        segment_s = min(1.0, (window[1] - window[0]) / 2)  # three half-overlapping ones fit
        band = (LOWEST_HZ, min(HIGHEST_HZ, 0.45 * around.rate_hz))
        spectra = welch(around.between(*window), around.rate_hz, segment_s).between(*band)
        progress("permuting labels", 0.5)
        found = explore(around, window, band, segment_s=segment_s, n_permutations=PERMUTATIONS)
        return ClassDifferences(found, spectra, around.labels, around.blocks, around.left_out)

    def change(self, selection: Selection, progress: Progress) -> dict[str, Erds]:
        """Compute ERD/ERS of each class, for all channels.

        Parameters
        ----------
        selection : Selection
        progress : callable
            Takes a description, and the share that is done.
        """
        around = self._around(-BEFORE_S, selection.stop_s + AFTER_S, selection)
        freqs = np.arange(ERDS_FROM_HZ, min(HIGHEST_HZ, 0.45 * around.rate_hz) + 1e-9, ERDS_STEP_HZ)
        classes = sorted(set(around.labels.tolist()))
        found = {}
        for done, class_ in enumerate(classes):
            progress(f"ERD/ERS of {class_}", done / len(classes))
            own = around.epochs[around.labels == class_]
            found[class_] = erds(own, around.rate_hz, around.start_s, REFERENCE_S, freqs, step_s=0.1, n_permutations=199)
        return found

    def judge(self, selection: Selection, progress: Progress) -> JudgedSelection:
        """Train and cross-validate one selection, and estimate what choosing the best selection so far is worth.

        Parameters
        ----------
        selection : Selection
        progress : callable
            Takes a description, and the share that is done.
        """
        trials, answers = self._answers(selection, progress)
        _, candidate = selection.configured(self._config, self._runs[0].info)
        self._judged[selection] = trials, answers
        right = int((answers.outer.argmax(axis=1) == trials.codes).sum())
        own = _estimate(right, trials, candidate.name)
        return JudgedSelection(selection, own, self._among(trials))

    def honest(self, progress: Progress) -> Estimate:
        """Judge without a selection: decoder, band, window and channels are chosen again inside each fold (``bci judge``).

        Parameters
        ----------
        progress : callable
            Takes a description, and the share that is done.
        """
        found = judge(self._runs, self._config, settings=JudgeSettings(looks=1), progress=progress)
        v = found.verdict
        return Estimate(v.accuracy, v.low, v.high, v.chance, sum(found.trials.values()), found.best.name)

    def _answers(self, selection: Selection, progress: Progress) -> tuple[Trials, OutOfFold]:
        """Cut the trials of this selection, and predict each with models that were trained without it."""
        if selection in self._judged:
            return self._judged[selection]
        config, candidate = selection.configured(self._config, self._runs[0].info)
        key = (candidate.channels, candidate.bands, candidate.start_s, candidate.stop_s, selection.reference)
        if key not in self._trials:
            runs = [_narrowed(run, candidate.channels) for run in self._runs]
            self._trials = {key: cut_trials(runs, config, candidate.bands, JudgeSettings(), progress)}
        trials = self._trials[key]
        if not enough(trials):
            counts = ", ".join(f"{c}: {n}" for c, n in trials.counts.items()) or "none"
            raise TrainingError(f"too few complete trials for cross-validation ({counts}; {len(trials.rejected)} left out)")
        progress(f"training {candidate.name}", 0.5)
        return trials, cross_val_predict(Fits(trials), candidate)

    def _among(self, trials: Trials) -> Estimate | None:
        """Estimate, by nested cross-validation, the choice among the selections that were judged on the same trials."""
        same = [(t, a) for t, a in self._judged.values() if np.array_equal(t.times_s, trials.times_s)]
        if len(same) < 2:
            return None
        found = nested([a for _, a in same], trials.codes, trials.folds)
        return Estimate(found.accuracy, found.low, found.high, trials.chance, len(trials), f"choice among {len(same)}")

    def _around(self, start_s: float, stop_s: float, selection: Selection) -> Around:
        if not self._whole:
            self._whole = [decodable(run, self._config) for run in self._runs]
        reference = selection.reference == "average"
        return around_cues(self._runs, start_s, stop_s, "average" if reference else "none", self._whole, self._config.continuity)


def guessed_table(recordings: Sequence[RecordedStreams]) -> dict[str, str]:
    """Return the class of each marker that is a cue by its number or name, for recordings without a table of markers.

    Parameters
    ----------
    recordings : sequence of RecordedStreams

    Raises
    ------
    ConfigError
        If there is none.
    """
    names = {code: name for name, code in CLASS_CODES.items()}
    texts = {text for recording in recordings for markers in recording.markers for text in markers.texts}
    table = {text: names[code] for text in sorted(texts) if (code := cue_code(text)) in names}
    if not table:
        shown = ", ".join(repr(text) for text in sorted(texts)[:12]) or "none"
        raise ConfigError(
            f"no marker is a cue of the General Data Format (769, 770 …); the recording holds {shown}. "
            "Open it with a configuration file that has a [markers.table]."
        )
    return table


def _narrowed(run: LabelledRun, channels: tuple[str, ...]) -> LabelledRun:
    """Return the run with all other EEG channels as auxiliary ones, neither checked nor part of a reference."""
    shown = tuple(c if c.label in channels or c.type != "EEG" else replace(c, type="AUX") for c in run.info.channels)
    return replace(run, info=replace(run.info, channels=shown))


def _estimate(right: int, trials: Trials, name: str) -> Estimate:
    low, high = interval(right, len(trials))
    return Estimate(right / len(trials), low, high, trials.chance, len(trials), name)
