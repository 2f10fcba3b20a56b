"""Pictures of every window for the documentation, from a real session of the simulated subject.

``python -m gui.screenshots [FOLDER [WINDOW …]]`` writes each window (or only those named), light and dark, at 1280×720 and
2560×1440, to ``docs/screens``. Needs no display.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

SIZES = ((1280, 720), (2560, 1440))
CLASSES = ("left_hand", "right_hand")
TABLE = ("--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand")
TRIALS_S = 45.0
READY_S = 60.0
LONG_S = 300.0
SETTLE_MS = 8000
SCREENS = Path(__file__).parents[1] / "docs" / "screens"
LATER = ("wizard", "explorer", "replay")
"""Windows that are shown with the recordings of a whole session."""


def main(folder: Path, only: Sequence[str] = ()) -> int:
    """Take all pictures.

    Parameters
    ----------
    folder : Path
    only : sequence of str, optional
        Names of windows; empty: all.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory(prefix="bci-pictures-lsl-") as own:
        use_own_streams(Path(own))
        return take(folder, only)


def use_own_streams(folder: Path) -> None:
    """Give this process and its children an LSL session of their own, so that pictures show no streams of other programs.

    Parameters
    ----------
    folder : Path
    """
    config, ports = folder / "lsl_api.cfg", random.randrange(10_000, 17_000, 100)
    config.write_text(
        f"[lab]\nSessionID = pictures-{uuid.uuid4().hex[:8]}\n[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n"
        f"[ports]\nMulticastPort = {ports}\nBasePort = {ports + 1}\nPortRange = 80\n",
        encoding="utf-8",
    )
    os.environ["LSLAPICFG"] = str(config)


def take(folder: Path, only: Sequence[str]) -> int:
    """Take the pictures of all windows, or only of some.

    Parameters
    ----------
    folder : Path
    only : sequence of str
        Names of windows; empty: all.
    """
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    from gui.app import WindowOptions, make_context

    app = QApplication(sys.argv[:1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bci-pictures-") as place:
        context = make_context(WindowOptions(settings=str(Path(place) / "windows.ini"), recording=place, theme="light"))
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
    """Take the pages of the wizard, then the explorer and the replay window with what the wizard recorded.

    Parameters
    ----------
    context : object
    folder : Path
    place : Path
        Folder for the recordings.
    only : sequence of str
        Names of windows; empty: all.
    """
    from PySide6.QtTest import QTest

    from gui.context import Context
    from gui.wizard.wizard_window import WizardWindow

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
    recorded = {"explorer": wizard.calibration.folder(), "replay": wizard.live.recording}
    for name, path in recorded.items():
        if name in context.names() and (not only or name in only):
            window = context.open(name)
            window.open(path)  # type: ignore[attr-defined]
            until(partial(getattr, window, "opened", None))
            window.demonstrate(until)  # type: ignore[attr-defined]
            QTest.qWait(SETTLE_MS)
            picture(context, name, folder)
    for name in ("operator", "wizard"):
        context.open(name).close()


def until(ready: Callable[[], object], told: Callable[[], str] = str) -> None:
    """Wait until a condition is true; ``told`` gives the text of the error.

    Parameters
    ----------
    ready : callable
        The condition.
    told : callable, optional
        Returns the text of the error.

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
    """Record a calibration of the simulated subject, faster than real time, and train a model.

    Parameters
    ----------
    place : Path
        Folder for recording and model.
    channels : int, optional
        Number of channels.
    """
    from bci import plugins
    from bci.paradigm.timeline import short
    from bci.simulation.simulate import record_virtually
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
    """Run a live session with an armed actuator that writes into a file.

    Parameters
    ----------
    place : Path
        Folder for the recordings.
    model : Path
        Model file.
    """
    words = ["run", "--headless", "--simulate", "--model", str(model), "--out", str(place), "--without", "cues", *TABLE]
    words += ["--set", "markers.stream=cues", "--set", "decision.dwell_s=0.2"]
    words += ["--actuator", "log", "--set", f"actuator.settings.path={place / 'commands.log'}", "--arm"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", "bci", *words], **quiet)  # type: ignore[call-overload]
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def play_cues(context: object) -> None:
    """Send cues until there is something to see, and mark a channel bad.

    Parameters
    ----------
    context : object
    """
    from PySide6.QtTest import QTest

    from bci.paradigm.timeline import short
    from bci.stream.lsl import LslTextOutlet
    from gui.context import Context

    if not isinstance(context, Context):
        raise TypeError("a Context is needed")
    feed, cues = context.feed, LslTextOutlet("cues", "Markers", "cues-pictures")
    waiting = list(short(CLASSES, 12, 3).cues)
    deadline, begin = feed.now() + READY_S, 0.0
    marked = False
    while feed.now() < (begin + TRIALS_S if begin else deadline):
        QTest.qWait(20)
        if not begin and feed.session.phase(feed.now()) == "running":
            begin = feed.now() + 1.0
        while begin and waiting and feed.now() >= begin + waiting[0].time_s:
            cue = waiting.pop(0)
            cues.push(cue.marker, begin + cue.time_s)
        if begin and feed.now() > begin + 8 and not marked:
            context.control.mark(["T7"], True)
            marked = True


def picture(context: object, name: str, folder: Path, window: QWidget | None = None) -> None:
    """Take a window in both themes and sizes; panels behind others once, in the small light one.

    Parameters
    ----------
    context : object
    name : str
        Name of the window and of the picture.
    folder : Path
    window : QWidget or None, optional
    """
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


def asked(words: Sequence[str]) -> tuple[Path, tuple[str, ...]]:
    """Return folder and windows of a command line; exit with an error message if they are wrong.

    Parameters
    ----------
    words : sequence of str
        Arguments of ``bci``.
    """
    from bci import plugins

    there = plugins.names(plugins.WINDOWS)
    parser = argparse.ArgumentParser(
        prog="python -m gui.screenshots",
        description="Take pictures of the windows in a real session of a simulated subject, light and dark, in two sizes.",
    )
    parser.add_argument("folder", nargs="?", default=str(SCREENS), metavar="FOLDER", help="for the pictures (%(default)s)")
    parser.add_argument("windows", nargs="*", metavar="WINDOW", help=f"only these: {', '.join(there)} (default: all)")
    found = parser.parse_args(words)
    if found.folder in there:
        parser.error(f"{found.folder} is a window: name the folder for its pictures first (./{found.folder} is one)")
    unknown = [name for name in found.windows if name not in there]
    if unknown:
        parser.error(f"there is no window {', '.join(map(repr, unknown))}; there are {', '.join(there)}")
    return Path(found.folder), tuple(found.windows)


if __name__ == "__main__":
    raise SystemExit(main(*asked(sys.argv[1:])))
