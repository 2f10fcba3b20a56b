"""Markers of another clock are found, and said with the clock that it is likely to be; nothing is shifted in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from two_computers import session, write

from bci.commands import main
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import BciError, RecordingError
from bci.stream.clocks.clock_map import ClockMap
from bci.stream.clocks.foreign_clock import other_clocks, refuse_elsewhere
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal, times_on
from bci.stream.recording import RecordedStreams

RATE, BEGAN_S, CUES = 100.0, 5000.0, 10.0 + 5.0 * np.arange(24)


def recording(stamps: np.ndarray, clock: ClockMap | None = None, began_s: float = BEGAN_S) -> RecordedStreams:
    """A signal of 130 s and a stream of markers."""
    info = StreamInfo(RATE, (Channel("C3", unit="uV"),), name="Amp")
    signal = RecordedSignal(info, np.zeros((13000, 1)), began_s + np.arange(13000) / RATE, ClockMap.constant(0.0))
    markers = RecordedMarkers("Cues", ("left",) * len(stamps), stamps, clock or ClockMap.constant(0.0))
    return RecordedStreams(Path("a.xdf"), (signal,), (markers,), "")


def told(found: RecordedStreams) -> str:
    return "\n".join(other_clocks(found, found.signals[0]))


@pytest.mark.parametrize(
    ("stamps", "words"),
    [
        (1.7e9 + CUES, ["Unix time in seconds", "2023-11-14"]),
        (1.7e12 + 1e3 * CUES, ["Unix time in milliseconds"]),
        (1.7e18 + 1e9 * CUES, ["Unix time in nanoseconds"]),
        (1e3 * (BEGAN_S + CUES), ["milliseconds instead of seconds"]),
        (1e6 * (BEGAN_S + CUES), ["microseconds instead of seconds"]),
        (CUES, ["seconds since a program began"]),
        (1e3 * CUES[:15], ["milliseconds since a program began"]),
        (4.32e5 + CUES, ["another clock"]),
        (BEGAN_S - 200.0 + 0.2 * CUES, ["before the recording began"]),
        (BEGAN_S + 200.0 + CUES, ["after the recording ended"]),
    ],
)
def test_markers_of_another_clock_are_told_with_the_clock_it_is_likely_to_be(stamps: np.ndarray, words: list[str]) -> None:
    text = told(recording(stamps))
    for word in ["stream 'Cues'", "'Amp' runs from 5000.000 to 5129.990 s", f"{stamps.min():.3f}", *words]:
        assert word in text
    assert ("Nothing was shifted" in text) == ("the recording" not in words[0])


def test_a_signal_that_is_stamped_with_unix_time_is_the_one_that_is_told() -> None:
    assert "The signal is stamped with Unix time" in told(recording(BEGAN_S + CUES, began_s=1.7e9))


def test_two_clocks_without_offsets_may_be_two_computers() -> None:
    found = recording(9e4 + CUES)
    markers = replace(found.markers[0], clock=ClockMap())
    assert "no clock offset" in told(replace(found, markers=(markers,)))


def test_cues_that_fit_are_told_nothing_even_where_some_came_before_or_after() -> None:
    assert not told(recording(BEGAN_S + CUES))
    assert not told(recording(BEGAN_S - 60.0 + CUES))
    assert not told(recording(np.array([])))
    assert not told(recording(500.0 + CUES, ClockMap.constant(BEGAN_S - 500.0)))
    assert not told(recording(np.array([np.nan])))


def test_cues_that_all_lie_elsewhere_are_refused_and_never_shifted() -> None:
    found = recording(1.7e9 + CUES)
    signal, markers = found.signals[0], found.markers[0]
    np.testing.assert_array_equal(times_on(signal, markers), markers.stamps)
    with pytest.raises(RecordingError, match=r"a\.xdf: stream 'Cues': all 24 markers lie outside"):
        refuse_elsewhere(found, signal, times_on(signal, markers))
    refuse_elsewhere(found, signal, signal.stamps[:3])


def test_what_our_own_processes_say_is_not_judged() -> None:
    found = recording(1.7e9 + CUES)
    assert not told(replace(found, markers=(replace(found.markers[0], type="BCI-Event"),)))


def written(path: Path) -> Path:
    """A file whose cues are stamped with Unix time."""
    amp, cues = session(lambda t: t, lambda t: t + 1.2e9, span_s=120.0)
    return write(path, [amp, replace(cues, offsets_s=np.empty(0), noise_s=0.0, texts=("left",) * 10)])


@pytest.mark.parametrize("command", ["info", "train", "judge", "export"])
def test_every_command_says_the_same_of_such_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    path = written(tmp_path / "a.xdf")
    table = [] if command == "info" else ["--set", "markers.table.left=left", "--set", "stream.unit=uV"]
    where = {"export": ["--out", str(tmp_path / "out")], "train": ["-o", str(tmp_path / "m.safetensors")]}
    try:
        code = main([command, str(path), *where.get(command, []), *table])
    except BciError as error:
        code, said = 5, str(error)
    else:
        said = "".join(capsys.readouterr())
    said = " ".join(said.split())
    assert said.count("stream 'Cues': all 10 markers lie outside the signal") == 1
    assert "Unix time in seconds" in said
    assert code == (5 if command in ("train", "judge") else 0)
