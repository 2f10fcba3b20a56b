"""Recordings of several computers: ours as pyxdf and MNE read them, LabRecorder's as we read them, and those of before."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest
from two_computers import T0, Sent, session, values, write

import bci.stream.lsl.raw_inlet as lsl_inlet
from bci.commands import main
from bci.recording.recorder import Recorder
from bci.recording.settings import RecorderSettings
from bci.stream.clock import VirtualClock
from bci.stream.files.clocks import clocks_of, on_sender
from bci.stream.files.readers import open_recording
from bci.stream.lsl.offset_probe import OffsetProbe
from bci.stream.lsl.raw_inlet import LslRawInlet
from bci.stream.recorded_signal import times_on
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.salvage import salvage
from bci.stream.xdf.writer import XdfWriter

DATA = Path(__file__).parents[2].parent / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the shared folder of real recordings is not there")


def drifting(began_s: float, ppm: float):
    return lambda t: began_s + (t - T0) * (1 + ppm * 1e-6)


def restarting(began_s: float, again_s: float, ppm: float, at_s: float = T0 + 1800.0):
    def clock(t):
        return np.where(t < at_s, began_s + (t - T0) * (1 + ppm * 1e-6), again_s + (t - at_s) * (1 + ppm * 1e-6))

    return clock


WORLDS = {
    "drift": (drifting(9000.0, -20.0), drifting(70.0, 60.0)),
    "days apart": (drifting(T0, 0.0), drifting(68_000.0, 60.0)),
    "screen restarts": (drifting(9000.0, 20.0), restarting(4000.0, 12.0, 60.0)),
    "screen restarts into its own past": (drifting(9000.0, 20.0), restarting(4000.0, 5000.0, -60.0)),
    "amplifier restarts": (restarting(4000.0, 12.0, 60.0), drifting(9000.0, 20.0)),
    "both restart": (restarting(4000.0, 12.0, 60.0), restarting(7000.0, 1e6, -60.0, T0 + 900.0)),
}


def test_only_markers_around_a_reset_are_in_doubt_however_far_the_clock_was_set(tmp_path: Path) -> None:
    def clock(t: np.ndarray) -> np.ndarray:
        return np.select([t < T0 + 200.0, t < T0 + 400.0], [t + 777.0, t - T0 + 12.0], t - T0 - 380.0)

    path = write(tmp_path / "a.xdf", session(drifting(T0, 0.0), clock, span_s=600.0))
    (said,) = (note for note in open_recording(path).notes if "was reset" in note)
    number = re.search(r"times of the (\d+) markers in between may be wrong", said)
    assert number is not None
    assert 2 <= int(number[1]) <= 4  # one in ten seconds, five seconds between offsets, two resets


def synced(path: Path) -> dict[str, tuple[list, np.ndarray]]:
    """What pyxdf makes of a file: values and times on the recorder's clock, by name."""
    import pyxdf

    logging.disable(logging.CRITICAL)
    try:
        streams, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    finally:
        logging.disable(logging.NOTSET)
    return {s["info"]["name"][0]: (s["time_series"], s["time_stamps"]) for s in streams}


def cue_error_s(path: Path) -> float:
    """How far the cues of a recording are placed from the sample that was made when they were sent, at most."""
    found = open_recording(path)
    signal, markers = found.signals[0], found.markers[0]
    at = times_on(signal, markers)
    # Where in the signal a cue belongs is known by its text.
    true = np.array([float(text) for text in markers.texts])
    samples = T0 + np.arange(len(signal.stamps)) / signal.info.rate_hz
    return float(np.abs(np.interp(at, signal.stamps, samples) - true).max())


@pytest.mark.parametrize("world", WORLDS)
def test_recordings_as_labrecorder_writes_them_are_read_within_a_millisecond_of_the_truth(tmp_path: Path, world: str) -> None:
    assert cue_error_s(write(tmp_path / "a.xdf", session(*WORLDS[world]))) < 1e-3


@pytest.mark.parametrize("world", ["drift", "days apart", "screen restarts"])
def test_recordings_as_labrecorder_writes_them_are_read_within_2_ms_of_pyxdf(tmp_path: Path, world: str) -> None:
    path = write(tmp_path / "a.xdf", session(*WORLDS[world]))
    file = read_xdf(path)
    clocks, _ = clocks_of(file)
    for name, (_, times) in synced(path).items():
        stream = file.stream(name)
        assert np.abs(clocks[stream.id].to_recorder(stream.stamps) - times).max() < 2e-3


@pytest.mark.parametrize("world", WORLDS)
def test_recordings_of_before_with_times_on_the_recorders_clock_are_recognised_and_read_right(tmp_path: Path, world: str) -> None:
    path = write(tmp_path / "a.xdf", session(*WORLDS[world]), on_sender=False, writer="bci")
    file = read_xdf(path)
    assert not on_sender(file.header, file.streams)
    assert cue_error_s(path) < 1e-3


def test_a_recording_of_before_that_was_never_closed_is_recognised_by_where_its_stamps_lie(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf", session(*WORLDS["drift"]), on_sender=False)
    path.write_bytes(path.read_bytes()[:-3000])
    assert cue_error_s(path) < 1e-3


@pytest.mark.parametrize("sender", [True, False])
def test_what_is_salvaged_keeps_its_times(tmp_path: Path, sender: bool) -> None:
    path = write(tmp_path / "a.xdf", session(*WORLDS["drift"], span_s=600.0), on_sender=sender)
    assert cue_error_s(salvage(path).path) < 1e-3


def test_streams_of_one_computer_keep_the_very_distance_of_their_stamps(tmp_path: Path) -> None:
    clock = drifting(9000.0, 60.0)
    amp, cues = session(clock, clock, span_s=300.0)
    cues.host = amp.host
    found = open_recording(write(tmp_path / "a.xdf", [amp, cues]))
    np.testing.assert_array_equal(times_on(found.signals[0], found.markers[0]), cues.stamps)


def test_a_stream_whose_offset_was_never_measured_takes_that_of_its_computer(tmp_path: Path) -> None:
    amp, cues = session(*WORLDS["drift"], span_s=600.0)
    other = Sent("Keys", cues.host, cues.clock, cues.true_s)
    path = write(tmp_path / "a.xdf", [amp, other, cues])
    assert cue_error_s(path) < 1e-3
    assert not [n for n in open_recording(path).notes if "Keys" in n]


def test_a_stream_of_an_unknown_clock_among_known_ones_is_said(tmp_path: Path) -> None:
    amp, cues = session(*WORLDS["drift"], span_s=600.0)
    cues.offsets_s, cues.noise_s = np.empty(0), 0.0
    notes = open_recording(write(tmp_path / "a.xdf", [amp, cues])).notes
    assert [n for n in notes if "'Cues' from computer 'lab-screen' has no clock offset" in n]


def test_two_computers_of_one_name_are_told_apart_by_their_offsets(tmp_path: Path) -> None:
    amp, cues = session(*WORLDS["drift"], span_s=600.0)
    amp.host = cues.host = "localhost"
    assert cue_error_s(write(tmp_path / "a.xdf", [amp, cues])) < 1e-3


class _Liblsl:
    """What an inlet asks of liblsl, of a sender whose clock is known."""

    def __init__(self, clock: VirtualClock, sender) -> None:
        self._clock, self._sender = clock, sender

    def time_correction(self, timeout_s: float) -> float:
        return self._clock.now() - float(self._sender(self._clock.now()))


class _Inlet:
    """A sender on another computer: each pull gives what was made since the last."""

    time_correction = LslRawInlet.time_correction

    def __init__(self, sent: Sent, clock: VirtualClock) -> None:
        self.header_xml, self._sent, self._clock, self._next = sent.header(), sent, clock, 0
        self._inlet = OffsetProbe(lambda: _Liblsl(clock, sent.clock))

    def pull(self, timeout_s: float):
        start, self._next = self._next, int(np.searchsorted(self._sent.true_s, self._clock.now(), side="right"))
        true, stamps = self._sent.true_s[start : self._next], self._sent.stamps[start : self._next]
        if not len(true):
            return None
        return (values(true) if self._sent.rate_hz else [[repr(t)] for t in true.tolist()]), stamps

    def close(self) -> None:
        pass


@pytest.fixture(scope="module", params=["drift", "days apart", "screen restarts"])
def ours(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two computers, recorded by our recorder for twenty minutes."""
    clock, path = VirtualClock(T0), tmp_path_factory.mktemp("ours") / "a.xdf"
    amplifier, stimuli = WORLDS[request.param]
    if request.param == "screen restarts":
        stimuli = restarting(4000.0, 12.0, 60.0, T0 + 600.0)
    recorder = Recorder(XdfWriter(path), clock, RecorderSettings(sync_every_s=1e9))
    for sent in session(amplifier, stimuli, span_s=1200.0):
        recorder.add(_Inlet(sent, clock), sent.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lsl_inlet.liblsl, "local_clock", clock.now)
        while clock.now() < T0 + 1200.0:
            recorder.poll()
            clock.wait_until(clock.now() + 1.0)
        recorder.stop()
    return path


def test_pyxdf_and_mne_line_up_our_streams_of_two_computers_within_2_ms(ours: Path) -> None:
    import mne

    found = synced(ours)
    texts, cues = found["Cues"]
    assert np.abs(cues - np.array([float(row[0]) for row in texts])).max() < 2e-3
    _, samples = found["Amp"]
    assert np.abs(samples - (T0 + np.arange(len(samples)) / 50.0)).max() < 2e-3
    raw = mne.io.RawArray(np.zeros((1, len(samples))), mne.create_info(1, 50.0, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations(cues - samples[0], 0.0, [row[0] for row in texts]))
    assert np.abs(raw.annotations.onset + T0 - [float(text) for text in raw.annotations.description]).max() < 2e-3


def test_what_we_export_has_its_events_where_they_were_for_mne_within_2_ms(ours: Path, tmp_path: Path) -> None:
    import mne

    assert main(["export", str(ours), "--out", str(tmp_path), "--no-source", "--set", "markers.table.x=x"]) == 0
    raw = mne.io.read_raw_brainvision(next(tmp_path.rglob("*.vhdr")), verbose="ERROR")
    (events,) = tmp_path.rglob("*_events.tsv")
    onsets = [float(row.split("\t")[0]) for row in events.read_text().splitlines()[1:]]
    true = np.array([float(row[0]) for row in synced(ours)["Cues"][0]]) - T0
    assert np.abs(np.array(onsets) - true).max() < 2e-3
    assert raw.annotations.onset[: len(onsets)] == pytest.approx(onsets, abs=1e-3)


def test_we_line_up_our_streams_of_two_computers_within_a_millisecond(ours: Path) -> None:
    file = read_xdf(ours)
    assert file.header["collection_times"] == "sender"
    assert cue_error_s(ours) < 1e-3


@real
@pytest.mark.parametrize(
    "name",
    [
        "labrecorder-mi/subjT_2022-04-07_run01.xdf",
        "muse-xdf/muse_P001_4streams_2023-09-22.xdf",
        "xdf-awkward/openbci_declared125_real50Hz.xdf",
        "xdf-reference/clock_resets.xdf",
        "xdf-reference/minimal.xdf",
    ],
)
def test_real_recordings_are_placed_where_pyxdf_places_them(name: str) -> None:
    import pyxdf

    file = read_xdf(DATA / name)
    clocks, _ = clocks_of(file)
    logging.disable(logging.CRITICAL)
    try:
        streams, _ = pyxdf.load_xdf(DATA / name, dejitter_timestamps=False)
    finally:
        logging.disable(logging.NOTSET)
    theirs = {s["info"]["stream_id"]: s["time_stamps"] for s in streams}
    for stream in file.streams:
        if len(stream):
            assert np.abs(clocks[stream.id].to_recorder(stream.stamps) - theirs[stream.id]).max() < 0.3e-3
