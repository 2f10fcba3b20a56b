"""What the participant sees: instructions, cues and feedback, each stamped with the frame that showed it.

A client like any other: it follows a presenter's stream (``BCI-Stage``, which ``bci calibrate`` sends), or, where there is
none, the cues and decisions of a running session. What was seen, and when, goes out on ``BCI-Screen``
(docs/reference/streams.md).
"""

from __future__ import annotations

import os
import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QKeyEvent, QMouseEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from bci.paradigm.timeline import NAMES, cue_code
from gui import messages
from gui.context import Context
from gui.message_values import PresentationMessage
from gui.presentation import settings as stage_settings
from gui.presentation.blind import assign, feedback_of
from gui.presentation.director import ENDS, SOUNDS, Director
from gui.presentation.displays import choose, complaint, place
from gui.presentation.patch import Patch
from gui.presentation.scene import SceneColours
from gui.presentation.streams import MessageListener, ScreenOutlet
from gui.presentation.surface import FrameCounter, make_surface

STALE_S = 0.5
ORPHAN_S = 5.0
SETTLE_MS = 1000
FAREWELL_MS = 1500
"""Time in which the last page can be read."""
FLUSH_MS = 300
"""Time after which a recorder has received what was sent; a stream that ends sooner loses its last messages."""
GAP_S = 0.25
"""A longer time between two frames is no dropped frame: the window was suspended."""


class ParticipantWindow(QWidget):
    """The window on the participant's display, full screen.

    Enter, or a click, answers. Escape and the space bar are the emergency stop, as in every window.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    surface : RasterSurface or OpenGlSurface
    director : Director
    voice : ScreenOutlet or None
        There once the window is seen.
    """

    TITLE = "Participant"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.settings = stage_settings.read(context.settings.value, os.environ)
        self.setWindowTitle("bci – participant")
        self.director = Director(self.settings)
        self.director.say("Please wait.")
        self.surface = make_surface(self.settings.surface)
        self.surface.shown.connect(self._frame_shown)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.surface)
        self.voice: ScreenOutlet | None = None
        self._ear = MessageListener(messages.presentation)
        self._ear.heard.connect(self._frame)
        self._waiting: list[dict[str, Any]] = []
        self._question: tuple[int, dict[str, str]] | None = None
        self._seed = secrets.randbits(48)
        self._assignment = assign(self.settings.feedback, self.settings.against, self.settings.yoked, self._seed)
        self._feedback = feedback_of(self._assignment, self.settings.yoked)
        self._told = False
        self._markers = context.feed.markers_total
        self._frame_s = self._orphaned_s = self._fed_s = context.feed.now()
        self._pace = FrameCounter(1 / 60)
        self._clock = QTimer(self)
        self._clock.setTimerType(Qt.TimerType.PreciseTimer)
        self._clock.timeout.connect(self._frame)
        context.ticked.connect(self._follow)
        context.themed.connect(self._dress)
        self._dress()

    # --- coming and going

    def showEvent(self, event: QShowEvent) -> None:
        """Take the position on the display, and start to send what is shown."""
        super().showEvent(event)
        if self.voice is None:
            QTimer.singleShot(0, self, self._begin)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Reveal the kind of feedback, and end."""
        super().closeEvent(event)
        self._clock.stop()
        if self._tell():
            time.sleep(FLUSH_MS / 1000)
        self._ear.close()
        if self.voice is not None:
            self.voice.close()
            self.voice = None

    def _begin(self) -> None:
        if self.voice is not None or not self.isVisible():
            return
        app = QApplication.instance()
        screens = app.screens() if isinstance(app, QApplication) else [self.screen()]
        screen = choose(self.settings.display, screens, QApplication.primaryScreen())
        place(self, self.settings, screen, alone=len(screens) == 1)
        if self.settings.beside:  # a window manager that is still placing the others undoes it once
            QTimer.singleShot(SETTLE_MS, self, lambda: place(self, self.settings, screen, alone=len(screens) == 1))
        if self.settings.full:
            self.setCursor(Qt.CursorShape.BlankCursor)
        rate_hz = screen.refreshRate() if screen.refreshRate() > 1 else 60.0
        self._pace = FrameCounter(1 / rate_hz)
        self._clock.start(max(1, int(1000 / rate_hz)))
        self.voice = ScreenOutlet(
            self._context.feed.name, self.settings.id or uuid.uuid4().hex[:12], self._header(screen.name(), rate_hz)
        )
        wrong = complaint(screen, self.settings.refresh_hz)
        if wrong:
            self._context.feed.say("warn", "participant window", wrong)
            self.voice.say("display", problem=wrong)
            self.director.say(wrong)
        if self._assignment.mode != "real" or self._assignment.blind:
            self.voice.say("sealed", sealed=self._assignment.sealed())
        self._frame()

    def _header(self, display: str, rate_hz: float) -> dict[str, str]:
        """Return the header of the stream: display, refresh rate, and delay."""
        s = self.settings
        return {
            "display": display,
            "refresh_hz": f"{rate_hz:.6g}",
            "expected_hz": f"{s.refresh_hz:g}" if s.refresh_hz else "",
            "stamped": self.surface.HOW,
            "delay_s": f"{s.delay_ms / 1000:.6g}",
            "delay_sd_s": f"{s.delay_sd_ms / 1000:.6g}",
            "delay_from": "photodiode" if s.delay_ms or s.delay_sd_ms else "not measured",
            "patch": s.patch,
        }

    def _tell(self) -> bool:
        """Send once, for the recording, which feedback it was; return whether anything was sent."""
        a = self._assignment
        if self.voice is None or self._told or not (a.blind or a.mode != "real"):
            return False
        self.voice.say("unblinded", mode=a.mode, blind=a.blind, seed=a.seed, source=a.source)
        self._told = True
        return True

    def _dress(self) -> None:
        self._look = SceneColours.of(self._context.palette)

    # --- what comes in

    def _follow(self) -> None:
        """Take presenter, cues and evidence of the session, about 30 times a second."""
        if self.voice is None:
            return
        feed = self._context.feed
        mine = f"{feed.name}-stage-{self.settings.id}" if self.settings.id else ""
        stages = [s for s in feed.streams if s.type == "BCI-Stage" and s.source_id.startswith(mine)]
        if stages and (not self._ear.uid or self._ear.lost) and stages[-1].uid != self._ear.uid:
            self._ear.hear(stages[-1])
        new = feed.markers_total - self._markers
        self._markers = feed.markers_total
        if not self._ear.uid or self._ear.lost:
            for marker in list(feed.markers)[-new:] if new > 0 else ():
                self._marker(marker.text)
            if feed.session.phase(feed.now()) == "running":
                self.director.free()
        self._orphan(feed.now())
        self._feed(feed.now())

    def _orphan(self, now: float) -> None:
        """Close a window that was opened for a presenter when the presenter is gone."""
        if not (self.settings.id and self._ear.uid and self._ear.lost):
            self._orphaned_s = now
        elif now - self._orphaned_s > ORPHAN_S:
            self.close()

    def _feed(self, now: float) -> None:
        """Hand on the newest evidence as this participant is to see it; none if it is old or was not decoded."""
        rows, classes = self._context.feed.outcomes, self._context.feed.session.classes
        evidence: Mapping[str, float] = {}
        dt_s, self._fed_s = now - self._fed_s, now
        if (
            rows is not None
            and len(rows)
            and classes
            and now - float(rows.times()[-1]) < STALE_S
            and rows.last("reason") in (0, 1)
        ):
            evidence = self._feedback({c: float(rows.last(f"evidence:{c}")) for c in classes}, dt_s)
        self.director.evidence(evidence)
        self.director.velocity(self._velocity(now))

    def _velocity(self, now: float) -> tuple[float, float] | None:
        """Return the newest velocity to the right and downwards, if the model decodes one and no sham feedback is possible."""
        rows = self._context.feed.velocity
        if rows is None or not len(rows) or self._assignment.mode != "real" or self._assignment.blind:
            return None
        if not now - float(rows.times()[-1]) < STALE_S:
            return (0.0, 0.0)
        return (float(rows.last("v:x")), float(rows.last("v:y")) if "v:y" in rows.names else 0.0)

    def _marker(self, text: str) -> None:
        """Take a cue of another program, in our codes or in those of the session's table."""
        code, class_ = cue_code(text), self._context.feed.meanings.get(text, "")
        known = code is not None and (code in NAMES or code & 0x8000)
        if known and code is not None:
            named = NAMES.get(code, "")
            shown = class_ or (named if 769 <= code <= 780 else "")
            self._cue(PresentationMessage("cue", 0, code, shown, named.replace("_", " ")))
        elif class_:
            self._cue(PresentationMessage("cue", 0, 0, class_, class_.replace("_", " ")))

    def _obey(self, message: PresentationMessage) -> None:
        """Take one message of the presenter."""
        match message.kind:
            case "cue":
                self._cue(message)
            case "say":
                self.director.say(message.text)
            case "ask":
                self._question = (message.number, dict(message.choices))
                first = next(iter(message.choices), "")
                keys = [f"{'Enter' if key == first else key}: {what}" for key, what in message.choices.items()]
                self.director.ask(message.text, "      ".join(keys))
            case "answered":
                self._question = None
                self.director.answered()
            case "end":
                self._tell()
                if self.settings.id:  # whoever opened this window ends it; one that a person opened stays
                    QTimer.singleShot(FAREWELL_MS, self, self.close)

    def _cue(self, message: PresentationMessage) -> None:
        if message.code in SOUNDS:
            QApplication.beep()
        self.director.cue(message.code, message.class_, message.text)
        self._waiting.append({"number": message.number, "code": message.code})
        if message.code in ENDS:
            self._tell()

    # --- frames

    def _frame(self) -> None:
        """Take new messages, advance in time, and paint a frame if the scene has changed."""
        if self.voice is None:
            return
        now = self._context.feed.now()
        dt_s, self._frame_s = max(0.0, now - self._frame_s), now
        self._count(now, dt_s)
        for message in self._ear.messages():
            self._obey(message)
        if self.voice is None:  # told to end
            return
        happened = self.director.step(min(dt_s, GAP_S))
        if happened:
            self._waiting.append({"number": 0, "code": happened})
        new = self.surface.put(self.director.scene, Patch(self.settings.patch, self.director.cued), self._look)
        if not new and self._waiting and not self.surface.pending:  # it is seen already, like the end of nothing
            self._frame_shown(now)

    def _count(self, now: float, dt_s: float) -> None:
        """Send the number of dropped frames while a cue or feedback is shown."""
        missing = self._pace.dropped(now)
        if missing and dt_s < 4 * GAP_S and (self.director.cued or self.director.feeding) and self.voice is not None:
            self.voice.say("dropped", frames=missing, gap_s=round(dt_s, 4))

    def _frame_shown(self, stamp: float) -> None:
        """A frame was shown: send what it showed."""
        waiting, self._waiting = self._waiting, []
        if self.voice is not None:
            for one in waiting:
                self.voice.say("shown", stamp + self.settings.delay_ms / 1000, **one)

    # --- answers

    def answer(self, key: str = "") -> None:
        """Answer the current question; without a key, with its first choice.

        Parameters
        ----------
        key : str, optional
            Key of the choice; empty: the first one.
        """
        if self._question is None or self.voice is None:
            return
        number, choices = self._question
        chosen = key or next(iter(choices), "")
        if chosen in choices:
            self.voice.say("answer", number=number, choice=chosen)
            self._question = None
            self.director.answered()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Answer with Enter for the first choice, or with the letter of a choice."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.answer()
        elif event.text():
            self.answer(event.text().lower())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Answer as Enter does."""
        self.answer()
