"""The replay window through its widgets, on the golden recording and on one that does not come out the same."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from gui_rig import cut_off
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from bci.config import load_config
from bci.engine.stream_info import Channel, StreamInfo
from bci.model.beside import find_model
from bci.model.file import load_model
from bci.model.fingerprint import fingerprint
from bci.paradigm.timeline import short
from bci.replay.recorded_session import read_session
from bci.replay.replay import differences, instead
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.stream.metadata import header_xml, text_info
from bci.stream.xdf.writer import XdfWriter
from bci.training.labelled import open_labelled
from bci.training.train import train, write_model
from devices.simulated import SimulatedSettings, SimulatedSubject
from gui.app import WindowOptions, make_context
from gui.context import Context
from gui.replay.background_jobs import ReplayJobs
from gui.replay.recording_strip import clock
from gui.replay.replay_window import ReplayWindow

# What is worked out beside a window gives way to everything else, and would never end beside tests that compute.
pytestmark = pytest.mark.alone

GOLDEN = Path(__file__).parents[2] / "recordings" / "golden" / "golden.xdf"
CLASSES = ("left_hand", "right_hand")
LEFT = Qt.MouseButton.LeftButton
MARKUP = "<img src=x><b>bold</b>"
FRAME_S = 1 / 20


def silent(what: str, share: float) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the same channels that decides otherwise now and then."""
    place, virtual = tmp_path_factory.mktemp("other"), VirtualClock(1000.0)
    subject = SimulatedSubject(SimulatedSettings(seed=9, skill=0.4, channels=8), virtual)
    record_virtually(subject, virtual, short(CLASSES, 6, 5), place / "c.xdf")
    config = load_config(None, {"markers.table.769": CLASSES[0], "markers.table.770": CLASSES[1], "trial.stop_s": "2.0"})
    write_model(place / "other.safetensors", train([open_labelled(place / "c.xdf", config)], config), config)
    return place / "other.safetensors"


@pytest.fixture(scope="module")
def opened(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplayWindow]:
    """The window with the golden recording open: one for all tests, because processes take seconds to start."""
    context = make_context(WindowOptions(settings=str(tmp_path_factory.mktemp("settings") / "w.ini"), recording=str(GOLDEN)))
    context.start()
    made = context.open("replay")
    assert isinstance(made, ReplayWindow)
    end = time.monotonic() + 60.0
    while made.opened is None and time.monotonic() < end:
        QTest.qWait(30)
    assert made.opened is not None, made.verdict.text()
    yield made
    context.close()


@pytest.fixture
def window(opened: ReplayWindow) -> ReplayWindow:
    """The window as it is after opening."""
    opened.resize(1280, 720)
    opened.activateWindow()  # shortcuts are the active window's
    assert QTest.qWaitForWindowActive(opened)
    opened.play.setChecked(False)
    opened.again = None
    opened.model.setCurrentIndex(0)
    opened._show_again()
    opened.go(opened.strip.begin_s)
    return opened


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 150.0) -> None:
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


def computed(window: ReplayWindow, qtbot: QtBot) -> None:
    qtbot.mouseClick(window.recompute, LEFT)
    until(qtbot, lambda: not window.worker.busy)
    assert window.again is not None, window.verdict.text()


def how_exactly() -> str:
    """How the golden session compares on this computer: to the bit where processor and libraries are those that recorded it."""
    here = read_session(GOLDEN).fingerprint == fingerprint(load_model(GOLDEN.with_name("golden_model.safetensors")).header.kernel)
    return "bit for bit" if here else "to 1e-09 (another processor or library than when it was recorded)"


def at(window: ReplayWindow) -> float:
    """Seconds from the beginning."""
    return window.time_s - window.strip.begin_s


def test_a_session_that_comes_out_the_same_is_verified_in_another_process(window: ReplayWindow, qtbot: QtBot) -> None:
    computed(window, qtbot)
    assert window.worker.pid not in (None, os.getpid())
    assert window.verdict.text() == f"● VERIFIED: 623 of 623 outcomes identical, {how_exactly()}"
    assert window.list.rowCount() == 0
    assert "came out the same" in window.note.text()
    window.go(window.strip.begin_s + 16.0)
    assert window.then.word.text() == window.now.word.text() == "left_hand"


def test_one_changed_bit_is_not_verified_and_a_click_goes_to_it(context: Context, tmp_path: Path, qtbot: QtBot) -> None:
    session = read_session(GOLDEN)
    path = tmp_path / "changed.xdf"
    raw = bytearray(GOLDEN.read_bytes())
    row = session.rows[300].tobytes()
    place = raw.find(row)
    assert place > 0
    raw[place + len(row) - 3] ^= 1  # in the last probability
    path.write_bytes(raw)
    shutil.copy(GOLDEN.with_name("golden_model.safetensors"), tmp_path)
    window = context.open("replay")
    assert isinstance(window, ReplayWindow)
    window.open(path)
    until(qtbot, lambda: window.opened is not None)
    computed(window, qtbot)
    assert window.verdict.text().startswith("■ NOT VERIFIED: 622 of 623")
    assert window.list.rowCount() == 1
    assert "evidence:right_hand" in window.list.item(0, 3).text()
    qtbot.mouseClick(window.list.viewport(), LEFT, pos=window.list.visualItemRect(window.list.item(0, 0)).center())
    assert window.time_s == session.rows[300][3]


def test_another_model_shows_both_decisions_and_lists_what_differs(window: ReplayWindow, other: Path, qtbot: QtBot) -> None:
    window.use_model(other)
    computed(window, qtbot)
    session = read_session(GOLDEN)
    own, model = find_model(GOLDEN, session.model), load_model(other)
    lines = differences(session.rows, own.header.classes, instead(session, model), model.header.classes)
    listed = window.again.differences  # type: ignore[union-attr]
    assert 0 < len(listed) == window.list.rowCount() < len(lines) == sum(d.windows for d in listed)
    assert f"{len(lines)} of 623 windows" in window.verdict.text()
    assert "VERIFIED" not in window.verdict.text()
    window.go(window.strip.begin_s)
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_N)
    first = listed[0]
    assert window.time_s == first.time_s
    assert (window.then.word.text(), window.now.word.text()) == (first.was, first.now)
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_N)
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    assert window.time_s == first.time_s


@pytest.mark.alone
def test_it_plays_at_the_speed_that_is_chosen_pauses_and_ends(window: ReplayWindow, qtbot: QtBot) -> None:
    assert [window.speed.itemText(i) for i in (0, 2)] == ["1/4 ×", "1 ×"]
    for speed in (4.0, 0.25):
        window.go(window.strip.begin_s)
        window.speed.setCurrentIndex(window.speed.findData(speed))
        qtbot.mouseClick(window.play, LEFT)
        began = time.monotonic()
        qtbot.wait(600)
        qtbot.mouseClick(window.play, LEFT)
        took = time.monotonic() - began
        assert speed * (took - 0.25) < at(window) < speed * (took + 0.25)
        here = window.time_s
        qtbot.wait(100)
        assert window.time_s == here
    window.speed.setCurrentIndex(window.speed.findData(math.inf))
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_P)
    until(qtbot, lambda: not window.play.isChecked(), 20.0)
    assert window.time_s == window.strip.end_s
    window.speed.setCurrentIndex(window.speed.findData(1.0))


def test_dragging_along_the_strip_scrubs_and_the_picture_follows(window: ReplayWindow, qtbot: QtBot) -> None:
    pictures = []
    for seconds in (6.0, 18.0, 12.0):
        place = QPoint(round(window.strip.x_of(window.strip.begin_s + seconds)), 50)
        if not pictures:
            qtbot.mousePress(window.strip, LEFT, pos=place)
        else:
            qtbot.mouseMove(window.strip, place)
        assert at(window) == pytest.approx(seconds, abs=0.05)
        window.view.grab()
        pictures.append(window.view._picture.pixels.copy())  # type: ignore[union-attr]
    qtbot.mouseRelease(window.strip, LEFT)
    assert not np.array_equal(pictures[0], pictures[1])
    assert window.signal.rows.total == pytest.approx(12.0 * 250, abs=15)  # type: ignore[union-attr]
    window.go(window.strip.begin_s + 6.0)
    window.view.grab()
    assert np.array_equal(window.view._picture.pixels.sum(), pictures[0].sum())  # type: ignore[union-attr]


def test_what_is_shown_is_what_was_recorded(window: ReplayWindow) -> None:
    raw = read_session(GOLDEN).raw
    window.go(math.inf)
    rows = window.signal.rows  # type: ignore[union-attr]
    place = np.round((raw.stamps - raw.stamps[0]) * 250).astype(int)
    assert rows.end == place[-1] + 1 > len(raw)  # some were lost on the way
    np.testing.assert_allclose(rows.rows(0, rows.end)[place], raw.data, rtol=1e-6)
    assert window.signal.time_of(place[1000]) == pytest.approx(raw.stamps[1000], abs=1e-3)  # type: ignore[union-attr]


@pytest.mark.alone
def test_it_paints_twenty_frames_a_second_while_it_computes(window: ReplayWindow, qtbot: QtBot) -> None:
    took: list[float] = []
    began = [time.thread_time()]

    def frame() -> None:
        window.view.repaint()
        window.strip.repaint()
        took.append(time.thread_time() - began[0])
        began[0] = time.thread_time()

    window.speed.setCurrentIndex(window.speed.findData(16.0))
    window.play.setChecked(True)
    window._context.ticked.connect(frame)
    qtbot.mouseClick(window.recompute, LEFT)
    until(qtbot, lambda: window.again is not None and len(took) > 20)
    window._context.ticked.disconnect(frame)
    window.speed.setCurrentIndex(window.speed.findData(1.0))
    print(f"\nframe: median {1e3 * np.median(took):.1f} ms, 90 % {1e3 * np.percentile(took, 90):.1f} ms of processor time")
    # Processor time of the thread that paints, so that other programs on the computer do not count.
    assert np.percentile(took, 90) < FRAME_S
    assert "VERIFIED" in window.verdict.text()


def test_computing_can_be_given_up_and_begun_again(window: ReplayWindow, qtbot: QtBot) -> None:
    qtbot.mouseClick(window.recompute, LEFT)
    process = psutil.Process(window.worker.pid)
    qtbot.mouseClick(window.cancel, LEFT)
    assert not process.is_running()
    assert window.again is None
    computed(window, qtbot)
    assert window.again.verified  # type: ignore[union-attr]


def test_a_recording_without_decisions_is_decoded_with_a_model_and_a_gap_is_a_gap(tmp_path: Path, other: Path) -> None:
    path, model = tmp_path / "eeg.xdf", load_model(other)
    labels, rng = model.header.preprocessing.labels, np.random.default_rng(0)
    info = StreamInfo(250.0, tuple(Channel(x, unit="uV") for x in labels), source_id="s", name="s")
    stamps = 100.0 + np.delete(np.arange(2500), np.arange(1200, 1500)) / 250.0
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header_xml(info, "float32"))
        writer.write(eeg, rng.normal(0, 10, (len(stamps), len(labels))).astype(np.float32), stamps)
    work = ReplayJobs()
    opened = work.open(path, tmp_path, silent)
    rows = np.load(opened.signal)
    assert opened.recorded is None
    assert len(rows) == 2500
    blank = np.flatnonzero(np.isnan(rows[:, 0]))
    assert len(blank) == 300
    assert abs(blank[0] - 1200) < 13  # without a sample clock a gap is found where chunks meet
    found = work.again(other, silent)
    assert found.verified is None
    assert len(found.track.times_s) > 100


def test_a_file_that_is_no_recording_is_refused_in_words(context: Context, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "x.xdf"
    path.write_bytes(b"no")
    window = context.open("replay")
    assert isinstance(window, ReplayWindow)
    window.open(path)
    until(qtbot, lambda: str(path) in window.verdict.text())
    assert window.opened is None
    window.compute()
    assert not window.worker.busy


def test_names_that_want_to_be_markup_stay_text(context: Context, tmp_path: Path, qtbot: QtBot) -> None:
    path, rng = tmp_path / f"{MARKUP.replace('/', '')}.xdf", np.random.default_rng(0)
    info = StreamInfo(125.0, tuple(Channel(x, unit="uV") for x in (f"C3{MARKUP}", "C4")), source_id="s", name=MARKUP)
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header_xml(info, "float32"))
        cues = writer.add_stream(header_xml(text_info(MARKUP, "Markers", "c"), "string"))
        writer.write(eeg, rng.normal(0, 10, (1500, 2)).astype(np.float32), 100.0 + np.arange(1500) / 125.0)
        writer.write(cues, [[MARKUP], [f"{MARKUP}2"]], np.array([104.0, 105.0]))
    window = context.open("replay")
    assert isinstance(window, ReplayWindow)
    window.open(path)
    until(qtbot, lambda: window.opened is not None)
    window.go(math.inf)
    window.grab()
    assert MARKUP.replace("/", "") in window.name.text()
    for label in window.findChildren(QLabel):
        assert label.textFormat() == Qt.TextFormat.PlainText or not GuiQt.mightBeRichText(label.text()), label.text()
    assert not [w.toolTip() for w in window.findChildren(QWidget) if "<img" in w.toolTip()]


def test_the_copy_of_the_signal_goes_with_the_window(context: Context, qtbot: QtBot) -> None:
    window = context.open("replay")
    assert isinstance(window, ReplayWindow)
    window.open(GOLDEN)
    until(qtbot, lambda: window.opened is not None)
    place, pid = window.opened.signal, window.worker.pid  # type: ignore[union-attr]
    assert place.exists()
    window.close()
    assert not place.exists()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_times_are_counted_from_the_beginning() -> None:
    assert (clock(0), clock(65.25, True), clock(3725)) == ("0:00", "1:05.2", "1:02:05")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_cut_off_in_a_small_window(window: ReplayWindow, theme: str, qtbot: QtBot) -> None:
    window._context.dress(theme)
    window.resize(1280, 720)
    qtbot.wait(100)
    assert (window.width(), window.height()) == (1280, 720)
    assert cut_off(window) == []
