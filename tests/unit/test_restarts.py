"""An amplifier that restarted while it was recorded is one signal with a gap, on one clock, whatever its computer's clock did."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import RecordingError
from bci.settings import SessionConfig
from bci.stream.files.readers import open_recording
from bci.stream.files.summary import summarise_file
from bci.stream.markers.marked import BadSpan
from bci.stream.metadata import header_xml
from bci.stream.recorded_signal import times_on
from bci.stream.xdf.writer import XdfWriter
from bci.training.extraction import extract_epochs
from bci.training.labelled import labelled
from bci.training.resolved import resolve_decoder

RATE = 100
OFFSETS_S = (0.0, -3.7, 86_400.0, -1e6)
AMP = StreamInfo(RATE, tuple(Channel(x) for x in ("C3", "Cz", "C4")), name="Amp", source_id="amp1", type="EEG")
CUES = StreamInfo(0, (Channel("marker", "AUX", ""),), name="Cues", source_id="cues", type="Markers")


@dataclass
class Part:
    """One time that a stream was there: when on the recorder's clock, and how far that is from its own."""

    first_s: float
    length_s: float
    offset_s: float = 0.0
    info: StreamInfo = field(default=AMP)
    host: str = "lab1"

    @property
    def times(self) -> np.ndarray:
        return self.first_s + np.arange(round(self.length_s * RATE)) / RATE


def with_host(xml: str, host: str) -> str:
    return xml.replace("</info>", f"<hostname>{host}</hostname></info>") if "<hostname>" not in xml else xml


def write(
    path: Path, parts: list[Part], cues: Sequence[list[tuple[float, str]]] = (), events: Sequence[tuple[float, str]] = ()
) -> Path:
    """A recording; the first channel of a signal holds the recorder's time, so that every sample says when it was."""
    with XdfWriter(path) as file:
        for part in parts:
            number = file.add_stream(with_host(header_xml(part.info, "double64"), part.host))
            rng = np.random.default_rng(int(part.first_s))
            values = rng.normal(0, 10, (len(part.times), len(part.info.channels)))
            if len(part.times):
                values[:, 0] = part.times
                file.write(number, values, part.times - part.offset_s)
                for time_s in np.arange(part.first_s, part.first_s + part.length_s, 5.0):
                    file.write_offset(number, time_s - part.offset_s, part.offset_s)
        for sent in cues:
            number = file.add_stream(header_xml(CUES, "string"))
            file.write(number, [[text] for _, text in sent], np.array([t for t, _ in sent]))
            file.write_offset(number, 0.0, 0.0)
        if events:
            number = file.add_stream(header_xml(replace(CUES, name="bci-events", type="BCI-Event"), "string"))
            file.write(number, [[text] for _, text in events], np.array([t for t, _ in events]))
    return path


def test_the_parts_of_a_restarted_amplifier_are_one_signal_with_a_seam(tmp_path: Path) -> None:
    recording = open_recording(write(tmp_path / "a.xdf", [Part(100, 20), Part(123, 10), Part(140, 5)]))
    signal = recording.eeg()
    np.testing.assert_array_equal(signal.stamps, np.concatenate([Part(100, 20).times, Part(123, 10).times, Part(140, 5).times]))
    np.testing.assert_array_equal(signal.data[:, 0], signal.stamps)
    assert [(s.start_s, s.why) for s in signal.bad_spans] == [(123.0, "sender restarted"), (140.0, "sender restarted")]
    assert any("'Amp' stopped and came back 2 times" in note and "3.0 s at 20.0 s" in note for note in recording.notes)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.6, 40.0), st.floats(8.0, 25.0)), min_size=1, max_size=4), st.permutations(OFFSETS_S))
def test_every_sample_is_where_it_was_whatever_the_clock_did_at_a_restart(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[float, float]], offsets_s: list[float]
) -> None:
    parts, now = [], 1000.0
    for (pause_s, length_s), offset_s in zip(pieces, offsets_s, strict=False):
        now += pause_s
        parts.append(Part(now, round(length_s, 2), offset_s))
        now += length_s
    recording = open_recording(write(tmp_path_factory.mktemp("x") / "a.xdf", parts, [[(1001.0, "left"), (1030.0, "right")]]))
    signal = recording.eeg()
    assert len(signal.stamps) == sum(len(p.times) for p in parts)
    np.testing.assert_allclose(signal.clock.to_recorder(signal.stamps), signal.data[:, 0], atol=2e-3)
    cues = signal.clock.to_recorder(times_on(signal, recording.markers[0]))
    np.testing.assert_allclose(cues, [1001.0, 1030.0], atol=2e-3)


def test_a_computer_that_restarted_under_another_name_of_its_clock_is_placed_by_its_offsets(tmp_path: Path) -> None:
    recording = open_recording(write(tmp_path / "a.xdf", [Part(500, 20, 0.0, host=""), Part(530, 20, 5000.0, host="")]))
    signal = recording.eeg()
    np.testing.assert_allclose(signal.clock.to_recorder(signal.stamps), signal.data[:, 0], atol=2e-3)


@pytest.mark.parametrize(
    "second",
    [
        Part(110, 20),  # at the same time
        Part(130, 10, info=replace(AMP, source_id="amp2")),
        Part(130, 10, info=replace(AMP, rate_hz=50.0)),
        Part(130, 10, info=replace(AMP, channels=AMP.channels[::-1])),
        Part(130, 10, host="lab2"),
    ],
)
def test_two_amplifiers_are_never_taken_for_one(tmp_path: Path, second: Part) -> None:
    recording = open_recording(write(tmp_path / "a.xdf", [Part(100, 20), second]))
    assert len(recording.signals) == 2
    alike = second.info.source_id == AMP.source_id and second.host == "lab1"
    with pytest.raises(RecordingError, match="2 EEG streams") as error:
        recording.eeg()
    assert ("in separate files" in str(error.value)) == alike


def test_a_marker_stream_that_restarted_is_one_and_an_empty_twin_is_none(tmp_path: Path) -> None:
    sent = [[(105.0, "left"), (110.0, "right")], [], [(120.0, "left")]]
    recording = open_recording(write(tmp_path / "a.xdf", [Part(100, 30), Part(100, 0)], sent))
    assert [m.texts for m in recording.markers] == [("left", "right", "left")]
    assert len(recording.eeg().stamps) == 3000
    assert any("'Amp' of type 'EEG' was recorded without a single sample" in note for note in recording.notes)


def test_a_recording_whose_only_amplifier_sent_nothing_says_so(tmp_path: Path) -> None:
    recording = open_recording(write(tmp_path / "a.xdf", [Part(100, 0)], [[(105.0, "left")]]))
    with pytest.raises(RecordingError, match="'Amp' was recorded without a single sample"):
        labelled(recording, SessionConfig(), {"left": "left"})


def test_no_trial_reaches_across_a_restart(tmp_path: Path) -> None:
    cues = [[(102.0 + 3 * i, "left" if i % 2 else "right") for i in range(16)]]
    path = write(tmp_path / "a.xdf", [Part(100, 20), Part(121, 30)], cues)
    config = SessionConfig.model_validate(
        {"preprocessing": {"window_s": 1.0, "hop_s": 0.1, "notch_hz": 0.0, "channels": ("Cz", "C4")}, "trial": {"stop_s": 1.0}}
    )
    run = labelled(open_recording(path), config, {"left": "left", "right": "right"})
    p = resolve_decoder(run.info, config).preprocessing
    rejected = dict(extract_epochs(run.info, run.raw, run.cues, p, 1.0, marked=run.marked).rejected)
    assert [cue.time_s for cue in rejected] == [120.0]
    assert "sender restarted" in rejected[run.cues[6]]


def test_channels_that_were_marked_by_hand_live_are_bad_until_that_was_taken_back(tmp_path: Path) -> None:
    start = {"v": 1, "kind": "start", "stream": {"name": "Amp", "source_id": "amp1"}}
    lines = [
        (100.0, start),
        (105.0, {"v": 1, "kind": "mark", "labels": ["Cz"], "bad": True}),
        (110.0, {"v": 1, "kind": "mark", "labels": ["cz"], "bad": False}),
        (115.0, {"v": 1, "kind": "mark", "labels": ["C4"], "bad": True}),
    ]
    path = write(tmp_path / "a.xdf", [Part(100, 20)], [[(101.0, "left")]], [(t, json.dumps(x)) for t, x in lines])
    spans = open_recording(path).eeg().bad_spans
    assert spans == (
        BadSpan(105.0, 110.0, "marked bad by hand", ("Cz",)),
        BadSpan(115.0, math.inf, "marked bad by hand", ("C4",)),
    )


def test_info_says_that_a_stream_restarted_and_not_that_its_markers_lie_elsewhere(tmp_path: Path) -> None:
    cues = [[(105.0, "left"), (110.0, "right")], [(145.0, "left"), (150.0, "right")]]
    found = summarise_file(write(tmp_path / "a.xdf", [Part(100, 20), Part(130, 40)], cues))
    assert [p for p in found.problems if "markers lie outside" in p] == []
    assert any("'Amp' stopped and came back once" in problem for problem in found.problems)
