"""A stream that was asked for is there, or the command says so: never passed over, and nothing half-made is left."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from eeg_sender import amplifier
from session_rig import save_a_model

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import StreamAmbiguous, StreamMismatch, StreamNotFound
from bci.session.asked_for import markers_there
from bci.stream.lsl import LslOutlet, LslTextOutlet, StreamQuery
from bci.stream.lsl.discovery import find_each, markers_among, resolve
from bci.stream.lsl.late_markers import LateMarkers
from bci.stream.xdf.reader import read_xdf

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
EIGHT = tuple(Channel(x, "AUX") for x in ("Fz", "C3", "Cz", "C4", "CP3", "CP4", "P3", "P4"))


@pytest.fixture
def name() -> str:
    """Unlike that of any other stream."""
    return f"n{uuid.uuid4().hex[:8]}"


@pytest.fixture
def cues(name: str) -> Iterator[LslTextOutlet]:
    """A stream of markers with a comma and a quote in its name."""
    outlet = LslTextOutlet(f"{name}, it's cues", "Markers", f"{name}-cues")
    yield outlet
    outlet.close()


@pytest.fixture
def amp(name: str) -> Iterator[LslOutlet]:
    """EEG as OpenViBE sends it, of the same device as the markers."""
    outlet = LslOutlet(StreamInfo(250.0, EIGHT, source_id=f"{name}-cues", name=name, type="signal"))
    yield outlet
    outlet.close()


@pytest.mark.usefixtures("amp")
@pytest.mark.parametrize("text", ["{n}, it's cues", "{n}-cues", "type=markers", 'name="{n}, it\'s cues",host=*'])
def test_markers_are_named_by_any_query_and_a_signal_that_matches_too_is_none(name: str, cues: LslTextOutlet, text: str) -> None:
    query = StreamQuery.parse(text.format(n=name))
    (found,) = find_each([query], 5.0)
    assert f"{name}, it's cues" in [s.name for s in markers_among(query, found, 5.0)]
    ears = LateMarkers(query)
    try:
        assert cues.wait_for_consumers(10.0)
        cues.push("left")
        assert [text for text, _ in ears.pull(5.0)] == ["left"]
    finally:
        ears.close()


@pytest.mark.usefixtures("amp")
def test_a_signal_that_is_named_as_markers_is_refused(name: str) -> None:
    query = StreamQuery(name=name)
    (found,) = find_each([query], 5.0)
    with pytest.raises(StreamMismatch, match=rf"'{name}'.*is a signal.*as the stream of the markers"):
        markers_among(query, found, 5.0)


def test_markers_that_are_missing_are_refused_with_what_is_there_and_how_to_go_on(name: str, cues: LslTextOutlet) -> None:
    query = StreamQuery(anything=f"{name} cuez")
    (found,) = find_each([query], 0.0)
    with pytest.raises(StreamNotFound, match=rf"'{name} cuez'(.|\n)*{name}, it's cues(.|\n)*--without '{name} cuez'"):
        markers_there(query, found, 0.0, without=False)
    (told,) = markers_there(query, found, 0.0, without=True)
    assert "starts without markers" in told


@pytest.mark.usefixtures("amp", "cues")
def test_of_a_device_whose_streams_share_a_source_id_the_signal_is_decoded(name: str) -> None:
    with pytest.raises(StreamAmbiguous, match=rf"2 streams match(.|\n)*name={name}: (.|\n)*name=\"{name}, it's cues\": "):
        resolve(StreamQuery(source_id=f"{name}-cues"))
    assert resolve(StreamQuery(source_id=f"{name}-cues"), eeg=True).type == "signal"


def bci(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bci", *words], capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.slow
def test_a_session_without_the_markers_that_were_asked_for_begins_only_where_that_was_said(tmp_path: Path, name: str) -> None:
    model = save_a_model(tmp_path / "m.safetensors")
    words = ["run", "--model", str(model), "--stream", name, "--headless", "--set", "markers.stream=Cuez"]
    words += ["--set", f"engine.name={name}", "--set", "stream.timeout_s=2"]
    with amplifier(name, "--source-id", name):
        refused = bci(*words, "--out", str(tmp_path / "refused"))
        other = bci(*words, "--out", str(tmp_path / "other"), "--without", "Cues")
        went_on = bci(*words, "--out", str(tmp_path / "on"), "--without", "Cuez", "--seconds", "2", "--json")
    assert (refused.returncode, other.returncode, went_on.returncode) == (3, 2, 0), (refused.stderr, other.stderr, went_on.stderr)
    assert re.search(r"'Cuez'(.|\n)*--without Cuez", refused.stderr)
    assert "'Cuez'" in other.stderr
    assert not (tmp_path / "refused").exists()
    assert "starts without markers" in went_on.stderr
    file = read_xdf(json.loads(went_on.stdout)["recording"])
    assert "<without>Cuez</without>" in file.stream(f"{name}-events").header_xml


@pytest.mark.slow
def test_a_session_whose_engine_refuses_the_stream_says_so_once(tmp_path: Path, name: str) -> None:
    model = save_a_model(tmp_path / "m.safetensors")
    words = [
        "--model",
        str(model),
        "--stream",
        name,
        "--headless",
        "--set",
        f"engine.name={name}",
        "--out",
        str(tmp_path / "out"),
    ]
    with amplifier(name, "--source-id", name, "--scale", "1e-6"):
        refused = bci("run", *words)
    assert refused.returncode == 9
    assert refused.stderr.count("engine ended with code 3") == 1
    assert refused.stderr.count("unit: the signal is") == 1
