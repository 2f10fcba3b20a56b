"""The feature explorer through its widgets, on recordings of a simulated subject made on a virtual clock."""

from __future__ import annotations

import os
import signal
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from gui_rig import cut_off
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from bci.commands import main
from bci.config import load_config
from bci.engine.stream_info import Channel, StreamInfo
from bci.explore.suggestions import Suggestion
from bci.paradigm.timeline import short
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.stream.metadata import header_xml, text_info
from bci.stream.xdf.writer import XdfWriter
from bci.training.labelled import open_labelled
from bci.training.train import cross_validated, train
from devices.simulated import SimulatedSettings, SimulatedSubject
from gui.app import WindowOptions, make_context
from gui.context import Context
from gui.explorer.background_jobs import ExplorerJobs
from gui.explorer.explorer_window import ExplorerWindow
from gui.explorer.selection import Selection, SelectionHistory, toml_of
from gui.explorer.selection_form import parsed
from gui.explorer.values import ClassDifferences

# What is worked out beside a window gives way to everything else, and would never end beside tests that compute.
pytestmark = pytest.mark.alone

CLASSES = ("left_hand", "right_hand")
LEFT = Qt.MouseButton.LeftButton
MARKUP = "<img src=x><b>bold</b>"
FRAME_S = 1 / 20


def recorded(path: Path, per_class: int = 12, skill: float = 0.9) -> Path:
    clock = VirtualClock(1000.0)
    subject = SimulatedSubject(SimulatedSettings(seed=3, skill=skill, channels=8), clock)
    record_virtually(subject, clock, short(CLASSES, per_class, 3), path)
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four trials of a simulated subject who imagines well, eight channels."""
    return recorded(tmp_path_factory.mktemp("explorer") / "calibration.xdf")


@pytest.fixture(scope="module")
def opened(qapp: QApplication, recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExplorerWindow]:
    """The explorer with the recording open and looked at: one for all tests, because processes take seconds to start."""
    context = make_context(WindowOptions(settings=str(tmp_path_factory.mktemp("settings") / "w.ini"), recording=str(recording)))
    context.start()
    made = context.open("explorer")
    assert isinstance(made, ExplorerWindow)
    end = time.monotonic() + 60.0
    while not made.pictures.change and time.monotonic() < end:
        QTest.qWait(30)
    assert made.pictures.change, made.status.text()
    yield made
    context.close()


@pytest.fixture
def window(opened: ExplorerWindow) -> ExplorerWindow:
    """The window as it is after opening."""
    assert opened.opened is not None
    opened.resize(1280, 720)
    opened.activateWindow()  # shortcuts are the active window's
    assert QTest.qWaitForWindowActive(opened)
    opened.history = SelectionHistory(Selection.of(opened.opened.config))
    opened.table.forget()
    opened.table.rest()
    opened._show_selection()
    opened.pictures.point_at_best()
    opened.pictures.refresh()
    return opened


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 150.0) -> None:
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


def retrained(window: ExplorerWindow, qtbot: QtBot) -> None:
    before = len(window.table.compared)
    qtbot.mouseClick(window.table.retrain, LEFT)
    until(qtbot, lambda: not window.fitting)
    assert len(window.table.compared) == before + 1, window.table.status.text()


def cell(window: ExplorerWindow, row: int, column: int) -> str:
    return window.table.table.item(row, column).text()


def now(window: ExplorerWindow) -> Selection:
    assert window.history is not None
    return window.history.now


def test_a_recording_shows_where_its_classes_differ(window: ExplorerWindow) -> None:
    assert "12 left_hand, 12 right_hand" in window.status.text()
    map_ = window.pictures.map
    channel, freq = map_.pointed_at
    assert map_.channels[channel] in ("C3", "C4", "CP3", "CP4", "FC3", "FC4")
    assert 8 <= map_.freqs_hz[freq] <= 13
    assert map_.values.shape == (8, len(map_.freqs_hz))
    assert list(window.pictures.erds.maps) == list(CLASSES)
    image = window.grab().toImage()
    colours = {image.pixel(x, y) for x in range(90, 500, 11) for y in range(70, 400, 11)}
    assert len(colours) > 20


def test_a_click_on_a_name_and_on_an_electrode_takes_channels_in_and_out(window: ExplorerWindow, qtbot: QtBot) -> None:
    rect = window.pictures.map.map_rect()
    lane = rect.height() / 8
    row = window.pictures.map.channels.index("C3")
    qtbot.mouseClick(window.pictures.map, LEFT, pos=QPoint(20, round(rect.top() + (row + 0.5) * lane)))
    assert now(window).channels == ("C3",)
    from gui.widgets.head import head_rect, place

    head, at = (
        head_rect(window.pictures.head.rect().toRectF()),
        window.pictures.head._places[window.pictures.head.labels.index("C4")],
    )
    qtbot.mouseClick(window.pictures.head, LEFT, pos=place(head, at).toPoint())
    assert set(now(window).channels) == {"C3", "C4"}
    assert "C3 C4" in window.chooser.channels.text()
    qtbot.mouseClick(window.chooser.every, LEFT)
    assert now(window).channels == ()


def test_an_average_over_few_channels_is_not_kept(window: ExplorerWindow) -> None:
    assert now(window).reference == "average"
    window.toggle("C3")
    assert now(window).reference == "none"
    window.undo()
    assert now(window).reference == "average"


def test_dragging_over_frequencies_makes_a_band_and_with_ctrl_one_more(window: ExplorerWindow, qtbot: QtBot) -> None:
    def drag(low_hz: float, high_hz: float, keys: Qt.KeyboardModifier) -> None:
        a, b = (QPoint(round(window.pictures.map.x_of(hz)), 60) for hz in (low_hz, high_hz))
        qtbot.mousePress(window.pictures.map, LEFT, keys, a)
        qtbot.mouseMove(window.pictures.map, (a + b) / 2)
        qtbot.mouseMove(window.pictures.map, b)
        qtbot.mouseRelease(window.pictures.map, LEFT, keys, b)

    drag(9, 13, Qt.KeyboardModifier.NoModifier)
    assert now(window).bands == ((9.0, 13.0),)
    drag(18, 24, Qt.KeyboardModifier.ControlModifier)
    assert now(window).bands == ((9.0, 13.0), (18.0, 24.0))
    assert window.chooser.bands.text() == "9–13, 18–24"
    drag(10, 12, Qt.KeyboardModifier.NoModifier)
    assert now(window).bands == ((10.0, 12.0),)


def test_a_click_moves_the_cursor_and_the_head_shows_that_frequency(window: ExplorerWindow, qtbot: QtBot) -> None:
    rect = window.pictures.map.map_rect()
    place = QPointF(window.pictures.map.x_of(34.0), rect.top() + 2.5 * rect.height() / 8)
    qtbot.mouseClick(window.pictures.map, LEFT, pos=place.toPoint())
    assert window.pictures.map.pointed_at[0] == 2
    assert window.pictures.map.freqs_hz[window.pictures.map.pointed_at[1]] == pytest.approx(34.0, abs=1.0)
    assert "34 Hz" in window.pictures.head_note.text()
    assert window.pictures.map.channels[2] in window.pictures.spectra_note.text()
    qtbot.keyClick(window.pictures.map, Qt.Key.Key_Down)
    qtbot.keyClick(window.pictures.map, Qt.Key.Key_Return)
    assert now(window).channels == (window.pictures.map.channels[3],)


def test_every_step_can_be_undone_and_done_again(window: ExplorerWindow, qtbot: QtBot) -> None:
    first = now(window)
    window.toggle("C3")
    window.take_band(9.0, 13.0)
    last = now(window)
    qtbot.mouseClick(window.chooser.undo, LEFT)
    qtbot.mouseClick(window.chooser.undo, LEFT)
    assert now(window) == first
    assert not window.chooser.undo.isEnabled()
    qtbot.mouseClick(window.chooser.redo, LEFT)
    qtbot.mouseClick(window.chooser.redo, LEFT)
    assert now(window) == last
    assert not window.chooser.redo.isEnabled()


def test_typed_bands_are_taken_and_nonsense_is_refused_in_words(window: ExplorerWindow, qtbot: QtBot) -> None:
    field = window.chooser.bands
    field.setText("8-12; 16–24 Hz")
    field.editingFinished.emit()
    assert now(window).bands == ((8.0, 12.0), (16.0, 24.0))
    field.setText(MARKUP)
    field.editingFinished.emit()
    assert now(window).bands == ((8.0, 12.0), (16.0, 24.0))
    assert "for instance" in window.chooser.note.text()
    assert parsed("13-8") is None


@pytest.mark.slow
def test_selections_are_judged_in_another_process_and_stand_side_by_side(
    window: ExplorerWindow, recording: Path, qtbot: QtBot
) -> None:
    retrained(window, qtbot)
    assert window.judge.pid not in (None, os.getpid(), window.looker.pid)
    window.take_suggestion(Suggestion(CLASSES, "C3", 10.0, 12.0, 11.0, 0.5, 0.01))
    retrained(window, qtbot)
    first, second = window.table.compared
    assert (first.selection.channels, second.selection.channels) == ((), ("C3",))
    assert second.among is not None
    assert cell(window, 0, 4) == f"{100 * first.own.accuracy:.0f} % of 24"
    assert "again inside each fold" in cell(window, 2, 0)
    words = window.table.warning.text()
    assert "looking at the same trials" in words
    assert window.table.warning.isVisible()
    window.table.table.cellDoubleClicked.emit(0, 0)
    assert now(window) == first.selection


@pytest.mark.slow
def test_the_number_is_that_of_the_code_that_judges_calibrations(window: ExplorerWindow, recording: Path, qtbot: QtBot) -> None:
    from bci.judging.candidates import expand
    from bci.judging.fits import Fits
    from bci.judging.nested import cross_val_predict, nested
    from bci.judging.settings import JudgeSettings
    from bci.judging.trials import cut_trials

    retrained(window, qtbot)
    config = window.opened.config  # type: ignore[union-attr]
    run = open_labelled(recording, config)
    (candidate,) = expand("one", [{"family": "ts-lr"}], run.info, config).candidates
    trials = cut_trials([run], config, candidate.bands, JudgeSettings())
    found = nested([cross_val_predict(Fits(trials), candidate)], trials.codes, trials.folds)
    own = window.table.compared[0].own
    assert (own.accuracy, own.low, own.high) == (found.accuracy, found.low, found.high)


@pytest.mark.alone
def test_the_window_goes_on_while_it_fits(window: ExplorerWindow, qtbot: QtBot) -> None:
    took: list[float] = []
    began = [0.0]

    def frame() -> None:
        window.pictures.map.repaint()
        took.append(time.thread_time() - began[0])
        began[0] = time.thread_time()

    window.select(replace(now(window), start_s=0.7))  # nothing of it has been computed before
    began[0] = time.thread_time()
    window._context.ticked.connect(frame)
    qtbot.mouseClick(window.table.retrain, LEFT)
    until(qtbot, lambda: not window.fitting)
    window._context.ticked.disconnect(frame)
    assert len(took) > 5
    assert sorted(took)[round(0.9 * len(took)) - 1] < FRAME_S


@pytest.mark.slow
def test_a_fit_can_be_given_up_and_one_whose_process_dies_is_told_and_can_be_asked_for_again(
    window: ExplorerWindow, qtbot: QtBot
) -> None:
    qtbot.mouseClick(window.table.retrain, LEFT)
    process = psutil.Process(window.judge.pid)
    assert window.table.cancel.isVisible()
    qtbot.mouseClick(window.table.cancel, LEFT)
    assert not process.is_running()
    assert not window.fitting
    qtbot.mouseClick(window.table.retrain, LEFT)
    os.kill(window.judge.pid, signal.SIGKILL)  # type: ignore[arg-type]
    until(qtbot, lambda: "ended with code" in window.table.status.text())
    retrained(window, qtbot)


@pytest.mark.slow
def test_a_saved_selection_is_what_bci_train_trains(
    window: ExplorerWindow, recording: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    window.toggle("C3")
    window.toggle("C4")
    window.take_band(9.0, 13.0)
    retrained(window, qtbot)
    path = tmp_path / "selection.toml"
    window.save(path)
    text = path.read_text()
    assert "too optimistic" in text
    assert tomllib.loads(text)["preprocessing"]["channels"] == ["C3", "C4"]
    config = load_config(path)
    trained = train([open_labelled(recording, config)], config)
    assert trained.model.preprocessing.labels == ("C3", "C4")
    assert trained.model.preprocessing.bands == ((9.0, 13.0),)
    correct, n = cross_validated(trained)
    assert n == window.table.compared[0].own.n
    assert abs(correct / n - window.table.compared[0].own.accuracy) < 0.2


def test_a_growing_recording_is_looked_at_again_when_it_has_grown(tmp_path: Path) -> None:
    whole, path = recorded(tmp_path / "whole.xdf", 6).read_bytes(), tmp_path / "growing.xdf"
    path.write_bytes(whole[: len(whole) // 2])
    work = ExplorerJobs()
    opened = work.open([path], "", lambda *_: None)
    assert 4 <= sum(opened.counts.values()) <= 8
    assert work.grown(path, "", opened.size, lambda *_: None) is None
    path.write_bytes(whole)
    assert work.grown(path, "", opened.size, lambda *_: None) == path
    assert work.open([path], "", lambda *_: None).counts == {"left_hand": 6, "right_hand": 6}


@pytest.mark.slow
def test_a_growing_session_is_followed_and_what_was_compared_stays(qapp: QApplication, tmp_path: Path, qtbot: QtBot) -> None:
    whole, path = recorded(tmp_path / "whole.xdf", 14).read_bytes(), tmp_path / "growing.xdf"
    path.write_bytes(whole[: len(whole) * 4 // 5])
    context = make_context(WindowOptions(settings=str(tmp_path / "w.ini"), recording=str(path)))
    context.start()
    made = context.open("explorer")
    assert isinstance(made, ExplorerWindow)
    until(qtbot, lambda: made.pictures.look is not None and not made.looker.busy)
    first = sum(made.opened.counts.values())  # type: ignore[union-attr]
    made.take_band(9.0, 13.0)
    retrained(made, qtbot)
    made._following.setInterval(200)
    qtbot.mouseClick(made.follow, LEFT)
    path.write_bytes(whole)
    until(qtbot, lambda: sum(made.opened.counts.values()) == 28 and made.fitting is False)  # type: ignore[union-attr]
    until(qtbot, lambda: not made.looker.busy and "14 left_hand, 14 right_hand" in made.status.text())
    assert first < 28
    assert now(made).bands == ((9.0, 13.0),)
    assert cell(made, 0, 4).endswith(f"of {first}")
    retrained_n = len(made.table.compared)
    qtbot.mouseClick(made.table.retrain, LEFT)
    until(qtbot, lambda: not made.fitting)
    assert len(made.table.compared) == retrained_n
    assert cell(made, 0, 4).endswith("of 28")
    context.close()


def test_several_recordings_of_one_person_are_explored_together(recording: Path) -> None:
    work = ExplorerJobs()
    opened = work.open([recording, recording], "", lambda *_: None)
    assert opened.counts == {"left_hand": 24, "right_hand": 24}
    look = work.look(Selection.of(opened.config), lambda *_: None)
    assert sorted(set(look.blocks.tolist())) == [0, 1]


@pytest.mark.slow
def test_looking_is_punished_by_the_honest_number(tmp_path: Path) -> None:
    """On trials without any difference, the selection that looks best is above chance, the nested choice is not."""
    work = ExplorerJobs()
    work.open([recorded(tmp_path / "chance.xdf", 14, skill=0.0)], "", lambda *_: None)
    first = Selection((), ((8.0, 30.0),), 0.5, 2.5, "csp-lda")
    look = work.look(first, lambda *_: None)
    assert isinstance(look, ClassDifferences)
    best = np.abs(look.found.power.r2[0])
    compared = [work.judge(first, lambda *_: None)]
    for flat in np.argsort(best, axis=None)[::-1][:5]:
        freq, channel = np.unravel_index(flat, best.shape)
        hz = float(look.found.freqs_hz[freq])
        one = replace(first, channels=(look.found.channels[channel],), bands=((max(4.0, hz - 2), hz + 2),), decoder="ts-lr")
        compared.append(work.judge(one, lambda *_: None))
    looked = max(c.own.accuracy for c in compared)
    among = compared[-1].among
    assert among is not None
    assert looked >= among.accuracy + 0.05
    assert among.low <= among.chance


@pytest.mark.slow
def test_names_that_want_to_be_markup_stay_text(context: Context, tmp_path: Path, qtbot: QtBot) -> None:
    path, rng = tmp_path / f"{MARKUP.replace('/', '')}.xdf", np.random.default_rng(0)
    labels = (f"C3{MARKUP}", "C4", "Cz", "Pz")
    info = StreamInfo(128.0, tuple(Channel(x, unit="uV") for x in labels), source_id="s", name=MARKUP)
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header_xml(info, "float32"))
        cues = writer.add_stream(header_xml(text_info(f"cues{MARKUP}", "Markers", "c"), "string"))
        stamps = 100.0 + np.arange(128 * 70) / 128.0
        writer.write(eeg, rng.normal(0, 10, (len(stamps), 4)).astype(np.float32), stamps)
        for i in range(12):
            writer.write(cues, [[f"{MARKUP}{i % 2}"]], np.array([104.0 + 5 * i]))
    config = tmp_path / "c.toml"
    config.write_text(f'[markers.table]\n"{MARKUP}0" = "{MARKUP}a"\n"{MARKUP}1" = "{MARKUP}b"\n')
    made = context.open("explorer")
    assert isinstance(made, ExplorerWindow)
    made.open(path, config)
    until(qtbot, lambda: made.pictures.look is not None and not made.looker.busy)
    made.toggle(labels[0])
    made.toggle(labels[1])
    retrained(made, qtbot)
    made.grab()
    assert MARKUP in made.status.text()
    assert MARKUP in made.chooser.channels.text()
    for label in made.findChildren(QLabel):
        assert label.textFormat() == Qt.TextFormat.PlainText or not GuiQt.mightBeRichText(label.text()), label.text()
    assert not [w.toolTip() for w in made.findChildren(QWidget) if "<img" in w.toolTip()]
    made.save(tmp_path / "s.toml")
    assert load_config(tmp_path / "s.toml").preprocessing.channels == labels[:2]


def test_a_recording_without_cues_is_refused_in_words(context: Context, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "none.xdf"
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header_xml(StreamInfo(128.0, (Channel("C3", unit="uV"),), source_id="s", name="s"), "float32"))
        writer.write(eeg, np.random.default_rng(0).normal(0, 10, (500, 1)).astype(np.float32), 1.0 + np.arange(500) / 128.0)
    made = context.open("explorer")
    assert isinstance(made, ExplorerWindow)
    made.open(path)
    until(qtbot, lambda: "no marker is a cue" in made.status.text())
    assert made.pictures.look is None


def test_undo_forgets_what_was_undone_once_something_else_is_done() -> None:
    one = Selection((), ((8.0, 30.0),), 0.5, 2.5, "ts-lr")
    history = SelectionHistory(one)
    other, third = replace(one, channels=("C3",)), replace(one, channels=("C4",))
    assert history.do(other)
    assert not history.do(other)
    history.undo()
    history.do(third)
    assert not history.can_redo
    assert history.undo() == one


def test_the_toml_of_a_selection_reads_back_the_same(tmp_path: Path) -> None:
    config = load_config(None, {"markers.table.769": 'a "quoted" \\ class', "stream.name": "x\ty\x7f"}, preset="motor-imagery")
    path = tmp_path / "c.toml"
    path.write_text(toml_of(config, "two\nlines"))
    again = load_config(path)
    for section in ("stream", "markers", "preprocessing", "trial", "decoder"):
        assert getattr(again, section) == getattr(config, section)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_cut_off_in_a_small_window(window: ExplorerWindow, theme: str, qtbot: QtBot) -> None:
    window._context.dress(theme)
    window.resize(1280, 720)
    qtbot.wait(100)
    assert (window.width(), window.height()) == (1280, 720)
    assert cut_off(window) == []


def test_a_recording_of_a_bids_folder_is_explored_with_the_events_that_stand_beside_it(tmp_path: Path) -> None:
    source = recorded(tmp_path / "sub-1_ses-1_task-mi_run-1_eeg.xdf", 6)
    table = ["--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand"]
    assert main(["export", str(source), "--out", str(tmp_path / "set"), "--no-source", *table]) == 0
    (exported,) = (tmp_path / "set").rglob("*_eeg.vhdr")
    config = tmp_path / "names.toml"
    config.write_text('[markers.table]\nleft_hand = "left_hand"\nright_hand = "right_hand"\n', encoding="utf-8")
    assert ExplorerJobs().open([exported], str(config), lambda *_: None).counts == {"left_hand": 6, "right_hand": 6}
