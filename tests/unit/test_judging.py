"""A whole judgement: of simulated people who can, who cannot, and of recordings that would fool a careless judge."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from benchmarks.verdict.simulated import CONFIG, run_of, told
from recorded_parts import rhythm, write_recording

from bci.commands import main
from bci.engine.chunk import Chunk
from bci.engine.decide import DecisionSettings
from bci.errors import ConfigError
from bci.judging.best_fit import fit_best
from bci.judging.candidates import Candidate, SearchGrid, expand, load_grid
from bci.judging.fits import Fits
from bci.judging.held_out_decoding import decode_held_out
from bci.judging.judge import bands_of, judge, judge_trials
from bci.judging.judgement import Judgement
from bci.judging.nulls import eyes_and_muscles, phase_randomised, pre_cue, surrogate
from bci.judging.settings import JudgeSettings
from bci.judging.thresholds import trade_off, tune
from bci.judging.trials import Trials, cut_trials
from bci.model.family import load_family
from bci.model.file import load_model
from bci.paradigm.cues import CueEvent
from bci.stream.metadata import header_xml, text_info
from bci.stream.xdf.writer import XdfWriter
from bci.training.extraction import extract_epochs
from bci.training.labelled import LabelledRun
from bci.training.resolved import resolve_decoder
from bci.training.train import write_model

ONE_LOOK = JudgeSettings(looks=1)
FEW = [{"family": "ts-lr", "bands": ["configured", [8, 14]]}, {"family": "csp-lda", "windows": [[0.0, 0.6]]}]


@cache
def _run(skill: float, per_class: int = 30) -> LabelledRun:
    return run_of(3, skill, per_class)


@cache
def _trials(skill: float, per_class: int = 30) -> tuple[Trials, SearchGrid]:
    run = _run(skill, per_class)
    grid = expand("few", FEW, run.info, CONFIG)
    return cut_trials([run], CONFIG, bands_of(grid), ONE_LOOK), grid


@cache
def _judged(skill: float) -> Judgement:
    trials, grid = _trials(skill)
    return judge_trials(trials, grid, ONE_LOOK, 1, 0)


def test_windows_are_those_of_the_live_loop() -> None:
    run = _run(0.8)
    trials, grid = _trials(0.8)
    for candidate in grid.candidates:
        config = candidate.configured(CONFIG, run.info.rate_hz)
        live = extract_epochs(run.info, run.raw, run.cues, resolve_decoder(run.info, config).preprocessing, config.trial.stop_s)
        np.testing.assert_allclose(trials.windows(candidate), live.windows, atol=1e-9)


@pytest.mark.parametrize("family", ["ts-lr", "csp-lda", "fbcsp", "mdm", "fgmdm", "acm", "ts-en", "ts-svm", "fbts"])
def test_what_is_kept_between_folds_changes_no_answer(family: str) -> None:
    run = _run(0.8)
    grid = expand("one", [{"family": family}], run.info, CONFIG)
    trials = cut_trials([run], CONFIG, bands_of(grid), ONE_LOOK)
    candidate, fits = grid.candidates[0], Fits(trials)
    for held in (0, 1):
        train, test = np.flatnonzero(trials.folds != held), np.flatnonzero(trials.folds == held)
        windows = trials.windows(candidate)
        plain = load_family(family).fit(windows[train], trials.labels[train]).estimator.predict_proba(windows[test])
        np.testing.assert_allclose(fits.probabilities(candidate, train, test), plain, atol=1e-9)


def test_a_person_who_can_is_told_so() -> None:
    found = _judged(0.8)
    v = found.verdict
    assert v.word == "works"
    assert v.line().startswith("works: ")
    assert v.low > 0.5
    assert v.p_value <= v.alpha
    assert v.candidate in {row.candidate for row in found.rows if row.chosen}
    assert found.forecast is not None
    assert found.forecast.trials == 160
    assert json.loads(found.to_json())["verdict"]["word"] == "works"


def test_a_person_who_cannot_is_not() -> None:
    v = _judged(0.0).verdict
    assert v.word != "works"
    assert v.low < 0.5 < v.high
    assert v.advice


def test_a_judgement_can_be_made_again() -> None:
    trials, grid = _trials(0.0)
    assert judge_trials(trials, grid, ONE_LOOK, 1, 0).to_json() == _judged(0.0).to_json()


def test_classes_that_go_with_a_drift_are_no_control() -> None:
    """The second half of the recording is 1.5 times as large, and most of its cues are of one class."""
    run = _run(0.0)
    n = len(run.raw)
    swelling = np.linspace(1.0, 1.8, n)[:, None]
    cues = tuple(CueEvent(c.time_s, "left" if i < len(run.cues) // 2 else "right") for i, c in enumerate(run.cues))
    drifting = replace(run, raw=Chunk(run.raw.data * swelling, run.raw.stamps), cues=cues)
    grid = expand("few", FEW, run.info, CONFIG)
    found = judge_trials(cut_trials([drifting], CONFIG, bands_of(grid), ONE_LOOK), grid, ONE_LOOK, 1, 0)
    assert found.verdict.word != "works"
    assert found.verdict.p_value > 0.01
    assert any("several times in a row" in text for text in found.verdict.advice)


def test_classes_in_streaks_within_a_block_are_no_control() -> None:
    """Five of one class, five of the other, and a drift that starts anew with every block: separable, and worthless."""
    run = _run(0.0)
    saw = np.ones(len(run.raw))
    stamps = run.raw.stamps
    for first in range(0, len(run.cues), 10):
        begin = run.cues[first].time_s - 1
        end = run.cues[first + 10].time_s - 1 if first + 10 < len(run.cues) else stamps[-1]
        inside = (stamps >= begin) & (stamps < end)
        saw[inside] = np.linspace(0.6, 1.8, inside.sum())
    cues = tuple(CueEvent(c.time_s, "left" if i % 10 < 5 else "right") for i, c in enumerate(run.cues))
    drifting = replace(run, raw=Chunk(run.raw.data * saw[:, None], stamps), cues=cues)
    grid = expand("few", FEW, run.info, CONFIG)
    found = judge_trials(cut_trials([drifting], CONFIG, bands_of(grid), ONE_LOOK), grid, ONE_LOOK, 1, 0)
    assert found.verdict.accuracy > 0.6  # fooled, and still:
    assert found.verdict.word != "works"


def test_a_cue_that_leaks_is_caught_by_the_signal_before_it() -> None:
    run = _run(0.0)
    data = run.raw.data.copy()
    rng = np.random.default_rng(0)
    for cue in run.cues:
        if cue.class_ == "left_hand":  # a cable that hums from a second before the cue to the end of the trial
            inside = (run.raw.stamps > cue.time_s - 1.2) & (run.raw.stamps < cue.time_s + 3.5)
            data[inside, 0] += 8 * rng.standard_normal(inside.sum())
    leaking = replace(run, raw=Chunk(data, run.raw.stamps))
    null = pre_cue([leaking], CONFIG, ONE_LOOK, [(8.0, 30.0)], 0)
    assert null is not None
    assert not null.passed
    trials, grid = cut_trials([leaking], CONFIG, ((8.0, 30.0), (8.0, 14.0)), ONE_LOOK), _trials(0.0)[1]
    with_null = judge_trials(trials, grid, ONE_LOOK, 1, 0, [null])
    assert judge_trials(trials, grid, ONE_LOOK, 1, 0).verdict.word == "works"
    assert with_null.verdict.word != "works"
    assert "before the cue" in with_null.verdict.advice[0].lower()


def test_real_imagery_passes_the_null_tests() -> None:
    bands = [(8.0, 30.0)]
    before = pre_cue([_run(0.8)], CONFIG, ONE_LOOK, bands, 0)
    fake = surrogate([_run(0.8)], CONFIG, ONE_LOOK, bands, 0)
    assert before is not None
    assert fake is not None
    assert before.passed
    assert fake.passed
    assert eyes_and_muscles([_run(0.8)], CONFIG, ONE_LOOK, 0.9, 0) is None  # there are no such channels


def test_eyes_that_steer_are_caught_where_they_were_recorded() -> None:
    run = _run(0.0)
    stamps = run.raw.stamps
    eyes = np.random.default_rng(0).standard_normal(len(stamps)) * 5
    for cue in run.cues:
        if cue.class_ == "left_hand":
            eyes[(stamps > cue.time_s) & (stamps < cue.time_s + 3.5)] *= 4
    channels = (*run.info.channels, replace(run.info.channels[0], label="EOG1", type="EOG"))
    with_eyes = replace(run, info=replace(run.info, channels=channels), raw=Chunk(np.c_[run.raw.data, eyes], stamps))
    null = eyes_and_muscles([with_eyes], CONFIG, ONE_LOOK, 0.8, 0)
    assert null is not None
    assert not null.passed
    assert null.accuracy > 0.9


def test_a_surrogate_has_the_same_spectrum_and_another_course() -> None:
    data = np.random.default_rng(0).standard_normal((1001, 3)).cumsum(axis=0)
    fake = phase_randomised(data, 1)
    np.testing.assert_allclose(np.abs(np.fft.rfft(fake, axis=0)), np.abs(np.fft.rfft(data, axis=0)), atol=1e-6)
    np.testing.assert_allclose(fake.T @ fake, data.T @ data, rtol=1e-6)
    assert abs(np.corrcoef(np.diff(data[:, 0]), np.diff(fake[:, 0]))[0, 1]) < 0.2


def test_the_model_says_what_was_chosen_and_why(tmp_path: Path) -> None:
    found = _judged(0.8)
    trained = fit_best([_run(0.8)], CONFIG, found.best, found)
    write_model(tmp_path / "m.safetensors", trained, CONFIG)
    header = load_model(tmp_path / "m.safetensors").header
    assert header.decoder == found.best.family
    assert header.trial_s == (found.best.start_s, found.best.stop_s)
    assert header.preprocessing.bands == found.best.bands
    assert header.accuracy == found.verdict.accuracy
    assert header.verdict == found.verdict.line()
    assert json.loads(header.chosen["verdict"])["word"] == "works"
    assert header.chosen["candidate"] == found.best.name
    assert header.nulls["permuted"]["p_value"] == found.verdict.p_value


def test_too_few_trials_are_more_trials() -> None:
    run = _run(0.8)
    found = judge([replace(run, cues=run.cues[:6])], CONFIG, settings=ONE_LOOK)
    assert found.verdict.word == "more"
    assert found.verdict.more >= 4
    assert "too few trials" in found.verdict.line()
    json.loads(found.to_json())


def test_a_grid_names_what_is_wrong_with_it() -> None:
    info = _run(0.8).info
    with pytest.raises(ConfigError, match="cannot be read"):
        load_grid("nonsense.toml", info, CONFIG)
    with pytest.raises(ConfigError, match="none of its candidates can be run"):
        expand("x", [{"family": "no-such-decoder"}], info, CONFIG)
    with pytest.raises(ConfigError, match="ts-lr has no setting colour; it has c"):
        expand("x", [{"family": "ts-lr", "settings": {"colour": 1}}], info, CONFIG)


@pytest.mark.parametrize("name", ["live", "full"])
def test_every_candidate_of_a_grid_can_be_configured(name: str) -> None:
    info = _run(0.8).info
    grid = load_grid(name, info, CONFIG)
    assert grid.candidates[0].family == "ts-lr"
    assert not grid.notes
    for candidate in grid.candidates:
        config = candidate.configured(CONFIG, info.rate_hz)
        p = resolve_decoder(info, config).preprocessing
        assert p.bands == candidate.bands
        assert p.window / p.rate_hz == pytest.approx(candidate.stop_s - candidate.start_s)


def test_the_command_judges_a_recording_that_is_still_growing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, path = _run(0.8), tmp_path / "growing.xdf"
    grid = tmp_path / "grid.toml"
    grid.write_text('[[candidates]]\nfamily = "ts-lr"\n')
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header_xml(run.info, "float32"))
        cues = writer.add_stream(header_xml(text_info("cues", "Markers", "cues-1"), "string"))
        for stream in (eeg, cues):
            writer.write_offset(stream, run.raw.stamps[0], 0.0)
        writer.write(eeg, run.raw.data.astype(np.float32), run.raw.stamps)
        for cue in run.cues:
            writer.write(cues, [[cue.class_]], np.array([cue.time_s]))
        size = path.stat().st_size
        words = ["judge", str(path), "--json", "--grid", str(grid), "--look", "4", "--looks", "8"]
        words += ["--set", "markers.table.left_hand=left", "--set", "markers.table.right_hand=right", "--set", "trial.stop_s=3.5"]
        assert main(words) == 0
        assert path.stat().st_size == size
    value = json.loads(capsys.readouterr().out)
    assert value["verdict"]["word"] == "works"
    assert value["verdict"]["alpha"] == pytest.approx(JudgeSettings(looks=8).spent(4))


@pytest.mark.slow
def test_the_live_grid_takes_less_than_a_minute_for_22_channels_and_100_trials() -> None:
    run = run_of(1, 0.5, 50, channels=22)
    grid = load_grid("live", run.info, CONFIG)
    trials = cut_trials([run], CONFIG, bands_of(grid), ONE_LOOK)
    began = time.process_time()
    found = judge_trials(trials, grid, ONE_LOOK, 1, 0)
    spent_s = time.process_time() - began
    assert len(found.rows) == len(grid.candidates)
    assert spent_s < 60


@pytest.mark.slow
def test_twenty_people_without_control_are_not_told_that_it_works() -> None:
    settings = replace(JudgeSettings(), looks=4, trials_per_class=40)
    assert [told(seed, 0.0, settings, False).word for seed in range(20)].count("works") == 0


def test_a_candidate_is_a_name_a_person_can_read() -> None:
    candidate = Candidate("fbcsp", ((8.0, 12.0), (12.0, 16.0)), 0.5, 2.5, ("C3", "C4"), (("features", 10),), False)
    assert candidate.name == "fbcsp features=10 8–16 Hz in 2 bands 0.5–2.5 s 2 ch"


def test_thresholds_of_a_calibration_keep_idle_quiet() -> None:
    run = _run(0.8)
    asked, unasked = run.cues[:50], run.cues[50:]
    idle = [(unasked[0].time_s, unasked[-1].time_s)]
    left = decode_held_out([replace(run, cues=asked)], [idle], CONFIG, _judged(0.8).best)
    assert len(left.trials) == len(asked)
    points = trade_off(DecisionSettings(), left.classes, left.hop_s, left.trials, left.idle)
    quietest, sensitive = tune(points, 0.0), tune(points, 60.0)
    assert quietest.false == 0
    assert sensitive.hit > 0.4
    assert sensitive.hit - sensitive.wrong >= quietest.hit - quietest.wrong


@pytest.mark.slow
def test_two_processes_find_what_one_finds() -> None:
    trials, grid = _trials(0.0)
    assert judge_trials(trials, grid, ONE_LOOK, 1, 0, jobs=2).to_json() == _judged(0.0).to_json()


def test_an_early_look_with_a_dead_channel_judges_the_others_and_names_it() -> None:
    run = _run(0.8)
    data = run.raw.data.copy()
    data[:, 2] = 0.0
    found = judge([replace(run, raw=Chunk(data, run.raw.stamps), cues=run.cues[:20])], CONFIG, settings=ONE_LOOK)
    assert found.verdict.word == "works"
    assert sum(found.trials.values()) == 20
    assert any(run.info.channels[2].label in text for text in found.verdict.advice)


def test_what_was_found_out_about_cues_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cues = [(4.0, "left"), (4.01, "left"), (8.0, "right")]
    path = write_recording(tmp_path / "a.xdf", rhythm(cues), cues)
    assert main(["judge", str(path), "--set", "markers.table.left=left", "--set", "markers.table.right=right"]) == 0
    assert capsys.readouterr().out.count("1 cue came twice on 'cues' and is counted once") == 1
