"""Clocks that are set while a recording is made, without a clock offset that says so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from two_computers import T0, Sent, write

from bci.bids.export import ExportChoices, export
from bci.config import load_config
from bci.engine.chunk import FloatArray
from bci.engine.preprocessing import Preprocessing
from bci.paradigm.cues import find_cues
from bci.stream.files.clock_steps import steps_back
from bci.stream.files.readers import open_recording
from bci.stream.files.set_clocks import SET_BACK
from bci.stream.files.summary import summarise_file
from bci.training.extraction import match_cues

RATE_HZ, LENGTH_S, SET_S = 125.0, 120.0, 60.0
CUES_S = np.arange(5.0, 115.0, 5.0) + 0.1
TEXTS = tuple(("left", "right")[i % 2] for i in range(len(CUES_S)))
CONFIG = load_config(None, {"markers.table.left": "left", "markers.table.right": "right"})


def clock(*steps: tuple[float, float]):
    """A clock that is set forward by so much, so long after the beginning."""

    def shown(true_s: FloatArray) -> FloatArray:
        return np.asarray(true_s) + sum(step * (np.asarray(true_s) >= T0 + at) for at, step in steps)

    return shown


def recording(
    path: Path, amplifier, stimuli, host: str = "pc", offsets: bool = False, cues_s: FloatArray = CUES_S, jitter_s: float = 0.0
) -> Path:
    """An amplifier and markers, on one computer unless another is named."""
    since_s = np.arange(0.0, LENGTH_S, 1.0 / RATE_HZ)
    at = T0 + np.arange(1.0, LENGTH_S, 5.0) if offsets else np.empty(0)
    late = np.repeat(np.random.default_rng(1).uniform(0, jitter_s, len(since_s) // 25), 25)
    amp = Sent("EEG", "pc", lambda t: amplifier(t) + (late if len(t) == len(late) else 0.0), T0 + since_s, at, 0.0, RATE_HZ)
    return write(path, [amp, Sent("Cues", host, stimuli, T0 + cues_s, at, texts=TEXTS[: len(cues_s)])])


def errors_s(path: Path, cues_s: FloatArray = CUES_S) -> FloatArray:
    """How far each cue is from the truth, by the sample before which it was sent."""
    found = open_recording(path)
    signal = found.eeg()
    cues = find_cues(found, signal, CONFIG.markers.marker_table(), "").trials
    assert [c.class_ for c in cues] == list(TEXTS[: len(cues_s)])
    at = np.interp([c.time_s for c in cues], signal.stamps, np.arange(len(signal.stamps)) / RATE_HZ)
    return np.abs(at - cues_s)


def left_out(path: Path) -> Counter[str]:
    """Why cues have no window that is decoded; "" for those that have one."""
    found = open_recording(path)
    signal = found.eeg()
    cues = find_cues(found, signal, CONFIG.markers.marker_table(), "").trials
    preprocessing = Preprocessing(RATE_HZ, signal.info.labels, "none", window=125, hop=25)
    return Counter(met.why for met in match_cues(signal.info, signal.chunk(), cues, preprocessing, 3.0))


SETTINGS = {
    "back by 500 s": clock((SET_S, -500.0)),
    "back into the middle of its own past": clock((SET_S, -30.0)),
    "back by a second": clock((SET_S, -1.0)),
    "back twice": clock((40.0, -500.0), (80.0, -20.0)),
    "forward and back": clock((40.0, 5000.0), (80.0, -5010.0)),
    "forward by 5000 s": clock((SET_S, 5000.0)),
}


@pytest.mark.parametrize("offsets", [False, True], ids=["no offsets", "offsets of zero"])
@pytest.mark.parametrize("name", SETTINGS)
def test_cues_stay_with_their_samples_when_the_clock_of_both_is_set(tmp_path: Path, name: str, offsets: bool) -> None:
    shown = SETTINGS[name]
    path = recording(tmp_path / "sub-1_ses-1_task-mi_run-01_eeg.xdf", shown, shown, offsets=offsets)
    assert errors_s(path).max() < 1e-3
    assert left_out(path) == {"": len(CUES_S)}
    assert export(path, tmp_path / "out", CONFIG, ExportChoices("brainvision", source=False)).left_out == 0
    stamps = open_recording(path).eeg().stamps
    assert (np.diff(stamps) > 0).all()


def test_it_is_said_by_how_much_and_where_a_clock_was_set_back(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.xdf", clock((SET_S, -500.0)), clock((SET_S, -500.0)))
    (note,) = open_recording(path).notes
    assert "the clock of 'EEG', 'Cues' was set back" in note
    assert "by 500.000 s at 60.0 s since the beginning" in note
    assert note in summarise_file(path).problems
    (seam,) = open_recording(path).eeg().bad_spans
    assert (seam.why, seam.start_s) == (SET_BACK, pytest.approx(T0 + SET_S))


def test_blocks_whose_stamps_jitter_by_300_ms_are_no_clock_that_was_set(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.xdf", clock(), clock(), jitter_s=0.3)
    assert not open_recording(path).notes
    assert not open_recording(path).eeg().bad_spans
    path = recording(tmp_path / "b.xdf", clock((SET_S, -500.0)), clock((SET_S, -500.0)), jitter_s=0.3)
    assert errors_s(path).max() < 0.31
    assert left_out(path)[""] == len(CUES_S)


def test_a_stall_after_which_all_comes_at_once_is_no_clock_that_was_set() -> None:
    true_s = np.arange(0.0, 60.0, 0.008)
    sent_s = np.where((true_s > 20.0) & (true_s < 32.0), 32.0, true_s)
    blocks = sent_s.reshape(-1, 25).max(axis=1, keepdims=True) - np.arange(24, -1, -1) * 0.008
    assert steps_back(blocks.ravel(), 125.0) == []


def test_markers_of_a_computer_whose_clock_was_not_set_stay_where_they_are_and_it_is_said(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.xdf", clock((SET_S, -500.0)), clock(), host="screen")
    assert errors_s(path).max() < 1e-3
    notes = open_recording(path).notes
    assert "the clock of 'EEG' was set back" in notes[0]
    assert "the clock of 'Cues' was not set at the same time" in notes[1]
    assert "provided that the signal lost no samples there" in notes[1]


def test_markers_of_another_computer_whose_clock_is_unsteady_are_not_shifted_and_it_is_said(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.xdf", clock((SET_S, -500.0)), clock((70.0, -200.0)), host="screen")
    found = open_recording(path)
    assert any("fit neither a clock that was set together with the signal's" in note for note in found.notes)
    assert any("They were not shifted" in note for note in found.notes)
    raw = clock((70.0, -200.0))(T0 + CUES_S)
    assert np.array_equal(found.markers[0].stamps, raw)


def test_markers_of_another_computer_behind_a_jump_forward_of_the_amplifier_alone_are_said(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.xdf", clock((SET_S, 5000.0)), clock(), host="screen")
    (note,) = open_recording(path).notes
    assert "were recorded after the clock of 'EEG' jumped forward by 5000.0" in note
    assert "Nothing was shifted" in note


def test_without_the_order_of_the_file_markers_are_told_apart_by_their_stamps_or_counted_as_doubtful(tmp_path: Path) -> None:
    from dataclasses import replace

    from bci.stream.files.set_clocks import steadied
    from bci.stream.xdf.reader import read_xdf

    shown = clock((SET_S, -500.0))
    file = read_xdf(recording(tmp_path / "a.xdf", shown, shown))
    orderless = replace(file, order=np.empty(0, np.int64))
    assert np.allclose(steadied(orderless).file.stream("Cues").stamps, T0 + CUES_S)
    shown, few = clock((SET_S, -30.0)), np.array([10.0, 45.0, 75.1, 80.0])
    file = read_xdf(recording(tmp_path / "b.xdf", shown, shown, cues_s=few))
    assert np.allclose(steadied(file).file.stream("Cues").stamps, T0 + few)
    steady = steadied(replace(file, order=np.empty(0, np.int64)))
    assert any("markers may belong to the other side of it" in note for note in steady.notes)
