"""From the recordings of a calibration to its model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bci.errors import TrainingError
from bci.session.calibration.shapes import Calibrated
from bci.session.fit import MIN_TRIALS, MIN_TRIALS_OF_A_CLASS
from bci.session.judging.judge import Judgement, fit_best
from bci.session.model import load_model
from bci.session.progress import Progress, silent
from bci.session.training import open_labelled, write_model


@dataclass(frozen=True, slots=True)
class Finished:
    """What a calibration left.

    Parameters
    ----------
    model : Path
    report : Path or None
    """

    model: Path
    report: Path | None


def check_counts(calibrated: Calibrated) -> None:
    """Refuse to fit what cannot be fitted.

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
            f"and {MIN_TRIALS_OF_A_CLASS} of each class. Go on with bci calibrate --resume"
        )


def finish(calibrated: Calibrated, judgement: Judgement, progress: Progress = silent, report: bool = True) -> Finished:
    """Fit what the judge chose on all trials that count; model, judgement and report lie beside the last recording.

    Parameters
    ----------
    calibrated : Calibrated
    judgement : Judgement
        The last one.
    progress : callable
    report : bool
        Whether to write one.

    Raises
    ------
    TrainingError
        If the trials do not allow a decoder to be fitted.
    """
    check_counts(calibrated)
    config, last = calibrated.config, calibrated.recordings[-1]
    runs = [open_labelled(path, config) for path in calibrated.recordings]
    trained = fit_best(runs, config, judgement.best, judgement, progress)
    model = last.with_name(last.stem + "_model.safetensors")
    write_model(model, trained, config)
    return Finished(model, _report(calibrated, judgement, model, progress) if report else None)


def _report(calibrated: Calibrated, judgement: Judgement, model: Path, progress: Progress) -> Path:
    """Everything on one page, and the judgement for later ones."""
    # Drawing is heavy, and nobody who only calibrates needs it.
    from bci.session.calibration.findings import gather, judgement_path, write_judgement
    from bci.session.calibration.report import report_path, write_report

    last = calibrated.recordings[-1]
    write_judgement(judgement_path(last), judgement)
    progress("report", 0.0)
    findings = gather(calibrated.recordings, calibrated.config, judgement, load_model(model), progress=progress)
    return write_report(report_path(last), findings)
