"""Commands as Open Sound Control messages, for Max, Pure Data, TouchDesigner, Unity.

One message for each command: ``/bci/command``, with name (string), value (float) and sequence (int32), as OSC 1.0 writes them
(https://opensoundcontrol.stanford.edu/spec-1_0.html). Neutral is the command ``neutral`` with value 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pythonosc.osc_message_builder import OscMessageBuilder

from bci.engine.command import Command
from devices.actuators.datagram import LOOPBACK, DatagramWire, host_problem
from devices.actuators.options import Options
from devices.actuators.orders import check

_ADDRESS = re.compile(r"(/[A-Za-z0-9_.-]+)+", re.ASCII)  # none of the characters with a meaning in patterns


@dataclass(frozen=True, slots=True)
class OscSettings:
    """Where to.

    Parameters
    ----------
    port : int
    host : str
        IP address; this computer unless set.
    address : str
        OSC address of the messages.
    """

    port: int
    host: str = LOOPBACK
    address: str = "/bci/command"

    @classmethod
    def read(cls, given: Mapping[str, object]) -> OscSettings:
        """From loosely typed settings.

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = Options("OSC", given)
        port = int(o.number("port", None, 1, 65535))
        host = o.text("host", LOOPBACK)
        if problem := host_problem(host):
            o.problem(problem)
        address = o.text("address", "/bci/command")
        if not _ADDRESS.fullmatch(address):
            o.problem(f"address = {address!r}: must look like /bci/command")
        o.done()
        return cls(port, host, address)


class OscActuator:
    """Sends a message for each command.

    Parameters
    ----------
    settings : OscSettings
    """

    def __init__(self, settings: OscSettings) -> None:
        self.settings = settings
        self.wire = DatagramWire(settings.host, settings.port)
        self._sequence = 0

    @classmethod
    def from_settings(cls, options: Mapping[str, object]) -> OscActuator:
        """As a configuration asks for it; see :class:`OscSettings`.

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        """
        return cls(OscSettings.read(options))

    def send(self, command: Command) -> None:
        """Send one message.

        Raises
        ------
        ActuatorError
            If the command is not a printable name with a number, or nobody takes messages.
        """
        check(command, f"OSC to {self.wire.what}")
        self.wire.send(self._packet(command))
        self._sequence = command.sequence

    def neutral(self) -> None:
        """Send one message that says stop."""
        self.wire.send_neutral(self._packet(Command("neutral", 0.0, self._sequence)))

    def close(self) -> None:
        """Neutral, then no more."""
        if self.wire.is_open:
            self.neutral()
        self.wire.close()

    def _packet(self, command: Command) -> bytes:
        # Types are stated: python-osc would write a whole number as int32, and a receiver that expects a float drop it.
        builder = OscMessageBuilder(address=self.settings.address)
        builder.add_arg(command.name, "s")
        builder.add_arg(float(command.value), "f")
        builder.add_arg(command.sequence & 0x7FFFFFFF, "i")
        return bytes(builder.build().dgram)
