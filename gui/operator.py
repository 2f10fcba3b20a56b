"""The operator window: all information on a session, all actions by mouse or key."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QDockWidget, QFrame, QGridLayout, QHBoxLayout, QMainWindow, QMenuBar, QVBoxLayout, QWidget

from bci.errors import BciError
from gui.context import Context, Panel
from gui.sanitise import sanitise
from gui.text import Label
from gui.widgets.decoder import DecoderPanel
from gui.widgets.guard import STATES, GuardPanel, guard_state, stop_button
from gui.widgets.latency import LatencyPanel
from gui.widgets.log import LogPanel
from gui.widgets.quality import QualityPanel
from gui.widgets.session import PHASES, SessionPanel
from gui.widgets.spectrum import SpectrumPanel
from gui.widgets.streams import StreamsPanel, health
from gui.widgets.topography import TopographyPanel
from gui.widgets.traces import TracesPanel

LAYOUT = 1
"""Increased when panels change, so that a remembered older arrangement is not used."""

LEAST_LEFT_PX, LEAST_RIGHT_PX = 212, 256
LEFT, RIGHT, BOTTOM = (
    Qt.DockWidgetArea.LeftDockWidgetArea,
    Qt.DockWidgetArea.RightDockWidgetArea,
    Qt.DockWidgetArea.BottomDockWidgetArea,
)
DOCKS = (
    ("session", SessionPanel, LEFT),
    ("streams", StreamsPanel, LEFT),
    ("guard", GuardPanel, RIGHT),
    ("decoder", DecoderPanel, RIGHT),
    ("quality", QualityPanel, BOTTOM),
    ("topography", TopographyPanel, BOTTOM),
    ("spectrum", SpectrumPanel, BOTTOM),
    ("latency", LatencyPanel, BOTTOM),
    ("log", LogPanel, BOTTOM),
)
SIGN = {"good": "●", "warn": "▲", "bad": "■", "none": "○"}


class OperatorWindow(QMainWindow):
    """Signals in the middle, movable panels around them, and the most important states along the top.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    panels : dict
        By name: ``traces``, ``session``, ``streams``, ``guard``, ``decoder``, ``quality``, ``topography``, ``spectrum``,
        ``latency``, ``log``.
    """

    TITLE = "Operator"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._sized = QSize(0, 0)
        self._compact = False
        self.setWindowTitle("bci – operator")
        self.setDockNestingEnabled(True)
        self.panels: dict[str, Panel] = {}
        self.docks: dict[str, QDockWidget] = {}
        self.traces = TracesPanel(context)
        self.panels["traces"] = self.traces
        self.setCentralWidget(self.traces)
        self._make_bar()
        for name, make, area in DOCKS:
            self._dock(name, make(context), area)
        self.shortcuts: list[tuple[str, str]] = []
        self._make_menus()
        self.arrange()
        self._sized = self._restore()
        self.traces.view.setFocus()
        context.ticked.connect(self._tick)

    # --- parts

    def _make_bar(self) -> None:
        """Make the bar with the states of signal, quality, session and guard, and the emergency stop."""
        bar = QFrame()
        bar.setProperty("role", "bar")
        row = QHBoxLayout(bar)
        row.setContentsMargins(12, 6, 12, 6)
        row.setSpacing(22)
        self.chips: dict[str, Label] = {}
        for name in ("signal", "quality", "session", "guard"):
            column = QVBoxLayout()
            column.setSpacing(0)
            column.addWidget(Label(name, "muted"))
            self.chips[name] = Label("–", "value")
            column.addWidget(self.chips[name])
            row.addLayout(column)
        row.addStretch(1)
        self.stop = stop_button(self._context, "operator window")
        self.stop.setMinimumSize(QSize(220, 42))
        row.addWidget(self.stop)
        holder = QWidget()
        box = QVBoxLayout(holder)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        self._menu_place = box
        box.addWidget(bar)
        self.setMenuWidget(holder)

    def _dock(self, name: str, panel: QWidget, area: Qt.DockWidgetArea) -> None:
        dock = QDockWidget(str(getattr(panel, "TITLE", name)), self)
        dock.setObjectName(name)
        dock.setWidget(panel)
        self.addDockWidget(area, dock)
        self.docks[name] = dock
        self.panels[name] = panel  # type: ignore[assignment]

    def arrange(self) -> None:
        """Use the default arrangement of the panels."""
        self.setCorner(Qt.Corner.BottomLeftCorner, LEFT)
        self.setCorner(Qt.Corner.BottomRightCorner, RIGHT)
        for name, _, area in DOCKS:
            self.docks[name].setFloating(False)
            self.addDockWidget(area, self.docks[name])
            self.docks[name].show()
        self.splitDockWidget(self.docks["session"], self.docks["streams"], Qt.Orientation.Vertical)
        self.splitDockWidget(self.docks["guard"], self.docks["decoder"], Qt.Orientation.Vertical)
        self.splitDockWidget(self.docks["quality"], self.docks["spectrum"], Qt.Orientation.Horizontal)
        self.tabifyDockWidget(self.docks["quality"], self.docks["topography"])
        self.tabifyDockWidget(self.docks["spectrum"], self.docks["latency"])
        self.tabifyDockWidget(self.docks["latency"], self.docks["log"])
        self.docks["quality"].raise_()
        self.docks["spectrum"].raise_()
        self._size_docks()

    def compact(self) -> None:
        """Use the arrangement for a small window, as beside the participant's; it is not remembered."""
        self._compact = True
        for name in ("spectrum", "latency", "log"):
            self.tabifyDockWidget(self.docks["quality"], self.docks[name])
        self.docks["quality"].raise_()
        self._size_docks()

    def _size_docks(self) -> None:
        """Size the panels for the size of the window."""
        width, height = self.width(), max(self.height(), 720)
        left, right = max(LEAST_LEFT_PX, width * 20 // 100), max(LEAST_RIGHT_PX, width * 25 // 100)
        self.resizeDocks([self.docks["session"], self.docks["guard"]], [left, right], Qt.Orientation.Horizontal)
        if not self._compact:
            half = (width - left - right) // 2
            self.resizeDocks([self.docks["quality"], self.docks["spectrum"]], [half, half], Qt.Orientation.Horizontal)
        self.resizeDocks([self.docks["quality"]], [height * 31 // 100], Qt.Orientation.Vertical)
        self.resizeDocks(
            [self.docks["session"], self.docks["streams"]], [height * 55 // 100, height * 45 // 100], Qt.Orientation.Vertical
        )
        self.resizeDocks([self.docks["guard"], self.docks["decoder"]], [190, height - 290], Qt.Orientation.Vertical)

    def _make_menus(self) -> None:
        bar = self._menu_place.parentWidget()
        menus = QMenuBar(bar)
        menus.setObjectName("menus")
        self._menu_place.insertWidget(0, menus)
        view, go = menus.addMenu("View"), menus.addMenu("Windows")
        for name in self._context.names():
            if name != "operator":
                self._action(go, f"Open {name}", "", lambda _=False, n=name: self._open(n))
        for number, (name, _, _) in enumerate(DOCKS, start=1):
            toggle = self.docks[name].toggleViewAction()
            toggle.setText(self.docks[name].windowTitle())
            toggle.setShortcut(QKeySequence(f"Ctrl+{number}"))
            view.addAction(toggle)
            self.shortcuts.append((f"Ctrl+{number}", f"show or hide {self.docks[name].windowTitle().lower()}"))
        view.addSeparator()
        traces = self.traces
        for text, keys, do in (
            ("Switch between light and dark", "Ctrl+D", self.toggle_theme),
            ("Reset the arrangement", "Ctrl+0", self.arrange),
            ("Pause or go live", "P", traces.hold.toggle),
            ("Scroll back", "Left", lambda: traces.view.scroll_pages(-0.5)),
            ("Scroll forward", "Right", lambda: traces.view.scroll_pages(0.5)),
            ("Larger signals", "Up", lambda: traces.step_scale(-1)),
            ("Smaller signals", "Down", lambda: traces.step_scale(1)),
            ("Fit signals", "F", traces.fit_scale),
            ("Write a note", "Ctrl+N", self._to_notes),
            ("Therapist view", "Ctrl+T", lambda: self._open("therapist")),
            ("Shortcuts", "F1", self.show_shortcuts),
        ):
            self._action(view, text, keys, lambda _=False, f=do: f())
        self.shortcuts += [("Esc", "EMERGENCY STOP, in every window"), ("Space", "EMERGENCY STOP, unless a text field is active")]
        self.shortcuts += [("Enter", "press the button that has the focus"), ("Wheel", "scale of the signals")]
        self.shortcuts += [("Ctrl+Wheel", "length of the signals"), ("Shift+Wheel", "scroll back and forth")]

    def _action(self, menu: object, text: str, keys: str, do: Callable[..., object]) -> None:
        action = QAction(text, self)
        owner: QWidget = self
        if keys:
            action.setShortcut(QKeySequence(keys))
            self.shortcuts.append((keys, text.lower()))
        if keys in ("Left", "Right", "Up", "Down"):  # elsewhere these keys belong to lists and fields
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            owner = self.traces.view
        action.triggered.connect(do)
        owner.addAction(action)
        menu.addAction(action)  # type: ignore[attr-defined]

    # --- actions

    def toggle_theme(self) -> None:
        """Switch between light and dark."""
        self._context.dress("light" if self._context.palette.name == "dark" else "dark")

    def show_shortcuts(self) -> QDialog:
        """Show all shortcuts."""
        dialog = QDialog(self)
        dialog.setWindowTitle("Shortcuts")
        grid = QGridLayout(dialog)
        grid.setContentsMargins(20, 16, 20, 16)
        grid.setHorizontalSpacing(18)
        for i, (keys, text) in enumerate(self.shortcuts):
            grid.addWidget(Label(keys, "value"), i // 2, 2 * (i % 2))
            grid.addWidget(Label(text), i // 2, 2 * (i % 2) + 1)
        dialog.show()
        return dialog

    def _to_notes(self) -> None:
        self.docks["session"].show()
        self.docks["session"].raise_()
        self.panels["session"].notes.setFocus()  # type: ignore[attr-defined]

    def _open(self, name: str) -> None:
        try:
            self._context.open(name)
        except BciError as error:
            self._context.feed.say("bad", "window", str(error))

    # --- showing

    def _tick(self) -> None:
        if not self.isVisible() or self.isMinimized():
            return
        ticks = self._context.ticks
        for panel in self.panels.values():
            if ticks % panel.EVERY == 0 and not panel.visibleRegion().isEmpty():  # type: ignore[attr-defined]
                panel.refresh()
        if ticks % 3 == 0:
            self.show_chips()

    def refresh(self) -> None:
        """Update all panels at once."""
        for panel in self.panels.values():
            panel.refresh()
        self.show_chips()

    def show_chips(self) -> None:
        """Show the states of signal, quality, session and guard."""
        context = self._context
        level, words = health(context)
        self.chips["signal"].tell(f"{SIGN[level]} {words}", "muted" if level == "none" else level)
        self._show_quality_chip()
        phase = context.feed.session.phase(context.feed.now())
        role = {"running": "good", "lost": "bad", "silent": "bad", "none": "muted"}.get(phase, "value")
        self.chips["session"].tell(PHASES.get(phase, sanitise(phase, 20)), role)
        state, _ = guard_state(context)
        sign, word, _, role = STATES[state]
        self.chips["guard"].tell(f"{sign} {word}", role)

    def _show_quality_chip(self) -> None:
        feed = self._context.feed
        if feed.signal is None:
            self.chips["quality"].tell("–", "muted")
            return
        verdicts = self._context.analysis.verdicts(feed.signal, feed.session.bad)
        eeg = [v for v, c in zip(verdicts, feed.signal.info.channels, strict=True) if c.type == "EEG"]
        bad, warn = sum(v.level == "bad" for v in eeg), sum(v.level == "warn" for v in eeg)
        role = "bad" if bad else "warn" if warn else "none" if any(v.level == "none" for v in eeg) else "good"
        words = [f"{n} {word}" for n, word in ((bad, "bad"), (warn, "doubtful")) if n]
        self.chips["quality"].tell(
            f"{SIGN[role]} {', '.join(words) or ('no data' if role == 'none' else 'all good')}",
            "muted" if role == "none" else role,
        )

    # --- remembering

    def _restore(self) -> QSize:
        """Restore position and arrangement; return the size for which the panels are sized."""
        settings = self._context.settings
        geometry, state = settings.value("operator/geometry"), settings.value("operator/state")
        if not (isinstance(geometry, QByteArray) and self.restoreGeometry(geometry)):
            room = self.screen().availableGeometry().size()
            self.resize(min(1600, room.width() * 96 // 100), min(900, room.height() * 92 // 100))
        known = isinstance(state, QByteArray) and self.restoreState(state, LAYOUT)
        return self.size() if known else QSize(0, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Size the panels again if the size of the window has changed much."""
        super().resizeEvent(event)
        before, now = self._sized, event.size()
        if self.isVisible() and not 0.8 < now.width() * now.height() / max(1, before.width() * before.height()) < 1.25:
            self._sized = now
            QTimer.singleShot(0, self, self._size_docks)

    def showEvent(self, event: QShowEvent) -> None:
        """Size the panels, which is possible only now."""
        super().showEvent(event)
        if self._sized.isEmpty():
            self._sized = self.size()
            QTimer.singleShot(0, self, self._size_docks)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember the arrangement."""
        if not self._compact:
            self._context.settings.setValue("operator/geometry", self.saveGeometry())
            self._context.settings.setValue("operator/state", self.saveState(LAYOUT))
            self._context.settings.sync()
        super().closeEvent(event)
