"""Pictures of every window for the documentation: a real session of a simulated subject, no mock.

``python -m gui.screenshots [FOLDER [WINDOW …]]`` writes each window (or only those named), light and dark, at 1280×720 and
2560×1440, to ``docs/screens``. Needs no display.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

SIZES = ((1280, 720), (2560, 1440))
CLASSES = ("left_hand", "right_hand")
TABLE = ("--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand")
TOKEN = "only-for-pictures"
TRIALS_S = 45.0
READY_S = 60.0
LONG_S = 300.0
SETTLE_MS = 8000
LATER = ("wizard", "explorer", "replay")
"""Windows that are shown with what a whole session recorded."""


def main(folder: Path, only: Sequence[str] = ()) -> int:
    """Take all pictures."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["BCI_TOKEN"] = TOKEN
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    from gui.app import Options, make_context

    app = QApplication(sys.argv[:1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bci-pictures-") as place:
        context = make_context(Options(settings=str(Path(place) / "windows.ini"), recording=place, theme="light"))
        try:
            context.start()
            if not only or set(only) & {"wizard", "explorer", "replay"}:
                whole_session(context, folder, Path(place), only)
            live = [name for name in context.names() if name not in LATER and (not only or name in only)]
            if live:
                with session(Path(place), train(Path(place))):
                    context.open("operator")
                    play_cues(context)
                    for name in live:
                        picture(context, name, folder)
        finally:
            context.close()
    QTest.qWait(0)
    app.quit()
    return 0


def whole_session(context: object, folder: Path, place: Path, only: Sequence[str]) -> None:
    """The wizard's pages one after another, then what it recorded in the explorer and in the replay window."""
    from PySide6.QtTest import QTest

    from gui.context import Context
    from gui.wizard.window import WizardWindow

    if not isinstance(context, Context):
        raise TypeError("a Context is needed")
    context.settings.setValue("session/out", str(place / "wizard"))
    wizard = context.open("wizard")
    if not isinstance(wizard, WizardWindow):
        raise TypeError("the wizard is another window")
    feed, wanted = context.feed, not only or "wizard" in only

    def page(ready: Callable[[], object]) -> None:
        until(
            ready,
            lambda: f"{wizard.status.text()} {wizard.trials.phase.text()} {wizard.live.state.text()} {wizard.live.detail.text()}",
        )
        if wanted:
            picture(context, f"wizard-{wizard.page + 1}-{wizard.pages[wizard.page].SHORT.lower()}", folder, wizard)

    wizard.person.seed.setValue(3)
    page(lambda: True)
    wizard.next.click()
    page(lambda: feed.signal is not None and feed.signal.received > 10 * feed.signal.info.rate_hz)
    wizard.next.click()
    wizard.protocol.most_blocks.setValue(4)
    page(lambda: True)
    wizard.next.click()
    until(lambda: wizard.live.model and wizard.trials.map.values.size)
    for number in (3, 4):
        wizard.show_page(number)
        page(lambda: True)
    wizard.live.participant.setChecked(False)
    wizard.next.click()
    page(lambda: wizard.live.decoder.tally.n >= 2)
    wizard.live.end.click()
    until(lambda: wizard.live.recording is not None)
    recorded = {"explorer": wizard.calibrating.folder(), "replay": wizard.live.recording}
    for name, path in recorded.items():
        if name in context.names() and (not only or name in only):
            window = context.open(name)
            window.open(path)  # type: ignore[attr-defined]
            until(lambda w=window: getattr(w, "opened", None) is not None)
            window.demonstrate(until)  # type: ignore[attr-defined]
            QTest.qWait(SETTLE_MS)
            picture(context, name, folder)
    for name in ("operator", "wizard"):
        context.open(name).close()


def until(ready: Callable[[], object], told: Callable[[], str] = str) -> None:
    """Wait for something; what is told goes into the error.

    Raises
    ------
    TimeoutError
    """
    from PySide6.QtTest import QTest

    end_s = time.monotonic() + LONG_S
    while not ready():
        if time.monotonic() > end_s:
            raise TimeoutError(f"nothing after {LONG_S:g} s {told()}")
        QTest.qWait(50)


def train(place: Path, channels: int = 32) -> Path:
    """A calibration of the simulated subject, faster than real time, and a model of it."""
    from bci import plugins
    from bci.session.simulate import record_virtually
    from bci.session.timeline import short
    from bci.stream.clock import VirtualClock

    clock = VirtualClock(1000.0)
    settings = {"classes": CLASSES, "skill": 0.8, "seed": 1, "channels": channels}
    subject = plugins.load(plugins.SOURCES, "simulated").from_settings(settings, clock)
    recording, model = place / "calibration.xdf", place / "model.safetensors"
    record_virtually(subject, clock, short(CLASSES, 10, 1), recording)
    words = ["train", str(recording), "-o", str(model), "--preset", "motor-imagery", *TABLE]
    subprocess.run([sys.executable, "-m", "bci", *words], check=True, stdout=subprocess.DEVNULL)
    return model


@contextmanager
def session(place: Path, model: Path) -> Iterator[None]:
    """A live session with an actuator that writes into a file."""
    words = [
        "run",
        "--headless",
        "--simulate",
        "--model",
        str(model),
        "--out",
        str(place),
        "--set",
        "markers.stream=cues",
        "--without",
        "cues",
        *TABLE,
    ]
    commands = (
        [*words, "--set", "markers.stream=cues", "--set", "decision.dwell_s=0.2"],
        ["actuate", "log", "--set", f"path={place / 'commands.log'}"],
    )
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([sys.executable, "-m", "bci", *c], **quiet) for c in commands]  # type: ignore[call-overload]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def play_cues(context: object) -> None:
    """Show the subject cues until there is something to see; one channel is marked bad, the actuator armed."""
    from PySide6.QtTest import QTest

    from bci.session.timeline import short
    from bci.stream.lsl import LslTextOutlet
    from gui.context import Context
    from gui.widgets.guard import guard_state

    if not isinstance(context, Context):
        raise TypeError("a Context is needed")
    feed, cues = context.feed, LslTextOutlet("cues", "Markers", "cues-pictures")
    waiting = list(short(CLASSES, 12, 3).cues)
    deadline, begin = feed.now() + READY_S, 0.0
    marked = armed = False
    while feed.now() < (begin + TRIALS_S if begin else deadline):
        QTest.qWait(20)
        if not begin and feed.session.phase(feed.now()) == "running":
            begin = feed.now() + 1.0
        while begin and waiting and feed.now() >= begin + waiting[0].time_s:
            cue = waiting.pop(0)
            cues.push(cue.marker, begin + cue.time_s)
        state, line = guard_state(context)
        if begin and feed.now() > begin + 4 and not armed and state == "disarmed":
            context.control.arm(TOKEN, str(line["nonce"]), str(line["actuator"]))
            armed = True
        if begin and feed.now() > begin + 8 and not marked:
            context.control.mark(["T7"], True)
            marked = True


def picture(context: object, name: str, folder: Path, window: QWidget | None = None) -> None:
    """One window, in both themes and sizes; docks that share a place are all shown once, in the small light one."""
    from PySide6.QtTest import QTest

    stays = window is not None
    if window is None:
        window = context.open(name)  # type: ignore[attr-defined]
    QTest.qWait(500)
    if window.isFullScreen():  # of whatever size the display has
        window.showNormal()
    for width, height in SIZES:
        window.resize(width, height)
        for theme in ("light", "dark"):
            context.dress(theme)  # type: ignore[attr-defined]
            QTest.qWait(1200)
            window.grab().save(str(folder / f"{name}-{theme}-{width}.png"))
    docks = getattr(window, "docks", {})
    if docks:
        window.resize(*SIZES[0])
        context.dress("light")  # type: ignore[attr-defined]
        for both in (("topography", "latency"), ("quality", "log")):
            for dock in both:
                docks[dock].raise_()
            QTest.qWait(1200)
            window.grab().save(str(folder / f"{name}-{'-'.join(both)}.png"))
    if not stays:
        window.close()


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "screens"
    raise SystemExit(main(place, sys.argv[2:]))
