"""Commands as UDP packets, JSON or text, for games and programs of one's own.

JSON: ``{"v": 1, "command": "left", "value": 1.0, "sequence": 7, "alive": 41}``; text: ``left 1.000`` and a line end. Neutral is
the command ``neutral`` with value 0. ``alive`` counts packets of any kind: a receiver that misses a number has lost one. UDP
loses packets without a word, and neutral is repeated at rest: a receiver stops by itself when nothing has come for a while.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from bci.engine.command import Command
from bci.errors import ActuatorError
from devices.actuators.datagram import LOOPBACK, DatagramSender, host_problem
from devices.actuators.options import ActuatorOptions
from devices.actuators.orders import check

FORMATS = ("json", "text")


@dataclass(frozen=True, slots=True)
class UdpSettings:
    """Settings of the actuator that sends UDP packets.

    Parameters
    ----------
    port : int
    host : str
        IP address; this computer unless set.
    format : {"json", "text"}
    neutral : str
        Name that neutral has.
    """

    port: int
    host: str = LOOPBACK
    format: str = "json"
    neutral: str = "neutral"

    @classmethod
    def read(cls, given: Mapping[str, object]) -> UdpSettings:
        """Read the settings from values of their type, or text.

        Parameters
        ----------
        given : mapping of str to object
            Names of settings; values of their type, or text.

        Returns
        -------
        UdpSettings

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = ActuatorOptions("UDP", given)
        port = int(o.number("port", None, 1, 65535))
        host = o.text("host", LOOPBACK)
        if problem := host_problem(host):
            o.problem(problem)
        format = o.text("format", "json", FORMATS)
        neutral = o.text("neutral", "neutral")
        if not neutral or not neutral.isprintable():
            o.problem(f"neutral = {neutral!r}: must be printable text")
        o.done()
        return cls(port, host, format, neutral)


class UdpActuator:
    """Sends a packet for each command.

    Parameters
    ----------
    settings : UdpSettings
    """

    def __init__(self, settings: UdpSettings) -> None:
        self.settings = settings
        self.sender = DatagramSender(settings.host, settings.port)
        self._sequence = self._alive = 0

    @classmethod
    def from_settings(cls, options: Mapping[str, object]) -> UdpActuator:
        """As :meth:`bci.stream.bus.ActuatorPlugin.from_settings`; the options are the fields of :class:`UdpSettings`."""
        return cls(UdpSettings.read(options))

    def send(self, command: Command) -> None:
        """Send one packet.

        Parameters
        ----------
        command : Command

        Raises
        ------
        ActuatorError
            If the command is not a printable name with a number, or nobody receives packets.
        """
        check(command, f"UDP to {self.sender.what}")
        self.sender.send(self._packet(command))
        self._sequence = command.sequence

    def neutral(self) -> None:
        """Send one packet with the neutral command.

        Raises
        ------
        ActuatorError
            If the network does not take it, or reports that nobody is there.
        """
        self.sender.send_neutral(self._packet(Command(self.settings.neutral, 0.0, self._sequence)))

    def close(self) -> None:
        """Send the neutral command, then end."""
        if self.sender.is_open:
            with suppress(ActuatorError):
                self.neutral()
        self.sender.close()

    def _packet(self, command: Command) -> bytes:
        if self.settings.format == "text":
            return f"{command.name} {command.value:.3f}\n".encode()
        self._alive += 1
        fields = {
            "v": 1,
            "command": command.name,
            "value": float(command.value),
            "sequence": command.sequence,
            "alive": self._alive,
        }
        return json.dumps(fields, separators=(",", ":")).encode()
