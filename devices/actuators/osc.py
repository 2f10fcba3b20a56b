"""Commands as Open Sound Control messages, for Max, Pure Data, TouchDesigner, Unity.

One message for each command: ``/bci/command``, with name (string), value (float) and sequence (int32), as OSC 1.0 writes them
(https://opensoundcontrol.stanford.edu/spec-1_0.html). Neutral is the command ``neutral`` with value 0. Each is followed by a
message ``/bci_alive`` with a number (int32) that counts up by one: a receiver that misses one has lost a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from pythonosc.osc_message_builder import OscMessageBuilder

from bci.engine.command import Command
from bci.errors import ActuatorError
from devices.actuators.datagram import LOOPBACK, DatagramSender, host_problem
from devices.actuators.options import ActuatorOptions
from devices.actuators.orders import check

_ADDRESS = re.compile(r"(/[A-Za-z0-9_.-]+)+", re.ASCII)  # none of the characters with a meaning in patterns


@dataclass(frozen=True, slots=True)
class OscSettings:
    """Settings of the actuator that sends OSC messages.

    Parameters
    ----------
    port : int
    host : str
        IP address; this computer unless set.
    address : str
        OSC address of the messages.
    alive : str
        OSC address of the number that counts them; empty for none.
    """

    port: int
    host: str = LOOPBACK
    address: str = "/bci/command"
    alive: str = "/bci_alive"

    @classmethod
    def read(cls, given: Mapping[str, object]) -> OscSettings:
        """Read the settings from values of their type, or text.

        Parameters
        ----------
        given : mapping of str to object
            Names of settings; values of their type, or text.

        Returns
        -------
        OscSettings

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = ActuatorOptions("OSC", given)
        port = int(o.number("port", None, 1, 65535))
        host = o.text("host", LOOPBACK)
        if problem := host_problem(host):
            o.problem(problem)
        address = o.text("address", "/bci/command")
        if not _ADDRESS.fullmatch(address):
            o.problem(f"address = {address!r}: must look like /bci/command")
        alive = o.text("alive", "/bci_alive")
        if alive and not _ADDRESS.fullmatch(alive):
            o.problem(f"alive = {alive!r}: must look like /bci_alive, or be empty")
        o.done()
        return cls(port, host, address, alive)


class OscActuator:
    """Sends a message for each command.

    Parameters
    ----------
    settings : OscSettings
    """

    def __init__(self, settings: OscSettings) -> None:
        self.settings = settings
        self.sender = DatagramSender(settings.host, settings.port)
        self._sequence = self._alive = 0

    @classmethod
    def from_settings(cls, options: Mapping[str, object]) -> OscActuator:
        """As :meth:`bci.stream.bus.ActuatorPlugin.from_settings`; the options are the fields of :class:`OscSettings`."""
        return cls(OscSettings.read(options))

    def send(self, command: Command) -> None:
        """Send one message.

        Parameters
        ----------
        command : Command

        Raises
        ------
        ActuatorError
            If the command is not a printable name with a number, or nobody receives messages.
        """
        check(command, f"OSC to {self.sender.what}")
        self.sender.send(self._packet(command))
        self._sequence = command.sequence
        self._count(self.sender.send)

    def neutral(self) -> None:
        """Send one message with the neutral command.

        Raises
        ------
        ActuatorError
            If the network does not take it, or reports that nobody is there.
        """
        self.sender.send_neutral(self._packet(Command("neutral", 0.0, self._sequence)))
        self._count(self.sender.send_neutral)

    def close(self) -> None:
        """Send the neutral command, then end."""
        if self.sender.is_open:
            with suppress(ActuatorError):
                self.neutral()
        self.sender.close()

    def _count(self, send: Callable[[bytes], None]) -> None:
        """Number the message that was just sent."""
        if self.settings.alive:
            self._alive = (self._alive + 1) & 0x7FFFFFFF
            builder = OscMessageBuilder(address=self.settings.alive)
            builder.add_arg(self._alive, "i")
            send(bytes(builder.build().dgram))

    def _packet(self, command: Command) -> bytes:
        # Types are stated: python-osc would write a whole number as int32, and a receiver that expects a float drop it.
        builder = OscMessageBuilder(address=self.settings.address)
        builder.add_arg(command.name, "s")
        builder.add_arg(float(command.value), "f")
        builder.add_arg(command.sequence & 0x7FFFFFFF, "i")
        return bytes(builder.build().dgram)
