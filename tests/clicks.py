"""A whole session by clicks alone, on an X display with a window manager: real mouse, real keys, real processes.

``python tests/clicks.py [FOLDER]`` (``make clicks``) needs Xvfb, openbox and xdotool. It simulates, calibrates, waits for the
verdict, goes live with feedback, ends the session and replays it, and leaves a picture of each step in the folder; at last
``bci demo``, which needs no click.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))

from conftest import LSL_SESSION  # streams of our own, before liblsl is loaded
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from x_display import XDisplay

SIZE = (1280, 720)
TOOLS = ("Xvfb", "openbox", "xdotool")
PICTURES = Path(__file__).parents[1] / "docs" / "screens" / "clicks"
LONG_S = 240.0
MOVING_MS = 50
"""A trial may be over before what moves has come to rest."""


class Hand:
    """A mouse and a keyboard.

    Parameters
    ----------
    display : XDisplay
    folder : Path
        For pictures.
    """

    def __init__(self, display: XDisplay, folder: Path) -> None:
        self._display, self._folder = display, folder
        self._pictures = 0

    def click(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Go there and click."""
        self.until(lambda: widget.isVisible() and widget.isEnabled(), f"{widget.accessibleName() or widget} can be clicked")
        place = widget.mapToGlobal(at or widget.rect().center())
        self._tool("mousemove", str(place.x()), str(place.y()))
        QTest.qWait(150)
        self._tool("click", "1")
        QTest.qWait(300)

    def write(self, widget: QWidget, text: str) -> None:
        """Click into a field, and type in place of what is there."""
        self.click(widget, QPoint(20, widget.height() // 2))
        self._tool("key", "ctrl+a")
        self._tool("type", text)
        QTest.qWait(300)

    def until(self, true: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
        """Wait for something."""
        end_s = time.monotonic() + timeout_s
        while not true():
            if time.monotonic() > end_s:
                self.picture("timeout")
                raise SystemExit(f"waited {timeout_s:g} s in vain: {what}")
            QTest.qWait(50)

    def picture(self, name: str, settle_ms: int = 500) -> None:
        """What is on the display, once it has been painted."""
        QTest.qWait(settle_ms)
        self._pictures += 1
        self._display.photograph(self._folder / f"{self._pictures}-{name}.png")
        print(f"{self._pictures} {name}", flush=True)

    def _tool(self, *words: str) -> None:
        process = subprocess.Popen(["xdotool", *words])
        while process.poll() is None:
            QTest.qWait(10)
        if process.returncode:
            raise SystemExit(f"xdotool {' '.join(words)} failed")


def session(hand: Hand, place: Path) -> None:
    """From the welcome window to the replay."""
    from gui.app import WindowOptions, make_context, show

    context = make_context(WindowOptions(settings=str(place / "windows.ini"), recording=str(place / "recordings"), theme="light"))
    context.settings.setValue("session/out", str(place / "recordings"))
    try:
        context.start()
        show(context, ())
        QTest.qWait(1500)
        welcome = context.open("welcome")
        hand.picture("welcome")
        hand.click(welcome.wizard)
        wizard = context.open("wizard")
        QTest.qWait(1000)
        calibrate(hand, wizard)
        live(hand, context, wizard)
        replay(hand, context, wizard)
    finally:
        context.close()


def calibrate(hand: Hand, wizard: QWidget) -> None:
    """Person, signal, protocol, trials, verdict."""
    feed = wizard._context.feed
    hand.write(wizard.person.subject, "P042")
    hand.write(wizard.person.skill, "0.9")
    hand.write(wizard.person.seed, "3")
    hand.picture("person")
    hand.click(wizard.next)
    hand.until(lambda: feed.signal is not None and feed.signal.received > 1000, "a signal comes")
    hand.picture("signal")
    hand.click(wizard.next)
    hand.write(wizard.protocol.most_blocks, "3")
    hand.picture("protocol")
    hand.click(wizard.next)
    hand.until(lambda: wizard.trials.map.values.size, "the classes are compared", LONG_S)
    hand.picture("trials")
    hand.until(lambda: wizard.page == 4, "a verdict", LONG_S)
    hand.picture("verdict")


def live(hand: Hand, context: object, wizard: QWidget) -> None:
    """The session with feedback, beside the participant's window; its end is clicked in the operator window."""
    feed = context.feed
    hand.click(wizard.next)
    hand.until(lambda: feed.session.phase(feed.now()) == "running", "the session runs")
    operator = context.open("operator")
    shown = [False]

    def confident() -> bool:
        """A cue is shown, and the bar has moved."""
        shown[0] = shown[0] or operator.panels["decoder"].tally.n >= 2
        return shown[0] and moved(feed)

    hand.until(confident, "trials with feedback", LONG_S)
    hand.picture("live", MOVING_MS)
    hand.click(operator.panels["session"].end)
    hand.until(lambda: not wizard.live.running, "the session ends")


def moved(feed: object) -> bool:
    """Whether the participant sees a bar that has moved."""
    rows = feed.outcomes
    if rows is None or not len(rows) or not feed.markers or feed.markers[-1].text != "781":
        return False
    return max(rows.last(f"evidence:{c}") for c in feed.session.classes) > 0.75


def replay(hand: Hand, context: object, wizard: QWidget) -> None:
    """Back to the wizard by the menu, and play it again."""
    operator = context.open("operator")
    bar = operator.menuWidget().findChild(QWidget, "menus")
    go = next(action.menu() for action in bar.actions() if action.text() == "Windows")
    hand.click(bar, bar.actionGeometry(go.menuAction()).center())
    entry = next(action for action in go.actions() if "wizard" in action.text())
    hand.click(go, go.actionGeometry(entry).center())
    hand.until(lambda: wizard.live.recording is not None, "the recording is known")
    QTest.qWait(500)
    hand.picture("ended")
    hand.click(wizard.live.replay)
    if "replay" in context.names():
        window = context.open("replay")
        hand.until(lambda: window.opened is not None, "the recording is open", LONG_S)
        hand.click(window.play)
        QTest.qWait(4000)
    else:
        feed = context.feed
        hand.until(lambda: feed.signal is not None and feed.now() - feed.signal.arrival_s < 0.5, "the recording plays")
        QTest.qWait(3000)
    hand.picture("replay")


def demo(hand: Hand, place: Path) -> None:
    """What a newcomer sees in the end: the participant's window follows the imagery, the operator's beside it."""
    from gui.app import WindowOptions, make_context

    words = ["demo", "--out", str(place / "demo"), "--calibration", "12", "--trials", "1", "--show", "60"]
    log = place / "demo.log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "bci", *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        hand.until(lambda: "it goes on in the windows" in log.read_text(), "the demo's last step", LONG_S)
        context = make_context(WindowOptions(settings=str(place / "looking.ini")))
        context.start()
        hand.until(lambda: moved(context.feed), "the participant's bar moves", LONG_S)
        hand.picture("demo", MOVING_MS)
        context.close()
    finally:
        process.terminate()
        process.wait()


def main(folder: Path) -> int:
    """Display, window manager, clicks."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(f"install {', '.join(missing)} first (sudo apt-get install xvfb openbox xdotool)", file=sys.stderr)
        return 3
    folder.mkdir(parents=True, exist_ok=True)
    print(f"LSL session {LSL_SESSION}")
    with XDisplay(SIZE, window=False) as display, tempfile.TemporaryDirectory(prefix="bci-clicks-") as place:
        os.environ |= {"DISPLAY": display.name, "QT_QPA_PLATFORM": "xcb", "XDG_CONFIG_HOME": place}
        manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)
        try:
            time.sleep(1.0)
            app = QApplication(sys.argv[:1])
            QApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
            hand = Hand(display, folder)
            session(hand, Path(place))
            demo(hand, Path(place))
            app.quit()
        finally:
            manager.terminate()
            manager.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES))
