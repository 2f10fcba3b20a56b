"""Trigger pulses through a serial trigger box: a byte sets the lines, another clears them after a stated time.

So work boxes that put each byte they receive on eight TTL lines and hold it until the next one. Nobody waits for the end
of a pulse: a thread clears it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from bci.engine.command import Command
from bci.errors import ActuatorError
from devices.actuators.alarm import Alarm
from devices.actuators.options import ActuatorOptions, whole_number
from devices.actuators.orders import check
from devices.actuators.port import Port
from devices.actuators.shared_port import DEADLINE_S, SharedPort, read_port


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """Which trigger box, and which codes.

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
        """Read the settings from values of their type, or text.

        Parameters
        ----------
        given : mapping of str to object
            Names of settings; values of their type, or text.

        Returns
        -------
        TriggerSettings

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = ActuatorOptions("trigger", given)
        port, baud = read_port(o)
        codes = o.table("codes", whole_number(0, 255))
        clear = int(o.number("clear", 0, 0, 255))
        for name, code in codes.items():
            if code == clear:
                o.problem(f"codes.{name} = {code}: is the byte that clears the lines")
        width_s = o.number("width_s", 0.01, 0.001, 1.0)
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
        self._clear_at_s = 0.0
        self._clear = bytes((settings.clear,))
        self._port = Port(settings.port, settings.baud, DEADLINE_S / 2)
        self._shared = SharedPort(
            f"trigger on {settings.port}", self._port, "the end of the last pulse was not accepted; the trigger box does not read"
        )
        self._alarm = Alarm(self._end)
        with suppress(ActuatorError):  # its host asks again before anything is sent
            self.neutral()

    @classmethod
    def from_settings(cls, options: Mapping[str, object]) -> TriggerActuator:
        """As :meth:`bci.stream.bus.ActuatorPlugin.from_settings`; the options are the fields of :class:`TriggerSettings`."""
        return cls(TriggerSettings.read(options))

    def send(self, command: Command) -> None:
        """Begin a pulse; it ends by itself.

        Parameters
        ----------
        command : Command

        Raises
        ------
        ActuatorError
            If the command has no code, the byte is not taken in time, the port is gone, or the last pulse could not be ended.
        """
        check(command, self._shared.what, self.settings.codes)
        with self._shared.held(DEADLINE_S / 2):
            self._shared.raise_failure()
            self._port.write(bytes((self.settings.codes[command.name],)))
            self._clear_at_s = time.monotonic() + self.settings.width_s
            self._alarm.set(self._clear_at_s)

    def neutral(self) -> None:
        """Clear the lines; a box that was gone and is back is cleared first of all.

        Raises
        ------
        ActuatorError
            If the byte is not taken in time, or the port is gone.
        """
        self._shared.neutral(self._stop, DEADLINE_S)

    def close(self) -> None:
        """Clear the lines and release the port."""
        self._shared.close(self._stop)
        self._alarm.close()

    def _stop(self) -> None:
        """Clear, with the lock held."""
        self._clear_at_s = 0.0
        if self._port.lost:
            self._port.reopen()
        self._port.write(self._clear)

    def _end(self) -> None:
        """The end of a pulse, unless another has begun since or it was cleared already."""
        with self._shared.of_alarm() as is_open:
            if not is_open or self._clear_at_s == 0.0 or time.monotonic() < self._clear_at_s:
                return
            self._clear_at_s = 0.0
            self._shared.attempt(partial(self._port.write, self._clear))
