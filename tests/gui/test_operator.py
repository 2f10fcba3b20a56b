"""The operator window on real streams, used through its widgets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from gui_rig import LABELS, Ear, Engine, Subject, cut_off
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QTableWidgetItem
from pytestqt.qtbot import QtBot

from gui.context import Context
from gui.operator import OperatorWindow

pytestmark = pytest.mark.live

LEFT = Qt.MouseButton.LeftButton
Make = Callable[..., Subject]


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Wait for it."""
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


def has(context: Context, rows: int) -> bool:
    """Whether so much signal is there."""
    return context.feed.signal is not None and len(context.feed.signal.rows) > rows


def chip(window: OperatorWindow, name: str) -> str:
    """What the bar along the top says."""
    window.show_chips()
    return window.chips[name].text()


def test_the_only_eeg_stream_is_shown_by_itself_with_its_health(
    context: Context, window: OperatorWindow, subject: Make, qtbot: QtBot
) -> None:
    one = subject()
    until(qtbot, lambda: has(context, 600))
    assert context.feed.signal.info.labels == one.info.labels
    assert "250 Hz, 8 channels" in chip(window, "signal")
    assert "all good" in chip(window, "quality")
    window.traces.view.grab()
    assert window.traces.view._picture.pixels.any()


def test_a_loss_is_counted_and_a_silent_amplifier_is_told_and_taken_back(
    context: Context, window: OperatorWindow, subject: Make, qtbot: QtBot
) -> None:
    one = subject(source_id="amp-7")
    until(qtbot, lambda: has(context, 250))
    one.lose(100)
    until(qtbot, lambda: context.feed.signal.lost >= 100)
    store, before = context.feed.signal, context.feed.signal.received
    one.close()
    until(qtbot, lambda: "no data for" in chip(window, "signal"))
    assert "no data" in chip(window, "quality")
    subject(source_id="amp-7")
    until(qtbot, lambda: context.feed.signal.received > before + 250)
    assert context.feed.signal is store  # the past is still there
    assert "●" in chip(window, "signal")


def test_of_several_amplifiers_a_person_chooses(context: Context, window: OperatorWindow, subject: Make, qtbot: QtBot) -> None:
    subject(name="first")
    subject(name="second", labels=("A", "B"))
    panel = window.panels["streams"]
    table = panel.table

    def rows() -> dict[str, QTableWidgetItem]:
        panel.refresh()
        return {table.item(i, 0).text().split()[-1]: table.item(i, 0) for i in range(table.rowCount())}

    until(qtbot, lambda: {"first", "second"} <= set(rows()))
    item = rows()["second"]
    qtbot.mouseClick(table.viewport(), LEFT, pos=table.visualItemRect(item).center())
    until(qtbot, lambda: context.feed.signal is not None and context.feed.signal.info.labels == ("A", "B"))


def test_a_click_on_a_name_marks_the_channel_bad_and_a_second_one_good(
    context: Context, window: OperatorWindow, subject: Make, ear: Ear, qtbot: QtBot
) -> None:
    subject()
    until(qtbot, lambda: has(context, 250))
    view = window.traces.view
    place = QPoint(20, round(view.plot_rect().top() + 1.5 * view.plot_rect().height() / len(LABELS)))
    assert view.label_at(place) == "C3"
    qtbot.mouseClick(view, LEFT, pos=place)
    until(qtbot, lambda: len(ear.heard("mark")) == 1)
    assert "C3" in view.bad()
    qtbot.mouseClick(view, LEFT, pos=place)
    until(qtbot, lambda: len(ear.heard("mark")) == 2)
    assert [(m["labels"], m["bad"]) for m in ear.heard("mark")] == [(["C3"], True), (["C3"], False)]
    assert "C3" not in view.bad()


def test_pausing_holds_the_picture_and_scrolling_back_shows_the_past(
    context: Context, window: OperatorWindow, subject: Make, qtbot: QtBot
) -> None:
    subject()
    window.traces.length.setCurrentIndex(0)
    until(qtbot, lambda: has(context, 1000))
    qtbot.mouseClick(window.traces.hold, LEFT)
    view = window.traces.view
    held = view.paused_at
    view.grab()
    before, rows = view._picture.pixels.copy(), context.feed.signal.rows.total
    until(qtbot, lambda: context.feed.signal.rows.total > rows + 50)
    view.grab()
    assert view.paused_at == held
    np.testing.assert_array_equal(view._picture.pixels, before)
    view.scroll_pages(-0.5)
    view.grab()
    assert view.paused_at == held - 250
    assert (view._picture.pixels != before).any()
    qtbot.mouseClick(window.traces.hold, LEFT)
    assert view.paused_at is None


def test_what_comes_live_is_drawn_as_what_is_drawn_anew(
    context: Context, window: OperatorWindow, subject: Make, qtbot: QtBot
) -> None:
    subject()
    window.traces.length.setCurrentIndex(0)
    until(qtbot, lambda: has(context, 1200))
    view = window.traces.view
    view.grab()
    start = view._columns.total
    until(qtbot, lambda: view._columns.total > start + view._picture.pixels.shape[1] // 2)
    live, end, width = view._picture.pixels.copy(), view._columns.total, view._picture.pixels.shape[1]
    view.show_until(round((end + 1) * view._columns.rows_per_column))
    view.grab()
    shared = np.arange(end - width // 3, end - 2) % width
    assert live[:, shared].any()
    anew = view._picture.pixels[:, shared]
    assert (anew == live[:, shared]).mean() > 0.99  # a pixel more or less: the filter began elsewhere
    assert (np.roll(anew, 3, axis=1) == live[:, shared]).mean() < (anew == live[:, shared]).mean() - 0.05


def test_quality_names_the_bad_electrode_and_what_to_do(
    context: Context, window: OperatorWindow, subject: Make, qtbot: QtBot
) -> None:
    subject(flat=("Pz",), hum_uv={"C4": 80.0})
    panel = window.panels["quality"]

    def rows() -> list[str]:
        panel.refresh()
        return [" ".join(panel.table.item(i, j).text() for j in range(3)) for i in range(panel.table.rowCount())]

    until(qtbot, lambda: len(rows()) == 8 and "1 bad, 1 doubtful" in panel.summary.text())
    assert "Pz" in rows()[0]
    assert "plugged in" in rows()[0]
    assert "C4" in rows()[1]
    assert "mains hum" in rows()[1]
    window.docks["topography"].raise_()
    window.panels["topography"].refresh()
    window.panels["topography"].grab()
    assert window.panels["topography"].map._image is not None


def test_the_spectrum_reads_alpha_and_mains(context: Context, window: OperatorWindow, subject: Make, qtbot: QtBot) -> None:
    subject(hum_uv=dict.fromkeys(LABELS, 9.0))
    panel = window.panels["spectrum"]
    until(qtbot, lambda: has(context, 1000))
    panel.refresh()
    panel.channel.setCurrentIndex(panel.channel.findText("Oz"))
    panel.refresh()
    assert "alpha 10 Hz" in panel.alpha.text()
    assert float(panel.line.text().split(": ")[1].split()[0]) == pytest.approx(9.0, abs=1.5)


def joined(context: Context, engine: Engine) -> bool:
    """Whether the window reads all streams of the engine."""
    engine.state()
    feed = context.feed
    return {s.name for s in feed.streams if feed.joined(s.uid)} >= {f"bci-{x}" for x in (*engine.rows, *engine.texts)}


def test_the_decoder_panel_shows_decisions_and_counts_trials(
    context: Context, window: OperatorWindow, engine: Engine, qtbot: QtBot
) -> None:
    until(qtbot, lambda: joined(context, engine))
    panel = window.panels["decoder"]
    for k, (asked, p) in enumerate((("left", 0.9), ("right", 0.2), ("right", 0.7))):
        engine.say("events", "cue", code="1", **{"class": asked}, stamp=100.0 + 10 * k, consumed=0)
        until(qtbot, lambda n=k: context.feed.events_total > n)
        panel.refresh()
        engine.decide(1000 * k + 1, 0.5, 100.0 + 10 * k + 1)
        engine.decide(1000 * k + 2, p, 100.0 + 10 * k + 2.6)
    until(qtbot, lambda: panel.refresh() or panel.tally.n == 3)
    assert panel.tally.table.tolist() == [[1, 0], [1, 1]]
    assert panel.accuracy.text().startswith("2 of 3 correct: 67 %")
    assert panel.word.text() == "left"
    window.panels["latency"].refresh()
    assert window.panels["latency"]._values["age"].text() == "4.0 / 4.0 / 4.0 ms"


def test_trials_are_counted_though_the_timing_of_the_first_windows_was_never_heard(
    context: Context, window: OperatorWindow, engine: Engine, qtbot: QtBot
) -> None:
    """Outcomes and timing are two streams: on a busy computer one is joined seconds after the other."""
    until(qtbot, lambda: joined(context, engine))
    panel = window.panels["decoder"]
    engine.decide(1, 0.5, 99.0, timed=False)
    engine.say("events", "cue", code="1", **{"class": "left"}, stamp=100.0, consumed=0)
    until(qtbot, lambda: context.feed.events_total and context.feed.outcomes.total == 1)
    panel.refresh()
    engine.decide(2, 0.9, 102.6)
    until(qtbot, lambda: panel.refresh() or panel.tally.n == 1)
    assert panel.tally.table.tolist() == [[1, 0], [0, 0]]


def test_the_guard_is_told_in_words_and_armed_with_a_proof_that_is_not_the_token(
    context: Context, window: OperatorWindow, engine: Engine, ear: Ear, qtbot: QtBot
) -> None:
    panel = window.panels["guard"]
    panel.refresh()
    assert "NO ACTUATOR" in panel.state.text()
    until(qtbot, lambda: engine.guard("disarmed", "not armed yet") or panel.refresh() or "DISARMED" in panel.state.text())
    assert "not armed yet" in panel.why.text()
    assert not panel.arm.isEnabled()
    qtbot.keyClicks(panel.token, "s3cret")
    until(qtbot, lambda: engine.guard("disarmed") or panel.refresh() or panel.arm.isEnabled())  # a host tells all the time
    qtbot.mouseClick(panel.arm, LEFT)
    until(qtbot, lambda: ear.heard("stop_now"))
    context.tick()
    assert context.arming.pending  # not armed before the stop was heard, and the neutral after it confirmed
    engine.guard("safe", heard={"id": "unsigned:1"}, neutral="waiting")
    until(qtbot, lambda: context.feed.guard["hand"].neutral == "waiting")
    context.tick()
    assert context.arming.pending
    assert not ear.heard("arm")
    engine.guard("safe", heard={"id": "unsigned:1"}, neutral="confirmed")
    until(qtbot, lambda: ear.heard("arm"))
    assert ear.heard("arm")[0]["actuator"] == "hand"
    assert not any("s3cret" in text for text in ear.texts)
    for state in ("armed", "active", "hold", "safe"):
        until(qtbot, lambda s=state: engine.guard(s) or panel.refresh() or s.upper() in panel.state.text())
        assert state.upper() in chip(window, "guard")


def test_arming_waits_for_a_good_signal(context: Context, window: OperatorWindow, engine: Engine, qtbot: QtBot) -> None:
    panel = window.panels["guard"]
    panel.token.setText("s3cret")
    until(qtbot, lambda: engine.guard("disarmed", good_s=0.5) or panel.refresh() or "DISARMED" in panel.state.text())
    assert not panel.arm.isEnabled()
    assert "0.5 of 2 s" in panel.arm.toolTip()


def test_a_typed_note_goes_on_record(context: Context, window: OperatorWindow, ear: Ear, qtbot: QtBot) -> None:
    field = window.panels["session"].notes
    qtbot.keyClicks(field, "patient coughs")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    until(qtbot, lambda: ear.heard("note"))
    assert ear.heard("note")[0]["text"] == "patient coughs"
    assert field.text() == ""


def test_a_session_that_cannot_start_says_why(context: Context, window: OperatorWindow, qtbot: QtBot) -> None:
    panel = window.panels["session"]
    panel.subject.setText("P 1/..")
    qtbot.mouseClick(panel.start, LEFT)
    assert "letters and digits" in panel.status.text()
    panel.subject.setText("P001")
    panel.model.setText("nowhere.safetensors")
    qtbot.mouseClick(panel.start, LEFT)
    assert "Choose a model" in panel.status.text()
    assert not context.launcher.started


def test_the_arrangement_is_remembered_in_the_file_that_was_given(context: Context, window: OperatorWindow) -> None:
    window.docks["log"].hide()
    window.resize(1000, 640)
    window.close()
    again = OperatorWindow(context)
    assert again.docks["log"].isHidden()
    assert not again.docks["decoder"].isHidden()
    again.deleteLater()


def test_every_shortcut_is_listed(window: OperatorWindow) -> None:
    listed = {keys for keys, _ in window.shortcuts}
    used = {a.shortcut().toString() for a in window.actions() if not a.shortcut().isEmpty()}
    used |= {a.shortcut().toString() for a in window.traces.view.actions()}
    used |= {d.toggleViewAction().shortcut().toString() for d in window.docks.values()}
    assert used <= listed
    assert {"Esc", "Space"} <= listed
    dialog = window.show_shortcuts()
    assert listed <= {label.text() for label in dialog.findChildren(QLabel)}
    dialog.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_cut_off_in_a_small_window(context: Context, window: OperatorWindow, theme: str, qtbot: QtBot) -> None:
    context.dress(theme)
    window.resize(1280, 720)
    qtbot.wait(100)
    assert (window.width(), window.height()) == (1280, 720)
    assert cut_off(window) == []
