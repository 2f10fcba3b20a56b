"""Names, labels and markers that want to be more than text (fault 47)."""

from __future__ import annotations

from collections.abc import Callable

import pylsl
import pytest
from gui_rig import LABELS, Engine, Subject
from PySide6.QtCore import Qt
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QLabel, QTableWidget, QWidget
from pytestqt.qtbot import QtBot

from bci.stream.lsl import LslOutlet, LslTextOutlet
from bci.stream.metadata import row_info
from gui.context import Context
from gui.operator import OperatorWindow

pytestmark = pytest.mark.live

MARKUP = "<img src=x><b>bold</b>"


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 20.0) -> None:
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


def pictures(tip: str) -> bool:
    """Whether a tool tip, taken as Qt takes it, would show a picture or bold letters of a stranger."""
    if not GuiQt.mightBeRichText(tip):
        return False
    document = QTextDocument()
    document.setHtml(tip)
    return "<img" in document.toHtml() or document.toPlainText().count("<b>") < tip.count("&lt;b&gt;")


def test_markup_in_names_labels_and_markers_is_shown_as_text_everywhere(
    context: Context, window: OperatorWindow, subject: Callable[..., Subject], qtbot: QtBot
) -> None:
    subject(name=f"amp{MARKUP}", labels=(f"C3{MARKUP}", *LABELS[1:]), flat=(f"C3{MARKUP}",))
    engine = Engine(classes=(f"left{MARKUP}", "right"))
    markers = LslTextOutlet("cues", "Markers", "cues-1")
    feed = context.feed

    def ready() -> bool:
        engine.state(bad={f"C3{MARKUP}": MARKUP})
        engine.guard("safe", why=MARKUP, actuator=MARKUP)
        engine.say("events", "note", text=MARKUP)
        engine.decide(1, 0.9, 1.0)
        markers.push(MARKUP)
        known = (feed.session.classes, feed.decisions, feed.guard, feed.markers, feed.session.bad, feed.signal)
        return all(known[:-1]) and feed.signal is not None and len(feed.signal.rows) > 600

    until(qtbot, ready)
    windows: list[QWidget] = [window, *(context.open(name) for name in ("therapist", "welcome", "wizard"))]
    for dock in window.docks.values():
        dock.raise_()
        window.refresh()
        window.grab()
    for top in windows:
        plain = [label for label in top.findChildren(QLabel) if label.textFormat() == Qt.TextFormat.PlainText]
        assert len(plain) > 1
        for label in top.findChildren(QLabel):
            assert label in plain or not GuiQt.mightBeRichText(label.text()), label.text()
        assert not [w.toolTip() for w in top.findChildren(QWidget) if pictures(w.toolTip())]
    for table in window.findChildren(QTableWidget):
        cells = [table.item(i, j) for i in range(table.rowCount()) for j in range(table.columnCount())]
        assert not [c.toolTip() for c in cells if c is not None and pictures(c.toolTip())]
    assert MARKUP in window.panels["decoder"].word.text()
    assert any(MARKUP in line.text for line in feed.log)
    markers.close()
    engine.close()


def test_a_hostile_stream_is_refused_in_words_and_the_window_lives_on(
    context: Context, window: OperatorWindow, qtbot: QtBot
) -> None:
    wrong = LslOutlet(
        row_info("bci-outcomes", "BCI-Outcome", "bci-outcomes-s9", ("a", "b")), bci={"classes": '["x"', "channels": "7"}
    )
    state = LslTextOutlet("bci-state", "BCI-State", "bci-state-s9")
    until(qtbot, lambda: any(line.source == "bci-state" for line in context.feed.log))
    head = '{"v": 1, "kind": "state", '
    for text in ("", "{", "[]", '{"v": 1, "kind": 5}', '{"v": 2, "kind": "state"}', "x" * 1_000_000):
        state.push(text)
    for rest in ('"bad": [1], "settings": 7, "phase": []}', '"consumed": "many", "rate_hz": {}}', '"bad": {"a": {}}}'):
        state.push(head + rest)
    until(qtbot, lambda: context.feed.senseless["bci-state"] == 9)
    assert context.feed.session.state is None
    state.push(head + '"bad": {"a": "flat"}, "what is new": [1]}')
    until(qtbot, lambda: context.feed.session.bad == {"a": "flat"})
    until(qtbot, lambda: any("not shown" in line.text for line in context.feed.log))  # once there is a state
    assert sum(line.source == "bci-state" and line.level == "warn" for line in context.feed.log) == 1
    window.panels["streams"].refresh()
    assert window.panels["streams"].values["messages"].text() == "9 invalid"
    window.refresh()
    window.grab()
    wrong.close()
    state.close()


def test_a_label_of_a_megabyte_is_refused_in_words_and_the_window_lives_on(
    context: Context, window: OperatorWindow, subject: Callable[..., Subject], qtbot: QtBot
) -> None:
    described = pylsl.StreamInfo("long", "EEG", 1, 250.0, "float32", "long-1")
    described.desc().append_child("channels").append_child("channel").append_child_value("label", f"C3{'<b>' * 350_000}")
    stranger = pylsl.StreamOutlet(described)
    until(qtbot, lambda: any(line.source == "long" and line.level != "info" for line in context.feed.log))
    assert max(len(line.text) for line in context.feed.log) < 1000
    for label in window.findChildren(QLabel):
        assert len(label.text()) < 1000
    del stranger
    subject()
    until(qtbot, lambda: context.feed.signal is not None and len(context.feed.signal.rows) > 250)
