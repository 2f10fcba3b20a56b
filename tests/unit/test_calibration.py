"""A calibration on a virtual clock: what is asked, recorded, rejected, judged, overruled and resumed."""

from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from calibration_parts import HANDS, CountingJudge, Operator, calibrate, config_for, quick, subject
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.calibration.history import find_recordings, read_history
from bci.calibration.interfaces import Calibrated
from bci.errors import RecordingError
from bci.stream.xdf.reader import read_xdf
from bci.training.labelled import open_labelled
from bci.training.train import train
from devices.simulated_settings import Artefact


def markers(path: Path) -> list[tuple[str, float]]:
    stream = read_xdf(path).stream("cues")
    return [(row[0], time_s) for row, time_s in zip(stream.values, stream.stamps.tolist(), strict=True)]


def arrays(done: Calibrated) -> dict[str, np.ndarray]:
    runs = [open_labelled(path, done.config) for path in done.recordings]
    return train(runs, done.config).model.arrays


@cache
def uninterrupted() -> tuple[Calibrated, bytes, dict[str, np.ndarray]]:
    """One calibration of twenty trials, its recording and its model."""
    path = Path(mkdtemp()) / "whole.xdf"
    done = calibrate(path, judge=CountingJudge(20))
    return done, path.read_bytes(), arrays(done)


def test_a_calibration_records_cues_with_known_codes_and_stops_when_it_is_enough(tmp_path: Path) -> None:
    judge = CountingJudge(10)
    done = calibrate(tmp_path / "a.xdf", judge=judge)
    texts = [text for text, _ in markers(tmp_path / "a.xdf")]
    counts = Counter(texts)
    assert texts[0] == "32769"
    assert texts[1:4] == ["32775", "277", "32776"]
    assert texts[-2:] == ["1010", "32770"]
    assert (counts["769"], counts["770"], counts["768"], counts["800"]) == (5, 5, 12, 12)
    assert (counts["practice left_hand"], counts["practice right_hand"]) == (1, 1)
    assert done.kept == dict.fromkeys(HANDS, 5)
    assert judge.looks == [(1, 10)]
    assert done.verdict is not None
    assert done.verdict.word == "works"


def test_practice_is_not_trained_on(tmp_path: Path) -> None:
    done = calibrate(tmp_path / "a.xdf")
    assert Counter(cue.class_ for cue in open_labelled(tmp_path / "a.xdf", done.config).cues) == dict.fromkeys(HANDS, 5)


def test_every_class_cue_is_shown_with_its_text_right_after_its_marker(tmp_path: Path) -> None:
    operator = Operator()
    calibrate(tmp_path / "a.xdf", operator=operator, language="de")
    shown = [text for name, text in operator.shown if name in HANDS]
    assert Counter(shown) == {"Linke Hand": 6, "Rechte Hand": 6}
    assert "Block 1" in operator.said
    assert any("Augen" in text for text in operator.said)


def test_a_trial_that_touches_an_artefact_is_marked_and_asked_again(tmp_path: Path) -> None:
    railed = Artefact("railed", 31.0, 33.0)
    done = calibrate(tmp_path / "a.xdf", make=subject([railed]))
    seen = markers(tmp_path / "a.xdf")
    rejected = [time_s for text, time_s in seen if text == "1023"]
    assert done.rejected == len(rejected) >= 1
    assert all(1030 < time_s < 1040 for time_s in rejected)
    assert done.kept == dict.fromkeys(HANDS, 5)
    run = open_labelled(tmp_path / "a.xdf", done.config)
    assert len(run.cues) == 10
    assert train([run], done.config).epochs.rejected == ()


def test_a_trial_that_touches_a_gap_is_asked_again_and_what_is_kept_can_all_be_cut(tmp_path: Path) -> None:
    nan = Artefact("nan", 40.0, 40.1)
    done = calibrate(tmp_path / "a.xdf", make=subject([nan]))
    assert done.rejected >= 1
    assert done.kept == dict.fromkeys(HANDS, 5)
    assert train([open_labelled(tmp_path / "a.xdf", done.config)], done.config).epochs.rejected == ()


def test_the_operator_may_go_on_after_works_and_stop_before_it(tmp_path: Path) -> None:
    more = calibrate(tmp_path / "a.xdf", judge=CountingJudge(10), operator=Operator({"works": "g"}))
    assert (more.kept["left_hand"], more.overruled) == (10, True)
    less = calibrate(tmp_path / "b.xdf", judge=CountingJudge(20), operator=Operator({"more": "s"}))
    assert (less.kept["left_hand"], less.overruled) == (5, True)
    notes = [row[0] for row in read_xdf(tmp_path / "b.xdf").stream("calibration").values]
    assert sum('"overruled"' in note for note in notes) == 1


def test_unlikely_ends_a_calibration_as_works_does(tmp_path: Path) -> None:
    done = calibrate(tmp_path / "a.xdf", judge=CountingJudge(10, "unlikely"))
    assert done.verdict is not None
    assert (done.verdict.word, done.kept["left_hand"], done.overruled) == ("unlikely", 5, False)


def test_a_stop_at_a_question_loses_nothing_and_goes_on_there(tmp_path: Path) -> None:
    class Stops(Operator):
        def ask(self, text, choices, passing):  # type: ignore[no-untyped-def]
            if "more" in text:
                raise KeyboardInterrupt
            return super().ask(text, choices, passing)

    with pytest.raises(KeyboardInterrupt):
        calibrate(tmp_path / "a.xdf", judge=CountingJudge(20), operator=Stops())
    history = read_history(find_recordings(tmp_path))
    assert len(history.attempts) == 10
    done = calibrate(tmp_path / "b.xdf", judge=CountingJudge(20), history=history)
    for name, array in uninterrupted()[2].items():
        np.testing.assert_allclose(arrays(done)[name], array, rtol=1e-6, atol=1e-9)


@settings(max_examples=5, deadline=None)
@given(share=st.floats(0.1, 0.999))
def test_killed_at_any_byte_it_resumes_at_that_trial_with_the_same_model(share: float) -> None:
    whole, data, model = uninterrupted()
    folder = Path(mkdtemp())
    (folder / "a.xdf").write_bytes(data[: round(share * len(data))])
    history = read_history(find_recordings(folder))
    done = calibrate(folder / "b.xdf", judge=CountingJudge(20), history=history)
    assert done.kept == whole.kept
    again = [row.class_ for row in read_history(find_recordings(folder)).attempts]
    assert again == [row.class_ for row in read_history(whole.recordings).attempts]
    found = arrays(done)
    for name, array in model.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-6, atol=1e-9)


def test_killed_twice_it_resumes_twice(tmp_path: Path) -> None:
    _, data, model = uninterrupted()
    (tmp_path / "a.xdf").write_bytes(data[: len(data) // 3])
    calibrate(tmp_path / "b.xdf", judge=CountingJudge(20), history=read_history(find_recordings(tmp_path)))
    second = (tmp_path / "b.xdf").read_bytes()
    (tmp_path / "b.xdf").unlink()
    (tmp_path / "b.xdf.checks.json").unlink()
    (tmp_path / "b.xdf").write_bytes(second[: len(second) // 2])
    history = read_history(find_recordings(tmp_path))
    done = calibrate(tmp_path / "c.xdf", judge=CountingJudge(20), history=history)
    assert len(done.recordings) == 3
    for name, array in model.items():
        np.testing.assert_allclose(arrays(done)[name], array, rtol=1e-6, atol=1e-9)


def test_a_folder_without_a_calibration_is_said_to_hold_none(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no recording of a calibration"):
        find_recordings(tmp_path)


def test_the_configuration_comes_back_from_the_recording(tmp_path: Path) -> None:
    from bci.commands.calibrate import restored

    calibrate(tmp_path / "a.xdf")
    assert restored(read_history([tmp_path / "a.xdf"])) == config_for(quick())


def test_free_labels_are_calibrated_too(tmp_path: Path) -> None:
    from bci.calibration.virtual import subject_classes

    protocol = quick(classes=("music", "left_hand"))
    done = calibrate(tmp_path / "a.xdf", protocol, subject(classes=subject_classes(protocol)))
    assert done.kept == {"music": 5, "left_hand": 5}


def test_more_trials_than_the_verdict_wanted_are_a_further_block_that_counts_too(tmp_path: Path) -> None:
    first = tmp_path / "first.xdf"
    assert calibrate(first).kept == {"left_hand": 5, "right_hand": 5}
    judge = CountingJudge(10)
    again = calibrate(tmp_path / "more.xdf", history=read_history([first]), judge=judge, more=True)
    assert again.kept == {"left_hand": 10, "right_hand": 10}
    assert again.recordings == (first, tmp_path / "more.xdf")
    assert judge.looks == [(2, 20)]  # nobody is asked about the first block again
    assert again.overruled
