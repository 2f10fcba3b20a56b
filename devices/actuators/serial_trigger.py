"""Trigger pulses through a serial trigger box: a byte sets the lines, another clears them after a stated time.

So work boxes that put each byte they receive on eight TTL lines and hold it until the next one. Nobody waits for the end
of a pulse: a thread clears it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from bci.engine.command import Command
from bci.errors import ActuatorError
from devices.actuators.alarm import Alarm
from devices.actuators.options import Options, whole_number
from devices.actuators.orders import check, closed
from devices.actuators.port import Port, port_problem
from devices.actuators.serial_commands import CLOSE_S, DEADLINE_S


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """Which box, which codes.

    Parameters
    ----------
    port : str
        The one device that may be opened.
    codes : mapping of str to int
        Lines of each command as a byte, 0 to 255, not ``clear``.
    clear : int
        Byte that clears the lines; also neutral.
    width_s : float
        How long a pulse lasts; longer than two samples of the amplifier that records it. A pulse during another
        replaces it.
    baud : int
    """

    port: str
    codes: Mapping[str, int]
    clear: int = 0
    width_s: float = 0.01
    baud: int = 115200

    @classmethod
    def read(cls, given: Mapping[str, object]) -> TriggerSettings:
        """From loosely typed settings.

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = Options("trigger", given)
        port = o.text("port", None)
        if port and (problem := port_problem(port)):
            o.problem(problem)
        codes = o.table("codes", whole_number(0, 255))
        clear = int(o.number("clear", 0, 0, 255))
        for name, code in codes.items():
            if code == clear:
                o.problem(f"codes.{name} = {code}: is the byte that clears the lines")
        width_s = o.number("width_s", 0.01, 0.001, 1.0)
        baud = int(o.number("baud", 115200, 300, 4_000_000))
        o.done()
        return cls(port, codes, clear, width_s, baud)


class TriggerActuator:
    """Sends a pulse for each command.

    Parameters
    ----------
    settings : TriggerSettings

    Raises
    ------
    ActuatorError
        If the port cannot be opened.
    """

    def __init__(self, settings: TriggerSettings) -> None:
        self.settings = settings
        self._what = f"trigger on {settings.port}"
        self._lock = threading.Lock()
        self._closed = False
        self._failure: ActuatorError | None = None
        self._clear_at_s = 0.0
        self._clear = bytes((settings.clear,))
        self._port = Port(settings.port, settings.baud, DEADLINE_S / 2)
        self._alarm = Alarm(self._end)
        self.neutral()

    @classmethod
    def from_settings(cls, options: Mapping[str, object]) -> TriggerActuator:
        """As a configuration asks for it; see :class:`TriggerSettings`.

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        ActuatorError
            If the port cannot be opened.
        """
        return cls(TriggerSettings.read(options))

    def send(self, command: Command) -> None:
        """Begin a pulse; it ends by itself.

        Raises
        ------
        ActuatorError
            If the command has no code, the byte is not taken in time, the port is gone, or the last pulse could not be ended.
        """
        check(command, self._what, self.settings.codes)
        if not self._lock.acquire(timeout=DEADLINE_S / 2):
            raise ActuatorError(f"{self._what}: the end of the last pulse is not taken; the box does not read")
        try:
            if self._closed:
                raise closed(self._what)
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
            self._port.write(bytes((self.settings.codes[command.name],)))
            self._clear_at_s = time.monotonic() + self.settings.width_s
            self._alarm.set(self._clear_at_s)
        finally:
            self._lock.release()

    def neutral(self) -> None:
        """Clear the lines."""
        if self._lock.acquire(timeout=DEADLINE_S):
            try:
                self._stop()
            finally:
                self._lock.release()
        # else the clearing byte itself hangs, and the next command reports that

    def close(self) -> None:
        """Clear the lines and release the port."""
        with self._lock:  # whoever holds it gives it back within the deadline
            if not self._closed:
                self._stop()
                self._closed = True
                self._port.close(CLOSE_S)
        self._alarm.close()

    def _stop(self) -> None:
        """Clear, with the lock held."""
        self._clear_at_s = 0.0
        if not self._closed:
            with suppress(ActuatorError):
                self._port.write(self._clear)

    def _end(self) -> None:
        """The end of a pulse, unless another has begun since or it was cleared already."""
        with self._lock:
            if self._closed or self._clear_at_s == 0.0 or time.monotonic() < self._clear_at_s:
                return
            self._clear_at_s = 0.0
            try:
                self._port.write(self._clear)
            except ActuatorError as error:
                self._failure = error
