"""The end of a recorder: it is waited for while what it holds goes to the disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bci.processes.child import Child
from bci.processes.stop import interrupts
from bci.processes.supervision import AWAKE_S

PATIENCE_S = 60.0
"""A recorder is given up when nothing has gone to the disk for this long, seconds."""
TOLD_S = 1.5
"""A person is told when the end takes longer than this, seconds, and again every so many seconds how far it is."""
LOOK_S = 0.02


def written(recorder: Child, tell: Callable[[str], object], patience_s: float = PATIENCE_S) -> str:
    """Ask a recorder to end, and wait until what it holds is written.

    Parameters
    ----------
    recorder : Child
    tell : callable
        Told what is waited for. Ctrl-C after that gives up.
    patience_s : float
        Longest wait without progress.

    Returns
    -------
    str
        Why something is lost; empty where everything was written.
    """
    recorder.hang_up()
    now = told = time.monotonic()
    idle_s, before, pressed = 0.0, _left(recorder), -1
    while recorder.alive:
        time.sleep(LOOK_S)
        last, now, left = now, time.monotonic(), _left(recorder)
        # Of a long turn only a little counts: it was us that stood still.
        idle_s = 0.0 if left != before else idle_s + min(now - last, AWAKE_S)
        before = left
        if pressed >= 0 and interrupts() > pressed:
            return _given_up(recorder, "Ctrl-C was pressed again")
        if idle_s > patience_s:
            return _given_up(recorder, f"nothing went to the disk for {patience_s:g} s")
        if now - told > TOLD_S:
            told, pressed = now, interrupts() if pressed < 0 else pressed
            tell(f"waiting for the disk: {_amount(recorder)} to write. Press Ctrl-C to give up; these data are then lost.")
    recorder.stop()
    return "" if recorder.exit_code == 0 else recorder.obituary()


def heard(recorder: Child, recordings: list[Path]) -> list[str]:
    """Take what a recorder has reported since the last time that a person should know.

    Parameters
    ----------
    recorder : Child
    recordings : list of Path
        Where the newest is, is kept right: a folder may be moved while it is recorded into.

    Returns
    -------
    list of str
    """
    news = []
    while (message := recorder.message(0.0)) is not None:
        if message.get("event") == "note":
            news.append(f"recording: {message.get('note')}")
        elif message.get("event") in ("moved", "done") and recordings:
            recordings[-1] = Path(str(message.get("path")))
    return news


def _given_up(recorder: Child, why: str) -> str:
    """End it, and say what is lost."""
    recorder.kill(f"was given up: {why}. Of the newest data {_amount(recorder)} may be missing in the recording")
    recorder.stop()
    return recorder.obituary()


def _left(recorder: Child) -> tuple[object, object]:
    """How far it is."""
    return recorder.sign_of_life.get("written"), recorder.sign_of_life.get("waiting")


def _amount(recorder: Child) -> str:
    """How much it holds that is not on the disk."""
    waiting = recorder.sign_of_life.get("waiting")
    return f"{waiting / 1e6:.1f} MB" if isinstance(waiting, int | float) else "an unknown amount"
