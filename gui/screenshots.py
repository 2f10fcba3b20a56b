"""Pictures of every window for the documentation: a real session of a simulated subject, no mock.

``python -m gui.screenshots [FOLDER]`` writes each window, light and dark, at 1280×720 and 2560×1440, to ``docs/screens``.
Needs no display.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZES = ((1280, 720), (2560, 1440))
CLASSES = ("left_hand", "right_hand")
TABLE = ("--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand")
TOKEN = "only-for-pictures"
TRIALS_S = 45.0
READY_S = 60.0


def main(folder: Path) -> int:
    """Take all pictures."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["BCI_TOKEN"] = TOKEN
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    from gui.app import Options, make_context

    app = QApplication(sys.argv[:1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bci-pictures-") as place:
        model = train(Path(place))
        context = make_context(Options(settings=str(Path(place) / "windows.ini"), recording=place, theme="light"))
        try:
            context.start()
            with session(Path(place), model):
                context.open("operator")
                play_cues(context)
                for name in context.names():
                    picture(context, name, folder)
        finally:
            context.close()
    QTest.qWait(0)
    app.quit()
    return 0


def train(place: Path) -> Path:
    """A calibration of the simulated subject, faster than real time, and a model of it."""
    from bci import plugins
    from bci.session.simulate import record_virtually
    from bci.session.timeline import short
    from bci.stream.clock import VirtualClock

    clock = VirtualClock(1000.0)
    settings = {"classes": CLASSES, "skill": 0.8, "seed": 1, "channels": 32}
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


def picture(context: object, name: str, folder: Path) -> None:
    """One window, in both themes and sizes; docks that share a place are all shown once, in the small light one."""
    from PySide6.QtTest import QTest

    window = context.open(name)  # type: ignore[attr-defined]
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
    window.close()


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "screens"))
