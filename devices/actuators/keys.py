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
from typing import IO, cast

from bci.engine.command import Command
from bci.errors import ActuatorError
from devices.actuators.options import ActuatorOptions
from devices.actuators.orders import check, closed

DEADLINE_S = 0.02
START_S = 15.0
"""Longest time for the pressing process to start; importing what it needs takes half a second."""
END_S = 2.0
AGAIN_S = 2.0
"""Shortest time between two beginnings of that process."""
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
    """Read the keys that are pressed together, in this order.

    Parameters
    ----------
    value : object
        Text with a ``+`` between the keys.

    Returns
    -------
    tuple of str
        Names of the keys.

    Raises
    ------
    ValueError
        If one of them is not known, or is named twice.

    Examples
    --------
    >>> combination("ctrl+shift+Left")
    ('ctrl', 'shift', 'left')
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
    """Settings of the actuator that presses keys.

    Parameters
    ----------
    table : mapping of str to tuple of str
        Keys of each command, pressed together: ``left``, ``ctrl+right``.
    mode : {"tap", "hold"}
        ``tap``: each command presses the keys again, for ``tap_s``. ``hold``: they stay down while the command is repeated.
    tap_s : float
        How long a tap lasts. Shorter than a frame, a game may not see it.
    hold_s : float
        Held keys go up this long after the last command, because the sender may hang. Let the host repeat commands
        (``pace.repeat_s`` below it).
    """

    table: Mapping[str, tuple[str, ...]]
    mode: str = "tap"
    tap_s: float = 0.05
    hold_s: float = 0.25

    @classmethod
    def read(cls, given: Mapping[str, object]) -> KeySettings:
        """Read the settings from values of their type, or text.

        Parameters
        ----------
        given : mapping of str to object
            Names of settings; values of their type, or text.

        Returns
        -------
        KeySettings

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = ActuatorOptions("keys", given)
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
        self._begin()
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
        """As :meth:`bci.stream.bus.ActuatorPlugin.from_settings`; the options are the fields of :class:`KeySettings`."""
        return cls(KeySettings.read(options))

    def send(self, command: Command) -> None:
        """Press the command's keys.

        Parameters
        ----------
        command : Command

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

    def neutral(self) -> bool:
        """Release all keys; where the process that presses them has gone, start another one, which releases them first.

        Returns
        -------
        bool
            True: the pressing process said so.

        Raises
        ------
        ActuatorError
            If the display does not take it, or the process is gone: it is begun again, and ready in about a second.
        """
        if self._closed:
            raise closed("keys")
        if self._process.poll() is not None:
            gone = self._gone()
            if time.monotonic() - self._begun_s > AGAIN_S:
                self._end()
                self._begin()
            raise gone
        if self._unanswered <= MOST_UNANSWERED:  # else a letting-go waits already, in a pipe that may fill
            self._write({"press": [], "until_s": 0.0, "anew": True})
        self._await(time.monotonic() + DEADLINE_S)
        return True

    def close(self) -> None:
        """Release all keys and end the process."""
        if self._closed:
            return
        with suppress(ActuatorError):
            if self._process.poll() is None:
                self.neutral()
        self._closed = True
        self._end()

    def _begin(self) -> None:
        """Start a process that presses keys; it reports that it is ready once all keys are up."""
        keys = json.dumps(sorted({key for keys in self.settings.table.values() for key in keys}))
        self._failure, self._begun_s = "", time.monotonic()
        self._answers: queue.Queue[str] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "devices.actuators.key_presser", keys],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._stdin, self._stdout = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._reader = threading.Thread(target=self._read, args=(self._stdout, self._answers), daemon=True)
        self._reader.start()
        self._unanswered = 1

    def _end(self) -> None:
        with suppress(BrokenPipeError):
            self._stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:  # the display does not answer
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._stdout.close()

    def _write(self, order: Mapping[str, object]) -> None:
        try:
            self._stdin.write(json.dumps(order).encode() + b"\n")
        except OSError as error:
            raise self._gone() from error
        self._unanswered += 1

    def _await(self, until_s: float) -> None:
        """Wait until all orders are answered."""
        while self._unanswered:
            try:
                answer = self._answers.get(timeout=max(0.0, until_s - time.monotonic()))
            except queue.Empty:
                raise ActuatorError(
                    "keys: the display does not accept them; it may be frozen, or this computer may be too busy"
                ) from None
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
            f"keys: the process that presses them has ended{why}; a new one is started, which first releases all keys"
        )

    @staticmethod
    def _read(lines: IO[bytes], answers: queue.Queue[str]) -> None:
        for line in lines:
            answers.put(line.decode(errors="replace").strip())
        answers.put("")
