"""The guard: its state in words, shape and colour; arm, disarm, emergency stop."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from gui.context import Context
from gui.text import Label
from gui.tidy import tidy

SILENT_S = 3.0
GOOD_S = 2.0
STATES = {
    "disarmed": ("○", "DISARMED", "nothing can move", "muted"),
    "armed": ("◐", "ARMED", "the first decision starts it", "warn"),
    "active": ("●", "ACTIVE", "decisions move the actuator", "good"),
    "hold": ("❚❚", "HOLD", "neutral for a moment, resumes by itself", "warn"),
    "safe": ("■", "SAFE", "stopped and latched: a person must arm again", "bad"),
    "silent": ("?", "SILENT", "the actuator's process does not answer", "bad"),
    "none": ("–", "NO ACTUATOR", "nothing is connected that could move", "muted"),
}


def guard_state(context: Context, actuator: str | None = None) -> tuple[str, dict[str, object]]:
    """State word and newest line of one actuator host, or of the one that is worst off."""
    feed = context.feed
    now = feed.now()
    order = ("silent", "safe", "hold", "active", "armed", "disarmed")
    found = []
    for name, line in feed.guard.items():
        if actuator in (None, name):
            state = str(line.get("state"))
            known = state if state in STATES else "silent"
            found.append(("silent" if now - float(line["at"]) > SILENT_S else known, line))
    return min(found, key=lambda x: order.index(x[0])) if found else ("none", {})


def stop_button(context: Context, where: str) -> QPushButton:
    """A large emergency stop."""
    button = QPushButton("EMERGENCY STOP   Esc")
    button.setProperty("role", "stop")
    button.setAccessibleName("emergency stop")
    button.setToolTip("Everything to neutral at once. Also: Escape anywhere, space bar where nobody types")
    button.pressed.connect(lambda: context.emergency_stop(f"button in the {where}"))
    return button


class Guard(QWidget):
    """What may move, and why not.

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
        self.disarm.clicked.connect(lambda: context.control.disarm("operator"))
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
        box.addStretch(1)
        box.addWidget(self.limits)
        box.addLayout(buttons)

    def refresh(self) -> None:
        """Show the newest state."""
        self._list_actuators()
        chosen = self.actuator.currentData()
        state, line = guard_state(self._context, chosen)
        sign, word, meaning, role = STATES[state]
        self.state.tell(f"{sign} {word}")
        self.meaning.tell(meaning)
        self.limits.tell(_limits(line))
        why = tidy(line.get("why", ""), 160)
        self.why.tell(f"because: {why}" if why else "")
        self._show_arming(state, line)
        self._paint_card(role)

    def _list_actuators(self) -> None:
        names = tuple(sorted(self._context.feed.guard))
        if names != tuple(self.actuator.itemData(i) for i in range(self.actuator.count())):
            kept = self.actuator.currentData()
            self.actuator.clear()
            for name in names:
                self.actuator.addItem(tidy(name, 16), name)
            self.actuator.setCurrentIndex(max(0, self.actuator.findData(kept)))
        self.actuator.setVisible(len(names) > 1)

    def _show_arming(self, state: str, line: dict[str, object]) -> None:
        """Whether arming is possible; the host has the last word."""
        good_s = line.get("good_s")
        known = isinstance(good_s, int | float) and math.isfinite(good_s)
        needed = _number(line.get("settings"), "settle_s", GOOD_S)
        if state not in ("disarmed", "safe"):
            hint = "" if state == "none" else "armed already"
        elif not self._context.token:
            hint = "needs the session's token"
        elif known and float(good_s) < needed:  # type: ignore[arg-type]
            hint = f"signal good for {float(good_s):.1f} of {needed:g} s"  # type: ignore[arg-type]
        else:
            hint = ""
        self.arm.setEnabled(state in ("disarmed", "safe") and not hint)
        self.arm.setToolTip(hint)
        self.disarm.setEnabled(state not in ("none", "disarmed"))
        if hint and not self.why.text():
            self.why.tell(hint if state != "active" else "")

    def _paint_card(self, role: str) -> None:
        palette = self._context.palette
        ink = {"good": palette.good, "warn": palette.warn, "bad": palette.bad}.get(role, palette.muted)
        look = f"QFrame {{ border: 2px solid {ink}; border-radius: 8px; }} QLabel {{ border: none; color: {palette.ink}; }}"
        if look != self._look:
            self._look = look
            self._card.setStyleSheet(look)
            self.state.setStyleSheet(f"color: {ink}; border: none; font-size: 17pt; font-weight: 600;")

    def _arm(self) -> None:
        _, line = guard_state(self._context, self.actuator.currentData())
        nonce, actuator = line.get("nonce"), line.get("actuator", "")
        if isinstance(nonce, str) and self._context.token:
            self._context.control.arm(self._context.token, nonce, str(actuator))


def _limits(line: dict[str, object]) -> str:
    """When the guard holds and when it latches, in one line."""
    settings = line.get("settings")
    if not isinstance(settings, dict):
        return ""
    named = {k: _number(settings, k, math.nan) for k in ("stale_s", "latch_s")}
    return "holds at data older than {stale_s:g} s, latches after {latch_s:g} s".format(**named)


def _number(mapping: object, key: str, otherwise: float) -> float:
    value = mapping.get(key) if isinstance(mapping, dict) else None
    return float(value) if isinstance(value, int | float) else otherwise


def state_colour(context: Context, state: str) -> str:
    """Ink of a state."""
    role, palette = STATES[state][3], context.palette
    return {"good": palette.good, "warn": palette.warn, "bad": palette.bad}.get(role, palette.muted)
