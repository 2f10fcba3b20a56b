"""Commands as UDP packets, JSON or text, for games and programs of one's own.

JSON: ``{"v": 1, "command": "left", "value": 1.0, "sequence": 7}``; text: ``left 1.000`` and a line end. Neutral is the command
``neutral`` with value 0. UDP loses packets without a word: a receiver stops by itself when none has come for a while.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bci.engine.command import Command
from devices.actuators.datagram import LOOPBACK, DatagramWire, host_problem
from devices.actuators.options import Options
from devices.actuators.orders import check

FORMATS = ("json", "text")


@dataclass(frozen=True, slots=True)
class UdpSettings:
    """Where to, and how it is written.

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
        """From loosely typed settings.

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = Options("UDP", given)
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
        self.wire = DatagramWire(settings.host, settings.port)
        self._sequence = 0

    @classmethod
    def from_settings(cls, options: Mapping[str, object]) -> UdpActuator:
        """As a configuration asks for it; see :class:`UdpSettings`.

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        """
        return cls(UdpSettings.read(options))

    def send(self, command: Command) -> None:
        """Send one packet.

        Raises
        ------
        ActuatorError
            If the command is not a printable name with a number, or nobody takes packets.
        """
        check(command, f"UDP to {self.wire.what}")
        self.wire.send(self._packet(command))
        self._sequence = command.sequence

    def neutral(self) -> None:
        """Send one packet that says stop."""
        self.wire.send_neutral(self._packet(Command(self.settings.neutral, 0.0, self._sequence)))

    def close(self) -> None:
        """Neutral, then no more."""
        if self.wire.is_open:
            self.neutral()
        self.wire.close()

    def _packet(self, command: Command) -> bytes:
        if self.settings.format == "text":
            return f"{command.name} {command.value:.3f}\n".encode()
        fields = {"v": 1, "command": command.name, "value": float(command.value), "sequence": command.sequence}
        return json.dumps(fields, separators=(",", ":")).encode()
