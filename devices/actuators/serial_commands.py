"""A device on a serial port: an Arduino, a stimulator, a wheelchair's joystick input.

What is sent comes from a table of byte strings in the settings, and from nowhere else: the name of a
class is looked up, never sent. ``devices/actuators/arduino/bci_hand`` is the other end.
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
from devices.actuators.options import ActuatorOptions, to_bytes
from devices.actuators.orders import check
from devices.actuators.port import Port
from devices.actuators.shared_port import DEADLINE_S, SharedPort, read_port


@dataclass(frozen=True, slots=True)
class SerialSettings:
    r"""Settings of a device on a serial port.

    Byte strings are written as text with escapes (``"L\n"``, ``"\x02"``) or as lists of numbers. One byte for each
    command is best: of a longer one the device may see only a part when its cable fails.

    Parameters
    ----------
    port : str
        The one device that may be opened.
    table : mapping of str to bytes
        What each command sends. ``{value}`` in it stands for the command's value with three decimals, ``{byte}``
        for one byte, 0 to 255.
    neutral : bytes
        Sent to stop, at opening and at closing.
    baud : int
    acknowledge : bytes
        What the device answers to a command and to neutral, at once and exactly; ``b"echo"`` in the settings:
        the bytes it was sent. Empty where it answers nothing.
    heartbeat : bytes
        Sent again and again while a command stands, so that the device can stop by itself when it stays away. The
        device does not answer it. Empty for none.
    heartbeat_s : float
        Time between heartbeats.
    hold_s : float
        With a heartbeat: a command stands so long after it was last sent; then neutral is sent, because the sender
        may hang. A discrete decision that shall last longer is repeated by the host (``pace.repeat_s``).
    ready : bytes
        What the device says when it has started (opening the port restarts many an Arduino). Empty for not waiting.
    ready_s : float
        Longest time to wait for that.
    deadline_s : float
        Longest time for a command to be written and acknowledged. The host counts more than 50 ms as a failure.
    """

    port: str
    table: Mapping[str, bytes]
    neutral: bytes
    baud: int = 115200
    acknowledge: bytes = b""
    heartbeat: bytes = b""
    heartbeat_s: float = 0.1
    hold_s: float = 0.25
    ready: bytes = b""
    ready_s: float = 3.0
    deadline_s: float = DEADLINE_S

    @classmethod
    def read(cls, given: Mapping[str, object]) -> SerialSettings:
        """Read the settings from values of their type, or text.

        Parameters
        ----------
        given : mapping of str to object
            Names of settings; values of their type, or text.

        Returns
        -------
        SerialSettings

        Raises
        ------
        ConfigError
            With everything that is wrong.
        """
        o = ActuatorOptions("serial", given)
        port, baud = read_port(o)
        table = o.table("table", to_bytes)
        neutral = o.parsed("neutral", "", to_bytes) or b""
        settings = cls(
            port=port,
            table=table,
            neutral=neutral,
            baud=baud,
            acknowledge=o.parsed("acknowledge", "", to_bytes) or b"",
            heartbeat=o.parsed("heartbeat", "", to_bytes) or b"",
            heartbeat_s=o.number("heartbeat_s", 0.1, 0.01, 10.0),
            hold_s=o.number("hold_s", 0.25, 0.05, 3600.0),
            ready=o.parsed("ready", "", to_bytes) or b"",
            ready_s=o.number("ready_s", 3.0, 0.1, 30.0),
            deadline_s=o.number("deadline_s", DEADLINE_S, 0.005, 0.03),
        )
        for line in settings.problems():
            o.problem(line)
        o.done()
        return settings

    def problems(self) -> list[str]:
        """Find the problems of values that do not fit each other."""
        found = [f"table.{name}: is empty; a command must send something" for name, sent in self.table.items() if not sent]
        if not self.neutral:
            found.append("neutral: is missing; give the bytes that stop the device, for example 'S'")
        found += [
            f"table.{name} = {sent!r}: is the same as neutral"
            for name, sent in self.table.items()
            if sent and sent == self.neutral
        ]
        return found


class SerialActuator:
    """Send byte strings of a table, and report when they do not arrive.

    Parameters
    ----------
    settings : SerialSettings

    Raises
    ------
    ActuatorError
        If the port cannot be opened, or the device does not say that it is ready.
    """

    def __init__(self, settings: SerialSettings) -> None:
        self.settings = s = settings
        self._stands_until_s = self._ready_by_s = 0.0
        self._port = Port(s.port, s.baud, s.deadline_s / 2)
        self._shared = SharedPort(
            f"serial actuator on {s.port}",
            self._port,
            "a heartbeat was not accepted; the device does not read, or its cable is loose",
        )
        try:
            if s.ready:
                self._port.expect(s.ready, time.monotonic() + s.ready_s, noise=True)
        except ActuatorError:
            self._port.close()
            raise
        self._alarm = Alarm(self._beat) if s.heartbeat else None
        with suppress(ActuatorError):  # its host asks again before anything moves
            self.neutral()

    @classmethod
    def from_settings(cls, options: Mapping[str, object]) -> SerialActuator:
        """As :meth:`bci.stream.bus.ActuatorPlugin.from_settings`; the options are the fields of :class:`SerialSettings`."""
        return cls(SerialSettings.read(options))

    def send(self, command: Command) -> None:
        """Write the bytes of a command, and wait for the acknowledgement where there is one.

        Parameters
        ----------
        command : Command

        Raises
        ------
        ActuatorError
            If the command is not in the table, is not taken or not acknowledged in time, or the port is gone.
        """
        check(command, self._shared.what, self.settings.table)
        until_s = time.monotonic() + self.settings.deadline_s
        with self._shared.held(self.settings.deadline_s / 2):
            self._shared.raise_failure()
            self._order(_fill(self.settings.table[command.name], command.value), until_s)
            if self._alarm is not None:
                now = time.monotonic()
                self._stands_until_s = now + self.settings.hold_s
                self._alarm.set(now + self.settings.heartbeat_s)

    def neutral(self) -> bool:
        """Write the neutral bytes; a device that was gone and is back gets them first of all.

        Returns
        -------
        bool
            Whether the device acknowledged them, which it does where ``acknowledge`` is set.

        Raises
        ------
        ActuatorError
            If they are not taken or not acknowledged in time, or the port is gone.
        """
        self._stands_until_s = 0.0
        self._shared.neutral(self._stop, self.settings.deadline_s)  # else neutral follows the heartbeat that hangs (_beat)
        return bool(self.settings.acknowledge)

    def close(self) -> None:
        """Write the neutral bytes, wait shortly until they have gone, and release the port."""
        self._shared.close(self._stop)
        if self._alarm is not None:
            self._alarm.close()

    def _stop(self) -> None:
        """Neutral, with the lock held."""
        self._stands_until_s = 0.0
        until_s = time.monotonic() + self.settings.deadline_s
        if self._port.lost:
            self._port.reopen()
            self._ready_by_s = until_s + self.settings.ready_s if self.settings.ready else 0.0
        if self._ready_by_s:
            self._await_ready(until_s)
        self._order(self.settings.neutral, until_s)

    def _await_ready(self, until_s: float) -> None:
        """Raise until a board that has just been plugged in has started, because until then it receives nothing."""
        try:
            self._port.expect(self.settings.ready, until_s, noise=True)
        except ActuatorError:
            if until_s < self._ready_by_s:
                raise
        self._ready_by_s = 0.0

    def _order(self, data: bytes, until_s: float) -> None:
        """Write, and wait for the answer."""
        answer = self.settings.acknowledge
        if answer:
            self._port.forget_input()
        self._port.write(data)
        if answer:
            self._port.expect(data if answer == b"echo" else answer, until_s)

    def _beat(self) -> None:
        """Send a heartbeat while a command stands, and neutral when it has stood too long, because then the sender hangs."""
        with self._shared.of_alarm() as is_open:
            now = time.monotonic()
            if not is_open or self._stands_until_s == 0.0 or self._alarm is None:
                return
            if now < self._stands_until_s and self._shared.attempt(partial(self._port.write, self.settings.heartbeat)):
                self._alarm.set(min(now + self.settings.heartbeat_s, self._stands_until_s))
            if now >= self._stands_until_s:  # also where neutral was asked for while the heartbeat went out
                self._shared.attempt(self._stop)


def _fill(template: bytes, value: float) -> bytes:
    r"""The bytes of a command, with its value; digits first, so that a byte cannot look like a placeholder.

    >>> _fill(b"M{value}", 0.5), _fill(b"M{byte}", 1.0)
    (b'M0.500', b'M\xff')
    """
    return template.replace(b"{value}", b"%.3f" % value).replace(b"{byte}", bytes((round(255 * value),)))
