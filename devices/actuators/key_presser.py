"""The process that presses keys: orders come as lines of JSON, and each is answered with ``ok`` or with what is wrong.

``{"press": ["ctrl", "right"], "until_s": time.monotonic(), "anew": true}`` lets go of what is down and presses these until
then; without ``anew``, keys that are down already stay down. No keys: let go. When the pipe closes all keys go up.
"""

from __future__ import annotations

import json
import math
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

Touch = Callable[[str], None]


class HeldKeys:
    """Keys that are down, and until when.

    Parameters
    ----------
    press, release : callable
        Take the name of a key.
    """

    def __init__(self, press: Touch, release: Touch) -> None:
        self._press, self._release = press, release
        self._down: list[str] = []
        self.until_s = math.inf

    def order(self, keys: Sequence[str], until_s: float, anew: bool, now_s: float) -> None:
        """Hold keys until a time; an order that comes too late presses nothing.

        Parameters
        ----------
        keys : sequence of str
            Names of the keys.
        until_s : float
            Seconds on the clock of ``now_s``.
        anew : bool
            Whether keys that are down are released and pressed again.
        now_s : float
            Seconds on a clock of the caller's.
        """
        if anew or self._down != list(keys) or now_s >= until_s:
            self.release()
            for key in keys if now_s < until_s else ():
                self._down.append(key)  # before: one that fails half-way is let go of too
                self._press(key)
        self.until_s = until_s if self._down else math.inf

    def release(self) -> None:
        """Release all keys, the last one first."""
        while self._down:
            self._release(self._down.pop())
        self.until_s = math.inf


def main(names: Sequence[str]) -> None:
    """Press the keys that standard input asks for, until it is closed.

    Parameters
    ----------
    names : sequence of str
        Of all keys that may be pressed.
    """
    for name in ("SIGINT", "SIGTSTP"):  # the host answers Ctrl-C and Ctrl-Z; a key must not stay down while this one stands still
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: sys.exit(0))
    try:
        press, release = _keyboard(names)
    except Exception as error:  # the top of a process: whatever it is, the host passes it on
        answer(str(error).partition("\n")[0] or type(error).__name__)
        return
    for name in names:  # one that died before may have left them down
        release(name)
    held = HeldKeys(press, release)
    try:
        answer("ok")
        _serve(held)
    finally:
        held.release()


def _serve(held: HeldKeys) -> None:
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    while True:
        left_s = held.until_s - time.monotonic()
        try:
            line = lines.get(timeout=None if math.isinf(left_s) else max(0.0, left_s))
        except queue.Empty:
            held.release()
            continue
        if not line:
            return
        order = json.loads(line)
        held.order(order["press"], order["until_s"], order["anew"], time.monotonic())
        answer("ok")


def _read(lines: queue.Queue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put("")


def answer(text: str) -> None:
    """Print one line to the actuator host; where the host is gone, the end of the pipe is the next thing that is read.

    Parameters
    ----------
    text : str
        The line.
    """
    try:
        os.write(1, f"{text}\n".encode())
    except BrokenPipeError:
        return


def _keyboard(names: Sequence[str]) -> tuple[Touch, Touch]:
    """Make the object that presses and releases keys on this system.

    Raises
    ------
    ImportError, OSError, LookupError
        If there is no display, no permission, or a key that this keyboard lacks.
    """
    if sys.platform.startswith("linux"):
        _check_display(names)
    elif sys.platform == "darwin":
        _check_permission()
    from pynput.keyboard import Controller

    keyboard, keys = Controller(), {name: _key(name) for name in names}
    return lambda name: keyboard.press(keys[name]), lambda name: keyboard.release(keys[name])


def _key(name: str) -> object:
    from pynput.keyboard import Key, KeyCode

    if len(name) > 1:
        return Key[name]
    # On X a character would go as a message to the window, which many programs ignore; its key goes as a key.
    return KeyCode.from_vk(ord(name)) if sys.platform.startswith("linux") else KeyCode.from_char(name)


def _virtual(key: Any) -> int:
    """The system's number of a key; on X its keysym."""
    return int(getattr(key, "value", key).vk)


def _check_display(names: Sequence[str]) -> None:
    """An X display, its extension for synthetic keys, and every key of the table (XTEST Extension Protocol, 2.2)."""
    if not os.environ.get("DISPLAY"):
        raise OSError(
            "there is no display (DISPLAY is not set); start it on the desktop whose windows are to receive the "
            "keys, or set DISPLAY=:0 (on pure Wayland no program can press keys)"
        )
    os.environ["PYNPUT_BACKEND"] = "xorg"
    from Xlib.display import Display
    from Xlib.error import DisplayError, XauthError

    try:
        display = Display()
    except (DisplayError, XauthError) as error:
        raise OSError(
            f"display {os.environ['DISPLAY']} cannot be opened ({error}); check that it is running and that you may use it"
        ) from error
    try:
        if not display.has_extension("XTEST"):
            raise OSError(f"display {os.environ['DISPLAY']} has no XTEST extension, so no program can press its keys; enable it")
        lacking = [name for name in names if not display.keysym_to_keycode(_virtual(_key(name)))]
        if lacking:
            raise LookupError(f"the keyboard of this display has no key {', '.join(lacking)}; choose others in the table")
    finally:
        display.close()


def _check_permission() -> None:
    """Check the permission that a person must give on macOS; without it, macOS drops keys silently."""
    from HIServices import AXIsProcessTrusted

    if not AXIsProcessTrusted():
        raise OSError("no permission to press keys; allow this terminal in System Settings → Privacy & Security → Accessibility")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
