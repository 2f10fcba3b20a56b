"""The guard panel: the guard's state in words, shape and colour; arm, disarm, emergency stop."""

from __future__ import annotations

import math

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from bci.actuation.arming import AT_REST, NOT_CONFIRMED
from gui.context import Context
from gui.message_values import GuardReport
from gui.sanitise import sanitise
from gui.text import Label

SILENT_S = 3.0
GOOD_S = 2.0
STATES = {
    "unconfirmed": ("✖", "NEUTRAL NOT CONFIRMED", "it may still move: switch off the device", "loud"),
    "disarmed": ("○", "DISARMED", "nothing can move", "muted"),
    "armed": ("◐", "ARMED", "the first decision moves it", "warn"),
    "active": ("●", "ACTIVE", "decisions move the actuator", "good"),
    "hold": ("❚❚", "HOLD", "neutral for now, continues by itself", "warn"),
    "safe": ("■", "SAFE", "stopped: a person must arm it again", "bad"),
    "silent": ("?", "SILENT", "the actuator's process does not answer", "bad"),
    "none": ("–", "NO ACTUATOR", "decisions move nothing", "muted"),
}


ORDER = ("unconfirmed", "silent", "safe", "hold", "active", "armed", "disarmed")
"""States, the worst first."""


def guard_state(context: Context, actuator: str | None = None) -> tuple[str, GuardReport | None]:
    """Return state and newest report of one actuator host, or of the one in the worst state.

    Parameters
    ----------
    context : Context
    actuator : str or None, optional
        Name of one actuator; None: the one in the worst state.
    """
    now = context.feed.now()
    found = [(_state(report, now), report) for name, report in context.feed.guard.items() if actuator in (None, name)]
    return min(found, key=lambda x: ORDER.index(x[0])) if found else ("none", None)


def _state(report: GuardReport, now: float) -> str:
    """Return the state of a host. An unconfirmed neutral goes before all others, also if the host is silent."""
    if report.neutral == NOT_CONFIRMED:
        return "unconfirmed"
    return report.state if report.state in ORDER and now - report.at <= SILENT_S else "silent"


def told(report: GuardReport | None) -> str:
    """Return the reason of the guard's state; empty if it gives none.

    Parameters
    ----------
    report : GuardReport or None
    """
    return "" if report is None else sanitise(report.why, 160)


def stop_button(context: Context, where: str) -> QPushButton:
    """Make a large button for the emergency stop.

    Parameters
    ----------
    context : Context
    where : str
        Name of the window, for the record.
    """
    button = QPushButton("EMERGENCY STOP   Esc")
    button.setProperty("role", "stop")
    button.setAccessibleName("emergency stop")
    button.setToolTip("Sends every actuator to neutral at once. Keys: Escape, or the space bar when no text field is active.")
    button.pressed.connect(lambda: context.emergency_stop(f"button in the {where}"))
    return button


class GuardPanel(QWidget):
    """The panel that shows and changes the state of the guard.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Guard"
    EVERY = 3

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._context = context
        self._look = ""
        self.actuator = QComboBox()
        self.actuator.setAccessibleName("actuator")
        self.actuator.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.state = Label("", "big")
        self.meaning = Label("", "muted", elastic=True)
        self.why = Label("", wrap=True)
        self.doubt = Label("", "bad", wrap=True)
        self.limits = Label("", "muted", elastic=True)
        self.token = QLineEdit(context.token)
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.setPlaceholderText("session token")
        self.token.setAccessibleName("session token, which arming needs")
        self.token.textChanged.connect(lambda text: setattr(context, "token", text.strip()))
        self.arm = QPushButton("Arm")
        self.arm.setProperty("role", "primary")
        self.arm.clicked.connect(self._arm)
        self.disarm = QPushButton("Disarm")
        self.disarm.clicked.connect(lambda: context.disarm("operator"))
        self._card = QFrame()
        self._card.setProperty("role", "card")
        self._lay_out()

    def _lay_out(self) -> None:
        inside = QVBoxLayout(self._card)
        inside.setContentsMargins(10, 6, 10, 6)
        inside.setSpacing(0)
        top = QHBoxLayout()
        top.addWidget(self.state, 1)
        top.addWidget(self.actuator)
        inside.addLayout(top)
        inside.addWidget(self.meaning)
        buttons = QHBoxLayout()
        buttons.addWidget(self.token, 2)
        buttons.addWidget(self.arm, 1)
        buttons.addWidget(self.disarm, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(8, 6, 8, 8)
        box.setSpacing(6)
        box.addWidget(self._card)
        box.addWidget(self.why)
        box.addWidget(self.doubt)
        box.addStretch(1)
        box.addWidget(self.limits)
        box.addLayout(buttons)

    def minimumSizeHint(self) -> QSize:
        """Return a height at which no line is covered at this width."""
        hint, layout = super().minimumSizeHint(), self.layout()
        return QSize(hint.width(), max(hint.height(), layout.minimumHeightForWidth(self.width()))) if layout is not None else hint

    def refresh(self) -> None:
        """Show the newest state."""
        self._list_actuators()
        chosen = self.actuator.currentData()
        state, report = guard_state(self._context, chosen)
        sign, word, meaning, role = STATES[state]
        self.state.tell(f"{sign} {word}")
        self.meaning.tell(meaning)
        self.limits.tell(_limits(report))
        why = told(report)
        self.why.tell(f"because: {why}" if why else "")
        self._show_doubt(report)
        self._show_arming(state, report)
        self._paint_card(state, role)

    def _show_doubt(self, report: GuardReport | None) -> None:
        """Show what could keep a stop from reaching the guard, and messages of others."""
        context, lines = self._context, [self._context.arming.line]
        if report is not None and not context.control.heard:
            lines.append(
                "No program receives what this window sends, so its emergency stop does not work. Use a switch at the device."
            )
        if report is not None and not report.ours:
            lines.append("This guard does not sign its messages, so it is not certain that it belongs to this session.")
        strangers = context.feed.strangers + (report.strangers if report is not None else 0)
        if strangers:
            lines.append(f"{strangers} messages or rows that do not belong to this session were ignored.")
        if context.feed.others:
            name, shown = sanitise(context.feed.name, 30), sanitise(context.feed.session.id, 20)
            lines.append(
                f"Several sessions are called {name}. This window shows and steers only {shown}. A stop stops all of them."
            )
        lines.append(context.control.problem)
        self.doubt.setVisible(any(lines))
        self.doubt.tell(" ".join(line for line in lines if line))

    def _list_actuators(self) -> None:
        names = tuple(sorted(self._context.feed.guard))
        if names != tuple(self.actuator.itemData(i) for i in range(self.actuator.count())):
            kept = self.actuator.currentData()
            self.actuator.clear()
            for name in names:
                self.actuator.addItem(sanitise(name, 16), name)
            self.actuator.setCurrentIndex(max(0, self.actuator.findData(kept)))
        self.actuator.setVisible(len(names) > 1)

    def _show_arming(self, state: str, report: GuardReport | None) -> None:
        """Show whether arming is possible; the host decides."""
        needed = report.settle_s if report is not None and math.isfinite(report.settle_s) else GOOD_S
        if state not in AT_REST:
            hint = {"none": "", "silent": "", "unconfirmed": "neutral is not confirmed"}.get(state, "it is already armed")
        elif not self._context.control.may("arm"):
            hint = "arming needs the session's key"
        elif not self._context.token:
            hint = "arming needs the session's token"
        elif report is not None and report.good_s < needed:
            hint = f"signal good for {report.good_s:.1f} of {needed:g} s"
        else:
            hint = ""
        self.arm.setEnabled(state in AT_REST and not hint and not self._context.arming.pending)
        self.arm.setToolTip(hint)
        self.disarm.setEnabled(state not in ("none", "disarmed"))
        if hint and not self.why.text():
            self.why.tell(hint if state != "active" else "")

    def _paint_card(self, state: str, role: str) -> None:
        """Paint the frame in the colour of the state; the whole card is red if the device may still move."""
        palette = self._context.palette
        ink = {"good": palette.good, "warn": palette.warn, "bad": palette.bad, "loud": palette.stop}.get(role, palette.muted)
        loud = state == "unconfirmed"
        ground, words = (f"background: {palette.stop};", "#ffffff") if loud else ("", palette.ink)
        look = f"QFrame {{ border: 2px solid {ink}; border-radius: 8px; {ground} }} QLabel {{ border: none; color: {words}; }}"
        if look != self._look:
            self._look = look
            self._card.setStyleSheet(look)
            self.state.setStyleSheet(
                f"color: {words if loud else ink}; border: none; font-size: {13 if loud else 17}pt; font-weight: 600;"
            )

    def _arm(self) -> None:
        _, report = guard_state(self._context, self.actuator.currentData())
        if report is not None and report.nonce and self._context.token:
            self._context.arming.begin(self._context.token, report, self._context.feed.now())


def _limits(report: GuardReport | None) -> str:
    """Return when the guard holds and when it stops, in one line."""
    if report is None or not (math.isfinite(report.stale_s) and math.isfinite(report.latch_s)):
        return ""
    return f"holds when data are older than {report.stale_s:g} s, stops after {report.latch_s:g} s"
