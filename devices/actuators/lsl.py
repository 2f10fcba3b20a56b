"""Commands as an LSL stream, for programs that read markers: Unity, PsychoPy, an actuator on another computer.

liblsl listens on all interfaces whatever is configured, as for every stream (docs/reference/streams.md).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from bci.engine.command import Command
from devices.actuators.options import ActuatorOptions, whole_number
from devices.actuators.orders import check, closed

LINGER_S = 0.3  # liblsl drops what was sent last with the stream, and is not safe to end while it still sends
KINDS = ("marker", "number")


@dataclass(frozen=True, slots=True)
class LslSettings:
    """Settings of the actuator that sends an LSL stream.

    Parameters
    ----------
    name : str
        Of the stream.
    kind : {"marker", "number"}
        Texts (type ``Markers``): the command's name, or ``neutral``. Numbers (type ``BCI-Command``): columns ``code``,
        ``value`` and ``sequence``; neutral is code 0 with value 0.
    codes : mapping of str to int
        For numbers: the code of each command, 1 to 65535.
    """

    name: str = "bci-commands"
    kind: str = "marker"
    codes: Mapping[str, int] | None = None

    @classmethod
    def read(cls, given: Mapping[str, object]) -> LslSettings:
        """Read the settings from values of their type, or text.

        Parameters
        ----------
        given : mapping of str to object
            Names of settings; values of their type, or text.

        Returns
        -------
        LslSettings

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = ActuatorOptions("LSL", given)
        name = o.text("name", "bci-commands")
        if not name or not name.isprintable() or len(name) > 64:
            o.problem(f"name = {name!r}: must be 1 to 64 printable characters")
        kind = o.text("kind", "marker", KINDS)
        codes = o.table("codes", whole_number(1, 65535), needed=kind == "number")
        o.done()
        return cls(name, kind, codes if kind == "number" else None)


class LslActuator:
    """Sends a sample for each command.

    Parameters
    ----------
    settings : LslSettings
    """

    def __init__(self, settings: LslSettings) -> None:
        from bci.stream.lsl import LslOutlet, LslTextOutlet, row_info  # liblsl is loaded only by who wants it

        self.settings = s = settings
        self._what = f"LSL stream {s.name}"
        self._sequence = 0
        self._texts: LslTextOutlet | None = None
        self._rows: LslOutlet | None = None
        if s.codes is None:
            self._texts = LslTextOutlet(s.name, "Markers", f"bci-actuator-{s.name}")
        else:
            self._rows = LslOutlet(row_info(s.name, "BCI-Command", f"bci-actuator-{s.name}", ("code", "value", "sequence")))

    @classmethod
    def from_settings(cls, options: Mapping[str, object]) -> LslActuator:
        """As :meth:`bci.stream.bus.ActuatorPlugin.from_settings`; the options are the fields of :class:`LslSettings`."""
        return cls(LslSettings.read(options))

    def send(self, command: Command) -> None:
        """Send one sample.

        Parameters
        ----------
        command : Command

        Raises
        ------
        ActuatorError
            If the command is not what it should be, or the stream is closed.
        """
        check(command, self._what, self.settings.codes)
        self._sequence = command.sequence
        self._push(command.name, (self.settings.codes or {}).get(command.name, 0), command.value)

    def neutral(self) -> None:
        """Send one sample with the neutral command. It cannot be known whether anybody receives it.

        Raises
        ------
        ActuatorError
            If the stream is closed.
        """
        self._push("neutral", 0, 0.0)

    def close(self) -> None:
        """Neutral, then end the stream, once neutral has had the time to arrive."""
        outlet = self._texts or self._rows
        if outlet is not None:
            self.neutral()
            if outlet.has_consumers:
                time.sleep(LINGER_S)
            outlet.close()
        self._texts = self._rows = None

    def _push(self, text: str, code: int, value: float) -> None:
        if self._texts is None and self._rows is None:
            raise closed(self._what)
        if self._texts is not None:
            self._texts.push(text)
        if self._rows is not None:
            self._rows.push((code, value, self._sequence))
