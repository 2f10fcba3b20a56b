"""An X display without a screen (Xvfb), and what its keyboard looks like to programs on it."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from Xlib import XK, X
from Xlib.display import Display
from Xlib.error import ConnectionClosedError

START_S = 20.0


class XDisplay:
    """A display of one's own, empty but for one window that has the focus.

    Parameters
    ----------
    size : tuple of int
        Pixels.
    window : bool
        Whether there is that window.
    """

    def __init__(self, size: tuple[int, int] = (320, 200), window: bool = True) -> None:
        if shutil.which("Xvfb") is None:
            pytest.fail(
                "keys are tested on a real X display: install Xvfb (sudo apt-get install xvfb), or run make setup as root"
            )
        number, writes = os.pipe()
        options = ["-displayfd", str(writes), "-screen", "0", f"{size[0]}x{size[1]}x24", "-nolisten", "tcp", "-noreset"]
        self.process = subprocess.Popen(["Xvfb", *options], pass_fds=(writes,), stderr=subprocess.DEVNULL)
        os.close(writes)
        ready, _, _ = select.select([number], [], [], START_S)
        with os.fdopen(number) as told:  # to the end of its line: it is killed where nobody reads that
            said = told.readline().strip() if ready else ""
        if not said:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"Xvfb did not start within {START_S:g} s")
        self.name = f":{said}"
        self._display = Display(self.name)
        screen = self._display.screen()
        if not window:
            return
        self._window = screen.root.create_window(
            0, 0, 100, 100, 0, screen.root_depth, event_mask=X.KeyPressMask | X.KeyReleaseMask
        )
        self._window.map()
        self._display.sync()
        self._window.set_input_focus(X.RevertToParent, X.CurrentTime)
        self._display.sync()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(ConnectionClosedError):  # a test may have ended it
            self._display.close()
        self._display.display.socket.close()
        self.process.kill()
        self.process.wait()

    def photograph(self, path: Path) -> None:
        """All that is to be seen, as a PNG file."""
        from PySide6.QtGui import QImage

        root = self._display.screen().root
        size = root.get_geometry()
        seen = root.get_image(0, 0, size.width, size.height, X.ZPixmap, 0xFFFFFFFF)
        QImage(seen.data, size.width, size.height, 4 * size.width, QImage.Format.Format_RGB32).save(str(path))

    def down(self) -> set[str]:
        """Keys that are down now, as X names them: Left, Control_L."""
        held = self._display.query_keymap()
        codes = [8 * i + bit for i, byte in enumerate(held) for bit in range(8) if byte >> bit & 1]
        return {XK.keysym_to_string(sym) or _name(sym) for sym in (self._display.keycode_to_keysym(code, 0) for code in codes)}

    def typed(self) -> list[str]:
        """What the window got since the last call: ``+a`` pressed, ``-a`` released."""
        found = []
        while self._display.pending_events():
            event = self._display.next_event()
            if event.type in (X.KeyPress, X.KeyRelease):
                sym = self._display.keycode_to_keysym(event.detail, 0)
                found.append(("+" if event.type == X.KeyPress else "-") + (XK.keysym_to_string(sym) or _name(sym)))
        return found

    def wait_down(self, wanted: set[str], timeout_s: float) -> float:
        """Seconds until exactly these keys are down; fails where that does not come."""
        return wait_until(lambda: self.down() == wanted, timeout_s, lambda: f"down are {self.down()}, not {wanted}")


def wait_until(true: Callable[[], bool], timeout_s: float, told: Callable[[], str]) -> float:
    """Seconds until something is so."""
    began_s = time.monotonic()
    while not true():
        assert time.monotonic() - began_s < timeout_s, told()
        time.sleep(0.002)
    return time.monotonic() - began_s


def _name(sym: int) -> str:
    return next((name[3:] for name, value in vars(XK).items() if name.startswith("XK_") and value == sym), str(sym))
