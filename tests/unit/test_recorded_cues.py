"""The recording of a calibration says itself what its cues mean, so that it can be trained on without a table of markers."""

import json
from pathlib import Path

import numpy as np
import pytest

from bci.calibration.history import start_note
from bci.commands.calibrate import with_cues
from bci.config import load_config
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import TrainingError
from bci.paradigm.protocol import load_protocol
from bci.paradigm.timeline import CALIBRATION_TYPE, CUE_STREAM
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams
from bci.training.labelled import labelled

INFO = StreamInfo(100.0, (Channel("C3", "EEG", "uV"), Channel("C4", "EEG", "uV")), name="amp", type="EEG", source_id="amp")
PLAIN = load_config()


def recorded(notes: tuple[str, ...], stream: str = CUE_STREAM, type_: str = CALIBRATION_TYPE) -> RecordedStreams:
    """Twenty seconds with a cue for the left hand, one for the right hand, and the notes of a calibration."""
    stamps = np.arange(2000) / 100.0
    signal = RecordedSignal(INFO, np.random.default_rng(0).normal(0, 10, (2000, 2)), stamps)
    cues = RecordedMarkers(stream, ("769", "770"), np.array([3.0, 12.0]))
    told = RecordedMarkers("calibration", notes, np.arange(float(len(notes))), type=type_)
    return RecordedStreams(Path("calibration.xdf"), (signal,), (cues, told), sha256="")


def start() -> str:
    protocol = load_protocol("short")
    return start_note(protocol, 1, config=with_cues(PLAIN, protocol).model_dump_json())


def test_cues_of_a_calibration_mean_what_its_recording_says() -> None:
    assert [cue.class_ for cue in labelled(recorded((start(),)), PLAIN).cues] == ["left_hand", "right_hand"]


def test_a_table_of_the_user_comes_before_that_of_the_recording() -> None:
    config = load_config(overrides={"markers.table.769": "west", "markers.table.770": "east"})
    assert [cue.class_ for cue in labelled(recorded((start(),)), config).cues] == ["west", "east"]


def test_markers_of_another_program_in_a_calibration_are_no_cues() -> None:
    with pytest.raises(TrainingError, match="no marker is a cue"):
        labelled(recorded((start(),), stream="PsychoPy"), PLAIN)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "no JSON",
        '{"v":1,"kind":"start"}',
        '{"v":1,"kind":"start","config":"{}"}',
        '{"v":1,"kind":"start","config":3}',
        '{"v":1,"kind":"start","config":"{\\"markers\\":{\\"table\\":3}}"}',
        '{"v":9,"kind":"start","config":"{}"}',
        json.dumps({"v": 1, "kind": "trial", "config": json.dumps({"markers": {"table": {"769": "left"}}})}),
    ],
)
def test_notes_that_do_not_say_it_leave_the_table_empty_and_the_error_says_so(note: str) -> None:
    with pytest.raises(TrainingError, match=r"no marker is a cue\. The table knows no marker; the recording holds .*769"):
        labelled(recorded((note,)), PLAIN)


def test_notes_of_another_type_are_not_taken_for_those_of_a_calibration() -> None:
    with pytest.raises(TrainingError, match="no marker is a cue"):
        labelled(recorded((start(),), type_="Markers"), PLAIN)
