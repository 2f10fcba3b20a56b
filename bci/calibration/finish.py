"""From the recordings of a calibration to its model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bci.calibration.interfaces import Calibrated
from bci.errors import TrainingError
from bci.judging.best_fit import fit_best
from bci.judging.judgement import Judgement
from bci.judging.tuning import Tuning, tuned, tuning
from bci.model.file import load_model
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.fit import MIN_TRIALS, MIN_TRIALS_OF_A_CLASS
from bci.training.labelled import LabelledRun, labelled, open_with
from bci.training.train import write_model


@dataclass(frozen=True, slots=True)
class Finished:
    """The files that a calibration wrote.

    Parameters
    ----------
    model : Path
    report : Path or None
    thresholds : str
        How sensitive it is set, and what that was measured to give.
    head_start : HeadStarted or None
        With a library.
    """

    model: Path
    report: Path | None
    thresholds: str
    head_start: HeadStarted | None = None


@dataclass(frozen=True, slots=True)
class HeadStarted:
    """A second model, which also uses other people's calibrations.

    Parameters
    ----------
    model : Path
    accuracy : float
        Own trials, held out in blocks, that it decoded rightly.
    donors : int
        Sessions of others that took part.
    """

    model: Path
    accuracy: float
    donors: int


def check_counts(calibrated: Calibrated) -> None:
    """Refuse a calibration with too few trials that count.

    Parameters
    ----------
    calibrated : Calibrated

    Raises
    ------
    TrainingError
        With the trials of each class.
    """
    kept = calibrated.kept
    listing = ", ".join(f"{c}: {n}" for c, n in kept.items())
    if sum(kept.values()) < MIN_TRIALS or min(kept.values()) < MIN_TRIALS_OF_A_CLASS:
        raise TrainingError(
            f"no model: too few trials that count ({listing}; {calibrated.rejected} rejected); at least {MIN_TRIALS} are needed, "
            f"and {MIN_TRIALS_OF_A_CLASS} of each class. Continue with bci calibrate --resume"
        )


def finish(
    calibrated: Calibrated,
    judgement: Judgement,
    progress: Progress = silent,
    report: bool = True,
    false_per_min: float | None = None,
    library: Path | None = None,
) -> Finished:
    """Fit the chosen decoder to all trials that count; write model, judgement and report beside the last recording.

    Parameters
    ----------
    calibrated : Calibrated
    judgement : Judgement
        The last one.
    progress : callable
    report : bool
        Whether to write one.
    false_per_min : float, optional
        False activations per minute of idle that are allowed, see :func:`bci.judging.tuning.tuning`.
    library : Path, optional
        Other people's calibrations: a second model starts from them (:mod:`bci.transfer`).

    Returns
    -------
    Finished

    Raises
    ------
    TrainingError
        If the trials do not allow a decoder to be fitted.
    """
    check_counts(calibrated)
    config, last = calibrated.config, calibrated.recordings[-1]
    opened = [open_with(path, config) for path in calibrated.recordings]
    runs = [labelled(recording, config) for recording in opened]
    trained = fit_best(runs, config, judgement.best, judgement, progress)
    progress("thresholds", 0.0)
    sensitivity = tuning(runs, opened, config, judgement, progress, false_per_min)
    model = last.with_name(last.stem + "_model.safetensors")
    write_model(model, tuned(trained, sensitivity, config), config)
    started = None if library is None else _head_start(library, runs, config, last)
    told = _report(calibrated, judgement, model, sensitivity, progress) if report else None
    return Finished(model, told, sensitivity.line(), started)


def _head_start(path: Path, runs: list[LabelledRun], config: SessionConfig, last: Path) -> HeadStarted:
    """The model that others' calibrations help."""
    # Most calibrations have no library, and this loads much.
    from bci.transfer.library import Library
    from bci.transfer.training import head_start

    found = head_start(Library.open(path), runs, runs[0].info, config, exclude=config.record.subject)
    accuracy = found.correct / len(found.trained.epochs.labels)
    model = last.with_name(last.stem + "_headstart.safetensors")
    write_model(model, found.trained, config, accuracy)
    return HeadStarted(model, accuracy, len(found.donors))


def _report(calibrated: Calibrated, judgement: Judgement, model: Path, sensitivity: Tuning, progress: Progress) -> Path:
    """Everything on one page, and the judgement for later ones."""
    # Drawing is heavy, and nobody who only calibrates needs it.
    from bci.calibration.findings import gather, judgement_path, write_judgement
    from bci.calibration.report import report_path, write_report

    last = calibrated.recordings[-1]
    write_judgement(judgement_path(last), judgement)
    progress("report", 0.0)
    findings = gather(
        calibrated.recordings, calibrated.config, judgement, load_model(model), progress=progress, tuned=sensitivity
    )
    return write_report(report_path(last), findings)
