"""The report of a calibration: one HTML page without other files, the verdict first, then the evidence."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from bci.calibration import report_figures as figures
from bci.calibration.findings import Findings, gather, judgement_path, read_judgement
from bci.calibration.history import calibration_of, find_recordings, protocol_of, read_history
from bci.calibration.judge import judge_settings
from bci.calibration.report_parts import PARTS
from bci.errors import ConfigError
from bci.judging.candidates import grid_for
from bci.judging.judge import judge
from bci.judging.judgement import Judgement
from bci.judging.settings import JudgeSettings
from bci.model.file import Model, load_model
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.labelled import open_labelled

TITLE = "Calibration report"
CSS = """
body { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: #22303c; background: #fff; }
#filter-by-tags-dropdown-menu, #top-bar img, .accordion-button .badge { display: none !important; }
#top-bar { background: #fff !important; box-shadow: none !important; border-bottom: 1px solid #d5dbe0; }
.accordion-item { border: 0; border-bottom: 1px solid #e4e8ec; }
.accordion-button, .accordion-button:not(.collapsed) { background: #fff; box-shadow: none; font-size: 1.15rem; font-weight: 600; }
.accordion-button a { color: #22303c !important; }
.accordion-body { max-width: 900px; padding-bottom: 1.6rem; line-height: 1.5; }
.verdict { font-size: 2rem; font-weight: 600; margin: .1rem 0 .5rem; }
.verdict.works { color: #00684d; } .verdict.more { color: #0b5c8f; } .verdict.unlikely { color: #a84300; }
.remark { color: #56636e; font-size: .88rem; margin: .3rem 0 1rem; max-width: 820px; }
.picture { max-width: 100%; height: auto; display: block; margin: .5rem 0; }
table.facts, table.pairs { border-collapse: collapse; margin: .7rem 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
table.facts th, table.facts td, table.pairs th, table.pairs td {
  padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #e9edf0; vertical-align: top; text-align: left; }
table.facts th { color: #56636e; font-weight: 500; } table.pairs th { color: #56636e; font-weight: 500; min-width: 11rem; }
table.pairs { width: 860px; max-width: 100%; } table.facts { min-width: 22rem; }
table .n { text-align: right; white-space: nowrap; }
.mark { display: inline-block; border-radius: 3px; padding: 0 .5rem; white-space: nowrap; font-size: .85rem; font-weight: 600; }
.mark.passed { background: #d9efe8; color: #00513c; } .mark.failed { background: #fbe0d0; color: #8a3200; }
.mark.not-run { background: #eceff2; color: #56636e; }
pre { background: #f5f7f8; padding: .6rem .8rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .82rem; }
code { color: #22303c; overflow-wrap: anywhere; }
summary { cursor: pointer; color: #0b5c8f; margin: .4rem 0; }
"""


def report_path(recording: Path) -> Path:
    """Where the report of a calibration lies, beside its last recording.

    Parameters
    ----------
    recording : Path
        The last recording of the calibration.

    Returns
    -------
    Path
    """
    return recording.with_name(recording.stem + "_report.html")


def write_report(path: Path, findings: Findings) -> Path:
    """Write the page; an existing one is never overwritten.

    The same findings give the same page, but for the date at its foot.

    Parameters
    ----------
    path : Path
    findings : Findings

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        If the file exists or cannot be written.
    """
    from mne import Report

    if path.exists():
        raise ConfigError(f"{path}: already exists and is not overwritten; choose another name with -o")
    page = Report(title=TITLE, verbose="ERROR")
    page.add_custom_css(CSS)
    with figures.style():
        for title, part in PARTS:
            page.add_html(part(findings), title, tags=())
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path, open_browser=False, verbose="ERROR")
    return path


def report_on(
    place: Path,
    config: SessionConfig,
    model: Path | None = None,
    judgement: Path | None = None,
    progress: Progress = silent,
) -> Findings:
    """Compute the findings of a calibration that was recorded before.

    Parameters
    ----------
    place : Path
        Folder of a calibration (the newest in it), or a recording. Of our own calibrations all parts are taken, with the
        configuration they began with.
    config : SessionConfig
        For other recordings.
    model : Path, optional
        Default: the one beside the recording, where there is one.
    judgement : Path, optional
        Default: the one beside the recording; where there is none the recording is judged anew.
    progress : callable

    Returns
    -------
    Findings

    Raises
    ------
    RecordingError, TrainingError, ConfigError, ModelError
    """
    recordings, config, settings = parts_of(place, config)
    known = load_model(model) if model else _model_beside(recordings[-1])
    kept = judgement or judgement_path(recordings[-1])
    anew = judgement is None and not kept.exists()
    found = _judged(recordings, config, settings, progress) if anew else read_judgement(kept)
    return gather(recordings, config, found, known, anew, progress)


def _model_beside(recording: Path) -> Model | None:
    """The model beside a recording, if it was trained on it."""
    path = recording.with_name(recording.stem + "_model.safetensors")
    if not path.exists():
        return None
    found = load_model(path)
    with recording.open("rb") as file:
        return found if hashlib.file_digest(file, "sha256").hexdigest() in found.header.recordings else None


def parts_of(place: Path, config: SessionConfig) -> tuple[tuple[Path, ...], SessionConfig, JudgeSettings]:
    """All recordings of the calibration at a place, its configuration, and how it was judged.

    Parameters
    ----------
    place : Path
    config : SessionConfig

    Returns
    -------
    (tuple of Path, SessionConfig, JudgeSettings)
    """
    if place.is_dir():
        recordings = find_recordings(place)
    elif place.suffix == ".xdf":
        recordings = calibration_of(place)
    else:
        recordings = []
    if not recordings:
        return (place,), config, JudgeSettings(looks=1)
    history = read_history(recordings)
    used = tuple(path for path, kept in zip(history.recordings, history.kept, strict=True) if kept)
    began = SessionConfig.model_validate_json(history.start["config"])
    return used or history.recordings, began, judge_settings(protocol_of(history.start))


def _judged(recordings: tuple[Path, ...], config: SessionConfig, settings: JudgeSettings, progress: Progress) -> Judgement:
    """Judge in one look, which may spend all of the error."""
    runs = [open_labelled(path, config) for path in recordings]
    return judge(runs, config, settings=replace(settings, looks=1), progress=progress, grid=grid_for(config))
