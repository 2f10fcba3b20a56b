"""Whether windows can be shown here, and windows as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from bci import plugins
from bci.processes.child import APART
from bci.stream import keys

WAIT_S = 3.0
UNSEEN = ("offscreen", "minimal")
PARTICIPANT = "BCI_PARTICIPANT"


def has_display(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether there is a display, and the windows are installed.

    On Linux a display is announced in the environment; elsewhere there is taken to be one. What runs over a network
    (``SSH_CONNECTION``) without an X11 display of its own has none. Nobody sees what is painted into memory
    (``QT_QPA_PLATFORM=offscreen``).

    Parameters
    ----------
    environment : mapping of str to str
        Environment variables.

    Returns
    -------
    bool
    """
    if environment.get("QT_QPA_PLATFORM") in UNSEEN:
        return False
    if sys.platform == "linux":
        shown = bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
    else:
        shown = not environment.get("SSH_CONNECTION")
    return shown and find_spec("PySide6") is not None and bool(plugins.names(plugins.DESKTOPS))


def open_windows(
    names: Sequence[str], name: str, recording: str, *, beside: bool = False, session: str = "", key: bytes | None = None
) -> WindowsProcess:
    """Open windows that look at a session which is about to begin.

    Parameters
    ----------
    names : sequence of str
        Of windows.
    name : str
        Prefix of the session's streams.
    recording : str
        Folder of its recordings.
    beside : bool
        Where there is one display only, leave room for the participant's window, which is another process.
    session : str
        Its identifier, so that another one of that name is not shown; empty: any.
    key : bytes or None
        That of the session, with which the windows may steer it.

    Returns
    -------
    WindowsProcess
    """
    words = [*names, "--name", name, "--recording", recording, *(["--beside"] if beside else [])]
    words += ["--session", session] if session else []
    environment = {PARTICIPANT: json.dumps({"beside": True})} if beside and PARTICIPANT not in os.environ else {}
    return WindowsProcess(words, {**environment, **({keys.KEY: key.hex()} if key else {})})


class WindowsProcess:
    """``bci gui`` in a process of its own. A context manager: leaving it closes the windows.

    Parameters
    ----------
    words : sequence of str
        After ``bci gui``.
    environment : mapping, optional
        Added to ours.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bci", "gui", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **APART,
            env={**os.environ, **(environment or {})},
        )

    @property
    def alive(self) -> bool:
        """Whether a window is still open."""
        return self._process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def wait_closed(self, timeout_s: float) -> bool:
        """Wait for the windows to be closed by a person.

        Parameters
        ----------
        timeout_s : float
            Longest wait, seconds.

        Returns
        -------
        bool
            Whether they were closed.
        """
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """Close the windows: politely, then for good. May be called twice."""
        if self.alive:
            self._process.terminate()
        if not self.wait_closed(WAIT_S):
            self._process.kill()
            self._process.wait()
