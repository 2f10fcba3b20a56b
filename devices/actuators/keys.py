"""Keys of this computer's keyboard, pressed for whatever window has the focus.

A key that is down when its process is killed stays down. So a small process of its own presses the keys
(:mod:`devices.actuators.key_presser`): it lets go when the pipe to it closes, however that comes, and when nobody has
repeated a command in time.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec

from bci.engine.command import Command
from bci.errors import ActuatorError
from devices.actuators.options import Options
from devices.actuators.orders import check, closed

DEADLINE_S = 0.02
START_S = 15.0
"""Longest time for the pressing process to start; importing what it needs takes half a second."""
END_S = 2.0
MOST_UNANSWERED = 8
MODES = ("tap", "hold")
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
NAMED = (
    "alt", "alt_gr", "alt_r", "backspace", "cmd", "cmd_r", "ctrl", "ctrl_r", "delete", "down", "end", "enter", "esc", "home",
    "insert", "left", "media_next", "media_play_pause", "media_previous", "media_volume_down", "media_volume_mute",
    "media_volume_up", "menu", "page_down", "page_up", "pause", "right", "shift", "shift_r", "space", "tab", "up",
    *(f"f{number}" for number in range(1, 21)),
)  # fmt: skip
"""Keys with a name. Those that lock (Caps Lock, Num Lock) are left out, for letting go does not undo them."""


def combination(value: object) -> tuple[str, ...]:
    """Keys that are pressed together, in this order.

    >>> combination("ctrl+shift+Left")
    ('ctrl', 'shift', 'left')

    Raises
    ------
    ValueError
        If one of them is not known, or stands twice.
    """
    keys = tuple(str(value).strip().lower().split("+"))
    wrong = [key for key in keys if key not in NAMED and not (len(key) == 1 and key in CHARACTERS)]
    if wrong:
        raise ValueError(f"{value!r}: there is no key {wrong[0]!r}; write a to z, 0 to 9, {', '.join(NAMED)}, joined by +")
    if len(set(keys)) < len(keys):
        raise ValueError(f"{value!r}: names a key twice")
    return keys


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Which keys.

    Parameters
    ----------
    table : mapping of str to tuple of str
        Keys of each command, pressed together: ``left``, ``ctrl+right``.
    mode : {"tap", "hold"}
        ``tap``: each command presses the keys anew, for ``tap_s``. ``hold``: they stay down while the command is repeated.
    tap_s : float
        How long a tap lasts. Shorter than a frame, a game may not see it.
    hold_s : float
        Held keys go up this long after the last command: whoever sends may hang. Let the host repeat commands
        (``pace.repeat_s`` below it).
    """

    table: Mapping[str, tuple[str, ...]]
    mode: str = "tap"
    tap_s: float = 0.05
    hold_s: float = 0.25

    @classmethod
    def read(cls, given: Mapping[str, object]) -> KeySettings:
        """From loosely typed settings.

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = Options("keys", given)
        table = o.table("table", combination)
        mode = o.text("mode", "tap", MODES)
        tap_s, hold_s = o.number("tap_s", 0.05, 0.005, 1.0), o.number("hold_s", 0.25, 0.05, 10.0)
        o.done()
        return cls(table, mode, tap_s, hold_s)


class KeysActuator:
    """Presses keys.

    Parameters
    ----------
    settings : KeySettings

    Raises
    ------
    ActuatorError
        If there is no display, no permission, no such key on its keyboard, or pynput is not installed.
    """

    def __init__(self, settings: KeySettings) -> None:
        if find_spec("pynput") is None:
            raise ActuatorError(
                "keys: needs the package pynput, which is not installed: pip install 'bci[keys]' "
                "(under Linux it needs a C compiler)"
            )
        self.settings = settings
        self._closed = False
        self._unanswered = 0
        self._failure = ""
        self._answers: queue.Queue[str] = queue.Queue()
        keys = json.dumps(sorted({key for keys in settings.table.values() for key in keys}))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "devices.actuators.key_presser", keys],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._reader = threading.Thread(target=self._read, name="reads key presser", daemon=True)
        self._reader.start()
        self._unanswered = 1  # it says by itself that it is ready
        try:
            self._await(time.monotonic() + START_S)
        except ActuatorError:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Process that presses the keys."""
        return self._process.pid

    @classmethod
    def from_settings(cls, options: Mapping[str, object]) -> KeysActuator:
        """As a configuration asks for it; see :class:`KeySettings`.

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        ActuatorError
            If keys cannot be pressed here.
        """
        return cls(KeySettings.read(options))

    def send(self, command: Command) -> None:
        """Press the command's keys.

        Raises
        ------
        ActuatorError
            If the command is not in the table, or the keys are not down in time.
        """
        check(command, "keys", self.settings.table)
        if self._closed:
            raise closed("keys")
        now_s, tap = time.monotonic(), self.settings.mode == "tap"
        self._await(now_s + DEADLINE_S)
        until_s = now_s + (self.settings.tap_s if tap else self.settings.hold_s)
        self._write({"press": self.settings.table[command.name], "until_s": until_s, "anew": tap})
        self._await(now_s + DEADLINE_S)

    def neutral(self) -> None:
        """Let go of all keys. What cannot be done is told by the next command."""
        if self._closed or self._unanswered > MOST_UNANSWERED:  # then a letting-go waits already, in a pipe that may fill
            return
        with suppress(ActuatorError):
            self._write({"press": [], "until_s": 0.0, "anew": True})
            self._await(time.monotonic() + DEADLINE_S)

    def close(self) -> None:
        """Let go of all keys and end the process."""
        if self._closed:
            return
        self.neutral()
        self._closed = True
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:  # the display does not answer
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _write(self, order: Mapping[str, object]) -> None:
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
        except OSError as error:
            raise self._gone() from error
        self._unanswered += 1

    def _await(self, until_s: float) -> None:
        """Wait until all that was asked is answered."""
        while self._unanswered:
            try:
                answer = self._answers.get(timeout=max(0.0, until_s - time.monotonic()))
            except queue.Empty:
                raise ActuatorError("keys: the display does not take them; is it frozen, or this computer too busy?") from None
            if not answer:
                self._answers.put("")  # for the next one who asks
                raise self._gone()
            self._unanswered -= 1
            if answer != "ok":
                self._failure = answer
                raise ActuatorError(f"keys: {answer}")

    def _gone(self) -> ActuatorError:
        why = f" ({self._failure})" if self._failure else ""
        return ActuatorError(
            f"keys: the process that presses them is gone{why}; open the actuator again, which lets go of all keys"
        )

    def _read(self) -> None:
        for line in self._process.stdout:
            self._answers.put(line.decode(errors="replace").strip())
        self._answers.put("")
