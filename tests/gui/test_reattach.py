"""Windows that come late, hang or die: nobody else notices, and the past is there when they come back (fault 35)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gui_rig import Engine, Subject
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from bci.recording.recorder import Recorder
from bci.stream.clock import LslClock
from bci.stream.lsl import LslMarkerInlet, LslRawInlet, LslTextOutlet, StreamQuery, resolve
from bci.stream.xdf.writer import XdfWriter
from gui.app import WindowOptions, make_context
from gui.context import Context
from gui.history import growing, tail
from gui.widgets.decoder import DecoderPanel

pytestmark = pytest.mark.live

COUNTED = {"BCI-Outcome", "BCI-Timing", "BCI-Event"}


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 20.0) -> None:
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


@pytest.fixture
def recorded(tmp_path: Path, subject: Callable[..., Subject]) -> Iterator[Path]:
    """A recording that grows while the test runs, of an amplifier and of markers."""
    subject(source_id="amp-9")
    markers = LslTextOutlet("cues", "Markers", "cues-9")
    path = tmp_path / "growing.xdf"
    recorder = Recorder(XdfWriter(path), LslClock())
    recorder.start()
    for query in (StreamQuery(source_id="amp-9"), StreamQuery(source_id="cues-9")):
        recorder.add(LslRawInlet(resolve(query, 10.0, settle_s=0)), str(query))
    for k in range(6):
        markers.push(f"cue {k}")
        time.sleep(0.5)
    yield path
    recorder.stop()
    markers.close()


def test_a_window_that_comes_late_shows_the_past_from_the_growing_recording(
    qapp: QApplication, recorded: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    context = make_context(WindowOptions(settings=str(tmp_path / "w.ini"), recording=str(recorded)))
    context.start()
    feed = context.feed
    until(qtbot, lambda: feed.signal is not None and feed.signal.generation > 0)
    until(qtbot, lambda: len(feed.markers) == 6)
    store = feed.signal
    assert len(store.rows) > store.received + 500
    data = store.rows.rows(store.rows.first, store.rows.total)
    whole = tail(recorded, 600)
    recording = next(p for p in whole if p.info.source_id == "amp-9")
    np.testing.assert_allclose(data[:500], recording.values[:500], rtol=1e-5)
    assert store.time_of(store.rows.first) == pytest.approx(recording.stamps[0], abs=0.02)
    assert np.isnan(data[:, 0]).mean() < 0.05
    assert [m.text for m in feed.markers] == [f"cue {k}" for k in range(6)]
    context.close()


def test_a_past_that_is_read_after_trials_were_counted_adds_its_own_and_counts_none_twice(
    context: Context, engine: Engine, tmp_path: Path, qtbot: QtBot
) -> None:
    path, feed, panel = tmp_path / "growing.xdf", context.feed, DecoderPanel(context)
    recorder = Recorder(XdfWriter(path), LslClock())
    recorder.start()
    for what in ("outcomes", "timing", "events"):
        source_id = (engine.rows | engine.texts)[what].info.source_id
        recorder.add(LslRawInlet(resolve(StreamQuery(source_id=source_id), 10.0, settle_s=0)), what)

    def trial(k: int, asked: str, p: float) -> None:
        engine.say("events", "cue", code="1", **{"class": asked}, stamp=100.0 + 10 * k, consumed=0)
        engine.decide(2 * k, 0.5, 100.0 + 10 * k + 1)
        engine.decide(2 * k + 1, p, 100.0 + 10 * k + 2.6)

    for k in range(3):
        trial(k, "left", 0.9)
    until(qtbot, lambda: _recorded_rows(path, "BCI-Timing") == 6)
    recorder.stop()
    until(qtbot, lambda: engine.state() or {s.type for s in feed.streams if feed.joined(s.uid)} >= COUNTED)
    trial(3, "right", 0.2)
    until(qtbot, lambda: (panel.refresh() or panel.tally.n == 1) and feed.events_total == 1)
    context.reader.pasts.put((feed.session.id, tail(path)))  # on a slow disk it comes that late
    until(qtbot, lambda: any("The past was read" in line.text for line in feed.log))
    until(qtbot, lambda: panel.refresh() or panel.tally.n >= 4)
    assert panel.tally.table.tolist() == [[3, 0], [0, 1]]


def _recorded_rows(path: Path, type_: str) -> int:
    return sum(len(past.stamps) for past in tail(path) if past.info.type == type_)


def test_the_growing_recording_is_found_in_a_folder_by_its_streams(recorded: Path) -> None:
    assert growing(recorded.parent, "amp-9") == recorded
    assert growing(recorded.parent, "somebody else's") is None


def test_only_the_end_of_a_recording_is_read(recorded: Path) -> None:
    past = next(p for p in tail(recorded, 0.5) if p.info.source_id == "amp-9")
    assert 0.5 <= past.stamps[-1] - past.stamps[0] < 1.5


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
def test_windows_give_way_to_the_engine_and_what_they_start_does_not() -> None:
    code = (
        "import os, psutil; from gui.app import give_way; from gui.launch import Launcher; one = Launcher(); give_way();"
        "child = one.start('subject', ('stream', 'simulated')); nice = psutil.Process(child.process.pid).nice();"
        "one.close(); print(os.nice(0), nice)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    before = os.nice(0)
    assert found == [str(min(19, before + 10)), str(before)]


@pytest.mark.alone
@pytest.mark.slow
def test_a_window_that_is_frozen_stops_saying_that_it_watches_and_one_that_is_killed_can_be_opened_again(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bci", "gui", "operator", "--settings", str(tmp_path / "w.ini"), "--recording", str(tmp_path)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    window = subprocess.Popen(words, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"}, **quiet)  # type: ignore[call-overload]
    try:
        ear = LslMarkerInlet(resolve(StreamQuery(type="BCI-Control"), 30.0, settle_s=0))
        assert _lives(ear)
        os.kill(window.pid, signal.SIGSTOP)
        _watching(ear, 0.5)
        assert _watching(ear, 1.5) == 0
        os.kill(window.pid, signal.SIGCONT)
        assert _lives(ear)
    finally:
        window.kill()
        window.wait()
    again = subprocess.Popen(words, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"}, **quiet)  # type: ignore[call-overload]
    try:
        time.sleep(1.0)
        other = LslMarkerInlet(resolve(StreamQuery(type="BCI-Control"), 30.0, settle_s=0))
        assert _lives(other)
        other.close()
    finally:
        again.terminate()
        assert again.wait(10) == 0


def _lives(ear: LslMarkerInlet) -> bool:
    """Whether signs of life come several times a second, once the window is there."""
    return any(_watching(ear, 1.0) >= 3 for _ in range(20))


def _watching(ear: LslMarkerInlet, seconds: float) -> int:
    """Signs of life within so many seconds."""
    end, n = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        n += sum('"watching"' in text for text, _ in ear.pull(0.1))
    return n
